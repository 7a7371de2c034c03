"""Broken distributions, each tried with commands that have nothing to do with it; evaluators that cheat or fail."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chaos.judge import Group
from hashzoo.testing import write_distribution

HEAD = (
    "from hashzoo import Command, Component, Dataset, Method, Metric, Paper, PaperTable, Protocol, Recipe, hookimpl\n"
    "P = Paper('x-2020', 'A title', 'A. Author', 'A venue', 2020)\n"
)
METHOD = "Method('{p}', P, loss='{p}', recipe=Recipe(1, 2, 0.1){more})"
DATASET = "Dataset('{p}', {{'image': 'image'}}, (Protocol('{p}-p', '{p}', (1, 1, 1){inner}),), 'a:b'{more})"
SHARE = 8
VALUES = ("3", "None", "-1.5", "'x'", "b'x'", "object()", "[1]", "{1: 2}", "float('nan')", "(None,)", "lambda: 1")
METHOD_FIELDS = ("backbones", "settings", "options", "modalities", "trainer", "ranking", "summary", "floor", "space")
DATASET_FIELDS = ("files", "backbones", "multilabel", "summary", "homepage")
PROTOCOL_FIELDS = ("sha256", "pairs", "bits", "headline", "aliases", "source", "status", "evaluators", "flaws")
COMPONENT_FIELDS = ("accepts", "requires", "metrics", "summary", "pretrained")
COMMANDS = (
    ("list", "methods"), ("list", "protocols"), ("list", "losses", "--json"), ("data", "list"), ("plugins",),
    ("show", "lsh"), ("show", "digits", "--kind", "datasets"), ("leaderboard", "{records}"), ("doctor", "--json"),
    ("--help",), ("run", "--help"),
)  # fmt: skip


def sources() -> Iterator[tuple[str, str]]:
    """Give (what, module source): one field wrong each, then hooks and imports that misbehave."""

    def hook(kind: str, items: str) -> str:
        return f"{HEAD}@hookimpl\ndef hashzoo_register_{kind}():\n    return {items}\n"

    def item(text: str, **given: str) -> str:
        return "[" + text.format(**{"p": "chaosplug", "more": "", "inner": "", **given}) + "]"

    for field, value in itertools.product(METHOD_FIELDS, VALUES):
        yield f"Method.{field}={value}", hook("methods", item(METHOD, more=f", {field}={value}"))
    for field, value in itertools.product(DATASET_FIELDS, VALUES):
        yield f"Dataset.{field}={value}", hook("datasets", item(DATASET, more=f", {field}={value}"))
    for field, value in itertools.product(PROTOCOL_FIELDS, VALUES):
        yield f"Protocol.{field}={value}", hook("datasets", item(DATASET, inner=f", {field}={value}"))
    for value in VALUES:
        wrong = DATASET.replace("(1, 1, 1)", value.replace("{", "{{").replace("}", "}}"))
        yield f"Protocol.sizes={value}", hook("datasets", item(wrong))
        for kind in ("methods", "datasets", "losses", "evaluators", "metrics", "paper_tables", "commands", "claims"):
            yield f"{kind} -> {value}", hook(kind, value)
            yield f"{kind} -> [{value}]", hook(kind, f"[{value}]")
        for field in COMPONENT_FIELDS:
            yield f"Component.{field}={value}", hook("losses", f"[Component('chaosplug', 'a:b', {field}={value})]")
        yield f"Component.build={value}", hook("losses", f"[Component('chaosplug', {value})]")
    for raised in (
        "RuntimeError('a')",
        "SystemExit(0)",
        "SystemExit('x')",
        "KeyError()",
        "MemoryError()",
        "EOFError()",
    ):
        yield f"import raises {raised}", f"raise {raised}\n"
        yield f"hook raises {raised}", f"{HEAD}@hookimpl\ndef hashzoo_register_losses():\n    raise {raised}\n"
    yield "syntax", "def (\n"
    yield "NUL", "x = '\0'\n"
    yield "recursion", "def f():\n    f()\nf()\n"
    yield "endless generator", f"{HEAD}@hookimpl\ndef hashzoo_register_losses():\n    yield 'x'\n"
    yield "closes streams", "import sys\nprint('x')\nsys.stdout.flush()\n"
    yield "changes directory", "import os\nos.chdir('/')\n"
    yield "api", "hashzoo_api = 'two'\n"
    yield "a message that fails", "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E\n"
    yield "markup", hook("losses", "[Component('chaosplug', 'a:b', '\\x1b[2J[red]<b>')]")


METADATA = {
    "no equals sign": "[hashzoo]\nchaosplug\n",
    "no object": "[hashzoo]\nchaosplug = \n",
    "twice": "[hashzoo]\nchaosplug = hashzoo_chaosplug\nchaosplug = hashzoo_chaosplug\n",
    "two names": "[hashzoo]\na = hashzoo_chaosplug\nb = hashzoo_chaosplug\n",
    "odd module": "[hashzoo]\nchaosplug = ../x:y z\n",
    "no section": "chaosplug = hashzoo_chaosplug\n",
    "binary": "[hashzoo]\n\x00\x01 = \x7f\n",
    "unclosed": "[hashzoo\nchaosplug = hashzoo_chaosplug\n",
    "extras": "[hashzoo]\nchaosplug = hashzoo_chaosplug [a,b\n",
}
GOOD = HEAD + "@hookimpl\ndef hashzoo_register_losses():\n    return [Component('chaosplug', 'a:b')]\n"


def broken(folder: Path, records: Path, seed: int, share: int = SHARE) -> Iterator[Group]:
    """Try every `share`-th broken distribution, another part for each seed, with every command: each has to go on."""
    group = Group("broken distributions with every other command")
    for number, (what, source) in enumerate(list(sources())[seed % share :: share]):
        site = folder / f"site-{number}"
        write_distribution(site, "hashzoo-chaosplug", source)
        for command in COMMANDS:
            group.note(f"{what}: {' '.join(command)}", *_outcome(site, command, records))
    yield group
    group = Group("broken metadata with every other command")
    for number, (what, text) in enumerate(METADATA.items()):
        site = folder / f"meta-{number}"
        write_distribution(site, "hashzoo-chaosplug", GOOD)
        (next(site.glob("*.dist-info")) / "entry_points.txt").write_text(text)
        for command in COMMANDS:
            group.note(f"{what}: {' '.join(command)}", *_outcome(site, command, records))
    yield group


def _outcome(site: Path, command: tuple[str, ...], records: Path) -> tuple[str]:
    """Run a command in this process with one distribution more; return what is wrong, "" for nothing."""
    from hashzoo.cli import main

    before, where, selection = list(sys.path), Path.cwd(), os.environ.pop("HASHZOO_PLUGINS", None)
    others = [name for name in sys.modules if name.startswith("hashzoo_chaosplug")]
    for name in others:
        del sys.modules[name]
    sys.path[:] = [str(site), *(path for path in before if "hashzoo-" not in Path(path).name)]
    out, err, code = io.StringIO(), io.StringIO(), None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([part.format(records=records) for part in command])
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # noqa: BLE001 -- whatever comes out is what is looked for
        return (f"{type(error).__name__}: {error}",)
    finally:
        sys.path[:] = before
        os.chdir(where)
        if selection is not None:
            os.environ["HASHZOO_PLUGINS"] = selection
    said = out.getvalue() + err.getvalue()
    if code != 0:
        return (f"exit {code}: {err.getvalue().strip()[-200:]}",)
    if "Traceback" in said or "\x1b[2J" in said:
        return ("a traceback or a control character is shown",)
    return ("" if said else "nothing is said",)


EVALUATORS: dict[str, tuple[str, bool]] = {
    "a number of numpy": ("{'chaosmetric': np.float32(0.5)}", True),
    "a whole number of numpy": ("{'chaosmetric': np.int64(1)}", True),
    "none": ("{'chaosmetric': None}", True),
    "a note": ("{'chaosmetric': 0.5, 'note': 'a note'}", True),
    "nothing": ("{}", True),
    "inf": ("{'chaosmetric': float('inf')}", False),
    "nan": ("{'chaosmetric': np.nan}", False),
    "map": ("{'map': 1.0}", False),
    "map cut": ("{'map@10': 1.0}", False),
    "out of range": ("{'chaosmetric': 1.5}", False),
    "undeclared": ("{'another': 0.5}", False),
    "an object": ("{'chaosmetric': object()}", False),
    "a long number": ("{'chaosmetric': 10**400}", False),
    "a list": ("[0.5]", False),
    "no text": ("{1: 0.5}", False),
    "changes codes": ("task.query.packed.__setitem__(0, 255) or {'chaosmetric': 0.5}", False),
    "changes the base": ("unlock(task.query.packed) or {'chaosmetric': 0.5}", False),
    "SystemExit": ("sys.exit(0)", False),
    "raises": ("{}['x']", False),
    "memory": ("bytearray(10**15)", False),
    "recursion": ("evaluate_again(task)", False),
}
EVALUATOR = """
import sys
import numpy as np
from hashzoo import Component, Metric, hookimpl

