"""List files in the forms the field passes around, and everything that can be wrong with them by file and line."""

from __future__ import annotations

import gzip
import lzma
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.data import chain, find_images, join_lists, load_splits, paired_list, read_lines, read_list, split_sha256
from hashzoo.data.catalogue import check
from hashzoo.data.checks import require_usable
from hashzoo.data.datasets import LISTS
from hashzoo.data.label_orders import recognise
from hashzoo.errors import HashzooError, UsageError, WorkError
from hashzoo.specs import Splits

OWN, ASIS = LISTS.protocols
ROWS = np.array([[(i + j) % (j + 2) == 0 for j in range(4)] for i in range(12)], dtype=np.uint8)
ROWS[~ROWS.any(axis=1), 0] = 1
ROWS[11] = 0
PARTS = {"train": range(4), "test": range(4, 6), "database": [*range(4), *range(6, 12)]}


def picture(path: Path, k: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (np.arange(12 * 9 * 3) * 7 + k * 31) % 256
    Image.fromarray(pixels.reshape(9, 12, 3).astype(np.uint8)).save(path)


def name(i: int) -> str:
    return f"{i}_{1000 + i}_ab_m.png"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """HashNet's form: a prefix of the author's machine, multi-hot rows, an unlabelled item, train in database."""
    root = tmp_path / "coco"
    for i in range(12):
        picture(root / "images" / name(i), i)
    for part, rows in PARTS.items():
        lines = [f"./data/coco/images/{name(i)} {' '.join(map(str, ROWS[i]))}" for i in rows]
        (root / f"{part}.txt").write_text("\n".join(lines) + ("\n" if part == "train" else ""))
    return root


def load(path: Path, protocol=OWN, **options) -> Splits:
    return load_splits(LISTS, protocol, path.parent, path=str(path), **options)


def expect(splits: Splits, root: Path) -> None:
    require_usable(splits, OWN)
    for part, rows in PARTS.items():
        found = getattr(splits, {"test": "query"}.get(part, part))
        assert splits.table.ids[found].tolist() == [name(i) for i in rows]
        np.testing.assert_array_equal(splits.table.labels[found], ROWS[list(rows)])
        for row, i in zip(found, rows, strict=True):
            with Image.open(root / "images" / name(i)) as image:
                np.testing.assert_array_equal(splits.table.inputs["image"][row], np.asarray(image))


def test_hashnets_lists(coco: Path) -> None:
    expect(load(coco), coco)
    assert load(coco).sha256 == split_sha256(*([name(i) for i in PARTS[p]] for p in ("train", "test", "database")))
    only = load(coco, lists_only=True)
    assert only.sha256 == load(coco).sha256
    assert only.table.inputs["image"].shape == (12, 0, 0, 3)


@pytest.mark.parametrize("layout", ["dhd", "caffe", "packed", "zipped", "elsewhere", "blanks"])
def test_the_same_lists_in_other_dress(coco: Path, tmp_path: Path, layout: str) -> None:
    options = {}
    texts = {part: (coco / f"{part}.txt").read_text() for part in PARTS}
    if layout == "dhd":
        for part, new in (("train", "coco_Train"), ("test", "coco_Query"), ("database", "coco_DB")):
            (coco / f"{part}.txt").unlink()
            (coco / f"{new}.txt").write_text(texts[part].replace("./data/coco/images/", ""))
    elif layout == "caffe":
        (coco / "database.txt").unlink()
        lines = texts["database"].splitlines()
        for n in range(10):
            (coco / f"database{n}.txt").write_text(f"{lines[n]}\n")
    elif layout == "packed":
        for part, opener, ending in (("train", lzma.open, "xz"), ("database", gzip.open, "gz")):
            (coco / f"{part}.txt").unlink()
            with opener(coco / f"{part}.txt.{ending}", "wb") as out:
                out.write(texts[part].encode())
    elif layout == "zipped":
        with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
            for file in sorted((coco / "images").iterdir()):
                archive.write(file, f"images/{file.name}")
        options["images"] = str(tmp_path / "pictures.zip")
    elif layout == "elsewhere":
        (coco / "images").rename(tmp_path / "images")
        splits = load(coco, images=str(tmp_path / "images"))
        expect(splits, tmp_path)
        return
    else:
        for part, text in texts.items():
            (coco / f"{part}.txt").write_text(text.replace(" ", " \t ").replace("\n", " \r\n"))
    expect(load(coco, **options), coco)


def test_numbered_parts_are_joined_by_number_and_others_are_not_guessed(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.txt").write_text(f"{part}.jpg 1 0\n")
    for n in range(12):
        (tmp_path / f"database{n}.txt").write_text(f"d{n}.jpg 0 1\n")
    splits = load(tmp_path, lists_only=True)
    assert splits.table.ids[splits.database].tolist() == [f"d{n}.jpg" for n in range(12)]
    (tmp_path / "query.txt").write_text("q.jpg 1 0\n")
    with pytest.raises(UsageError, match=r"several files for the query part \(query, test\)"):
        load(tmp_path, lists_only=True)
    with pytest.raises(UsageError, match=r"no list for database; say .*database_list=FILE.*database_list=train"):
        load(tmp_path, lists_only=True, train_list="train.txt", query_list="test.txt")
    named = {"train_list": "train.txt", "query_list": "test.txt", "database_list": "database1.txt,database0.txt"}
    assert load(tmp_path, lists_only=True, **named).table.ids[-2:].tolist() == ["d1.jpg", "d0.jpg"]
    (tmp_path / "test_img.txt").write_text("a.jpg\n")
    (tmp_path / "data.csv").write_text("path,label\na.jpg,1\n")
    with pytest.raises(UsageError, match=r"in several ways \(lists, pairs, table\); say which with layout="):
        load(tmp_path, lists_only=True)
    with pytest.raises(UsageError, match="did you mean 'table'"):
        load(tmp_path, layout="tabel")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["database0", "database1", "database3"], "has database0 to database3 for the database part and no database2;"),
        (["database1", "database12"], "and no database2; add it, or name the files, in order, with database_list="),
        (
            ["database2014", "database2017"],
            r"\(database2014, database2017\), and their numbers do not begin at 0 or 1;",
        ),
        (
            ["database2", "database3"],
            "their numbers do not begin at 0 or 1; name those .* with database_list=FILE,FILE",
        ),
        (
            ["database0", "database1", "database01"],
            r"several files for the database part \(database0, database01, data",
        ),
        (["database1", "database2", "database3"], ""),
        (["database2014"], ""),
    ],
)
def test_numbered_parts_with_a_gap_or_with_years_are_refused(tmp_path: Path, names: list[str], words: str) -> None:
    for name in ("train", "test", *names):
        (tmp_path / f"{name}.txt").write_text(f"{name}.jpg 1 0\n")
    if not words:
        splits = load(tmp_path, lists_only=True)
        assert splits.table.ids[splits.database].tolist() == [f"{name}.jpg" for name in names]
        return
    with pytest.raises(UsageError, match=words):
        load(tmp_path, lists_only=True)
    named = ",".join(f"{name}.txt" for name in names)
    splits = load(tmp_path, lists_only=True, train_list="train.txt", query_list="test.txt", database_list=named)
    assert splits.table.ids[splits.database].tolist() == [f"{name}.jpg" for name in names]


