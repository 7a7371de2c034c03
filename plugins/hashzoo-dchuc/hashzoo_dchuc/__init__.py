"""Deep Cross-Modal Hashing with Hashing Functions and Unified Hash Codes Jointly Learning (DCHUC): method dchuc."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dchuc-2019",
    title="Deep Cross-Modal Hashing with Hashing Functions and Unified Hash Codes Jointly Learning",
    authors="Rong-Cheng Tu, Xian-Ling Mao, Bing Ma, Yong Hu, Tan Yan, Wei Wei, Heyan Huang",
    venue="arXiv",
    year=2019,
    url="https://arxiv.org/abs/1907.12490",
)

RECIPE = Recipe(
    epochs=30,  # released code: outer iterations, of 3 passes each
    batch_size=64,  # released code
    lr=4e-3,  # released code: text network; images 1e-4, option first_rate of the trainer
    momentum=0.0,  # released code: plain gradient steps
    weight_decay=5e-4,  # released code
    schedule=Schedule("step", every=10, gamma=1 / 1.5),  # released code: divided by 1.5 at 10 and 20
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"trainer": {"first_rate": 1.0}},
    source="rate out of 1e-4 and 1e-3 on a validation part of the train split of digits-halves, with mlp",
)
FROZEN = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-2, optimizer="adam", schedule=Schedule("cosine")),
    options={"trainer": {"first_rate": 1.0}},
    source="first guess for linear layers on frozen features",
)

SPACE = {
    "loss.gamma": Range(20.0, 2000.0, log=True, source="ours: a tenth to ten times the released code's 200"),
    "loss.mu": Range(5.0, 500.0, log=True, source="ours: a tenth to ten times the released code's 50"),
    "loss.alpha": Range(5.0, 500.0, log=True, source="ours: a tenth to ten times the released code's 50"),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DCHUC."""
    return (
        Method(
            name="dchuc",
            paper=PAPER,
            loss="dchuc",
            hash_layer="tanh",
            recipe=RECIPE,
            modalities=("image", "text"),
            trainer="dchuc",
            settings={"frozen": FROZEN, "scratch": SCRATCH},
            backbones={"image": "alexnet", "text": "mlp"},
            summary="codes that both modalities share, learnt with their networks and a classifier, in turn",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return DCHUC's loss."""
    return (Component("dchuc", "hashzoo_dchuc.losses:DCHUCLoss", "asymmetric similarity to codes, and a classifier"),)


@hookimpl
def hashzoo_register_trainers() -> tuple[Component, ...]:
    """Return DCHUC's trainer."""
    return (
        Component(
            "dchuc",
            "hashzoo_dchuc.trainer:DCHUCTrainer",
            "image steps, text steps, closed-form codes and classifier",
            requires={"loss": "dchuc"},
        ),
    )
