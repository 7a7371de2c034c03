"""Images decoded a second, ours beside torchvision's ImageFolder with a DataLoader, in one run on the same files.

    python benchmarks/bench_decoding.py [--images 1000] [--workers N]

Photographs of 500 x 375 and of 1600 x 1200 pixels. Both read JPEG files from disk and bring them to 256 x 256 pixels,
the shorter side resized and the middle cut out: torchvision with Resize and CenterCrop, uint8 tensors in batches of 64
from N worker processes (0 too: no workers); ours into the cache, on a thread per core. They take turns, three times
each, after one turn that warms the disk's cache; the median stands. Ours writes the pixels to disk, each block made
durable, and has them at memory speed in every later epoch; torchvision decodes again in every epoch. Written to
benchmarks/results/decoding.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image

from hashzoo.data.image_cache import stored_images
from hashzoo.data.images import cores, file_states, folder_files
from hashzoo.torchvision_compat import import_torchvision

SIZE = 256
RESULT = Path(__file__).parent / "results" / "decoding.json"


def make_photos(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """Write smooth JPEG pictures of photographs' kind of content and return their names."""
    draw = np.random.default_rng(0)
    names = []
    for n in range(count):
        name = f"class{n % 10}/{n:05d}.jpg"
        (folder / name).parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(draw.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=90)
        names.append(name)
    return sorted(names)


def ours(folder: Path, names: list[str]) -> int:
    """Decode all files into a cache that is empty."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HASHZOO_CACHE"] = cache
        source = {"dataset": "bench", **file_states(folder, names)}
        return len(stored_images(source, folder, lambda: folder_files(folder, names), SIZE, fit="crop").pixels)


def torchvisions(folder: Path, workers: int) -> int:
    """Go through one epoch of ImageFolder."""
    import_torchvision()
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    data = ImageFolder(folder, Compose([Resize(SIZE), CenterCrop(SIZE), PILToTensor()]))
    return sum(len(images) for images, _ in DataLoader(data, batch_size=64, num_workers=workers))


def measure(size: tuple[int, int], images: int, workers: int) -> dict[str, Any]:
    """Return images a second, and milliseconds of processor time an image, of all ways in turn."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = make_photos(folder, images, size)
        turns: dict[str, Callable[[], int]] = {
            "hashzoo": lambda: ours(folder, names),
            f"torchvision, {workers} workers": lambda: torchvisions(folder, workers),
            "torchvision, no workers": lambda: torchvisions(folder, 0),
        }
        rates: dict[str, list[float]] = {name: [] for name in turns}
        busy: dict[str, list[float]] = {name: [] for name in turns}
        for turn in range(4):
            for name, work in turns.items():
                begun, used = time.perf_counter(), processor_seconds()
                count = work()
                if turn:
                    rates[name].append(count / (time.perf_counter() - begun))
                    busy[name].append(1000 * (processor_seconds() - used) / count)
    median = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    best = max(value for name, value in median.items() if name != "hashzoo")
    return {
        "size": list(size),
        "images": images,
        "images_per_second": median,
        "processor_ms_per_image": {name: round(statistics.median(values), 2) for name, values in busy.items()},
        "ratio_to_the_better_torchvision": round(median["hashzoo"] / best, 2),
    }


def processor_seconds() -> float:
    """Return the processor time of this process and its finished workers, which neighbours do not change."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000, help="small images; a quarter as many large ones")
    parser.add_argument("--workers", type=int, default=cores())
    chosen = parser.parse_args()
    result = {
        "measured": [
            measure((500, 375), chosen.images, chosen.workers),
            measure((1600, 1200), chosen.images // 4, chosen.workers),
        ],
        "cores": cores(),
        "load": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        "pillow": PIL.__version__,
    }
    print(json.dumps(result, indent=1))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
