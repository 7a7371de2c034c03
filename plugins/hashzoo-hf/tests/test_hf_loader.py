import io
import shutil

import numpy as np
import pytest
from hashzoo_hf import HF, HF_PAIRS
from hashzoo_hf.loader import load, load_pairs
from hashzoo_hf.rows import Rows, labels_of
from PIL import Image

from hashzoo import UsageError, WorkError

datasets = pytest.importorskip("datasets", reason="the Hugging Face library `datasets` is not installed")
pyarrow = pytest.importorskip("pyarrow.parquet") and pytest.importorskip("pyarrow")
PLAIN, PAIRS = HF.protocols[0], HF_PAIRS.protocols[0]


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(out, "PNG")
    return out.getvalue()


def parquet(folder, split: str, start: int, count: int, **more) -> None:
    folder.mkdir(exist_ok=True)
    columns = {
        "img": [{"bytes": png(start + n), "path": None} for n in range(count)],
        "label": [(start + n) % 3 for n in range(count)],
        "tags": [[["red", "blue", "green"][m] for m in range(n % 3 + 1)] for n in range(count)],
        "caption": [["a frog", f"pond {n}"] for n in range(count)],
        **more,
    }
    features = datasets.Features(
        {
            "img": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog", "frog"]),
            "tags": datasets.Sequence(datasets.Value("string")),
            "caption": datasets.Sequence(datasets.Value("string")),
        }
    )
    table = pyarrow.Table.from_pydict(columns, schema=features.arrow_schema)
    pyarrow.parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")


@pytest.fixture
def local(tmp_path):
    parquet(tmp_path / "set", "train", 0, 12)
    parquet(tmp_path / "set", "test", 100, 3)
    return tmp_path / "set"


def test_named_splits(local, tmp_path):
    given = {"image": "img", "label": "label", "train_split": "train", "query_split": "test"}
    splits = load(PLAIN, tmp_path, path=str(local), **given)
    assert splits.table.class_names == ("cat", "dog", "frog")
    assert splits.table.ids[[0, 12]].tolist() == ["train/000000", "test/000000"]
    assert splits.query.tolist() == [12, 13, 14]
    assert splits.database.tolist() == splits.train.tolist() == list(range(12))
    np.testing.assert_array_equal(splits.table.inputs["image"][:, 0, 0, 0], [*range(12), 100, 101, 102])
    np.testing.assert_array_equal(splits.table.labels.argmax(axis=1), [n % 3 for n in (*range(12), 100, 101, 102)])


