"""Device, precision and trackers: what is absent is said so, and nothing else is taken in its place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hashzoo.errors import UsageError
from hashzoo.runner import devices
from hashzoo.runner.devices import choose_device, choose_precision, make_accelerator
from hashzoo.runner.train import threads_for


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "none that torch knows"), ("meta", "does not compute on"), ("xpu", "does not compute on")],
)
def test_devices_that_cannot_be_are_refused(device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_device(device)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0") == "cuda:0"
    assert choose_device("cuda") == "cuda"
    with pytest.raises(UsageError, match=r"'cuda:1' was asked for and torch sees 1 device\(s\) of type cuda"):
        choose_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="use --device cpu or auto"):
        choose_device("cuda")


def test_the_processor_is_one_device() -> None:
    assert choose_device("cpu:3") == "cpu"
    assert make_accelerator("cpu", "fp32").device.type == "cpu"


def test_processes_wait_for_the_main_one_longer_than_torch_lets_them() -> None:
    handler = make_accelerator("cpu", "fp32").init_handler
    assert handler is not None
    assert handler.timeout == devices.PATIENCE


def test_fp16_is_for_gpus() -> None:
    with pytest.raises(UsageError, match="fp32, bf16 or auto"):
        choose_precision("fp16", "cpu")
    assert choose_precision("bf16", "cpu") == "bf16"
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")


def test_trackers_are_known_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import accelerate.tracking

    with pytest.raises(UsageError, match="did you mean 'tensorboard'"):
        make_accelerator("cpu", "fp32", ("tensorbord",))
    monkeypatch.setattr(accelerate.tracking, "get_available_trackers", list)
    for name in ("tensorboard", "all"):
        with pytest.raises(UsageError, match=f"{name!r} is not installed"):
            devices.make_accelerator("cpu", "fp32", (name,))


def test_small_models_have_one_thread_large_ones_those_of_torch_and_what_is_asked_for_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sized(nn.Module):
        def __init__(self, megabytes: float) -> None:
            super().__init__()
            self.register_buffer("weight", torch.empty(int(megabytes * 2**18)))  # four bytes each

    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    assert [threads_for(Sized(size), 0) for size in (0.1, 31.9, 32.0, 40)] == [1, 1, 6, 6]
    assert [threads_for(Sized(size), 3) for size in (0.1, 40)] == [3, 3]
