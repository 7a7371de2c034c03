"""What codes look like: items in the plane, the nearest images of some queries, distances, balance of the bits."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.data.catalogue import load_splits
from hashzoo.data.roots import data_root
from hashzoo.errors import HashzooError, UsageError
from hashzoo.evaluation.codes import Codes
from hashzoo.evaluation.counting.counts import count
from hashzoo.plugins import registry
from hashzoo.results.record import Record
from hashzoo.results.text import plain

PLANE = 500
"""Items drawn in the plane."""

QUERIES = 6
NEAREST = 10
THUMB = 56
"""Pixels of a picture's side."""


@dataclass(frozen=True)
class Neighbour:
    """An item beside a query: its class, and, for a nearest one, its distance and whether it shares a label."""

    id: str
    label: str
    distance: int = 0
    right: bool = True
    picture: str = ""


@dataclass
class Gallery:
    """Pictures and class names of a record's data set; neither where the data are not here."""

    names: tuple[str, ...] = ()
    images: NDArray[Any] | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record) -> Gallery:
        """Load the data set of a record if it is here."""
        try:
            dataset, protocol = registry().protocol(record.config.protocol)
            splits = load_splits(dataset, protocol, data_root(), **record.config.dataset.options)
        except HashzooError:
            return cls()
        table = splits.table
        images = next((x for x in table.inputs.values() if x.dtype == np.uint8 and x.ndim == 4), None)
        rows = {str(item): row for row, item in enumerate(table.ids)} if images is not None else {}
        return cls(tuple(plain(name) for name in table.class_names), images, rows)

    def label(self, hot: NDArray[Any]) -> str:
        """Return the classes of an item in words."""
        classes = np.flatnonzero(hot)
        names = [self.names[c] if c < len(self.names) else f"class {c}" for c in classes[:2]]
        return ", ".join(names) + (" ..." if len(classes) > 2 else "") or "no label"

    def picture(self, item: str) -> str:
        """Return the file name of an item's picture, kept in `written`; "" where there is none."""
        row = self.rows.get(item)
        if row is None or self.images is None:
            return ""
        content = thumbnail(np.asarray(self.images[row]))
        name = f"{hashlib.sha256(content).hexdigest()[:12]}.png"
        self.written[name] = content
        return name


def thumbnail(image: NDArray[Any]) -> bytes:
    """Return an image (H, W, 3) uint8 as a small PNG."""
    from PIL import Image

    drawn = Image.fromarray(image)
    smooth = Image.Resampling.LANCZOS if max(drawn.size) > THUMB else Image.Resampling.NEAREST
    side = max(drawn.size)
    drawn = drawn.resize((max(1, drawn.width * THUMB // side), max(1, drawn.height * THUMB // side)), smooth)
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def plane(codes: Codes, gallery: Gallery, items: int = PLANE) -> tuple[list[dict[str, Any]], list[str]]:
    """Return codes in the plane (t-SNE of the codes as -1/+1, seed 0) as points x, y, m, and the classes in order.

    Drawn are every n-th item that has a label, coloured by its first class.
    """
    from sklearn.manifold import TSNE

    labelled = np.flatnonzero(np.asarray(codes.labels).any(axis=1))
    rows = labelled[np.unique(np.linspace(0, len(labelled) - 1, min(items, len(labelled))).astype(int))]
    if len(rows) < 10:
        raise UsageError("A picture of the plane needs at least 10 items with a label.")
    signs = codes.take(rows).signs().astype(np.float64)
    classes = np.asarray(codes.labels)[rows].argmax(axis=1)
    init = np.random.default_rng(0).normal(scale=1e-4, size=(len(rows), 2))
    places = TSNE(perplexity=min(30.0, (len(rows) - 1) / 3), init=init, random_state=0).fit_transform(signs)
    names = {c: gallery.label(np.eye(codes.num_classes)[c]) for c in np.unique(classes)}
    points = [
        {"x": round(float(x), 2), "y": round(float(y), 2), "m": names[c]}
        for (x, y), c in zip(places, classes, strict=True)
    ]
    return points, list(names.values())


def neighbours(query: Codes, database: Codes, gallery: Gallery) -> list[tuple[Neighbour, list[Neighbour]]]:
    """Return some queries, spread evenly, each with its nearest items by Hamming distance, ties in database order."""
    chosen = np.unique(np.linspace(0, len(query) - 1, min(QUERIES, len(query))).round().astype(int))
    found = []
    for row in chosen:
        distances = np.bitwise_count(database.packed ^ query.packed[row]).sum(axis=1)
        nearest = np.argsort(distances, kind="stable")[:NEAREST]
        shared = (np.asarray(database.labels)[nearest] != 0) & (np.asarray(query.labels)[row] != 0)
        right = shared.any(axis=1)
        own = str(query.ids[row])
        beside = [
            Neighbour(
                plain(str(database.ids[n])), gallery.label(database.labels[n]), int(distances[n]), bool(is_right),
                gallery.picture(str(database.ids[n])),
            )
            for n, is_right in zip(nearest, right, strict=True)
        ]  # fmt: skip
        found.append((Neighbour(plain(own), gallery.label(query.labels[row]), picture=gallery.picture(own)), beside))
    return found


def distances(query: Codes, database: Codes) -> list[dict[str, Any]]:
    """Return the share of relevant and of other pairs at each Hamming distance as points x, y, m."""
    counts = count(query, database)
    relevant, other = counts.r.sum(axis=0), (counts.n - counts.r).sum(axis=0)
    return [
        {"x": distance, "y": round(float(value / max(1, of.sum())), 5), "m": name}
        for name, of in (("relevant", relevant), ("other", other))
        for distance, value in enumerate(of)
    ]


def balance(codes: Codes) -> list[float]:
    """Return the share of ones of each bit."""
    return [round(float(share), 3) for share in (codes.signs() > 0).mean(axis=0)]


def write_thumbnails(gallery: Gallery, folder: Path) -> None:
    """Write the pictures that pages show."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in gallery.written.items():
        (folder / name).write_bytes(content)
