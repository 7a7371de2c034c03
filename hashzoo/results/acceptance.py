"""What a run must bring to stand on the committed boards, its evidence, and the bundle of what is not committed."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hashzoo
from hashzoo.errors import UsageError, WorkError
from hashzoo.evaluation.codes import Codes, codes_sha256, load_codes
from hashzoo.files import file_sha256, json_sha256, write_text
from hashzoo.plugins import is_editable, registry
from hashzoo.plugins.sources import canonical, plugin_folders
from hashzoo.results.collect import Found, collect
from hashzoo.results.evidence import (
    CODES_BITS,
    FOLDER,
    RECORDS,
    bare,
    checksums,
    codes_file,
    contradictions,
    place_of,
    read_codes,
    read_values,
    values_by_query,
    values_file,
    write_codes,
    write_values,
    wrong_means,
)
from hashzoo.results.record import PluginInfo, Record, read_record
from hashzoo.results.settings import method_config
from hashzoo.results.text import plain

SEEDS = 3
"""Seeds that a row should have; one with fewer says so."""

CODES = "codes.npz"
"""The codes beside a run's record."""

MANIFEST = "bundle.json"

REPOSITORY = Path(hashzoo.__file__).resolve().parents[1]
"""The clone that the running core is from, or the folder it is installed in."""

_PLACE = re.compile(r"bits-(?P<bits>\d+)-seed-(?P<seed>\d+)")
_EXACT = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""A distribution's name (PEP 508); it stands in the commands that install it."""
_VERSION = re.compile(r"[A-Za-z0-9.!+_-]+")


def own_plugins() -> set[str]:
    """Return the distributions of the repository that the running core is from, wherever results are written to.

    They are the core and those in plugins/, but none that is used here from a working copy elsewhere.
    """
    folder = REPOSITORY / "plugins"
    names = {canonical(file.parent.name) for file in folder.glob("*/pyproject.toml")}
    elsewhere = {
        name
        for plugin in registry().plugins
        if (name := canonical(plugin.distribution)) in names
        and is_editable(plugin.distribution)
        and not all(place.resolve().is_relative_to(folder) for place in plugin_folders(plugin))
    }
    return {"hashzoo", *(names - elsewhere)}


def refuse_unrepeatable(found: Iterable[Found], own: set[str]) -> None:
    """Raise UsageError for a record of a plugin that nobody else could install as it was run; `own` are trusted."""
    for item in found:
        for plugin in item.record.plugins.values():
            if fault := _unrepeatable(plugin, own):
                raise UsageError(f"{item.path} was made with {plain(plugin.distribution)} {fault}")


def _unrepeatable(plugin: PluginInfo, own: set[str]) -> str:
    if not _NAME.fullmatch(plugin.distribution):
        return (
            "as the name of its distribution, and a name is made of letters, digits, '.', '_' and '-'; name it so and "
            "run again."
        )
    if not _VERSION.fullmatch(plugin.version):
        return f"in version {plain(plugin.version)!r}, which is no version of a distribution; name one and run again."
    if canonical(plugin.distribution) in own:
        return ""
    if plugin.editable:
        return (
            f"{plain(plugin.version)} from a working copy (an editable install); install a released version of it and "
            "run again."
        )
    if not _EXACT.fullmatch(plugin.version):
        return (
            f"in version {plain(plugin.version)!r}, which is no release that anybody can install; release it, install "
            "that and run again."
        )
    return ""


def few_seeds(records: Sequence[Record]) -> list[str]:
    """Return a sentence for every row and bit length that has fewer than three seeds."""
    seeds: dict[tuple[str, str, str, str, int, str], set[int]] = defaultdict(set)
    for record in records:
        if not record.floor:
            setup = (record.backbone_name, record.regime, record.bits, json_sha256(method_config(record)))
            seeds[record.protocol, record.method, *setup].add(record.seed)
    said = (
        plain(
            f"{method} on {protocol} ({backbone}, {regime}) at {bits} bits has {len(of)} seed(s) and should have "
            f"{SEEDS}; its row says so."
        )
        for (protocol, method, backbone, regime, bits, _), of in sorted(seeds.items())
        if len(of) < SEEDS
    )
    return list(dict.fromkeys(said))


