"""The feature cache: computed once, resumed after a crash, damage named, several processes, a full disk."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hashzoo.errors import WorkError
from hashzoo.models.backbones.smallcnn import build_smallcnn
from hashzoo.models.backbones.vector import MLP
from hashzoo.training import feature_cache
from hashzoo.training.feature_cache import (
    FeatureRequest,
    cached_features,
    extract_features,
    frozen_features,
    native_bf16,
)

N, D, BLOCK = 23, 3, 5
REQUEST = FeatureRequest("table", "image", "smallcnn", {"size": 8}, "abc", {"size": 8}, "fp32")
TRUTH = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(feature_cache, "BLOCK_ROWS", BLOCK)


class Counting:
    """Extracts rows of TRUTH and remembers which; raises at block `fail_at`."""

    def __init__(self, fail_at: int = -1) -> None:
        self.rows: list[tuple[int, int]] = []
        self.fail_at = fail_at

    def __call__(self, rows: slice) -> np.ndarray:
        if len(self.rows) == self.fail_at:
            raise KeyboardInterrupt
        self.rows.append((rows.start, rows.stop))
        return TRUTH[rows]


def folder(root: Path) -> Path:
    return root / "features" / REQUEST.key


def test_features_are_computed_once(tmp_path):
    first, second = Counting(), Counting()
    seen: list[tuple[int, int]] = []
    features = cached_features(REQUEST, first, N, D, tmp_path, lambda done, total: seen.append((done, total)))
    again = cached_features(REQUEST, second, N, D, tmp_path)
    assert np.array_equal(features, TRUTH)
    assert np.array_equal(again, TRUTH)
    assert first.rows == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]
    assert second.rows == []
    assert seen == [(0, N), (5, N), (10, N), (15, N), (20, N), (N, N)]
    assert not again.flags.writeable
    assert isinstance(again, np.memmap)


def test_the_file_is_plain_npy_with_a_description(tmp_path):
    cached_features(REQUEST, Counting(), N, D, tmp_path)
    assert np.array_equal(np.load(folder(tmp_path) / "features.npy"), TRUTH)
    meta = json.loads((folder(tmp_path) / "meta.json").read_text())
    assert meta["request"]["backbone"] == "smallcnn"
    assert meta["shape"] == [N, D]
    assert sorted(p.name for p in folder(tmp_path).iterdir() if p.name != "lock") == ["features.npy", "meta.json"]


@pytest.mark.parametrize(
    "changed",
    [
        {"fingerprint": "other"},
        {"modality": "text"},
        {"backbone": "cnn-f"},
        {"options": {"size": 16}},
        {"weights": "abd"},
        {"preprocessing": {"size": 16}},
        {"preprocessing": None},
        {"precision": "bf16"},
    ],
)
def test_the_key_depends_on_everything_that_decides_the_features(changed):
    assert replace(REQUEST, **changed).key != REQUEST.key
    assert replace(REQUEST).key == REQUEST.key


@pytest.mark.parametrize("block", [0, 1, 4])
def test_an_interrupted_extraction_goes_on_where_it_stopped(tmp_path, block):
    broken, rest = Counting(fail_at=block), Counting()
    with pytest.raises(KeyboardInterrupt):
        cached_features(REQUEST, broken, N, D, tmp_path)
    assert not (folder(tmp_path) / "features.npy").exists()
    features = cached_features(REQUEST, rest, N, D, tmp_path)
    assert np.array_equal(features, TRUTH)
    assert broken.rows + rest.rows == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]


def test_a_killed_process_leaves_its_finished_blocks(tmp_path):
    """SIGKILL in the middle of a block, in a process of its own; the file is then that of an unbroken run."""
    program = f"""
        import os, signal, numpy as np
        from pathlib import Path
        from hashzoo.training import feature_cache
        feature_cache.BLOCK_ROWS = {BLOCK}
        truth = np.random.default_rng(0).standard_normal(({N}, {D})).astype(np.float32)
        size = {{"size": 8}}
        request = feature_cache.FeatureRequest("table", "image", "smallcnn", size, "abc", size, "fp32")
        def extract(rows):
            if rows.start == 10:
                os.kill(os.getpid(), signal.SIGKILL)
            return truth[rows]
        feature_cache.cached_features(request, extract, {N}, {D}, Path({str(tmp_path)!r}))
    """
    environment = os.environ | {"PYTHONPATH": str(Path(feature_cache.__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    rest = Counting()
    cached_features(REQUEST, rest, N, D, tmp_path)
    assert rest.rows[0] == (10, 15)
    whole = tmp_path / "unbroken"
    cached_features(REQUEST, Counting(), N, D, whole)
    assert (folder(tmp_path) / "features.npy").read_bytes() == (folder(whole) / "features.npy").read_bytes()


def test_bytes_after_the_last_finished_block_are_dropped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cached_features(REQUEST, Counting(fail_at=2), N, D, tmp_path)
    with (folder(tmp_path) / "features.part").open("ab") as file:
        file.write(b"half a block that was being written")
    rest = Counting()
    assert np.array_equal(cached_features(REQUEST, rest, N, D, tmp_path), TRUTH)
    assert rest.rows[0] == (10, 15)


@pytest.mark.parametrize("kept", [0, 50, 130, -4])
def test_a_finished_file_that_was_cut_short_is_named_and_computed_anew(tmp_path, caplog, kept):
    cached_features(REQUEST, Counting(), N, D, tmp_path)
    path = folder(tmp_path) / "features.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:kept] if kept else b"")
    again = Counting()
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(cached_features(REQUEST, again, N, D, tmp_path), TRUTH)
    assert len(again.rows) == 5
    assert str(path) in caplog.text
    assert f"should have {len(whole)}" in caplog.text
    assert path.read_bytes() == whole


def test_an_unfinished_file_shorter_than_its_progress_is_begun_anew(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        cached_features(REQUEST, Counting(fail_at=3), N, D, tmp_path)
    part = folder(tmp_path) / "features.part"
    part.write_bytes(part.read_bytes()[:-1])
    again = Counting()
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(cached_features(REQUEST, again, N, D, tmp_path), TRUTH)
    assert str(part) in caplog.text
    assert again.rows[0] == (0, 5)


def test_a_broken_progress_file_is_begun_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cached_features(REQUEST, Counting(fail_at=3), N, D, tmp_path)
    (folder(tmp_path) / "progress.json").write_text("{")
    again = Counting()
    assert np.array_equal(cached_features(REQUEST, again, N, D, tmp_path), TRUTH)
    assert again.rows[0] == (0, 5)


def test_a_disk_that_fills_up_is_said_and_keeps_the_finished_blocks(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 5:  # data and progress of two blocks went well
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(WorkError, match=f"need {N * D * 4} bytes.*HASHZOO_CACHE"):
            cached_features(REQUEST, Counting(), N, D, tmp_path)
    rest = Counting()
    assert np.array_equal(cached_features(REQUEST, rest, N, D, tmp_path), TRUTH)
    assert rest.rows[0] == (10, 15)


def test_too_little_room_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 900, 100))
    counting = Counting()
    with pytest.raises(WorkError, match=f"need {N * D * 4} bytes .*has 100 free"):
        cached_features(REQUEST, counting, N, D, tmp_path)
    assert counting.rows == []


def test_a_root_that_is_a_file_is_said(tmp_path):
    (tmp_path / "features").write_text("")
    with pytest.raises(WorkError, match="cannot be used"):
        cached_features(REQUEST, Counting(), N, D, tmp_path)


def test_a_wrong_feature_dim_is_said(tmp_path):
    with pytest.raises(WorkError, match=r"\(5, 3\) for 5 items and says that feature_dim is 4"):
        cached_features(REQUEST, Counting(), N, 4, tmp_path)


def test_two_at_once_share_one_extraction(tmp_path, caplog, monkeypatch):
    """Each takes the lock through a file handle of its own, as two processes do; one computes, the other waits."""
    counting, begun, waits = Counting(), threading.Event(), threading.Event()

    def slowly(rows: slice) -> np.ndarray:
        begun.set()
        assert waits.wait(60)  # until the other has said that it waits
        return counting(rows)

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting" in record.getMessage():
                waits.set()

    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, Heard()])
    with ThreadPoolExecutor(2) as pool, caplog.at_level(logging.WARNING):
        first = pool.submit(cached_features, REQUEST, slowly, N, D, tmp_path)
        begun.wait()
        second = pool.submit(cached_features, REQUEST, slowly, N, D, tmp_path)
        assert np.array_equal(first.result(), TRUTH)
        assert np.array_equal(second.result(), TRUTH)
    assert len(counting.rows) == 5
    assert "waiting for it" in caplog.text


# Backbones
# ----------------------------------------------------------------------------------------------------------


def test_frozen_features_are_those_of_the_backbone_in_evaluation_mode(tmp_path):
    torch.manual_seed(0)
    backbone = build_smallcnn(width=4).train()
    images = np.random.default_rng(1).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    got = frozen_features(
        backbone,
        {"name": "smallcnn", "options": {"width": 4}},
        ("table", "image", images),
        device="cpu",
        precision="fp32",
        root=tmp_path,
    )
    assert backbone.training
    with torch.no_grad():
        expected = backbone.eval()(torch.from_numpy(images))
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5, atol=1e-7)


def test_two_bit_lengths_share_one_extraction(tmp_path):
    """A run for each bit length builds the same backbone and asks for the same features; the second reads them."""
    images = np.random.default_rng(1).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    calls, results = [], []
    for bits in (16, 48):
        torch.manual_seed(0)
        backbone = build_smallcnn(width=4)
        backbone.register_forward_pre_hook(lambda module, given, bits=bits: calls.append((bits, len(given[0]))))
        choice, source = {"name": "smallcnn", "options": {"width": 4}}, ("table", "image", images)
        results.append(frozen_features(backbone, choice, source, device="cpu", precision="fp32", root=tmp_path))
    assert calls == [(16, 5), (16, 5), (16, 2)]
    assert np.array_equal(results[0], results[1])


def test_where_the_weights_came_from_does_not_matter(tmp_path):
    images = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    for weights in ("pretrained", "a/file.safetensors"):
        torch.manual_seed(0)
        choice = {"name": "smallcnn", "options": {"width": 4, "weights": weights}}
        backbone = build_smallcnn(width=4)
        source = ("table", "image", images)
        frozen_features(backbone, choice, source, device="cpu", precision="fp32", root=tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 1


def test_other_weights_are_other_features(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)
    choice, source = {"name": "mlp", "options": {"hidden": 6}}, ("table", "text", vectors)
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        backbone = MLP(4, hidden=6)
        results.append(frozen_features(backbone, choice, source, device="cpu", precision="fp32", root=tmp_path))
    assert not np.array_equal(results[0], results[1])
    assert len(list((tmp_path / "features").iterdir())) == 2


def test_bfloat16_is_close_and_of_its_own(tmp_path):
    torch.manual_seed(0)
    backbone = build_smallcnn(width=8)
    images = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    full = extract_features(backbone, images, "cpu", "fp32", batch_size=4)
    half = extract_features(backbone, images, "cpu", "bf16", batch_size=4)
    assert half.dtype == np.float32
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())


def test_native_bf16_is_what_the_processor_lists():
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        pytest.skip("no /proc/cpuinfo to compare with")
    listed = set(flags.read_text().split())
    assert native_bf16("cpu") == bool({"avx512_bf16", "amx_tile"} & listed)
    assert native_bf16("mps") is False
