"""Claims judged on records: verdicts by hand, what is compared with what, correction for number, missing evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.plugins import registry
from hashzoo.results.claims import as_json, claims_text, judge, markdown
from hashzoo.results.commands import show_claims
from hashzoo.results.known import Known
from hashzoo.results.record import Record
from hashzoo.specs import Claim

CLAIM = Claim("a beats b", "Table 1", "dch", "hashnet", "map")
QUERIES = 200


def rows(make_record: Callable[..., Record], method: str, bits: int = 16, **changed: Any) -> list[Record]:
    return [make_record(method, bits, seed, metrics={"map": 0.5}, **changed) for seed in range(3)]


def values_of(shift: Mapping[str, float], spread: float = 0.1) -> Callable[[Record], Mapping[str, Any]]:
    """Give each method values about 0.5 + its shift: queries differ as such, seeds a little."""

    def values(record: Record) -> Mapping[str, Any]:
        queries = np.random.default_rng(1).normal(0, 0.2, QUERIES)
        noise = np.random.default_rng([record.seed, record.bits, len(record.method)]).normal(0, spread, QUERIES)
        return {"map": 0.5 + shift[record.method] + queries + noise}

    return values


@pytest.mark.parametrize(("shift", "verdict"), [(0.1, "holds"), (-0.1, "does not hold"), (0.0, "undecided")])
def test_a_clear_lead_decides_and_none_does_not(make_record, shift: float, verdict: str) -> None:
    records = [*rows(make_record, "dch"), *rows(make_record, "hashnet")]
    [judged] = judge([CLAIM], records, values_of({"dch": shift, "hashnet": 0.0}), Known())
    [finding] = judged.findings
    assert (finding.verdict, judged.verdict) == (verdict, verdict)
    assert finding.low < shift < finding.high or verdict == "undecided"
    assert finding.seeds == (3, 3)


@pytest.mark.parametrize("seeds", [(1, 1), (3, 1), (1, 3)])
def test_a_single_seed_decides_nothing(make_record, seeds: tuple[int, int]) -> None:
    records = [*rows(make_record, "dch")[: seeds[0]], *rows(make_record, "hashnet")[: seeds[1]]]
    [judged] = judge([CLAIM], records, values_of({"dch": 0.2, "hashnet": 0.0}), Known())
    [finding] = judged.findings
    assert (finding.seeds, finding.verdict, judged.verdict) == (seeds, "undecided", "undecided")
    assert judged.counted == "1 undecided, 1 of these for want of a second seed"
    assert finding.difference == pytest.approx(0.2, abs=0.05)


def test_where_less_is_better_the_lower_row_is_ahead(make_record) -> None:
    records = [*rows(make_record, "dch"), *rows(make_record, "hashnet")]
    [judged] = judge([CLAIM], records, values_of({"dch": -0.1, "hashnet": 0.0}), Known(higher={"map": False}))
    assert judged.verdict == "holds"


def test_findings_that_disagree_are_said_to_differ(make_record) -> None:
    records = [r for bits in (16, 32) for m in ("dch", "hashnet") for r in rows(make_record, m, bits)]
    sign = {16: 1, 32: -1}

    def values(record: Record) -> Mapping[str, Any]:
        return values_of({"dch": 0.1 * sign[record.bits], "hashnet": 0.0})(record)

    [judged] = judge([CLAIM], records, values, Known())
    assert judged.verdict == "differs"
    assert judged.counted == "1 holds, 1 does not hold"


def test_the_number_of_findings_is_allowed_for(make_record) -> None:
    """Holm multiplies the smallest p value by the number of findings of the claim."""
    of = values_of({"dch": 0.02, "hashnet": 0.0})
    one = [*rows(make_record, "dch"), *rows(make_record, "hashnet")]
    many = [r for bits in (16, 24, 32, 48) for m in ("dch", "hashnet") for r in rows(make_record, m, bits)]
    alone = judge([CLAIM], one, of, Known())[0].findings[0]
    among = judge([CLAIM], many, of, Known())[0].findings
    raw = [
        judge([Claim(**{**vars(CLAIM), "bits": (f.bits,)})], many, of, Known())[0].findings[0].p_value for f in among
    ]
    assert alone.p_value == raw[0]
    first = int(np.argmin(raw))
    assert among[first].p_value == pytest.approx(min(1.0, 4 * raw[first]))
    assert all(a.p_value >= r for a, r in zip(among, raw, strict=True))


STUDY = {"tuned": "20 trials", "settings_source": "tuned, 20 trials by map on digits-1k-validation (trials 12345678)"}


def by_rows(recipe: float, tuned: float) -> Callable[[Record], Mapping[str, Any]]:
    """Give dch another lead on the plugins' recipes than on tuned rows."""

    def values(record: Record) -> Mapping[str, Any]:
        return values_of({"dch": tuned if record.config.tuned else recipe, "hashnet": 0.0})(record)

    return values


