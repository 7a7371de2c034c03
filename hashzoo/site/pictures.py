"""What codes look like: items in the plane, the nearest items of some queries, distances, balance of the bits."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.data.catalogue import load_splits
from hashzoo.data.roots import cache_root, data_root
from hashzoo.errors import HashzooError, UsageError
from hashzoo.evaluation.codes import Codes, codes_sha256
from hashzoo.evaluation.counting.counts import count
from hashzoo.plugins import registry
from hashzoo.results.record import Record
from hashzoo.results.text import plain
from hashzoo.store import Content, Store, key_of

PLANE = 240
"""Items drawn in the plane."""

STEPS = 500
"""Of the search for places in the plane."""

CLASSES = 11
"""Classes that have a colour of their own in the plane; the rest share one."""

OTHERS = "other classes"
QUERIES = 6
NEAREST = 10
THUMB = 56
"""The most pixels of a picture's side."""

WORDS = 6
"""Words shown of a text."""


@dataclass(frozen=True)
class Neighbour:
    """An item beside a query: its class, and, for a nearest one, its distance and whether it shares a label.

    `text` are its words where it is a text, `pictured` says whether there is a picture of it.
    """

    id: str
    label: str
    distance: int = 0
    right: bool = True
    text: str = ""
    pictured: bool = False


@dataclass
class Gallery:
    """Inputs and class names of a record's data set; neither where the data are not here.

    `images` and `texts` are by modality, `rows` the row of each id; `vocabulary` the words of a text's columns.
    """

    names: tuple[str, ...] = ()
    images: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    texts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    vocabulary: Sequence[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record) -> Gallery:
        """Load the data set of a record if it is here."""
        try:
            dataset, protocol = registry().protocol(record.config.protocol)
            splits = load_splits(dataset, protocol, data_root(), **record.config.dataset.options)
        except HashzooError:
            return cls()
        table = splits.table
        images = {n: x for n, x in table.inputs.items() if x.dtype == np.uint8 and x.ndim == 4}
        words = splits.details.get("vocabulary", ())
        texts = {n: x for n, x in table.inputs.items() if n not in images and x.ndim == 2 and x.shape[1] == len(words)}
        rows = {str(item): row for row, item in enumerate(table.ids)}
        return cls(tuple(plain(name) for name in table.class_names), images, texts, [plain(w) for w in words], rows)

    def label(self, hot: NDArray[Any]) -> str:
        """Return the classes of an item in words."""
        classes = np.flatnonzero(hot)
        names = [self.names[c] if c < len(self.names) else f"class {c}" for c in classes[:2]]
        return ", ".join(names) + (" ..." if len(classes) > 2 else "") or "no label"

    def text(self, item: str, modality: str) -> str:
        """Return the words of an item that is a text, those of the greatest weight first; "" for others."""
        row, texts = self.rows.get(item), self.texts.get(modality)
        if row is None or texts is None:
            return ""
        weights = np.asarray(texts[row])
        order = [int(n) for n in np.argsort(-weights, kind="stable")[: WORDS + 1] if weights[n] > 0]
        return " ".join(self.vocabulary[n] for n in order[:WORDS]) + (" ..." if len(order) > WORDS else "")

    def picture(self, item: str, modality: str) -> NDArray[np.uint8] | None:
        """Return an item's picture (H, W, 3); None where there is none."""
        row, images = self.rows.get(item), self.images.get(modality)
        return None if row is None or images is None else np.asarray(images[row])

    def of_item(self, codes: Codes, row: int, modality: str, distance: int = 0, right: bool = True) -> Neighbour:
        """Return what is shown of an item."""
        item = str(codes.ids[row])
        there = self.rows.get(item) is not None and modality in self.images
        return Neighbour(
            plain(item), self.label(codes.labels[row]), distance, right, self.text(item, modality), there
        )  # fmt: skip


@dataclass(frozen=True)
class Nearest:
    """Some queries and the nearest items of each; which modality asks, and which answers."""

    direction: str
    asks: str
    answers: str
    lines: Sequence[tuple[Neighbour, Sequence[Neighbour]]]

    @property
    def pictured(self) -> bool:
        """Whether any of them has a picture."""
        return any(item.pictured for own, items in self.lines for item in (own, *items))


