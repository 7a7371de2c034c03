"""Deep Polarized Network (DPN, IJCAI 2020) as a plugin of hashzoo: methods dpn and dpn-a."""

from __future__ import annotations

from dataclasses import replace

from hashzoo import Claim, Component, Method, Paper, Range, Recipe, Schedule, Setting, hookimpl

hashzoo_api = 2

PAPER = Paper(
    key="dpn-2020",
    title="Deep Polarized Network for Supervised Learning of Accurate Binary Hashing Codes",
    authors="Lixin Fan, Kam Woh Ng, Ce Ju, Tianyu Zhang, Chee Seng Chan",
    venue="IJCAI",
    year=2020,
    url="https://www.ijcai.org/proceedings/2020/115",
)

RECIPE = Recipe(
    epochs=200,  # the authors' code
    batch_size=256,  # the authors' code; it drops the last, smaller batch
    lr=1e-4,  # the authors' code: one rate for all layers
    momentum=0.9,  # the authors' code
    weight_decay=5e-4,  # the authors' code
    schedule=Schedule("step", every=100, gamma=0.1),  # the authors' code: a tenth from half of the epochs on
)

SCRATCH = Setting(
    Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.1}},  # 0.01 suits 4,096 features
    source="first guess, not tuned",
)
FROZEN = Setting(
    Recipe(epochs=60, batch_size=128, lr=1e-3, optimizer="adam", schedule=Schedule("cosine")),
    options={"hash_layer": {"std": 0.03}},
    source="first guess, not tuned",
)

SPACE = {
    "loss.norm_weight": Range(
        choices=(0.0, 1e-4, 1e-3, 1e-2, 1e-1), source="released code 0, its README 0.001; the others are ours"
    ),
}

DPN = Method(
    name="dpn",
    paper=PAPER,
    training="gradient",
    loss="dpn",
    hash_layer="dpn",
    recipe=RECIPE,
    settings={"scratch": SCRATCH, "frozen": FROZEN},
    backbones={"image": "alexnet"},
    summary="a hinge per bit towards the random target of the class",
    space=SPACE,
)


@hookimpl
def hashzoo_register_methods() -> tuple[Method, ...]:
    """Return DPN and its variant with targets that follow the codes."""
    return (
        DPN,
        replace(
            DPN,
            name="dpn-a",
            options={"loss": {"update_every": 10}},  # the authors' interval is not known
            summary="DPN whose targets become the majority code of their class every 10 epochs",
        ),
    )


@hookimpl
def hashzoo_register_losses() -> tuple[Component, ...]:
    """Return DPN's loss."""
    return (Component("dpn", "hashzoo_dpn.losses:DPNLoss", "polarization towards random class targets"),)


@hookimpl
def hashzoo_register_hash_layers() -> tuple[Component, ...]:
    """Return DPN's hash layer."""
    return (Component("dpn", "hashzoo_dpn.hash_layers:DPNHashLayer", "linear, without bias or activation"),)


@hookimpl
def hashzoo_register_claims() -> tuple[Claim, ...]:
    """Return what the paper claims against methods of this registry."""
    source = "results tables (recalled)"
    return (
        Claim("The polarization loss beats greedy binarization (GreedyHash)", source, "dpn", "greedyhash", "map"),
        Claim("The polarization loss beats continuation (HashNet)", source, "dpn", "hashnet", "map"),
    )
