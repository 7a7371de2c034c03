"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dhn = conformance("dhn")
test_dhn_q = conformance("dhn-q")
test_dhn_e = conformance("dhn-e")
test_dhn_b = conformance("dhn-b")
