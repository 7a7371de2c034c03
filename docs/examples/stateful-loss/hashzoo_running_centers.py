"""A stateful loss: class centers that follow the outputs, in a buffer, weighted more from epoch to epoch."""

from hashzoo import Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 2

PAPER = Paper("example-2026", "Running centers: an example of a stateful loss", "hashzoo", "docs/examples", 2026)


@hookimpl
def hashzoo_register_losses():
    return [Component("running-centers", "hashzoo_running_centers_loss:RunningCenters")]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam")
    options = {"hash_layer": {"std": 0.1}}
    return [Method("running-centers", PAPER, loss="running-centers", hash_layer="tanh", recipe=recipe, options=options)]
