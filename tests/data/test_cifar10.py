"""CIFAR-10 without its data: official batches and the JPEG archive in small, written here in their own layouts."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data import load_splits
from hashzoo.data.cifar10 import FOLDER, Source, _reader, stored_batches
from hashzoo.data.cifar10_jpeg import PUBLISHED, Archive, load_archive
from hashzoo.data.cifar10_lists import CLASS_NAMES, PerClass, cifar10_splits, item_ids
from hashzoo.data.datasets import CIFAR10, CIFAR10_JPEG
from hashzoo.data.splits import Quota
from hashzoo.errors import UsageError, WorkError

SMALL = PerClass(train=10, test=2)
QUOTAS = {"5k-disjoint": Quota("cifar10", 2, 3, False), "5k": Quota("cifar10", 2, 3, True)}
DISJOINT, INCLUSIVE, OFFICIAL = CIFAR10.protocols


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write five training batches and a test batch of random labels order; return the reader that knows their md5."""
    reader, folder = _reader(), tmp_path / "root" / FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    train, test = rng.permutation(np.repeat(np.arange(10), 10)), rng.permutation(np.repeat(np.arange(10), 2))
    contents = {}
    for name, labels in [
        *((f"data_batch_{b + 1}", train[b * 20 : b * 20 + 20]) for b in range(5)),
        ("test_batch", test),
    ]:
        data = rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
        contents[name] = (data, labels)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": labels.tolist()}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASS_NAMES)}))

    def md5(name: str) -> str:
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    monkeypatch.setattr(reader, "train_list", [[f"data_batch_{b}", md5(f"data_batch_{b}")] for b in range(1, 6)])
    monkeypatch.setattr(reader, "test_list", [["test_batch", md5("test_batch")]])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": md5("batches.meta")})
    return reader, Source(folder.parent, False, "cifar10-5k"), contents


def test_images_are_pooled_by_class_in_official_order(batches) -> None:
    reader, source, contents = batches
    splits = cifar10_splits(DISJOINT, stored_batches(reader, source, SMALL).pixels, "f", SMALL, QUOTAS)
    for label in range(10):
        expected = [
            data[row].reshape(3, 32, 32).transpose(1, 2, 0)
            for name in [*(f"data_batch_{b}" for b in range(1, 6)), "test_batch"]
            for data, labels in [contents[name]]
            for row in np.flatnonzero(labels == label)
        ]
        rows = [i for i, item in enumerate(splits.table.ids) if item.startswith(f"{label}/")]
        np.testing.assert_array_equal(splits.table.inputs["image"][rows], expected)
        assert (splits.table.labels[rows].argmax(1) == label).all()
    assert (len(splits.query), len(splits.train), len(splits.database)) == (20, 30, 70)


def test_the_batches_are_read_once(batches) -> None:
    reader, source, _ = batches
    first = stored_batches(reader, source, SMALL)
    (source.folder / FOLDER / "data_batch_1").write_bytes(b"")
    assert stored_batches(reader, source, SMALL).fingerprint == first.fingerprint


def test_tampered_batches_are_refused(batches) -> None:
    reader, source, _ = batches
    path = source.folder / FOLDER / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WorkError, match=r"not found or corrupted\); fetch it with `hashzoo data prepare cifar10-5k`"):
        stored_batches(reader, source, SMALL)


def test_batches_with_another_number_of_images_are_refused(batches) -> None:
    reader, source, _ = batches
    with pytest.raises(WorkError, match="expected 5,000 of each"):
        stored_batches(reader, source, PerClass())


def test_missing_batches_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"'cifar10' needs .* expected at .*hashzoo data prepare cifar10-5k-disjoint"):
        load_splits(CIFAR10, DISJOINT, tmp_path)