hashzoo_api = 2

@hookimpl
def hashzoo_register_metrics():
    return [Metric("chaosmetric")]

@hookimpl
def hashzoo_register_evaluators():
    return [Component("chaosjudge", "hashzoo_chaosjudge:build", metrics=("chaosmetric",))]

def unlock(array):
    while array is not None:
        array.flags.writeable = True
        array[:] = 255
        array = array.base if isinstance(array.base, np.ndarray) else None

def evaluate_again(task):
    return evaluate_again(task)

def build(protocol):
    return lambda task: RESULT
"""


def evaluators(folder: Path, rounds: int) -> Group:
    """Give every evaluator, good and bad, the same codes: right results are taken, others named, none replaced."""
    from hashzoo.evaluation.codes import Codes, codes_sha256
    from hashzoo.plugins import Registry, find_sources, load_plugin
    from hashzoo.results.config import RunConfig
    from hashzoo.runner.plan import resolve
    from hashzoo.runner.request import RunRequest
    from hashzoo.runner.scoring import run_evaluators

    group, draw = Group("evaluators"), np.random.default_rng(0)
    for number in range(rounds):
        for what, (result, fine) in EVALUATORS.items():
            site = folder / f"judge-{number}-{what.replace(' ', '-')}"
            write_distribution(site, "hashzoo-chaosjudge", EVALUATOR.replace("RESULT", result))
            before = list(sys.path)
            sys.modules.pop("hashzoo_chaosjudge", None)
            sys.path.insert(0, str(site))
            selection = os.environ.get("HASHZOO_PLUGINS")
            os.environ["HASHZOO_PLUGINS"] = "chaosjudge"
            signs, labels = draw.choice([-1, 1], (30, 8)), draw.integers(0, 3, 30)
            good = Codes.from_signs(signs, labels)
            codes = {"query.image": good.take(slice(0, 5)), "database.image": good}
            kept = codes_sha256(codes)

            def judge(codes: Any = codes) -> Any:
                reg = Registry(load_plugin(source) for source in find_sources("chaosjudge"))
                request = RunRequest(method="lsh", evaluators=("retrieval", "chaosjudge"), bits=(8,))
                plan = resolve(request, reg)
                assert isinstance(plan.config, RunConfig)
                return run_evaluators(reg, plan.config, plan.protocol, codes, coded=True)[0]

            try:
                wanted = judge_alone(codes)
                group.attack(what, judge, lambda found, fine=fine, w=wanted: fine and found["map"] == w)
                if what not in ("changes the base",) and codes_sha256(codes) != kept:
                    group.note(what, "the codes were changed")
            finally:
                sys.path[:] = before
                os.environ.pop("HASHZOO_PLUGINS")
                if selection is not None:
                    os.environ["HASHZOO_PLUGINS"] = selection
    return group


def judge_alone(codes: Any) -> float:
    """Return the headline as it is without any plugin."""
    from hashzoo.evaluation.api import evaluate

    return float(evaluate(codes["query.image"], codes["database.image"], "map")["map"])
