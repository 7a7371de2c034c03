"""Convolutional Neural Network Hashing (CNNH, AAAI 2014) as a plugin of hashzoo: method cnnh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="cnnh-2014",
    title="Supervised Hashing for Image Retrieval via Image Representation Learning",
    authors="Rongkai Xia, Yan Pan, Hanjiang Lai, Cong Liu, Shuicheng Yan",
    venue="AAAI",
    year=2014,
    url="https://ojs.aaai.org/index.php/AAAI/article/view/8952",
)

RECIPE = Recipe(
    epochs=150,  # DeepHash-pytorch; the authors' code is not public
    batch_size=128,  # ours
    lr=1e-5,  # DeepHash-pytorch
    optimizer="adam",  # DeepHash-pytorch; the paper trains a small network from scratch by SGD
)

SPACE = {
    "loss.regression": Range(choices=("squared", "sigmoid"), source="which of the two the paper means is not known"),
}

CNNH = Method(
    name="cnnh",
    paper=PAPER,
    loss="cnnh",
    hash_layer="linear",
    recipe=RECIPE,
    settings={
        "scratch": Setting(
            Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.1}},
            source="a first guess; 60 epochs or a rate of 3e-4 were no better on a validation part of digits",
        ),
        "frozen": Setting(
            Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            source="first guess, not tuned",
        ),
    },
    backbones={"image": "alexnet"},
    summary="codes from the label similarities, then regression of them",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return CNNH."""
    return (CNNH,)


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the loss of CNNH."""
    return (Component("cnnh", "hashzoo_cnnh.losses:CNNHLoss", "regression of codes found from the labels before"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against shallow methods."""
    source = "comparison on CIFAR-10 (recalled)"
    return (
        Claim("CNNH is ahead of KSH", source, "cnnh", "ksh", "map"),
        Claim("CNNH is ahead of ITQ-CCA", source, "cnnh", "itq-cca", "map"),
        Claim("CNNH is ahead of ITQ", source, "cnnh", "itq", "map"),
    )