def test_pairs_of_files_and_single_lists(tmp_path: Path) -> None:
    root = tmp_path / "adsh"
    root.mkdir()
    for part, rows in {"train": range(4), "test": range(4, 6), "database": range(12)}.items():
        (root / f"{part}_img.txt").write_text("".join(f"images/{i:04d}.jpg\n" for i in rows))
        (root / f"{part}_label.txt").write_text("".join(" ".join(map(str, ROWS[i])) + " \n" for i in rows))
    splits = load(root, ASIS, lists_only=True)
    np.testing.assert_array_equal(splits.table.labels[splits.database], ROWS)
    single = tmp_path / "bihalf"
    single.mkdir()
    (single / "img.txt").write_text("".join(f"im{i}.jpg\n" for i in range(12)))
    (single / "targets.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in ROWS))
    drawn = load(single, lists_only=True, queries=2, train=0.25)
    assert (len(drawn.query), len(drawn.train), len(drawn.database)) == (2, 3, 7)
    assert load(single, lists_only=True).notes
    (single / "targets.txt").write_text("1 0\n")
    with pytest.raises(UsageError, match=r"img.txt has 12 lines and .*targets.txt 1"):
        load(single, lists_only=True)


def test_class_numbers_paths_with_blanks_and_repeated_names(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("a/my photo 1.jpg 7\nb/my photo 1.jpg 9\na/2.jpg -1\n")
    joined = join_lists({"": read_list(tmp_path / "all.txt")})
    assert joined.paths == ("a/my photo 1.jpg", "b/my photo 1.jpg", "a/2.jpg")
    assert joined.ids.tolist() == list(joined.paths), "base names repeat"
    assert joined.labels.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert joined.class_names == ("7", "9")
    assert read_list(tmp_path / "all.txt", num_classes=10).labels.tolist() == [7, 9, -1]
    (tmp_path / "plain.txt").write_text("train/0_8932.jpg\n")
    assert read_list(tmp_path / "plain.txt").labels is None


@pytest.mark.parametrize(
    ("content", "paths", "labels"),
    [
        ("IMG 001.jpg 5\nIMG 002.jpg 6\n", ("IMG 001.jpg", "IMG 002.jpg"), [5, 6]),
        ("cat 1/a.jpg 0 1\ncat 1/2 b.jpg 1 0\n", ("cat 1/a.jpg", "cat 1/2 b.jpg"), [[0, 1], [1, 0]]),
        ("IMG 001.jpg\nIMG 002.jpg\n", ("IMG 001.jpg", "IMG 002.jpg"), None),
        ("a.jpg 0.0 1.0\nb.jpg 1 0\n", ("a.jpg", "b.jpg"), [[0, 1], [1, 0]]),
    ],
)
def test_a_path_may_have_a_blank_before_a_digit(tmp_path: Path, content: str, paths: tuple, labels: list) -> None:
    (tmp_path / "all.txt").write_text(content)
    found = read_list(tmp_path / "all.txt")
    assert found.paths == paths
    assert found.labels is None if labels is None else found.labels.tolist() == labels


def test_only_ends_of_lines_end_lines(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        text = f"a\u2028b\x0bc{end}{end}d\x85\x1ce\x0cf{end}"
        (tmp_path / "names.txt").write_text(text, encoding="utf-8", newline="")
        assert read_lines(tmp_path / "names.txt") == ["a\u2028b\x0bc", "", "d\x85\x1ce\x0cf"]
    (tmp_path / "names.txt").write_bytes(b"")
    assert read_lines(tmp_path / "names.txt") == []
    (tmp_path / "names.txt").write_bytes(b"a\xff\nb")
    assert read_lines(tmp_path / "names.txt", errors="replace") == ["a\ufffd", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_list": "train.txt"}, r"are named \(train_list\), and .*mine.txt is one file"),
        ({"layout": "table"}, "layout=table is one of folders"),
        ({"layout": "lists"}, "layout=lists is one of folders"),
    ],
)
def test_options_of_folders_are_refused_for_one_file(tmp_path: Path, options: dict, words: str) -> None:
    (tmp_path / "mine.txt").write_text("".join(f"{i}.jpg {i % 2}\n" for i in range(9)))
    with pytest.raises(UsageError, match=words):
        load(tmp_path / "mine.txt", lists_only=True, **options)
    assert load(tmp_path / "mine.txt", lists_only=True, layout="single").notes
    with pytest.raises(UsageError, match=r"train_list\), and layout=lists is given"):
        load(tmp_path, lists_only=True, train_list="mine.txt", layout="lists")


@pytest.mark.parametrize("given", [{"queries": 2}, {"train": 0.5}, {"seed": 1}, {"train_in_database": True}])
def test_a_draw_asked_where_lists_have_parts_is_refused(coco: Path, tmp_path: Path, given: dict) -> None:
    words = f"parts are .* own and nothing is drawn, so the option {next(iter(given))} has no use"
    with pytest.raises(UsageError, match=words):
        load(coco, lists_only=True, **given)
    load(coco, lists_only=True, queries="0", seed=0, train_in_database="false")
    images = np.zeros((12, 5, 5), dtype=np.uint8)
    parts = {"train": slice(0, 6), "test": slice(6, 12)}
    arrays = {f"{part}_images": images[rows] for part, rows in parts.items()}
    np.savez(tmp_path / "p.npz", **arrays, **{f"{p}_labels": np.arange(12)[rows] % 3 for p, rows in parts.items()})
    with pytest.raises(UsageError, match=words):
        load(tmp_path / "p.npz", **given)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a.jpg 0 1\nb.jpg 0 1 1\n", r"train.txt, line 2 has 3 labels and line 1 has 2"),
        ("a.jpg 0 1\nb.jpg 0 -1130179\n", r"line 2: label 2 is '-1130179'"),
        ("a.jpg 0 1\nb.jpg 0 2\n", r"line 2: label 2 is '2'; rows of labels hold 0 and 1"),
        ("a.jpg 0 1\n\nb.jpg 0 1\n", r"line 2 is empty"),
        ("a.jpg 0 1\n../../etc/b.jpg 0 1\n", r"line 2: the path .* has '..'"),
        ("a.jpg 1\nb.jpg -1130179\n", r"line 2: -1130179 is no class number"),
        ("a.jpg 1\nb.jpg cat\n", r"line 2"),
        ("<!DOCTYPE html><html>404</html>", "is a page of HTML"),
        ("", "is empty"),
        ("a\0b", "is not a text file"),
        ("\xff\xfe 1", "line 1"),
        ("a.jpg 0 1\na.jpg 1 0\n", r"train.txt, line 2: the labels of a.jpg are not those of .*train.txt, line 1"),
        ("a.jpg " + "1" * 40 + "\n", "line 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "train.txt").write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=words) as caught:
        join_lists({"train": read_list(tmp_path / "train.txt")})
    assert str(tmp_path / "train.txt") in str(caught.value)


def test_wrong_index_bases_and_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.jpg 1\nb.jpg 2\nc.jpg 3\n")
    with pytest.raises(UsageError, match=r"train.txt, line 3: the class number 3 .* counted from 1, and count from 0"):
        read_list(tmp_path / "train.txt", num_classes=3)
    (tmp_path / "test.txt").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        read_list(tmp_path / "test.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UsageError, match="is a pipe"):
        read_list(tmp_path / "pipe.txt")
    (tmp_path / "cut.txt.xz").write_bytes(lzma.compress(b"a.jpg 1\n" * 100)[:40])
    (tmp_path / "cut.txt.gz").write_bytes(b"\x1f\x8b not gzip")
    for file in ("cut.txt.xz", "cut.txt.gz"):
        with pytest.raises(WorkError, match=file):
            read_list(tmp_path / file)
    with pytest.raises(UsageError, match="must be a path, got the int 2024"):
        load_splits(LISTS, OWN, tmp_path, path=2024)
    with pytest.raises(UsageError, match="There is no"):
        load_splits(LISTS, OWN, tmp_path, path="gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no lists"):
        load_splits(LISTS, OWN, tmp_path, path="empty")


def test_lists_that_do_not_belong_together(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.jpg 0 1\n")
    (tmp_path / "b.txt").write_text("b.jpg 0 1 0\n")
    (tmp_path / "c.txt").write_text("c.jpg\n")
    a, b, c = (read_list(tmp_path / f"{n}.txt") for n in "abc")
    for wrong in (lambda: join_lists({"train": a, "query": b}), lambda: chain([a, b])):
        with pytest.raises(UsageError, match="differ in their number of labels"):
            wrong()
    with pytest.raises(UsageError, match="paths and no labels"):
        join_lists({"train": a, "query": c})
    with pytest.raises(UsageError, match="would be read for nothing"):
        paired_list(tmp_path / "a.txt", tmp_path / "b.txt")


def test_labels_in_a_file_beside_the_paths(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.jpg\nb.jpg\nc.jpg\n")
    for text in ("1 0\n0 1\n1 1\n", "1, 0\n0,1\n 1 ,1 \n", "1\t0\r\n0  1\r\n1,1\r\n\r\n\n"):
        (tmp_path / "b.txt").write_bytes(text.encode())
        assert paired_list(tmp_path / "a.txt", tmp_path / "b.txt").labels.tolist() == [[1, 0], [0, 1], [1, 1]], text
    (tmp_path / "b.txt").write_text("1 0\n\n1 1\n")
    with pytest.raises(UsageError, match="line 2 has 0 labels"):
        paired_list(tmp_path / "a.txt", tmp_path / "b.txt")
    (tmp_path / "b.txt").write_text("1 0\n1 1\n")
    with pytest.raises(UsageError, match=r"has 3 lines and .* 2; they must have as many"):
        paired_list(tmp_path / "a.txt", tmp_path / "b.txt")


def test_images_are_found_where_people_put_them(tmp_path: Path) -> None:
    for place in ("train2014/1.jpg", "images/2.jpg", "3.jpg", "coco/val2014/4.jpg"):
        (tmp_path / place).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / place).touch()
    paths = ["train2014/1.jpg", "x/2.jpg", "y/z/3.jpg", "val2014/4.jpg", "5.jpg"]
    assert find_images(paths, tmp_path, "/home/me/coco/") == [
        "train2014/1.jpg", "images/2.jpg", "3.jpg", "coco/val2014/4.jpg", "5.jpg",
    ]  # fmt: skip
    for bad in ("../1.jpg", "/etc/passwd", "a/../../b.jpg"):
        with pytest.raises(UsageError, match="leads out"):
            find_images([bad], tmp_path)


def test_two_listed_paths_that_lead_to_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for place in ("cat/5.png", "0.png"):
        (tmp_path / place).touch()
    for one, other, place in (("cat/5.png", "cat/./5.png", "cat/5.png"), ("cat/0.png", "dog/0.png", "0.png")):
        with pytest.raises(UsageError, match=f"'{one}' and '{other}' both lead to {place} in {tmp_path}"):
            find_images([one, other], tmp_path)
    assert find_images(["cat/5.png", "dog/0.png", "cat/5.png"], tmp_path) == ["cat/5.png", "0.png", "cat/5.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "0.png", "images/0.png")
    with pytest.raises(UsageError, match=r"'cat/0.png' and 'dog/0.png' both lead to images/0.png"):
        find_images(["cat/0.png", "dog/0.png"], tmp_path / "a.zip")


# Tables and arrays of images
# ----------------------------------------------------------------------------------------------------------


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    for i in range(6):
        picture(path.parent / f"{i}.png", i)
    return path


def test_a_table_with_parts_names_and_several_labels(tmp_path: Path) -> None:
    rows = ["0.png,train,sky;sea", "1.png,train,", "2.png,test,sea", "3.png,db,sky|sea", "4.png,database,tree"]
    path = table(tmp_path / "mine.csv", "file,split,labels\n" + "\n".join(rows) + "\n")
    splits = load(path)
    assert splits.table.class_names == ("sea", "sky", "tree")
    assert splits.table.labels[splits.train].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert splits.table.ids[splits.database].tolist() == ["3.png", "4.png"]


def test_columns_of_zeros_and_ones_and_parquet(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.tsv", "path\tsky\tsea\n" + "".join(f"{i}.png\t{i % 2}\t1\n" for i in range(6)))
    splits = load(path, queries=1, train=2)
    assert splits.table.class_names == ("sky", "sea")
    assert splits.table.labels[:, 0].tolist() == [0, 1, 0, 1, 0, 1]
    pytest.importorskip("pyarrow")
    import pandas as pd

    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(6)], "label": [[f"c{i % 2}"] for i in range(6)]})
    frame.to_parquet(tmp_path / "mine.parquet")
    assert load(tmp_path / "mine.parquet", queries=1, train=2).table.labels[:, 1].tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("cells", "classes", "rows"),
    [
        ([0.0, None, 10.0, 2.0, float("nan"), -1.0], ("0", "2", "10"), [[1, 0, 0], [0] * 3, [0, 0, 1], [0, 1, 0]]),
        (
            ["sky", None, "sea; sky", "nan", "", "sea"],
            ("nan", "sea", "sky"),
            [[0, 0, 1], [0] * 3, [0, 1, 1], [1, 0, 0]],
        ),
        ([[1.0, None], [], [2.0, 1.0], [3.0], None, [float("nan")]], ("1", "2", "3"), [[1, 0, 0], [0] * 3, [1, 1, 0]]),
        ([["a", None], [], ["b", ""], ["a"], None, [None]], ("a", "b"), [[1, 0], [0, 0], [0, 1], [1, 0]]),
        ([float("inf"), 0.5, 0.5, 2.0, 2.0, 2.0], ("0.5", "2"), [[0, 0], [1, 0], [1, 0], [0, 1]]),
    ],
)
def test_a_null_cell_of_parquet_is_no_label_and_whole_floats_are_numbers(
    tmp_path: Path, cells: list, classes: tuple, rows: list
) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = [f"{i}.png" for i in range(6)]
    parquet.write_table(pa.table({"path": names, "label": cells}), tmp_path / "mine.parquet")
    splits = load(tmp_path / "mine.parquet", queries=1, train=1, lists_only=True)
    assert splits.table.class_names == classes
    assert splits.table.labels[: len(rows)].tolist() == rows
    parquet.write_table(pa.table({"path": [*names[:4], None, None], "label": cells}), tmp_path / "mine.parquet")
    with pytest.raises(UsageError, match=r"mine.parquet, row 5: column 'path' is null; every row names one image"):
        load(tmp_path / "mine.parquet", queries=1, train=1, lists_only=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,sky,sea\n0.png,1,0\n1.png,1,7\n", r"mine.csv, line 3: column 'sea' holds '7'"),
        ("path,label\n0.png,1\n,1\n", r"line 3: column 'path' is empty"),
        ("path,label\n../0.png,1\n", r"line 2: the path '../0.png' has '..'"),
        ("path,split,label\n0.png,train,1\n1.png,tset,1\n", r"line 3: 'tset' is no part"),
        ("path,file,label\na,b,1\n", "several columns could hold the paths"),
        ("name,label\na,1\n", "no column of paths"),
        ("path,label\n", "has no rows"),
        ("path,label\n0.png,-1130179\n1.png,2\n", r"line 2: -1130179 is no class number"),
        ('path,label\n"0.png,1\n', "cannot be read as a table"),
    ],
)
def test_a_wrong_table_is_named_by_line(tmp_path: Path, text: str, words: str) -> None:
    path = table(tmp_path / "mine.csv", text)
    with pytest.raises(HashzooError, match=words):
        load(path)


def test_images_in_an_npz(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 5, 5), dtype=np.uint8)
    np.savez(tmp_path / "one.npz", images=images, labels=np.arange(12) % 3)
    drawn = load(tmp_path / "one.npz", queries=3, train=3)
    assert drawn.table.inputs["image"].shape == (12, 5, 5, 3)
    classes, slices = np.arange(12) % 3, {"train": slice(0, 6), "val": slice(6, 8), "test": slice(8, 12)}
    arrays = {f"{part}_images": images[rows] for part, rows in slices.items()}
    arrays |= {f"{part}_labels": classes[rows, None] for part, rows in slices.items()}
    np.savez(tmp_path / "med.npz", **arrays)
    parted = load(tmp_path / "med.npz")
    assert (len(parted.train), len(parted.query), len(parted.database)) == (6, 4, 6)
    assert "train_images" not in parted.notes[0]
    assert "val_images" in parted.notes[0]
    for option in ({"images": "x"}, {"layout": "table"}, {"classes": "c.txt"}, {"stored_size": 64}, {"fit": "squash"}):
        with pytest.raises(UsageError, match=f"as arrays, so the option {next(iter(option))} has no use"):
            load(tmp_path / "one.npz", **option)
    with pytest.raises(UsageError, match="the options skip_damaged and lists_only have no use; leave them out"):
        load(tmp_path / "one.npz", skip_damaged=True, lists_only=True)
    np.savez(tmp_path / "bad.npz", images=images.astype(float), labels=np.arange(12) % 3)
    with pytest.raises(UsageError, match="uint8"):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "images_database",
            r"images of the database part \('images_database'\) and no labels of it; add labels_database",
        ),
        (
            "gallery_labels",
            r"labels of the database part \('gallery_labels'\) and no images of it; add images_database",
        ),
    ],
)
def test_a_part_with_images_or_labels_alone_is_not_dropped(tmp_path: Path, name: str, words: str) -> None:
    images, classes = np.zeros((6, 5, 5), dtype=np.uint8), np.arange(6) % 2
    both = {f"images_{part}": images for part in ("train", "query")}
    both |= {f"labels_{part}": classes for part in ("train", "query")}
    np.savez(tmp_path / "p.npz", **both, **{name: images if name.startswith("images") else classes})
    with pytest.raises(UsageError, match=f"{words}, or remove '{name}'"):
        load(tmp_path / "p.npz")


