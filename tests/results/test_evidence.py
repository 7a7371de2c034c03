"""Evidence beside accepted records: what is written, what follows from it, and what a forged record meets."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, codes_sha256, save_codes
from hashzoo.results import acceptance
from hashzoo.results.acceptance import few_seeds, own_plugins, refuse_unrepeatable, write_bundle
from hashzoo.results.bibtex import bibtex
from hashzoo.results.boards import accept, check_boards, write_boards
from hashzoo.results.collect import Found, collect
from hashzoo.results.commands import load, show, submit_runs, write
from hashzoo.results.evidence import Evidence, codes_file, place_of, values_file
from hashzoo.results.record import PluginInfo, Record, read_record, write_record
from hashzoo.runner.progress import Quiet
from hashzoo.runner.verify import verify_codes
from hashzoo.specs import Paper

P = "cifar10-5k-disjoint"


def draw(seed: int, noise: float, bits: int = 8) -> dict[str, Codes]:
    """Codes of 40 queries and 120 items in four classes: a class's pattern with some bits flipped."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(5).choice([-1, 1], (4, bits))
    found = {}
    for name, n in (("query.image", 40), ("database.image", 120)):
        labels = np.arange(n) % 4
        flips = np.where(rng.random((n, bits)) < noise, -1, 1)
        found[name] = Codes.from_relaxed(
            pattern[labels] * flips * rng.uniform(0.5, 1, (n, bits)), labels, keep_relaxed=True, num_classes=4
        )
    return found


@pytest.fixture
def boards(tmp_path, make_record) -> Path:
    for method, noise in (("dch", 0.05), ("dhn", 0.06), ("sh", 0.4)):
        for seed in (0, 1, 2):
            codes = draw(seed + 10 * len(method), noise)
            metrics = evaluate(*(codes[name] for name in ("query.image", "database.image")), "map,map@h2,precision@h2")
            record = make_record(
                method, 8, seed, metrics={k: v for k, v in metrics.items() if v is not None},
                codes_sha256=codes_sha256(codes),
            )  # fmt: skip
            folder = tmp_path / "runs" / method / f"seed-{seed}"
            write_record(folder / "record.json", record)
            save_codes(folder / "codes.npz", codes)
    accept(collect([tmp_path / "runs"]), tmp_path / "leaderboards" / "records")
    write_boards(load([tmp_path / "leaderboards" / "records"]), tmp_path / "leaderboards")
    return tmp_path / "leaderboards"


def stored(boards: Path, method: str = "dch", seed: int = 0) -> tuple[Record, Path]:
    path = boards / "records" / P / method / "alexnet-finetune" / f"bits-008-seed-{seed}.json"
    record = read_record(path)
    return record, place_of(record, boards / "records", boards / "evidence")


def forge(boards: Path, **changed: object) -> None:
    """Change a record and compute its checksum again, as anybody can."""
    record, _ = stored(boards)
    assert record.path is not None
    write_record(record.path, record.model_copy(update=changed))


def test_values_by_query_lie_beside_every_record_and_codes_beside_one_a_method(boards):
    record, place = stored(boards)
    values = np.load(values_file(place))
    assert {"map", "map@h2", "precision@h2"} == set(values)
    assert values["map"].shape == (40,)
    assert float(values["map"].mean()) == pytest.approx(record.metrics["map"], abs=1e-6)
    assert sorted(path.name for path in (boards / "evidence").rglob("*.codes.npz")) == ["bits-008-seed-0.codes.npz"] * 3
    assert len(list((boards / "evidence").rglob("items-*.npz"))) == 1  # ids and labels are shared
    assert Evidence(boards).of(record).level == "follows from codes"
    assert Evidence(boards).of(stored(boards, seed=1)[0]).level == "reported only"
    assert check_boards(boards / "records", boards) > 0


