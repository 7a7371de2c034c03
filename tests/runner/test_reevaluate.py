"""Finished runs evaluated again: with other metrics and rankings, and what cannot be asked of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashzoo.errors import UsageError
from hashzoo.results.record import read_record
from hashzoo.runner.cell import Cell
from hashzoo.runner.reevaluate import compare_cells, evaluate_run
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run

OPTIONS = {"ties": "expected", "convention": None, "per_query": False, "confidence": False}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished cell of each of two methods, one without codes."""
    found = {}
    for method, bits in (("lsh", (8,)), ("uncoded", None)):
        out = tmp_path_factory.mktemp(method)
        run(RunRequest(method=method, bits=bits, out=out))
        (record,) = out.rglob("record.json")
        found[method] = record.parent
    return found


def test_the_methods_own_ranking_unless_another_is_asked(cells: dict[str, Path]) -> None:
    record = read_record(cells["lsh"] / "record.json")
    (own,) = evaluate_run(cells["lsh"], ["map"], OPTIONS).values()
    assert (own["map"], own["ranking"]) == (record.metrics["map"], "hamming")
    (other,) = evaluate_run(cells["lsh"], ["map"], {**OPTIONS, "ranking": "cosine"}).values()
    assert other["ranking"] == "cosine"
    assert other["map"] != own["map"]


def test_where_there_are_no_codes_nothing_is_measured_by_codes(cells: dict[str, Path]) -> None:
    record = read_record(cells["uncoded"] / "record.json")
    assert {"map", "precision@100"} <= set(record.metrics)
    assert not {name for name in record.metrics if "@h" in name or name in ("entropy", "distinct_codes")}
    with pytest.raises(UsageError, match="uncoded ranks features and has no codes, so there is no map@h2"):
        evaluate_run(cells["uncoded"], ["map", "map@h2"], OPTIONS)
    (values,) = evaluate_run(cells["uncoded"], None, OPTIONS).values()
    assert values["map"] == record.metrics["map"]


@pytest.mark.parametrize("metric", ["pr_curve", "precision_curve", "precision@h2-micro"])
def test_what_a_single_query_has_no_value_of_cannot_be_compared(cells: dict[str, Path], metric: str) -> None:
    with pytest.raises(UsageError, match="no value of"):
        compare_cells(cells["lsh"], cells["lsh"], metric)


def test_runs_are_compared_by_their_own_convention_and_no_other(cells: dict[str, Path], tmp_path: Path) -> None:
    asked = RunRequest(method="lsh", bits=(8,), convention="hashnet", metrics=("map@5",), out=tmp_path / "a")
    run(asked)
    run(replace(asked, seeds=(1,), out=tmp_path / "b"))
    folders = [path.parent for path in sorted(tmp_path.rglob("record.json"))]
    result = compare_cells(*folders, "map@5")
    by_query = [Cell(folder).by_query(("map@5",))["map@5"] for folder in folders]
    both = ~np.isnan(by_query).any(axis=0)
    assert 0 < both.sum() < len(both)  # hashnet's leaves out queries with nothing relevant among the five
    assert result["queries"] == both.sum()
    assert result["mean_first"] == pytest.approx(by_query[0][both].mean())
    with pytest.raises(UsageError, match=r"convention is 'hashnet' .* and 'hashzoo'"):
        compare_cells(folders[0], cells["lsh"], "map")


def test_runs_of_other_splits_are_not_compared(cells: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Cell(cells["lsh"]), Cell(cells["lsh"])
    monkeypatch.setitem(other.__dict__, "record", one.record.model_copy(update={"split_sha256": "e" * 64}))
    with pytest.raises(UsageError, match=r"split is .* and 'eeee"):
        compare_cells(one, other, "map")
