"""Checkpoints: complete or not there, and only for the configuration that wrote them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from hashzoo.errors import WorkError
from hashzoo.training import checkpoints
from hashzoo.training.checkpoints import Checkpoints, load_tensors, optimizer_tensors, restore_optimizer

TENSORS = {"model.w": torch.arange(6.0).reshape(2, 3), "loss.n": torch.tensor(3), "half": torch.ones(2).bfloat16()}
HISTORY = ({"pairwise": 0.1 + 0.2}, {"pairwise": 1e-30})


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "f").save(2, TENSORS, HISTORY)
    found = Checkpoints(tmp_path, "f").latest()
    assert found is not None
    assert found.epoch == 2
    assert found.history == HISTORY
    assert found.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(found.tensors[n], v) and found.tensors[n].dtype == v.dtype for n, v in TENSORS.items())
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_the_time_of_former_processes_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 130.0, 130.0, 500.0, 512.0, 512.0, 900.0])
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    Checkpoints(tmp_path, "f").save(2, TENSORS, HISTORY)  # 30 s
    second = Checkpoints(tmp_path, "f")
    assert second.latest() is not None
    assert second.earlier == 30.0
    second.save(4, TENSORS, HISTORY)  # 12 s more
    third = Checkpoints(tmp_path, "f")
    assert third.latest() is not None
    assert third.earlier == 42.0


def test_tensors_that_share_memory_are_kept_both(tmp_path: Path) -> None:
    weight = torch.arange(4.0)
    Checkpoints(tmp_path).save(1, {"a": weight, "b": weight[1:]}, ())
    tensors, _ = load_tensors(tmp_path / "last.safetensors")
    assert tensors["b"].tolist() == [1, 2, 3]


def test_the_state_of_another_configuration_is_not_used(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "f").save(2, TENSORS, HISTORY)
    other = Checkpoints(tmp_path, "g")
    assert other.latest() is None
    assert not other.kept


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none").latest() is None


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_file_that_was_cut_short_is_named(tmp_path: Path, keep: int) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(2, TENSORS, HISTORY)
    kept.path.write_bytes(kept.path.read_bytes()[:keep])
    with pytest.raises(WorkError, match=r"last\.safetensors cannot be read .* move it away and repeat the command"):
        kept.latest()


def test_a_state_with_one_changed_bit_is_not_trained_on_from(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "f")
    kept.save(2, TENSORS, HISTORY)
    whole = kept.path.read_bytes()
    for back in (1, 9, 30):
        kept.path.write_bytes(whole[:-back] + bytes([whole[-back] ^ 1]) + whole[len(whole) - back + 1 :])
        with pytest.raises(WorkError, match=r"last\.safetensors is damaged: .* --no-resume"):
            kept.latest()


def test_a_state_that_cannot_be_read_is_not_to_be_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(2, TENSORS, HISTORY)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hashzoo.training.checkpoints.safe_open", refuse)
    with pytest.raises(WorkError, match=r"cannot be read .*Permission denied.*; make it readable"):
        kept.latest()


def test_a_full_disk_is_a_sentence_and_the_last_state_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(1, TENSORS, HISTORY[:1])

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(WorkError, match=r"last\.safetensors \(0\.0 MB\): .*No space left on device; free space"):
        kept.save(2, TENSORS, HISTORY)
    monkeypatch.undo()
    found = kept.latest()
    assert found is not None
    assert found.epoch == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match="Could not write"):
        Checkpoints(tmp_path / "file").save(1, TENSORS, ())


def test_a_state_is_due_only_after_a_while(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path, seconds=0.0).due()
    assert not Checkpoints(tmp_path, seconds=3600.0).due()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_the_state_of_an_optimizer_comes_back_and_its_rates_do_not(kind: type[torch.optim.Optimizer]) -> None:
    def make(lr: float) -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
        p = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        more = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return p, kind([p], lr=lr, **more)  # type: ignore[call-arg] # all three take lr

    p, optimizer = make(0.5)
    for _ in range(3):
        p.grad = 2 * p.detach()
        optimizer.step()
    tensors = optimizer_tensors(optimizer)
    assert tensors
    q, other = make(0.25)
    restore_optimizer(other, tensors)
    again = optimizer_tensors(other)
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], value) for name, value in tensors.items())
    assert other.param_groups[0]["lr"] == 0.25
    assert other.state[q]
