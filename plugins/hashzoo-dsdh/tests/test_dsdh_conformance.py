"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dsdh = conformance("dsdh")
test_dsdh_batch = conformance("dsdh-batch")
