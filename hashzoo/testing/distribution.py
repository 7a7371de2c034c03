"""Write a small distribution into a folder as an installer leaves it: real metadata, no wheel."""

from __future__ import annotations

import base64
import hashlib
import importlib
import textwrap
from collections.abc import Mapping
from pathlib import Path


def write_distribution(
    site: Path,
    name: str,
    source: str,
    version: str = "1.0",
    point: str = "",
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Put module and metadata of distribution `name` under `site` and return the module's path.

    The module is called as the distribution, with underscores; `source` is dedented. The entry point in the
    group `hashzoo` is the distribution's name without "hashzoo-" unless `point` gives another, written
    "name = module:attribute". `extra` maps further module names to their sources. Put `site` on `sys.path` (or
    PYTHONPATH) and `importlib.metadata` finds the distribution like any other.
    """
    module = name.replace("-", "_")
    point = point or f"{name.removeprefix('hashzoo-')} = {module}"
    site.mkdir(parents=True, exist_ok=True)
    modules = {module: source, **(extra or {})}
    code = [site / f"{each}.py" for each in modules]
    for path, text in zip(code, modules.values(), strict=True):
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    files = {
        info / "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        info / "entry_points.txt": f"[hashzoo]\n{point}\n",
        info / "top_level.txt": "\n".join([*modules, ""]),
        info / "INSTALLER": "hashzoo.testing\n",
    }
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    lines = [_record_line(path, site) for path in [*code, *files]]
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,", ""]), encoding="utf-8")
    importlib.invalidate_caches()  # a folder seen before it existed is remembered as empty
    return code[0]


def _record_line(path: Path, site: Path) -> str:
    content = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path.relative_to(site).as_posix()},sha256={digest},{len(content)}"