def test_a_failing_download_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(self: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(_reader(), "download", offline)
    with pytest.raises(WorkError, match=r"no route to host\); check the network"):
        load_splits(CIFAR10, DISJOINT, tmp_path, download=True)


def test_the_official_protocol_takes_the_official_parts() -> None:
    pixels = np.zeros((120, 1, 1, 3), np.uint8)
    splits = cifar10_splits(OFFICIAL, pixels, "f", SMALL)
    ranks = np.array([int(item.split("/")[1]) for item in splits.table.ids])
    assert set(ranks[splits.query]) == {10, 11}
    assert set(ranks[splits.train]) == set(range(10))
    np.testing.assert_array_equal(splits.train, splits.database)
    assert (len(splits.query), len(splits.train)) == (20, 100)


def shade(label: int, part: str, rank: int) -> int:
    """Return a grey level that tells every image of the small archive apart."""
    return label * 24 + (12 if part == "test" else 0) + rank


def write_archive(path: Path, broken: dict[str, bytes] | None = None, leave_out: str = "") -> Archive:
    with zipfile.ZipFile(path, "w") as archive:
        for part, count in (("test", SMALL.test), ("train", SMALL.train)):
            for label, name in reversed(list(enumerate(CLASS_NAMES))):
                for rank in reversed(range(count)):
                    stream = io.BytesIO()
                    Image.new("RGB", (32, 32), (shade(label, part, rank),) * 3).save(stream, "JPEG", quality=95)
                    member = f"{part}/{name}/{rank:04d}.jpg"
                    if member != leave_out:
                        archive.writestr(member, (broken or {}).get(member, stream.getvalue()))
    return Archive(sha256_of_images(path), SMALL)


def sha256_of_images(path: Path) -> str:
    """Return the sha256 of what `sha256sum` prints of the images of an archive, in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        printed = [f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}" for name in sorted(archive.namelist())]
    return hashlib.sha256("".join(f"{line}\n" for line in printed).encode()).hexdigest()


def test_an_archive_is_known_by_its_images_however_they_are_packed(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as one, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        other.writestr("CIFAR-10-images-master/README.md", "photographs")
        other.writestr("__MACOSX/train/bird/._0001.jpg", b"")
        for name in sorted(one.namelist()):
            other.writestr(f"CIFAR-10-images-master/{name}", one.read(name), zipfile.ZIP_DEFLATED)
    first, second = (
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / name, replace(archive, key=name), quotas=QUOTAS)
        for name in ("a.zip", "b.zip")
    )
    np.testing.assert_array_equal(first.table.inputs["image"], second.table.inputs["image"])
    with pytest.raises(WorkError, match=r"does not hold the JPEG .* of its images is"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "b.zip", replace(archive, sha256="0" * 64), quotas=QUOTAS)
    assert PUBLISHED.key != PUBLISHED.sha256  # decoded pixels stay under the sum that named them first


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    place = content.index(b"JFIF")
    content[place : place + 4] = b"XXXX"
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(WorkError, match=r"a\.zip cannot be unpacked \(Bad CRC-32"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "a.zip", archive, quotas=QUOTAS)


def test_the_archive_is_ordered_by_class_part_and_name(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip")
    splits = load_archive(CIFAR10_JPEG.protocols[1], tmp_path / "a.zip", archive, quotas=QUOTAS)
    expected = [
        shade(label, part, rank)
        for label in range(10)
        for part, count in (("train", 10), ("test", 2))
        for rank in range(count)
    ]
    assert splits.table.inputs["image"].shape == (120, 32, 32, 3)
    np.testing.assert_allclose(splits.table.inputs["image"].mean((1, 2, 3)), expected, atol=1)
    assert splits.table.ids.tolist() == item_ids(SMALL).tolist()
    assert (len(splits.query), len(splits.train), len(splits.database)) == (20, 30, 100)
    assert set(splits.train) <= set(splits.database)


def test_both_forms_have_the_same_lists(tmp_path: Path, batches) -> None:
    reader, source, _ = batches
    archive = write_archive(tmp_path / "a.zip")
    for official, jpeg in zip(CIFAR10.protocols, CIFAR10_JPEG.protocols, strict=True):
        ours = load_archive(jpeg, tmp_path / "a.zip", archive, quotas=QUOTAS)
        theirs = cifar10_splits(official, stored_batches(reader, source, SMALL).pixels, "f", SMALL, QUOTAS)
        assert ours.sha256 == theirs.sha256
        assert official.sha256 == jpeg.sha256


def test_a_corrupt_image_in_the_archive_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip", {"train/cat/0003.jpg": b"\xff\xd8 nonsense", "test/dog/0001.jpg": b""})
    with pytest.raises(WorkError, match=r"2 of 120 .*test/dog/0001.jpg \(not an image\); train/cat/0003.jpg"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "a.zip", archive, quotas=QUOTAS)


def test_an_archive_with_a_missing_image_or_another_sha256_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.zip", leave_out="train/frog/0000.jpg")
    with pytest.raises(WorkError, match="9 images in train/frog, expected 10"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "a.zip", archive)
    with pytest.raises(WorkError, match="10 images in train/airplane, expected 5,000"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "a.zip", PUBLISHED)
    write_archive(tmp_path / "c.zip", {"train/frog/0000.jpg": b"another"})
    with pytest.raises(WorkError, match="the sha256 of its images is"):
        load_archive(CIFAR10_JPEG.protocols[0], tmp_path / "c.zip", Archive(archive.sha256, SMALL))
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(WorkError, match="is not a zip archive"):
        load_archive(
            CIFAR10_JPEG.protocols[0], tmp_path / "b.zip", Archive(hashlib.sha256(b"no zip").hexdigest(), SMALL)
        )


def test_a_missing_archive_says_where_it_is_expected(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"expected at .*cifar10_jpeg.zip; put it there"):
        load_splits(CIFAR10_JPEG, CIFAR10_JPEG.protocols[0], tmp_path)
    with pytest.raises(UsageError, match=r"There is no nowhere.zip"):
        load_splits(CIFAR10_JPEG, CIFAR10_JPEG.protocols[0], tmp_path, path="nowhere.zip")
