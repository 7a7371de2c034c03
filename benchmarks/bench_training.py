"""What a training step costs beside its own matrix products, and fine-tuning beside a plain loop; results/training.md.

    python benchmarks/bench_training.py [--methods dch,hashnet] [--bits 48] [--skip images]

Steps: the methods' own recipes for frozen features on 5,000 made-up vectors of 1,280 numbers, one thread. A step is the
time of the processor in an epoch by its steps, with all that the loop does. Its products are those seen in one step,
forward and backward, done again by themselves on numbers of the same shapes and layout, not cached from before.

Images: JPEG files of noise. hashzoo decodes them once and keeps them; the plain loop is torch's DataLoader and
Pillow, float32, the same network and loss, the optimizer of the same recipe. Decoding is shown by itself.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_study import made_up
from machine import machine, sentence
from PIL import Image
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset

from hashzoo.plugins import registry
from hashzoo.runner.build import build, build_model
from hashzoo.runner.devices import make_accelerator
from hashzoo.runner.plan import Plan, problem_of, resolve
from hashzoo.runner.progress import Quiet
from hashzoo.runner.request import RunRequest
from hashzoo.runner.run import load_data
from hashzoo.runner.train import threads_for, train_data
from hashzoo.specs import Batch, HashOutput, Splits
from hashzoo.training import Checkpoints, GradientTrainer, TrainJob

RESULT = Path(__file__).parent / "results" / "training.md"
METHODS = "greedyhash,dch,hashnet,dhn,orthohash,dpn,dsh,cnnh,ssdh,dpsh,csq"
PARTS = {"train": 5000, "query": 100, "database": 100}
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv")
COPIES = 12
"""Sets of numbers that the products are done on in turn: together more than a second-level cache holds."""
CLASSES = 4


class Seen(TorchDispatchMode):
    """Notes the matrix products that are done within it, and what they are done on."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            self.products.append((func, tuple(x.detach() for x in args if isinstance(x, torch.Tensor))))
        return func(*args, **(kwargs or {}))


def job_of(plan: Plan, splits: Splits, folder: Path, report: Callable[..., None]) -> TrainJob:
    """Return the training of a plan's first cell."""
    problem = problem_of(plan, plan.bits[0], splits)
    shapes = {name: array.shape[1:] for name, array in splits.table.inputs.items()}
    model, loss = build_model(registry(), plan.config, problem, shapes, 0)
    assert loss is not None
    assert plan.config.recipe is not None
    return TrainJob(
        model=model,
        loss=loss,
        data=train_data(plan.config, splits, splits.table.inputs, "cpu"),
        problem=problem,
        recipe=plan.config.recipe,
        seed=0,
        accelerator=make_accelerator("cpu", "fp32"),
        checkpoints=Checkpoints(folder, seconds=float("inf")),
        report=report,
    )


def trained(plan: Plan, splits: Splits, folder: Path, clock: Callable[[], float]) -> tuple[GradientTrainer, float]:
    """Train as a run does; return the trainer and the seconds of the quickest epoch but the first, by a clock."""
    assert plan.config.trainer is not None
    seconds: list[float] = []
    trainer: GradientTrainer = build(registry(), "trainers", plan.config.trainer)
    trainer.fit(job_of(plan, splits, folder, lambda epoch, terms: seconds.append(clock())))
    return trainer, float(np.diff(seconds).min())


def products_of(trainer: GradientTrainer) -> tuple[float, int]:
    """Return the seconds of the matrix products of a step, by themselves, and how many there are."""
    batch = next(iter(trainer.batches(0)))
    with Seen() as seen:
        sum(trainer.step(batch).values()).backward()  # type: ignore[union-attr] # terms are tensors, never the 0
    sets = [
        [(func, [torch.randn_like(x) for x in operands]) for func, operands in seen.products] for _ in range(COPIES)
    ]
    times = []
    for _ in range(20):
        begin = time.thread_time()
        for products in sets:
            for func, operands in products:
                func(*operands)
        times.append((time.thread_time() - begin) / COPIES)
    return min(times), len(seen.products)


