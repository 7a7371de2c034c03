"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_scm = conformance("scm")
test_scm_orth = conformance("scm-orth")
