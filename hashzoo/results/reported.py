"""The core's own published values: those that belong to no method's paper."""

from __future__ import annotations

from collections.abc import Iterable

from hashzoo.hookspecs import hookimpl
from hashzoo.results.paper_tables import paper_tables_from_package
from hashzoo.specs import Paper, PaperTable

hashzoo_api = 2

DEEPHASH_PYTORCH = Paper(
    key="deephash-pytorch-readme",
    title="DeepHash-pytorch, README: mean average precision of its implementations",
    authors="swuxyj and contributors",
    venue="GitHub repository",
    year=2022,
    url="https://github.com/swuxyj/DeepHash-pytorch",
)


@hookimpl
def hashzoo_register_paper_tables() -> Iterable[PaperTable]:
    """Return the figures in DeepHash-pytorch's README: measured with its code, not those of the papers."""
    return paper_tables_from_package(
        "hashzoo.results", {DEEPHASH_PYTORCH.key: DEEPHASH_PYTORCH}, "data/deephash_pytorch_readme.csv"
    )
