"""`hashzoo show` in words: a paper, a recipe on one line, options with what they mean; all else as a short list."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TRAINED = {"gradient": "by gradient", "fit": "in closed form", "none": "nothing is trained"}
SEEN = {"hidden": "", "inputs": ", sees the database's inputs", "labels": ", sees the database's labels"}


def in_words(found: Mapping[str, Any], width: int = 80) -> str:
    """Return the text of a description made by `hashzoo.plugins.describe`."""
    lines = list(_method(found, width) if found["kind"] == "methods" else _anything(found, width))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _method(found: Mapping[str, Any], width: int) -> Iterator[str]:
    paper = found["paper"]
    yield from textwrap.wrap(
        f"{found['name']}: {found['summary']}" if found["summary"] else found["name"], max(width, 40)
    )
    yield ""
    yield from _wrapped("paper", f"{paper['authors']}: {paper['title']}. {paper['venue']} {paper['year']}", width)
    if paper.get("url"):
        yield _pair("", paper["url"])
    yield _pair("from", f"{found['distribution']} {found['version']}")
    yield _pair("trained", f"{TRAINED[found['training']]}, {found['supervision']}{SEEN[found['database']]}")
    yield _pair("takes", " and ".join(found["modalities"]))
    if found["ranking"] != "hamming":
        yield _pair("ranked by", found["ranking"].replace("_", " "))
    if found["backbones"]:
        yield _pair("backbone", ", ".join(f"{role}: {name}" for role, name in found["backbones"].items()))
    if found["recipe"]:
        yield from _wrapped("recipe", f"{recipe_text(found['recipe'])} (its paper's, or what stands for it)", width)
    for regime, setting in found["settings"].items():
        given = {f"{part}.{k}": v for part, options in setting["options"].items() for k, v in options.items()}
        words = [recipe_text(setting["recipe"])] if setting["recipe"] else []
        words += [", ".join(f"{k}={_plain(v)}" for k, v in given.items())] if given else []
        yield from _wrapped(f"  {regime}", "; ".join(words) + f" ({setting['source']})", width)
    own = {part: dict(options) for part, options in found["options"].items()}
    for part, docs in found["option_docs"].items():
        yield ""
        yield f"{part.replace('_', ' ')} {found[part]}" + ("" if docs else ", without options")
        yield from _options(docs, f"{part}.", own.get(part, {}), width)
    if found["training"] != "none" and not found["floor"]:
        yield ""
        yield from _space(found, width)
    if found.get("also"):
        yield ""
        yield from textwrap.wrap(f"The same name is known elsewhere: {', '.join(found['also'])}.", max(width, 40))


def _anything(found: Mapping[str, Any], width: int) -> Iterator[str]:
    docs = found.get("option_docs", [])
    left_out = {"options", "option_docs", "also", "kind", "build"}
    yield f"{found.get('name') or found.get('id')}: one of the {found['kind'].replace('_', ' ')}"
    yield ""
    for key, value in found.items():
        if key in left_out or value in (None, "", (), [], {}):
            continue
        yield from _wrapped(key.replace("_", " "), _plain(value), width)
    if docs:
        yield ""
        yield "options"
        yield from _options(docs, "", {}, width)
    if found.get("also"):
        yield ""
        yield from textwrap.wrap(f"The same name is known elsewhere: {', '.join(found['also'])}.", max(width, 40))


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return "60 epochs of batches of 128, sgd, lr 0.1 (cosine), weight decay 0.01, ..." on one line."""
    schedule = recipe["schedule"]
    steps = f" every {schedule['every']} {schedule['unit']}s times {schedule['gamma']:g}" if schedule["every"] else ""
    words = [
        f"{recipe['epochs']} epochs of batches of {recipe['batch_size']}",
        recipe["optimizer"],
        f"lr {recipe['lr']:g} ({schedule['name']}{steps})",
    ]
    usual = {
        "backbone_lr_scale": (1.0, "backbone lr x"), "weight_decay": (0.0, "weight decay"), "warmup": (0, "warm-up"),
        "clip": (0.0, "clip"), "bias_lr_scale": (1.0, "bias lr x"),
    }  # fmt: skip
    words += [f"{word} {recipe[key]:g}" for key, (plain, word) in usual.items() if recipe[key] != plain]
    words += [f"momentum {recipe['momentum']:g}"] if recipe["optimizer"] == "sgd" else []
    words += ["Nesterov"] if recipe["nesterov"] else []
    words += [] if recipe["bias_decay"] else ["no decay of biases"]
    return ", ".join(words)


def _options(docs: Sequence[Mapping[str, Any]], prefix: str, own: Mapping[str, Any], width: int) -> Iterator[str]:
    for doc in docs:
        value = own.get(doc["name"], doc["default"])
        given = "required" if doc["required"] and doc["name"] not in own else f"= {_plain(value)}"
        head = f"  {prefix}{doc['name']} {given}" + (f"  ({doc['type']})" if doc["type"] else "")
        yield head
        if doc["meaning"]:
            yield from textwrap.wrap(
                doc["meaning"], max(width, 40), initial_indent="      ", subsequent_indent="      "
            )


def _space(found: Mapping[str, Any], width: int) -> Iterator[str]:
    """Yield what tuning tries: learning rate and weight decay of every method that has them, then what it states."""
    space = {key.removeprefix("recipe."): span for key, span in found["space"].items()}
    usual = [key for key in ("lr", "weight_decay") if key not in space] if found["training"] == "gradient" else []
    words = [" and ".join(usual), "what follows" if space else ""]
    said = f"searched by hashzoo tune: {', and '.join(word for word in words if word) or 'nothing'}"
    yield from textwrap.wrap(said, max(width, 40), subsequent_indent=" " * 6)
    for name, span in space.items():
        if span["choices"]:
            values = f"one of {', '.join(_plain(choice) for choice in span['choices'])}"
        else:
            values = f"{span['low']:g} to {span['high']:g}" + (", evenly in the logarithm" if span["log"] else "")
        for text, margin in ((f"{name}  {values}", " " * 2), (span["source"], " " * 6)):
            yield from textwrap.wrap(text, max(width, 40), initial_indent=margin, subsequent_indent=" " * 6)


def _wrapped(name: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, max(width, 40), initial_indent=f"{name:<11} ", subsequent_indent=" " * 12, break_long_words=False,
        break_on_hyphens=False,
    ) or [_pair(name, "")]  # fmt: skip


def _pair(name: str, text: str) -> str:
    return f"{name:<11} {text}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items() if part not in (None, "", (), [], {}))
    if isinstance(value, (list, tuple)):
        return ", ".join(f"({_plain(part)})" if isinstance(part, (list, tuple)) else _plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
