"""Evaluators own their metrics: what is not theirs, no number, out of range or changes the codes is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.names import base_of, metric_of
from hashzoo.plugins import Plugin, Registry
from hashzoo.results.config import Evaluation, RunConfig
from hashzoo.runner.scoring import check_metrics, run_evaluators
from hashzoo.specs import Component, Metric, Protocol, Retrieval

PROTOCOL = Protocol("p", "d", (0, 0, 0), headline="map@10", evaluators=("retrieval", "code_quality"))
PAIR = Protocol("p2", "d", (0, 0, 0), pairs=(("image", "text"), ("text", "image")))
Judge = Callable[[Retrieval], Any]


def codes(n: int, seed: int, *, classes: int = 3) -> Codes:
    draw = np.random.default_rng(seed)
    return Codes.from_relaxed(
        draw.normal(size=(n, 8)), draw.integers(0, classes, n), keep_relaxed=True, num_classes=classes
    )


SETS = {f"{part}.{m}": codes(n, n) for part, n in (("query", 6), ("database", 40)) for m in ("image", "text")}


def config(
    evaluators: tuple[str, ...] = (), metrics: tuple[str, ...] | None = None, ranking: str = "hamming"
) -> RunConfig:
    """What the evaluators read of a configuration; no evaluators: the protocol's."""
    return RunConfig.model_construct(evaluation=Evaluation(evaluators=evaluators, metrics=metrics), ranking=ranking)


@pytest.fixture
def with_judge(reg: Registry) -> Callable[..., Registry]:
    """Return the registry with an evaluator "mine" that gives what `judge` returns."""

    def add(judge: Judge, *metrics: Metric, declared: tuple[str, ...] | None = None) -> Registry:
        names = tuple(metric.name for metric in metrics) if declared is None else declared
        items = {"evaluators": (Component("mine", lambda protocol: judge, metrics=names),), "metrics": metrics}
        return reg.extended(Plugin("mine", "hashzoo-mine", "1.2", "mine = hashzoo_mine", items=items))

    return add


def run(registry: Registry, *evaluators: str, coded: bool = True, metrics: tuple[str, ...] | None = None) -> Any:
    return run_evaluators(registry, config(evaluators, metrics), PROTOCOL, SETS, coded=coded)


def test_the_protocol_names_the_evaluators(reg: Registry) -> None:
    metrics, curves, notes = run(reg)
    assert metrics["map"] == evaluate(SETS["query.image"], SETS["database.image"], "map")["map"]
    assert metrics["items"] == 40
    assert "balance" in curves
    assert notes == []
    only = Protocol("p", "d", (0, 0, 0), evaluators=("code_quality",))
    metrics, _, _ = run_evaluators(reg, config(), only, SETS, coded=True)
    assert "map" not in metrics
    assert "entropy" in metrics


def test_without_codes_only_what_the_ranking_gives_is_measured(reg: Registry) -> None:
    setting = config(metrics=("map", "map@h2", "empty@h2"), ranking="cosine")
    metrics, curves, notes = run_evaluators(reg, setting, PROTOCOL, SETS, coded=False)
    assert set(metrics) == {"map", "map@10", "queries_without_relevant"}
    assert not curves
    assert notes == ["There are no codes here, so nothing by Hamming distance: no map@h2, empty@h2."]


def test_a_metric_of_ones_own_is_measured_for_every_pair(with_judge: Callable[..., Registry]) -> None:
    registry = with_judge(
        lambda task: {
            "first": np.float32(0.5),
            "first@3": 1,
            "curve": np.arange(3),
            "spoken": "a note",
            "nothing": None,
        },
        Metric("first"),
        Metric("curve", None, (None, None)),
    )
    metrics, curves, notes = run_evaluators(registry, config(("mine",)), PAIR, SETS, coded=True)
    assert metrics == {
        f"{p}/{m}": v for p in ("image-to-text", "text-to-image") for m, v in (("first", 0.5), ("first@3", 1.0))
    }
    assert curves == {"image-to-text/curve": [0, 1, 2], "text-to-image/curve": [0, 1, 2]}
    assert notes == ["image-to-text/a note", "text-to-image/a note"]


@pytest.mark.parametrize("name", ["map", "map@5000", "image-to-text/map", "entropy"])
def test_a_metric_of_the_core_cannot_be_given_by_a_plugin(with_judge: Callable[..., Registry], name: str) -> None:
    registry = with_judge(lambda task: {name: 0.999}, Metric("first"))
    with pytest.raises(WorkError, match=r"'mine' of hashzoo-mine 1.2 gives .* which is hashzoo's"):
        run(registry, "retrieval", "mine")


def test_a_metric_of_the_core_cannot_be_declared_either(with_judge: Callable[..., Registry]) -> None:
    registry = with_judge(lambda task: {"map": 0.999}, declared=("map",))
    with pytest.raises(WorkError, match="declares the metric 'map', which belongs to hashzoo"):
        run(registry, "mine")
    with pytest.raises(WorkError, match="belongs to hashzoo"):
        run(with_judge(lambda task: {"map": 0.999}, Metric("map")), "mine")
    with pytest.raises(WorkError, match="'third', which no plugin alone registers"):
        run(with_judge(lambda task: {}, declared=("third",)), "mine")


