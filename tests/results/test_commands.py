from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hashzoo.cli import main
from hashzoo.errors import UsageError, WorkError
from hashzoo.results import commands
from hashzoo.results.boards import write_boards
from hashzoo.results.known import Known
from hashzoo.results.measure import Selection
from hashzoo.specs import Paper, PaperRow, PaperTable

README = "deephash-pytorch-readme-map"


@pytest.fixture
def dhn(make_record, store) -> Path:
    """Runs of dhn at 48 bits, where DeepHash-pytorch's README gives 0.781 for the same protocol."""
    return store(*(make_record("dhn", 48, seed, metrics={"map": 0.75 + seed / 100}) for seed in (0, 2)))


def test_show_gives_every_format(dhn):
    (board,) = json.loads(commands.show([dhn], fmt="json"))["boards"]
    assert board["cells"][0]["measured"] == 0.76
    assert "0.7600 ± 0.0141" in commands.show([dhn])


def test_compare_finds_the_registered_tables(dhn):
    frame = commands.frame(commands.load([dhn]), Selection(), compare=True)
    assert frame["reported"].tolist() == [0.781]
    assert frame["source"].iloc[0].startswith(README)
    assert "-0.0210" in commands.show([dhn], compare=True)


def test_a_published_table_is_laid_out_by_id(dhn):
    frame = commands.frame(commands.load([dhn]), Selection(), paper_table=README)
    assert frame["CIFAR-10 (cifar10)", "map", 48, "measured"].dropna().tolist() == [0.76]
    with pytest.raises(UsageError, match="did you mean"):
        commands.show([dhn], paper_table="deephash-pytorch-readme-mpa")


def test_a_table_measured_in_several_settings_says_which(make_record, store):
    runs = store(make_record("dhn", 48), make_record("dhn", 48, regime="frozen"))
    frame = commands.frame(commands.load([runs]), Selection(), paper_table=README)
    assert list(frame.index.get_level_values("setting").unique()) == ["alexnet, finetune", "alexnet, frozen"]
    column = frame["CIFAR-10 (cifar10)", "map", 48, "reported"]
    assert column[frame.index.get_level_values("method") == "DHN"].tolist() == [0.781, 0.781]


def test_selection_reaches_the_board(make_record, store):
    runs = store(make_record(), make_record(regime="frozen"), make_record(protocol="digits"))
    text = commands.show([runs], protocol="digits", fmt="csv")
    assert len(text.splitlines()) == 2
    text = commands.show([runs], protocol="cifar10-5k-disjoint", backbone="alexnet", regime="frozen", fmt="csv")
    assert [line.split(",")[2] for line in text.splitlines()[1:]] == ["frozen"]


def test_without_paths_runs_come_first_then_accepted_records(dhn, tmp_path):
    assert dhn == tmp_path / "runs"
    commands.accept_runs([], Path("leaderboards"))
    assert [record.origin_sha256 for record in commands.load([])] == ["", ""]
    dhn.rename(tmp_path / "elsewhere")
    assert all(record.origin_sha256 for record in commands.load([]))
    assert "0.7600" in commands.show([])


def test_nothing_anywhere_is_a_sentence():
    with pytest.raises(UsageError, match="no records yet"):
        commands.show([])


def test_accept_write_check(dhn):
    boards = Path("leaderboards")
    said = commands.accept_runs([dhn], boards).splitlines()
    assert said[-1] == "Accepted 2 record(s). Wrote 5 file(s) in leaderboards."
    assert said[0].endswith("has 2 seed(s) and should have 3; its row says so.")
    assert commands.check(boards) == "5 file(s) in leaderboards follow from their records."
    page = next(boards.glob("cifar10*.md"))
    page.write_text(page.read_text().replace("0.7600", "0.7700"))
    with pytest.raises(WorkError, match=r"0\.7700"):
        commands.check(boards)
    commands.write(boards)
    commands.check(boards)


def test_tables_of_absent_plugins_are_taken_from_the_board_folder(make_record, store):
    absent = PaperTable(
        "gone-2020-table1",
        Paper("gone-2020", "Gone", "Nobody", "CVPR", 2020),
        "Table 1",
        "map",
        (PaperRow("gone", "CIFAR-10", 16, 0.625, "page 1", "read", protocol="cifar10-5k-disjoint"),),
    )
    runs = store(make_record("gone"))
    commands.accept_runs([runs], Path("leaderboards"))
    write_boards(commands.load([Path("leaderboards/records")]), Path("leaderboards"), [absent])
    assert "0.6250" in commands.show([runs], compare=True)


