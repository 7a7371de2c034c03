"""A board folder of records with evidence, in which names hold markup; and the site made from it, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, codes_sha256, save_codes
from hashzoo.results.boards import accept, write_boards
from hashzoo.results.collect import collect
from hashzoo.results.commands import load
from hashzoo.results.record import Record, write_record

P = "cifar10-5k-disjoint"
EVIL = "<img src=x onerror=alert(1)>"
CURVES = ("pr_curve", "precision_curve", "pr_curve_lookup")


def codes_of(seed: int, noise: float, bits: int) -> dict[str, Codes]:
    """Codes of 60 queries and 240 items in four classes: a class's pattern with some bits flipped."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(5).choice([-1, 1], (4, bits))
    found = {}
    for name, n in (("query.image", 60), ("database.image", 240)):
        labels = np.arange(n) % 4
        flips = np.where(rng.random((n, bits)) < noise, -1, 1)
        signs = pattern[labels] * flips
        found[name] = Codes.from_relaxed(signs.astype(float), labels, keep_relaxed=True, num_classes=4)
    return found


def record_of(method: str, bits: int, seed: int, **fields: Any) -> Record:
    """Return a record with plain values for all that a test does not care about."""
    config = {
        "method": method, "dataset": {"name": "cifar10", "options": {}}, "protocol": P, "protocol_label": P,
        "roles": {"image": "image"}, "backbones": {"image": {"name": "alexnet", "options": {}}},
        "freeze_backbone": True, "regime": fields.get("regime", "frozen"),
        "hash_layer": {"name": "projection" if method == "lsh" else "tanh", "options": {}},
        "problem": {"bits": bits, "num_classes": 4, "num_train": 100, "modalities": ["image"]}, "bits": bits,
        "seed": seed, "training": fields.pop("training", "gradient"),
        "supervision": fields.pop("supervision", "supervised"), "tuned": fields.pop("tuned", ""),
    }  # fmt: skip
    plain = {
        "method": method, "floor": False, "protocol": P, "dataset": "cifar10", "backbone": {"image": "alexnet"},
        "frozen": True, "regime": "frozen", "bits": bits, "seed": seed, "metrics": {"map": 0.5}, "config": config,
        "plugins": {}, "versions": {"hashzoo": "0.2.0"}, "environment": {"system": "Linux"}, "timings": {"train": 1.0},
        "codes_sha256": f"{method}{bits}{seed}", "split_sha256": "f" * 64, "convention": "hashzoo", "ties": "expected",
        "headline": "map", "created": "2030-01-31T12:00:00+00:00",
    }  # fmt: skip
    return Record(**{**plain, **fields})


def write_run(folder: Path, record: Record, codes: dict[str, Codes]) -> None:
    """Write a cell as a run does."""
    write_record(folder / "record.json", record)
    save_codes(folder / "codes.npz", codes)


@pytest.fixture(scope="session", name="record_of")
def _record_of() -> Callable[..., Record]:
    return record_of


@pytest.fixture(scope="session", name="write_run")
def _write_run() -> Callable[..., None]:
    return write_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    kinds = {
        "alpha": (0.05, {}), "beta": (0.06, {}), "gamma": (0.2, {"training": "fit"}),
        "delta": (0.35, {"training": "fit", "supervision": "unsupervised"}),
        "lsh": (0.42, {"training": "fit", "supervision": "unsupervised", "floor": True, "regime": "none"}),
    }  # fmt: skip
    for place, (method, (noise, fields)) in enumerate(kinds.items()):
        for bits in (16, 32):
            for seed in range(3):
                codes = codes_of(100 * place + 10 * bits + seed, noise, bits)
                found = evaluate(codes["query.image"], codes["database.image"])
                metrics = {k: float(v) for k, v in found.items() if isinstance(v, int | float)}
                curves = {name: found[name] for name in CURVES}
                record = record_of(
                    method, bits, seed, metrics=metrics, curves=curves, codes_sha256=codes_sha256(codes), **dict(fields)
                )
                write_run(folder / method / f"bits-{bits:03d}" / f"seed-{seed}", record, codes)
    return folder


@pytest.fixture(scope="session")
def boards(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards") / "leaderboards"
    accept(collect([runs]), folder / "records")
    evil = record_of(
        EVIL, 16, 0, metrics={"map": 0.25, f"{EVIL}/map": 0.1}, environment={"system": f"</script>{EVIL}"},
        notes=[EVIL], versions={"hashzoo": EVIL},
    )  # fmt: skip
    write_record(folder / "records" / P / "evil" / "alexnet-frozen" / "bits-016-seed-0.json", evil)
    write_boards(load([folder / "records"]), folder)
    return folder


@pytest.fixture(scope="session")
def site(boards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; tests of it are skipped where the packages that draw charts are absent."""
    pytest.importorskip("altair", reason="the extra `site` is not installed")
    pytest.importorskip("vl_convert", reason="the extra `site` is not installed")
    from hashzoo.site.build import build

    out = tmp_path_factory.mktemp("site") / "site"
    build(boards, out)
    return out


PUBLISHED = {
    "id": "paper-table1", "title": "Another set-up", "metric": "map",
    "paper": {"key": "paper", "title": "P", "authors": "A", "venue": "V", "year": 2020, "url": "https://example.org"},
    "rows": [
        {"method": "wide-0", "dataset": "CIFAR-10", "bits": bits, "value": 0.5, "source": "Table 1",
         "confidence": "read", "protocol": "", "protocol_note": "others", "task": "image", "backbone": "VGG16"}
        for bits in (16, 32)
    ],
}  # fmt: skip
"""A published table of another set-up than the one measured."""


@pytest.fixture(scope="session")
def wide_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of one board: four bit lengths, twelve rows that tie, one tuned with a collapsed seed at 16 bits."""
    pytest.importorskip("altair", reason="the extra `site` is not installed")
    pytest.importorskip("vl_convert", reason="the extra `site` is not installed")
    from hashzoo.site.build import build

    folder = tmp_path_factory.mktemp("wide")
    kinds: list[tuple[str, dict[str, Any]]] = [("wide-0", {"tuned": "20 trials"})]
    kinds += [(f"wide-{n}", {}) for n in range(11)]
    kinds += [("lsh", {"floor": True, "regime": "none", "training": "fit"})]
    for place, (method, fields) in enumerate(kinds):
        for bits in (16, 32, 48, 64):
            for seed in range(3):
                codes = codes_of(seed, 0.4 if method == "lsh" else 0.1 + 0.001 * place, bits)
                found = evaluate(codes["query.image"], codes["database.image"])
                metrics = {k: float(v) for k, v in found.items() if isinstance(v, int | float)}
                collapsed = bool(fields.get("tuned")) and (bits, seed) == (16, 0)
                record = record_of(
                    method, bits, seed, metrics=metrics, codes_sha256=codes_sha256(codes),
                    curves={name: found[name] for name in CURVES},
                    notes=["Collapsed: 8 of 16 bits are the same in every item."] if collapsed else [], **dict(fields),
                )  # fmt: skip
                write_run(folder / "runs" / str(place) / f"bits-{bits:03d}" / f"seed-{seed}", record, codes)
    boards = folder / "leaderboards"
    accept(collect([folder / "runs"]), boards / "records")
    (boards / "published.json").write_text(json.dumps([PUBLISHED]), encoding="utf-8")
    build(boards, folder / "site", codes=False)
    return folder / "site"
