"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_ssdh = conformance("ssdh")
