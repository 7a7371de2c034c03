"""Semantics-Preserving Hashing (SePH, CVPR 2015) as a plugin of hashzoo: methods seph (k-means) and seph-rnd."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="seph-2015",
    title="Semantics-Preserving Hashing for Cross-View Retrieval",
    authors="Zijia Lin, Guiguang Ding, Mingqing Hu, Jianmin Wang",
    venue="CVPR",
    year=2015,
    url="https://openaccess.thecvf.com/content_cvpr_2015/html/Lin_Semantics-Preserving_Hashing_for_2015_CVPR_paper.html",
)

SPACE = {
    "fitter.alpha": Range(1e-4, 1.0, log=True, source="ours: a hundredth to a hundred times the paper's 0.01"),
    "fitter.beta": Range(1e-4, 1.0, log=True, source="ours: a hundredth to a hundred times the paper's 0.01"),
    "fitter.rate": Range(
        30.0, 1000.0, log=True, source="releases 100 and 500; belongs to the number of items (README)"
    ),
}


def _method(name: str, sampling: str, summary: str) -> Method:
    return Method(
        name=name,
        paper=PAPER,
        training="fit",
        fitter="seph",
        hash_layer="anchors",
        modalities=("image", "text"),
        options={"fitter": {"sampling": sampling}, "hash_layer": {"anchors": 500}},
        summary=summary,
        space=SPACE,
    )


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return SePH with anchors of k-means and with random anchors, which DCMH's tables use."""
    return (
        _method("seph", "km", "codes from labels, kernel logistic regression on centres of k-means"),
        _method("seph-rnd", "rnd", "SePH with random train pairs as anchors"),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return SePH's fitter."""
    return (
        Component(
            "seph",
            "hashzoo_seph.fitter:SePH",
            "codes from labels, kernel logistic regression of each bit",
            requires={"hash_layer": "anchors"},
        ),
    )
