import struct
from pathlib import Path

import hashzoo_bundles.loader as loader
import numpy as np
import pytest
import scipy.io
from hashzoo_bundles import BUNDLE, BUNDLE_FEATURES
from hashzoo_bundles.arrays import pixels_of
from hashzoo_bundles.layouts import Place
from hashzoo_bundles.rules import RULES
from PIL import Image

from hashzoo import UsageError
from hashzoo.data import split_sha256

OWN, OWN_FEATURES = BUNDLE.protocols[0], BUNDLE_FEATURES.protocols[0]
HWCN = (np.arange(8 * 9 * 3 * 6).reshape(8, 9, 3, 6) * 7 % 256).astype(np.uint8)
PIXELS = np.stack([HWCN[..., n] for n in range(6)])  # what a loader has to give, (n, H, W, 3)
SIZES = {"queries": 1, "train": 2}


def labels(n: int, c: int) -> np.ndarray:
    matrix = np.array([[float((i + j) % (j + 2) == 0) for j in range(c)] for i in range(n)])
    matrix[~matrix.any(axis=1), 0] = 1
    return matrix


def matlab73(file: Path, **arrays: np.ndarray) -> Path:
    """Write HDF5 as MATLAB does: a header of 512 bytes, axes reversed, the class as attribute."""
    h5py = pytest.importorskip("h5py", reason="MATLAB 7.3 files need h5py")
    with h5py.File(file, "w", userblock_size=512) as content:
        for name, array in arrays.items():
            content[name] = np.asarray(array).T
            content[name].attrs["MATLAB_class"] = np.bytes_("uint8" if array.dtype == np.uint8 else "double")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + struct.pack("<H", 0x0200) + b"IM"
    with file.open("r+b") as stream:
        stream.write(head)
    return file


def test_dcmh_bundle_by_matlab(tmp_path):
    file = matlab73(tmp_path / "FLICKR-25K.mat", images=HWCN, LAll=labels(6, 4), YAll=labels(6, 5))
    splits = loader.load_images(OWN, tmp_path, path=str(file), **SIZES)
    np.testing.assert_array_equal(splits.table.inputs["image"], PIXELS)
    np.testing.assert_array_equal(splits.table.labels, labels(6, 4))
    np.testing.assert_array_equal(splits.table.inputs["text"], labels(6, 5))
    assert splits.table.ids.tolist() == [f"{row:06d}" for row in range(6)]
    assert (len(splits.query), len(splits.train), len(splits.database)) == (1, 2, 5)


def test_plain_hdf5_copy_has_width_before_height(tmp_path):
    h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")
    with h5py.File(tmp_path / "FLICKR-25K.mat", "w") as content:  # (N, C, W, H), labels (C, N)
        content["images"], content["LAll"], content["YAll"] = HWCN.T, labels(6, 4).T, labels(6, 5).T
    splits = loader.load_images(OWN, tmp_path, path=str(tmp_path / "FLICKR-25K.mat"), **SIZES)
    np.testing.assert_array_equal(splits.table.inputs["image"], PIXELS)
    np.testing.assert_array_equal(splits.table.labels, labels(6, 4))


def test_ta_dch_stores_height_first(tmp_path):
    h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")
    with h5py.File(tmp_path / "IAPR-TC12.mat", "w") as content:
        content["IAll"], content["LAll"], content["TAll"] = HWCN, labels(6, 4).T, labels(6, 5).T
    splits = loader.load_images(OWN, tmp_path, path=str(tmp_path / "IAPR-TC12.mat"), **SIZES)
    np.testing.assert_array_equal(splits.table.inputs["image"], PIXELS)


def test_blocks_give_the_same(tmp_path, monkeypatch):
    file = matlab73(tmp_path / "FLICKR-25K.mat", images=HWCN, LAll=labels(6, 4), YAll=labels(6, 5))
    monkeypatch.setattr("hashzoo_bundles.arrays._BLOCK", 1)  # one row at a time
    splits = loader.load_images(OWN, tmp_path, path=str(file), **SIZES)
    np.testing.assert_array_equal(splits.table.inputs["image"], PIXELS)
    np.testing.assert_array_equal(splits.table.inputs["text"], labels(6, 5))


