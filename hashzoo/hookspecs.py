"""The hooks of hashzoo (pluggy project name and entry-point group: `hashzoo`).

Hooks return light descriptions and take no mutable state: no torch import, no random draw, no file but the
plugin's own package data. A
`Component` names its builder as "package.module:attribute", which is imported only when something is built.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from hashzoo.specs import Claim, Command, Component, Dataset, Method, Metric, PaperTable

hookspec = pluggy.HookspecMarker("hashzoo")
hookimpl = pluggy.HookimplMarker("hashzoo")


@hookspec
def hashzoo_register_methods() -> Iterable[Method]:  # type: ignore[empty-body] # a hookspec has no body
    """Return the methods: names of loss, hash layer and trainer, recipe with sources, paper."""


@hookspec
def hashzoo_register_backbones() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return backbones, `build(**options)`: a module from inputs to features (N, D)."""


@hookspec
def hashzoo_register_hash_layers() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return hash layers, `build(feature_dim, problem, **options)`: (N, D) to relaxed and codes, both (N, K)."""


@hookspec
def hashzoo_register_losses() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return losses, `build(problem, **options)`: (output, batch) to named scalar terms, already weighted."""


@hookspec
def hashzoo_register_fitters() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return fitters, `build(problem, **options)`: fit(features, labels, seed) gives hash layers' state."""


@hookspec
def hashzoo_register_metrics() -> Iterable[Metric]:  # type: ignore[empty-body] # a hookspec has no body
    """Return the metrics that evaluators of this plugin give, with direction and range."""


@hookspec
def hashzoo_register_evaluators() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return evaluators, `build(protocol)`: a Retrieval to {metric: number or curve}."""


@hookspec
def hashzoo_register_datasets() -> Iterable[Dataset]:  # type: ignore[empty-body] # a hookspec has no body
    """Return datasets with their protocols and `load(protocol, root, **options)`."""


@hookspec
def hashzoo_register_trainers() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return trainers, `build(**options)`: an object whose `fit(job)` trains job.model and job.loss in place."""


@hookspec
def hashzoo_register_engines() -> Iterable[Component]:  # type: ignore[empty-body] # a hookspec has no body
    """Return engines, `build(**options)`: an object whose `run(tasks)` does tasks and yields the outcome of each."""


@hookspec
def hashzoo_register_paper_tables() -> Iterable[PaperTable]:  # type: ignore[empty-body] # a hookspec has no body
    """Return the tables that the method's paper published, each value with its source."""


@hookspec
def hashzoo_register_claims() -> Iterable[Claim]:  # type: ignore[empty-body] # a hookspec has no body
    """Return what the method's paper claims, in a form that `hashzoo claims` can check."""


@hookspec
def hashzoo_register_commands() -> Iterable[Command]:  # type: ignore[empty-body] # a hookspec has no body
    """Return commands of the command line; each is imported only when it is used."""
