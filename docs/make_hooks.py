"""Write docs/hooks.md from the hookspecs, the nouns and the examples: `python docs/make_hooks.py [--check]`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashzoo import hookspecs, specs
from hashzoo.evaluation.codes import Codes
from hashzoo.plugins import KINDS
from hashzoo.plugins.items import Kind
from hashzoo.studies.task import Engine, Outcome, Task
from hashzoo.training import Checkpoints, GradientTrainer, TrainData, TrainJob
from hashzoo.training.checkpoints import Checkpoint

HERE = Path(__file__).parent
PAGE = HERE / "hooks.md"
EXAMPLES = {
    "methods": "smallest/hashzoo_smallest.py",
    "losses": "smallest/hashzoo_smallest_loss.py",
    "hash_layers": "",
    "backbones": "backbone/hashzoo_colour_histogram.py",
    "fitters": "closed-form/hashzoo_class_means.py",
    "metrics": "",
    "engines": "engine/hashzoo_in_turn.py",
    "claims": "two-stage/hashzoo_two_stage.py",
    "commands": "command/hashzoo_bits_used.py",
    "datasets": "dataset/hashzoo_wine.py",
    "evaluators": "evaluator/hashzoo_first_hit.py",
    "trainers": "trainer/hashzoo_clipped_trainer.py",
    "paper_tables": "paper-table/hashzoo_csq_readme.py",
}
"""The example that shows each kind; "" where the kinds before it show the same."""
PARTS = {
    "methods": ("Method", "Recipe", "Schedule", "Setting", "Range", "Paper"),
    "losses": ("Component", "Problem", "Batch", "HashOutput"),
    "datasets": ("Dataset", "Protocol", "Splits", "Table"),
    "metrics": ("Metric",),
    "evaluators": ("Retrieval",),
    "claims": ("Claim",),
    "commands": ("Command",),
    "paper_tables": ("PaperTable", "PaperRow"),
}
"""Nouns described under each hook, each once."""

HANDED: dict[str, tuple[type, ...]] = {
    "evaluators": (Codes,),
    "trainers": (GradientTrainer, TrainJob, TrainData, Checkpoints, Checkpoint),
    "engines": (Engine, Task, Outcome),
}
"""What a component of each kind is handed or builds upon, beside the nouns: its public attributes and methods."""
LIFE = {
    "losses": """### Life of a loss

A loss is a `torch.nn.Module`. Only `forward` is required; a hash layer may define the others as well.

| call | when | what for |
|---|---|---|
| `__init__(problem, **options)` | once; torch's generator is seeded | buffers, parameters, options |
| `prepare(data, seed)` | once before the first epoch, not after a resume; without gradient | what is computed from \
the train split (`TrainData`, below): similarity, targets, centers. Its state goes into buffers |
| `start_epoch(epoch, epochs)` | before each epoch, counted from 0 | schedules: the scale of a tanh, a growing weight |
| `forward(output, batch)` | each step | the terms `{name: scalar}`, already weighted; the trainer adds them up |
| `wants_outputs(epoch)` | after each epoch | where it returns False, the outputs are not computed for it and \
`end_epoch` is not called; without it they are after each epoch |
| `end_epoch(epoch, outputs)` | after each epoch; without gradient | alternating steps: `outputs` are those of the \
whole train split in its order, so that row i belongs to `batch.index` i |

`output` and `outputs` are a `HashOutput` for a method of one role, `{role: HashOutput}` for several; the roles are
`problem.modalities`. Labels of an unsupervised method are NaN. What has to survive an interruption is a buffer: a
resumed run loads it and does not call `prepare` again. A loss or hash layer that adds to gradients itself sets
`no_fp16`, the reason (a clause) why its loss cannot be scaled, and is refused under `--precision fp16`. Examples: [a
stateful loss](examples/stateful-loss/hashzoo_running_centers.py), [two
stages](examples/two-stage/hashzoo_two_stage.py).
""",
    "fitters": """### What a fitter is handed

`fit(features, labels, seed)`: `features` maps each role to the features (n, D) of the train split, float32 in main
memory; `labels` (n, C) are multi-hot floats, None for an unsupervised method. It returns `{role: {buffer: tensor}}`:
the whole state of each role's hash layer, which is loaded strictly, by names and shapes. The hash layer `projection`
has `mean` (D,), `weight` (D, K) and `bias` (K,). Draws come from generators made from `seed`, features and labels stay
as they are; the pieces in `hashzoo.fitting` work in float64 and fix the signs of eigenvectors.
""",
    "datasets": """### What a loader raises

`load(protocol, root, **options)` returns `Splits`. Raise `hashzoo.UsageError` (exit code 2) for what the user can put
right in the command, an option or a path, and `hashzoo.WorkError` (exit code 1) for files that are missing, damaged or
of another release: one sentence each, what is wrong, what was expected, what to do. Files named in `Dataset.files` are
looked for before. Anything else that is raised is shown as a defect of the plugin, with its name and version. A split
whose query items are also in train or database is refused, unless the protocol says `queries_in_database`.
""",
}
"""What cannot be read off the code, under its hook."""

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


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


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
        f"Listed by `hashzoo list {kind}`; {_article(described.singular)} {described.singular}'s name is its "
        f"`{described.key}`.",
        "",
    ]
    for noun in PARTS.get(kind, ()):
        text += [_noun(noun), ""]
    for handed in HANDED.get(kind, ()):
        text += [_handed(handed), ""]
    if kind in LIFE:
        text += [LIFE[kind]]
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


def _handed(what: type) -> str:
    """Return the attributes and methods that a class shows, each with the first line of its documentation."""
    lines = [f"### {what.__name__}", "", inspect.getdoc(what) or "", ""]
    fields = (
        {field.name: str(field.type) for field in dataclasses.fields(what)} if dataclasses.is_dataclass(what) else {}
    )
    lines += [f"- `{name}: {kind}`" for name, kind in fields.items()]
    for name, value in vars(what).items():
        shown = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and name not in fields:
            lines += _member(name, shown)
    return "\n".join(lines)


def _member(name: str, value: property | Callable[..., Any] | object) -> list[str]:
    """Return the line of a method or property; nothing for other attributes."""
    says = (inspect.getdoc(value) or "").partition("\n")[0]
    if isinstance(value, property):
        return [f"- `{name}`: {says}"]
    if not inspect.isfunction(value):
        return []
    signature = inspect.signature(value)
    kept = [
        p.replace(annotation=inspect.Parameter.empty)
        for n, p in signature.parameters.items()
        if n not in ("self", "cls")
    ]
    shown = inspect.Signature(kept)
    return [f"- `{name}{shown}`: {says}"]


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
