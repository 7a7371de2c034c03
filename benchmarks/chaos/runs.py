"""Runs that are killed, that meet a full disk, or whose finished files are damaged, against an unbroken run."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chaos.damage import damaged
from benchmarks.chaos.judge import Group
from hashzoo.errors import HashzooError
from hashzoo.testing import write_distribution

LOSS = """
from hashzoo import Component, Method, Paper, Recipe, hookimpl

@hookimpl
def hashzoo_register_losses():
    return [Component("chaos-noise", "hashzoo_chaosrun:build")]

@hookimpl
def hashzoo_register_methods():
    paper = Paper("chaos-2026", "t", "a", "v", 2026)
    return [Method("chaosrun", paper, "chaos-noise", "linear", Recipe(6, 20, 0.01, "adam"))]

def build(problem):
    import torch
    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.classifier = torch.nn.Linear(problem.bits, problem.num_classes)
        def forward(self, output, batch):
            noise = torch.randn_like(output.relaxed)  # drawn: a resumed run has to draw the same
            scores = self.classifier(output.relaxed + noise)
            return {"classification": torch.nn.functional.cross_entropy(scores, batch.labels.argmax(1))}
    return Loss()
"""
RESULTS = ("model.safetensors", "codes.npz", "history.jsonl")
DONE, REFUSED, FAILED = 0, 1, 3
ITEMS, WIDTH = 160, 8


class Course:
    """A tiny training that is repeated under attack; `folder` holds its data, plugin, cache and runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data.npz"
        write_distribution(folder / "site", "hashzoo-chaosrun", LOSS)
        sys.path.insert(0, str(folder / "site"))
        os.environ |= {"HASHZOO_PLUGINS": "chaosrun", "HASHZOO_CACHE": str(folder / "cache")}
        draw = np.random.default_rng(0)
        labels = draw.integers(0, 3, ITEMS)
        features = (draw.normal(size=(ITEMS, WIDTH)) + labels[:, None]).astype(np.float32)
        np.savez(self.data, features=features, labels=labels)
        begin = time.perf_counter()
        assert self.child(folder / "whole") == DONE, "the unbroken run failed"
        self.seconds = time.perf_counter() - begin
        assert self.child(folder / "whole2", seed=1) == DONE, "the unbroken run of another seed failed"

    def run(self, out: Path, seed: int = 0) -> Any:
        """Run in this process."""
        from hashzoo.runner.request import RunRequest
        from hashzoo.runner.run import run
        from hashzoo.training.checkpoints import Checkpoints

        Checkpoints.due = lambda self: True  # type: ignore[method-assign] # every epoch leaves a state to resume from
        settings = {"data.path": str(self.data), "data.queries": 20, "data.train": 60, "batch_size": 20, "epochs": 6}
        request = RunRequest(
            method="chaosrun", protocol="arrays", backbone="mlp", bits=(8,), seeds=(seed,), settings=settings,
            device="cpu", precision="fp32", out=out,
        )  # fmt: skip
        return run(request)

    def child(self, out: Path, seed: int = 0, kill_after: float | None = None, largest: int | None = None) -> int:
        """Run in a process of its own, which is killed after a while, or may write files up to a size."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            os._exit(self._outcome(out, seed))
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _outcome(self, out: Path, seed: int) -> int:
        try:
            self.run(out, seed)
        except HashzooError:
            return REFUSED
        except BaseException:  # noqa: BLE001 -- whatever comes out is what is looked for
            return FAILED
        return DONE

    def cell(self, out: Path) -> Path:
        """Return the folder of the only cell."""
        (path,) = out.glob("*/bits-008/seed-*")
        return path

    def difference(self, out: Path) -> str:
        """Return in what a finished run differs from the unbroken one, "" where in nothing."""
        from hashzoo.results.record import read_record, same_result

        cell, whole = self.cell(out), self.cell(self.folder / "whole")
        for name in RESULTS:
            if (cell / name).read_bytes() != (whole / name).read_bytes():
                return f"silently another {name}"
        left = [path.name for path in cell.rglob("*.part")]
        if left:
            return f"left over: {left}"
        same = same_result(read_record(cell / "record.json"), read_record(whole / "record.json"))
        return "" if same else "silently another record"


def killed(course: Course, cases: int, seed: int) -> Group:
    """Kill at random moments, then let the run go on; it has to end as the unbroken one did."""
    group, draw = Group("kills, then the same command"), random.Random(seed)
    for number in range(cases):
        out = course.folder / "killed"
        shutil.rmtree(out, ignore_errors=True)
        moments = [draw.uniform(0.0, course.seconds) for _ in range(draw.choice((1, 1, 2)))]
        codes = [course.child(out, kill_after=moment) for moment in moments]
        fault = "a traceback" if FAILED in codes else ""
        fault = fault or ("" if course.child(out) == DONE else "did not go on") or course.difference(out)
        group.note(f"#{number} at {moments}", fault, refused=-signal.SIGKILL in codes)
    return group


def full_disk(course: Course, cases: int, seed: int) -> Group:
    """Let no file grow beyond a size, then take the limit away."""
    group, draw = Group("files that cannot grow, then room"), random.Random(seed)
    sizes = sorted({p.stat().st_size for p in (course.folder / "whole").rglob("*") if p.is_file()})
    for number in range(cases):
        out = course.folder / "full"
        shutil.rmtree(out, ignore_errors=True)
        largest = draw.choice([max(0, size + draw.choice((-1, -200, -5000))) for size in sizes] + [0, 1])
        code = course.child(out, largest=largest)
        fault = "" if code in (DONE, REFUSED) else f"ended with {code}"
        fault = fault or ("" if course.child(out) == DONE else "did not go on") or course.difference(out)
        group.note(f"#{number} {largest} bytes", fault, refused=code == REFUSED)
    return group


def damaged_cells(course: Course, cases: int, seed: int) -> Iterator[Group]:
    """Damage a file of a finished cell, or put another seed's there: repeat the command, and use the cell."""
    from hashzoo.runner.cell import Cell

    draw, other = random.Random(seed), course.cell(course.folder / "whole2")
    again, use = Group("a finished cell damaged, then the same command"), Group("a finished cell damaged, then used")
    whole = Cell(course.cell(course.folder / "whole"))
    right: dict[str, Any] = {"codes": _digest(whole), "record": whole.record.record_sha256, "model": _state(whole)}
    for number in range(cases):
        out = course.folder / "damaged"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(course.folder / "whole", out)
        cell = course.cell(out)
        names = ["model.safetensors", "codes.npz", "record.json", "stages.json"]
        name = names[number % len(names)]
        content = (other if draw.random() < 0.2 else cell) / name
        from_other = content.parent == other
        (cell / name).write_bytes(content.read_bytes() if from_other else damaged(content.read_bytes(), draw))
        if draw.random() < 0.3:
            (cell / "record.json").unlink()
        what = f"#{number} {name}{' of another seed' if from_other else ''}"
        for part, read in _uses(cell).items():
            use.attack(f"{what}, {part}", read, lambda found, part=part: found == right[part])
        again.attack(what, lambda out=out: course.run(out), lambda _, out=out: not _results(course, out))
    yield again
    yield use