def test_a_verdict_rests_on_equal_tuning_where_it_is_there(make_record) -> None:
    recipes = [r for bits in (16, 32) for m in ("dch", "hashnet") for r in rows(make_record, m, bits)]
    tuned = [r for m in ("dch", "hashnet") for r in rows(make_record, m, 16, config=STUDY)]
    of = by_rows(0.1, -0.1)
    [judged] = judge([CLAIM], [*recipes, *tuned], of, Known())
    assert [(f.bits, f.rows, f.verdict) for f in judged.findings] == [
        (16, "tuned, 20 trials", "does not hold"),
        (32, "plugins' recipes", "holds"),
    ]
    assert [(f.bits, f.rows, f.verdict) for f in judged.beside] == [(16, "plugins' recipes", "holds")]
    assert (judged.verdict, judged.counted) == ("differs", "1 holds, 1 does not hold")
    assert judged.differing == "plugins' recipes: holds at 16 bits on cifar10-5k-disjoint"
    assert judged.rests_on == (
        "tuned, 20 trials at 16 bits on cifar10-5k-disjoint; plugins' recipes at 32 bits on cifar10-5k-disjoint"
    )
    for text in (claims_text([judged]), markdown([judged], "x")):
        assert judged.rests_on in text
        assert judged.differing in text
    assert "tuned, 20 trials" in claims_text([judged], findings=True).splitlines()[1]
    [shown] = json.loads(json.dumps(as_json([judged])))
    assert [f["rows"] for f in shown["findings"] + shown["beside"]] == [
        "tuned, 20 trials", "plugins' recipes", "plugins' recipes",
    ]  # fmt: skip
    alone = judge([CLAIM], tuned, of, Known())[0]
    assert (alone.verdict, alone.rests_on, alone.beside, alone.differing) == (
        "does not hold", "tuned, 20 trials", (), "",
    )  # fmt: skip


def test_the_correction_counts_tuned_rows_and_recipes(make_record) -> None:
    recipes = [r for m in ("dch", "hashnet") for r in rows(make_record, m)]
    tuned = [r for m in ("dch", "hashnet") for r in rows(make_record, m, config=STUDY)]
    of = by_rows(0.03, 0.02)
    raw = [judge([CLAIM], some, of, Known())[0].findings[0].p_value for some in (recipes, tuned)]
    [judged] = judge([CLAIM], [*recipes, *tuned], of, Known())
    found = [judged.beside[0].p_value, judged.findings[0].p_value]
    first = int(np.argmin(raw))
    assert found[first] == pytest.approx(2 * raw[first])  # Holm: the smaller of two is doubled
    assert found[1 - first] == pytest.approx(max(raw[1 - first], 2 * raw[first]))


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"tuned": "30 trials"},
        {"tuned": "20 trials, epochs=1"},
        {**STUDY, "settings_source": "tuned, 20 trials by map on cifar10-5k-validation (trials 12345678)"},
    ],
)
def test_tuned_rows_are_compared_with_those_of_the_same_study_only(make_record, other: Mapping[str, str]) -> None:
    recipes = [r for m in ("dch", "hashnet") for r in rows(make_record, m)]
    tuned = [*rows(make_record, "dch", config=STUDY), *rows(make_record, "hashnet", config=other)]
    unequal = tuned if other else tuned[:3]
    [judged] = judge([CLAIM], [*recipes, *unequal], by_rows(0.1, -0.1), Known())
    assert (judged.verdict, judged.rests_on, judged.beside) == ("holds", "plugins' recipes", ())
    with_study = {**STUDY, "settings_source": STUDY["settings_source"].replace("12345678", "87654321")}
    grown = [*rows(make_record, "dch", config=STUDY), *rows(make_record, "hashnet", config=with_study)]
    assert judge([CLAIM], [*recipes, *grown], by_rows(0.1, -0.1), Known())[0].verdict == "does not hold"


