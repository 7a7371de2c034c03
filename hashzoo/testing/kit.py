"""The machinery of the conformance kit: cases, checks by kind, results. The checks themselves are beside it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import KINDS, Plugin, registry
from hashzoo.testing.toy import BITS, FITTED_HOST, HOST, UNTRAINED_HOST, Subject, subject_of


class CheckFailed(AssertionError):  # noqa: N818 -- a verdict, like pytest's own
    """A check found that the rules are not kept; the message says where and what usually causes it."""


class NotApplicable(Exception):  # noqa: N818 -- it is an answer and no error
    """A check has nothing to say about this method or component; the message says why."""


@dataclass(frozen=True)
class CheckResult:
    """What one check said: "passed", "failed" or "n/a", with a sentence where there is something to say."""

    check: str
    status: str
    message: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """One method or component under test."""

    kind: str
    name: str

    @property
    def owner(self) -> Plugin:
        """The plugin that brings it."""
        return registry().owner(self.kind, self.name)

    @property
    def spec(self) -> Any:
        """What the plugin registered."""
        return registry().get(self.kind, self.name)

    def subject(self, bits: int = BITS, multilabel: bool = False) -> Subject:
        """Return it on the toy problem; a component alone is put into a plain host method."""
        if self.kind == "methods":
            return subject_of(self.name, bits, multilabel)
        role = {"losses": "loss", "hash_layers": "hash_layer", "trainers": "trainer", "fitters": "fitter"}[self.kind]
        plain = {"hash_layers": UNTRAINED_HOST, "fitters": FITTED_HOST}.get(self.kind, HOST)
        host = replace(plain, **{role: self.name})  # type: ignore[arg-type] # the three roles are names
        return subject_of(host, bits, multilabel)


Check = Callable[[Case], None]
_CHECKS: dict[str, dict[str, Check]] = {kind: {} for kind in KINDS}


def check(*kinds: str) -> Callable[[Check], Check]:
    """Register a function of a Case as a check of these kinds, under its own name."""

    def register(function: Check) -> Check:
        for kind in kinds:
            _CHECKS[kind][function.__name__] = function
        return function

    return register


def require(condition: bool, message: str) -> None:
    """Raise CheckFailed with the message unless the condition holds."""
    if not condition:
        raise CheckFailed(message)


def checks_of(kind: str) -> MappingProxyType[str, Callable[[str], None]]:
    """Return {check name: check(name)} of a kind; read-only, so that no plugin can take one out."""
    if kind not in _CHECKS:
        raise unknown_name("kind", kind, _CHECKS)
    return MappingProxyType({name: _front(kind, function) for name, function in _CHECKS[kind].items()})


def run_checks(kind: str, name: str, only: Sequence[str] | None = None) -> list[CheckResult]:
    """Run the checks of a kind on one name and return every result; nothing a plugin does is raised."""
    known = checks_of(kind)
    for asked in only or ():
        if asked not in known:
            raise unknown_name("check", asked, known)
    registry().get(kind, name)
    return [_result(check_name, known[check_name], name) for check_name in only or known]


def _front(kind: str, function: Check) -> Callable[[str], None]:
    def run(name: str) -> None:
        with steady():
            function(Case(kind, name))

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


def _result(check_name: str, function: Callable[[str], None], name: str) -> CheckResult:
    started = time.perf_counter()
    status, message = "passed", ""
    try:
        function(name)
    except NotApplicable as reason:
        status, message = "n/a", str(reason)
    except KeyboardInterrupt:
        raise
    except CheckFailed as failure:
        status, message = "failed", str(failure)
    except UsageError as error:
        status, message = "failed", str(error)
    except BaseException as error:  # noqa: BLE001 -- whatever a plugin raises is a result of the check
        status, message = "failed", f"{type(error).__name__}: {error}"
    return CheckResult(check_name, status, message, round(time.perf_counter() - started, 3))


@contextmanager
def steady() -> Iterator[None]:
    """One torch thread, and random states that are put back afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