def test_a_frame_knows_what_absent_plugins_said_when_the_boards_were_written(make_record, store):
    """As a board does: a row says in what it departs from its method's own setting."""
    loss = {"loss": {"name": "l", "options": {"gamma": 3.0}}}
    runs = store(make_record("gone", config=loss))
    own = {"loss": {"name": "l", "options": {"gamma": 1.0}}, "recipe": None, "defaults": {}}
    Path("leaderboards").mkdir()
    (Path("leaderboards") / "registered.json").write_text(Known({"gone": {"finetune": own}}).text())
    frame = commands.frame(commands.load([runs]), Selection())
    assert "loss.gamma=3.0" in str(frame.reset_index().to_dict())


def test_a_board_names_the_floors_that_nobody_measured(make_record, store):
    both = {"map": 0.5, "map@h2": 0.4}
    floors = [make_record(name, floor=True, regime="none", metrics=both) for name in ("lsh", "random")]
    runs = store(make_record("dhn", metrics=both), *floors[:1])
    assert "Floors not measured here: random, uncoded; hashzoo run --method random" in commands.show([runs])
    assert "--method random -p cifar10-5k-disjoint -b alexnet measures one" in commands.show([runs])  # on this board
    own = make_record(
        "dhn", metrics=both, protocol="imagefolder-validation", dataset="imagefolder",
        config={"protocol": "imagefolder", "validation": 0.2, "dataset": {"name": "imagefolder", "options": {
            "path": "my photos", "train_in_database": True}},
            "backbones": {"image": {"name": "alexnet", "options": {"size": 64}}}},
    )  # fmt: skip
    where = "-p imagefolder --validation 0.2 -b alexnet"
    settings = "--set 'data.path=my photos' --set data.train_in_database=true --set backbone.size=64"
    said = " ".join(commands.show([store(own, folder="own")]).split())
    assert f"--method lsh {where} {settings} measures one" in said
    odd = make_record(
        "dhn", metrics=both, protocol="p\x1b[2J",
        config={"protocol": "p\x1b[2J", "dataset": {"name": "d", "options": {"path": "a\x1b]0;b"}}},
    )  # fmt: skip
    said = commands.show([store(odd, folder="odd")])
    assert "Floors not measured here: lsh" in said
    assert "\x1b" not in said, "a record must not steer the terminal"
    all_codes = store(make_record("dhn", metrics=both), *floors, folder="more")
    assert "Floors not measured here: uncoded" in commands.show([all_codes])
    assert "Floors" not in commands.show([all_codes], metric="map@h2")  # features have no codes to look up
    pair = store(make_record("dcmh", metrics={"image-to-text/map": 0.5}), folder="pairs")
    absent = commands.show([pair]).partition("Floors not measured here: ")[2].partition(";")[0].split(", ")
    assert {"random-cross-modal"} <= set(absent) <= {"random-cross-modal", "cca"}  # CCA where its plugin is installed


def test_a_published_table_without_measured_values_says_so(make_record, store):
    other = store(make_record("dhn", protocol="digits-1k", dataset="digits"))
    text = commands.show([other], paper_table="deephash-pytorch-readme-map")
    assert "nothing measured yet: NUS-WIDE" in text
    assert "measured with" not in text


def leaderboard(*words: object) -> tuple[int, str]:
    from click.testing import CliRunner

    from hashzoo.cli.leaderboard import leaderboard_command

    done = CliRunner().invoke(leaderboard_command, [str(word) for word in words])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--check", "--write"), "--write is about the whole board folder; leave out --check"),
        (("--accept", "--check"), "leave out --check"),
        (("--write", "runs"), "leave out RUNS"),
        (("--check", "--metric", "map", "--format", "csv"), "leave out --metric and --format"),
        (("--replace",), "--replace says how to accept"),
        (("--accept", "--compare"), "leave out --compare"),
    ],
)
def test_options_that_say_two_things_are_refused(dhn, words, says):
    code, text = leaderboard(*words)
    assert code == 2
    assert says in text


