"""The Wikipedia image-text set (Rasiwasia et al., ACM Multimedia 2010): 2,866 documents in 10 categories.

`raw_features.mat` holds the published features: bag of SIFT words (128, each row sums to 1), tf-idf of the text
(1,000) and topic proportions of the text (10, each row sums to 1). They are given as they are, unscaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hashzoo.data.labels import one_hot
from hashzoo.data.readers import read_arrays
from hashzoo.data.roots import source_path
from hashzoo.data.splits import make_splits
from hashzoo.data.tables import fingerprint_of, require_sha256
from hashzoo.errors import WorkError
from hashzoo.specs import Protocol, Splits, Table

FOLDER = "wiki"
FEATURES = "raw_features.mat"
LISTS = {"tr": "trainset_txt_img_cat.list", "te": "testset_txt_img_cat.list"}
SHA256 = {
    FEATURES: "047ebad02c14b97d53b191fd42180ebb9b0e255dbb2f70c6fe4092110b4c9853",
    LISTS["tr"]: "ca19aec01dd94a839abec1c4de2d35baf4ad53275ab0e5ee31bc76bcae4b67da",
    LISTS["te"]: "ec3123ee31cc89dd95fbeb23eb73b2ecfd1d8909bba863723471aad99408c1eb",
}
CLASS_NAMES = (
    "art", "biology", "geography", "history", "literature", "media", "music", "royalty", "sport", "warfare",
)  # fmt: skip

_TEXT = {"wiki-2173": "T_tfidf", "wiki-2173-topics": "T"}


def load(protocol: Protocol, root: Path, *, path: str = "") -> Splits:
    """Return the Splits: the test part (693) queries, the training part (2,173) is train and database.

    Inputs: `image` (2866, 128) and `text`, (2866, 1000) tf-idf in protocol wiki-2173 or (2866, 10) topics in
    wiki-2173-topics. Ids are the text ids of the published lists. `path` is the folder of the three files
    (default: `wiki` under the data root).

    Raises WorkError where a file is missing or is not the published one by its sha256.
    """
    folder = source_path(root, path, FOLDER, "The Wikipedia image-text set")
    return load_folder(protocol, folder, SHA256)


def load_folder(protocol: Protocol, folder: Path, sha256: Mapping[str, str]) -> Splits:
    """Return the Splits from the three files in `folder`, which have to have the given checksums."""
    for name, expected in sha256.items():
        if not (folder / name).is_file():
            raise WorkError(f"The Wikipedia image-text set lacks {folder / name}; put the published file there.")
        require_sha256(folder / name, expected, f"published {name}")
    arrays = read_arrays(folder / FEATURES)
    prefixes = {"image": "I", "text": _TEXT[protocol.id]}
    inputs = {
        modality: np.concatenate([arrays[f"{prefix}_tr"], arrays[f"{prefix}_te"]]).astype(np.float32)
        for modality, prefix in prefixes.items()
    }
    rows = [line for part in ("tr", "te") for line in _listed(folder / LISTS[part])]
    num_train = len(arrays["I_tr"])
    labels = one_hot(np.asarray([category - 1 for _, category in rows]), len(CLASS_NAMES))
    ids = np.asarray([text_id for text_id, _ in rows])
    table = Table(inputs, labels, ids, fingerprint_of(inputs), CLASS_NAMES)
    train, query = np.arange(num_train), np.arange(num_train, len(ids))
    return make_splits(table, train, query, train)


def _listed(path: Path) -> list[tuple[str, int]]:
    """Return (text id, category 1..10) of each line "text id, image id, category", separated by tabs."""
    fields = [line.split("\t") for line in path.read_text(encoding="ascii").splitlines()]
    return [(text_id, int(category)) for text_id, _, category in fields]
