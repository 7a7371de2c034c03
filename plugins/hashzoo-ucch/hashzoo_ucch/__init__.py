"""Unsupervised Contrastive Cross-modal Hashing (UCCH, TPAMI 2023) as a plugin of hashzoo: method ucch."""

from __future__ import annotations

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
    key="ucch-2023",
    title="Unsupervised Contrastive Cross-modal Hashing",
    authors="Peng Hu, Hongyuan Zhu, Jie Lin, Dezhong Peng, Yin-Ping Zhao, Xi Peng",
    venue="TPAMI",
    year=2023,
    url="https://doi.org/10.1109/TPAMI.2022.3177356",
)

RECIPE = Recipe(
    epochs=20,  # paper: on all data sets; default of the released code 100
    batch_size=256,  # released code
    lr=1e-4,  # paper
    optimizer="adam",  # released code
    weight_decay=1e-6,  # released code
    schedule=Schedule("step", every=30, gamma=0.1),  # released code: at 30, 60, 90, 120
    clip=1.0,  # released code
)

FROZEN = Setting(RECIPE, source="paper and released code, whose networks stand on fixed features")
SCRATCH = Setting(
    Recipe(epochs=100, batch_size=64, lr=1e-4, optimizer="adam", weight_decay=1e-6, clip=1.0),
    options={"hash_layer": {"layers": 0}},  # the backbone mlp is the paper's hidden layer
    source="numbers of the paper but for epochs and batch: first guess for small data sets",
)

SPACE = {
    "loss.beta": Range(0.1, 0.95, source="by validation in the paper; released code 0.7 and 0.9"),
    "loss.shift": Range(0.05, 1.0, log=True, source="above 0 in the paper; released code 0.1 and 1"),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return UCCH."""
    return (
        Method(
            name="ucch",
            paper=PAPER,
            loss="ucch",
            hash_layer="ucch",
            recipe=RECIPE,
            modalities=("image", "text"),
            supervision="unsupervised",
            settings={"frozen": FROZEN, "scratch": SCRATCH},
            backbones={"image": "torchvision/vgg19", "text": "identity"},
            summary="contrast against a memory of codes, and a cross-modal ranking loss",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return UCCH's loss."""
    return (Component("ucch", "hashzoo_ucch.losses:UCCHLoss", "contrast with a memory, cross-modal ranking"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return UCCH's hash layer."""
    return (Component("ucch", "hashzoo_ucch.hash_layers:UnitTanh", "ReLU layers, tanh, unit length"),)


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    return paper_tables_from_package("hashzoo_ucch", {PAPER.key: PAPER})


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper's Table 1 claims."""
    return tuple(
        Claim(
            text=f"UCCH is ahead of {other.upper()}, {task}, at every code length",
            source="Table 1 (mAP over the whole ranking, MIRFLICKR-25K)",
            better="ucch",
            worse=other,
            metric=f"{task}/map",
            bits=(16, 32, 64, 128),
        )
        for task in ("image-to-text", "text-to-image")
        for other in ("djsrh", "cmfh")
    )
