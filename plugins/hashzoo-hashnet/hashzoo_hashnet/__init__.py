"""HashNet (ICCV 2017) as a plugin of hashzoo: methods hashnet, hashnet-c, hashnet-w and hashnet-sgn."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="hashnet-2017",
    title="HashNet: Deep Learning to Hash by Continuation",
    authors="Zhangjie Cao, Mingsheng Long, Jianmin Wang, Philip S. Yu",
    venue="ICCV",
    year=2017,
    url="https://arxiv.org/abs/1702.00758",
)

RECIPE = Recipe(
    epochs=256,  # 10,000 iterations of 256 on the 10,000 train images of NUS-WIDE and COCO (released Caffe code)
    batch_size=256,  # released Caffe code
    lr=5e-4,  # released Caffe code: 5e-5, times 10 in the hash layer (NUS-WIDE, COCO; ImageNet 2e-4 times 10)
    backbone_lr_scale=0.1,  # released code: hash layer times 10
    momentum=0.9,  # released code
    weight_decay=5e-4,  # released code
    schedule=Schedule("step", every=2000, gamma=0.5, unit="step"),  # released code
    bias_lr_scale=2.0,  # released Caffe code: biases at twice the rate
    bias_decay=False,  # Caffe nets of this family (DHN's); recalled of HashNet's
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.1}},  # 0.01 suits 4,096 features; with 128 the outputs start too small
    source="chosen on a validation part of the train split of digits, with smallcnn",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", weight_decay=3e-2, schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.03}},
    source="chosen on a validation part of the train split of cifar10-jpeg with EfficientNet-Lite0: docs/results.md",
)

SLOPE = {
    "loss.slope": Range(1.0, 100.0, log=True, source="ours: a tenth to ten times the released code's 10"),
}
SPACE = SLOPE | {
    "hash_layer.last_beta": Range(
        1.5, 100.0, log=True, source="ours: the paper goes to infinity and does not print its slopes; released code 7.1"
    ),
}

HASHNET = Method(
    name="hashnet",
    paper=PAPER,
    training="gradient",
    loss="hashnet",
    hash_layer="hashnet",
    recipe=RECIPE,
    settings={"scratch": SCRATCH, "frozen": FROZEN},
    backbones={"image": "alexnet"},
    summary="weighted pairwise likelihood; tanh(beta z) approaches sign during training",
    space=SPACE,
)

TAKEN_OVER = {
    regime: replace(setting, source="taken over from `hashnet`, not chosen for this variant")
    for regime, setting in HASHNET.settings.items()
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return HashNet and the variants of its ablation."""
    return (
        HASHNET,
        replace(
            HASHNET,
            name="hashnet-c",
            settings=TAKEN_OVER,
            options={"loss": {"similarity": "jaccard"}},
            summary="HashNet with continuous similarity: similar pairs weighted by their shared labels (HashNet+C)",
        ),
        replace(
            HASHNET,
            name="hashnet-w",
            settings=TAKEN_OVER,
            options={"loss": {"weights": "none"}},
            summary="HashNet without weights of the pairs",
        ),
        replace(
            HASHNET,
            name="hashnet-sgn",
            settings=TAKEN_OVER,
            options={"hash_layer": {"schedule": "none"}},
            summary="HashNet with tanh in training and sign afterwards, no continuation",
            space=SLOPE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return HashNet's loss."""
    return (Component("hashnet", "hashzoo_hashnet.losses:HashNetLoss", "weighted pairwise likelihood"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return HashNet's hash layer."""
    return (
        Component("hashnet", "hashzoo_hashnet.hash_layers:ContinuationHashLayer", "tanh(beta z), beta grows by epochs"),
    )


SEVERAL_LABELS = (
    "coco-10k", "coco-10k-hashnet", "coco-10k-hashnet-asis", "mirflickr38-4k", "nuswide21-10k", "nuswide21m-10k",
    "nuswide81m-10k", "nuswide81m-10k-asis", "openclipart-kw", "voc2012-4k",
)  # fmt: skip
"""Protocols whose images have several labels each."""


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims in its ablation."""
    ablation = "ablation table (recalled)"
    return (
        Claim("Continuation beats sign after training", ablation, "hashnet", "hashnet-sgn", "map"),
        Claim("Weights of the pairs help", ablation, "hashnet", "hashnet-w", "map"),
        Claim(
            "Continuous similarity helps where images have several labels",
            ablation,
            "hashnet-c",
            "hashnet",
            "map",
            protocols=SEVERAL_LABELS,
        ),
        Claim("HashNet beats DHN", "Table 1 (recalled)", "hashnet", "dhn", "map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_hashnet", {PAPER.key: PAPER})