def test_only_rows_of_one_board_and_of_the_methods_own_settings_are_compared(make_record) -> None:
    of = values_of({"dch": 0.1, "hashnet": 0.0})
    own = rows(make_record, "dch")
    elsewhere = rows(make_record, "hashnet", protocol="cifar10-50k")
    assert judge([CLAIM], [*own, *elsewhere], of, Known())[0].verdict == "not measured"
    frozen = rows(make_record, "hashnet", regime="frozen", frozen=True)
    assert judge([CLAIM], [*own, *frozen], of, Known())[0].verdict == "not measured"
    other_loss = rows(make_record, "dch", config={"loss": {"name": "dhn", "options": {}}})
    known = Known(own={"dch": {"finetune": {"loss": {"name": "dch", "options": {}}, "recipe": None, "defaults": {}}}})
    assert judge([CLAIM], [*other_loss, *rows(make_record, "hashnet")], of, known)[0].verdict == "not measured"


@pytest.mark.parametrize("other", [{"split_sha256": "e" * 64}, {"convention": "csq"}, {"ties": "worst"}])
def test_rows_of_another_split_convention_or_tie_rule_stand_on_another_board(make_record, other) -> None:
    of = values_of({"dch": 0.1, "hashnet": 0.0})
    own, elsewhere = rows(make_record, "dch"), rows(make_record, "hashnet", **other)
    assert judge([CLAIM], [*own, *elsewhere], of, Known())[0].verdict == "not measured"
    there = rows(make_record, "dch", **other)
    narrow = Claim("a", "Table 1", "dch", "hashnet", "map", protocols=("cifar10-5k-disjoint",))
    [finding] = judge([narrow], [*own, *there, *elsewhere], of, Known())[0].findings
    assert finding.seeds == (3, 3)
    said, value = next(iter(other.items()))
    assert finding.protocol == f"cifar10-5k-disjoint ({said.removesuffix('_sha256')} {value[:8]})"


def test_a_claim_of_some_bits_and_protocols_is_judged_there_only(make_record) -> None:
    records = [r for bits in (16, 48) for m in ("dch", "hashnet") for r in rows(make_record, m, bits)]
    narrow = Claim("long codes", "Table 1", "dch", "hashnet", "map", bits=(48, 64))
    of = values_of({"dch": 0.1, "hashnet": 0.0})
    assert [f.bits for f in judge([narrow], records, of, Known())[0].findings] == [48]
    other = Claim("elsewhere", "Table 1", "dch", "hashnet", "map", protocols=("nus",))
    assert judge([other], records, of, Known())[0].verdict == "not measured"


def test_without_values_by_query_nothing_is_decided(make_record) -> None:
    records = [make_record("dch", 16, s, metrics={"map": 0.9}) for s in range(3)]
    records += [make_record("hashnet", 16, s, metrics={"map": 0.1}) for s in range(3)]
    [judged] = judge([CLAIM], records, lambda _: {}, Known())
    assert judged.verdict == "undecided"
    assert judged.findings[0].difference == pytest.approx(0.8)
    assert judged.findings[0].p_value is None
    assert "no values by query" in claims_text([judged], findings=True)


def test_both_directions_of_a_cross_modal_metric_are_judged(make_record) -> None:
    names = {"image-to-text/map": 0.5, "text-to-image/map": 0.5}
    records = [make_record(m, 16, s, metrics=names) for m in ("dch", "hashnet") for s in range(3)]

    def values(record: Record) -> Mapping[str, Any]:
        of = values_of({"dch": 0.1, "hashnet": 0.0})(record)["map"]
        return {"image-to-text/map": of, "text-to-image/map": of}

    [judged] = judge([CLAIM], records, values, Known())
    assert [f.metric for f in judged.findings] == sorted(names)


