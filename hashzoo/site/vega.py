"""What a browser draws the charts of a page from: Vega as one script, and four specifications that all pages share.

The specifications are compiled from the same Altair charts as those of `hashzoo plot`; the data are in the stills.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hashzoo.site import charts
from hashzoo.site.charts import need

VEGA = {
    "6.2.0": (
        "vega-view@6.1.0", "vega-parser@7.1.0", "vega-dataflow@6.1.0", "vega-transforms@5.1.0",
        "vega-view-transforms@5.1.0", "vega-encode@5.1.0",
    ),
}  # fmt: skip
"""The parts of a release of Vega that our charts need: three quarters of it; no maps, forces, trees or word clouds."""


def script() -> str:
    """Return Vega as one script, `window.vega` with what draws a compiled specification.

    vl-convert keeps the parts of Vega under the addresses that its bundle imports. Where its release of Vega is not in
    `VEGA`, all of Vega does the same, and where it keeps that elsewhere, the whole bundle.
    """
    tool = need("vl_convert")
    release = tool.get_vega_version()
    whole = f'import {{View, parse}} from "{_address(f"vega@{release}")}";'
    for imports in [*([_parts(VEGA[release])] if release in VEGA else []), whole]:
        with suppress(ValueError):
            bundle: str = tool.javascript_bundle(f"{imports}\nwindow.vega = {{View, parse}};")
            return bundle.replace("</script", "<\\/script")
    return charts.script() + "window.vega=vegaEmbed.vega;\n"


def _address(package: str) -> str:
    return f"https://cdn.jsdelivr.net/npm/{package}/+esm"


def _parts(packages: tuple[str, ...]) -> str:
    view, parser, dataflow, *extensions = map(_address, packages)
    lines = [
        f'import {{View}} from "{view}";', f'import {{parse}} from "{parser}";',
        f'import {{transforms}} from "{dataflow}";',
    ]  # fmt: skip
    lines += [f'import * as part{n} from "{address}";' for n, address in enumerate(extensions)]
    return "\n".join([*lines, f"Object.assign(transforms, {', '.join(f'part{n}' for n in range(len(extensions)))});"])


def templates() -> str:
    """Return a script with the four specifications without data."""
    made = {name: _compiled(name) for name in ("line", "log", "bits", "distances")}
    return f"window.hashzooCharts={json.dumps(made, separators=(',', ':'), sort_keys=True)};\n"


def _compiled(name: str) -> dict[str, Any]:
    spec = charts.shared(name)
    made: dict[str, Any] = need("vl_convert").vegalite_to_vega(spec)
    made.pop("$schema", None)
    return made
