"""The machinery of the conformance kit: cases, checks by kind, results. The checks themselves are beside it."""

from __future__ import annotations

import copy
import importlib
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import KINDS, PARTS, Plugin, Registry, registry
from hashzoo.plugins.items import item_name
from hashzoo.testing.toy import BITS, FITTED_HOST, HOST, SHORT, UNTRAINED_HOST, Subject, Trained, subject_of


class CheckFailed(AssertionError):  # noqa: N818 -- a verdict, like pytest's own
    """A check found that the rules are not kept; the message says where and what usually causes it."""


class NotApplicable(Exception):  # noqa: N818 -- it is an answer and no error
    """A check has nothing to say about this method or component; the message says why."""


class NotChecked(NotApplicable):
    """A check was left out because another one, which it builds on, failed; the message names that one."""


@dataclass(frozen=True)
class CheckResult:
    """What one check said, with a sentence where there is something to say.

    `status`: "passed", "failed", "expected" (it failed, as the plugin says it does), "n/a", or "skipped" (a check that
    it builds on failed, so that one mistake prints one failure).
    """

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

    def subject(self, bits: int = BITS, multilabel: bool = False, settings: Mapping[str, Any] | None = None) -> Subject:
        """Return it on the toy problem, with options; a component alone is put into a plain host method."""
        if self.kind == "methods":
            return subject_of(self.name, bits, multilabel, settings)
        role = next(role for role, kind in PARTS.items() if kind == self.kind)
        plain = {"hash_layers": UNTRAINED_HOST, "fitters": FITTED_HOST}.get(self.kind, HOST)
        host = replace(plain, **{role: self.name})  # type: ignore[arg-type] # the three roles are names
        if self.kind == "hash_layers":
            host = replace(host, coded=self._makes_codes())
        return subject_of(host, bits, multilabel, settings)

    def _makes_codes(self) -> bool:
        """Whether a hash layer gives codes of K bits: not where all methods with it have none."""
        methods = map(partial(registry().get, "methods"), registry().names("methods"))
        users = [m for m in methods if m.hash_layer and registry().get("hash_layers", m.hash_layer) is self.spec]
        return not users or any(method.coded for method in users)

    def trained(self) -> Trained:
        """Return it after a short training with seed 0: a copy of one that the checks share."""
        desk = _desk(self)
        if desk.trained is None:
            desk.trained = self.subject().train(SHORT)
        try:
            return copy.deepcopy(desk.trained)
        except Exception:  # noqa: BLE001 -- a module may hold what cannot be copied; then it is trained again
            return self.subject().train(SHORT)


@dataclass
class _Desk:
    """What the checks of one case share: its results so far, and a trained model."""

    registry: Registry
    results: dict[str, tuple[str, str]] = field(default_factory=dict)
    trained: Trained | None = None


_DESKS: OrderedDict[Case, _Desk] = OrderedDict()
_DESKS_KEPT = 2


def _desk(case: Case) -> _Desk:
    """Return the desk of a case; a registry that was loaded anew starts with an empty one."""
    found = _DESKS.get(case)
    if found is None or found.registry is not registry():
        found = _DESKS[case] = _Desk(registry())
    _DESKS.move_to_end(case)
    while len(_DESKS) > _DESKS_KEPT:
        _DESKS.popitem(last=False)
    return found


Check = Callable[[Case], None]
_CHECKS: dict[str, dict[str, Check]] = {kind: {} for kind in KINDS}
_AFTER: dict[str, tuple[str, ...]] = {}


def check(*kinds: str, after: Sequence[str] = ()) -> Callable[[Check], Check]:
    """Register a function of a Case as a check of these kinds, under its own name.

    `after`: checks that it builds on. Where one of them failed, this one says so and checks nothing.
    """

    def register(function: Check) -> Check:
        _AFTER[function.__name__] = tuple(after)
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
    if not known:
        kinds = ", ".join(one for one in KINDS if _CHECKS[one])
        raise UsageError(f"The kit has no checks of {kind} by themselves; it has some of {kinds}.")
    for asked in only or ():
        if asked not in known:
            raise unknown_name("check", asked, known)
    registry().get(kind, name)
    expected = expected_failures(kind, name)
    return [_weighed(_result(asked, known[asked], name), expected.get(asked, "")) for asked in only or known]


def expected_failures(kind: str, name: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return {check: reason} of what may fail: what the plugin states, and what is given beside it.

    A plugin states it in its module, for `hashzoo check` and pytest alike:
    `hashzoo_expected_failures = {"name": {"check": "reason"}}`. Raises UsageError for a check that does not exist and
    for a reason that is missing.
    """
    stated: Any = {}
    with suppress(UsageError):  # a name that is not there is refused by the checks themselves
        module, _, attribute = registry().owner(kind, name).entry_point.partition("=")[2].strip().partition(":")
        carrier = importlib.import_module(module)
        carrier = getattr(carrier, attribute) if attribute else carrier
        plain = item_name(kind, registry().get(kind, name))
        stated = getattr(carrier, "hashzoo_expected_failures", {}).get(plain, {})
    given = given or {}
    anywhere = {check for checks in _CHECKS.values() for check in checks}
    for expectations, known in ((stated, anywhere), (given, set(_CHECKS[kind]))):
        for asked, reason in expectations.items():
            if asked not in known:
                raise unknown_name("check", asked, checks_of(kind))
            if not isinstance(reason, str) or not reason.strip():
                raise UsageError(f"The expected failure of {asked!r} needs a reason; say why it fails.")
    return {**{check: why for check, why in stated.items() if check in _CHECKS[kind]}, **given}


def _weighed(result: CheckResult, reason: str) -> CheckResult:
    """Return the result of a check that is expected to fail for a reason; without one, the result as it is."""
    if not reason or result.status == "skipped":
        return result
    if result.status == "failed":
        return replace(result, status="expected", message=f"{reason} ({result.message})")
    found = "passes" if result.status == "passed" else f"does not apply ({result.message})"
    return replace(result, status="failed", message=f"An expected failure that {found}; take it off the list.")


def _front(kind: str, function: Check) -> Callable[[str], None]:
    own = function.__name__

    def run(name: str) -> None:
        case = Case(kind, name)
        results = _desk(case).results
        for needed in _AFTER[own]:
            if needed not in _CHECKS[kind]:
                continue
            if needed not in results:
                with suppress(Exception, SystemExit):
                    checks_of(kind)[needed](name)
            status, root = results.get(needed, ("failed", needed))
            if status in ("failed", "skipped"):
                results[own] = ("skipped", root)
                raise NotChecked(f"not checked: {root} failed")
        results[own] = ("failed", own)
        try:
            with steady():
                function(case)
        except NotApplicable:
            results[own] = ("n/a", "")
            raise
        results[own] = ("passed", "")

    run.__name__, run.__doc__ = own, function.__doc__
    return run


def _result(check_name: str, function: Callable[[str], None], name: str) -> CheckResult:
    started = time.perf_counter()
    status, message = "passed", ""
    try:
        function(name)
    except NotChecked as reason:
        status, message = "skipped", str(reason)
    except NotApplicable as reason:
        status, message = "n/a", str(reason)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- whatever a plugin raises is a result of the check
        status, message = "failed", said(error)
    return CheckResult(check_name, status, message, round(time.perf_counter() - started, 3))


def said(error: BaseException) -> str:
    """Return the sentence of a verdict or of an error for people, type and message of any other exception."""
    if isinstance(error, CheckFailed | UsageError):
        return str(error)
    return f"{type(error).__name__}: {error}"


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