def test_accepting_again_changes_no_byte(boards, tmp_path):
    before = {path: path.read_bytes() for path in boards.rglob("*") if path.is_file()}
    accept(collect([tmp_path / "runs"]), boards / "records")
    assert {path: path.read_bytes() for path in boards.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("with_codes", [True, False])
def test_a_run_that_replaces_another_brings_its_evidence_or_leaves_none(boards, tmp_path, make_record, with_codes):
    codes = draw(99, 0.3)
    metrics = evaluate(codes["query.image"], codes["database.image"], "map")
    write_record(
        tmp_path / "new" / "record.json", make_record("dch", 8, metrics=metrics, codes_sha256=codes_sha256(codes))
    )
    if with_codes:
        save_codes(tmp_path / "new" / "codes.npz", codes)
    accept(collect([tmp_path / "new"]), boards / "records", replace_old=True)
    record, place = stored(boards)
    assert bool(record.evidence) is with_codes
    assert (values_file(place).exists(), codes_file(place).exists()) == (with_codes, with_codes)
    write_boards(load([boards / "records"]), boards)
    assert check_boards(boards / "records", boards) > 0


def test_a_submission_that_replaces_another_leaves_none_of_its_codes(boards, tmp_path, make_record):
    """The codes of a submission are thinned: the record names some that are not beside it."""
    codes = draw(99, 0.3)
    metrics = evaluate(codes["query.image"], codes["database.image"], "map")
    write_record(
        tmp_path / "new" / "record.json", make_record("dch", 8, metrics=metrics, codes_sha256=codes_sha256(codes))
    )
    save_codes(tmp_path / "new" / "codes.npz", codes)
    accept(collect([tmp_path / "new"]), tmp_path / "sent" / "records")
    codes_file(next((tmp_path / "sent").rglob("*.values.npz")).with_name("bits-008-seed-0")).unlink()
    accept(collect([tmp_path / "sent" / "records"]), boards / "records", replace_old=True)
    write_boards(load([boards / "records"]), boards)
    assert check_boards(boards / "records", boards) > 0


def test_files_of_others_among_the_evidence_stay(boards, tmp_path):
    theirs = boards / "evidence" / "figures.npz"
    np.savez(theirs, a=np.zeros(3))
    accept(collect([tmp_path / "runs"]), boards / "records")
    assert theirs.exists()


def test_each_row_with_few_seeds_is_named(make_record):
    alone = [make_record(seed=seed) for seed in (0, 1, 2)]
    frozen = [make_record(seed=seed, regime="frozen") for seed in (0, 1)]
    slow = [make_record(seed=7, config={"recipe": {"lr": 0.5}})]
    assert few_seeds(alone) == []
    said = few_seeds([*alone, *frozen, *slow])
    assert [(("frozen" in line), line.split(" has ")[1].split(" seed")[0]) for line in said] == [
        (False, "1"), (True, "2"),
    ]  # fmt: skip


def test_boards_mark_the_group_tied_with_the_best(boards):
    page = (boards / f"{P}_alexnet-finetune_map.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| d", "| sh"))]
    assert [row.count("**") for row in rows] == [2, 2, 0]
    assert "tied with the best" in page
    assert "3 follow from published codes" in page


def test_collapsed_codes_are_never_marked_as_best(boards):
    forge(boards, notes=["Collapsed: 4 of 8 bits are the same in every item."])
    write_boards(load([boards / "records"]), boards)
    page = (boards / f"{P}_alexnet-finetune_map.md").read_text().partition("reported and measured")[0]
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith(("| d", "| sh"))}
    assert {name: row.count("**") for name, row in rows.items()} == {"dch": 0, "dhn": 2, "sh": 0}
    assert "‡" in rows["dch"]


def test_a_printed_board_marks_what_the_committed_one_marks(boards, tmp_path, monkeypatch):
    """Asked for by its records, or by nothing where they are those of the default; runs have no values by query."""
    write(boards)
    monkeypatch.chdir(boards)  # where there are no runs
    page = (boards / f"{P}_alexnet-finetune_map.md").read_text()
    table = [line for line in page.partition("reported and measured")[0].splitlines() if line.startswith("|")]
    assert sum(line.count("**") for line in table) == 4
    for asked in ({"runs": [boards / "records"], "boards": tmp_path / "others"}, {"runs": [], "boards": boards}):
        printed = show(**asked, metric="map", fmt="markdown")
        assert [line for line in printed.splitlines() if line.startswith("|")] == table
    alone = show([tmp_path / "runs"], metric="map", fmt="markdown")
    assert sum(line.count("**") for line in alone.splitlines()) == 2


