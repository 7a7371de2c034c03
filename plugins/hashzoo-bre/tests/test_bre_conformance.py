"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

test_conformance = conformance("bre")
test_conformance_unsupervised = conformance("bre-unsupervised")
