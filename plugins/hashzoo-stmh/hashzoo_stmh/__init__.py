"""Semantic Topic Multimodal Hashing (STMH, IJCAI 2015) as a plugin of hashzoo: method stmh."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="stmh-2015",
    title="Semantic Topic Multimodal Hashing for Cross-Media Retrieval",
    authors="Di Wang, Xinbo Gao, Xiumei Wang, Lihuo He",
    venue="IJCAI",
    year=2015,
    url="https://www.ijcai.org/Proceedings/15/Papers/546.pdf",
)

SPACE = {
    "fitter.lam": Range(
        1e-7,
        1.0,
        log=True,
        source="1e-6 in the authors' entry point, 0.5 in a later copy; which is the paper's is not known",
    ),
    "fitter.gamma": Range(
        1e-7,
        1e-2,
        log=True,
        source="1e-6 in the authors' entry point, 1e-4 in a later copy; which is the paper's is not known",
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return STMH."""
    return (
        Method(
            name="stmh",
            paper=PAPER,
            training="fit",
            fitter="stmh",
            hash_layer="stmh",
            modalities=("image", "text"),
            supervision="unsupervised",
            summary="robust image concepts and text topics, linked by a linear map",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return STMH's fitter."""
    return (
        Component(
            "stmh", "hashzoo_stmh.fitter:STMH", "image concepts and text topics", requires={"hash_layer": "stmh"}
        ),
    )


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return STMH's hash layer."""
    return (
        Component("stmh", "hashzoo_stmh.hash_layers:ItemThreshold", "affine scores less a threshold of the item's own"),
    )
