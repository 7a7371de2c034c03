"""Supervised Hashing with Kernels (KSH, CVPR 2012) as a plugin of hashzoo: methods ksh and ksh-0."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="ksh-2012",
    title="Supervised Hashing with Kernels",
    authors="Wei Liu, Jun Wang, Rongrong Ji, Yu-Gang Jiang, Shih-Fu Chang",
    venue="CVPR",
    year=2012,
    url="https://www.ee.columbia.edu/~wliu/CVPR12_ksh.pdf",
)

KSH = Method(
    name="ksh",
    paper=PAPER,
    training="fit",
    fitter="ksh",
    hash_layer="anchors",
    summary="kernel hash functions found bit by bit, whose inner products fit the similarities",
    space={},  # the paper fixes the number of anchors, and the kernel's width follows from them
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return KSH and its spectral relaxation alone."""
    return (
        KSH,
        replace(
            KSH,
            name="ksh-0",
            options={"fitter": {"refine": False}},
            summary="KSH without the descent: the spectral relaxation of each bit alone",
        ),
    )


@hookimpl
def hashzoo_register_fitters() -> tuple[Component, ...]:
    """Return the fitter of KSH."""
    return (
        Component("ksh", "hashzoo_ksh.fitter:KSHFitter", "greedy bits on a kernel", requires={"hash_layer": "anchors"}),
    )


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper shows."""
    return (
        Claim("KSH is ahead of MLH", "its tables of MAP on CIFAR-10", "ksh", "mlh", "map"),
        Claim("KSH is ahead of BRE", "its tables of MAP on CIFAR-10", "ksh", "bre", "map"),
        Claim("The descent improves on the spectral relaxation", "its KSH0 against KSH", "ksh", "ksh-0", "map"),
    )
