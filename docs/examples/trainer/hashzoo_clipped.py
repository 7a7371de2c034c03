"""A trainer alone: plain gradient steps with the norm of the gradient limited."""

from hashzoo import Component, hookimpl


@hookimpl
def hashzoo_register_trainers():
    return [Component("clipped", "hashzoo_clipped_trainer:build", summary="gradient steps with a limited norm")]
