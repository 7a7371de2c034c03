"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_hashnet = conformance("hashnet")
test_hashnet_c = conformance("hashnet-c")
test_hashnet_w = conformance("hashnet-w")
test_hashnet_sgn = conformance("hashnet-sgn")
