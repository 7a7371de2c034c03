"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_orthohash = conformance("orthohash")
test_orthohash_arc = conformance("orthohash-arc")
