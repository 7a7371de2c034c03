"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

WHY = "one weight at a time ends near its start where 12 of 16 axes are strong noise"

test_conformance = conformance("bre", expected_failures={"learns_the_toy_problem": WHY})
test_conformance_unsupervised = conformance("bre-unsupervised")
