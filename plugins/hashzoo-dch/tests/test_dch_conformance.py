"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dch = conformance("dch")
test_dch_q = conformance("dch-q")
test_dch_c = conformance("dch-c")
test_dch_e = conformance("dch-e")
