"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_dtsh = conformance("dtsh")
test_dtsh_batch = conformance("dtsh-batch")
