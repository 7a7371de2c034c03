"""Differentiable Cross-modal Hashing via Multimodal Transformers (DCHMT, ACM MM 2022): method dchmt."""

from __future__ import annotations

from hashzoo import (
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
    key="dchmt-2022",
    title="Differentiable Cross-modal Hashing via Multimodal Transformers",
    authors="Junfeng Tu, Xueliang Liu, Zongxiang Lin, Richang Hong, Meng Wang",
    venue="ACM MM",
    year=2022,
    url="https://github.com/kalenforn/DCHMT",
)

RECIPE = Recipe(
    epochs=100,  # released code
    batch_size=64,  # released code
    lr=1e-3,  # released code: hash layers
    optimizer="adamw",  # released code: BERT's Adam, betas 0.9 and 0.98
    backbone_lr_scale=0.01,  # released code: 1e-5 for both towers of CLIP
    weight_decay=0.2,  # released code
    schedule=Schedule("cosine"),  # released code
    warmup=10,  # released code: a tenth of the run
    clip=1.0,  # released code
)

SMALL = Setting(
    Recipe(epochs=100, batch_size=64, lr=1e-2, optimizer="adam", schedule=Schedule("cosine"), clip=1.0),
    source="rate out of 1e-3 and 1e-2 on a validation part of the train split of digits-halves, on its vectors",
)

SPACE = {
    "loss.theta": Range(0.25, 0.9, source="ours: the released code's 0.5 and 0.75 are inside"),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DCHMT."""
    return (
        Method(
            name="dchmt",
            paper=PAPER,
            loss="dchmt",
            hash_layer="dchmt",
            recipe=RECIPE,
            modalities=("image", "text"),
            settings={"frozen": SMALL, "scratch": SMALL},
            summary="soft choices of bits, pulled together and pushed apart to a margin",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return DCHMT's loss."""
    return (Component("dchmt", "hashzoo_dchmt.losses:DCHMTLoss", "pull and push of soft bits, to a margin"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return DCHMT's hash layer."""
    return (Component("dchmt", "hashzoo_dchmt.hash_layers:BitChoice", "softmax of two numbers for each bit"),)


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    return paper_tables_from_package("hashzoo_dchmt", {PAPER.key: PAPER})
