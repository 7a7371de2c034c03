"""Pictures of codes from evidence of every kind: single labels, several labels, images beside texts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.errors import WorkError
from hashzoo.evaluation.api import evaluate
from hashzoo.evaluation.codes import Codes, codes_sha256
from hashzoo.plugins import registry
from hashzoo.results.boards import accept, write_boards
from hashzoo.results.collect import collect
from hashzoo.results.commands import load
from hashzoo.results.record import Record
from hashzoo.site import drawing, pictures
from hashzoo.specs import Splits, Table

PAIRS = "wiki-2173"
VOCABULARY = ["boat", "<b>sea</b>", "tree", "car", "street", "cloud", "bird", "night"]


def stand_in(n: int = 60, side: int = 12) -> Splits:
    """Return a table of images and bags of words with one or two of four labels each."""
    rng = np.random.default_rng(0)
    labels = np.zeros((n, 4), dtype=np.uint8)
    labels[np.arange(n), np.arange(n) % 4] = 1
    labels[::3, 0] = 1
    images = rng.integers(0, 255, (n, side, side + 4, 3), dtype=np.uint8)
    words = (rng.random((n, len(VOCABULARY))) < 0.4).astype(np.float32)
    words[:, 1] = 1
    ids = np.array([f"item-{row}" for row in range(n)])
    table = Table({"image": images, "text": words}, labels, ids, "f" * 64, ("sky", "water", "<i>plants</i>", "people"))
    rows = np.arange(n)
    return Splits(table, rows[:20], rows[:20], rows, "f" * 64, details={"vocabulary": VOCABULARY})


def codes_of(splits: Splits, noise: float, seed: int = 0) -> dict[str, Codes]:
    """Return codes of the stand-in: a pattern per label set with some bits flipped."""
    rng = np.random.default_rng(seed)
    table = splits.table
    pattern = np.random.default_rng(5).choice([-1.0, 1.0], (4, 16))
    found = {}
    for role, rows in (("query", splits.query), ("database", splits.database)):
        for modality in ("image", "text"):
            labels = table.labels[rows]
            signs = np.sign(labels @ pattern + 0.1) * np.where(rng.random((len(rows), 16)) < noise, -1, 1)
            found[f"{role}.{modality}"] = Codes.from_relaxed(signs, labels, ids=table.ids[rows])
    return found


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> Splits:
    made = stand_in()
    monkeypatch.setattr(pictures, "load_splits", lambda *_, **__: made)
    return made


@pytest.fixture
def boards(tmp_path: Path, splits: Splits, record_of: Callable[..., Record], write_run: Callable[..., None]) -> Path:
    assert registry().protocol(PAIRS)[1].pairs == (("image", "text"), ("text", "image"))
    for place, method in enumerate(("one", "two")):
        for seed in range(3):
            codes = codes_of(splits, 0.1 + 0.4 * place, seed)
            metrics = {}
            for q, d in (("image", "text"), ("text", "image")):
                found = evaluate(codes[f"query.{q}"], codes[f"database.{d}"])
                metrics |= {f"{q}-to-{d}/{k}": float(v) for k, v in found.items() if isinstance(v, int | float)}
            record = record_of(method, 16, seed, metrics=metrics, codes_sha256=codes_sha256(codes), protocol=PAIRS)
            config = record.config.model_dump() | {"protocol": PAIRS, "protocol_label": PAIRS}
            config["dataset"] = {"name": "wiki", "options": {}}
            config["problem"]["modalities"] = ["image", "text"]
            record = record_of(
                method, 16, seed, metrics=metrics, codes_sha256=codes_sha256(codes), protocol=PAIRS, config=config,
                dataset="wiki",
            )  # fmt: skip
            write_run(tmp_path / "runs" / method / "bits-016" / f"seed-{seed}", record, codes)
    folder = tmp_path / "leaderboards"
    accept(collect([tmp_path / "runs"]), folder / "records")
    write_boards(load([folder / "records"]), folder)
    return folder


def test_a_cross_modal_method_shows_images_beside_texts(boards, tmp_path):
    pytest.importorskip("altair", reason="the extra `site` is not installed")
    from hashzoo.site.build import build

    build(boards, tmp_path / "site")
    page = (tmp_path / "site" / "methods" / "one.html").read_text(encoding="utf-8")
    assert "image to text" in page
    assert "text to image" in page
    assert page.count("id=near1") == 2
    assert "&lt;b&gt;sea&lt;/b&gt;" in page  # words of the texts, as text
    assert "<b>sea</b>" not in page
    assert "✓" in page
    assert "✗" in (tmp_path / "site" / "methods" / "two.html").read_text(encoding="utf-8")  # half of its bits flipped
    for name in re.findall(r"url\(\.\./(pictures/[^)]+)\)", page):
        with Image.open(tmp_path / "site" / name) as sheet:
            assert sheet.width == 11 * 16
    assert len(re.findall(r"url\(\.\./pictures/", page)) == 2
    plane = next((tmp_path / "site" / "pictures").glob("one-*-plane.svg")).read_text()
    assert plane.count("h0") == 20


def test_texts_are_their_words_and_images_their_pictures(splits, record_of):
    gallery = pictures.Gallery.of(record_of("one", 16, 0))
    codes = codes_of(splits, 0.1)
    found = pictures.neighbours(codes["query.image"], codes["database.text"], gallery, "image-to-text", "image", "text")
    own, nearest = found.lines[0]
    assert own.pictured
    assert own.text == ""
    assert len(nearest) == pictures.NEAREST
    assert all(item.text and not item.pictured for item in nearest)
    rows = [int(item.id.removeprefix("item-")) for item in nearest]
    labels = splits.table.labels
    assert [item.right for item in nearest] == [bool((labels[row] & labels[0]).any()) for row in rows]
    assert own.label == "sky"
    sheet = Image.open(io.BytesIO(pictures.sheet(found, gallery)))
    assert sheet.size == (11 * 16, 6 * 16)
    assert np.asarray(sheet)[:16, 16:].min() == 255  # the texts have no picture


def test_without_the_data_items_stand_as_their_class(monkeypatch, splits, record_of):
    def absent(*_: object, **__: object) -> Splits:
        raise WorkError("not here")

    monkeypatch.setattr(pictures, "load_splits", absent)
    gallery = pictures.Gallery.of(record_of("one", 16, 0))
    codes = codes_of(splits, 0.1)
    found = pictures.neighbours(codes["query.image"], codes["database.text"], gallery, "", "image", "text")
    assert pictures.sheet(found, gallery) is None
    assert found.lines[1][0].label in {"class 0", "class 1", "class 2", "class 3", "class 0, class 3"}


def test_many_classes_share_a_colour_and_unlabelled_items_are_left_out():
    rng = np.random.default_rng(0)
    labels = np.zeros((90, 30), dtype=np.uint8)
    labels[np.arange(80), rng.integers(0, 30, 80)] = 1
    codes = Codes.from_relaxed(rng.normal(size=(90, 16)), labels)
    points, classes = pictures.plane(codes, pictures.Gallery())
    assert len(points) == 80
    assert len(classes) == pictures.CLASSES + 1
    assert classes[-1] == pictures.OTHERS
    drawn = drawing.plane(points, {name: place for place, name in enumerate(classes)})
    assert drawn.count("h0") == 80
    assert points == pictures.plane(codes, pictures.Gallery())[0]  # from the store


def test_shares_of_distances_add_up_and_bits_are_counted(splits):
    codes = codes_of(splits, 0.1)
    shares = pictures.distances(codes["query.image"], codes["database.image"])
    for name in ("relevant", "other"):
        assert sum(p["y"] for p in shares if p["m"] == name) == pytest.approx(1.0, abs=1e-3)
    assert len(pictures.balance(codes["database.image"])) == 16
    chart = drawing.distances(shares, {"relevant": 2, "other": 3})
    assert len(chart.lines[0].x) == 17
    assert drawing.still(chart).count("<path") == 3
