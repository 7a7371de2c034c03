"""The Python interface."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console

import hashzoo
from hashzoo.cli import main
from hashzoo.errors import UsageError
from hashzoo.files import file_sha256
from hashzoo.testing import write_distribution

CORE_ONLY = "HASHZOO_PLUGINS"


@pytest.fixture(autouse=True)
def _core_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CORE_ONLY, "")
    torch.set_num_threads(1)


def test_every_public_name_is_there_and_an_unknown_one_is_not() -> None:
    for name in hashzoo.__all__:
        assert getattr(hashzoo, name) is not None
    assert set(hashzoo.__all__) <= set(dir(hashzoo))
    with pytest.raises(AttributeError, match="build_los"):
        hashzoo.build_los  # noqa: B018 -- reading it is the test


def test_parts_are_built_by_name_and_work_together() -> None:
    problem = hashzoo.Problem(bits=12, num_classes=3, num_train=9)
    backbone = hashzoo.build_backbone("smallcnn", width=4)
    layer = hashzoo.build_hash_layer("linear", backbone.feature_dim, problem)
    images = torch.randint(0, 256, (5, 8, 8, 3), dtype=torch.uint8)
    features = backbone(images)
    relaxed, codes = layer(features)
    assert relaxed.shape == codes.shape == (5, 12)


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with one loss."""
    source = """
        from hashzoo import Component, hookimpl

        hashzoo_api = 2

        @hookimpl
        def hashzoo_register_losses():
            return [Component("squares", "hashzoo_squares:Loss")]

        class Loss:
            def __init__(self, problem, weight=1.0):
                self.weight = weight

            def __call__(self, output, batch):
                return {"square": self.weight * output.relaxed.square().mean()}
    """
    write_distribution(tmp_path / "site", "hashzoo-squares", source)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("HASHZOO_PLUGINS", "squares")


