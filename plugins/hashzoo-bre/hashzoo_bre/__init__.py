"""Binary Reconstructive Embeddings (BRE, NIPS 2009) as a plugin of hashzoo: methods bre and bre-unsupervised."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, Range, hookimpl

hashzoo_api = 2
hashzoo_expected_failures = {
    "bre": {
        "learns_the_toy_problem": "one weight at a time ends near its start where 12 of 16 axes are strong noise",
    },
}

PAPER = Paper(
    key="bre-2009",
    title="Learning to Hash with Binary Reconstructive Embeddings",
    authors="Brian Kulis, Trevor Darrell",
    venue="NIPS",
    year=2009,
    url="https://papers.nips.cc/paper/2009/hash/6602294be910b1e3c4571bd98c4d5484-Abstract.html",
)

SPACE = {
    "fitter.points": Range(10, 100, log=True, source="ours: the code's 20 and the paper's 50 are inside"),
}

BRE = Method(
    name="bre",
    paper=PAPER,
    training="fit",
    fitter="bre",
    hash_layer="projection",
    summary="coordinate descent on the error between code distances and 0 for alike, 1 for unlike pairs",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return BRE with labels, as the deep papers' tables have it, and without."""
    return (
        BRE,
        replace(
            BRE,
            name="bre-unsupervised",
            supervision="unsupervised",
            summary="BRE without labels: code distances rebuild the distances of the features",
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitter of BRE."""
    return (Component("bre", "hashzoo_bre.fitter:BREFitter", "exact coordinate descent on the weights of each bit"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows."""
    return (
        Claim("BRE is ahead of LSH", "its curves of BRE against LSH", "bre-unsupervised", "lsh", "map"),
        Claim("BRE is ahead of spectral hashing", "its curves of BRE against SH", "bre-unsupervised", "sh", "map"),
    )
