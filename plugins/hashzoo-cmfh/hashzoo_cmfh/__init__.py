"""Collective Matrix Factorization Hashing (CMFH, CVPR 2014) as a plugin of hashzoo: method cmfh."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="cmfh-2014",
    title="Collective Matrix Factorization Hashing for Multimodal Data",
    authors="Guiguang Ding, Yuchen Guo, Jile Zhou",
    venue="CVPR",
    year=2014,
    url="https://openaccess.thecvf.com/content_cvpr_2014/html/Ding_Collective_Matrix_Factorization_2014_CVPR_paper.html",
)


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