def codes_beside(item: Found) -> dict[str, Codes]:
    """Return the codes of a run's record, or those of a submission's; empty where there are none."""
    beside = item.path.parent / CODES
    if beside.is_file():
        codes = load_codes(beside)
        if codes_sha256(codes) != item.record.codes_sha256:
            raise WorkError(f"{beside} holds other codes than {item.path} was made from; run the cell again.")
        return codes
    source = _submitted(item)
    return (
        read_codes(item.record, source / FOLDER, place_of(item.record, source / RECORDS, source / FOLDER))
        if source
        else {}
    )


def _submitted(item: Found) -> Path | None:
    """Return the folder with records/ and evidence/ that a record lies in, if it is such a one."""
    parents = item.path.resolve().parents
    return next((p.parent for p in parents if p.name == RECORDS and (p.parent / FOLDER).is_dir()), None)


def refuse_contradicted(found: Iterable[Found]) -> None:
    """Raise WorkError for a record whose figures do not follow from the codes or values by query that come with it."""
    for item in found:
        codes = codes_beside(item)
        faults = contradictions(item.record, codes) if codes else []
        if faults := faults or wrong_means(item.record, _submitted_values(item)):
            raise WorkError(
                f"{item.path} contradicts the evidence that comes with it ({'; '.join(faults)}); evaluate the run "
                "again, or leave it out."
            )


def _submitted_values(item: Found) -> Mapping[str, NDArray[np.float32]]:
    """Return the values by query of a submission; empty for a run, whose codes give them."""
    source = _submitted(item)
    if not item.record.evidence or source is None:
        return {}
    return read_values(item.record, place_of(item.record, source / RECORDS, source / FOLDER))


def take_evidence(item: Found, slim: Record, place: Path, records_dir: Path) -> Record:
    """Write the evidence of a record that is accepted at `place` and return the record that names it.

    Nothing is written of a record without codes or evidence beside it; that of a record that stood there before goes.
    """
    evidence_dir = records_dir.parent / FOLDER
    there = evidence_dir / place.relative_to(records_dir).with_suffix("")
    codes, values = codes_beside(item), _submitted_values(item)
    if codes and not (item.record.evidence and _submitted(item)):
        values = values_by_query(item.record, codes)
        slim = slim.model_copy(update={"evidence": checksums(item.record, codes, values)})
    if values:
        write_values(there, values)
    else:
        values_file(there).unlink(missing_ok=True)
    if codes and item.record.bits:
        write_codes(evidence_dir, there, bare(codes))  # on the boards, those beyond one a method are taken away again
    else:
        codes_file(there).unlink(missing_ok=True)
    return slim