def steps_page(args: argparse.Namespace, root: Path) -> str:
    """Return the table of steps."""
    torch.set_num_threads(1)
    made_up(root / "features.npz", PARTS)
    splits: Splits | None = None
    rows = []
    for method in args.methods.split(","):
        settings = {"data.path": str(root / "features.npz"), "epochs": args.epochs}
        request = RunRequest(
            method, dataset="arrays", backbone="identity", freeze_backbone=True, bits=(args.bits,), settings=settings
        )
        plan = resolve(request, registry())
        splits = splits or load_data(plan, Quiet())
        trainer, epoch = trained(plan, splits, root / method, time.thread_time)
        products, number = products_of(trainer)
        recipe = trainer.job.recipe
        step = epoch / -(-len(trainer.job.data) // recipe.batch_size)
        what = f"{recipe.optimizer}, batch {recipe.batch_size}"
        rows.append(
            f"| {method} | {what} | {number} | {1e3 * products:.3f} | {1e3 * step:.3f} | {step / products:.1f} |"
        )
        print(rows[-1], flush=True)
    table = "\n".join(rows)
    return f"""## A step beside its own matrix products

{args.bits} bits, 1,280 numbers an item, one thread, time of the processor; best of {args.epochs - 1} epochs, and of
20 repetitions of the products.

| method | | products | their milliseconds | a step's | ratio |
|---|---|---|---|---|---|
{table}
"""


class Files(Dataset[tuple[torch.Tensor, int]]):
    """The usual data set: opens a file, resizes and normalises it with Pillow and torch."""

    def __init__(self, files: list[Path], size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.files, self.size = files, size
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[row]) as image:
            small = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        return (x - self.mean) / self.std, int(self.files[row].parent.name)


def plain_epochs(plan: Plan, splits: Splits, files: list[Path], folder: Path, workers: int) -> Iterator[float]:
    """Yield the seconds of the epochs of a plain loop."""
    job = job_of(plan, splits, folder, lambda epoch, terms: None)
    backbone, layer = job.model.backbones["image"], job.model.hash_layers["image"]
    network = copy.deepcopy(backbone.network).to(memory_format=torch.contiguous_format)
    chosen = backbone.preprocessing
    side = chosen.size or splits.table.inputs["image"].shape[1]
    data = Files(files, side, chosen.mean, chosen.std)
    recipe = job.recipe
    loader = DataLoader(data, recipe.batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    parameters = [*network.parameters(), *layer.parameters(), *job.loss.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=1e-5, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    while True:
        begin = time.perf_counter()
        for images, classes in loader:
            optimizer.zero_grad()
            features = network(images)
            relaxed, codes = layer(features)
            labels = nn.functional.one_hot(classes, CLASSES).float()
            terms = job.loss(HashOutput(features, relaxed, codes), Batch({}, labels, torch.arange(len(labels))))
            sum(terms.values()).backward()
            optimizer.step()
        yield time.perf_counter() - begin


def images_page(args: argparse.Namespace, root: Path) -> str:
    """Return the table of images a second."""
    torch.set_num_threads(args.threads)
    draws = np.random.default_rng(0)
    each = args.images // CLASSES
    files = [root / "photos" / str(i % CLASSES) / f"{i:04d}.jpg" for i in range((each + 2) * CLASSES)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = draws.integers(0, 256, (args.side // 8, args.side // 8, 3), np.uint8)
        Image.fromarray(coarse).resize((args.side, args.side), Image.Resampling.BICUBIC).save(file, quality=90)
    settings: dict[str, Any] = {
        "data.path": str(root / "photos"),
        "data.queries_per_class": 1,
        "data.train_per_class": each,
    }
    settings["data.stored_size"] = args.side
    request = RunRequest(
        "dch",
        dataset="imagefolder",
        backbone=args.backbone,
        weights="random",
        bits=(args.bits,),
        settings={**settings, "epochs": args.rounds + 1, "lr": 1e-5, "optimizer": "sgd", "batch_size": args.batch},
        precision="fp32",
    )
    plan = resolve(request, registry())
    begin = time.perf_counter()
    splits = load_data(plan, Quiet())
    decoding = time.perf_counter() - begin
    train = [file for file in files if str(file.relative_to(root / "photos")) in set(splits.table.ids[splits.train])]
    found: dict[str, float] = {}
    plain = {w: plain_epochs(plan, splits, train, root / f"plain-{w}", w) for w in (0, 1, 2)}
    for workers, epochs in plain.items():
        next(epochs)  # starts the workers
        found[f"plain loop, {workers} workers that load"] = min(next(epochs) for _ in range(args.rounds))
    trainer, found["hashzoo"] = trained(plan, splits, root / "own", time.perf_counter)
    for workers, epochs in plain.items():  # and once more, so that neither has the quieter half of the time
        name = f"plain loop, {workers} workers that load"
        found[name] = min(found[name], next(epochs))
    best = min(seconds for name, seconds in found.items() if name != "hashzoo")
    rows = "\n".join(
        f"| {name} | {len(train) / seconds:.1f} | {best / seconds:.2f} |" for name, seconds in sorted(found.items())
    )
    return f"""## Fine-tuning beside a plain loop

{len(train)} JPEG files of {args.side} x {args.side} pixels to train, {args.backbone} at the size that it takes, batch
{args.batch}, float32, SGD, {args.threads} thread(s) of torch in both; best of {args.rounds} epochs or more. Without
`--threads`, `hashzoo run` would train this model with {threads_for(trainer.job.model, 0)}.

| | images a second | beside the quickest plain loop |
|---|---|---|
{rows}

Reading and decoding all {len(splits.table.ids)} files, once for all epochs, cells and methods: {decoding:.1f} s.
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--bits", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--skip", choices=("steps", "images"), default="")
    parser.add_argument("--output", type=Path, default=RESULT)
    args = parser.parse_args()
    about = machine("torch")
    asked = "".join(f" --{n} {v}" for n, v in vars(args).items() if n != "output" and v != parser.get_default(n))
    with tempfile.TemporaryDirectory() as name:
        os.environ["HASHZOO_CACHE"] = str(Path(name) / "cache")
        body = "\n".join(page(args, Path(name)) for what, page in PAGES.items() if what != args.skip)
    text = f"""# Training

Written by `python benchmarks/bench_training.py{asked}`.

{body}
{sentence(about)}
"""
    args.output.write_text(text, encoding="utf-8")
    print(text)


PAGES = {"steps": steps_page, "images": images_page}

if __name__ == "__main__":
    main()
