"""Asymmetric Deep Supervised Hashing (ADSH, AAAI 2018) as a plugin of hashzoo: adsh and adsh-inductive."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import (
    Claim,
    Component,
    Method,
    Paper,
    PaperTable,
    Range,
    Recipe,
    Schedule,
    Setting,
    hookimpl,
    paper_tables_from_package,
)

hashzoo_api = 2

PAPER = Paper(
    key="adsh-2018",
    title="Asymmetric Deep Supervised Hashing",
    authors="Qing-Yuan Jiang, Wu-Jun Li",
    venue="AAAI",
    year=2018,
    url="https://arxiv.org/abs/1707.08325",
)

RECIPE = Recipe(
    epochs=50,  # outer rounds of the released MATLAB code, three inner epochs each
    batch_size=64,  # released code
    lr=1e-4,  # released MATLAB code: from 1e-4 ...
    momentum=0.0,  # released code
    weight_decay=5e-4,  # released code
    schedule=Schedule("geometric", gamma=1e-2),  # ... to 1e-6, evenly in the logarithm
)

SPACE = {
    "loss.gamma": Range(20.0, 2000.0, log=True, source="ours: a tenth to ten times the released code's 200"),
}

ADSH = Method(
    name="adsh",
    paper=PAPER,
    loss="adsh",
    hash_layer="tanh",
    recipe=RECIPE,
    trainer="adsh",
    settings={
        "scratch": Setting(
            Recipe(epochs=10, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.1}},
            source="first guess, not tuned; 10 rounds of three inner epochs",
        ),
        "frozen": Setting(
            Recipe(epochs=50, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.03}},
            source="first guess, not tuned; rounds and batch of the released code",
        ),
    },
    backbones={"image": "cnn-f"},
    summary="a network for queries, learned codes for the database, whose labels are seen",
    space=SPACE,
    database="labels",
)
INDUCTIVE = replace(
    ADSH,
    name="adsh-inductive",
    loss="adsh-inductive",
    trainer="gradient",
    settings={
        "scratch": replace(
            ADSH.settings["scratch"],
            recipe=Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            source="first guess, not tuned",
        ),
        "frozen": replace(
            ADSH.settings["frozen"],
            recipe=Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            source="first guess, not tuned",
        ),
    },
    summary="ADSH with the train split in place of the database, which is then encoded",
    database="hidden",
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return ADSH and its inductive variant."""
    return (ADSH, INDUCTIVE)


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the losses of ADSH."""
    return (
        Component(
            "adsh",
            "hashzoo_adsh.losses:ADSHLoss",
            "outputs against learned codes of the database",
            requires={"trainer": "adsh"},
        ),
        Component(
            "adsh-inductive",
            "hashzoo_adsh.losses:ADSHInductiveLoss",
            "outputs against learned codes of the train split",
            requires={"trainer": "gradient"},
        ),
    )


@hookimpl
def hashzoo_register_trainers() -> tuple[Component, ...]:
    """Return ADSH's trainer."""
    return (
        Component(
            "adsh",
            "hashzoo_adsh.trainer:ADSHTrainer",
            "rounds on a sample of the database, then its codes",
            requires={"loss": "adsh"},
        ),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the values that the released code publishes."""
    return paper_tables_from_package("hashzoo_adsh", {PAPER.key: PAPER})


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims: learned database codes are ahead of symmetric deep methods."""
    source = "comparison on CIFAR-10, MS-COCO and NUS-WIDE (recalled)"
    return (
        Claim("Asymmetric hashing is ahead of DPSH", source, "adsh", "dpsh", "map"),
        Claim("Asymmetric hashing is ahead of DSDH", source, "adsh", "dsdh", "map"),
    )