def test_a_metric_of_another_plugin_is_that_ones(with_judge: Callable[..., Registry]) -> None:
    registry = with_judge(lambda task: {"first": 1.0}, Metric("first"))
    thief = Component("thief", lambda protocol: lambda task: {"first": 0.0}, metrics=("first",))
    registry = registry.extended(Plugin("thief", "hashzoo-thief", "1", "t = t", items={"evaluators": (thief,)}))
    with pytest.raises(WorkError, match=r"'thief' of hashzoo-thief 1 .* belongs to hashzoo-mine"):
        run(registry, "mine", "thief")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("inf"), r"'first' = inf, which is no finite number"),
        (np.float64("nan"), r"'first' = .*nan.*, which is no finite number"),
        (10**400, "no finite number"),
        ([0.1, float("inf")], "no finite number"),
        ({"a": 1}, "no finite number"),
        (1.5, r"'first' = 1.5, outside of the metric's range of 0.0 to 1.0"),
        (-0.1, "outside"),
    ],
)
def test_values_that_are_none_are_refused_by_name(
    with_judge: Callable[..., Registry], value: object, message: str
) -> None:
    registry = with_judge(lambda task: {"first": value}, Metric("first"))
    with pytest.raises(WorkError, match=message):
        run(registry, "mine")


def test_rounding_is_no_value_out_of_range(with_judge: Callable[..., Registry]) -> None:
    metrics, _, _ = run(with_judge(lambda task: {"first": 1 + 2e-16}, Metric("first")), "mine")
    assert metrics["first"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("returned", "message"), [(None, "NoneType"), ({3: 0.1}, "names a metric 3"), ({"": 0.1}, "''")]
)
def test_what_is_no_mapping_of_names_is_refused(
    with_judge: Callable[..., Registry], returned: object, message: str
) -> None:
    with pytest.raises(WorkError, match=message):
        run(with_judge(lambda task: returned, Metric("first")), "mine")


def test_an_evaluator_cannot_change_the_codes_before_the_next_reads_them(with_judge: Callable[..., Registry]) -> None:
    def spoil(task: Retrieval) -> dict[str, float]:
        task.database.packed[:] = 0
        return {"first": 1.0}

    with pytest.raises(WorkError, match=r"'mine' of hashzoo-mine 1.2 failed .ValueError.*read-only.*test_scoring.py"):
        run(with_judge(spoil, Metric("first")), "mine", "retrieval")

    def force(task: Retrieval) -> dict[str, float]:
        array = task.database.labels
        while array.base is not None:
            array = array.base
        array.flags.writeable = True
        array[:] = 1
        return {"first": 1.0}

    before = SETS["database.image"].labels.copy()
    try:
        with pytest.raises(WorkError, match="has changed the codes"):
            run(with_judge(force, Metric("first")), "mine", "retrieval")
    finally:
        owner = SETS["database.image"].labels
        while owner.base is not None:
            owner = owner.base
        owner[:] = before


def test_an_evaluator_that_ends_the_program_is_failed_work(with_judge: Callable[..., Registry]) -> None:
    def leave(task: Retrieval) -> dict[str, float]:
        raise SystemExit(0)

    with pytest.raises(WorkError, match=r"'mine' of hashzoo-mine 1.2 failed .SystemExit: 0"):
        run(with_judge(leave, Metric("first")), "mine")


def test_every_evaluator_is_asked_for_its_own_metrics(with_judge: Callable[..., Registry]) -> None:
    seen: list[Any] = []
    registry = with_judge(lambda task: seen.append(task.metrics) or {"first": 1.0}, Metric("first"))
    metrics, _, _ = run(registry, "retrieval", "mine", metrics=("map@5", "first@9"))
    assert seen == [("first@9",)]
    assert set(metrics) == {"map@5", "map@10", "queries_without_relevant", "first"}
    check_metrics(registry, ("retrieval", "mine"), ("default", "map@7", "first@2"))
    with pytest.raises(UsageError, match="metric 'first'"):
        check_metrics(registry, ("retrieval",), ("first",))
    with pytest.raises(UsageError, match="cut-off must be at least 1"):
        check_metrics(registry, ("retrieval",), ("map@0",))


def test_the_registry_knows_the_metric_behind_a_name(with_judge: Callable[..., Registry]) -> None:
    registry = with_judge(lambda task: {}, Metric("first", higher_is_better=False))
    assert metric_of(registry, "image-to-text/first@3").higher_is_better is False  # type: ignore[union-attr] # it is there
    assert metric_of(registry, "map@h2-reranked").on_board  # type: ignore[union-attr] # likewise
    assert metric_of(registry, "second") is None
    assert base_of("precision@h2-micro") == "precision"


def test_default_and_more_adds_to_what_was_measured(reg: Registry) -> None:
    before, _, _ = run(reg)
    after, _, _ = run(reg, metrics=("default", "precision@5"))
    assert after == before | {"precision@5": after["precision@5"]}


def test_a_missing_set_of_codes_is_named(reg: Registry) -> None:
    held = {name: one for name, one in SETS.items() if name != "database.image"}
    with pytest.raises(WorkError, match=r"hold .*query.image.* and not 'database.image'"):
        run_evaluators(reg, config(), PROTOCOL, held, coded=True)


def test_a_list_shorter_than_the_cut_off_is_said(reg: Registry) -> None:
    metrics, _, notes = run(reg, metrics=("precision@1000",))
    assert notes == ["The list has 40 items, so precision@1000 looks at all of them."]
    assert "precision@1000" in metrics
    metrics, _, notes = run(reg)
    assert "precision@1000" not in metrics
    assert notes == []
