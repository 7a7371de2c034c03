import hashlib
import io
import tarfile

import hashzoo_openclipart.loader as loader
import hashzoo_openclipart.packages as packages
import numpy as np
import pytest
from hashzoo_openclipart import OPENCLIPART, OPENCLIPART_PAIRS
from hashzoo_openclipart.index import Picture, read_index
from PIL import Image

from hashzoo import Protocol, UsageError, WorkError
from hashzoo.data import split_sha256, vocabulary

SMALL = Protocol(id="small", dataset="openclipart", sizes=(2, 3, 6))


def png(shade: int, size: tuple[int, int] = (20, 10)) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", size, (shade, 0, 0, 255)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def few(monkeypatch):
    """Eight pictures; those with odd numbers have no text."""
    content = {f"food/fruit/p{n}": png(30 * n) for n in range(8)}
    pictures = [
        Picture(
            name,
            hashlib.sha256(data).hexdigest()[:16],
            ("food", "fruit") if n % 3 else ("food",),
            () if n % 2 else ("ripe", f"word{n}"),
        )
        for n, (name, data) in enumerate(content.items())
    ]
    monkeypatch.setattr(loader, "read_index", lambda: pictures)
    return content


def in_folder(folder, content):
    for name, data in content.items():
        file = folder / "png" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def in_package(file, content):
    """Write a .deb as dpkg does: an ar archive with a control and a data archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(f"./usr/share/openclipart/png/{name}.png")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": packed.getvalue()}
    file.write_bytes(b"!<arch>\n" + b"".join(ar_member(*member) for member in members.items()))
    return file


def test_folder_and_package_give_the_same(few, tmp_path):
    package = in_package(tmp_path / "openclipart-png_0.18+dfsg-19_all.deb", few)
    folder = in_folder(tmp_path / "share", few)
    found = [loader.load(SMALL, tmp_path, path=str(p), stored_size=16) for p in (folder, package, tmp_path)]
    assert len({(s.sha256, s.table.fingerprint) for s in found}) == 1
    table = found[0].table
    assert table.class_names == ("food", "fruit")
    assert table.labels.tolist() == [[1, int(n % 3 > 0)] for n in range(8)]
    pixels = table.inputs["image"]
    assert pixels.shape == (8, 16, 16, 3)
    # 20 x 10 pixels on a square: white above and below, the picture in the 8 rows between
    assert (pixels[1, [0, 3, 12, 15]] == 255).all()
    assert (pixels[1, 4:12] == [30, 0, 0]).all()


def test_pairs_draw_from_pictures_with_a_text(few, tmp_path):
    protocol = Protocol(id="small", dataset="openclipart-pairs", sizes=(1, 2, 3))
    splits = loader.load_pairs(protocol, tmp_path, path=str(in_folder(tmp_path, few)), stored_size=16)
    assert sorted(np.union1d(splits.query, splits.database)) == [0, 2, 4, 6]
    assert splits.details == {"vocabulary": ["ripe"]}
    assert splits.table.inputs["text"].tolist() == [[float(n % 2 == 0)] for n in range(8)]


@pytest.mark.parametrize("dataset", [OPENCLIPART, OPENCLIPART_PAIRS], ids=lambda dataset: dataset.name)
def test_pinned_lists_follow_from_the_index(dataset):
    protocol = dataset.protocols[0]
    pictures = read_index()
    known = set(vocabulary((" ".join(p.words) for p in pictures), at_least=loader.TEXT_AT_LEAST))
    with_text = [n for n, p in enumerate(pictures) if known & set(p.words)]
    rows = with_text if dataset is OPENCLIPART_PAIRS else range(len(pictures))
    # the rule, written out: order by sha256 of "openclipart/<id>"; queries, then training; all but queries searched
    ids = sorted((pictures[n].id for n in rows), key=lambda i: hashlib.sha256(f"openclipart/{i}".encode()).digest())
    queries, train, database = protocol.sizes
    assert len(ids) == queries + database
    assert split_sha256(ids[queries : queries + train], ids[:queries], ids[queries:]) == protocol.sha256


def test_nothing_there_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "INSTALLED", tmp_path / "usr")
    with pytest.raises(WorkError, match="apt-get install openclipart-png"):
        packages.find_package("", tmp_path)
    with pytest.raises(UsageError, match="holds neither"):
        packages.find_package(str(tmp_path), tmp_path)
    with pytest.raises(UsageError, match="There is no"):
        packages.find_package("nowhere", tmp_path)
    in_folder(tmp_path / "usr", {"a": b""})
    assert packages.find_package("", tmp_path) == tmp_path / "usr" / "png"


def test_damage_is_named(few, tmp_path):
    folder = in_folder(tmp_path, {**few, "food/fruit/p3": png(1)})
    with pytest.raises(WorkError, match=r"1 of 8 pictures of openclipart are not those .*: food/fruit/p3;"):
        loader.load(SMALL, tmp_path, path=str(folder))
    other = tmp_path / "openclipart-png_1.deb"
    other.write_bytes(b"<html>")
    with pytest.raises(UsageError, match="is not a Debian package"):
        loader.load(SMALL, tmp_path, path=str(other))
    other.write_bytes(b"!<arch>\n" + ar_member("data.tar.xz", b"no tar"))
    with pytest.raises(WorkError, match="cannot be read as a Debian package"):
        loader.load(SMALL, tmp_path, path=str(other))
