"""`hashzoo new`: write a complete plugin distribution from the templates in `hashzoo/templates`."""

from __future__ import annotations

import datetime
import json
import keyword
import re
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import hashzoo
from hashzoo import specs
from hashzoo.errors import UsageError, WorkError, unknown_name
from hashzoo.plugins import KINDS, registry
from hashzoo.plugins.sources import canonical

TEMPLATES = Path(__file__).with_name("templates")
KINDS_MADE = ("method", "fit", "cross-modal", "dataset", "evaluator", "trainer", "command")
"""What `hashzoo new --kind` writes: each a folder of templates, beside what is `common` to all."""
UNFILLED = "Title of the paper"
"""Stands for the paper's title; the conformance kit fails until it is filled in."""
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".jinja"


def new_plugin(method: str, into: Path | str = ".", author: str = "", kind: str = "method", title: str = "") -> Path:
    """Write `hashzoo-<method>` into the folder `into` and return its path.

    The folder appears under its name only when complete. Raises UsageError for a name that is not kebab-case, is a
    Python keyword or is taken, and for a target that exists; WorkError where it cannot be written.
    """
    if kind not in KINDS_MADE:
        raise unknown_name("kind of plugin", kind, KINDS_MADE)
    check_name(method)
    parent = Path(into)
    if not parent.is_dir():
        raise UsageError(f"There is no folder {parent}; create it or give another --into.")
    target = parent / f"hashzoo-{method}"
    if target.exists():
        raise UsageError(f"{target} already exists; choose another name or --into, or move it away.")
    author = " ".join(author.split()) or f"The authors of hashzoo-{method}"
    values = {
        "method": method,
        "distribution": f"hashzoo-{method}",
        "module": f"hashzoo_{method.replace('-', '_')}",
        "author": author,
        "author_quoted": json.dumps(author, ensure_ascii=False),
        "method_name": method.replace("-", "_"),
        "title": " ".join(title.split()) or UNFILLED,
        "title_quoted": json.dumps(" ".join(title.split()) or UNFILLED, ensure_ascii=False),
        "year": datetime.datetime.now(tz=datetime.UTC).year,
        "api": specs.API_VERSION,
        "hashzoo_version": ".".join(hashzoo.__version__.split(".")[:2]),
        "hashzoo_next": _next_version(hashzoo.__version__),
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".hashzoo-new-", dir=parent) as temporary:
            made = Path(temporary) / target.name
            for template in ("common", kind):
                render(TEMPLATES / template, made, values)
            shutil.move(made, target)
    except OSError as error:
        raise WorkError(f"Could not write {target}: {error.strerror or error}; choose another --into.") from error
    return target


def check_name(method: str) -> None:
    """Raise UsageError unless a new method can be called so."""
    example = "for example 'my-method'"
    if not _KEBAB.fullmatch(method):
        suggestion = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        example = f"for example {suggestion!r}" if _KEBAB.fullmatch(suggestion) else example
        raise UsageError(
            f"{method!r} is not kebab-case; a method is called with lower-case letters, digits and '-', "
            f"beginning with a letter, {example}."
        )
    if method == "hashzoo" or method.startswith("hashzoo-"):
        rest = method.removeprefix("hashzoo").lstrip("-")
        example = f"for example {rest!r}" if rest else example
        raise UsageError(
            f"{method!r} repeats 'hashzoo', which the distribution's name begins with; leave it out, {example}."
        )
    if keyword.iskeyword(method):
        raise UsageError(f"{method!r} is a keyword of Python; choose another name, {method + '-hash'!r} for example.")
    reg = registry()
    for kind in KINDS:
        if method in reg.names(kind):
            owner = reg.owner(kind, method)
            raise UsageError(
                f"There already is a {KINDS[kind].singular} {method!r}, in {owner.distribution} {owner.version}; "
                "choose another name."
            )
    if any(canonical(plugin.distribution) == f"hashzoo-{method}" for plugin in reg.plugins) or _installed(method):
        raise UsageError(f"A distribution hashzoo-{method} is already installed; choose another name.")


def render(template: Path, target: Path, values: dict[str, Any]) -> None:
    """Write every file of a template: `{{ }}` filled in, `__module__` and a leading `dot_` in paths replaced."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    for source in sorted(template.rglob(f"*{_SUFFIX}")):
        parts = source.relative_to(template).as_posix().removesuffix(_SUFFIX).split("/")
        parts = [re.sub("^dot_", ".", part).replace("__module__", values["module"]) for part in parts]
        path = target.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.from_string(source.read_text(encoding="utf-8")).render(values), encoding="utf-8")


def _next_version(version: str) -> str:
    """Return the first version that a plugin of this one is not promised to work with: 0.3 for 0.2.1, 2 for 1.4.

    >>> _next_version("0.2.1"), _next_version("1.4.0")
    ('0.3', '2')
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return str(major + 1) if major else f"0.{minor + 1}"


def _installed(method: str) -> bool:
    try:
        distribution(f"hashzoo-{method}")
    except PackageNotFoundError:
        return False
    return True
