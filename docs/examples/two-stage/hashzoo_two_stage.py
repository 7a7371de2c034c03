"""A method of two stages: codes of the train split first, then a network that learns to predict them."""

from hashzoo import Claim, Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 2

PAPER = Paper("example-2026", "Two stages: an example of prepare and end_epoch", "hashzoo", "docs/examples", 2026)


@hookimpl
def hashzoo_register_losses():
    return [Component("two-stage", "hashzoo_two_stage_loss:TwoStage")]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam")
    return [Method("two-stage", PAPER, loss="two-stage", hash_layer="linear", recipe=recipe)]


@hookimpl
def hashzoo_register_claims():
    return [Claim("two stages are better than random projections", "this example", "two-stage", "lsh", "map")]
