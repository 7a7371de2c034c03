"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dpn = conformance("dpn")
test_dpn_a = conformance("dpn-a")
