"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_greedyhash = conformance("greedyhash")
test_greedyhash_unsupervised = conformance("greedyhash-unsupervised")
