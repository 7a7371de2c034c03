"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_csq = conformance("csq")