def test_features_under_the_same_name(tmp_path):
    file = tmp_path / "FLICKR-25K.mat"
    scipy.io.savemat(file, {"images": np.arange(42.0).reshape(6, 7), "LAll": labels(6, 4), "YAll": labels(6, 5)})
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(file), **SIZES)
    np.testing.assert_array_equal(splits.table.inputs["image"], np.arange(42).reshape(6, 7))
    with pytest.raises(UsageError, match=r"images has shape \(6, 7\); images have 6 items"):
        loader.load_images(OWN, tmp_path, path=str(file), **SIZES)


def test_cleared_set(tmp_path):
    cell = np.empty((6, 1), dtype=object)
    cell[:, 0] = [f"im{i}.jpg" for i in range(6)]
    scipy.io.savemat(tmp_path / "mirflickr25k-fall.mat", {"FAll": cell})
    scipy.io.savemat(tmp_path / "mirflickr25k-lall.mat", {"LAll": labels(6, 4)})
    scipy.io.savemat(tmp_path / "mirflickr25k-yall.mat", {"YAll": labels(6, 5)})
    scipy.io.savemat(tmp_path / "mirflickr25k-iall-vgg.mat", {"XAll": np.ones((6, 7))})
    matlab73(tmp_path / "mirflickr25k-iall.mat", IAll=HWCN)
    pixels = loader.load_images(OWN, tmp_path, path=str(tmp_path), **SIZES)
    np.testing.assert_array_equal(pixels.table.inputs["image"], PIXELS)
    vectors = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path), **SIZES)
    assert vectors.table.inputs["image"].shape == (6, 7)
    for kind in "ily":
        source = tmp_path / f"mirflickr25k-{kind}all.mat"
        (tmp_path / f"nus-wide-tc10-{kind}all.mat").write_bytes(source.read_bytes())
    with pytest.raises(UsageError, match="holds 2 bundles; give name="):
        loader.load_images(OWN, tmp_path, path=str(tmp_path), **SIZES)
    assert loader.load_images(OWN, tmp_path, path=str(tmp_path), name="nus", **SIZES).sha256 == pixels.sha256


def test_parts_in_the_file(tmp_path):
    h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py")
    rows = {"Train": slice(2, 5), "Query": slice(0, 2), "DataBase": slice(2, 6)}
    with h5py.File(tmp_path / "MIRFlickr.h5", "w") as content:
        for part, chosen in rows.items():
            content[f"Img{part}"] = np.arange(42.0).reshape(6, 7)[chosen]
            content[f"Tag{part}"], content[f"Lab{part}"] = labels(6, 5)[chosen], labels(6, 4)[chosen]
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path / "MIRFlickr.h5"))
    assert (len(splits.query), len(splits.train), len(splits.database)) == (2, 3, 4)
    np.testing.assert_array_equal(splits.table.inputs["image"][splits.query], np.arange(14).reshape(2, 7))
    np.testing.assert_array_equal(splits.table.labels[splits.database], labels(6, 4)[2:])


def test_raw_texts_of_parts_have_one_vocabulary(tmp_path):
    def cells(*values):
        cell = np.empty((len(values), 1), dtype=object)
        cell[:, 0] = values
        return cell

    arrays = {"VTest": np.ones((2, 7)), "YTest": cells("red frog", "red"), "testL": labels(2, 4)}
    arrays |= {"VDatabase": np.zeros((3, 7)), "YDatabase": cells("blue", "red frog", "frog"), "databaseL": labels(3, 4)}
    scipy.io.savemat(tmp_path / "set.mat", arrays)
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path / "set.mat"), words=2)
    assert splits.details["vocabulary"] == ["frog", "red"]
    assert splits.table.inputs["text"][splits.query].tolist() == [[1, 1], [0, 1]]
    assert splits.table.inputs["text"][splits.database].tolist() == [[0, 0], [1, 1], [1, 0]]
    scipy.io.savemat(tmp_path / "set.mat", {**arrays, "YTest": labels(2, 2)})
    with pytest.raises(UsageError, match="raw in some parts and numbers in others"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path / "set.mat"))


