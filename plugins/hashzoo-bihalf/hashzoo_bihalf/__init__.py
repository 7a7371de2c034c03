"""Bi-half Net (AAAI 2021) as a plugin of hashzoo: the unsupervised method bihalf."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2
hashzoo_expected_failures = {
    "bihalf": {
        "loss_ignores_batch_order": "the released loss pairs image i of the first half with image i of the second",
    },
}

PAPER = Paper(
    key="bihalf-2021",
    title="Deep Unsupervised Image Hashing by Maximizing Bit Entropy",
    authors="Yunqiang Li, Jan van Gemert",
    venue="AAAI",
    year=2021,
    url="https://arxiv.org/abs/2012.12334",
)

RECIPE = Recipe(
    epochs=300,  # released code, CIFAR-10
    batch_size=32,  # released code
    lr=1e-4,  # released code; 1e-3 on COCO
    backbone_lr_scale=0.0,  # released code: the backbone is frozen
    momentum=0.9,  # released code
    weight_decay=5e-4,  # released code
    schedule=Schedule("step", every=120, gamma=0.1),  # released code, CIFAR-10
)

SCRATCH = Setting(
    Recipe(
        epochs=60,
        batch_size=64,
        lr=1e-3,
        optimizer="adam",
        backbone_lr_scale=0.0,  # features that follow the codes would make any code fit
        schedule=Schedule("cosine"),
    ),
    options={"loss": {"center_features": True}},  # the cosines of an untrained network's features are all near 1
    source="first guess, not tuned",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    source="first guess, not tuned",
)

SPACE = {
    "hash_layer.gamma": Range(
        0.6, 60.0, log=True, source="ours: a tenth to ten times the released code's 6, which has 1 for MNIST"
    ),
    "loss.center_features": Range(
        choices=(False, True), source="ours: cosines of features without negative numbers are all near 1"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return Bi-half Net."""
    return (
        Method(
            name="bihalf",
            paper=PAPER,
            training="gradient",
            loss="bihalf",
            hash_layer="bihalf",
            recipe=RECIPE,
            supervision="unsupervised",
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "vgg16"},
            summary="each bit splits a batch in halves; codes keep the cosines of frozen features",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return Bi-half Net's loss."""
    return (Component("bihalf", "hashzoo_bihalf.losses:BiHalfLoss", "cosines of codes and features, by pairs"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return the bi-half layer."""
    return (Component("bihalf", "hashzoo_bihalf.hash_layers:BiHalfLayer", "half of a batch +1, half -1, in each bit"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "results tables (recalled)"
    return (
        Claim(
            "Splitting each bit in halves beats sign (GreedyHash)", source, "bihalf", "greedyhash-unsupervised", "map"
        ),
        Claim("Splitting each bit in halves beats ITQ", source, "bihalf", "itq", "map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the published value that could be read."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_bihalf", {PAPER.key: PAPER})
