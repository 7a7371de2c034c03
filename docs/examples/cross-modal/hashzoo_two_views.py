"""A cross-modal method: one hash layer for each role, and a loss that compares the two."""

from hashzoo import Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 2

PAPER = Paper("example-2026", "Two views: an example of a cross-modal loss", "hashzoo", "docs/examples", 2026)


@hookimpl
def hashzoo_register_losses():
    return [Component("two-views", "hashzoo_two_views_loss:TwoViews")]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam")
    options = {"hash_layer": {"std": 0.1}}
    roles = ("image", "text")
    return [Method("two-views", PAPER, "two-views", "tanh", recipe, modalities=roles, options=options)]
