"""Studies from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from hashzoo.cli import main
from hashzoo.cli.study import end_with
from hashzoo.testing.distribution import write_distribution


def hashzoo(*args: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    return int(stop.value.code or 0)


def test_a_dry_run_lists_cells_and_says_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    study = ("run", "-m", "itq,lsh", "-p", "digits-1k", "--bits", "8,16")
    assert hashzoo(*study, "--dry-run") == 0
    assert "4 cells, 0 done, 4 to do." in capsys.readouterr().out
    assert not Path("runs").exists()
    assert hashzoo(*study[:2], "itq", *study[3:], "--workers", "1", "-q") == 0
    capsys.readouterr()
    assert hashzoo(*study, "--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(cell["method"], cell["bits"], cell["done"]) for cell in shown["cells"]] == [
        ("itq", 8, True), ("itq", 16, True), ("lsh", 8, False), ("lsh", 16, False),
    ]  # fmt: skip
    assert (shown["seconds"], shown["unknown"]) == (None, 2)  # what itq took says nothing of lsh


def test_a_dry_run_guesses_no_times(capsys: pytest.CaptureFixture[str]) -> None:
    assert hashzoo("run", "-m", "itq", "-p", "digits-1k", "--bits", "8", "-q") == 0
    capsys.readouterr()
    study = ("run", "-m", "itq,lsh", "-p", "digits-1k", "--bits", "16,32", "--dry-run")
    assert hashzoo(*study, "--engine", "ray") == 0
    shown = capsys.readouterr().out
    assert [line.split("to do, ")[1].split()[0] for line in shown.splitlines() if "to do, " in line] == [
        "about", "about", "not", "not",
    ]  # fmt: skip
    assert (
        "one after another (how many the engine ray does at a time is not counted in); 2 of 4 cells: not known."
        in shown
    )
    assert hashzoo(*study, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unknown"] == 2
    assert hashzoo("run", "-m", "lsh", "-p", "digits-1k", "--dry-run") == 0
    assert "How long they take is not known: runs has no records of the same method" in capsys.readouterr().out


def test_a_dry_run_ends_with_1_where_a_cell_cannot_be_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHZOO_DATA", "nothing-here")
    assert hashzoo("run", "-m", "itq,dcmh,djsrh", "-p", "digits-1k", "--bits", "8", "--dry-run") == 1
    shown = capsys.readouterr().out
    assert "dcmh on digits-1k: cannot be done" in shown
    assert "1 cell, 0 done, 1 to do." in shown
    assert hashzoo("run", "-m", "itq,lsh", "--loss", "dch", "--bits", "8", "--dry-run") == 1
    assert "0 cells" in capsys.readouterr().out
    assert hashzoo("run", "-m", "itq,lsh", "-p", "cifar10-5k", "--bits", "8", "--dry-run") == 1
    shown = capsys.readouterr().out
    assert shown.count("cifar10-5k: its data are not there (cifar-10-batches-py below nothing-here)") == 1


@pytest.mark.parametrize("names", [("-m", "dch,nope"), ("-m", "dch,all"), ("-m", "all", "-p", "digits-1k,digits-2k")])
def test_a_mistyped_name_is_said_once(names: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert hashzoo("run", *names, "--dry-run") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_an_engine_without_a_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert hashzoo("run", "-m", "lsh", "--engine", "", "--dry-run") == 2
    assert "--engine names no engine" in capsys.readouterr().err


def test_keep_going_ends_with_what_failed_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    study = ("run", "-m", "itq,dcmh", "-p", "digits-1k", "--bits", "8")
    assert hashzoo(*study, "--keep-going") == 1
    shown = capsys.readouterr()
    assert "digits-1k, map, mean over seeds" in shown.out
    assert "cell 1 of 1: itq" in shown.err
    assert "dcmh on digits-1k" in shown.err
    assert "choose a dataset that fits" in shown.err
    assert hashzoo(*study) == 2
    assert hashzoo("run", "-m", "itq,lsg", "-p", "digits-1k", "--keep-going") == 2
    assert "did you mean 'lsh'" in capsys.readouterr().err


def test_a_file_holds_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    Path("study.toml").write_text(
        'method = ["itq", "greedyhash"]\nprotocol = ["digits-1k"]\nbits = [8]\nseeds = "0-1"\nkeep_going = true\n'
        "engine = 'local:workers=1'\nout = 'there'\n[set]\nepochs = 9\n[set_for.greedyhash]\nepochs = 1\n"
    )
    assert hashzoo("run", "--config", "study.toml", "-q", "--json") == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert [(r["method"], r["seed"]) for r in found] == [
        ("itq", 0), ("itq", 1), ("greedyhash", 0), ("greedyhash", 1),
    ]  # fmt: skip
    assert found[2]["config"]["recipe"]["epochs"] == 1
    assert shown.err.count("Not trained by gradients, so without epochs: itq.") == 1
    assert len(list(Path("there").iterdir())) == 2
    assert hashzoo("run", "--config", "study.toml", "--set", "epochs=2", "-m", "greedyhash", "--dry-run") == 0
    assert "0 done, 2 to do" in capsys.readouterr().out  # the command line wins, and 2 epochs are another run


def test_one_method_in_a_list_is_a_plain_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.toml").write_text('method = ["lsh"]\nprotocol = ["digits-1k"]\nbits = [8]\n')
    assert hashzoo("run", "--config", "one.toml") == 0
    shown = capsys.readouterr()
    assert "lsh on digits-1k" in shown.out
    assert "Records, codes and models are in" in shown.err


def test_torchrun_shares_one_cell_and_no_study(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert hashzoo("run", "-m", "itq,lsh") == 2
    assert "torchrun" in capsys.readouterr().err


TABLE = """
from hashzoo import Paper, PaperRow, PaperTable, hookimpl

