"""Spectral Hashing (SH, NIPS 2008) as a plugin of hashzoo: method sh."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, hookimpl

hashzoo_api = 2
hashzoo_expected_failures = {
    "sh": {
        "learns_the_toy_problem": (
            "bits go to higher modes of the longest ranges (a uniform density is assumed), here those of noise"
        ),
    },
}

PAPER = Paper(
    key="sh-2008",
    title="Spectral Hashing",
    authors="Yair Weiss, Antonio Torralba, Rob Fergus",
    venue="NIPS",
    year=2008,
    url="https://papers.nips.cc/paper/2008/hash/d58072be2820e8682c0a27c0518e805e-Abstract.html",
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return spectral hashing."""
    return (
        Method(
            name="sh",
            paper=PAPER,
            training="fit",
            fitter="sh",
            hash_layer="sh",
            supervision="unsupervised",
            summary="signs of the smoothest cosines along the principal axes",
            space={},  # there is no option
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitter of SH."""
    return (Component("sh", "hashzoo_sh.fitter:SHFitter", "principal axes, their ranges and the K smoothest modes"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return the layer of SH."""
    return (Component("sh", "hashzoo_sh.hash_layers:Cosines", "cosines of projections"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows."""
    return (Claim("SH is ahead of random hyperplanes", "its curves of SH against LSH", "sh", "lsh", "map"),)
