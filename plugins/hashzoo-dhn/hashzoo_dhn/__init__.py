"""Deep Hashing Network (DHN, AAAI 2016) as a plugin of hashzoo: methods dhn, dhn-q, dhn-e and dhn-b."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dhn-2016",
    title="Deep Hashing Network for Efficient Similarity Retrieval",
    authors="Han Zhu, Mingsheng Long, Jianmin Wang, Yue Cao",
    venue="AAAI",
    year=2016,
    url="https://ojs.aaai.org/index.php/AAAI/article/view/10235",
)

RECIPE = Recipe(
    epochs=40,  # 3,000 iterations of 64 on 5,000 images (newer released Caffe code)
    batch_size=64,  # paper and released code
    lr=2e-4,  # released code: 2e-5, times 10 in the hash layer; the paper cross-validates 1e-5..1e-2
    backbone_lr_scale=0.1,  # paper: hash layer times 10
    momentum=0.9,  # paper
    weight_decay=5e-4,  # paper; not on biases in the released code
    schedule=Schedule("step", every=500, gamma=0.5, unit="step"),  # newer released Caffe code
    bias_lr_scale=2.0,  # released Caffe code: biases at twice the rate
    bias_decay=False,  # released Caffe code
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.1}},  # 0.01 suits 4,096 features; with 128 the outputs start too small
    source="chosen on a validation part of the train split of digits, with smallcnn",
)
FROZEN = Setting(
    Recipe(epochs=120, batch_size=128, lr=1e-2, weight_decay=3e-2, schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.03}, "loss": {"quantization_weight": 0.01}},
    source="chosen on a validation part of the train split of cifar10-jpeg with EfficientNet-Lite0: docs/results.md",
)
SQUARED_FROZEN = Setting(  # the squared loss divides the product by K, so its gradients are smaller
    Recipe(epochs=120, batch_size=128, lr=1e-1, weight_decay=1e-2, schedule=Schedule("cosine")),
    options=FROZEN.options,
    source=FROZEN.source,
)

SPACE = {
    "loss.quantization_weight": Range(1e-5, 100.0, log=True, source="range of the paper's cross-validation"),
}

DHN = Method(
    name="dhn",
    paper=PAPER,
    training="gradient",
    loss="dhn",
    hash_layer="tanh",
    recipe=RECIPE,
    settings={"scratch": SCRATCH, "frozen": FROZEN},
    backbones={"image": "alexnet"},
    summary="pairwise logistic likelihood of inner products, log cosh quantization",
    space=SPACE,
)
NO_QUANTIZATION = {"loss": {"quantization_weight": 0.0}}

TAKEN_OVER = {
    regime: replace(setting, source="taken over from `dhn`, not chosen for this variant")
    for regime, setting in DHN.settings.items()
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DHN and the variants of its ablation."""
    return (
        DHN,
        replace(
            DHN,
            name="dhn-q",
            settings=TAKEN_OVER,
            options=NO_QUANTIZATION,
            summary="DHN without quantization (lambda = 0)",
            space={},
        ),
        replace(
            DHN,
            name="dhn-e",
            loss="dhn-e",
            settings={"scratch": SCRATCH, "frozen": SQUARED_FROZEN},
            summary="DHN with the squared loss instead of the likelihood",
        ),
        replace(
            DHN,
            name="dhn-b",
            settings=TAKEN_OVER,
            ranking="inner_product",
            summary="DHN ranked by the inner product of the relaxed codes: no binarization",
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the losses of DHN and DHN-E."""
    return (
        Component("dhn", "hashzoo_dhn.losses:DHNLoss", "pairwise likelihood and quantization"),
        Component("dhn-e", "hashzoo_dhn.losses:DHNSquaredLoss", "pairwise squared loss and quantization"),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims in its ablation."""
    ablation = "Table 2, ablation (recalled)"
    return (
        Claim("The quantization loss helps", ablation, "dhn", "dhn-q", "map"),
        Claim("The likelihood beats the squared loss", ablation, "dhn", "dhn-e", "map"),
        Claim("Without binarization retrieval is better still", ablation, "dhn-b", "dhn", "map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_dhn", {PAPER.key: PAPER})
