from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from hashzoo.errors import UsageError, WorkError
from hashzoo.results.boards import accept, check_boards, slim, write_boards
from hashzoo.results.collect import collect
from hashzoo.results.commands import load
from hashzoo.results.known import Known
from hashzoo.results.record import read_record
from hashzoo.specs import Paper, PaperRow, PaperTable

P = "cifar10-5k-disjoint"
TABLE = PaperTable(
    "dch-2018-table1",
    Paper("dch-2018", "Deep Cauchy Hashing", "Cao et al.", "CVPR", 2018),
    "Table 1",
    "map",
    (
        PaperRow("dch", "CIFAR-10", 16, 0.7901, "page 5", "read", protocol=P, label="DCH"),
        PaperRow("ksh", "CIFAR-10", 16, 0.4368, "page 5", "read", protocol=P, label="KSH"),
    ),
)


@pytest.fixture
def records_dir(tmp_path, make_record, store) -> Path:
    metrics = {"map": 0.71875, "map@h2": 0.5, "recall@1000": 0.25}
    runs = store(
        *(make_record(bits=bits, seed=seed, metrics=metrics) for bits in (16, 32) for seed in (0, 1)),
        make_record(regime="frozen", frozen=True, metrics={"map": 0.375}),
        make_record("lsh", floor=True, regime="none", metrics={"map": 0.125}),
    )
    accept(collect([runs]), tmp_path / "leaderboards" / "records")
    return tmp_path / "leaderboards" / "records"


def test_accepted_records_have_the_stated_names(records_dir):
    names = sorted(str(path.relative_to(records_dir)) for path in records_dir.rglob("*.json"))
    assert names == [
        *(f"{P}/dch/alexnet-finetune/bits-0{bits}-seed-{seed}.json" for bits in (16, 32) for seed in (0, 1)),
        f"{P}/dch/alexnet-frozen/bits-016-seed-0.json",
        f"{P}/lsh/alexnet-none/bits-016-seed-0.json",
    ]


def test_names_with_slashes_stay_one_folder(tmp_path, make_record, store):
    backbone = {"image": "timm/resnet50", "text": "text-mlp"}
    (path,) = accept(collect([store(make_record(backbone=backbone))]), tmp_path / "records")
    assert path.parent == tmp_path / "records" / P / "dch" / "timm-resnet50+text-mlp-finetune"


def test_accepting_again_changes_nothing(tmp_path, records_dir):
    before = {path: path.read_bytes() for path in records_dir.rglob("*.json")}
    stamps = {path: path.stat().st_mtime_ns for path in before}
    accept(collect([tmp_path / "runs"]), records_dir)
    assert {path: path.read_bytes() for path in records_dir.rglob("*.json")} == before
    assert {path: path.stat().st_mtime_ns for path in before} == stamps


def test_another_run_of_the_same_cell_is_refused_unless_asked_for(records_dir, make_record, store):
    other = store(make_record(metrics={"map": 0.9375}), make_record(seed=7), folder="other")
    with pytest.raises(WorkError, match=r"bits-016-seed-0\.json already holds .* of another run than"):
        accept(collect([other]), records_dir)
    assert not list(records_dir.rglob("*seed-7.json"))  # nothing was accepted, not even what would fit
    accept(collect([other]), records_dir, replace_old=True)
    replaced = read_record(records_dir / P / "dch" / "alexnet-finetune" / "bits-016-seed-0.json")
    assert replaced.metrics == {"map": 0.9375}
    assert list(records_dir.rglob("*seed-7.json"))


def test_another_configuration_has_a_folder_of_its_own(records_dir, make_record, store):
    other = store(*(make_record(seed=s, config={"recipe": {"lr": 0.5}}) for s in (0, 1)), folder="other")
    paths = accept(collect([other]), records_dir)
    assert len({path.parent for path in paths}) == 1
    assert re.fullmatch(r"alexnet-finetune-[0-9a-f]{8}", paths[0].parent.name)
    assert accept(collect([other]), records_dir) == paths
    assert len(collect([records_dir])) == 8


def test_two_new_configurations_in_one_call_have_a_folder_each(tmp_path, make_record, store):
    fast, slow = ({"recipe": {"lr": lr}} for lr in (0.5, 0.1))
    made = [make_record(seed=seed, config=config) for config, seed in ((fast, 0), (slow, 0), (slow, 1))]
    paths = accept(collect([store(*made)]), tmp_path / "records")
    assert len(set(paths)) == 3
    kept = {path: read_record(path) for path in paths}
    assert sorted((r.config.recipe.lr, r.seed) for r in kept.values()) == [(0.1, 0), (0.1, 1), (0.5, 0)]
    assert len({path.parent for path, record in kept.items() if record.config.recipe.lr == 0.1}) == 1
    assert accept(collect([tmp_path / "runs"]), tmp_path / "records") == paths


