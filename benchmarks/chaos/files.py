"""Damaged and hostile files into every reader: arrays, codes, records, lists, tables, options, images, weights."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chaos.damage import damaged
from benchmarks.chaos.judge import Group

Case = tuple[Path, bytes, Callable[[Path], Any]]
"""A file's name, its right content, and what reads it."""


def readers(folder: Path, cases: int, seed: int) -> Iterator[Group]:
    """Give one group for each kind of file; `cases` are shared out evenly."""
    kinds = {
        "arrays (npz, npy, mat, HDF5)": _arrays,
        "codes and labels of other tools": _codes,
        "lists and tables of images": _lists,
        "configurations and published tables": _options,
        "images": _images,
        "weights and checkpoints": _weights,
    }
    for name, make in kinds.items():
        group, draw = Group(f"damaged {name}"), random.Random(f"{seed} {name}")
        made = make(folder)
        for number in range(cases // len(kinds)):
            path, whole, read = made[number % len(made)]
            broken = path.with_name(f"broken-{path.name}")
            broken.write_bytes(damaged(whole, draw))
            group.attack(f"{path.name} #{number}", lambda read=read, broken=broken: read(broken))
        yield group


def _kept(folder: Path, name: str, content: bytes, read: Callable[[Path], Any]) -> Case:
    return folder / name, content, read


def _written(write: Callable[[Any], Any]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _arrays(folder: Path) -> list[Case]:
    import scipy.io

    from hashzoo.data import read_arrays

    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(20, 6)).astype(np.float32), draw.integers(0, 4, 20).astype(np.uint8)
    found = [
        _kept(folder, "a.npz", _written(lambda s: np.savez(s, X=x, Y=y)), read_arrays),
        _kept(folder, "b.npz", _written(lambda s: np.savez_compressed(s, X=x, Y=y)), read_arrays),
        _kept(folder, "c.npy", _written(lambda s: np.save(s, x)), read_arrays),
        _kept(folder, "d.mat", _written(lambda s: scipy.io.savemat(s, {"X": x, "Y": y})), read_arrays),
        _kept(folder, "e.mat", _written(lambda s: scipy.io.savemat(s, {"X": x}, do_compression=True)), read_arrays),
        _kept(folder, "f.mat", _written(lambda s: scipy.io.savemat(s, {"X": x}, format="4")), read_arrays),
    ]
    try:
        import h5py
    except ImportError:
        return found

    def write(stream: Any) -> None:
        with h5py.File(stream, "w") as file:
            file["X"] = x

    return [*found, _kept(folder, "g.h5", _written(write), read_arrays)]


def _codes(folder: Path) -> list[Case]:
    import scipy.io

    from hashzoo.evaluation.codes import Codes, load_codes, save_codes
    from hashzoo.evaluation.files import read_pair

    draw = np.random.default_rng(1)
    signs, labels = draw.choice([-1, 1], (24, 12)).astype(np.int8), draw.integers(0, 3, 24)
    good = Codes.from_signs(signs, labels)
    save_codes(folder / "good.npz", {"query.image": good, "database.image": good})
    packed = (folder / "good.npz").read_bytes()
    dcmh = {"qB": signs, "rB": signs, "qL": np.eye(3)[labels], "rL": np.eye(3)[labels]}
    text = "\n".join(map(str, labels)).encode()
    return [
        _kept(folder, "ours.npz", packed, load_codes),
        _kept(folder, "part.npz", packed, lambda p: read_pair(p, p)),
        _kept(folder, "qb.mat", _written(lambda s: scipy.io.savemat(s, dcmh)), lambda p: read_pair(p, p)),
        _kept(
            folder, "theirs.npz", _written(lambda s: np.savez(s, codes=signs, labels=labels)), lambda p: read_pair(p, p)
        ),
        _kept(folder, "signs.npy", _written(lambda s: np.save(s, signs)), lambda p: read_pair(p, p, labels, labels)),
        _kept(folder, "labels.txt", text, lambda p: read_pair(folder / "good.npz", folder / "good.npz", p, p)),
    ]


def _lists(folder: Path) -> list[Case]:
    from hashzoo.data.lists import read_list
    from hashzoo.data.table_files import TableColumns, read_table

    words = "".join(f"dir/im_{n}.jpg {n % 2} {(n + 1) % 2} 0\n" for n in range(30)).encode()
    single = "".join(f"im {n}.jpg {n % 5}\n" for n in range(30)).encode()
    table = ("path,part,cat,dog\n" + "".join(f"im{n}.jpg,train,{n % 2},1\n" for n in range(30))).encode()
    named = ("file,label\n" + "".join(f'im{n}.jpg,"cat;dog"\n' for n in range(30))).encode()
    return [
        _kept(folder, "train.txt", words, read_list),
        _kept(folder, "test.txt", single, read_list),
        _kept(folder, "table.csv", table, lambda p: read_table(p, TableColumns())),
        _kept(folder, "named.csv", named, lambda p: read_table(p, TableColumns())),
    ]


def _options(folder: Path) -> list[Case]:
    from hashzoo.results.boards import published_tables
    from hashzoo.results.record import read_record
    from hashzoo.runner.request import merge, parse_assignments, read_config

    config = (
        b'method = "lsh"\nbits = [16, 32]\nseeds = [0, 1]\n[set]\nlr = 1e-4\nloss.gamma = 2.0\n[set.data]\npath = "x"\n'
    )

    def published(path: Path) -> Any:
        path.replace(path.with_name("published.json"))
        return published_tables(path.parent)

    return [
        _kept(folder, "run.toml", config, lambda p: merge(read_config(p), {})),
        _kept(folder, "set.txt", b"loss.gamma=[1, 2]", lambda p: parse_assignments((p.read_text("latin-1"),))),
        _kept(folder, "stray.json", b'{"schema_version": 2, "record_sha256": "x", "metrics": {}}', read_record),
        _kept(folder, "tables.json", b'[{"id": "a", "title": "t", "rows": []}]', published),
    ]


def _images(folder: Path) -> list[Case]:
    from PIL import Image

    from hashzoo.data.images import decode_any

    pixels = Image.fromarray(np.random.default_rng(2).integers(0, 256, (24, 20, 3), dtype=np.uint8))

    def read(path: Path) -> Any:
        return decode_any({path.name: path}, (16, 16))

    endings = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "WEBP": "webp"}
    return [
        _kept(folder, f"im.{ending}", _written(lambda s, kind=kind: pixels.save(s, kind)), read)
        for kind, ending in endings.items()
    ]


