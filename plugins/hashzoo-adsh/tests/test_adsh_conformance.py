"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_adsh = conformance("adsh")
test_adsh_inductive = conformance("adsh-inductive")