@pytest.mark.parametrize("asked", [{"queries": 1}, {"train": 1}, {"seed": 1}, {"train_in_database": False}])
def test_a_draw_asked_where_the_parts_are_given_is_refused(tmp_path, asked):
    arrays = {"VTest": np.ones((2, 7)), "YTest": labels(2, 5), "testL": labels(2, 4)}
    arrays |= {"VDatabase": np.zeros((5, 7)), "YDatabase": labels(5, 5), "databaseL": labels(5, 4)}
    scipy.io.savemat(tmp_path / "set.mat", arrays)
    with pytest.raises(UsageError, match=f"bundle's own and nothing is drawn, so the option {next(iter(asked))} has"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path / "set.mat"), **asked)


@pytest.mark.parametrize("ending", ["npz", "mat", "npy"])
def test_arrays_that_are_read_whole_are_read_once(tmp_path, monkeypatch, ending):
    if ending == "npz":
        np.savez(tmp_path / "a.npz", images=PIXELS)
    elif ending == "mat":
        scipy.io.savemat(tmp_path / "a.mat", {"images": PIXELS})
    else:
        np.save(tmp_path / "a.npy", PIXELS)
    monkeypatch.setattr("hashzoo_bundles.arrays._BLOCK", 1)
    pixels = pixels_of(Place(tmp_path / f"a.{ending}", "" if ending == "npy" else "images"), 6)
    blocks = list(pixels.blocks(2))
    assert len(blocks) == (4 if ending == "npy" else 1)
    np.testing.assert_array_equal(np.concatenate(blocks), PIXELS[2:])


def test_endings_are_those_that_can_be_read(tmp_path):
    (tmp_path / "notes.h5py").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds no bundle that is known"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path))


def test_test_part_queries_the_database(tmp_path):
    arrays = {"VTest": np.ones((2, 7)), "YTest": labels(2, 5), "testL": labels(2, 4)}
    arrays |= {"VDatabase": np.zeros((5, 7)), "YDatabase": labels(5, 5), "databaseL": labels(5, 4)}
    scipy.io.savemat(tmp_path / "iapr-tc12.mat", arrays)
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path / "iapr-tc12.mat"))
    assert (len(splits.query), len(splits.train), len(splits.database)) == (2, 5, 5)
    assert splits.table.inputs["image"][splits.query].all()


def test_torchcmh_names_image_files(tmp_path):
    folder, images = tmp_path / "nus wide", tmp_path / "images"
    folder.mkdir()
    rows = [["actor   ", "0001_2.jpg "], ["beach   ", "0002_3.jpg "], ["beach   ", "0003_4.jpg "]]
    scipy.io.savemat(folder / "imgList21.mat", {"imgs": np.array(rows)})
    scipy.io.savemat(folder / "tagList21.mat", {"tags": labels(3, 5)})
    scipy.io.savemat(folder / "labelList21.mat", {"labels": labels(3, 4)})
    for number, (place, file) in enumerate(rows):
        (images / place.strip()).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(images / place.strip() / file.strip(), "PNG")
    asked = {"queries": 1, "train": 1}
    splits = loader.load_images(OWN, tmp_path, path=str(folder), images=str(images), **asked)
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [0, 1, 2]
    with pytest.raises(UsageError, match="give images= their folder"):
        loader.load_images(OWN, tmp_path, path=str(folder), **asked)


def test_clip_triple_has_raw_texts(tmp_path):
    def cells(values):
        cell = np.empty((len(values), 1), dtype=object)
        cell[:, 0] = values
        return cell

    names = [f"/home/somebody/dataset/flickr25k/mirflickr/im{n}.jpg   " for n in (1, 10, 2)]
    scipy.io.savemat(tmp_path / "index.mat", {"index": np.array(names)})
    scipy.io.savemat(tmp_path / "caption.mat", {"caption": cells(["sky blue", "sky", "a frog"])})
    scipy.io.savemat(tmp_path / "label.mat", {"category": labels(3, 4)})
    (tmp_path / "images").mkdir()
    for n in (1, 10, 2):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(tmp_path / "images" / f"im{n}.jpg", "PNG")
    splits = loader.load_images(
        OWN, tmp_path, path=str(tmp_path), images=str(tmp_path / "images"), words=2, queries=1, train=1
    )
    assert splits.table.inputs["image"][:, 0, 0, 0].tolist() == [1, 10, 2]
    assert splits.details == {"vocabulary": ["sky", "a"]}
    assert splits.table.inputs["text"].tolist() == [[1, 0], [1, 0], [0, 1]]


