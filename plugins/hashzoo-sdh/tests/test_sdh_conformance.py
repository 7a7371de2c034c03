"""Every rule that a method keeps, checked by the kit."""

from hashzoo.testing import conformance

test_conformance = conformance("sdh")