@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-0.2, 0.2), seed=st.integers(0, 99))
def test_turning_a_claim_round_turns_its_verdict_round(shift: float, seed: int) -> None:
    from hashzoo.evaluation.uncertainty import paired_difference

    draw = np.random.default_rng(seed)
    one, other = draw.normal(0.5, 0.2, (3, 50)), draw.normal(0.5 + shift, 0.2, (3, 50))
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["p_value"] == pytest.approx(back["p_value"], abs=0.05)


def test_a_page_names_its_command_and_every_finding(make_record) -> None:
    records = [*rows(make_record, "dch"), *rows(make_record, "hashnet")]
    judged = judge([CLAIM], records, values_of({"dch": 0.1, "hashnet": 0.0}), Known())
    page = markdown(judged, "hashzoo claims leaderboards/records")
    assert "`hashzoo claims leaderboards/records`" in page
    assert "| cifar10-5k-disjoint | alexnet, finetune | plugins' recipes | map | 16 | 3, 3 | +1" in page
    json.dumps(as_json(judged))


def test_the_command_judges_accepted_records(make_record, tmp_path: Path) -> None:
    from hashzoo.results.record import write_record

    for method in ("dch", "hashnet"):
        for record in rows(make_record, method):
            folder = tmp_path / method / f"bits-{record.bits:03d}" / f"seed-{record.seed}"
            folder.mkdir(parents=True)
            write_record(folder / "record.json", record)
    stated = [claim for item in registry().plugins for claim in item.items.get("claims", ())]
    own = {claim.text for claim in stated if "dch" in (claim.better, claim.worse)}
    shown = json.loads(show_claims([tmp_path], tmp_path / "boards", method="dch", fmt="json"))
    assert set() < own < {claim.text for claim in stated}
    assert {claim["text"] for claim in shown} == own
    assert all(claim["verdict"] in {"undecided", "not measured"} for claim in shown)
    # every claim has its line, with the verdict first
    lines = show_claims([tmp_path], tmp_path / "boards", method="dch").splitlines()
    assert len(lines) == len(own)
    assert all(line.split()[0] in {"undecided", "not"} for line in lines)


def at(bits_to_shift: Mapping[int, float], collapsed: tuple[int, ...] = ()) -> Callable[..., Any]:
    """Return a judge of CLAIM over several bit lengths: dch is ahead by the shift, with a clear or a wide spread."""

    def judged(make_record: Callable[..., Record], spread: float = 0.1) -> Any:
        note = "Collapsed: 8 of 16 bits are the same in every item."
        records = [
            make_record(method, bits, seed, metrics={"map": 0.5 + shift * (method == "dch")})
            for bits, shift in bits_to_shift.items()
            for method in ("dch", "hashnet")
            for seed in range(3)
        ]
        records = [
            record.model_copy(update={"notes": [note]}) if record.bits in collapsed and record.seed == 1 else record
            for record in records
        ]

        def values(record: Record) -> Mapping[str, Any]:
            of = values_of({"dch": bits_to_shift[record.bits], "hashnet": 0.0}, spread)
            return of(record)

        [found] = judge([CLAIM], records, values, Known())
        return found

    return judged


def test_a_claim_does_not_hold_where_any_difference_points_the_other_way(make_record) -> None:
    assert at({16: 0.1, 32: 0.0})(make_record).findings[1].verdict == "undecided"
    clear = at({16: 0.1, 32: 0.1})(make_record)
    assert (clear.verdict, clear.said) == ("holds", "holds")
    for shift, contrary, word in ((0.1, -0.012, "holds"), (-0.1, 0.0, "does not hold")):  # the draw adds about 0.007
        partly = at({16: shift, 24: shift, 32: contrary})(make_record)
        assert [f.verdict for f in partly.findings] == [word, word, "undecided"]
        assert partly.findings[2].difference * shift < 0
        assert partly.verdict == "partly decided"
        assert partly.said == f"{word} at 16 and 24 bits on cifar10-5k-disjoint, undecided elsewhere"
        assert partly.said in markdown([partly], "x")
        assert partly.said in claims_text([partly])
    differs = at({16: 0.1, 32: -0.1})(make_record)
    assert differs.said == ("holds at 16 bits on cifar10-5k-disjoint, does not hold at 32 bits on cifar10-5k-disjoint")


