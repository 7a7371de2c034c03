"""A plugin as written for interface 0, the state before the first release. Never edit it: it must keep loading."""

from hashzoo import Component, Method, Paper, Recipe, hookimpl

hashzoo_api = 0


@hookimpl
def hashzoo_register_losses():
    return [Component("past", "hashzoo_past:build_loss", "a loss of old")]


@hookimpl
def hashzoo_register_methods():
    paper = Paper("past-2020", "A title", "A. Author", "A venue", 2020)
    return [Method("past", paper, loss="past", hash_layer="linear", recipe=Recipe(2, 16, 0.01, optimizer="adam"))]


def build_loss(problem, scale=1.0):
    from torch import nn

    class Loss(nn.Module):
        def forward(self, output, batch):
            return {"quantization": scale * (output.relaxed.abs() - 1).square().mean()}

    return Loss()
