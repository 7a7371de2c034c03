"""The command line as a user meets it, exit codes and sentences included; in own processes where that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pytest
import torch
from PIL import Image

from hashzoo.cli import main
from hashzoo.cli.commands import COMMANDS
from hashzoo.cli.main import _printable, cli
from hashzoo.plugins.heavy import HEAVY
from hashzoo.testing.distribution import write_distribution


def hashzoo(*args: str, site: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    if site is not None:
        env["PYTHONPATH"] = os.pathsep.join([str(site), env.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "hashzoo", *args], env=env, capture_output=True, text=True, timeout=240, check=False
    )


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """A command in this process: its exit code and what it printed."""

    def run(*args: str) -> Ended:
        with pytest.raises(SystemExit) as stop:
            main(list(args))
        return Ended(int(stop.value.code or 0), *capsys.readouterr())

    return run


def imported_by(*args: str) -> set[str]:
    program = (
        "import sys\nfrom hashzoo.cli import main\n"
        f"try:\n    main({list(args)!r})\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("args", [("--help",), ("run", "--help"), ("plugins",), ("list", "methods")])
def test_light_commands_import_neither_torch_nor_pandas(args: tuple[str, ...]) -> None:
    loaded = imported_by(*args)
    assert "hashzoo.cli.main" in loaded
    assert not set(HEAVY) & loaded


@pytest.mark.parametrize("args", [("runs",), ("run", "-m", "nosuch")])
def test_looking_at_runs_and_a_name_that_does_not_exist_import_neither_torch_nor_pandas(args: tuple[str, ...]) -> None:
    loaded = imported_by(*args)
    assert "hashzoo.cli.main" in loaded
    assert set(HEAVY) & loaded <= {"pydantic"}


def test_the_leaderboard_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    loaded = imported_by("leaderboard", str(tmp_path / "runs"))
    assert "pandas" in loaded
    assert not {"torch", "torchvision", "timm", "numba"} & loaded


def test_evaluating_files_imports_no_torch(tmp_path: Path) -> None:
    for name in ("q", "d"):
        np.savez(tmp_path / f"{name}.npz", codes=np.array([[1, -1], [-1, -1]]), labels=np.array([0, 1]))
    loaded = imported_by("evaluate", "--query", str(tmp_path / "q.npz"), "--database", str(tmp_path / "d.npz"))
    assert "hashzoo.evaluation.counting.counts" in loaded
    assert "torch" not in loaded


def test_importing_hashzoo_loads_names_on_first_use() -> None:
    program = (
        "import sys, hashzoo; assert 'torch' not in sys.modules; hashzoo.build_loss; hashzoo.Codes; "
        "print(hashzoo.Problem(16, 10, 100).bits)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "16"


@pytest.mark.parametrize("command", [command.name for command in COMMANDS if command.name != "data"])
def test_every_command_has_help_with_a_worked_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"hashzoo {command}" in shown


@pytest.mark.parametrize("command", ["list", "prepare", "check", "path"])
def test_every_data_command_has_help_with_a_worked_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["data", command, "--help"])
    assert f"hashzoo data {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("rnu",), "did you mean 'run'"),
        (("run", "--methd", "lsh"), "--method"),
        (("run",), "--method greedyhash"),
        (("run", "-m", "greedyhsh"), "did you mean 'greedyhash'"),
        (("run", "-m", "lsh", "--bits", "16,x"), "separated by commas"),
        (("run", "-m", "lsh", "--bits", "0"), "positive integers"),
        (("run", "-m", "lsh", "--set", "lr"), "key=value"),
        (("run", "-m", "lsh", "--config", "none.toml"), "none.toml"),
        (("show", "greedyhsh"), "did you mean 'greedyhash'"),
        (("list", "method"), "methods"),
        (("evaluate",), "--query and --database"),
        (("evaluate", "nothing"), "holds no finished run"),
        (("compare", "a", "b"), "holds no finished run"),
        (("verify", "nothing.json"), "There is no record"),
        (("leaderboard", "nowhere"), "nowhere"),
        (("leaderboard", "--table", "dch-2018-table9"), "dch-2018-table9"),
        (("data", "check", "digit"), "did you mean 'digits"),
        (("export", "nothing", "out"), "holds no record.json"),
        (("check", "greedyhsh"), "did you mean 'greedyhash'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    args: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(list(args))
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_failed_work_is_exit_code_1(call: Call) -> None:
    done = call("data", "check", "cifar10-jpeg")
    assert done.code == 1
    assert "HASHZOO_DATA" in done.err
    assert "Traceback" not in done.err


def test_a_run_from_the_command_line_ends_on_the_leaderboard(tmp_path: Path, call: Call) -> None:
    done = hashzoo("run", "-m", "lsh", "--bits", "16", "--seeds", "0,1", "--json")
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert [record["seed"] for record in records] == [0, 1]
    board = json.loads(call("leaderboard", "--format", "json").out)
    assert "lsh" in json.dumps(board)
    (folder,) = (tmp_path / "runs").iterdir()
    assert "2 record(s)" in call("evaluate", str(folder), "--check").out
    verdict = hashzoo("verify", str(folder / "bits-016" / "seed-1"))
    assert "reproduced (the same codes, bit for bit)" in verdict.stdout
    assert verdict.returncode == 0
    assert call("export", str(folder / "bits-016" / "seed-0"), "codes").code == 0
    assert (tmp_path / "codes" / "database.image.npy").exists()


def test_show_list_and_doctor_answer_programs(call: Call) -> None:
    shown = json.loads(call("show", "digits-1k", "--json").out)
    assert shown["sizes"] == [300, 500, 997]
    names = [row["name"] for row in json.loads(call("list", "losses", "--json").out)]
    assert "greedyhash" in names
    report = json.loads(call("doctor", "--json").out)
    assert report["versions"]["hashzoo"]
    assert report["environment"]["threads"] == torch.get_num_threads()


def test_doctor_speaks_in_sentences(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    with pytest.raises(SystemExit):
        main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("hashzoo ")
    assert all(line.endswith(".") and line[0] != " " and "{" not in line for line in lines)
    assert any(line.startswith("The cache folder is ") and "HASHZOO_CACHE" in line for line in lines)
    assert lines[-1] == "All plugins are in order."


def commands_of(group: click.Group) -> list[click.Command]:
    context = click.Context(group)
    found = [group.get_command(context, name) for name in group.list_commands(context)]
    return [
        one
        for command in found
        if command
        for one in (commands_of(command) if isinstance(command, click.Group) else [command])
    ]


def test_every_command_takes_json() -> None:
    without = [c.name for c in commands_of(cli) if "--json" not in {o for p in c.params for o in p.opts}]
    assert without == []


@pytest.mark.parametrize("action", ["check", "prepare"])
def test_an_empty_database_part_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (8, 8), (60 * i, 10, 10)).save(tmp_path / "photos" / name / f"{i}.png")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "data",
                action,
                "imagefolder",
                "--set",
                "path=photos",
                "--set",
                "queries_per_class=2",
                "--set",
                "train_per_class=2",
            ]
        )
    assert ended.value.code == 1
    assert "the database part is empty" in capsys.readouterr().out


def test_a_broken_plugin_is_one_warning_and_everything_else_works(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write_distribution(site, "hashzoo-broken", "raise RuntimeError('on purpose')")
    done = hashzoo("run", "-m", "lsh", "--bits", "8", "--json", site=site)
    assert done.returncode == 0
    assert done.stderr.count("hashzoo-broken") == 1
    assert len(json.loads(done.stdout)) == 1
    monkeypatch.syspath_prepend(str(site))
    listed = call("plugins")
    assert listed.code == 0
    assert "on purpose" in listed.out
    assert call("--strict", "list", "methods").code == 1
    assert call("plugins", "--strict").code == 1
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    assert call("plugins").out.count("on purpose") == 0


LOUD = """
import torch
from hashzoo import Component, Method, Paper, Recipe, hookimpl
hashzoo_api = 2
class Loud(torch.nn.Module):
    def forward(self, output, batch):
        print("how loud")
        return {"x": output.relaxed.square().mean()}
