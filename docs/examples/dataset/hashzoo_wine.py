"""A dataset alone: the 178 wines of three cultivars that come with scikit-learn, 13 measurements each."""

from hashzoo import Dataset, Protocol, hookimpl

hashzoo_api = 2

PROTOCOL = Protocol(
    id="wine-30",
    dataset="wine",
    sizes=(30, 90, 148),
    sha256="930cbc2fabec47828e5d7421bc6454348ce8ebd95375cc79bde41c260c448a0d",
    bits=(8, 16),
    source="this plugin: 10 queries and 30 training items of each cultivar, the database is all but the queries",
)


@hookimpl
def hashzoo_register_datasets():
    backbones = {"image": "identity"}
    return [Dataset("wine", {"image": "vector"}, (PROTOCOL,), "hashzoo_wine:load", backbones, summary="178 wines")]


def load(protocol, root):
    """Return the splits; each measurement has mean 0 and standard deviation 1 over all wines."""
    import numpy as np
    from sklearn.datasets import load_wine

    from hashzoo import Table
    from hashzoo.data import Quota, draw_rows, fingerprint_of, make_splits, one_hot

    wine = load_wine()
    values = ((wine.data - wine.data.mean(0)) / wine.data.std(0)).astype(np.float32)
    inputs, ids = {"image": values}, np.asarray([f"{row:03d}" for row in range(len(values))])
    table = Table(inputs, one_hot(wine.target, 3), ids, fingerprint_of(inputs), tuple(wine.target_names))
    return make_splits(table, *draw_rows(ids, wine.target, Quota("wine", query=10, train=30, train_in_database=True)))
