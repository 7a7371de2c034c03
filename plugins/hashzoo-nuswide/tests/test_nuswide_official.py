import hashzoo_nuswide.loader as loader
import hashzoo_nuswide.official as official
import numpy as np
import pytest
from PIL import Image

from hashzoo import Protocol, UsageError, WorkError
from hashzoo.data import ItemList

# rows 0 and 5 have one Flickr id, row 4 no label
NAMES = [("actor", i, 2124494179 + (0 if i == 5 else i)) for i in range(6)]
LABELS = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=np.uint8)
CONCEPTS = ("sky", "lake", "animal")


def text(path, content: str, newline: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.replace("\n", newline).encode())


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Six images as the official archives have them: backslashes, line ends of DOS, tabs, the published defect."""
    monkeypatch.setattr(loader, "COMMONEST", CONCEPTS)
    monkeypatch.setattr(loader, "concepts", lambda: CONCEPTS)
    root = tmp_path / "nuswide"
    text(root / "ImageList/Imagelist.txt", "".join(f"{d}\\{i + 1:04d}_{f}.jpg\n" for d, i, f in NAMES))
    for column, concept in enumerate(CONCEPTS):
        lines = "".join(f"{value}\n" for value in LABELS[:, column])
        text(root / f"Groundtruth/AllLabels/Labels_{concept}.txt", lines)
    text(root / "Groundtruth/TrainTestLabels/Labels_lake_Train.txt", "0\n-1130179\n1\n")
    text(root / "NUS_WID_Tags/TagList1k.txt", "nature\nsky\n", newline="\r\n")
    text(root / "NUS_WID_Tags/AllTags1k.txt", "".join(f"{i % 2}\t{(i // 2) % 2}\t\n" for i in range(6)))
    for row, (folder, i, flickr) in enumerate(NAMES):
        file = root / "Flickr" / folder / f"{i + 1:04d}_{flickr}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (row, 0, 0)).save(file, "PNG")
    return root


TAGS = Protocol(id="nuswide21-bow", dataset="nuswide-tags", sizes=(1, 2, 4))


def test_tags(copy, tmp_path):
    splits = loader.load_tags(TAGS, tmp_path)
    assert splits.table.ids.tolist() == [f"nus/00000{row}" for row in (0, 1, 2, 3, 5)]  # row 4 has no label
    assert splits.table.labels.tolist() == LABELS[[0, 1, 2, 3, 5]].tolist()
    assert splits.table.inputs["text"].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [1, 0]]
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5]
    assert splits.details == {"vocabulary": ["nature", "sky"]}


def lists(monkeypatch, query, train):
    """Shipped lists of (file name, labels)."""

    def listed(name):
        chosen = query if name.endswith("test") else train
        labels = np.asarray([row for _, row in chosen], dtype=np.uint8)
        return ItemList(f"{name}.txt.xz", tuple(n for n, _ in chosen), labels, np.arange(1, len(chosen) + 1))

    monkeypatch.setattr(loader, "_list", listed)


def flat(row: int) -> str:
    return f"{NAMES[row][1] + 1:04d}_{NAMES[row][2]}.jpg"


OFFICIAL = Protocol(id="nuswide21-10k", dataset="nuswide", sizes=(1, 2, 4))


@pytest.mark.parametrize("layout", ["folders", "flat"])
def test_lists_over_the_official_images(copy, tmp_path, monkeypatch, layout):
    if layout == "flat":
        for file in (copy / "Flickr" / "actor").iterdir():
            file.rename(copy / "Flickr" / file.name)
    lists(monkeypatch, [(flat(3), LABELS[3])], [(flat(5), LABELS[5]), (flat(0), LABELS[0])])
    splits = loader.load(OFFICIAL, tmp_path)
    named = [splits.table.ids[rows].tolist() for rows in (splits.query, splits.train, splits.database)]
    assert named[0] == ["nus/000003"]
    assert named[1] == ["nus/000005", "nus/000000"]
    assert named[2] == [f"nus/00000{row}" for row in (0, 1, 2, 5)]
    assert splits.table.inputs["image"][splits.train][:, 0, 0, 0].tolist() == [5, 0]


def test_lists_that_are_of_other_data(copy, tmp_path, monkeypatch):
    lists(monkeypatch, [("0099_1.jpg", LABELS[3])], [(flat(5), LABELS[5])])
    with pytest.raises(UsageError, match=r"test\.txt\.xz, line 1: 0099_1\.jpg is not in Imagelist\.txt"):
        loader.load(OFFICIAL, tmp_path)
    lists(monkeypatch, [(flat(3), LABELS[3])], [(flat(5), LABELS[5]), (flat(0), LABELS[1])])
    with pytest.raises(UsageError, match=r"train\.txt\.xz, line 2: the labels are not those of AllLabels \(1 such"):
        loader.load(OFFICIAL, tmp_path)


@pytest.mark.parametrize(("kind", "database"), [("nuswide81m-10k", [1, 2, 5]), ("nuswide81m-10k-asis", [1, 2, 4, 5])])
def test_database_of_the_images_that_are_there(copy, tmp_path, monkeypatch, kind, database):
    def m_name(row: int) -> str:
        return f"{row}_{NAMES[row][2]}_ab_m.jpg"

    for row in (1, 2, 3, 4, 5):  # the image of row 0 is dead
        place = copy / "Flickr" / m_name(row)
        Image.new("RGB", (8, 8), (row, 0, 0)).save(place, "PNG")
    lists(monkeypatch, [(m_name(3), LABELS[3])], [(m_name(1), LABELS[1])])
    splits = loader.load(Protocol(id=kind, dataset="nuswide", sizes=(1, 1, 0)), tmp_path)
    assert splits.table.ids[splits.database].tolist() == [m_name(row) for row in database]
    assert splits.table.inputs["image"][splits.database][:, 0, 0, 0].tolist() == database
    for file in (copy / "Flickr").glob("*_m.jpg"):
        file.unlink()
    with pytest.raises(WorkError, match="holds no images of NUS-WIDE-m"):
        loader.load(Protocol(id=kind, dataset="nuswide", sizes=(1, 1, 0)), tmp_path)


def test_bad_files(copy, tmp_path):
    file = copy / "Groundtruth/AllLabels/Labels_lake.txt"
    file.write_text("0\n-1130179\n1\n0\n0\n0\n")
    with pytest.raises(UsageError, match=r"Labels_lake\.txt, line 2: '-1130179' is no label"):
        loader.load_tags(TAGS, tmp_path)
    file.write_text("0\n1\n")
    with pytest.raises(UsageError, match=r"Labels_lake\.txt has 2 lines and the file of sky has 6"):
        loader.load_tags(TAGS, tmp_path)
    file.unlink()
    with pytest.raises(WorkError, match=r"Labels_lake\.txt is missing; unpack Groundtruth\.zip"):
        loader.load_tags(TAGS, tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [("0 1 1\n", "line 2 has 3 values, and there are 2 tags"), ("0 2\n", "line 2 holds values other than 0 and 1")],
)
def test_bad_tags(copy, tmp_path, line, message):
    text(copy / "NUS_WID_Tags/AllTags1k.txt", "0 1\n" + line + "0 1\n" * 4)
    with pytest.raises(UsageError, match=message):
        loader.load_tags(TAGS, tmp_path)


def test_short_tags(copy, tmp_path):
    text(copy / "NUS_WID_Tags/AllTags1k.txt", "0 1\n" * 4)
    with pytest.raises(UsageError, match="has 4 lines, fewer than the 6 images"):
        loader.load_tags(TAGS, tmp_path)


def test_a_path_that_leads_elsewhere(copy):
    text(copy / "ImageList/Imagelist.txt", "actor\\1.jpg\n..\\..\\passwd\n")
    with pytest.raises(UsageError, match=r"Imagelist\.txt, line 2: .* is no path of an image"):
        official.read_names(copy)
