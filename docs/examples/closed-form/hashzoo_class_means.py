"""A closed form: no loss, no recipe; one call fits the projection from the features of the train split."""

from hashzoo import Component, Method, Paper, hookimpl

hashzoo_api = 2

PAPER = Paper("example-2026", "Class means: an example of a fitter", "hashzoo", "docs/examples", 2026)


@hookimpl
def hashzoo_register_fitters():
    return [Component("class-means", "hashzoo_class_means_fitter:ClassMeans")]


@hookimpl
def hashzoo_register_methods():
    return [Method("class-means", PAPER, training="fit", fitter="class-means", hash_layer="projection")]
