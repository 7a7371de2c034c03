"""Plugins that end the program, or change its directory, in the middle of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo.cli import main
from hashzoo.testing import write_distribution

SOURCE = """
import sys, os
from hashzoo import Component, Dataset, Method, Metric, Paper, Protocol, Recipe, hookimpl
hashzoo_api = 2
WHERE = "%s"
MODULE = "%s"
def stop(where):
    if where == WHERE:
        sys.exit(0)
@hookimpl
def hashzoo_register_losses(): return [Component("ex", MODULE + ":loss")]
@hookimpl
def hashzoo_register_trainers(): return [Component("ex", MODULE + ":trainer")]
@hookimpl
def hashzoo_register_metrics(): return [Metric("exm")]
@hookimpl
def hashzoo_register_evaluators(): return [Component("ex", MODULE + ":evaluator", metrics=("exm",))]
@hookimpl
def hashzoo_register_datasets():
    protocol = Protocol("exd", "exd", (1, 1, 1), pairs=(("vector", "vector"),))
    return [Dataset("exd", {"vector": "vector"}, (protocol,), MODULE + ":load", {"vector": "mlp"})]
@hookimpl
def hashzoo_register_methods():
    return [Method("ex", Paper("e-2020","t","a","v",2020), loss="ex", trainer="ex", recipe=Recipe(1, 50, 0.01))]
def load(protocol, root): stop("dataset"); raise ValueError("x")
def loss(problem):
    stop("builder")
    import torch
    class L(torch.nn.Module):
        def forward(self, output, batch):
            stop("loss")
            return {"x": output.relaxed.square().mean()}
    return L()
def trainer():
    from hashzoo.training import GradientTrainer
    class T(GradientTrainer):
        def begin(self, job):
            stop("trainer")
            if WHERE == "directory": os.chdir("/")
            return super().begin(job)
    return T()
def evaluator(protocol):
    def judge(task):
        stop("evaluator"); return {"exm": 0.5}
    return judge
"""
PLACES = ("builder", "loss", "trainer", "dataset", "evaluator", "directory")


@pytest.mark.parametrize("where", PLACES)
def test_a_plugin_that_ends_the_program_is_named_and_one_that_changes_directory_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    write_distribution(tmp_path / "site", f"hashzoo-ends-{where}", SOURCE % (where, f"hashzoo_ends_{where}"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("HASHZOO_PLUGINS", f"ends-{where}")
    monkeypatch.chdir(tmp_path)
    method, protocol = ("lsh", "exd") if where == "dataset" else ("ex", "digits-1k")
    evaluators = ["--evaluators", "retrieval,ex"] if where == "evaluator" else []
    settings = ["--set", "epochs=1"] if method == "ex" else []
    with pytest.raises(SystemExit) as ended:
        main(["run", "--method", method, "--protocol", protocol, "--bits", "8", *settings, *evaluators])
    said = capsys.readouterr().err
    if where == "directory":
        assert ended.value.code == 0, said
        assert len(list((tmp_path / "runs").rglob("record.json"))) == 1
        return
    assert ended.value.code == 1, said
    assert f"hashzoo-ends-{where} 1.0" in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("record.json"))


COMMANDS = """
import sys
import click
from hashzoo import Command, hookimpl

@click.command("leave")
@click.argument("how")
def leave(how):
    click.echo("bye")
    if how == "exit":
        sys.exit(3)
    if how == "click":
        raise click.exceptions.Exit(4)
    if how == "message":
        sys.exit("no more")
    if how == "other":
        import hashzoo_rude
        hashzoo_rude.rude()

@hookimpl
def hashzoo_register_commands():
    return [Command("leave", "ends", "hashzoo_leaves:leave")]
"""


@pytest.mark.parametrize(("how", "code"), [("exit", 3), ("click", 4), ("message", "no more"), ("none", 0)])
def test_a_plugins_own_command_ends_with_the_exit_code_that_it_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str, code: int | str
) -> None:
    write_distribution(tmp_path / "site", "hashzoo-leaves", COMMANDS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("HASHZOO_PLUGINS", "leaves")
    with pytest.raises(SystemExit) as ended:
        main(["leave", how])
    assert (ended.value.code or 0) == code
    assert capsys.readouterr() == ("bye\n", "")


def test_another_plugin_that_ends_a_plugins_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_distribution(tmp_path / "site", "hashzoo-leaves", COMMANDS)
    write_distribution(tmp_path / "site", "hashzoo-rude", "import sys\ndef rude():\n    sys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("HASHZOO_PLUGINS", "leaves,rude")
    with pytest.raises(SystemExit) as ended:
        main(["leave", "other"])
    assert ended.value.code == 1
    assert "hashzoo-rude 1.0 failed" in capsys.readouterr().err