PAPER = Paper("toy-2030", "Toy hashing", "A. Author", "", 2030)
ROW = dict(dataset="Digits", bits=8, value=0.5, source="page 1", confidence="read", protocol="digits-1k")

@hookimpl
def hashzoo_register_paper_tables():
    rows = (PaperRow("itq", label="ITQ", **ROW), PaperRow("newest", label="Newest", **ROW))
    return (PaperTable("toy-2030-table1", PAPER, "Table 1", "map", rows),)
"""


def test_a_table_is_measured_and_laid_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path / "site", "hashzoo-tables", TABLE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert hashzoo("reproduce", "toy-2030-table1", "--dry-run") == 0
    assert "1 cell, 0 done, 1 to do." in capsys.readouterr().out
    assert hashzoo("reproduce", "toy-2030-table1") == 0
    done = capsys.readouterr()
    assert "Missing: Newest: no installed plugin brings the method 'newest'." in done.err
    assert "Toy hashing (2030)" in done.err
    assert "itq" in done.out.lower()
    assert "0.5" in done.out


BROKEN = """

class Broken:
    def __init__(self, problem):
        pass

    def fit(self, features, labels, seed):
        raise RuntimeError("it cannot be fitted")


@hookimpl
def hashzoo_register_fitters():
    return [Component("broken", Broken)]


@hookimpl
def hashzoo_register_methods():
    return [Method("newest", PAPER, training="fit", fitter="broken", hash_layer="projection")]
"""


def test_a_table_is_laid_out_where_a_cell_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TABLE.replace("import Paper,", "import Component, Method, Paper,") + BROKEN
    write_distribution(tmp_path / "site", "hashzoo-failing-tables", source)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert hashzoo("reproduce", "toy-2030-table1", "--keep-going") == 1
    done = capsys.readouterr()
    assert "newest on digits-1k" in done.err
    assert "it cannot be fitted" in done.err
    assert "reported" in done.out  # the table, after the records of what was done


def test_a_table_of_which_nothing_is_there_fails_with_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert hashzoo("reproduce", "greedyhash-2018-cifar10-I") == 1
    assert "its data are not there" in capsys.readouterr().err
    capsys.readouterr()
    assert hashzoo("reproduce", "greedyhash-2018-cifar10-I", "--dry-run", "--json") == 1
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["cells"] == []
    assert answer["missing"]
    assert all(f"Missing: {sentence}" in told.err for sentence in answer["missing"])


def test_a_tuned_run_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    at = ("-m", "itq", "-p", "digits-1k", "--bits", "8")
    assert hashzoo("tune", *at, "--trials", "3", "--out", "tuning", "-q") == 0
    (study,) = Path("tuning").glob("*.json")
    capsys.readouterr()
    assert hashzoo("run", *at, "--tuned", str(study), "--workers", "1") == 0
    assert "itq (pixels frozen, tuned, 1 trial)" in " ".join(capsys.readouterr().out.split())
    assert hashzoo("runs") == 0
    assert "itq on digits-1k, pixels frozen, tuned (1 trial); changed: nothing" in capsys.readouterr().out


def test_claims_of_a_protocol_that_is_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert hashzoo("run", "-m", "lsh", "-p", "digits-1k", "--bits", "8", "-q") == 0
    capsys.readouterr()
    assert hashzoo("claims", "-p", "digits-2k") == 2
    assert "no protocol 'digits-2k'; did you mean 'digits-1k'" in capsys.readouterr().err
    assert hashzoo("claims", "-p", "digits-1k") == 0
    assert hashzoo("claims", "-p", "cifar10-5k") == 0  # known, and not measured


def test_a_reason_that_many_cells_share_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [(f"dch on digits-1k, {bits} bits", "the loss is not finite") for bits in (16, 32, 48)]
    with pytest.raises(click.exceptions.Exit) as ended:
        end_with([*cells, ("itq on digits-1k, 16 bits", "no room is left")])
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.splitlines() == [
        "Error: 4 things could not be done:",
        "  dch on digits-1k, 16 bits (and 2 more for the same reason): the loss is not finite",
        "  itq on digits-1k, 16 bits: no room is left",
    ]
