"""Iterative Quantization (ITQ, CVPR 2011) as a plugin of hashzoo: methods itq and itq-cca."""

from __future__ import annotations

from hashzoo import Claim, Component, Method, Paper, Range, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="itq-2011",
    title="Iterative Quantization: A Procrustean Approach to Learning Binary Codes",
    authors="Yunchao Gong, Svetlana Lazebnik",
    venue="CVPR",
    year=2011,
    url="https://slazebni.cs.illinois.edu/publications/ITQ.pdf",
)

SPACE = {
    "fitter.regularization": Range(
        1e-6, 1.0, log=True, source="ours: released code 1e-4, which depends on the features"
    ),
}


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return PCA-ITQ and its supervised form CCA-ITQ."""
    return (
        Method(
            name="itq",
            paper=PAPER,
            training="fit",
            fitter="itq",
            hash_layer="projection",
            supervision="unsupervised",
            summary="PCA and the rotation that brings the projections closest to their signs",
            space={},  # the rounds are the paper's, and more of them change next to nothing
        ),
        Method(
            name="itq-cca",
            paper=PAPER,
            training="fit",
            fitter="itq-cca",
            hash_layer="projection",
            summary="CCA with the labels, axes scaled by their correlation, and ITQ's rotation",
            space=SPACE,
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitters of both methods."""
    return (
        Component("itq", "hashzoo_itq.fitter:ITQFitter", "PCA and a learned rotation"),
        Component("itq-cca", "hashzoo_itq.fitter:ITQCCAFitter", "CCA with the labels and a learned rotation"),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows for the two methods."""
    return (
        Claim("ITQ is ahead of random hyperplanes", "its curves of PCA-ITQ against LSH", "itq", "lsh", "map"),
        Claim("ITQ is ahead of spectral hashing", "its curves of PCA-ITQ against SH", "itq", "sh", "map"),
        Claim(
            "With labels, CCA-ITQ is ahead of PCA-ITQ",
            "its experiments with CCA in place of PCA",
            "itq-cca",
            "itq",
            "map",
        ),
    )
