"""GreedyHash (NeurIPS 2018) as a plugin of hashzoo: methods greedyhash and greedyhash-unsupervised."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="greedyhash-2018",
    title="Greedy Hash: Towards Fast Optimization for Accurate Hash Coding in CNN",
    authors="Shupeng Su, Chao Zhang, Kai Han, Yonghong Tian",
    venue="NeurIPS",
    year=2018,
    url="https://papers.nips.cc/paper/7360-greedy-hash-towards-fast-optimization-for-accurate-hash-coding-in-cnn",
)

RECIPE = Recipe(
    epochs=50,  # released code, CIFAR-10 with 5,000 train images (40 with 50,000; ImageNet 100)
    batch_size=32,  # released code
    lr=1e-3,  # released code
    backbone_lr_scale=1.0,  # released code: one rate for all layers
    momentum=0.9,  # released code
    weight_decay=5e-4,  # released code
    schedule=Schedule("step", every=30, gamma=0.1),  # released code; the paper: when the loss stops falling
)
UNSUPERVISED_RECIPE = Recipe(
    epochs=60,  # released code; 300 for 16 bits
    batch_size=32,  # released code
    lr=1e-4,  # released code
    backbone_lr_scale=0.0,  # released code: the backbone is frozen
    momentum=0.9,  # released code
    weight_decay=5e-4,  # released code
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    source="chosen on a validation part of the train split of digits, with smallcnn",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-2, weight_decay=5e-2, schedule=Schedule("cosine")),
    source="chosen on a validation part of the train split of cifar10-jpeg with EfficientNet-Lite0: docs/results.md",
)
UNSUPERVISED_FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", weight_decay=1e-2, schedule=Schedule("cosine")),
    source="chosen on a validation part of the train split of cifar10-jpeg with EfficientNet-Lite0: docs/results.md",
)

UNSUPERVISED_SCRATCH = Setting(
    Recipe(
        epochs=60,
        batch_size=64,
        lr=1e-3,
        optimizer="adam",
        backbone_lr_scale=0.0,  # features that follow the codes would make any code fit
        schedule=Schedule("cosine"),
    ),
    options={"loss": {"center_features": True}},  # the cosines of an untrained network's features are all near 1
    source="chosen on a validation part of the train split of digits, with smallcnn",
)

SPACE = {
    "loss.quantization_weight": Range(
        1e-3, 10.0, log=True, source="paper: 0.1 for CIFAR-10, 1 for ImageNet; the range is ours"
    ),
}
UNSUPERVISED_SPACE = SPACE | {
    "loss.center_features": Range(
        choices=(False, True), source="ours: cosines of features without negative numbers are all near 1"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return supervised and unsupervised GreedyHash."""
    return (
        Method(
            name="greedyhash",
            paper=PAPER,
            training="gradient",
            loss="greedyhash",
            hash_layer="greedyhash",
            recipe=RECIPE,
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "alexnet"},
            summary="straight-through sign, softmax classifier on the codes, cubed quantization",
            space=SPACE,
        ),
        Method(
            name="greedyhash-unsupervised",
            paper=PAPER,
            training="gradient",
            loss="greedyhash-unsupervised",
            hash_layer="greedyhash",
            recipe=UNSUPERVISED_RECIPE,
            supervision="unsupervised",
            settings={"scratch": UNSUPERVISED_SCRATCH, "frozen": UNSUPERVISED_FROZEN},
            backbones={"image": "vgg16"},
            summary="straight-through sign, codes keep the cosines of frozen features",
            space=UNSUPERVISED_SPACE,
        ),
    )


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return GreedyHash's hash layer."""
    return (Component("greedyhash", "hashzoo_greedyhash.hash_layers:GreedyHashLayer", "straight-through sign"),)


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the supervised and the unsupervised loss."""
    return (
        Component("greedyhash", "hashzoo_greedyhash.losses:GreedyHashLoss", "classification and quantization"),
        Component(
            "greedyhash-unsupervised",
            "hashzoo_greedyhash.losses:GreedyHashUnsupervisedLoss",
            "cosine structure of the features and quantization",
        ),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "results on CIFAR-10 (recalled)"
    return (
        Claim("Greedy binarization beats continuation (HashNet)", source, "greedyhash", "hashnet", "map"),
        Claim("Greedy binarization beats quantization by penalty (DHN)", source, "greedyhash", "dhn", "map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_greedyhash", {PAPER.key: PAPER})