def test_a_table_and_a_comparison_are_not_one_thing(dhn):
    with pytest.raises(UsageError, match="leave out --compare"):
        commands.show([dhn], paper_table=README, compare=True)
    with pytest.raises(UsageError, match="leave out --metric"):
        commands.show([dhn], paper_table=README, metric="map")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("x.html", "<!DOCTYPE html>"), ("x.csv", "method,"), ("x.md", "## map"), ("x.tex", "% needs"), ("x.JSON", "{"),
     ("x.txt", "map on")],
)  # fmt: skip
def test_the_format_follows_the_ending(dhn, name, begins):
    code, text = leaderboard(dhn, "-o", name)
    assert (code, text) == (0, f"Wrote {name}.\n")
    assert Path(name).read_text().startswith(begins)


@pytest.mark.parametrize("name", ["x.pdf", "x.foo", "x"])
def test_an_ending_that_means_no_format_is_refused(dhn, name):
    code, text = leaderboard(dhn, "-o", name)
    assert code == 2
    assert f"{name} ends in {Path(name).suffix or 'nothing'}; end it in one of .txt, .csv, .md, .tex," in text
    assert not Path(name).exists()
    assert leaderboard(dhn, "-o", name, "--format", "csv")[0] == 0


def test_a_named_format_wins_over_the_ending(dhn):
    leaderboard(dhn, "-o", "x.html", "--format", "csv")
    assert Path("x.html").read_text().startswith("method,")


def test_dch_is_compared_with_the_metric_its_paper_means(make_record, store):
    runs = store(make_record("dch", 48, metrics={"map@h2": 0.5, "map@h2-reranked": 0.75}, headline="map@h2"))
    assert commands.frame(commands.load([runs]), Selection(), compare=True)["reported"].isna().all()
    reranked = commands.frame(commands.load([runs]), Selection(metrics=("map@h2-reranked",)), compare=True)
    assert reranked["reported"].tolist() == [0.8071]


def test_a_published_table_is_shown_as_a_table(dhn):
    text = commands.show_table("dch-2018-table1", 80)
    assert [line.split() for line in text.splitlines() if line.startswith("KSH")] == [
        ["KSH", "0.5185", "0.5659", "0.4102", "0.0608"],
        ["KSH", "0.5797", "0.5532", "0.2338", "0.0216"],
        ["KSH", "0.4368", "0.4585", "0.4012", "0.3819"],
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_bibtex_of_a_board_has_each_paper_once_and_is_written_where_it_is_asked_for(make_record, store, capsys):
    runs = store(make_record("dhn", 48), make_record("dhn-q", 48), make_record("lsh", protocol="another"))
    plain = commands.show_bibtex([runs], Path("boards"))
    assert plain.count("@") == 2
    assert "@inproceedings{dhn-2016," in plain
    (other,) = re.findall(r"@\w+{(.*),", commands.show_bibtex([runs], Path("boards"), "another"))
    assert other != "dhn-2016"
    for output in (("-o", "papers.bib"), ()):
        with pytest.raises(SystemExit) as ended:
            main(["leaderboard", str(runs), "-p", "cifar10-5k-disjoint", "--bibtex", *output])
        assert ended.value.code == 0
    assert Path("papers.bib").read_text() == capsys.readouterr().out.removeprefix("Wrote papers.bib.\n")
    assert "dhn-2016" in Path("papers.bib").read_text()
    floors = store(make_record("lsh"), make_record("random"), make_record("uncoded"), folder="floors")
    assert re.findall(r"@\w+{(.*),", commands.show_bibtex([floors], Path("boards"))) == [other]  # the paper of lsh
    for without_paper in ("unheard-of", "random"):
        with pytest.raises(UsageError, match="installed method with a paper"):
            commands.show_bibtex([store(make_record(without_paper), folder=without_paper)], Path("boards"))


@pytest.mark.parametrize("other", [("--check",), ("--write",), ("--metric", "map"), ("--format", "csv")])
def test_bibtex_beside_what_it_would_leave_undone_is_refused(make_record, store, capsys, other):
    with pytest.raises(SystemExit) as ended:
        main(["leaderboard", str(store(make_record("dhn", 48))), "--bibtex", *other])
    assert ended.value.code == 2
    assert "leave out" in capsys.readouterr().err
