"""Central Similarity Quantization (CSQ, CVPR 2020) as a plugin of hashzoo: method csq."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="csq-2020",
    title="Central Similarity Quantization for Efficient Image and Video Retrieval",
    authors="Li Yuan, Tao Wang, Xiaopeng Zhang, Francis EH Tay, Zequn Jie, Wei Liu, Jiashi Feng",
    venue="CVPR",
    year=2020,
    url="https://arxiv.org/abs/1908.00347",
)

RECIPE = Recipe(
    epochs=90,  # released code
    batch_size=64,  # released code
    lr=1e-3,  # released code, ResNet50; 1e-4 with AlexNet
    optimizer="adam",  # released code
    backbone_lr_scale=0.01,  # released code, ImageNet; 0.05 for COCO and NUS-WIDE
    schedule=Schedule("step", every=10, gamma=0.7),  # released code
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    source="first guess, not tuned",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    source="first guess, not tuned",
)

SPACE = {
    "loss.quantization_weight": Range(
        1e-4, 1.0, log=True, source="released code: 1e-4, 1e-3 and 0.05, by network and bits; ours above"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return CSQ."""
    return (
        Method(
            name="csq",
            paper=PAPER,
            training="gradient",
            loss="csq",
            hash_layer="csq",
            recipe=RECIPE,
            options={"hash_layer": {"dropout": 0.5}},  # released code, with ResNet50
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "resnet50"},
            summary="cross-entropy of every bit with the class's Hadamard centre",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return CSQ's loss."""
    return (Component("csq", "hashzoo_csq.losses:CSQLoss", "cross-entropy with class centres, and quantization"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return CSQ's head."""
    return (Component("csq", "hashzoo_csq.hash_layers:CSQHashLayer", "three linear layers with ReLU between them"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "results tables (recalled)"
    return (
        Claim("Central similarity beats pairwise similarity (HashNet)", source, "csq", "hashnet", "map"),
        Claim("Central similarity beats Cauchy pairs (DCH)", source, "csq", "dch", "map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the values that the released code's README prints."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_csq", {PAPER.key: PAPER})