def _results(course: Course, out: Path) -> str:
    from hashzoo.results.record import read_record, same_result

    cell, whole = course.cell(out), course.cell(course.folder / "whole")
    if not same_result(read_record(cell / "record.json"), read_record(whole / "record.json")):
        return "another record"
    return "" if (cell / "codes.npz").read_bytes() == (whole / "codes.npz").read_bytes() else "other codes"


def _uses(cell: Path) -> dict[str, Callable[[], Any]]:
    from hashzoo.runner.cell import Cell

    return {
        "codes": lambda: _digest(Cell(cell)),
        "model": lambda: _state(Cell(cell)),
    }


def _digest(cell: Any) -> str:
    from hashzoo.evaluation.codes import codes_sha256

    return codes_sha256(cell.codes)


def _state(cell: Any) -> str:
    from hashzoo.models.weights import weights_digest

    return weights_digest(cell.model())


def damaged_store(folder: Path, cases: int, seed: int) -> Group:
    """Damage what a cache of arrays holds, finished or half written: what comes back has to be right."""
    from hashzoo.store import Content, Store

    group, draw = Group("caches damaged"), random.Random(seed)
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)

    def blocks(stop: int) -> Callable[..., Iterator[np.ndarray]]:
        def give(start: int, noted: dict[str, Any]) -> Iterator[np.ndarray]:
            for begin in range(start, 40, 8):
                if begin >= stop:
                    raise KeyboardInterrupt
                noted["last"] = begin
                yield rows[begin : min(begin + 8 - begin % 8, 40)]

        return give

    for number in range(cases):
        root = folder / f"store-{number}"
        store = Store(root, "features", "features", "features")
        stop = draw.choice((40, 40, 8, 16, 24))
        with contextlib.suppress(KeyboardInterrupt):
            store.get("key", lambda stop=stop: Content((40, 6), "float32", blocks(stop)))
        there = [path for path in sorted(store.folder("key").iterdir()) if path.name != "lock"]
        victim = draw.choice(there)
        content = victim.read_bytes()
        victim.write_bytes(damaged(content, draw))
        os.utime(victim, ns=(number, number))  # as after a copy: neither time nor size can be trusted
        group.attack(
            f"#{number} {victim.name}",
            lambda store=store: np.array(store.get("key", lambda: Content((40, 6), "float32", blocks(40))).array),
            lambda found: found.tobytes() == rows.tobytes(),
        )
        shutil.rmtree(root)
    return group
