"""The conformance kit on the method of this plugin."""

from hashzoo.testing import conformance

test_cnnh = conformance("cnnh")
