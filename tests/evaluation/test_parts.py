"""A database counted in parts is the whole; parts that do not belong together, overlap or miss are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.api import evaluate, evaluate_counts
from hashzoo.evaluation.codes import save_codes
from hashzoo.evaluation.counting.counts import count, rows_of
from hashzoo.evaluation.counting.parts import Part, merge_parts
from hashzoo.evaluation.files import read_pair, read_part


@pytest.fixture
def stored(tmp_path, make_codes):
    """Queries in our own file; the database as packed codes and class indices, each mapped from disk."""
    query, database = make_codes(12, 530, 20)
    classes = np.where(database.labels.any(axis=1), database.labels.argmax(axis=1) + 7_000_000, -1).astype(np.int64)
    ours = np.where(query.labels.any(axis=1), query.labels.argmax(axis=1) + 7_000_000, -1)
    np.save(tmp_path / "d.npy", database.packed)
    np.save(tmp_path / "l.npy", classes)
    np.savez(tmp_path / "q.npz", codes=query.signs(), labels=ours, ids=np.arange(12))
    return tmp_path


def counted(folder, number: int, parts: int, **changes) -> Part:
    query, database, whole = read_part(
        folder / "q.npz", folder / "d.npy", None, folder / "l.npy", 20, part=(number, parts), names={}
    )
    counts = count(query, database)
    part = Part(counts, number, parts, whole.items, whole.database_sha256, whole.query_sha256)
    return replace(part, **changes) if changes else part


def without_own(folder, parts: int) -> list[Part]:
    """The parts of q.npz and d.npz, each query's own item left out."""
    found = []
    for i in range(1, parts + 1):
        query, database, whole = read_part(folder / "q.npz", folder / "d.npz", part=(i, parts), ids_needed=True)
        own = rows_of(query, database)
        counts, left_out = count(query, database, leave_out=own), int((own >= 0).sum())
        found.append(Part(counts, i, parts, whole.items, whole.database_sha256, whole.query_sha256, left_out))
    return found


