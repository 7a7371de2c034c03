"""An evaluator alone: is what is nearest relevant? Exact under ties, as everything in hashzoo."""

from hashzoo import Component, Metric, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_evaluators():
    summary = "share of relevant first results"
    return [Component("first-hit", "hashzoo_first_hit:build", summary=summary, metrics=("first_hit",))]


@hookimpl
def hashzoo_register_metrics():
    return [Metric("first_hit", on_board=True, summary="relevant share of the items at the smallest distance")]


def build(protocol):
    return first_hit


def first_hit(retrieval):
    """Return {"first_hit": mean over queries of the relevant share among the items at the smallest distance}."""
    import numpy as np

    query, database = retrieval.query.signs().astype(np.int32), retrieval.database.signs().astype(np.int32)
    distance = (retrieval.query.bits - query @ database.T) // 2
    nearest = distance == distance.min(axis=1, keepdims=True)
    shared = retrieval.query.labels.astype(np.int32) @ retrieval.database.labels.T.astype(np.int32)
    return {"first_hit": float(((nearest & (shared > 0)).sum(1) / nearest.sum(1)).mean())}