def test_a_forged_figure_is_reported_only_and_fails_the_check(boards):
    record, _ = stored(boards)
    forge(boards, metrics={**record.metrics, "map": 0.999})
    write_boards(load([boards / "records"]), boards)
    assert Evidence(boards).of(stored(boards)[0]).level == "reported only"
    with pytest.raises(WorkError, match=r"map is 0\.9990 in the record and 0"):
        check_boards(boards / "records", boards)


def test_a_forged_figure_without_its_evidence_named_fails_where_codes_lie_beside_it(boards):
    record, _ = stored(boards)
    forge(boards, metrics={**record.metrics, "map": 0.999}, evidence={})
    write_boards(load([boards / "records"]), boards)
    with pytest.raises(WorkError, match="which names no codes"):
        check_boards(boards / "records", boards)


def test_a_record_that_never_brought_codes_stands_as_reported_only(boards, make_record):
    write_record(boards / "records" / P / "x" / "alexnet-finetune" / "bits-008-seed-0.json", make_record("x", 8))
    write_boards(load([boards / "records"]), boards)
    check_boards(boards / "records", boards)
    assert "reported only" in (boards / f"{P}_alexnet-finetune_map.md").read_text()


@pytest.mark.parametrize("which", [values_file, codes_file])
def test_other_evidence_than_the_record_names_fails(boards, which):
    _, place = stored(boards)
    _, other = stored(boards, "dhn")
    which(place).write_bytes(which(other).read_bytes())
    with pytest.raises(WorkError, match="Evidence contradicts"):
        check_boards(boards / "records", boards)


def test_published_codes_are_verified_also_from_a_bundle(boards, tmp_path):
    said = write_bundle([tmp_path / "runs"], boards / "records", tmp_path / "bundle")
    assert "9 of 9" in said
    assert len(json.loads((tmp_path / "bundle" / "bundle.json").read_text())) == 10
    path = stored(boards, seed=1)[0].path
    assert path is not None
    found = verify_codes(path, bundle=None, reporter=Quiet())
    assert (found.evaluation.split(":")[0], found.ok) == ("reported only, not verified", False)
    found = verify_codes(path, bundle=tmp_path / "bundle", reporter=Quiet())
    assert (found.evaluation, found.ok) == ("follows from codes", True)
    record = read_record(path)
    write_record(path, record.model_copy(update={"metrics": {**record.metrics, "map": 0.999}}))
    found = verify_codes(path, bundle=tmp_path / "bundle", reporter=Quiet())
    assert not found.ok
    assert "map is 0.9990 in the record" in found.text()


def test_a_foreign_plugin_must_be_a_release(make_record):
    def refused(**fields: object) -> None:
        plugin = PluginInfo(**{"distribution": "hashzoo-mine", "version": "1.2", "sha256": "", **fields})
        refuse_unrepeatable([Found(Path("r"), make_record(plugins={"method": plugin}))], {"hashzoo", "hashzoo-dch"})

    refused()
    refused(distribution="hashzoo-dch", editable=True)
    with pytest.raises(UsageError, match="working copy"):
        refused(editable=True)
    for version in ("0.1.dev3+gabc", "1.0+local"):
        with pytest.raises(UsageError, match="no release"):
            refused(version=version)
    for named in ({"distribution": "a; curl x | sh"}, {"distribution": "-e"}, {"distribution": ""}, {"version": ""},
                  {"distribution": "hashzoo-dch", "version": "1 $(id)"}):  # fmt: skip
        with pytest.raises(UsageError, match=r"as the name of its distribution|which is no version"):
            refused(**named)


def test_own_plugins_are_those_of_the_repository_that_the_core_is_from(tmp_path, monkeypatch):
    """Not of the folder that is written to, and not one of the same name that is installed from elsewhere."""
    for name in ("hashzoo-dch", "hashzoo-new"):
        (tmp_path / "clone" / "plugins" / name).mkdir(parents=True)
        (tmp_path / "clone" / "plugins" / name / "pyproject.toml").touch()
    monkeypatch.setattr(acceptance, "REPOSITORY", tmp_path / "clone")
    plugin = type("Plugin", (), {"distribution": "hashzoo-dch"})
    monkeypatch.setattr(acceptance, "registry", lambda: type("Registry", (), {"plugins": [plugin]}))
    monkeypatch.setattr(acceptance, "is_editable", lambda name: True)
    for place, own in (("clone/plugins/hashzoo-dch/dch", True), ("fork/plugins/hashzoo-dch/dch", False)):
        monkeypatch.setattr(acceptance, "plugin_folders", lambda plugin, place=place: [tmp_path / place])
        assert own_plugins() == {"hashzoo", "hashzoo-new", *(["hashzoo-dch"] if own else [])}


