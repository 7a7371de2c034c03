"""Built-in trainers, the empty loss and the methods without training: two floors and the uncoded reference."""

from __future__ import annotations

from hashzoo.hookspecs import hookimpl
from hashzoo.specs import Component, Method, Paper, Recipe

NOT_TRAINED = Recipe(epochs=1, batch_size=1, lr=0.0)
"""Methods that are not trained have no recipe; these numbers are never read."""

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
    """Return the built-in trainers."""
    return (
        Component(
            "gradient",
            "hashzoo.training.gradient:build_gradient_trainer",
            "mini-batches, one optimizer for model and loss",
        ),
        Component(
            "fit-once",
            "hashzoo.training.fit_once:build_fit_once",
            "hash layers see the train features once; no gradient step",
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the loss of methods that are not trained by gradients."""
    return (Component("none", "hashzoo.training.no_loss:build_no_loss", "no term at all"),)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return the reference points that stay on every board."""
    return (
        _reference("random", NO_PAPER, "random-codes", "independent fair coin per bit: the floor of chance"),
        _reference(
            "random-cross-modal",
            NO_PAPER,
            "random-codes",
            "independent fair coin per bit in both modalities: the floor of chance",
            modalities=("image", "text"),
        ),
        _reference("lsh", CHARIKAR, "lsh", "signs of random projections of the same features"),
        _reference(
            "uncoded",
            NO_PAPER,
            "uncoded",
            "the features themselves, ranked by cosine: what coding has to keep",
            coded=False,
        ),
    )


def _reference(
    name: str,
    paper: Paper,
    hash_layer: str,
    summary: str,
    modalities: tuple[str, ...] = ("image",),
    coded: bool = True,
) -> Method:
    return Method(
        name=name,
        paper=paper,
        loss="none",
        hash_layer=hash_layer,
        recipe=NOT_TRAINED,
        modalities=modalities,
        trainer="fit-once",
        supervision="none",
        ranking="hamming" if coded else "cosine",
        summary=summary,
        floor=True,
        coded=coded,
    )
