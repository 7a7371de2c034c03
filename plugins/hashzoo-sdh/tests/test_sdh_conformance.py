"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

WHY = "sigma 0.4 (released code) is narrow for rows this far apart; with 0.5 the mAP is 0.94"

test_conformance = conformance("sdh", expected_failures={"learns_the_toy_problem": WHY})
