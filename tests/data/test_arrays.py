from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from hashzoo.data import load_splits
from hashzoo.data.checks import require_usable
from hashzoo.data.datasets import ARRAYS, ARRAYS_PAIR
from hashzoo.data.splits import proportional
from hashzoo.errors import UsageError, WorkError
from hashzoo.specs import Splits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
Y = np.repeat([3, 5, 9], 10)


def load(path: Path, dataset=ARRAYS, **options) -> Splits:
    return load_splits(dataset, dataset.protocols[0], path.parent, path=str(path), **options)


def save(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


def test_a_drawn_split_is_proportional_and_keeps_rows_together(tmp_path: Path) -> None:
    classes = np.array([0] * 50 + [1] * 30 + [2] * 20)
    features = np.stack([classes, np.arange(100)], axis=1)
    splits = load(save(tmp_path, features=features, labels=classes), queries=10, train=20)
    require_usable(splits, ARRAYS.protocols[0])
    assert splits.table.inputs["vector"].dtype == np.float32
    np.testing.assert_array_equal(splits.table.inputs["vector"][:, 0], splits.table.labels.argmax(1))
    assert np.bincount(classes[splits.query]).tolist() == [5, 3, 2]
    assert np.bincount(classes[splits.train]).tolist() == [10, 6, 4]
    assert len(splits.database) == 70
    other = load(save(tmp_path, features=features, labels=classes), queries=10, train=20, seed=1)
    assert other.sha256 != splits.sha256


def test_a_file_alone_is_enough_and_the_sizes_chosen_are_said(tmp_path: Path) -> None:
    splits = load(save(tmp_path, X=X, y=Y))
    require_usable(splits, ARRAYS.protocols[0])
    assert (len(splits.query), len(splits.train), len(splits.database)) == (3, 13, 14)
    (note,) = splits.notes
    assert "3 queries, 13 training items, 14 others" in note
    assert load(save(tmp_path, X=X, y=Y), queries=0.2, train=0.5).notes == ()
    assert len(load(save(tmp_path, X=X, y=Y), queries=0.2, train=0.5).query) == 6
    with pytest.raises(UsageError, match="Several arrays could hold the labels"):
        load(save(tmp_path, X=X, y=Y, targets=Y))


def test_named_arrays_ids_and_class_names(tmp_path: Path) -> None:
    names = np.array(["b", "a", ""] * 10)
    path = save(tmp_path, feats=X, what=names, key=np.array([f"k{i}" for i in range(30)]))
    splits = load(path, features="feats", labels="what", ids="key", queries=2, train=2, train_in_database="true")
    assert splits.table.class_names == ("a", "b")
    assert splits.table.labels[:3].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert splits.table.ids[7] == "k7"
    assert set(range(2, 30, 3)) <= set(splits.database), "unlabelled items go to the database"
    assert set(splits.train) <= set(splits.database)


def test_numbers_too_large_for_float32_are_refused(tmp_path: Path) -> None:
    large = X.copy()
    large[7, 1] = float(np.finfo(np.float32).max)
    assert np.isfinite(load(save(tmp_path, features=large, labels=Y)).table.inputs["vector"]).all()
    large[[7, 9], 1] = 1e300, -1e39
    with pytest.raises(UsageError, match=r"'features' holds numbers beyond 3.4e38.* in 2 rows, the first at row 7"):
        load(save(tmp_path, features=large, labels=Y))


def test_ids_in_a_cell_of_matlab(tmp_path: Path) -> None:
    cell = np.empty((30, 1), dtype=object)
    cell[:, 0] = [f"a{i}" for i in range(30)]
    scipy.io.savemat(tmp_path / "mine.mat", {"features": X, "labels": Y, "key": cell})
    splits = load(tmp_path / "mine.mat", ids="key", queries=2, train=2)
    assert splits.table.ids.tolist() == [f"a{i}" for i in range(30)]


def test_one_query_may_have_a_row_of_labels(tmp_path: Path) -> None:
    """A MATLAB vector of labels (1, n) belongs to n items and a 0/1 row (1, C) to one: the features tell."""
    rows = RNG.integers(0, 2, (29, 5))
    rows[:, 0] = 1
    one = np.array([[0, 1, 0, 0, 1]])
    parts = {"features_train": X[:29], "features_query": X[29:], "labels_train": rows, "labels_query": one}
    splits = load(save(tmp_path, **parts))
    np.testing.assert_array_equal(splits.table.labels, np.concatenate([rows, one]))
    assert (splits.query.tolist(), len(splits.table.ids)) == ([29], 30)
    parts |= {"ids_train": np.arange(29), "ids_query": np.array([77])}
    named = load(save(tmp_path, **parts), ids="ids_train:ids_query")
    assert named.table.ids[29] == "77"
    numbers = load(save(tmp_path, features=X, labels=Y[None]), queries=3, train=3)
    assert len(numbers.table.ids) == 30


def test_class_numbers_are_sorted_and_minus_one_is_none(tmp_path: Path) -> None:
    labels = Y.copy()
    labels[0] = -1
    splits = load(save(tmp_path, features=X, labels=labels), queries=3, train=3)
    assert splits.table.class_names == ("3", "5", "9")
    assert splits.table.labels[0].sum() == 0
    assert splits.table.labels[29].tolist() == [0, 0, 1]
    assert not {0} & (set(splits.query) | set(splits.train))


def test_multilabel_rows_are_kept(tmp_path: Path) -> None:
    labels = RNG.integers(0, 2, (30, 5))
    labels[:, 0] = 1
    splits = load(save(tmp_path, features=X, labels=labels), queries=4, train=6)
    np.testing.assert_array_equal(splits.table.labels, labels)
    assert (len(splits.query), len(splits.train), len(splits.database)) == (4, 6, 20)


@pytest.mark.parametrize("kind", ["mat", "mat73"])
def test_a_pair_with_parts_of_its_own(tmp_path: Path, kind: str) -> None:
    arrays = {"I_tr": X[:20], "I_te": X[20:], "T_tr": X[:20, :2], "T_te": X[20:, :2], "L_tr": Y[:20], "L_te": Y[20:]}
    path = tmp_path / "data.mat"
    if kind == "mat":
        scipy.io.savemat(path, arrays)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, array in arrays.items():
                file[name] = np.atleast_2d(array) if array.ndim == 1 else array.T
        header = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM"
        path.write_bytes(header.ljust(512, b"\0") + path.read_bytes()[512:])
    splits = load(path, ARRAYS_PAIR, features="image=I_tr:I_te, text=T_tr:T_te", labels="L_tr:L_te")
    np.testing.assert_allclose(splits.table.inputs["image"], X, rtol=1e-6)
    np.testing.assert_allclose(splits.table.inputs["text"], X[:, :2], rtol=1e-6)
    assert splits.table.class_names == ("3", "5", "9")
    assert splits.train.tolist() == splits.database.tolist() == list(range(20))
    assert splits.query.tolist() == list(range(20, 30))
    fewer = load(path, ARRAYS_PAIR, features={"image": "I_tr:I_te", "text": "T_tr:T_te"}, labels="L_tr:L_te", train=4)
    assert np.bincount(Y[fewer.train])[[3, 5]].tolist() == [2, 2]
    assert len(fewer.database) == 20


def test_three_parts_and_default_names(tmp_path: Path) -> None:
    parts = {"train": slice(0, 10), "query": slice(10, 15), "database": slice(15, 30)}
    arrays = {
        f"{name}_{part}": array[rows]
        for part, rows in parts.items()
        for name, array in (("features", X), ("labels", Y))
    }
    splits = load(save(tmp_path, **arrays))
    assert splits.train.tolist() == list(range(10))
    assert splits.query.tolist() == list(range(10, 15))
    assert splits.database.tolist() == list(range(15, 30))


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"features": X}, {}, "There is no array in data.npz 'labels'"),
        ({"feature": X, "labels": Y}, {}, "'features'; did you mean 'feature'"),
        ({"features": X, "labels": Y}, {"queries": 20, "train": 20}, "only 30 items have a label"),
        ({"features": X, "labels": Y}, {"queries": -1}, "queries must be a whole number"),
        ({"features": X[:20], "labels": Y}, {"queries": 1, "train": 1}, r"\(vector 20, labels 30\)"),
        ({"features": X[:, 0], "labels": Y}, {}, r"features are numbers of shape \(n, D\)"),
        ({"features": np.where(X > 2, np.nan, X), "labels": Y}, {}, "holds NaN or infinity"),
        ({"features": X, "labels": Y * 0 - 1}, {}, "No item has a label"),
        ({"features": X, "labels": Y + 0.5}, {}, "fractions"),
        ({"features": X, "labels": np.tile(Y[:, None], 2)}, {}, "other than 0 and 1"),
        ({"features": X, "labels": Y, "i": np.zeros(30)}, {"ids": "i"}, "ids in i repeat"),
        ({"features": X, "labels": Y}, {"features": "image=features"}, "no modality here 'image'"),
        ({"features": X, "labels": Y}, {"features": "features:features"}, "the same parts for both"),
        ({"features_train": X, "features_query": X, "labels_train": Y, "labels_query": Y}, {"queries": 3}, "no use"),
        ({"features_train": X, "features_query": X, "labels_train": Y, "labels_query": Y}, {"seed": 3}, "no use"),
        ({"features_train": X, "features_query": X[:, :2], "labels_train": Y, "labels_query": Y}, {}, "2 columns"),
        ({"features_train": X, "features_database": X, "labels": Y}, {}, "features_database and no features_query"),
        ({"features_query": X, "features_database": X, "labels": Y}, {}, "features_database and no features_train"),
        (
            {"features_train": X, "features_query": X, "labels_train": Y, "labels_database": Y},
            {},
            "labels_database and no labels_query",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, arrays, options, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load(save(tmp_path, **arrays), **options)


def test_pairs_need_an_array_for_each_modality(tmp_path: Path) -> None:
    path = save(tmp_path, image=X, text=X, labels=Y)
    splits = load(path, ARRAYS_PAIR, queries=3, train=3)
    assert list(splits.table.inputs) == ["image", "text"]
    with pytest.raises(UsageError, match="names no array for text"):
        load(path, ARRAYS_PAIR, features="image=image")
    with pytest.raises(UsageError, match="form 'image=NAME,text=NAME'"):
        load(path, ARRAYS_PAIR, features="image,text")
    with pytest.raises(UsageError, match="name 1 and 2 arrays per modality"):
        load(path, ARRAYS_PAIR, features="image=image:image,text=text")


def test_damaged_and_foreign_files_are_one_sentence(tmp_path: Path) -> None:
    whole = save(tmp_path, features=X, labels=Y)
    whole.write_bytes(whole.read_bytes()[:500])
    with pytest.raises(WorkError, match=r"cannot be read as an .npz"):
        load(whole)
    with pytest.raises(WorkError, match="without object arrays"):
        load(save(tmp_path, features=X, labels=np.array([{}] * 30, dtype=object)))
    scipy.io.savemat(tmp_path / "cut.mat", {"features": X})
    (tmp_path / "cut.mat").write_bytes((tmp_path / "cut.mat").read_bytes()[:300])
    with pytest.raises(WorkError, match="cannot be read as a MATLAB file"):
        load(tmp_path / "cut.mat")
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(UsageError, match=r"reads .npz and .mat"):
        load(tmp_path / "table.csv")
    with pytest.raises(UsageError, match="There is no file"):
        load(tmp_path / "gone.npz")


def test_proportional_shares_add_up() -> None:
    for total in range(20):
        shares = proportional(np.array([7, 1, 12]), total)
        assert shares.sum() == total
        assert (abs(shares - np.array([7, 1, 12]) * total / 20) < 1).all()