def test_collapsed_rows_are_not_judged_and_do_not_count(make_record) -> None:
    mixed = at({16: 0.1, 32: -0.1}, collapsed=(32,))(make_record)
    assert [f.verdict for f in mixed.findings] == ["holds", "not judged: collapsed"]
    assert (mixed.verdict, mixed.counted) == ("holds", "1 holds, 1 not judged: collapsed")
    assert mixed.findings[1].p_value is None
    assert mixed.findings[0].p_value == at({16: 0.1})(make_record).findings[0].p_value  # corrected for those judged
    alone = at({16: 0.1}, collapsed=(16,))(make_record)
    assert (alone.verdict, alone.said) == ("not judged", "not judged: collapsed")
    assert "no values by query" not in claims_text([alone], findings=True)


def test_the_warning_of_collapsed_codes_is_what_claims_look_for() -> None:
    from hashzoo.evaluation.code_quality import code_quality, collapse_warning, is_collapse
    from hashzoo.evaluation.codes import Codes

    warning = collapse_warning(code_quality(Codes.from_signs(np.ones((8, 16)), np.zeros(8, int))))
    assert warning is not None
    assert is_collapse(warning)
    assert is_collapse(f"image-to-text/{warning}")
    assert not is_collapse("Curves kept in the run directory only: pr_curve.")


def test_a_method_that_saw_the_database_is_not_comparable_with_one_that_did_not(make_record) -> None:
    of = values_of({"dch": 0.1, "hashnet": 0.0})
    saw, hidden = rows(make_record, "dch", config={"database": "labels"}), rows(make_record, "hashnet")
    [judged] = judge([CLAIM], [*saw, *hidden], of, Known())
    assert (judged.verdict, judged.said) == ("not comparable", "not comparable (dch saw the database)")
    assert judged.said in markdown([judged], "x")
    elsewhere = rows(make_record, "hashnet", protocol="cifar10-50k")
    assert judge([CLAIM], [*saw, *elsewhere], of, Known())[0].verdict == "not measured"
    both = rows(make_record, "hashnet", config={"database": "labels"})
    assert judge([CLAIM], [*saw, *both], of, Known())[0].verdict == "holds"


def test_another_metric_judges_only_where_the_papers_was_not_measured(make_record) -> None:
    claim = Claim("a", "Table 1", "dch", "hashnet", "map@h2-reranked", instead="map")
    records = [*rows(make_record, "dch"), *rows(make_record, "hashnet")]
    of = values_of({"dch": 0.1, "hashnet": 0.0})
    [finding] = judge([claim], records, of, Known())[0].findings
    assert (finding.metric, finding.verdict) == ("map", "holds")
    both = [r.model_copy(update={"metrics": {"map": 0.5, "map@h2-reranked": 0.5}}) for r in records]
    [finding] = judge([claim], both, lambda r: {"map@h2-reranked": of(r)["map"]}, Known())[0].findings
    assert finding.metric == "map@h2-reranked"
    assert "map@h2-reranked, else map" in claims_text(judge([claim], both, of, Known()))


def test_evidence_is_looked_for_beside_the_records_given(monkeypatch, tmp_path: Path) -> None:
    import hashzoo.results.commands as commands

    looked: list[Path] = []

    class Looking(commands.Evidence):
        def __init__(self, board_dir: Path) -> None:
            looked.append(board_dir)
            super().__init__(board_dir)

    monkeypatch.setattr(commands, "Evidence", Looking)
    records = tmp_path / "boards" / "records"
    (records / "digits").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for given_, wanted in (
        ([records], tmp_path / "boards"),
        ([records / "digits"], tmp_path / "boards"),
        ([Path("boards/records")], tmp_path / "boards"),
        ([tmp_path], Path("leaderboards")),
    ):
        commands.judged_claims(given_)
        assert looked.pop() == wanted
    commands.judged_claims([records], tmp_path / "named")
    assert looked == [tmp_path / "named"]


def test_the_protocols_that_claims_name_exist() -> None:
    from hashzoo.plugins import registry

    found = registry()
    named = {name for text in found.names("claims") for name in found.get("claims", text).protocols}
    assert "coco-10k" in named
    for name in named:
        assert found.protocol(name)[1].id == name