def test_accepted_records_are_small_and_lose_no_metric(tmp_path, make_record, store):
    curve = [[rank, rank / 7, 1 / (rank + 1)] for rank in range(100)]
    record = make_record(
        metrics={f"metric{n}": 1 / 3 for n in range(40)},
        curves={"pr_curve": curve, "pr_curve_lookup": curve[:65], "long": [1 / 3] * 50000},
        notes=["kept"],
    )
    runs = store(record)
    (path,) = accept(collect([runs]), tmp_path / "records")
    kept = read_record(path)
    assert path.stat().st_size < 20_000
    assert kept.metrics == record.metrics
    assert kept.curves["pr_curve"][3] == [3, 0.4286, 0.25]
    assert set(kept.curves) == {"pr_curve", "pr_curve_lookup"}
    assert kept.notes == ["kept", "Curves kept in the run directory only: long."]
    assert kept.origin_sha256 == read_record(runs / "run-0" / "record.json").record_sha256
    assert slim(kept) == kept


def test_accepting_nothing_is_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no record in the given paths"):
        accept(collect([tmp_path / "empty"]), tmp_path / "records")


def test_boards_are_written_for_each_setting_and_metric(tmp_path, records_dir):
    out = records_dir.parent
    written = write_boards(load([records_dir]), out, [TABLE])
    stems = [f"{P}_alexnet-finetune_map", f"{P}_alexnet-finetune_map@h2", f"{P}_alexnet-frozen_map"]
    expected = {f"{stem}{end}" for stem in stems for end in (".md", ".csv")} | {"index.md", "published.json"}
    assert {path.name for path in written} == expected
    assert {path.name for path in out.iterdir() if path.is_file()} == expected

    text = (out / f"{stems[0]}.md").read_text()
    assert "| dch | **0.7188 ± 0.0000** | **0.7188 ± 0.0000** |" in text
    assert "| lsh | 0.1250 (1) |  |" in text
    command = (
        f"hashzoo leaderboard leaderboards/records --protocol {P} --metric map --backbone alexnet --regime finetune"
    )
    assert text.index(f"`{command} --format markdown`") < text.index("| method")
    assert "| dch | 16 | 0.7901 | 0.7188 ± 0.0000 | -0.0714 | [1] |" in text
    frozen = (out / f"{stems[2]}.md").read_text()
    assert "0.7188" not in frozen
    assert "| lsh |" in frozen

    frame = pd.read_csv(out / f"{stems[0]}.csv").set_index(["method", "bits"])
    assert frame.loc[("dch", 16), "measured"] == 0.71875
    assert frame.loc[("dch", 16), "gap"] == 0.71875 - 0.7901
    for stem in stems:
        assert f"[board]({stem}.md)" in (out / "index.md").read_text()


def test_written_boards_pass_the_check_and_are_written_the_same_again(records_dir):
    out = records_dir.parent
    first = {path: path.read_bytes() for path in write_boards(load([records_dir]), out, [TABLE])}
    assert check_boards(records_dir, out) == len(first)
    assert {path: path.read_bytes() for path in write_boards(load([records_dir]), out, [TABLE])} == first


def test_published_values_stay_when_their_plugin_is_absent(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out, [TABLE])
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    write_boards(load([records_dir]), out, [])
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    (stored,) = json.loads((out / "published.json").read_text())
    assert [row["method"] for row in stored["rows"]] == ["dch"]  # only what stands beside a measured cell


@pytest.mark.parametrize(("name", "old", "new"), [
    (f"{P}_alexnet-finetune_map.md", "0.7188", "0.7198"),
    (f"{P}_alexnet-finetune_map.csv", "0.71875", "0.71876"),
    ("index.md", "alexnet", "alexnot"),
    (f"{P}_alexnet-finetune_map.md", "0.7901", "0.7902"),
])  # fmt: skip
def test_one_changed_digit_is_found_and_named(records_dir, name, old, new):
    out = records_dir.parent
    write_boards(load([records_dir]), out, [TABLE])
    path = out / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(WorkError, match=re.escape(f"{path} line ")):
        check_boards(records_dir, out)


