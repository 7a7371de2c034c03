"""The conformance kit on the method of this plugin."""

from hashzoo.testing import conformance

test_bihalf = conformance("bihalf")
