"""Write docs/hooks.md from the hookspecs, the nouns and the examples: `python docs/make_hooks.py [--check]`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path

from hashzoo import hookspecs, specs
from hashzoo.plugins import KINDS
from hashzoo.plugins.items import Kind

HERE = Path(__file__).parent
PAGE = HERE / "hooks.md"
EXAMPLES = {
    "methods": "smallest/hashzoo_smallest.py",
    "losses": "smallest/hashzoo_smallest_loss.py",
    "hash_layers": "",
    "backbones": "backbone/hashzoo_colour_histogram.py",
    "datasets": "dataset/hashzoo_wine.py",
    "evaluators": "evaluator/hashzoo_first_hit.py",
    "trainers": "trainer/hashzoo_clipped_trainer.py",
    "paper_tables": "paper-table/hashzoo_csq_readme.py",
}
"""The example that shows each kind; "" where the kinds before it show the same."""
PARTS = {
    "methods": ("Method", "Recipe", "Schedule", "Setting", "Paper"),
    "losses": ("Component", "Problem", "Batch", "HashOutput"),
    "datasets": ("Dataset", "Protocol", "Splits", "Table"),
    "evaluators": ("Retrieval",),
    "paper_tables": ("PaperTable", "PaperRow"),
}
"""Nouns described under each hook, each once."""

INTRODUCTION = f"""# Hook reference

Written by `python docs/make_hooks.py` from `hashzoo/hookspecs.py` and `hashzoo/specs.py`; do not edit it by hand.

Plugin interface {specs.API_VERSION}. How a plugin is made and published: [plugins.md](plugins.md).

{inspect.getdoc(hookspecs)}

A plugin is a module (or object) with functions of these names, each marked with `@hashzoo.hookimpl`, and an entry
point in the group `hashzoo`. Everything named here is imported from `hashzoo`.
"""


def page() -> str:
    """Return the text of docs/hooks.md."""
    order = ["methods", "losses", *(kind for kind in KINDS if kind not in ("methods", "losses"))]
    listed = "".join(f"- [`{KINDS[kind].hook}()`](#{KINDS[kind].hook})\n" for kind in order)
    return "\n".join([INTRODUCTION, listed, *(_hook(kind, KINDS[kind]) for kind in order)]).rstrip() + "\n"


def _hook(kind: str, described: Kind) -> str:
    function = getattr(hookspecs, described.hook)
    signature = inspect.signature(function)
    returned = str(signature.return_annotation).replace("collections.abc.", "")
    text = [
        f"## {described.hook}",
        "",
        f"    {described.hook}() -> {returned}",
        "",
        inspect.getdoc(function) or "",
        "",
        f"Listed by `hashzoo list {kind}`; a {described.singular}'s name is its `{described.key}`.",
        "",
    ]
    for noun in PARTS.get(kind, ()):
        text += [_noun(noun), ""]
    if EXAMPLES[kind]:
        source = (HERE / "examples" / EXAMPLES[kind]).read_text(encoding="utf-8").rstrip()
        text += [f"Example: [`{EXAMPLES[kind]}`](examples/{EXAMPLES[kind]})", "", "```python", source, "```", ""]
    return "\n".join(text)


def _noun(name: str) -> str:
    noun = getattr(specs, name)
    lines = [f"### {name}", "", inspect.cleandoc(noun.__doc__ or ""), "", "| field | type | default |", "|---|---|---|"]
    for field in dataclasses.fields(noun):
        kind = str(field.type).replace("|", "\\|")
        lines.append(f"| `{field.name}` | `{kind}` | {_default(field)} |")
    return "\n".join(lines)


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "required"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; return the exit code."""
    text = page()
    if "--check" in arguments:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        if not same:
            print(f"{PAGE} differs from the hookspecs; run python docs/make_hooks.py.", file=sys.stderr)  # noqa: T201 -- a script's message
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