def test_a_loss_is_built_with_its_options(squares: None) -> None:
    problem, z = hashzoo.Problem(bits=2, num_classes=2, num_train=1), torch.tensor([[1.0, 3.0]])
    batch = hashzoo.Batch({"image": z}, torch.eye(2)[:1], torch.arange(1))
    terms = hashzoo.build_loss("squares", problem, weight=2.0)(hashzoo.HashOutput(z, z, z), batch)
    assert float(terms["square"]) == 10.0
    for wrong, message in (("square", "did you mean 'squares'"), ("squares", "has no option 'gamma'")):
        with pytest.raises(UsageError, match=message):
            hashzoo.build_loss(wrong, problem, gamma=1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda p: hashzoo.build_hash_layer("liner", 4, p), "did you mean 'linear'"),
        (lambda p: hashzoo.build_backbone("smallcnn", widht=1), "did you mean 'width'"),
    ],
)
def test_wrong_names_and_options_are_refused(build: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(hashzoo.Problem(8, 2, 4))  # type: ignore[operator] # a function


def test_codes_of_one_s_own_are_evaluated() -> None:
    query = hashzoo.Codes.from_relaxed([[0.5, -2.0]], [0], num_classes=2)
    database = hashzoo.Codes.from_relaxed([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], [1, 0, 0], num_classes=2)
    # one item at distance 0 (not relevant), then relevant ones at 1 and 2: precision 1/2 and 2/3
    assert hashzoo.evaluate(query, database, metrics=["map"])["map"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_run_and_its_leaderboard(tmp_path: Path) -> None:
    records = hashzoo.run("lsh", dataset="digits", bits=16, seeds=(0, 1), device="cpu", precision="fp32", out="runs")
    assert [(record.bits, record.seed) for record in records] == [(16, 0), (16, 1)]
    frame = hashzoo.leaderboard("runs", metric="map")
    assert isinstance(frame, pd.DataFrame)
    mean = sum(record.metrics["map"] for record in records) / 2
    numbers = pd.to_numeric(frame.loc["lsh"].to_numpy().ravel(), errors="coerce")
    assert any(value == pytest.approx(mean, abs=1e-9) for value in numbers)
    cell = next(Path("runs").glob("*/bits-016/seed-0"))
    output = hashzoo.load_model(cell)("image", torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
    assert output.codes.shape == (2, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bit": 16}, "did you mean 'bits'"),
        ({"bits": 0}, "positive integers"),
        ({"bits": "16"}, "positive integers"),
        ({"seeds": 1.5}, "Seeds must be integers"),
        ({"out": 3}, "path of a folder"),
        ({"track": "tensorbord"}, "did you mean 'tensorboard'"),
    ],
)
def test_a_run_refuses_what_the_command_line_refuses(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hashzoo.run("lsh", **options)


def test_a_model_is_loaded_from_a_cell_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give one cell of a run"):
        hashzoo.load_model(tmp_path / "nothing")


def test_a_loaded_model_takes_images_in_any_form_and_gives_codes(tmp_path: Path) -> None:
    (record,) = hashzoo.run(
        "lsh", dataset="digits", bits=16, backbone="smallcnn", device="cpu", precision="fp32", out="runs"
    )
    assert record.bits == 16
    model = hashzoo.load_model(next(Path("runs").glob("*/bits-016/seed-0")))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    images = [Image.fromarray(one) for one in pixels]
    for number, image in enumerate(images):
        image.save(f"{number}.png")
    expected = model.encode(pixels)
    signs = model("image", torch.from_numpy(pixels)).codes.detach().numpy()
    assert np.array_equal(expected.signs(), signs)
    for form in (
        images,
        list(pixels),
        torch.from_numpy(pixels),
        ["0.png", Path("1.png")],
        ["0.png", images[1]],
        tmp_path,
    ):
        assert np.array_equal(model.encode(form).packed, expected.packed), type(form)
    for one in (images[0], pixels[0], "0.png", Path("0.png")):
        assert np.array_equal(model.encode(one).packed, expected.packed[:1]), type(one)
    assert model.encode(["0.png", images[1]]).ids.tolist() == ["0.png", "1"]
    Path("0.png").rename("1")
    assert model.encode(["1", images[1], "1"]).ids.tolist() == ["1", "1-0", "2"]
    with pytest.raises(UsageError, match="nothing to encode"):
        model.encode([])


def test_photos_reach_a_network_that_resizes_at_their_own_size() -> None:
    hashzoo.run(
        "lsh", dataset="digits", bits=32, backbone="smallcnn", settings={"backbone.size": 16}, device="cpu",
        precision="fp32", out="runs",
    )  # fmt: skip
    model = hashzoo.load_model(next(Path("runs").glob("*/bits-032/seed-0")))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)  # the table's images are 8 x 8
    Image.fromarray(pixels).save("photo.png")
    expected = model("image", torch.from_numpy(pixels[None])).codes.detach().numpy()
    assert np.array_equal(model.encode("photo.png").signs(), expected)


def test_a_run_goes_on_from_the_model_of_another(tmp_path: Path) -> None:
    settings = {"epochs": 1, "batch_size": 100}
    common = {"dataset": "digits", "backbone": "smallcnn", "device": "cpu", "precision": "fp32"}
    write_distribution(tmp_path / "site", "hashzoo-twin-a", TWIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "site"))
        patch.setenv(CORE_ONLY, "twin-a")
        hashzoo.run("twin", bits=8, settings=settings, out="first", **common)
        (weights,) = Path("first").glob("*/bits-008/seed-0/model.safetensors")
        (record,) = hashzoo.run("twin", bits=8, settings=settings, out="second", weights=str(weights), **common)
    assert record.regime == "finetune"
    assert record.weights["image"] == file_sha256(weights)


TWIN = """
    from hashzoo import Component, Method, Paper, Recipe, hookimpl

    hashzoo_api = 2

    @hookimpl
    def hashzoo_register_losses():
        return [Component("twin-loss", build)]

    @hookimpl
    def hashzoo_register_methods():
        paper = Paper("twin-2026", "t", "a", "v", 2026)
        return [Method("twin", paper, hash_layer="linear", loss="twin-loss", recipe=Recipe(1, 100, 0.01))]

    def build(problem):
        import torch

        class Loss(torch.nn.Module):
            def forward(self, output, batch):
                s = (batch.labels @ batch.labels.T > 0).float()
                z = output.relaxed
                return {"pairs": torch.nn.functional.binary_cross_entropy_with_logits(z @ z.T / 8, s)}

        return Loss()
"""


def test_a_method_that_two_distributions_claim_runs_under_its_full_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("hashzoo-twin-a", "hashzoo-twin-b"):
        write_distribution(tmp_path / "site", name, TWIN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv(CORE_ONLY, "twin-a,twin-b")
    options = {"dataset": "digits", "backbone": "smallcnn", "freeze_backbone": True, "bits": 8, "device": "cpu"}
    with pytest.raises(UsageError, match="'hashzoo-twin-b:twin'"):
        hashzoo.run("twin", **options)
    (record,) = hashzoo.run("hashzoo-twin-b:twin", settings={"epochs": 1, "batch_size": 100}, **options)
    assert record.plugins["method"].distribution == "hashzoo-twin-b"
    assert record.plugins["loss"].distribution == "hashzoo-twin-b"
    (cell,) = Path("runs").glob("*/bits-008/seed-0")
    assert len(hashzoo.load_model(cell).encode(np.zeros((3, 8, 8, 3), np.uint8))) == 3
    assert len(hashzoo.leaderboard("runs"))


def test_settings_have_one_set_of_names(tmp_path: Path) -> None:
    from hashzoo.runner.request import flatten, parse_assignments, read_config

    (tmp_path / "run.toml").write_text("[set]\nlr = 1e-3\n[set.loss]\ngamma = 20\n[set.data]\npath = 'x'\n")
    dotted = parse_assignments(("lr=1e-3", "loss.gamma=20", "data.path=x"))
    assert dotted == read_config(tmp_path / "run.toml")["settings"]
    assert dotted == flatten({"lr": 1e-3, "loss": {"gamma": 20}, "data.path": "x"})


@pytest.mark.parametrize(("terminal", "notebook", "shown"), [(0, 0, "Quiet"), (1, 0, "Live"), (0, 1, "Live")])
def test_progress_shows_on_a_terminal_and_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, terminal: int, notebook: int, shown: str
) -> None:
    from hashzoo.runner import progress

    def console(**_: object) -> Console:
        return Console(file=io.StringIO(), force_terminal=bool(terminal), force_jupyter=bool(notebook))

    monkeypatch.setattr(progress, "Console", console)
    monkeypatch.setattr(progress.Live, "__enter__", lambda self: self)
    monkeypatch.setattr(progress.Live, "__exit__", lambda *_: None)
    with progress.own_reporter() as reporter:
        assert type(reporter).__name__ == shown


def test_a_model_and_what_it_encodes_have_the_mode_that_the_umask_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0o027)
    try:
        hashzoo.run("lsh", dataset="digits", bits=16, backbone="smallcnn", device="cpu", out="runs")
        (cell,) = Path("runs").glob("*/bits-016/seed-0")
        Image.new("RGB", (8, 8)).save("one.png")
        with pytest.raises(SystemExit) as ended:
            main(["encode", str(cell), "one.png", "one.npz"])
    finally:
        os.umask(before)
    assert ended.value.code == 0, capsys.readouterr().err
    written = [cell / "model.safetensors", cell / "codes.npz", cell / "record.json", Path("one.npz")]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in written} == {path.name: "0o640" for path in written}
    with pytest.raises(SystemExit) as ended:
        main(["encode", str(cell), "one.png", "one.npy"])
    assert ended.value.code == 2
    assert "one.npy does not end in .npz, which is what is written; name it one.npz." in capsys.readouterr().err
    assert not Path("one.npy").exists()
