import hashzoo_iaprtc.loader as loader
import pytest
from PIL import Image

from hashzoo import Protocol, UsageError, WorkError

SMALL = Protocol(id="iaprtc12-bow", dataset="iaprtc12", sizes=(1, 1, 0))


def text(path, content: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


@pytest.fixture
def copy(tmp_path):
    """Four images as the two archives have them: Windows-1252, entities, several regions; 300 has no region."""
    root = tmp_path / "iaprtc12"
    for number in (25, 27, 112, 300):
        place = root / "iaprtc12/images/00" / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, 0, 0)).save(place, "PNG")
        content = (
            f"<DOC>\n<DOCNO>annotations/00/{number}.eng</DOCNO>\n<TITLE>Tucum\u00e1n</TITLE>\n"
            f"<DESCRIPTION>a man &amp; a lake in Tucum\u00e1n;\nbrown mountains;</DESCRIPTION>\n"
            f"<NOTES></NOTES>\n</DOC>\n"
        )
        text(root / f"iaprtc12/annotations_complete_eng/00/{number}.eng", content, "cp1252")
    text(root / "saiaprtc12ok/benchmark/wlist.txt", "1\t_astronaut\n2\tair-vehicles\n3\tanimal\n4\t\n")
    text(
        root / "saiaprtc12ok/benchmark/saiapr_tc-12/00/labels.txt",
        "25 1 3\n25 2 1\n27 1 3\n112 1 3\n112 2 3\n112 3 4\n",
    )
    return root


def test_images_texts_and_labels(copy, tmp_path):
    splits = loader.load(SMALL, tmp_path)
    table = splits.table
    assert table.ids.tolist() == ["00025", "00027", "00112"]
    assert table.class_names == ("_astronaut", "animal", "4")  # label 2 occurs nowhere, label 4 has no name
    assert table.labels.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 1]]
    assert table.inputs["image"][:, 0, 0, 0].tolist() == [25, 27, 112]
    assert set(splits.details["vocabulary"]) == {"a", "man", "lake", "in", "tucum\u00e1n", "brown", "mountains"}
    assert table.inputs["text"].all()
    assert len(splits.query) == len(splits.train) == 1
    assert len(splits.database) == 2
    assert "1 of 4 images have no label or no description" in splits.notes[-1]


def test_bad_files(copy, tmp_path):
    labels = copy / "saiaprtc12ok/benchmark/saiapr_tc-12/00/labels.txt"
    labels.write_text("25 1 3\n25 1 0\n")
    with pytest.raises(UsageError, match=r"labels\.txt, line 2: '25 1 0' is not an image, a region and a label"):
        loader.load(SMALL, tmp_path)
    labels.unlink()
    with pytest.raises(WorkError, match=r"unpack saiaprtc12ok\.part1\.rar"):
        loader.load(SMALL, tmp_path)
    (copy / "iaprtc12/annotations_complete_eng/00/27.eng").write_text("<html>")
    with pytest.raises(UsageError, match=r"27\.eng has no <DESCRIPTION>"):
        loader.load(SMALL, tmp_path)
    with pytest.raises(WorkError, match=r"unpack iaprtc12\.tgz"):
        loader.load(SMALL, tmp_path, path=str(copy / "saiaprtc12ok"))
