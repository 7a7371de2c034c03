"""Deep Cross-Modal Hashing (DCMH, CVPR 2017) as a plugin of hashzoo: method dcmh with loss and trainer of its own."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, PaperTable, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dcmh-2017",
    title="Deep Cross-Modal Hashing",
    authors="Qing-Yuan Jiang, Wu-Jun Li",
    venue="CVPR",
    year=2017,
    url="https://arxiv.org/abs/1602.02255",
)

SEPH = "seph-rnd"
"""The SePH of the paper's tables: kernel logistic regression on 500 random anchors."""

RECIPE = Recipe(
    epochs=500,  # released code; recalled as the paper's
    batch_size=128,  # released code; recalled as the paper's
    lr=10**-1.5,  # released code; tuned over 1e-6..1e-1 in the paper (recalled)
    momentum=0.0,  # released code: plain gradient steps
    weight_decay=5e-4,  # released MATLAB code; none in the TensorFlow code
    schedule=Schedule("geometric", gamma=10**-1.5),  # released MATLAB code: to 1e-3, evenly in the logarithm
)

SINGLE_LABEL = {"loss": {"eta": 0.01}, "hash_layer": {"std": 0.3, "bias_std": 0.01}}
"""Small networks on data with one label per item: see "When to change eta" in the README."""

SCRATCH = Setting(
    Recipe(epochs=60, batch_size=128, lr=3e-3, optimizer="adam", schedule=Schedule("cosine")),
    options=SINGLE_LABEL,
    source="chosen on a validation part of the train split of digits-halves, with mlp",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options=SINGLE_LABEL,
    source="first guess for linear layers on frozen features",
)

SPACE = {
    "loss.gamma": Range(
        0.01, 10.0, log=True, source="chosen by validation in the paper, which found 1; the range is ours"
    ),
    "loss.eta": Range(
        1e-3, 10.0, log=True, source="chosen by validation in the paper, which found 1; the range is ours"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DCMH."""
    return (
        Method(
            name="dcmh",
            paper=PAPER,
            training="gradient",
            loss="dcmh",
            hash_layer="linear",
            recipe=RECIPE,
            modalities=("image", "text"),
            trainer="dcmh",
            options={"hash_layer": {"bias_std": 0.01}},  # released code: weights and biases N(0, 0.01^2)
            settings={"scratch": SCRATCH, "frozen": FROZEN},
            backbones={"image": "cnn-f", "text": "mlp"},
            summary="cross-modal likelihood over the whole training set, closed-form codes, alternating steps",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return DCMH's loss."""
    return (
        Component(
            "dcmh",
            "hashzoo_dcmh.losses:DCMHLoss",
            "cross-modal likelihood, quantization and balance over the whole training set",
        ),
    )


@hookimpl
def hashzoo_register_trainers() -> tuple[Component, ...]:
    """Return DCMH's trainer."""
    return (
        Component(
            "dcmh",
            "hashzoo_dcmh.trainer:DCMHTrainer",
            "image steps, text steps, closed-form codes",
            requires={"loss": "dcmh"},
        ),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against baselines that it carries in its tables."""
    return tuple(
        Claim(
            f"DCMH beats {title} from {query} to {answer}", "Tables 3 and 4", "dcmh", other, f"{query}-to-{answer}/map"
        )
        for title, other in (("CCA", "cca"), ("CMFH", "cmfh"), ("SCM", "scm"), ("STMH", "stmh"), ("SePH", SEPH))
        for query, answer in (("image", "text"), ("text", "image"))
    )


@hookimpl
def hashzoo_register_paper_tables() -> tuple[PaperTable, ...]:
    """Return the paper's published values."""
    from hashzoo import paper_tables_from_package

    tables = paper_tables_from_package("hashzoo_dcmh", {PAPER.key: PAPER})
    named = {"seph": SEPH}
    return tuple(
        replace(table, rows=tuple(replace(row, method=named.get(row.method, row.method)) for row in table.rows))
        for table in tables
    )