def written(folder, parts) -> list:
    paths = [folder / f"{place}.npz" for place in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        part.save(path)
    return paths


@pytest.mark.parametrize("parts", [1, 3, 16])
def test_the_sum_of_the_parts_is_the_whole(stored, make_codes, parts):
    paths = written(stored, [counted(stored, i, parts) for i in range(1, parts + 1)])
    total = merge_parts(paths[::-1])
    query, database = read_pair(stored / "q.npz", stored / "d.npy", None, stored / "l.npy", 20)
    assert evaluate_counts(total.counts) == evaluate(query, database)
    assert evaluate(query, database) == evaluate(*make_codes(12, 530, 20))
    assert total.items == 530


@settings(max_examples=25, deadline=None)
@given(items=st.integers(1, 40), parts=st.integers(1, 40))
def test_every_row_is_in_one_part(tmp_path_factory, items, parts):
    folder = tmp_path_factory.mktemp("rows")
    np.save(folder / "d.npy", np.arange(items, dtype=np.uint8)[:, None] ^ 128)
    np.save(folder / "q.npy", np.array([[255]], dtype=np.uint8))
    if parts > items:
        with pytest.raises(UsageError, match=f"no part 1/{parts} of {items}|Part 1/{parts} of {items}"):
            read_part(folder / "q.npy", folder / "d.npy", [0], np.zeros(items, int), part=(1, parts))
        return
    seen = [
        read_part(folder / "q.npy", folder / "d.npy", [0], np.zeros(items, int), part=(i, parts))[1].packed
        for i in range(1, parts + 1)
    ]
    assert np.array_equal(np.concatenate(seen)[:, 0], np.arange(items) ^ 128)
    assert max(map(len, seen)) - min(map(len, seen)) <= 1


def test_the_form_of_the_codes_is_that_of_the_whole_file(tmp_path):
    """A part whose packed bytes happen to be 0 and 1 stays packed."""
    packed = np.array([[0], [1], [0], [200]], dtype=np.uint8)
    np.save(tmp_path / "d.npy", packed)
    np.save(tmp_path / "q.npy", np.array([[255]], dtype=np.uint8))
    query, database, _ = read_part(tmp_path / "q.npy", tmp_path / "d.npy", [0], [0, 0, 0, 0], part=(1, 2))
    assert query.bits == database.bits == 8
    assert database.packed.tolist() == [[0], [1]]


def test_a_querys_own_item_is_left_out_of_the_part_that_has_it(tmp_path, make_codes):
    _, database = make_codes(2, 60, 10)
    query = database.take(np.array([5, 50]))
    save_codes(tmp_path / "q.npz", {"query.image": query})
    save_codes(tmp_path / "d.npz", {"database.image": database})
    total = merge_parts(written(tmp_path, without_own(tmp_path, 3)))
    assert total.left_out == 2
    assert evaluate_counts(total.counts) == evaluate(query, database, leave_out=rows_of(query, database))


def test_an_id_that_stands_in_two_parts_is_refused_as_in_the_whole(tmp_path, make_codes):
    query, database = make_codes(3, 60, 20)
    ids = np.arange(60)
    ids[55] = 5
    save_codes(tmp_path / "q.npz", {"query.image": replace(query, ids=np.array([5, 70, 71]))})
    save_codes(tmp_path / "d.npz", {"database.image": replace(database, ids=ids)})
    for parts in (2, 3):
        with pytest.raises(UsageError, match="holds the same id twice"):
            merge_parts(written(tmp_path, without_own(tmp_path, parts)))


def test_parts_that_do_not_belong_together_are_refused(stored, make_codes, tmp_path):
    parts = [counted(stored, i, 3) for i in (1, 2, 3)]
    for other, message in (
        ([parts[0], parts[2]], "Part 2 of 3 is missing"),
        ([*parts, parts[1]], "Part 2 is given more than once"),
        ([*parts[:2], replace(parts[2], query_sha256="other")], "their queries differ"),
        ([*parts[:2], replace(parts[2], database_sha256="other")], "their databases differ"),
        ([parts[0], counted(stored, 2, 4)], "one is a part of 4, the other of 3"),
        ([*parts[:2], replace(parts[2], left_out=0)], "only one of them leaves"),
    ):
        with pytest.raises(UsageError, match=message):
            merge_parts(written(tmp_path, other))


def test_another_database_of_the_same_size_is_noticed(stored):
    first = counted(stored, 1, 2)
    codes = np.load(stored / "d.npy")
    np.save(stored / "d.npy", np.flip(codes, axis=0))
    with pytest.raises(UsageError, match="their databases differ"):
        merge_parts(written(stored, [first, counted(stored, 2, 2)]))


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "text", "rows", "negative"])
def test_a_damaged_part_is_a_sentence(stored, damage):
    part = counted(stored, 1, 2)
    (path,) = written(stored, [part])
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-300])
    elif damage == "flipped":
        data[data.find(part.counts.n.tobytes()) + 16] ^= 1
        path.write_bytes(data)
    elif damage == "text":
        path.write_bytes(b"counts")
    elif damage == "other":
        np.savez(path, codes=np.ones((3, 4)))
    else:
        n = part.counts.n.copy()
        n[0, 0] += 1 if damage == "rows" else -(10**6)
        replace(part, counts=replace(part.counts, n=n)).save(path)
    with pytest.raises(WorkError, match=r"damaged|cannot be read"):
        merge_parts([path])


@pytest.mark.parametrize("labels", [0, [0, 1], np.zeros((3, 2))])
def test_labels_that_do_not_match_are_a_sentence_for_a_part_too(tmp_path, labels):
    np.save(tmp_path / "d.npy", np.array([[0], [1], [0], [200]], dtype=np.uint8))
    with pytest.raises(UsageError, match=r"4 codes and \d labels"):
        read_part(tmp_path / "d.npy", tmp_path / "d.npy", [0, 0, 0, 0], labels, part=(2, 2))


def test_a_file_that_is_no_part_is_told_what_it_lacks(stored, tmp_path):
    np.savez(tmp_path / "codes.npz", n=np.zeros((1, 2), np.int64), codes=np.zeros((1, 2)))
    lacking = "format, part, parts, items, left_out, database_sha256, query_sha256, r"
    with pytest.raises(WorkError, match=rf"not the counts of a part \(it lacks {lacking}\)"):
        Part.load(tmp_path / "codes.npz")
    counted(stored, 1, 1).save(tmp_path / "part.npz")
    arrays = dict(np.load(tmp_path / "part.npz"))
    np.savez(tmp_path / "part.npz", **{**arrays, "format": np.array(7)})
    with pytest.raises(WorkError, match="it is of format 7, and this hashzoo reads 1"):
        Part.load(tmp_path / "part.npz")
