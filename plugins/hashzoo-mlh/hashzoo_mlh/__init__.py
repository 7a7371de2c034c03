"""Minimal Loss Hashing (MLH, ICML 2011) as a plugin of hashzoo: method mlh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="mlh-2011",
    title="Minimal Loss Hashing for Compact Binary Codes",
    authors="Mohammad Norouzi, David J. Fleet",
    venue="ICML",
    year=2011,
    url="https://icml.cc/2011/papers/238_icmlpaper.pdf",
)

SPACE = {
    "fitter.rho_share": Range(0.05, 0.5, source="by validation in the paper, whose range is not known; ours"),
    "fitter.weight_decay": Range(
        1e-6,
        0.1,
        log=True,
        source="released code's candidates 1e-6 to 1e-2, of which the last did best; one decade more",
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return MLH."""
    return (
        Method(
            name="mlh",
            paper=PAPER,
            training="fit",
            fitter="mlh",
            hash_layer="projection",
            summary="hinge losses on Hamming distances, lowered through their structured upper bound",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitter of MLH."""
    return (Component("mlh", "hashzoo_mlh.fitter:MLHFitter", "stochastic descent on the bound of a loss on pairs"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows."""
    return (Claim("MLH is ahead of BRE", "its curves of MLH against BRE", "mlh", "bre", "map"),)
