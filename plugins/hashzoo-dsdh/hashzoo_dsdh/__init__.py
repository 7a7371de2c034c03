"""Deep Supervised Discrete Hashing (DSDH, NeurIPS 2017) as a plugin of hashzoo: methods dsdh and dsdh-batch."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dsdh-2017",
    title="Deep Supervised Discrete Hashing",
    authors="Qi Li, Zhenan Sun, Ran He, Tieniu Tan",
    venue="NeurIPS",
    year=2017,
    url="https://papers.nips.cc/paper/6842-deep-supervised-discrete-hashing",
)

# The released step has twice the gradient of ours (docstring of the loss): rates times 2, decay divided by 2.
RECIPE = Recipe(
    epochs=150,  # released code
    batch_size=128,  # released code
    lr=2e-2,  # released code: from 1e-2 ...
    momentum=0.0,  # released code
    weight_decay=2.5e-4,  # released code: 5e-4
    schedule=Schedule("geometric", gamma=1e-4),  # ... to 1e-6, evenly in the logarithm
)

SPACE = {
    "loss.eta": Range(0.5, 500.0, log=True, source="released code 55, 5.5 on digits; the range is ours"),
    "loss.mu": Range(0.01, 10.0, log=True, source="1 in the released code, 0.01 to 5 in a port"),
    "loss.nu": Range(0.01, 10.0, log=True, source="0.1 in the released code, 1 and 5 in ports"),
}

DSDH = Method(
    name="dsdh",
    paper=PAPER,
    loss="dsdh",
    hash_layer="linear",
    recipe=RECIPE,
    options={"loss": {"solve": "epoch"}},
    settings={
        "scratch": Setting(
            Recipe(epochs=60, batch_size=64, lr=3e-4, optimizer="adam", schedule=Schedule("cosine")),
            # pairs are divided by n as well: 55 beside 5,000 train images is 5.5 beside the 500 of digits
            options={"hash_layer": {"std": 0.1}, "loss": {"eta": 5.5}},
            source="among the best of 12 on a validation part of the train split of digits at 16 and 48 bits",
        ),
        "frozen": Setting(
            Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.03}},
            source="first guess, not tuned",
        ),
    },
    backbones={"image": "cnn-f"},
    summary="pairwise likelihood, codes that also classify, found bit by bit after each epoch",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DSDH as the paper states it, and with the released code's codes of each batch."""
    return (
        DSDH,
        replace(
            DSDH,
            name="dsdh-batch",
            options={"loss": {"solve": "batch"}},
            summary="DSDH with codes found for each batch anew, as in the released code",
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the loss of DSDH."""
    return (Component("dsdh", "hashzoo_dsdh.losses:DSDHLoss", "pairwise likelihood and discrete codes that classify"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims: classification and discrete codes are ahead of pairs or triplets alone."""
    source = "comparison on CIFAR-10 and NUS-WIDE (recalled)"
    return (
        Claim("Codes that also classify are ahead of pairs alone", source, "dsdh", "dpsh", "map"),
        Claim("Codes that also classify are ahead of triplets alone", source, "dsdh", "dtsh", "map"),
    )