def test_runs_of_our_own_plugins_are_packed_wherever_they_are_written_to(tmp_path, make_record, monkeypatch):
    (tmp_path / "clone" / "plugins" / "hashzoo-ours").mkdir(parents=True)
    (tmp_path / "clone" / "plugins" / "hashzoo-ours" / "pyproject.toml").touch()
    ours = PluginInfo(distribution="hashzoo-ours", version="0.2.0", sha256="", editable=True)
    write_record(tmp_path / "ours" / "record.json", make_record(plugins={"method": ours}))
    with pytest.raises(UsageError, match="working copy"):
        submit_runs([tmp_path / "ours"], tmp_path / "sent")
    monkeypatch.setattr(acceptance, "REPOSITORY", tmp_path / "clone")
    assert "Packed 1 record(s)" in submit_runs([tmp_path / "ours"], tmp_path / "sent")


def test_a_submission_holds_the_codes_of_every_cell_and_the_boards_take_one_a_method(boards, tmp_path):
    said = submit_runs([tmp_path / "runs"], tmp_path / "sent", other_parts=True)
    assert "the codes of 9" in said
    assert len(list((tmp_path / "sent").rglob("*.codes.npz"))) == 9
    for record in (tmp_path / "sent").rglob("bits-*.json"):
        assert verify_codes(record, bundle=None, reporter=Quiet()).ok
    accept(collect([tmp_path / "sent" / "records"]), tmp_path / "again" / "records")
    assert len(list((tmp_path / "again").rglob("*.codes.npz"))) == 3


@pytest.mark.parametrize("kept", ["values and codes", "values", "codes", "those of a run"])
def test_a_record_that_contradicts_what_comes_with_it_is_not_accepted(boards, tmp_path, kept):
    """A figure changed and the checksum computed again, as anybody can; nothing of the call is taken."""
    if kept == "those of a run":
        source = tmp_path / "runs"
        path = source / "dch" / "seed-2" / "record.json"
    else:
        submit_runs([tmp_path / "runs"], tmp_path / "sent", other_parts=True)
        source = tmp_path / "sent" / "records"
        path = source / P / "dch" / "alexnet-finetune" / "bits-008-seed-2.json"
    record = read_record(path)
    evidence = {name: sha for name, sha in record.evidence.items() if kept != "codes" or name != "values"}
    write_record(path, record.model_copy(update={"metrics": {**record.metrics, "map": 0.999}, "evidence": evidence}))
    if kept == "values":
        for codes in (tmp_path / "sent").rglob("*.codes.npz"):
            codes.unlink()
    with pytest.raises(WorkError, match=r"contradicts .*map is 0\.9990 in the record and 0"):
        accept(collect([source]), tmp_path / "again" / "records")
    assert not (tmp_path / "again").exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_pull_request_can_hold_a_submission(tmp_path):
    shutil.copy(Path(__file__).parents[2] / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    wanted = ["submission/records/p/m/s/bits-008-seed-0.json", "submission/evidence/p/m/s/bits-008-seed-0.codes.npz"]
    assert subprocess.run(["git", "check-ignore", *wanted], cwd=tmp_path, capture_output=True).stdout == b""
    assert subprocess.run(["git", "check-ignore", "runs/x"], cwd=tmp_path, capture_output=True).returncode == 0


def test_a_submission_is_accepted_with_its_evidence(boards, tmp_path):
    again = tmp_path / "again" / "leaderboards"
    accept(collect([boards / "records"]), again / "records")
    records = [item.record for item in collect([again / "records"])]
    assert len(records) == 9
    evidence = Evidence(again)
    assert [evidence.of(record).level for record in records].count("follows from codes") == 3
    assert all(evidence.of(record).values for record in records)


def test_bibtex_keeps_what_a_title_holds():
    entry = bibtex(Paper("a-2020", "50% of {x} & y_z", "A. One, B. Two and C. Three", "IEEE TIP", 2020))
    assert r"{{50\% of \{x\} \& y\_z}}" in entry
    assert "A. One and B. Two and C. Three" in entry
    assert entry.startswith("@article{a-2020,")