def thumbnail(image: NDArray[Any], side: int) -> Any:
    """Return an image (H, W, 3) uint8 on a white square of a side."""
    from PIL import Image

    drawn = Image.fromarray(image[..., :3])
    longest = max(drawn.size)
    if longest != side:
        smooth = Image.Resampling.LANCZOS if longest > side else Image.Resampling.NEAREST
        across, down = (max(1, n * side // longest) for n in drawn.size)
        drawn = drawn.resize((across, down), smooth)
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawn, ((side - drawn.width) // 2, (side - drawn.height) // 2))
    return square


def sheet(found: Nearest, gallery: Gallery) -> bytes | None:
    """Return the pictures of queries and nearest items as one WebP, a row for each query; None without pictures.

    Pictures of at most 16 pixels are kept as they are, larger ones with loss.
    """
    from PIL import Image

    if not found.pictured:
        return None
    shapes = [x.shape[1:3] for name, x in gallery.images.items() if name in (found.asks, found.answers)]
    side = min(THUMB, max(max(shape) for shape in shapes))
    made = Image.new("RGB", (side * (NEAREST + 1), side * len(found.lines)), "white")
    for line, (own, items) in enumerate(found.lines):
        for place, item in enumerate((own, *items)):
            image = gallery.picture(item.id, found.answers if place else found.asks) if item.pictured else None
            if image is not None:
                made.paste(thumbnail(image, side), (place * side, line * side))
    stream = io.BytesIO()
    if side <= 16:
        made.save(stream, "WEBP", lossless=True, method=4)
    else:
        made.save(stream, "WEBP", quality=78, method=4)
    return stream.getvalue()


def plane(codes: Codes, gallery: Gallery, items: int = PLANE) -> tuple[list[dict[str, Any]], list[str]]:
    """Return codes in the plane (t-SNE of the codes as -1/+1, seed 0) as points x, y, m, and the classes in order.

    Drawn are every n-th item that has a label, coloured by its first class; of many classes, the rarest share a colour
    and come last. The places are kept under the sha256 of the codes, since finding them takes a second.
    """
    labelled = np.flatnonzero(np.asarray(codes.labels).any(axis=1))
    rows = labelled[np.unique(np.linspace(0, len(labelled) - 1, min(items, len(labelled))).astype(int))]
    if len(rows) < 10:
        raise UsageError("A picture of the plane needs at least 10 items with a label.")
    chosen = codes.take(rows)
    classes = np.asarray(codes.labels)[rows].argmax(axis=1)
    several, sizes = np.unique(classes, return_counts=True)
    kept = set(several[np.argsort(-sizes, kind="stable")[:CLASSES]].tolist())
    names = {c: gallery.label(np.eye(codes.num_classes)[c]) for c in several if c in kept}
    points = [
        {"x": round(float(x), 2), "y": round(float(y), 2), "m": names.get(c, OTHERS)}
        for (x, y), c in zip(_places(chosen), classes, strict=True)
    ]
    return points, [*names.values(), *([OTHERS] if len(several) > len(kept) else [])]


def _places(codes: Codes) -> NDArray[np.float32]:
    """Return places in the plane (n, 2) float32."""
    from sklearn import __version__ as made_with

    key = key_of({"codes": codes_sha256({"query": codes}), "by": f"t-SNE of scikit-learn {made_with}", "steps": STEPS})
    store = Store(cache_root(), "planes", "places", "places of codes in the plane")

    def blocks(start: int, _: dict[str, Any]) -> Iterator[NDArray[np.float32]]:
        from sklearn.manifold import TSNE

        signs = codes.signs().astype(np.float64)
        init = np.random.default_rng(0).normal(scale=1e-4, size=(len(signs), 2))
        made = TSNE(perplexity=min(30.0, (len(signs) - 1) / 3), init=init, random_state=0, max_iter=STEPS)
        yield made.fit_transform(signs).astype(np.float32)[start:]

    return np.asarray(store.get(key, lambda: Content((len(codes), 2), "<f4", blocks)).array)


def modalities(record: Record, direction: str) -> tuple[str, str]:
    """Return the modalities that ask and answer in a direction; "" is the protocol's only one."""
    if direction:
        asks, _, answers = direction.partition("-to-")
        return asks, answers
    return registry().protocol(record.config.protocol)[1].pairs[0]


def neighbours(
    query: Codes, database: Codes, gallery: Gallery, direction: str = "", asks: str = "image", answers: str = "image"
) -> Nearest:
    """Return some queries, spread evenly, each with its nearest items by Hamming distance, ties in database order."""
    chosen = np.unique(np.linspace(0, len(query) - 1, min(QUERIES, len(query))).round().astype(int))
    found = []
    for row in chosen:
        distances = np.bitwise_count(database.packed ^ query.packed[row]).sum(axis=1)
        nearest = np.argsort(distances, kind="stable")[:NEAREST]
        shared = (np.asarray(database.labels)[nearest] != 0) & (np.asarray(query.labels)[row] != 0)
        beside = [
            gallery.of_item(database, int(n), answers, int(distances[n]), bool(right))
            for n, right in zip(nearest, shared.any(axis=1), strict=True)
        ]
        found.append((gallery.of_item(query, int(row), asks), beside))
    return Nearest(direction, asks, answers, found)


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
