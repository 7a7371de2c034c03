"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dchmt = conformance("dchmt")
