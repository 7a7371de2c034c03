"""The kit in pytest: one line gives a test per check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hashzoo.errors import UsageError, unknown_name
from hashzoo.testing.kit import CheckFailed, NotApplicable, checks_of


def conformance(
    name: str, *, kind: str = "methods", expected_failures: Mapping[str, str] | None = None
) -> Callable[..., None]:
    """Return a pytest test that runs every check of a kind on `name`, one case for each check.

    In a plugin's test file:

        from hashzoo.testing import conformance

        test_conformance = conformance("dch")

    `expected_failures` maps a check to the reason why it fails. The reason is required, and the expectation is
    strict: a listed check that passes, or that does not apply, fails the test. There is no way to leave a check out.
    """
    import pytest

    known, expected = checks_of(kind), dict(expected_failures or {})
    for check, reason in expected.items():
        if check not in known:
            raise unknown_name("check", check, known)
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"The expected failure of {check!r} needs a reason; say why it fails.")

    def case(check: str) -> Any:
        if check not in expected:
            return check
        return pytest.param(check, marks=pytest.mark.xfail(reason=expected[check], raises=CheckFailed, strict=True))

    @pytest.mark.parametrize("check", [case(check) for check in known])
    def test_conformance(check: str) -> None:
        try:
            known[check](name)
        except NotApplicable as reason:
            if check in expected:
                pytest.fail(f"{check} is an expected failure and does not apply ({reason}); take it off the list")
            pytest.skip(str(reason))

    return test_conformance
