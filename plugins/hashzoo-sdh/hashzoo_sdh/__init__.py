"""Supervised Discrete Hashing (SDH, CVPR 2015) as a plugin of hashzoo: method sdh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, hookimpl

hashzoo_api = 2
hashzoo_expected_failures = {
    "sdh": {
        "learns_the_toy_problem": (
            "sigma 0.4 (released code) is narrow for rows this far apart; with 0.5 the mAP is 0.94"
        ),
    },
}

PAPER = Paper(
    key="sdh-2015",
    title="Supervised Discrete Hashing",
    authors="Fumin Shen, Chunhua Shen, Wei Liu, Heng Tao Shen",
    venue="CVPR",
    year=2015,
    url="https://arxiv.org/abs/1503.01557",
)

ANCHORS = 1000  # released code

SPACE = {
    "fitter.sigma": Range(0.1, 2.0, log=True, source="ours: the released code's 0.4 belongs to its features (README)"),
    "fitter.fit_weight": Range(1e-7, 1e-2, log=True, source="ours: around 1e-5, paper and released code"),
    "fitter.kernel_ridge": Range(
        1e-4, 1.0, log=True, source="ours: a hundredth to a hundred times the released code's; the paper has none"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return SDH."""
    return (
        Method(
            name="sdh",
            paper=PAPER,
            training="fit",
            fitter="sdh",
            hash_layer="anchors",
            options={"hash_layer": {"anchors": ANCHORS}},
            summary="codes from which labels are regressed, found bit by bit, and a kernel ridge to them",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitter of SDH."""
    return (
        Component(
            "sdh", "hashzoo_sdh.fitter:SDHFitter", "discrete coordinate descent", requires={"hash_layer": "anchors"}
        ),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows."""
    return (Claim("SDH is ahead of KSH", "its tables of MAP on CIFAR-10 and MNIST", "sdh", "ksh", "map"),)
