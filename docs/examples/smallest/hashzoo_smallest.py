"""The smallest useful plugin: one loss, one method."""

from hashzoo import Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 2

PAPER = Paper("ksh-2012", "Supervised Hashing with Kernels", "Liu, Wang, Ji, Jiang and Chang", "CVPR", 2012)


@hookimpl
def hashzoo_register_losses():
    return [Component("smallest", "hashzoo_smallest_loss:build_loss")]


@hookimpl
def hashzoo_register_methods():
    recipe = Recipe(epochs=30, batch_size=64, lr=1e-3, optimizer="adam")
    options = {"hash_layer": {"std": 0.1}}
    return [Method("smallest", PAPER, loss="smallest", hash_layer="tanh", recipe=recipe, options=options)]
