import hashlib
import io
import tarfile

import hashzoo_emoji.loader as loader
import numpy as np
import pytest
from hashzoo_emoji import EMOJI
from hashzoo_emoji.index import Emoji, read_index
from hashzoo_emoji.recipe import IMAGES
from PIL import Image

from hashzoo import UsageError, WorkError
from hashzoo.data import split_sha256

PAIRS = EMOJI.protocols[0]


def png(shade: int, alpha: int = 255) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (shade, 0, 0, alpha)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def few(monkeypatch):
    """Eight emoji in two subgroups, the first with two skin tones."""
    content, emoji = {}, []
    for number in range(8):
        for tone in ("", "-1f3fb", "-1f3ff") if number == 0 else ("",):
            name = f"1f60{number}{tone}"
            content[name] = png(20 * number + len(tone), 0 if number == 1 else 255)
            digest = hashlib.sha256(content[name]).hexdigest()[:16]
            emoji.append(Emoji(name, digest, f"1f60{number}", ("bird", "tool")[number % 2], ("wing", f"w{number}")))
    monkeypatch.setattr(loader, "read_index", lambda: emoji)
    monkeypatch.setattr(loader, "QUERIES", 2)
    monkeypatch.setattr(loader, "TRAIN", 4)
    return content


def in_folder(folder, content):
    place = folder / IMAGES
    place.mkdir(parents=True)
    for name, data in content.items():
        (place / f"{name}.png").write_bytes(data)
    return folder


def in_package(file, content):
    with tarfile.open(file, "w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(f"package/{IMAGES}/{name}.png")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def test_folder_and_package_give_the_same(few, tmp_path):
    package = in_package(tmp_path / "emoji-datasource-google-16.0.0.tgz", few)
    folder = in_folder(tmp_path / "unpacked", few)
    found = [loader.load(PAIRS, tmp_path, path=str(path)) for path in (folder, package, tmp_path)]
    assert len({splits.table.fingerprint for splits in found}) == 1
    pixels = found[0].table.inputs["image"]
    assert pixels.shape == (10, 64, 64, 3)
    assert (pixels[3] == 255).all()  # emoji 1 is wholly transparent: white
    assert found[0].details == {"vocabulary": ["wing"]}  # w0 stands in the text of one emoji, tones not counted


def test_tones_stay_with_their_emoji(few, tmp_path):
    splits = loader.load(PAIRS, tmp_path, path=str(in_folder(tmp_path / "a", few)))
    bases = [{splits.table.ids[row][:5] for row in part} for part in (splits.query, splits.database)]
    assert not bases[0] & bases[1]
    assert len(splits.query) + len(splits.database) == 10
    assert set(splits.train) <= set(splits.database)


def test_pinned_lists_follow_from_the_index():
    emoji = read_index()
    names = sorted({item.subgroup for item in emoji})
    classes = np.asarray([names.index(item.subgroup) for item in emoji])
    known = loader.vocabulary((" ".join(e.words) for e in emoji if e.id == e.base), at_least=loader.TEXT_AT_LEAST)
    usable = loader.bag_of_words([" ".join(e.words) for e in emoji], known).any(axis=1)
    train, query, database = loader.drawn(emoji, classes, usable)
    ids = np.asarray([item.id for item in emoji])
    assert (len(query), len(train), len(database)) == PAIRS.sizes
    assert split_sha256(ids[train], ids[query], ids[database]) == PAIRS.sha256
    base_of = {item.id: item.base for item in emoji}
    assert not {base_of[i] for i in ids[query]} & {base_of[i] for i in ids[database]}


def test_nothing_there_says_what_to_fetch(tmp_path):
    with pytest.raises(WorkError, match=r"npm pack emoji-datasource-google@16\.0\.0"):
        loader.find_package("", tmp_path)
    with pytest.raises(UsageError, match="neither the package"):
        loader.find_package(str(tmp_path), tmp_path)


def test_damage_names_the_files(few, tmp_path):
    few["1f603"] = png(1)
    folder = in_folder(tmp_path / "a", few)
    with pytest.raises(WorkError, match=r"1 of 10 pictures of emoji are not those .*: 1f603;"):
        loader.load(PAIRS, tmp_path, path=str(folder))
    (folder / IMAGES / "1f602.png").unlink()
    with pytest.raises(WorkError, match=r"are missing: 1f602;"):
        loader.load(PAIRS, tmp_path, path=str(folder))
    broken = tmp_path / "emoji-datasource-google-16.0.0.tgz"
    broken.write_bytes(b"\x1f\x8b not gzip")
    with pytest.raises(WorkError, match="cannot be read as an npm package"):
        loader.load(PAIRS, tmp_path, path=str(broken))