# Checks, and the lists as they were published
# ----------------------------------------------------------------------------------------------------------


def test_check_runs_on_lists_alone_and_names_missing_files(coco: Path) -> None:
    alone = check(LISTS, OWN, coco.parent, path=str(coco), lists_only=True)
    assert alone["problems"] == []
    assert alone["unlabelled"]["database"] == 1
    (coco / "images" / name(7)).unlink()
    report = check(LISTS, OWN, coco.parent, path=str(coco))
    assert report["sizes"] == {"train": 4, "query": 2, "database": 10}
    (problem,) = report["problems"]
    assert f"1 of 12 image files in {coco} cannot be read: {name(7)} (missing)" in problem
    splits = load(coco, skip_damaged="true")
    assert name(7) not in splits.table.ids[splits.database]
    assert len(splits.database) == 9
    assert f"{name(7)} (missing)" in splits.notes[0]


PUBLISHED = {
    "hashnet-pytorch-coco": (
        "f8669185f1c767275f30f0a631a174527470bd32ec1a854d8a36409f426bfde3",
        5000,
        0.354,
        0,
        "COCO",
    ),
    "hashnet-pytorch-imagenet": ("228cc1d17ef2eb3ccc5ba2150213dea326d65a27b9be2118a65a2ed446602c3e", 0, 0.010, 0, ""),
    "dhp-nuswide_21_m": ("5d98cfab12f2357b97cd01d1289bd48fbb314b02d56e05eab390f1b587a1c8ff", 0, 0.332, 0, "NUS-WIDE"),
    "dhp-mirflickr": ("0fdaaec134f3b97fe30a24ca986d1f783fb230e825bec1ff2e8048f8d0f958cf", 0, 0.536, 19, "MIRFLICKR"),
    "dhp-voc2012": ("1331374e6e4e33184bd2165bb0b5384e6b40e39a2c8ed5d03b1014e0bb7d8482", 0, 0.194, 0, "VOC 2012"),
}
"""sha256 of the split, queries in the database, chance level, queries without anything relevant, set recognised."""


@pytest.mark.parametrize("which", PUBLISHED)
def test_published_lists(which: str, tmp_path: Path) -> None:
    folder = os.environ.get("HASHZOO_LISTS")
    if not folder:
        pytest.skip("HASHZOO_LISTS does not name a folder of the published lists")
    for part in ("train", "test", "database"):
        (tmp_path / f"{part}.txt.xz").symlink_to(Path(folder) / f"{which}-{part}.txt.xz")
    report = check(LISTS, ASIS, tmp_path, path=str(tmp_path), lists_only=True)
    sha256, found, chance, without, named = PUBLISHED[which]
    assert report["sha256"] == sha256
    assert report["overlaps"]["query-database"] == found
    assert report["chance"] == pytest.approx(chance, abs=0.0045)
    assert report["without_relevant"] == without
    assert report["label_order"].startswith(named)
    assert bool(report["label_order"]) == bool(named)


def test_an_order_is_named_only_where_it_is_clear() -> None:
    assert recognise(np.ones((50, 80), dtype=np.uint8)) is None
    assert recognise(np.zeros((50, 21), dtype=np.uint8)) is None
    assert recognise(np.random.default_rng(0).integers(0, 2, (500, 80))) is None
