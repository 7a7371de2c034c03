"""Deep Supervised Hashing (DSH, CVPR 2016) as a plugin of hashzoo: method dsh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dsh-2016",
    title="Deep Supervised Hashing for Fast Image Retrieval",
    authors="Haomiao Liu, Ruiping Wang, Shiguang Shan, Xilin Chen",
    venue="CVPR",
    year=2016,
    url="https://openaccess.thecvf.com/content_cvpr_2016/html/Liu_Deep_Supervised_Hashing_CVPR_2016_paper.html",
)

RECIPE = Recipe(
    epochs=280,  # released code: 70,000 iterations of 200 on 50,000 images
    batch_size=200,  # released code
    lr=1e-3,  # released code
    momentum=0.9,  # released code
    weight_decay=4e-3,  # released code
    schedule=Schedule("step", every=240, gamma=0.1),  # released code: at 60,000 (and again at 65,000) iterations
    bias_lr_scale=2.0,  # released code
    bias_decay=False,  # released code
)

SPACE = {
    "loss.alpha": Range(1e-3, 0.1, log=True, source="ours: a tenth to ten times the paper's 0.01"),
}

DSH = Method(
    name="dsh",
    paper=PAPER,
    loss="dsh",
    hash_layer="linear",
    recipe=RECIPE,
    settings={
        "scratch": Setting(
            Recipe(epochs=60, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.1}},
            source="a first guess; 60 epochs beat 30 on a validation part of the train split of digits",
        ),
        "frozen": Setting(
            Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
            options={"hash_layer": {"std": 0.03}},
            source="first guess, not tuned",
        ),
    },
    backbones={"image": "alexnet"},
    summary="contrastive loss of squared distances, outputs pulled to -1 and +1",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DSH."""
    return (DSH,)


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the loss of DSH."""
    return (Component("dsh", "hashzoo_dsh.losses:DSHLoss", "contrastive loss and a pull of outputs to -1 and +1"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against earlier deep methods."""
    source = "comparison on CIFAR-10 (recalled)"
    return (
        Claim("DSH is ahead of CNNH", source, "dsh", "cnnh", "map"),
        Claim("DSH is ahead of DNNH", source, "dsh", "dnnh", "map"),
    )
