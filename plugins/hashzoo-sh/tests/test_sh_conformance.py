"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

WHY = "bits go to higher modes of the longest ranges (a uniform density is assumed), here those of noise"

test_conformance = conformance("sh", expected_failures={"learns_the_toy_problem": WHY})
