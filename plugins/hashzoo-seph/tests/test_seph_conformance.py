"""The conformance kit on every method of this plugin."""

from hashzoo.testing import conformance

test_seph = conformance("seph")
test_seph_rnd = conformance("seph-rnd")
