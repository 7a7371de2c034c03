"""The train split as batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hashzoo.errors import UsageError
from hashzoo.training import job
from hashzoo.training.job import TrainData


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    array = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", array)
    stored: np.ndarray = np.load(tmp_path / "images.npy", mmap_mode="r")
    return stored


ROWS = np.array([28, 3, 17, 4, 5, 11, 0])
LABELS = np.eye(7, dtype=np.uint8)


def test_a_split_read_from_disk_gives_the_batches_of_one_in_memory(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = TrainData({"image": images}, LABELS, ROWS)
    monkeypatch.setattr(job, "IN_MEMORY_BYTES", 0)
    mapped = TrainData({"image": images}, LABELS, ROWS)
    seen = []
    for one, other in zip(loaded.batches(3, 5, 2), mapped.batches(3, 5, 2), strict=True):
        assert torch.equal(one.inputs["image"], other.inputs["image"])
        assert other.inputs["image"].dtype == torch.uint8
        assert torch.equal(one.labels, other.labels)
        index = other.index.numpy()
        assert np.array_equal(other.inputs["image"].numpy(), images[ROWS[index]])
        assert np.array_equal(other.labels.numpy(), LABELS[index])
        seen += index.tolist()
    assert sorted(seen) == list(range(7))


def test_the_order_depends_on_seed_and_epoch_alone(images: np.ndarray) -> None:
    data = TrainData({"image": images}, LABELS, ROWS)
    first = data.order(3, 1)
    torch.manual_seed(123)
    torch.rand(10)
    other = TrainData({"x": np.zeros((30, 2), np.float32)}, LABELS, ROWS[::-1])
    assert torch.equal(other.order(3, 1), first)
    assert not torch.equal(data.order(3, 2), first)
    assert not torch.equal(data.order(4, 1), first)


def test_hidden_labels_are_nan_and_keep_their_shape(images: np.ndarray) -> None:
    hidden = TrainData({"image": images}, LABELS, ROWS, hide_labels=True)
    assert hidden.labels.shape == (7, 7)
    assert bool(hidden.batch(torch.tensor([0, 2])).labels.isnan().all())


def test_every_item_needs_a_label_row(images: np.ndarray) -> None:
    with pytest.raises(UsageError, match="7 items and 6 label rows"):
        TrainData({"image": images}, LABELS[:6], ROWS)
