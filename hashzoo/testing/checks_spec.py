"""Checks of what a plugin says: names, paper, reported values, options, and what its import does."""

from __future__ import annotations

import functools
import inspect
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from hashzoo.evaluation.names import parse
from hashzoo.plugins import PARTS, Plugin, registry
from hashzoo.plugins.options import resolve
from hashzoo.runner.plan import PARTS_OF
from hashzoo.scaffold import UNFILLED
from hashzoo.specs import Method, PaperTable
from hashzoo.testing.kit import Case, CheckFailed, NotApplicable, check, require
from hashzoo.training.checkpoints import load_tensors

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def roles_of(method: Method) -> list[tuple[str, str]]:
    """Return (kind, field) of the components that a method has, by its training."""
    return [(PARTS[role], role) for role in PARTS_OF[method.training]]


@check("methods")
def names_agree(case: Case) -> None:
    """One stem, four places: distribution hashzoo-x, module hashzoo_x, entry point x, method x or x-variant."""
    method, owner = case.spec, case.owner
    require(
        bool(_KEBAB.fullmatch(method.name)),
        f"The method's name {method.name!r} is not kebab-case (lower-case words and digits joined by '-').",
    )
    for kind, role in roles_of(method):
        registry().get(kind, getattr(method, role))
    if owner.builtin:
        return
    stem = owner.distribution.lower().replace("_", "-").removeprefix("hashzoo-")
    module = owner.entry_point.partition("=")[2].strip().split(":")[0]
    wanted = {
        "distribution": (owner.distribution.lower().replace("_", "-"), f"hashzoo-{stem}"),
        "module": (module.split(".")[0], "hashzoo_" + stem.replace("-", "_")),
        "entry point": (owner.name, stem),
    }
    for place, (found, expected) in wanted.items():
        require(found == expected, f"The {place} is {found!r}; by the distribution's name it is {expected!r}.")
    require(
        method.name == stem or method.name.startswith(f"{stem}-"),
        f"The method is called {method.name!r}; in {owner.distribution} it is {stem!r} or '{stem}-<variant>'.",
    )


@check("methods")
def paper_is_cited(case: Case) -> None:
    """Title, authors, venue and year are given, the key ends in the year, and each setting says its source."""
    method: Method = case.spec
    paper = method.paper
    for situation, setting in method.settings.items():
        require(
            bool(setting.source.strip()),
            f"settings[{situation!r}] has no source; say how its numbers were chosen.",
        )
    if method.floor:
        return
    for field in ("key", "title", "authors", "venue"):
        require(bool(str(getattr(paper, field)).strip()), f"The paper has no {field}.")
    require(paper.title != UNFILLED, f"The paper's title is still the template's {UNFILLED!r}; fill it in.")
    require(1950 < paper.year < 2100, f"The paper's year is {paper.year!r}.")
    require(
        paper.key.endswith(f"-{paper.year}"),
        f"The paper's key {paper.key!r} does not end in its year, '-{paper.year}'.",
    )
    require(
        not paper.url or paper.url.startswith(("https://", "http://")),
        f"The paper's url {paper.url!r} does not begin with https://.",
    )


@check("methods")
def reported_values_have_sources(case: Case) -> None:
    """Every published value of the method's plugin says where it was read, and is a possible value."""
    tables = case.owner.items.get("paper_tables", ())
    if not tables:
        raise NotApplicable(f"{case.owner.distribution} carries no published table")
    for table in tables:
        check_table(table)  # type: ignore[arg-type] # the registry holds only PaperTables here


@check("paper_tables")
def values_have_sources(case: Case) -> None:
    """Every value of the table says where it was read, and is a possible value."""
    check_table(case.spec)


def check_table(table: PaperTable) -> None:
    """Raise CheckFailed for a published value without source or outside of what its metric can be."""
    require(
        table.id.startswith(f"{table.paper.key}-"),
        f"Table {table.id!r} is not called '{table.paper.key}-<table>'.",
    )
    require(bool(table.rows), f"Table {table.id!r} is empty.")
    for row in table.rows:
        cell = f"{table.id}, {row.label or row.method}, {row.dataset}, {row.bits} bits"
        require(bool(row.source.strip()), f"The value of {cell} has no source.")
        require(bool(row.confidence.strip()), f"The value of {cell} does not say how sure it is.")
        require(row.bits >= 0, f"The bits of {cell} are negative.")
        parse((row.metric or table.metric).rpartition("/")[2])
        possible = math.isfinite(row.value) and 0.0 <= row.value <= 1.0
        require(possible, f"The value of {cell} is {row.value}; values are shares from 0 to 1.")


@check("methods")
def options_are_explicit(case: Case) -> None:
    """Builders name their options, and those that the method sets exist; **kwargs would swallow a misspelling."""
    method: Method = case.spec
    for kind, role in roles_of(method):
        _explicit(kind, getattr(method, role))
        accepted = registry().options(kind, getattr(method, role))
        settings = [method.options, *(setting.options for setting in method.settings.values())]
        for options in settings:
            for name in options.get(role, {}):
                require(name in accepted, f"The method sets {role}.{name}; accepted are {sorted(accepted)}.")


@check("losses", "hash_layers", "fitters", "trainers")
def options_have_names(case: Case) -> None:
    """The builder names its options; **kwargs would swallow a misspelling."""
    _explicit(case.kind, case.name)


def _explicit(kind: str, name: str) -> None:
    component = registry().get(kind, name)
    if component.name.endswith("/"):
        return  # a family hands its options to whatever it builds, which has names for them
    builder = resolve(component.build, f"The component {name!r}")
    for parameter in inspect.signature(builder).parameters.values():
        require(
            parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL),
            f"The builder of {name!r} takes {parameter}; name its options, so that a wrong one is refused.",
        )


@check(
    "methods", "backbones", "losses", "hash_layers", "fitters", "trainers", "evaluators", "datasets", "paper_tables"
)  # fmt: skip
def import_has_no_side_effects(case: Case) -> None:
    """Listing imports no torch and draws nothing; importing the builders changes no state and uses no network."""
    problems = probed(case.owner).problems
    require(not problems, f"Importing {case.owner.distribution} {'; '.join(problems)}.")


@dataclass(frozen=True)
class Probed:
    """What a fresh process found: problems of the import, and by method its fingerprint, or what went wrong."""

    problems: tuple[str, ...]
    states: Mapping[str, Mapping[str, torch.Tensor] | str]


def probed(owner: Plugin) -> Probed:
    """Import a plugin in a fresh process with another hash seed, and build and train its methods there."""
    return _probed(owner.distribution, owner.name, tuple(sys.path))


@functools.lru_cache(maxsize=32)
def _probed(distribution: str, point: str, path: tuple[str, ...]) -> Probed:
    script = Path(__file__).with_name("import_probe.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part or os.curdir for part in path)}
    environment.pop("HASHZOO_PLUGINS", None)
    environment["PYTHONHASHSEED"] = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-P", str(script), distribution, point, folder],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode != 0:
            raise CheckFailed(f"Importing {distribution} ended a fresh process: {done.stderr.strip()[-300:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        states = {name: load_tensors(Path(file))[0] for name, file in told["states"].items()}
    return Probed(tuple(told["problems"]), {**states, **told["failures"]})
