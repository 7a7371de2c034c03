"""`hashzoo show` speaks in words and loses nothing that a reader asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hashzoo.cli import main
from hashzoo.cli.describe import in_words, recipe_text
from hashzoo.plugins.describe import find_and_describe
from hashzoo.results.record import read_record
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import run


def shown(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["show", name])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_a_method_says_paper_recipes_and_what_each_option_means(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("greedyhash", capsys)
    for part in ("Greedy Hash", "recipe ", "frozen", "loss.", "supervised", "epochs of batches of"):
        assert part in text
    assert "{" not in text
    assert "None" not in text
    flat = " ".join(text.split())
    for docs in find_and_describe("greedyhash")["option_docs"].values():
        for doc in docs:
            assert " ".join(doc["meaning"].split()) in flat


def test_an_engine_says_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert find_and_describe("local", "engines")["options"]
    assert "workers" in shown("local", capsys)


@pytest.mark.parametrize("width", [50, 80, 200])
def test_lines_keep_within_the_terminal(width: int) -> None:
    text = in_words(find_and_describe("greedyhash"), width)
    assert all(len(line) <= width for line in text.splitlines() if "http" not in line and "  (" not in line)


def test_a_method_says_what_tuning_tries(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("dch", capsys)
    assert "searched by hashzoo tune: lr and weight_decay, and what follows\n  loss.gamma  2 to 100, evenly in" in text
    assert "by validation in the paper; ports 20 and 15" in text
    assert "loss.center_features  one of False, True" in shown("ssdh", capsys)
    assert "searched by hashzoo tune: lr and weight_decay\n" in shown("dhn-q", capsys)
    assert "searched by hashzoo tune: nothing\n" in shown("itq", capsys)
    assert "searched by" not in shown("lsh", capsys)


def test_a_family_lists_its_members(capsys: pytest.CaptureFixture[str]) -> None:
    assert "resnet50" in shown("torchvision/", capsys)
    one = shown("torchvision/resnet50", capsys)
    assert "weights = pretrained" in one
    assert "resnet18" not in one, "the family lists its members, a member does not"


def test_a_model_that_its_family_does_not_have_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    text = answered(capsys, "torchvision/resnet51", code=2)
    assert "There is no backbone 'torchvision/resnet51'; did you mean 'torchvision/resnet50'" in text
    assert "`hashzoo show torchvision/` lists them." in text
    assert "timm/resnet18.a1_in1k" in shown("timm/resnet18.a1_in1k", capsys), "a tag may follow"


def test_a_recipe_is_one_line_that_names_what_is_unusual() -> None:
    recipe = find_and_describe("lsh")["recipe"]
    assert recipe is None
    text = recipe_text(
        {
            "epochs": 3,
            "batch_size": 8,
            "lr": 0.5,
            "optimizer": "sgd",
            "backbone_lr_scale": 0.1,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 0.01,
            "warmup": 2,
            "clip": 1.0,
            "bias_lr_scale": 2.0,
            "bias_decay": False,
            "schedule": {"name": "step", "every": 5, "gamma": 0.1, "unit": "epoch"},
        }
    )
    assert text == (
        "3 epochs of batches of 8, sgd, lr 0.5 (step every 5 epochs times 0.1), backbone lr x 0.1, weight decay 0.01, "
        "warm-up 2, clip 1, bias lr x 2, momentum 0.9, Nesterov, no decay of biases"
    )


def test_a_method_as_bibtex(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["show", "dch", "--bibtex"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("@inproceedings{dch-2018,", "}")
    assert "  author    = {Yue Cao and Mingsheng Long and Bin Liu and Jianmin Wang}," in lines


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of two cells."""
    out = tmp_path_factory.mktemp("show") / "runs"
    run(RunRequest("lsh", protocol="digits-1k", bits=(8, 16), out=out))
    (folder,) = out.iterdir()
    return folder


def answered(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["show", *args])
    assert ended.value.code == code
    out, err = capsys.readouterr()
    return err if code else out


def test_a_run_a_cell_and_a_record_are_shown_with_their_values(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {bits: read_record(finished / f"bits-{bits:03d}/seed-0/record.json").metrics["map"] for bits in (8, 16)}
    whole = answered(capsys, str(finished))
    assert "lsh on digits-1k" in whole
    assert "2 done" in whole
    assert all(f"{value:.4f}" in whole for value in values.values())
    cell = finished / "bits-016" / "seed-0"
    for one in (cell, cell / "record.json"):
        text = answered(capsys, str(one))
        assert f"{values[16]:.4f}" in text
        assert f"{values[8]:.4f}" not in text
    told = json.loads(answered(capsys, str(finished), "--json"))
    assert [record["metrics"]["map"] for record in told["records"]] == [values[8], values[16]]


def test_a_folder_that_is_no_run_is_a_sentence(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"hashzoo runs {finished.parent} lists" in answered(capsys, str(finished.parent), code=2)
    monkeypatch.chdir(tmp_path)
    Path("lsh").mkdir()
    assert "Charikar" in answered(capsys, "lsh")  # a registered name goes before a path
    assert "There is no registered thing 'nothing-like-it'. " in answered(capsys, "nothing-like-it", code=2)
    text = answered(capsys, "runs/typed-wrongly", code=2)
    assert "There is no file or folder runs/typed-wrongly, and nothing registered has that name" in text


@pytest.mark.parametrize("more", [("--json",), ("--kind", "losses")])
def test_bibtex_is_of_methods_and_no_json(more: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert f"leave out {more[0]}" in answered(capsys, "lsh", "--bibtex", *more, code=2)
