"""Contrastive Information Bottleneck hashing (CIBHash, IJCAI 2021) as a plugin of hashzoo: method cibhash."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="cibhash-2021",
    title="Unsupervised Hashing with Contrastive Information Bottleneck",
    authors="Zexuan Qiu, Qinliang Su, Zijing Ou, Jianxing Yu, Changyou Chen",
    venue="IJCAI",
    year=2021,
    url="https://arxiv.org/abs/2105.06138",
)

RECIPE = Recipe(
    epochs=60,  # released code, CIFAR-10; 80 or more for 16 bits
    batch_size=64,  # released code
    lr=1e-3,  # released code
    optimizer="adam",  # released code, without weight decay
    backbone_lr_scale=0.0,  # released code: the backbone is frozen
)

SCRATCH = Setting(
    Recipe(epochs=60, batch_size=64, lr=3e-4, optimizer="adam", schedule=Schedule("cosine")),
    source="rate tried on a validation part of digits, with smallcnn (at 1e-3 all codes of 16 bits are equal)",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    source="first guess, not tuned",
)

SPACE = {
    "loss.temperature": Range(0.2, 0.4, source="the authors' grid, released code"),
    "loss.bottleneck_weight": Range(1e-5, 5e-3, log=True, source="the authors' grid, released code"),
    "trainer.noise": Range(
        0.1, 3.0, log=True, source="ours: views of features stand for the paper's of images; without effect on those"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return CIBHash."""
    return (
        Method(
            name="cibhash",
            paper=PAPER,
            training="gradient",
            loss="cibhash",
            hash_layer="cibhash",
            recipe=RECIPE,
            trainer="cibhash",
            supervision="unsupervised",
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "vgg16"},
            summary="codes of two views of an image agree, and differ from those of other images",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return CIBHash's loss."""
    return (
        Component(
            "cibhash",
            "hashzoo_cibhash.losses:CIBHashLoss",
            "contrastive loss of two views' codes, bottleneck of their probabilities",
            requires={"trainer": "cibhash"},
        ),
    )


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return CIBHash's head."""
    return (Component("cibhash", "hashzoo_cibhash.hash_layers:CIBHashLayer", "two layers, bits with probabilities"),)


@hookimpl
def hashzoo_register_trainers() -> tuple[Component, ...]:
    """Return the trainer that shows the loss two views of every image."""
    return (
        Component(
            "cibhash",
            "hashzoo_cibhash.trainer:CIBHashTrainer",
            "mini-batches of two views of each item",
            requires={"loss": "cibhash"},
        ),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "Table 1 (recalled)"
    return (
        Claim(
            "Contrastive codes beat those that keep cosines (GreedyHash)",
            source,
            "cibhash",
            "greedyhash-unsupervised",
            "map@1000",
            instead="map",
        ),
        Claim("Contrastive codes beat ITQ", source, "cibhash", "itq", "map@1000", instead="map"),
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's values as they are recalled."""
    from hashzoo import paper_tables_from_package

    return paper_tables_from_package("hashzoo_cibhash", {PAPER.key: PAPER})
