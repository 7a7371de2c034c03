"""Studies from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hashzoo.cli import main
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
    assert shown["seconds"] > 0


def test_keep_going_ends_with_what_failed_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    study = ("run", "-m", "itq,lsg", "-p", "digits-1k", "--bits", "8")
    assert hashzoo(*study, "--keep-going") == 1
    shown = capsys.readouterr()
    assert "digits-1k, map, mean over seeds" in shown.out
    assert "cell 1 of 1: itq" in shown.err
    assert "lsg on digits-1k" in shown.err
    assert "did you mean 'lsh'" in shown.err
    assert hashzoo(*study) == 2


def test_a_file_holds_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    Path("study.toml").write_text(
        'method = ["itq", "greedyhash"]\nprotocol = ["digits-1k"]\nbits = [8]\nseeds = [0, 1]\nkeep_going = true\n'
        "engine = 'local:workers=1'\nout = 'there'\n[set]\nepochs = 1\n"
    )
    assert hashzoo("run", "--config", "study.toml", "-q", "--json") == 1  # itq has no epochs, which is said
    shown = capsys.readouterr()
    assert [(r["method"], r["seed"]) for r in json.loads(shown.out)] == [("greedyhash", 0), ("greedyhash", 1)]
    assert "no epochs" in shown.err
    assert len(list(Path("there").iterdir())) == 1


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
    assert "1 cells, 0 done, 1 to do." in capsys.readouterr().out
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