def _weights(folder: Path) -> list[Case]:
    import torch
    from safetensors.torch import save

    from hashzoo.models.weights import read_weights
    from hashzoo.training.checkpoints import Checkpoints, load_tensors

    torch.manual_seed(0)
    state = torch.nn.Linear(8, 4).state_dict()
    keeper = Checkpoints(folder / "kept", "fingerprint")
    keeper.save(3, state, ({"loss": 1.0},))
    wanted = keeper.latest()

    def latest(path: Path) -> Any:
        path.replace(keeper.path)
        found = keeper.latest()
        if found is not None:
            same = found.epoch == wanted.epoch and found.history == wanted.history
            same = same and set(found.tensors) == set(state)
            same = same and all(torch.equal(found.tensors[name], value) for name, value in state.items())
            assert same, "another state"
        return found

    return [
        _kept(folder, "w.safetensors", save(state), read_weights),
        _kept(folder, "w.pth", _written(lambda s: torch.save(state, s)), read_weights),
        _kept(folder, "t.safetensors", save(state), load_tensors),
        _kept(folder, "last.safetensors", keeper.path.read_bytes(), latest),
    ]


def records(folder: Path, cases: int, seed: int, sample: Path) -> Iterator[Group]:
    """Give records with bytes damaged, which are the same or refused, and ones changed and sealed anew."""
    from hashzoo.results.record import read_record, same_result, seal

    good, text = read_record(sample), sample.read_bytes()
    draw, path = random.Random(seed), folder / "record.json"
    group = Group("records damaged")
    for number in range(cases // 2):
        path.write_bytes(damaged(text, draw))
        group.attack(f"#{number}", lambda: read_record(path), lambda r: same_result(r, good))
    yield group
    group, fields = Group("records changed and sealed anew"), json.loads(text)
    for number in range(cases - cases // 2):
        changed = json.loads(text)
        place = changed
        key = draw.choice(list(fields))
        while isinstance(place[key], dict) and place[key] and draw.random() < 0.7:
            place = place[key]
            key = draw.choice(list(place))
        odd = draw.choice([None, -1, 1e308, "", "\x1b[2J", [], {}, True, "../x", 10**30, ["a"], {"": 1}, "=1+1"])
        if draw.random() < 0.4:
            del place[key]
        else:
            place[key] = odd
        changed["record_sha256"] = seal(changed)
        path.write_text(json.dumps(changed))
        group.attack(f"#{number} {key}={odd!r:.20}", lambda: _used(read_record(path)))
    yield group


def _used(record: Any) -> None:
    """Use a record as boards do."""
    from hashzoo.results.boards import _slug, slim
    from hashzoo.results.collect import describe, identity

    describe(record), identity(record), slim(record), _slug(record.protocol)
