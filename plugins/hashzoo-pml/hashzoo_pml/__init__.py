"""Losses of PyTorch Metric Learning on relaxed codes, as a plugin of hashzoo: loss family pml/ and methods pml-*."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Recipe, Schedule, Setting, hookimpl

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
