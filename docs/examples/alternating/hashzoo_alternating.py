"""Alternating steps: a trainer that goes over the split twice an epoch, hash layer and codes in turn."""

from hashzoo import Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 2

PAPER = Paper("example-2026", "In turn: an example of an alternating trainer", "hashzoo", "docs/examples", 2026)


@hookimpl
def hashzoo_register_losses():
    return [Component("alternating", "hashzoo_alternating_parts:AlternatingLoss", requires={"trainer": "alternating"})]


@hookimpl
def hashzoo_register_trainers():
    return [Component("alternating", "hashzoo_alternating_parts:AlternatingTrainer")]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=30, batch_size=64, lr=1e-2, optimizer="adam")
    return [Method("alternating", PAPER, loss="alternating", hash_layer="linear", trainer="alternating", recipe=recipe)]
