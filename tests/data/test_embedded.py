"""The embedded sets, and the Wikipedia set in small."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from sklearn.datasets import load_digits

from hashzoo.data import load_splits
from hashzoo.data.checks import check_splits, require_usable
from hashzoo.data.datasets import DIGITS, DIGITS_HALVES, WIKI
from hashzoo.data.wiki import FEATURES, LISTS, load_folder
from hashzoo.errors import UsageError, WorkError


def test_digits_are_the_scikit_learn_images_in_a_fixed_disjoint_split(tmp_path: Path) -> None:
    (protocol,) = DIGITS.protocols
    splits = load_splits(DIGITS, protocol, tmp_path)  # refuses another sha256 than the pinned one
    images = splits.table.inputs["image"]
    digits = load_digits()
    assert images.shape == (1797, 8, 8, 3)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images[..., 1] / 255 * 16, digits.images, atol=0.04)
    np.testing.assert_array_equal(splits.table.labels.argmax(1), digits.target)
    assert splits.sha256 == protocol.sha256
    report = check_splits(splits, protocol)
    assert report.problems == ()
    assert not any(report.overlaps.values())
    assert report.class_counts["query"] == [30] * 10
    assert report.class_counts["train"] == [50] * 10


def test_halves_are_the_two_halves_of_the_same_digits(tmp_path: Path) -> None:
    (protocol,) = DIGITS_HALVES.protocols
    splits = load_splits(DIGITS_HALVES, protocol, tmp_path)
    left, right = (splits.table.inputs[name].reshape(-1, 8, 4) for name in ("left", "right"))
    np.testing.assert_allclose(np.concatenate([left, right], axis=2) * 16, load_digits().images)
    assert left.dtype == np.float32
    assert splits.sha256 == load_splits(DIGITS, DIGITS.protocols[0], tmp_path).sha256
    require_usable(splits, protocol)


def test_embedded_sets_have_no_options_and_protocols_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'digits' has no option 'path'"):
        load_splits(DIGITS, DIGITS.protocols[0], tmp_path, path="x")
    with pytest.raises(UsageError, match="belongs to dataset wiki, not to digits"):
        load_splits(DIGITS, WIKI.protocols[0], tmp_path)


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "wiki"
    folder.mkdir()
    arrays = {
        f"{name}_{part}": rng.random((n, 3)) for name in ("I", "T", "T_tfidf") for part, n in (("tr", 6), ("te", 4))
    }
    scipy.io.savemat(folder / FEATURES, arrays)
    for part, n in (("tr", 6), ("te", 4)):
        lines = [f"text-{part}-{row}\timage-{row}\t{row + 1 if part == 'tr' else 10 - row}" for row in range(n)]
        (folder / LISTS[part]).write_text("\n".join(lines) + "\n")
    return folder


def checksums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_wiki_rows_features_and_categories_belong_together(wiki: Path) -> None:
    arrays = scipy.io.loadmat(wiki / FEATURES)
    for protocol, text in zip(WIKI.protocols, ("T_tfidf", "T"), strict=True):
        splits = load_folder(protocol, wiki, checksums(wiki))
        for part, modality, name in (
            (splits.train, "image", "I_tr"),
            (splits.query, "image", "I_te"),
            (splits.database, "text", f"{text}_tr"),
            (splits.query, "text", f"{text}_te"),
        ):
            np.testing.assert_allclose(splits.table.inputs[modality][part], arrays[name], rtol=1e-6)
        assert splits.table.ids[splits.query].tolist() == [f"text-te-{row}" for row in range(4)]
        assert splits.table.labels[splits.train].argmax(1).tolist() == [0, 1, 2, 3, 4, 5]
        assert splits.table.labels[splits.query].argmax(1).tolist() == [9, 8, 7, 6]
        require_usable(splits, protocol)


def test_changed_or_missing_wiki_files_are_refused(wiki: Path) -> None:
    with pytest.raises(WorkError, match=r"is not the published raw_features.mat"):
        load_splits(WIKI, WIKI.protocols[0], wiki.parent)
    known = checksums(wiki)
    (wiki / LISTS["te"]).unlink()
    with pytest.raises(WorkError, match=r"lacks .*testset_txt_img_cat.list"):
        load_folder(WIKI.protocols[0], wiki, known)
    with pytest.raises(WorkError, match=r"expected at .*wiki/raw_features.mat; put it there"):
        load_splits(WIKI, WIKI.protocols[0], wiki.parent / "nowhere")