class LoudLayer(torch.nn.Linear):
    def forward(self, features):
        print("how loud a layer")
        return super().forward(features), super().forward(features).sign()
@hookimpl
def hashzoo_register_losses(): return [Component("loud", "hashzoo_loud:loss")]
@hookimpl
def hashzoo_register_hash_layers(): return [Component("loud", "hashzoo_loud:layer")]
@hookimpl
def hashzoo_register_methods():
    paper, recipe = Paper("l-2020", "t", "a", "v", 2020), Recipe(1, 500, 0.01)
    return [Method("loud", paper, loss="loud", hash_layer="loud", recipe=recipe)]
def loss(problem): return Loud()
def layer(width, problem): return LoudLayer(width, problem.bits)
"""


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_what_a_plugin_prints_at_work_does_not_spoil_the_answer(tmp_path: Path, more: tuple[str, ...]) -> None:
    site = tmp_path / "site"
    write_distribution(site, "hashzoo-loud", LOUD)
    asked = ("run", "-m", "loud", "-p", "digits-1k", "--backbone", "pixels", "--bits", "8", "--json")
    done = hashzoo(*asked, "--out", str(tmp_path / "runs"), *more, site=site, HASHZOO_PLUGINS="loud")
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    assert record["bits"] == 8
    assert {"how loud", "how loud a layer"} <= {*done.stderr.splitlines()}
    if more:
        return
    [cell] = tmp_path.glob("runs/*/bits-008/seed-0")
    own, codes = tmp_path / "own.npy", str(tmp_path / "own.npz")
    np.save(own, np.zeros((3, 8, 8, 3), dtype=np.uint8))
    encoded = hashzoo("encode", str(cell), str(own), codes, "--json", site=site, HASHZOO_PLUGINS="loud")
    assert json.loads(encoded.stdout) == {"codes": 3, "output": codes}, encoded.stderr
    assert "how loud a layer" in encoded.stderr


def test_plugins_can_be_traced(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHZOO_PLUGINS", "")
    done = call("--trace-plugins", "list", "methods")
    assert "ms" in done.err
    assert "hashzoo_register_methods" in done.err


def test_what_plugins_bring_is_counted_in_words(call: Call) -> None:
    training = next(line for line in call("plugins").out.splitlines() if line.startswith("training"))
    assert "1 trainer" in training
    assert "4 methods" in training


def test_a_dataset_without_files_says_so_beside_an_empty_answer(call: Call) -> None:
    done = call("data", "path", "digits")
    assert (done.code, done.out) == (0, "")
    assert "no files in the data folder" in done.err


def test_data_check_and_prepare_never_succeed_on_an_empty_part(tmp_path: Path, call: Call) -> None:
    np.savez(tmp_path / "a.npz", features=np.eye(4), labels=[0, 0, 1, 1])
    for command in ("check", "prepare"):
        options = ("--set", f"path={tmp_path / 'a.npz'}", "--set", "queries=2", "--set", "train=2")
        done = call("data", command, "arrays", *options)
        assert done.code == 1
        assert "Error: the database part is empty" in done.out
    sound = call("data", "check", "digits-1k")
    assert (sound.code, sound.out.splitlines()[-1]) == (0, "The split is in order.")


def test_data_check_strict_makes_errors_of_warnings(tmp_path: Path, call: Call) -> None:
    features = np.concatenate([np.eye(12), np.eye(12)])
    np.savez(tmp_path / "a.npz", features=features, labels=np.arange(24) % 4)
    lenient, strict = (
        call("data", "check", "arrays", "--set", f"path={tmp_path / 'a.npz'}", *extra) for extra in ((), ("--strict",))
    )
    assert (lenient.code, strict.code) == (0, 1)
    assert "Warning: " in lenient.out


def test_what_a_message_quotes_cannot_steer_the_terminal() -> None:
    text = "a\x1b[2J \u202e b\r\n\tnaïve"
    assert _printable(text) == "a\\x1b[2J \\u202e b\\r\n\tnaïve"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "-m", "dch", "-b", "image=pixels", "-b", "image=smallcnn"), "--backbone image is given 2 times"),
        (("run", "-m", "lsh", "--seeds", "5-2"), "ranges from the smaller to the larger"),
        (("leaderboard", "--check", "--json"), "leave out --json"),
        (("leaderboard", "--check", "--format", "csv"), "leave out --format"),
        (("verify", "record.json", "--no-train", "--note"), "leave one out"),
        (("check", "hashzoo", "--only", "nope"), "There is no check 'nope'"),
        (("tune", "-m", "lsh", "-p", "digits-1k", "--out", "a-file"), "a-file"),
    ],
)
def test_wrong_usage_says_which_option(call: Call, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    (tmp_path / "a-file").write_text("")
    done = call(*args)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "readable" not in done.err


def test_settings_of_training_are_left_out_of_the_trials_of_closed_forms(call: Call, tmp_path: Path) -> None:
    out = str(tmp_path / "tuning")
    at = ("-p", "digits-1k", "--backbone", "pixels", "--trials", "2", "--bits", "8", "--set", "epochs=1", "--out", out)
    done = call("tune", "-m", "itq,greedyhash", *at, "-q")
    assert done.code == 0, done.err
    assert "Not trained by gradients, so without epochs: itq." in done.err