def thin_codes(records_dir: Path) -> list[Path]:
    """Remove committed codes but one a method, set-up and protocol: its first seed at one bit length; return the rest.

    Evidence of records that are gone is removed as well.
    """
    evidence_dir = records_dir.parent / FOLDER
    rows: dict[Path, list[tuple[int, int, Path]]] = defaultdict(list)
    for path in evidence_dir.rglob("*.codes.npz"):
        place = path.with_name(path.name.removesuffix(".codes.npz"))
        named = _PLACE.fullmatch(place.name)
        if named and _record_file(place, evidence_dir, records_dir).is_file():
            rows[place.parent].append((int(named["bits"]), int(named["seed"]), place))
    kept: set[Path] = set()
    for row in rows.values():
        lengths = sorted({bits for bits, _, _ in row})
        chosen = CODES_BITS if CODES_BITS in lengths else lengths[len(lengths) // 2]
        kept.add(min((seed, place) for bits, seed, place in row if bits == chosen)[1])
    behind = (read_record(_record_file(place, evidence_dir, records_dir)) for place in kept)
    items = {record.evidence.get("items", "")[:16] for record in behind}
    for path in sorted(evidence_dir.rglob("*.npz")):
        stem, _, kind = path.stem.rpartition(".")
        if kind in ("values", "codes") and _PLACE.fullmatch(stem):
            place = path.with_name(stem)
            there = _record_file(place, evidence_dir, records_dir).is_file()
            gone = not there or (kind == "codes" and place not in kept)
        elif path.name.startswith("items-"):
            gone = path.stem.removeprefix("items-") not in items
        else:
            continue  # not ours
        if gone:
            path.unlink()
    return sorted(codes_file(place) for place in kept)


def _record_file(place: Path, evidence_dir: Path, records_dir: Path) -> Path:
    return records_dir / place.relative_to(evidence_dir).with_name(f"{place.name}.json")


def write_bundle(runs: Sequence[Path], records_dir: Path, out: Path) -> str:
    """Write the codes of all accepted records that the runs hold to a folder; say what it holds.

    The folder can be put on any file host or hub. It has the shape of evidence/, with `bundle.json`: for each file its
    sha256 and the record that names its codes.
    """
    accepted = {item.record.origin_sha256: item.record for item in collect([records_dir])}
    written: dict[str, dict[str, str]] = {}
    for item in collect(runs):
        record = accepted.get(item.record.record_sha256)
        if record is None or not record.bits or not (item.path.parent / CODES).is_file():
            continue
        codes = bare(codes_beside(item))
        if record.evidence.get("codes") != codes_sha256(codes):
            raise WorkError(f"{item.path.parent / CODES} holds other codes than {record.path} names; accept it again.")
        path = write_codes(out, place_of(record, records_dir, out), codes)
        written[path.relative_to(out).as_posix()] = {
            "file_sha256": file_sha256(path),
            "codes_sha256": record.evidence["codes"],
            "record_sha256": record.record_sha256,
        }
    if not written:
        raise UsageError(
            "None of the runs holds the codes of an accepted record; give the run directories they are from."
        )
    for path in sorted(out.rglob("items-*.npz")):
        written[path.relative_to(out).as_posix()] = {"file_sha256": file_sha256(path)}
    write_text(out / MANIFEST, json.dumps(written, indent=1, sort_keys=True) + "\n")
    coded = sum(record.bits > 0 for record in accepted.values())
    bundled = sum("record_sha256" in entry for entry in written.values())
    return f"Wrote the codes of {bundled} of {coded} accepted records to {out}."


SUBMISSION = """# Results for the boards

{rows}

Made with: {versions}.

To take them in (docs: CONTRIBUTING.md, "Results from others"):

    hashzoo verify --codes {folder}/records/<one of them>
    hashzoo leaderboard --accept {folder}/records          # refuses a record that contradicts its codes
    hashzoo verify leaderboards/records/<one of them>      # trains again, in a place without secrets
"""


def describe_submission(out: Path, records: Sequence[Record]) -> str:
    """Write what a submission holds into its README.md, beside records/ and evidence/; return what to do next."""
    rows = sorted({plain(f"- {r.method} on {r.protocol}, {r.bits} bits") for r in records})
    plugins = {f"{p.distribution} {p.version}" for r in records for p in r.plugins.values()}
    versions = {f"{name} {version}" for r in records for name, version in r.versions.items()}
    text = SUBMISSION.format(
        rows="\n".join(rows), versions=plain(", ".join(sorted(plugins | versions))), folder=out.name
    )
    write_text(out / "README.md", text)
    coded = len(list((out / FOLDER).rglob("*.codes.npz")))
    return (
        f"Packed {len(records)} record(s) with their evidence, the codes of {coded}, into {out}; open a pull request "
        "with that folder."
    )
