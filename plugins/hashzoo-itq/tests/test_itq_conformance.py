"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

WHY = "with 16 bits of 16 features PCA keeps every axis, those of noise too: a rotation of all cannot choose"

test_conformance = conformance("itq", expected_failures={"learns_the_toy_problem": WHY})
test_conformance_cca = conformance("itq-cca")