def test_npy_set_with_row_lists(tmp_path):
    np.save(tmp_path / "flickr_vgg19.npy", np.arange(42.0).reshape(6, 7))
    np.save(tmp_path / "tags.npy", labels(6, 5))
    np.save(tmp_path / "label.npy", labels(6, 4))
    for part, rows in {"test": [5, 0], "train": [1, 2], "database": [1, 2, 3, 4]}.items():
        np.save(tmp_path / f"{part}_num.npy", np.array(rows))
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path))
    assert [part.tolist() for part in (splits.query, splits.train, splits.database)] == [[5, 0], [1, 2], [1, 2, 3, 4]]
    np.save(tmp_path / "test_num.npy", np.array([6, 1]))
    with pytest.raises(UsageError, match="counted from 1, so say first=1"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path))
    splits = loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path), first=1)
    assert [part.tolist() for part in (splits.query, splits.train, splits.database)] == [[5, 0], [0, 1], [0, 1, 2, 3]]
    with pytest.raises(UsageError, match="first is 2; it is 0 or 1"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path), first=2)
    for part in ("test", "train", "database"):
        (tmp_path / f"{part}_num.npy").unlink()
    with pytest.raises(UsageError, match=r"first is 1; .* 0 where nothing is taken from such lists"):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(tmp_path), first=1)


@pytest.mark.parametrize("protocol", [*BUNDLE.protocols[1:], *BUNDLE_FEATURES.protocols[1:]], ids=lambda p: p.id)
def test_published_rules_are_pinned(protocol):
    rule = RULES[protocol.id]
    train, query, database = ([f"{row:06d}" for row in rows] for rows in rule())
    assert rule.sizes == protocol.sizes == (len(query), len(train), len(database))
    assert split_sha256(train, query, database) == protocol.sha256


def test_a_rule_wants_its_rows(tmp_path):
    file = tmp_path / "FLICKR-25K.mat"
    scipy.io.savemat(file, {"images": np.ones((6, 7)), "LAll": labels(6, 4), "YAll": labels(6, 5)})
    with pytest.raises(UsageError, match=r"rule over 20,015 rows, and this bundle has 6"):
        loader.load_features(BUNDLE_FEATURES.protocols[1], tmp_path, path=str(file))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.ones((6, 7)), "LAll": np.ones((5, 4)), "YAll": np.ones((6, 3))}, "share no length"),
        ({"images": np.ones((6, 5)), "LAll": np.ones((6, 5)), "YAll": np.ones((6, 5))}, r"share the lengths \[5, 6\]"),
        ({"images": np.ones((6, 7)), "LAll": np.full((6, 4), -1130179.0), "YAll": np.ones((6, 3))}, "LAll.*-1130179"),
        ({"images": np.ones((6, 7)), "LAll": np.ones((6, 4))}, "holds no bundle that is known"),
        ({"images": np.ones((6, 7)), "IAll": np.ones((6, 7)), "LAll": np.ones((6, 4))}, "of which one is expected"),
        ({"images": np.full((6, 7), np.nan), "LAll": np.ones((6, 4)), "YAll": np.ones((6, 3))}, "NaN or infinity"),
    ],
)
def test_what_is_no_bundle(tmp_path, arrays, message):
    file = tmp_path / "some.mat"
    scipy.io.savemat(file, arrays)
    with pytest.raises(UsageError, match=message):
        loader.load_features(OWN_FEATURES, tmp_path, path=str(file), **SIZES)


def test_pixels_with_the_mean_subtracted_are_refused(tmp_path):
    scipy.io.savemat(
        tmp_path / "some.mat", {"images": HWCN.astype(float) - 100, "LAll": labels(6, 4), "YAll": labels(6, 5)}
    )
    with pytest.raises(UsageError, match="not pixels from 0 to 255"):
        loader.load_images(OWN, tmp_path, path=str(tmp_path / "some.mat"), **SIZES)
