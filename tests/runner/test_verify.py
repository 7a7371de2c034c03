"""`hashzoo verify`: what it says of records that are right, of ones that are not, and of those between."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.errors import UsageError
from hashzoo.results.config import Part, RunConfig
from hashzoo.results.record import Record, read_record, write_record
from hashzoo.runner import verify as module
from hashzoo.runner.progress import Quiet
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run
from hashzoo.runner.verify import Verdict, plan_of, verify


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Cells of LSH on digits, seeds 0 to 2."""
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    run(RunRequest("lsh", bits=(16,), seeds=(0, 1, 2), device="cpu", precision="fp32", out=tmp_path / "runs"))
    return sorted((tmp_path / "runs").glob("*/bits-016/seed-*"))


def judged(path: Path, train: bool = True) -> Verdict:
    return verify(path, train=train, device="cpu", reporter=Quiet())


def changed(cell: Path, **fields: object) -> Record:
    """Put a record with other fields, properly sealed, into the place of the cell's own."""
    record = read_record(cell / "record.json")
    return write_record(cell / "record.json", record.model_copy(update=fields))


def test_a_record_is_reproduced_from_its_own_configuration(cells: list[Path]) -> None:
    verdict = judged(cells[1])
    assert verdict.ok
    assert verdict.evaluation == "give the record bit for bit"
    assert verdict.training == "reproduced (the same codes, bit for bit)"
    assert sorted(cells[1].parent.glob("seed-*")) == cells  # trained elsewhere: nothing is left behind


def test_codes_of_another_seed_are_noticed(cells: list[Path]) -> None:
    (cells[0] / "codes.npz").write_bytes((cells[1] / "codes.npz").read_bytes())
    verdict = judged(cells[0], train=False)
    assert not verdict.ok
    assert verdict.evaluation == "not the codes that the record was made from"
    assert verdict.training == "not asked for"


def test_values_that_the_codes_do_not_give_are_noticed(cells: list[Path]) -> None:
    record = read_record(cells[0] / "record.json")
    changed(cells[0], metrics={**record.metrics, "map@h2": 0.9})
    verdict = judged(cells[0])
    assert not verdict.ok
    assert verdict.evaluation == "give other values of map@h2"
    assert verdict.training == "the same codes with other values of map@h2"


@pytest.mark.parametrize(
    ("shift", "ok", "training"), [(0.02, True, "within the spread of seeds"), (0.3, False, "not reproduced")]
)
def test_other_codes_are_judged_by_the_headline(cells: list[Path], shift: float, ok: bool, training: str) -> None:
    record = read_record(cells[0] / "record.json")
    (cells[0] / "codes.npz").unlink()
    changed(cells[0], codes_sha256="0" * 64, metrics={**record.metrics, "map": record.metrics["map"] + shift})
    verdict = judged(cells[0])
    assert (verdict.ok, verdict.training) == (ok, training)
    assert verdict.evaluation == "none beside the record"
    assert f"gap {-shift:+.4f}" in verdict.details[-1]
    assert "(2 other seed(s))" in verdict.details[-1]


def test_without_a_headline_other_codes_reproduce_nothing(cells: list[Path]) -> None:
    record = read_record(cells[0] / "record.json")
    (cells[0] / "codes.npz").unlink()
    others = {name: value for name, value in record.metrics.items() if name != "map"}
    changed(cells[0], metrics=others)
    assert judged(cells[0]).training == "reproduced (the same codes, bit for bit)"
    changed(cells[0], codes_sha256="0" * 64, metrics={name: value / 10 for name, value in others.items()})
    verdict = judged(cells[0])
    assert (verdict.ok, verdict.training) == (False, "not reproduced")
    assert any("no value of its headline metric" in line for line in verdict.details)


def test_what_cannot_be_noted_is_refused_before_anything_is_trained(
    cells: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_train_again", lambda *a: pytest.fail("trained"))
    with pytest.raises(UsageError, match="not an accepted record"):
        verify(cells[0], train=True, device="cpu", reporter=Quiet(), note=True)


def test_a_collapsed_record_that_another_machine_does_not_give_is_explained(cells: list[Path]) -> None:
    record = read_record(cells[0] / "record.json")
    elsewhere = {
        "codes_sha256": "0" * 64,
        "metrics": {**record.metrics, "map": 0.9},
        "environment": {"system": "other"},
    }
    changed(cells[0], **elsewhere)
    assert not any("collapsed" in line for line in judged(cells[0]).details)
    changed(cells[0], **elsewhere, notes=["Collapsed: 8 of 16 bits are the same in every item."])
    verdict = judged(cells[0])
    assert verdict.training == "not reproduced"
    assert verdict.details[-1].startswith("the record's codes collapsed")


@pytest.mark.parametrize(("values", "ok"), [((0.5, 0.3, 0.7), True), ((0.5, 0.51, 0.49), False)])
def test_the_spread_is_that_of_the_seeds_beside_it(
    cells: list[Path], monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...], ok: bool
) -> None:
    for cell, value in zip(cells, values, strict=True):
        changed(cell, metrics={"map": value})
    again = read_record(cells[0] / "record.json").model_copy(update={"codes_sha256": "1" * 64, "metrics": {"map": 0.6}})
    monkeypatch.setattr(module, "_train_again", lambda *_: again)
    (cells[0] / "codes.npz").unlink()
    assert judged(cells[0]).ok is ok  # allowed: 3 standard deviations, 0.6 and 0.03, against a gap of 0.1


def test_seeds_of_another_configuration_do_not_widen_the_spread(
    cells: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for cell, value in zip(cells, (0.5, 0.3, 0.7), strict=True):
        record = read_record(cell / "record.json")
        layer = Part(name="projection", options={"made": 1 if cell == cells[0] else 2})
        changed(cell, metrics={"map": value}, config=record.config.model_copy(update={"hash_layer": layer}))
    again = read_record(cells[0] / "record.json").model_copy(update={"codes_sha256": "1" * 64, "metrics": {"map": 0.6}})
    monkeypatch.setattr(module, "_train_again", lambda *_: again)
    (cells[0] / "codes.npz").unlink()
    assert not judged(cells[0]).ok


def test_the_plan_of_a_record_is_that_of_its_run(cells: list[Path]) -> None:
    record = read_record(cells[2] / "record.json")
    plan = plan_of(record)
    assert (plan.bits, plan.seeds) == ((16,), (2,))
    assert plan.name == cells[2].parent.parent.name
    assert plan.config.model_dump() == {
        k: v for k, v in record.config.model_dump().items() if k in RunConfig.model_fields
    }


def test_no_record_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no record"):
        judged(tmp_path)
