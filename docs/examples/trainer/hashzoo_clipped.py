"""A trainer alone: gradient steps in which no loss term exceeds a limit."""

from hashzoo import Component, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_trainers():
    return [Component("clipped", "hashzoo_clipped_trainer:Clipped", summary="gradient steps with limited terms")]
