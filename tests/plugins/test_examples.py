"""The plugins in docs/examples: each works, and the smallest is small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hashzoo
from hashzoo.plugins import registry
from hashzoo.testing import check_component, check_method
from hashzoo.testing.kit import checks_of

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
BRINGS = {
    "alternating": {"losses": ["alternating"], "methods": ["alternating"], "trainers": ["alternating"]},
    "closed-form": {"fitters": ["class-means"], "methods": ["class-means"]},
    "command": {"commands": ["bits-used"]},
    "cross-modal": {"losses": ["two-views"], "methods": ["two-views"]},
    "engine": {"engines": ["in-turn"]},
    "stateful-loss": {"losses": ["running-centers"], "methods": ["running-centers"]},
    "two-stage": {
        "claims": ["two stages are better than random projections"],
        "losses": ["two-stage"],
        "methods": ["two-stage"],
    },
    "backbone": {"backbones": ["colour-histogram"]},
    "dataset": {"datasets": ["wine"]},
    "evaluator": {"evaluators": ["first-hit"], "metrics": ["first_hit"]},
    "paper-table": {"paper_tables": ["csq-2020-readme"]},
    "smallest": {"losses": ["smallest"], "methods": ["smallest"]},
    "trainer": {"trainers": ["clipped"]},
}


def project(folder: str) -> dict:
    return tomllib.loads((EXAMPLES / folder / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def example(site, install):
    """Put an example on the path with the metadata that its pyproject.toml asks for."""

    def put(folder: str) -> str:
        name = project(folder)["project"]["name"]
        points = project(folder)["project"]["entry-points"]["hashzoo"]
        (point,) = [f"{key} = {value}" for key, value in points.items()]
        path = install(name, "", version="0.1.0", point=point)
        path.unlink()
        for module in (EXAMPLES / folder).glob("*.py"):
            (site / module.name).write_bytes(module.read_bytes())
        return name

    return put


def test_there_is_one_for_each_kind():
    assert set(BRINGS) == set(FOLDERS)


def test_the_smallest_is_small():
    code = [line for path in (EXAMPLES / "smallest").glob("*.py") for line in path.read_text().splitlines()]
    packaging = (EXAMPLES / "smallest" / "pyproject.toml").read_text().splitlines()
    assert len(code) <= 40
    assert len(packaging) <= 12


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_example_brings_what_it_says_and_nothing_is_wrong_with_it(example, folder):
    name = example(folder)
    plugin = next(p for p in registry().plugins if p.distribution == name)
    assert (plugin.status, plugin.notes) == ("ok", ()), plugin.line()
    assert plugin.as_dict()["items"] == BRINGS[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_example_conforms(example, folder):
    example(folder)
    for kind, (name,) in BRINGS[folder].items():
        if kind in ("losses", "trainers", "fitters") and "methods" in BRINGS[folder]:
            continue  # checked with the method that uses it
        if not checks_of(kind):
            continue  # commands, claims and metrics are checked where they are loaded
        found = check_method(name) if kind == "methods" else check_component(kind, name)
        assert {r.check: r.message for r in found if r.status == "failed"} == {}


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def test_the_smallest_learns_digits(example, runs):
    example("smallest")
    (record,) = hashzoo.run("smallest", bits=16, out=runs, device="cpu", settings={"epochs": 8})
    (floor,) = hashzoo.run("lsh", bits=16, out=runs, device="cpu")
    assert record.metrics["map"] > floor.metrics["map"] + 0.1


def test_the_dataset_is_used_by_any_method(example, runs):
    example("dataset")
    (record,) = hashzoo.run("uncoded", dataset="wine", out=runs, device="cpu")
    assert record.protocol == "wine-30"
    assert record.metrics["map"] > 0.8


def test_the_backbone_counts_colours(example):
    import torch

    example("backbone")
    images = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    images[1, :2, :, 0] = 255
    features = hashzoo.build_backbone("colour-histogram", levels=2)(images)
    # one pixel in two is bright in the first channel of the second image, all others are dark
    assert features.tolist() == [[1, 0, 1, 0, 1, 0], [0.5, 0.5, 1, 0, 1, 0]]


def test_the_evaluator_by_hand(example, runs):
    example("evaluator")
    query = hashzoo.Codes.from_signs([[1, 1, 1], [-1, -1, -1]], [0, 1])
    database = hashzoo.Codes.from_signs([[1, 1, 1], [1, 1, 1], [-1, 1, 1], [-1, -1, 1]], [0, 1, 0, 1])
    evaluate = registry().build("evaluators", "first-hit", None)
    # the first query ties two items at distance 0, one of them relevant; the second has one item at distance 1
    assert evaluate(hashzoo.Retrieval(query, database)) == {"first_hit": (0.5 + 1.0) / 2}
    (record,) = hashzoo.run("random", bits=16, evaluators=("first-hit",), out=runs, device="cpu")
    assert 0.0 <= record.metrics["first_hit"] <= 1.0


def test_the_trainer_limits_terms(example):
    from dataclasses import replace

    import torch

    from hashzoo.results.config import Part

    example("trainer")
    from hashzoo.testing.kit import Case

    subject = Case("trainers", "clipped").subject()
    trainer = Part(name="clipped", options={"most": 0.0})  # terms that are never above 0 have no gradient
    config = subject.plan.config.model_copy(update={"trainer": trainer})
    subject = replace(subject, plan=replace(subject.plan, config=config))
    still = subject.train(1).model.state_dict()
    before = subject.build()[0].state_dict()
    assert all(torch.equal(still[name], before[name]) for name in still)


def test_the_table_holds_the_published_values(example):
    example("paper-table")
    table = registry().get("paper_tables", "csq-2020-readme")
    assert [row.value for row in table.rows] == [0.851, 0.865, 0.873]
    assert np.unique([row.bits for row in table.rows]).tolist() == [16, 32, 64]


def test_the_command_counts_bits(example, tmp_path):
    from click.testing import CliRunner

    from hashzoo.cli.main import cli

    example("command")
    np.save(tmp_path / "codes.npy", np.asarray([[0b10100000], [0b10010000]], dtype=np.uint8))
    done = CliRunner().invoke(cli, ["bits-used", str(tmp_path / "codes.npy")])
    assert done.output == "2 of 8 bits take both values.\n", done.output


def test_the_engine_does_every_task(example, tmp_path, monkeypatch):
    import concurrent.futures

    from hashzoo.runner.request import RunRequest
    from hashzoo.studies.grid import plan_study, run_study

    example("engine")
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", concurrent.futures.ThreadPoolExecutor)
    asked = RunRequest("lsh", protocol="digits-1k", bits=(8,), seeds=(0, 1), out=tmp_path)
    records, failed = run_study(plan_study([asked]), registry().build("engines", "in-turn"))
    assert failed == []
    assert [(record.method, record.bits, record.seed) for record in records] == [("lsh", 8, 0), ("lsh", 8, 1)]


@pytest.mark.install
def test_the_examples_build_and_install(tmp_path):
    """Wheels of all examples, built by pip, in an environment of their own."""
    sources = []
    for folder in FOLDERS:
        target = tmp_path / "sources" / folder
        target.mkdir(parents=True)
        for path in (EXAMPLES / folder).iterdir():
            if path.is_file():
                (target / path.name).write_bytes(path.read_bytes())
        sources.append(str(target))
    pip = [sys.executable, "-m", "pip"]
    build = ["wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(tmp_path / "wheels")]
    subprocess.run([*pip, *build, *sources], check=True)
    site = tmp_path / "installed"
    wheels = [str(path) for path in (tmp_path / "wheels").glob("*.whl")]
    assert len(wheels) == len(FOLDERS)
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, *install, *wheels], check=True)
    code = "import json, hashzoo.plugins as h; print(json.dumps([p.as_dict() for p in h.registry().plugins]))"
    path = os.pathsep.join([str(site), str(EXAMPLES.parents[1])])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("HASHZOO_PLUGINS", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    rows = {row["distribution"]: row for row in json.loads(done.stdout)}
    for folder in FOLDERS:
        row = rows[project(folder)["project"]["name"]]
        assert (row["status"], row["items"]) == ("ok", BRINGS[folder]), row
