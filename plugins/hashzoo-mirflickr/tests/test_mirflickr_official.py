import hashzoo_mirflickr.loader as loader
import hashzoo_mirflickr.official as official
import numpy as np
import pytest
from hashzoo_mirflickr import MIRFLICKR_TAGS
from PIL import Image

from hashzoo import Protocol, UsageError, WorkError

ANNOTATED = {"animals": [1, 4], "sky": [1, 2, 3], "baby": [3]}
SMALL = Protocol(id="mirflickr-bow", dataset="mirflickr-tags", sizes=(1, 1, 1))


def text(path, content: str, newline: str = "\r\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.replace("\n", newline).encode())


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Six images as the official archives have them: line ends of DOS, empty tags, an _r1 file, a README to skip."""
    monkeypatch.setattr(loader, "IMAGES", 6)
    root = tmp_path / "mirflickr25k"
    for number in range(1, 7):
        text(root / f"mirflickr/meta/tags/tags{number}.txt", "sky\nblue\n" if number % 2 else "")
        Image.new("RGB", (8, 8), (number, 0, 0)).save(root / f"mirflickr/im{number}.jpg", "PNG")
    text(root / "mirflickr/doc/common_tags.txt", "sky 845\nblue 641\n")
    for name in official.LABELS:
        numbers = ANNOTATED.get(name, [])
        text(root / f"mirflickr25k_annotations_v080/{name}.txt", "".join(f"{n}\n" for n in numbers))
    text(root / "mirflickr25k_annotations_v080/baby_r1.txt", "3\n")
    text(root / "mirflickr25k_annotations_v080/README.txt", "not a label\n")
    return root


def test_tags_and_labels(copy, tmp_path):
    splits = loader.load_tags(SMALL, tmp_path)
    labels = splits.table.labels
    for name, numbers in ANNOTATED.items():
        assert (np.flatnonzero(labels[:, official.LABELS.index(name)]) + 1).tolist() == numbers
    assert splits.table.inputs["text"].tolist() == [[1, 1], [0, 0]] * 3
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]
    used = {*splits.query.tolist(), *splits.database.tolist()}
    assert used == {0, 2}  # images 1 and 3 have a label and a tag
    assert splits.details == {"vocabulary": ["sky", "blue"]}


def test_a_tag_may_hold_a_separator_of_unicode(copy):
    text(copy / "mirflickr/meta/tags/tags1.txt", "a\u2028b\nsky\n")
    assert official.read_tags(copy / "mirflickr", 1) == [["a\u2028b", "sky"]]


def test_absent_list_of_tags_is_counted(copy, tmp_path, monkeypatch):
    (copy / "mirflickr/doc/common_tags.txt").unlink()
    monkeypatch.setattr(official, "TAG_AT_LEAST", 3)
    splits = loader.load_tags(SMALL, tmp_path)
    assert splits.details == {"vocabulary": ["blue", "sky"]}  # as often, so by alphabet
    assert "common_tags.txt is absent, so the 2 tags of at least 3 images were counted" in splits.notes[0]


@pytest.mark.parametrize(("content", "value"), [("1\n0\n", "0"), ("1\n7\n", "7"), ("1\nsky\n", "sky")])
def test_numbers_that_are_no_images(copy, tmp_path, content, value):
    text(copy / "mirflickr25k_annotations_v080/sky.txt", content)
    with pytest.raises(UsageError, match=rf"sky\.txt, line 2: '{value}' is no image number; images are counted from 1"):
        loader.load_tags(SMALL, tmp_path)


def test_what_is_missing(copy, tmp_path):
    (copy / "mirflickr/meta/tags/tags3.txt").unlink()
    with pytest.raises(WorkError, match=r"1 of 6 files of tags are missing .* tags3\.txt"):
        loader.load_tags(SMALL, tmp_path)
    (copy / "mirflickr25k_annotations_v080/river.txt").unlink()
    with pytest.raises(WorkError, match=r"river\.txt is missing; unpack mirflickr25k_annotations_v080\.zip"):
        loader.load_tags(SMALL, tmp_path)
    text(copy / "annotations/animals.txt", "1\n")
    with pytest.raises(UsageError, match="several folders of annotations"):
        loader.load_tags(SMALL, tmp_path)


def test_protocols_say_where_they_come_from():
    assert MIRFLICKR_TAGS.protocols[0].id == "mirflickr-bow"
    assert all(p.flaws and p.source for p in MIRFLICKR_TAGS.protocols)
