"""The kit in pytest: one line gives a test per check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hashzoo.testing.kit import NotApplicable, NotChecked, checks_of, said
from hashzoo.testing.kit import expected_failures as known_failures


def conformance(
    name: str, *, kind: str = "methods", expected_failures: Mapping[str, str] | None = None
) -> Callable[..., None]:
    """Return a pytest test that runs every check of a kind on `name`, one case for each check.

    In a plugin's test file:

        from hashzoo.testing import conformance

        test_conformance = conformance("dch")

    Checks that fail for a good reason are stated in the plugin's module, where `hashzoo check` reads them as well:
    `hashzoo_expected_failures = {"dch": {"check": "reason"}}`; `expected_failures` adds to them for this test alone.
    The reason is required. Whatever the check raises is the expected failure, a crash too; the expectation is strict:
    a listed check that passes, or that does not apply, fails the test. There is no way to leave a check out.
    """
    import pytest

    known, expected = checks_of(kind), known_failures(kind, name, expected_failures)

    @pytest.mark.parametrize("check", list(known))
    def test_conformance(check: str) -> None:
        try:
            known[check](name)
        except NotChecked as reason:
            pytest.skip(str(reason))
        except NotApplicable as reason:
            if check in expected:
                pytest.fail(f"{check} is an expected failure and does not apply ({reason}); take it off the list")
            pytest.skip(str(reason))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if check in expected:
                pytest.xfail(f"{expected[check]} ({said(error)})")
            raise
        if check in expected:
            pytest.fail(f"{check} is an expected failure and passes; take it off the list")

    return test_conformance
