"""A backbone alone: the share of each of 8 levels in each colour channel, 24 numbers, nothing to train."""

from hashzoo import Component, hookimpl

hashzoo_api = 2


@hookimpl
def hashzoo_register_backbones():
    build = "hashzoo_colour_histogram_model:build"
    return [Component("colour-histogram", build, summary="8 levels of 3 channels", accepts="image")]