def test_a_changed_published_value_is_found(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out, [TABLE])
    path = out / "published.json"
    path.write_text(path.read_text().replace("0.7901", "0.7902"))
    with pytest.raises(WorkError, match="do not follow from their records"):
        check_boards(records_dir, out)


def test_a_new_or_edited_record_makes_the_check_fail(records_dir, make_record, store):
    out = records_dir.parent
    write_boards(load([records_dir]), out)
    accept(collect([store(make_record(seed=2, metrics={"map": 0.5}), folder="more")]), records_dir)
    with pytest.raises(WorkError, match="do not follow from their records"):
        check_boards(records_dir, out)
    record = next(records_dir.rglob("bits-032-seed-1.json"))
    record.write_text(record.read_text().replace("0.71875", "0.81875"))
    with pytest.raises(WorkError, match=re.escape(str(record)) + " was changed"):
        check_boards(records_dir, out)


def test_missing_and_left_over_boards_are_named_and_put_right(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out)
    (out / "README.md").write_text("# Ours\n")
    missing, left_over = out / f"{P}_alexnet-finetune_map@h2.md", out / f"{P}_alexnet-frozen_map.md"
    missing.unlink()
    for path in (records_dir / P / "dch" / "alexnet-frozen").iterdir():
        path.unlink()
    with pytest.raises(WorkError) as caught:
        check_boards(records_dir, out)
    assert f"{missing} is missing" in str(caught.value)
    assert f"{left_over} has no record behind it" in str(caught.value)
    write_boards(load([records_dir]), out)
    assert not left_over.exists()
    assert not left_over.with_suffix(".csv").exists()
    assert (out / "README.md").read_text() == "# Ours\n"
    check_boards(records_dir, out)


def test_damaged_published_values_are_a_sentence(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out, [TABLE])
    (out / "published.json").write_text('[{"id": 1')
    with pytest.raises(WorkError, match=r"published\.json is damaged"):
        check_boards(records_dir, out)


def test_boards_import_no_torch_and_records_no_pandas():
    code = (
        "import sys\n"
        "import hashzoo.results.reported, hashzoo.results.paper_tables\n"
        "assert not {'torch', 'pandas', 'pydantic', 'numpy'} & set(sys.modules), 'listing'\n"
        "import hashzoo.results.collect\n"
        "assert not {'torch', 'pandas'} & set(sys.modules), 'records'\n"
        "import hashzoo.results.boards\n"
        "assert 'pandas' in sys.modules and 'torch' not in sys.modules, 'boards'\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", ["..", "../../up", "/abs", ".", "a/../../b", "\x1b[2J", "con" * 200])
def test_no_name_leads_out_of_the_board_folder(tmp_path, make_record, store, name):
    records = tmp_path / "deep" / "boards" / "records"
    record = make_record(name, protocol=name, backbone={"image": name}, metrics={"map": 0.5})
    (path,) = accept(collect([store(record)]), records)
    assert path.is_relative_to(records)
    assert path.resolve().is_relative_to(records.resolve())
    assert len(path.relative_to(records).parts) == 4
    write_boards(load([records]), records.parent)
    assert {child.name for child in tmp_path.iterdir()} == {"deep", "runs"}
    assert {child.name for child in (tmp_path / "deep").iterdir()} == {"boards"}
    check_boards(records, records.parent)


def test_a_link_out_of_the_record_folder_is_refused(tmp_path, make_record, store):
    records, outside = tmp_path / "boards" / "records", tmp_path / "outside"
    outside.mkdir()
    records.mkdir(parents=True)
    (records / P).symlink_to(outside)
    with pytest.raises(WorkError, match="leads out of"):
        accept(collect([store(make_record())]), records)
    assert not list(outside.iterdir())


def test_damage_never_calls_for_deletion(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out, [TABLE], Known({"dch": {"finetune": {"recipe": None, "defaults": {}}}}))
    for name in ("published.json", "registered.json"):
        whole = (out / name).read_text()
        (out / name).write_text('[{"id": 1')
        with pytest.raises(WorkError, match=name) as caught:
            write_boards(load([records_dir]), out)
        assert "move it away" in str(caught.value)
        assert "delete" not in str(caught.value)
        (out / name).write_text(whole)


def test_files_of_others_in_the_board_folder_stay(records_dir):
    out = records_dir.parent
    write_boards(load([records_dir]), out)
    (out / "notes.csv").write_text("mine\n")
    check_boards(records_dir, out)
    write_boards(load([records_dir]), out)
    assert (out / "notes.csv").read_text() == "mine\n"