def test_only_the_folder_and_its_data_are_read(local, tmp_path):
    given = {"image": "img", "label": "label", "train_split": "train", "query_split": "test"}
    (local / "backup").mkdir()
    shutil.copy(local / "test-00000-of-00001.parquet", local / "backup" / "test-old.parquet")
    (local / "data").mkdir()
    (local / "test-00000-of-00001.parquet").rename(local / "data" / "test-00000-of-00001.parquet")
    splits = load(PLAIN, tmp_path, path=str(local), **given)
    assert (len(splits.train), len(splits.query)) == (12, 3)
    shutil.copy(local / "train-00000-of-00001.parquet", local / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(UsageError, match=r"data/train-.* and .*train-.* both hold the split 'train'; move one"):
        load(PLAIN, tmp_path, path=str(local), **given)
    (local / "data" / "train-00000-of-00001.parquet").rename(local / "train.parquet")
    with pytest.raises(
        UsageError, match=r"train.*\.parquet and .*train.*\.parquet both hold the split 'train'; move one"
    ):
        load(PLAIN, tmp_path, path=str(local), **given)
    with pytest.raises(UsageError, match="holds no Parquet or Arrow files; give path= a folder of one kind, in it or"):
        load(PLAIN, tmp_path, path=str(tmp_path), **given)


def test_drawn_from_one_split_with_several_labels(local, tmp_path):
    splits = load(PLAIN, tmp_path, path=str(local), image="img", label="tags", split="train", queries=2, train=4)
    assert (len(splits.query), len(splits.train), len(splits.database)) == (2, 4, 6)
    assert splits.table.class_names == ("blue", "green", "red")
    assert splits.table.labels[:3].tolist() == [[0, 0, 1], [1, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("kind", "rows", "names", "labels"),
    [
        ("string", [["sea", None], ["", "sky"], [" "], [], None], ("sea", "sky"), [[1, 0], [0, 1], *[[0, 0]] * 3]),
        ("int64", [[7, -1], [None, 3, 7], [-1], [], None], ("3", "7"), [[0, 1], [1, 1], *[[0, 0]] * 3]),
        ("int64", [[2, -1], [0, 2], [-1, -1]], ("0", "2"), [[0, 1], [1, 1], [0, 0]]),
        ("float32", [[7.0, float("nan")], [3.0], [None]], ("3.0", "7.0"), [[0, 1], [1, 0], [0, 0]]),
    ],
)
def test_what_is_no_label_in_a_list_makes_no_class(kind, rows, names, labels):
    features = datasets.Features({"tags": datasets.Sequence(datasets.Value(kind))})
    split = datasets.Dataset.from_dict({"tags": rows}, features=features)
    found, classes = labels_of(Rows({"train": split}), "tags")
    assert classes == names
    assert found.tolist() == labels


def test_pairs(local, tmp_path):
    splits = load_pairs(
        PAIRS, tmp_path, path=str(local), image="img", text="caption", label="label", words=3, queries=2, train=4
    )
    assert splits.details["vocabulary"] == ["a", "frog", "pond"]
    assert splits.table.inputs["text"].tolist() == [[1, 1, 1]] * len(splits.table.ids)


def test_damaged_images(local, tmp_path):
    parquet(local, "more", 0, 4, img=[{"bytes": png(1) if n else b"<html>", "path": None} for n in range(4)])
    given = {"path": str(local), "image": "img", "label": "label", "split": "more", "queries": 1, "train": 1}
    with pytest.raises(WorkError, match=r"more/000000 \(not an image but a page of HTML"):
        load(PLAIN, tmp_path, **given)
    splits = load(PLAIN, tmp_path, skip_damaged=True, **given)
    assert 0 not in [*splits.query, *splits.train, *splits.database]
    assert "1 image files were left out because they cannot be read: more/000000 (not an image" in splits.notes[-1]


def test_an_empty_cell_and_a_file_that_is_gone_are_missing_images(local, tmp_path):
    stored = [{"bytes": png(1), "path": None}, None, {"bytes": None, "path": str(tmp_path / "gone.png")}]
    parquet(local, "more", 0, 4, img=[*stored, {"bytes": png(2), "path": None}])
    given = {"path": str(local), "image": "img", "label": "label", "split": "more", "queries": 1, "train": 1}
    with pytest.raises(WorkError, match=r"more/000001 \(missing\); more/000002 \(missing\)"):
        load(PLAIN, tmp_path, **given)


@pytest.mark.parametrize("asked", [{"queries": 1}, {"train": 1}, {"seed": 1}, {"train_in_database": True}])
def test_a_draw_asked_where_splits_are_named_is_refused(local, tmp_path, asked):
    given = {"image": "img", "label": "label", "train_split": "train", "query_split": "test"}
    with pytest.raises(UsageError, match=f"nothing is drawn, so the option {next(iter(asked))} has no use"):
        load(PLAIN, tmp_path, path=str(local), **given, **asked)


def test_rows_that_nothing_identifies_are_refused():
    class Split:
        def __len__(self):
            return 1

    with pytest.raises(WorkError, match="does not say what identifies its rows"):
        Rows({"train": Split()}).fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "img"}, r"Name the column of the label: label=COLUMN\. .* has img"),
        ({"image": "picture", "label": "label"}, "picture"),
        ({"image": "label", "label": "label"}, "not images"),
        ({"image": "img", "label": "label", "split": "dev"}, "dev"),
        ({"image": "img", "label": "label", "query_split": "test"}, "Name both train_split and query_split"),
        ({"image": "img", "label": "label", "query_split": "a", "train_split": "b", "split": "c"}, "leave one of them"),
    ],
)
def test_what_is_asked_wrongly(local, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        load(PLAIN, tmp_path, path=str(local), **options)


def test_what_cannot_be_loaded(tmp_path):
    for wrong in (5, ""):
        with pytest.raises(UsageError, match="path must be a name at the Hugging Face hub or a local path, got"):
            load(PLAIN, tmp_path, path=wrong, image="img", label="label")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no Parquet or Arrow files"):
        load(PLAIN, tmp_path, path=str(tmp_path / "empty"), image="img", label="label")
    (tmp_path / "train.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(WorkError, match="cannot be loaded"):
        load(PLAIN, tmp_path, path=str(tmp_path / "train.parquet"), image="img", label="label")
