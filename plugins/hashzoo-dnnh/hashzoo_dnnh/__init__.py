"""Deep Neural Network Hashing (DNNH, also NINH, CVPR 2015) as a plugin of hashzoo: method dnnh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dnnh-2015",
    title="Simultaneous Feature Learning and Hash Coding with Deep Neural Networks",
    authors="Hanjiang Lai, Yan Pan, Ye Liu, Shuicheng Yan",
    venue="CVPR",
    year=2015,
    url="https://arxiv.org/abs/1504.03410",
)

RECIPE = Recipe(
    epochs=100,  # ours; a re-implementation has 100,000 iterations of 100 listed triplets
    batch_size=100,  # the number of triplets there
    lr=1e-3,  # the same
    momentum=0.9,  # the same
    weight_decay=5e-4,  # the same
    schedule=Schedule("step", every=60, gamma=0.1),  # the same after 60 % (and again after 70 %)
)

SPACE = {
    "loss.margin": Range(
        0.25, 4.0, log=True, source="the paper's 1 is recalled, a re-implementation has 2; the range is ours"
    ),
}

DNNH = Method(
    name="dnnh",
    paper=PAPER,
    loss="dnnh",
    hash_layer="dnnh",
    recipe=RECIPE,
    settings={
        "scratch": Setting(
            Recipe(epochs=60, batch_size=64, lr=0.1, schedule=Schedule("cosine")),
            source="best of 8 on a validation part of the train split of digits at 16 and 48 bits",
        ),
        "frozen": Setting(
            Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            source="first guess, not tuned",
        ),
    },
    backbones={"image": "alexnet"},
    summary="triplet ranking hinge, each bit from a slice of the features",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DNNH."""
    return (DNNH,)


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the loss of DNNH."""
    return (Component("dnnh", "hashzoo_dnnh.losses:DNNHLoss", "triplet ranking hinge on outputs in [0, 1]"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return the hash layer of DNNH."""
    return (Component("dnnh", "hashzoo_dnnh.hash_layers:DivideAndEncode", "each bit from its own slice, sigmoid"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims: learning both at once is ahead of two stages."""
    source = "comparison on CIFAR-10 and NUS-WIDE (recalled)"
    return (Claim("One stage is ahead of two", source, "dnnh", "cnnh", "map"),)
