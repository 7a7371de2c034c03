"""`hashzoo new`: write a complete plugin distribution from the template in `hashzoo/templates/method`."""

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
from hashzoo.errors import UsageError, WorkError
from hashzoo.plugins import KINDS, registry
from hashzoo.plugins.sources import canonical

TEMPLATE = Path(__file__).with_name("templates") / "method"
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX = ".jinja"


def new_plugin(method: str, into: Path | str = ".", author: str = "") -> Path:
    """Write `hashzoo-<method>` into the folder `into` and return its path.

    The folder appears under its name only when complete. Raises UsageError for a name that is not kebab-case, is a
    Python keyword or is taken, and for a target that exists; WorkError where it cannot be written.
    """
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
        "year": datetime.datetime.now(tz=datetime.UTC).year,
        "api": specs.API_VERSION,
        "hashzoo_version": ".".join(hashzoo.__version__.split(".")[:2]),
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".hashzoo-new-", dir=parent) as temporary:
            made = Path(temporary) / target.name
            render(TEMPLATE, made, values)
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
    for kind in ("methods", "losses", "hash_layers"):
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


def _installed(method: str) -> bool:
    try:
        distribution(f"hashzoo-{method}")
    except PackageNotFoundError:
        return False
    return True
