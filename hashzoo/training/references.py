"""The built-in trainer and the reference points of every board: chance, random projections, uncoded features."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component, Method, Paper

hashzoo_api = 2

CHARIKAR = Paper(
    key="charikar-2002",
    title="Similarity Estimation Techniques from Rounding Algorithms",
    authors="Moses S. Charikar",
    venue="STOC",
    year=2002,
    url="https://doi.org/10.1145/509907.509965",
)
NO_PAPER = Paper(
    key="baseline",
    title="Reference point without a paper of its own",
    authors="hashzoo",
    venue="",
    year=2026,
)


@hookimpl
def hashzoo_register_trainers() -> tuple[Component, ...]:
    """Return the built-in trainer."""
    return (
        Component(
            "gradient", "hashzoo.training.loop:GradientTrainer", "mini-batches, one optimizer for model and loss"
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitters of the reference points."""
    return (
        Component("center", "hashzoo.training.reference_fitters:Center", "the mean of the train features"),
        Component("lsh", "hashzoo.training.reference_fitters:RandomProjection", "random hyperplanes through the mean"),
    )


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return the reference points that stay on every board."""
    return (
        Method(
            "random",
            NO_PAPER,
            hash_layer="random-codes",
            training="none",
            supervision="unsupervised",
            summary="independent fair coin per bit: the floor of chance",
            floor=True,
        ),
        Method(
            "random-cross-modal",
            NO_PAPER,
            hash_layer="random-codes",
            training="none",
            supervision="unsupervised",
            modalities=("image", "text"),
            summary="independent fair coin per bit in both modalities: the floor of chance",
            floor=True,
        ),
        Method(
            "lsh",
            CHARIKAR,
            hash_layer="projection",
            training="fit",
            fitter="lsh",
            supervision="unsupervised",
            summary="signs of random projections of the same features",
            floor=True,
        ),
        Method(
            "uncoded",
            NO_PAPER,
            hash_layer="uncoded",
            training="fit",
            fitter="center",
            supervision="unsupervised",
            ranking="cosine",
            summary="the features themselves, centred, ranked by cosine: what coding has to keep",
            floor=True,
            coded=False,
        ),
    )
