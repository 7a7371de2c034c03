"""Semantic Correlation Maximization (SCM, AAAI 2014) as a plugin of hashzoo: methods scm (sequential) and scm-orth."""

from __future__ import annotations

from hashzoo import Component, Method, Paper, Range, hookimpl

hashzoo_api = 2
hashzoo_expected_failures = {
    "scm-orth": {
        "learns_the_toy_problem": (
            "four labels give the target rank four, so that 12 of the 16 bits follow no label; the "
            "sequential solution is the one that tables report"
        ),
    },
}

PAPER = Paper(
    key="scm-2014",
    title="Large-Scale Supervised Multimodal Hashing with Semantic Correlation Maximization",
    authors="Dongqing Zhang, Wu-Jun Li",
    venue="AAAI",
    year=2014,
    url="https://ojs.aaai.org/index.php/AAAI/article/view/8995",
)

SPACE = {
    "fitter.regularization": Range(
        1e-6, 1e3, log=True, source="ours: released code 1e-6, which hardly regularizes where features are many"
    ),
}


def _method(name: str, solver: str, summary: str) -> Method:
    return Method(
        name=name,
        paper=PAPER,
        training="fit",
        fitter="scm",
        hash_layer="projection",
        modalities=("image", "text"),
        options={"fitter": {"solver": solver}},
        summary=summary,
        space=SPACE,
    )


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return SCM-seq, which later papers call SCM, and SCM-orth."""
    return (
        _method("scm", "seq", "signs reconstruct the cosine of labels, bit by bit (SCM-seq)"),
        _method("scm-orth", "orth", "the spectral relaxation of SCM, all bits at once"),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return SCM's fitter."""
    return (
        Component(
            "scm",
            "hashzoo_scm.fitter:SCM",
            "semantic correlation maximization of two modalities",
            requires={"hash_layer": "projection"},
        ),
    )
