"""Collective Matrix Factorization Hashing (CMFH, CVPR 2014) as a plugin of hashzoo: method cmfh."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="cmfh-2014",
    title="Collective Matrix Factorization Hashing for Multimodal Data",
    authors="Guiguang Ding, Yuchen Guo, Jile Zhou",
    venue="CVPR",
    year=2014,
    url="https://openaccess.thecvf.com/content_cvpr_2014/html/Ding_Collective_Matrix_Factorization_2014_CVPR_paper.html",
)

SPACE = {
    "fitter.lam": Range(0.1, 0.9, source="ours: around the released code's 0.5"),
    "fitter.mu": Range(1.0, 1e4, log=True, source="ours: two decades around the released code's 100"),
    "fitter.gamma": Range(
        1e-4, 10.0, log=True, source="ours: the released code's 0.01, and up, for hardly more items than dimensions"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return CMFH."""
    return (
        Method(
            name="cmfh",
            paper=PAPER,
            training="fit",
            fitter="cmfh",
            hash_layer="projection",
            modalities=("image", "text"),
            supervision="unsupervised",
            summary="one latent factor for both modalities, linear projections onto it",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return CMFH's fitter."""
    return (
        Component(
            "cmfh",
            "hashzoo_cmfh.fitter:CMFH",
            "collective matrix factorization of two modalities",
            requires={"hash_layer": "projection"},
        ),
    )
