"""The Python interface."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

import hashzoo
from hashzoo.errors import UsageError
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
