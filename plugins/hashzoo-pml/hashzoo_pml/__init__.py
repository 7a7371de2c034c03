"""Losses of PyTorch Metric Learning on relaxed codes, as a plugin of hashzoo: loss family pml/ and methods pml-*."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

CONTRASTIVE = Paper(
    "hadsell-2006",
    "Dimensionality Reduction by Learning an Invariant Mapping",
    "Raia Hadsell, Sumit Chopra, Yann LeCun",
    "CVPR",
    2006,
    "https://doi.org/10.1109/CVPR.2006.100",
)
TRIPLET = Paper(
    "facenet-2015",
    "FaceNet: A Unified Embedding for Face Recognition and Clustering",
    "Florian Schroff, Dmitry Kalenichenko, James Philbin",
    "CVPR",
    2015,
    "https://arxiv.org/abs/1503.03832",
)
MULTI_SIMILARITY = Paper(
    "multi-similarity-2019",
    "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning",
    "Xun Wang, Xintong Han, Weilin Huang, Dengke Dong, Matthew R. Scott",
    "CVPR",
    2019,
    "https://arxiv.org/abs/1904.06627",
)
PROXY_ANCHOR = Paper(
    "proxy-anchor-2020",
    "Proxy Anchor Loss for Deep Metric Learning",
    "Sungyeon Kim, Dongwon Kim, Minsu Cho, Suha Kwak",
    "CVPR",
    2020,
    "https://arxiv.org/abs/2003.13911",
)

# None of these papers hashes: the numbers are ours, for a backbone that is fine-tuned.
RECIPE = Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", backbone_lr_scale=0.01)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.1}},
    source="first guess, not tuned",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.03}},
    source="first guess, not tuned",
)

# Numbers of the papers are recalled. The library's distances are of outputs of unit length.
SPACES = {
    "contrastive": {"loss.neg_margin": Range(0.25, 2.0, source="ours: the library's 1; 2 is the largest distance")},
    "triplet": {"loss.margin": Range(0.02, 0.5, log=True, source="the library's 0.05, the paper's 0.2; ours around")},
    "multi-similarity": {
        "loss.alpha": Range(1.0, 10.0, log=True, source="paper and library 2; the range is ours"),
        "loss.beta": Range(10.0, 100.0, log=True, source="paper and library 50; the range is ours"),
        "loss.base": Range(0.0, 1.0, source="the library's 0.5, the paper's 1"),
    },
    "proxy-anchor": {
        "loss.margin": Range(0.05, 0.5, log=True, source="paper and library 0.1; the range is ours"),
        "loss.alpha": Range(8.0, 64.0, log=True, source="paper and library 32; the range is ours"),
    },
}


def _method(variant: str, paper: Paper, loss: str, summary: str) -> Method:
    return Method(
        name=f"pml-{variant}",
        paper=paper,
        training="gradient",
        loss=f"pml/{loss}",
        hash_layer="tanh",
        recipe=RECIPE,
        settings={"scratch": SCRATCH, "frozen": FROZEN},
        backbones={"image": "alexnet"},
        summary=f"{summary}, on relaxed codes",
        space=SPACES[variant],
    )


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return four metric-learning losses as hashing baselines."""
    return (
        _method("contrastive", CONTRASTIVE, "ContrastiveLoss", "contrastive loss"),
        _method("triplet", TRIPLET, "TripletMarginLoss", "triplet margin loss"),
        _method("multi-similarity", MULTI_SIMILARITY, "MultiSimilarityLoss", "multi-similarity loss"),
        _method("proxy-anchor", PROXY_ANCHOR, "ProxyAnchorLoss", "proxy-anchor loss"),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return the family of losses."""
    return (Component("pml/", "hashzoo_pml.losses:PMLLoss", "any loss of PyTorch Metric Learning: pml/<Loss>"),)
