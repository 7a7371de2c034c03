"""Canonical correlation analysis as a plugin of hashzoo: method cca, the floor of cross-modal boards."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="cca-1936",
    title="Relations Between Two Sets of Variates",
    authors="Harold Hotelling",
    venue="Biometrika",
    year=1936,
    url="https://doi.org/10.1093/biomet/28.3-4.321",
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return CCA."""
    return (
        Method(
            name="cca",
            paper=PAPER,
            training="fit",
            fitter="cca",
            hash_layer="projection",
            modalities=("image", "text"),
            supervision="unsupervised",
            floor=True,
            summary="signs of the canonical directions of two modalities (cross-modal floor)",
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return CCA's fitter."""
    return (
        Component(
            "cca",
            "hashzoo_cca.fitter:CCA",
            "canonical correlation analysis of two modalities",
            requires={"hash_layer": "projection"},
        ),
    )
