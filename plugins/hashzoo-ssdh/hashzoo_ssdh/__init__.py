"""Semantic structure-based unsupervised hashing (SSDH, IJCAI 2018) as a plugin of hashzoo: method ssdh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="ssdh-2018",
    title="Semantic Structure-based Unsupervised Deep Hashing",
    authors="Erkun Yang, Cheng Deng, Tongliang Liu, Wei Liu, Dacheng Tao",
    venue="IJCAI",
    year=2018,
    url="https://www.ijcai.org/proceedings/2018/148",
)

# The released code's initial weights are a truncated N(0, 0.001^2); the core's layer starts at N(0, 0.01^2).
RECIPE = Recipe(
    epochs=10,  # released code
    batch_size=24,  # released code
    lr=1e-3,  # released code, for all layers; its Adam has epsilon 1, which makes steps far smaller
    optimizer="adam",  # released code
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
    options={"hash_layer": {"std": 0.5}, "loss": {"center_features": True}},  # large: see the README
    source="std tried on a validation part of the train split of digits, with smallcnn: README",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.3}, "loss": {"center_features": True}},  # large: see the README
    source="std tried on a validation part of the train split of digits, with EfficientNet-Lite0: README",
)

SPACE = {
    "loss.alpha": Range(0.5, 3.0, source="ours: around the released code's 2"),
    "loss.beta": Range(0.5, 3.0, source="ours: around the released code's 2"),
    "hash_layer.std": Range(
        0.01, 1.0, log=True, source="ours: decides the start of the saturation (README); released code 0.001"
    ),
    "loss.center_features": Range(
        choices=(False, True), source="ours: cosines of features without negative numbers are all near 1"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return SSDH."""
    return (
        Method(
            name="ssdh",
            paper=PAPER,
            training="gradient",
            loss="ssdh",
            hash_layer="tanh",
            recipe=RECIPE,
            supervision="unsupervised",
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "vgg16"},
            summary="codes keep the pairs that the features' distances show to be surely near or surely far",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return SSDH's loss."""
    return (Component("ssdh", "hashzoo_ssdh.losses:SSDHLoss", "surely near and surely far pairs of features"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "results tables (recalled)"
    return (Claim("Semantic structure beats ITQ on the same features", source, "ssdh", "itq", "map"),)
