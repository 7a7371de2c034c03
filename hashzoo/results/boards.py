"""The committed leaderboards: accepted records, the published values beside them, and the boards made from both."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import json_sha256, read_text, write_text
from hashzoo.results.acceptance import own_plugins, refuse_contradicted, refuse_unrepeatable, take_evidence, thin_codes
from hashzoo.results.collect import Found, collect, describe, identity
from hashzoo.results.evidence import BY_QUERY, Evidence, level_note
from hashzoo.results.known import Known, read_known
from hashzoo.results.measure import Selection, measure, select, tidy
from hashzoo.results.published import Published, comparison_board, used_tables
from hashzoo.results.record import Record, read_record, write_record
from hashzoo.results.render import csv_text, escaped, markdown_board
from hashzoo.results.settings import changed_parts
from hashzoo.results.standings import records_behind, standings, with_tied
from hashzoo.results.table import Board, board, by_setting
from hashzoo.results.text import plain
from hashzoo.specs import Paper, PaperRow, PaperTable

BOARD_METRICS = BY_QUERY
"""Metrics that have boards of their own, in both directions where there are two; those nobody measured have none.

They are those whose values by query are kept, so that every board can say which rows are tied with its best."""

PUBLISHED = "published.json"
"""The published values that stand beside a measured one, so that boards follow from this folder alone."""

REGISTERED = "registered.json"
"""What the plugins said of methods and metrics when the boards were written."""

INDEX = "index.md"
LONGEST = 180
"""Characters of a file's name; most file systems take 255 bytes."""

CURVE_DIGITS = 4
CURVE_POINTS = 200
"""Curves of accepted records are rounded to these digits; a longer one stays in the run directory only."""

_MADE = "<!-- Made by hashzoo from the records; do not edit. -->"


def accept(
    found: Sequence[Found],
    records_dir: Path,
    replace_old: bool = False,
    *,
    known: Known | None = None,
    other_parts: bool = False,
    all_codes: bool = False,
) -> list[Path]:
    """Copy records found in files and run directories into `records_dir`, curves shortened; return their paths.

    A copy keeps the run's `record_sha256` as `origin_sha256`; accepting it again changes nothing. Where another run
    of the same configuration, bits and seed is there already, WorkError names it unless `replace_old`. A run with
    another loss, hash layer, trainer or fitter than its method's is refused unless `other_parts`, and then is a row of
    its own; so is one of a foreign plugin that is no release, and nothing is taken where a record contradicts its
    evidence. That is made from the codes beside the records, which stay for one cell a method unless `all_codes`.
    """
    if not found:
        raise UsageError("There is no record in the given paths; give run directories or record.json files.")
    own = (known or Known()).own
    changed = {item.path: parts for item in found if (parts := changed_parts(item.record, own))}
    for path, parts in changed.items():
        if not other_parts:
            method = next(item.record.method for item in found if item.path == path)
            raise UsageError(
                f"{path} is {plain(f'{method} with {parts}')}, and that is not the method as its plugin sets it up; "
                "leave it out, or take it as a row of its own with --other-parts."
            )
    refuse_unrepeatable(found, own_plugins())
    places: list[tuple[Found, Path]] = []
    given: dict[Path, str] = {}
    for item in found:
        place = _place(item.record, records_dir, changed.get(item.path, ""), given)
        given.setdefault(place.parent, _configuration(item.record))
        places.append((item, place))
    if not replace_old:
        for item, place in places:
            _refuse_other(item, place)
    refuse_contradicted(item for item, place in places if _is_new(item, place))
    for item, place in places:
        _copy(item, place, records_dir)
    if not all_codes:
        thin_codes(records_dir)
    return [place for _, place in places]


def write_boards(
    records: Sequence[Record], out_dir: Path, tables: Sequence[PaperTable] = (), known: Known | None = None
) -> list[Path]:
    """Make every board of the accepted records and write them to `out_dir`; return the paths.

    `tables` are the published tables of the installed plugins and `known` is what these say of methods and metrics;
    what absent ones said stays as it was written before. Boards of which no record is left are removed.
    """
    stored = {table.id: table for table in published_tables(out_dir)}
    everything = {**stored, **{table.id: table for table in tables}}
    kept = (known or Known()).over(read_known(out_dir / REGISTERED)).of(records)
    files = _board_files(records, list(everything.values()), kept, Evidence(out_dir))
    for name, text in files.items():
        write_text(out_dir / name, text)
    for path in _stale(out_dir, files):
        path.unlink()
    return [out_dir / name for name in files]


def check_boards(records_dir: Path, out_dir: Path) -> int:
    """Return the number of files in `out_dir` made from the records; WorkError names those that do not follow.

    Where codes or values by query lie beside a record, its figures must follow from them.
    """
    records = [item.record for item in collect([records_dir])]
    evidence = Evidence(out_dir)
    faults = [fault for record in records for fault in evidence.of(record).faults]
    if faults:
        raise WorkError("Evidence contradicts the committed records: " + "; ".join(faults) + ".")
    files = _board_files(records, published_tables(out_dir), read_known(out_dir / REGISTERED), evidence)
    faults = [fault for name, text in files.items() if (fault := _difference(out_dir / name, text))]
    faults += [f"{path} has no record behind it" for path in _stale(out_dir, files)]
    if faults:
        where = "" if out_dir == Path("leaderboards") else f" --boards {out_dir}"
        raise WorkError(
            "The committed boards do not follow from their records: "
            + "; ".join(faults)
            + f"; run hashzoo leaderboard --write{where} and commit what it changes."
        )
    return len(files)


def slim(record: Record) -> Record:
    """Return a record as it is committed: curves rounded, long ones left out, its origin noted."""
    if record.origin_sha256:
        return record
    curves = {
        name: [_rounded(point) for point in points]
        for name, points in record.curves.items()
        if len(points) <= CURVE_POINTS
    }
    gone = sorted(set(record.curves) - set(curves))
    notes = [*record.notes, *([f"Curves kept in the run directory only: {', '.join(gone)}."] if gone else [])]
    return record.model_copy(update={"curves": curves, "notes": notes, "origin_sha256": record.record_sha256})


def _rounded(point: object) -> object:
    if isinstance(point, list):
        return [_rounded(value) for value in point]
    return round(point, CURVE_DIGITS) if isinstance(point, float) else point


def _place(record: Record, records_dir: Path, other_parts: str, given: Mapping[Path, str]) -> Path:
    """Return a record's path; another configuration than the one already there has its own folder.

    `given` are the folders that records of the same call go to, which are not there yet, with their configurations.
    """
    method = f"{record.method} with {other_parts}" if other_parts else record.method
    folder = records_dir / _slug(record.protocol) / _slug(method)
    if not folder.resolve().is_relative_to(records_dir.resolve()):
        raise WorkError(f"{folder} leads out of {records_dir}; take the link away.")
    setting = _slug(f"{record.backbone_name}-{record.regime}")
    name = f"bits-{record.bits:03d}-seed-{record.seed}.json"
    ours = _configuration(record)
    for path in sorted(folder.glob(f"{setting}*/bits-*-seed-*.json")):
        if path.parent.name in (setting, f"{setting}-{ours}") and _configuration(read_record(path)) == ours:
            return path.parent / name
    for own in (folder / setting, folder / f"{setting}-{ours}"):
        if given.get(own) == ours:
            return own / name
    taken = folder / setting in given or any((folder / setting).glob("bits-*-seed-*.json"))
    return folder / (f"{setting}-{ours}" if taken else setting) / name


def _configuration(record: Record) -> str:
    return json_sha256({k: v for k, v in identity(record).items() if k not in ("bits", "seed")})[:8]


def _refuse_other(item: Found, place: Path) -> None:
    own = {item.record.record_sha256, item.record.origin_sha256}
    if place.exists() and (read_record(place).origin_sha256 or "-") not in own:
        raise WorkError(
            f"{place} already holds {describe(item.record)} of another run than {item.path}; remove it or ask for "
            "replacement."
        )


def _is_new(item: Found, place: Path) -> bool:
    """Whether a record does not stand at its place yet, or stands there without evidence."""
    return not _stands(item, place) or not read_record(place).evidence


def _stands(item: Found, place: Path) -> bool:
    origin = item.record.origin_sha256 or item.record.record_sha256
    return place.exists() and read_record(place).origin_sha256 == origin


def _copy(item: Found, place: Path, records_dir: Path) -> None:
    if _is_new(item, place):
        new = take_evidence(item, slim(item.record), place, records_dir)
        if new.evidence or not _stands(item, place):
            write_record(place, new)


def _slug(text: str) -> str:
    """Return a name as a file name: what is not a letter, digit or one of `._@+-` becomes '-', dots in front go.

    >>> [_slug(name) for name in ("timm/resnet50", "..", "../../etc", "image-to-text/map")]
    ['timm-resnet50', 'x', 'etc', 'image-to-text-map']
    """
    name = re.sub(r"[^A-Za-z0-9._@+-]+", "-", text).strip("-").lstrip(".-") or "x"
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{json_sha256(text)[:8]}"


def _board_files(
    records: Sequence[Record], tables: Sequence[PaperTable], known: Known, evidence: Evidence
) -> dict[str, str]:
    """Return {file name: text} of everything that is made from the records and their evidence."""
    files: dict[str, str] = {}
    shown: list[Published] = []
    lines = []
    for protocol in sorted({record.protocol for record in records}):
        chosen = [record for record in records if record.protocol == protocol]
        if not any(_has_board(name) for record in chosen for name in record.metrics):
            continue
        selection = Selection(metrics=BOARD_METRICS)
        values = tidy(select(chosen, selection), known)
        for cells, backbone, regime in by_setting(measure(chosen, selection, known, values)):
            label, metric = cells[["protocol", "metric"]].iloc[0]
            stem = _slug(f"{label}_{backbone}-{regime}_{metric}")
            if f"{stem}.md" in files:
                stem += f"-{json_sha256([label, backbone, regime, metric])[:8]}"
            command = shlex.join([
                "hashzoo", "leaderboard", "leaderboards/records", "--protocol", protocol, "--metric", metric,
                "--backbone", backbone, "--regime", regime, "--format", "markdown",
            ])  # fmt: skip
            beside, used = comparison_board(cells, backbone, regime, tables)
            behind = records_behind(cells, values, chosen)
            compared = standings(cells, values, chosen, evidence)
            own = board(with_tied(cells, compared), backbone, regime)
            own = replace(own, notes=(*own.notes, *filter(None, [level_note(map(evidence.of, behind))])))
            files[f"{stem}.md"] = _page(own, beside if used else None, plain(command))
            files[f"{stem}.csv"] = csv_text([beside])
            names = " | ".join(map(escaped, (label, backbone, regime, metric)))
            lines.append(f"| {names} | [board]({stem}.md) | [CSV]({stem}.csv) |")
            shown += used
    files[INDEX] = _index(lines)
    files[PUBLISHED] = _published_text(used_tables(shown, sorted(tables, key=lambda table: table.id)))
    if known.own:
        files[REGISTERED] = known.text()
    return files


def _has_board(metric: str) -> bool:
    return metric.rpartition("/")[2] in BOARD_METRICS


def _page(own: Board, beside: Board | None, command: str) -> str:
    parts = [markdown_board(replace(own, command=command), "#")]
    if beside is not None:
        parts.append(markdown_board(replace(beside, command=f"{command} --compare")))
    return f"{_MADE}\n\n" + "\n".join(parts)


def _index(lines: Sequence[str]) -> str:
    head = ["| protocol | backbone | regime | metric | | |", "| :-- | :-- | :-- | :-- | :-- | :-- |"]
    return "\n".join([_MADE, "", "# Boards", "", *head, *lines]) + "\n"


def _published_text(tables: Sequence[PaperTable]) -> str:
    return json.dumps([asdict(table) for table in tables], indent=1, ensure_ascii=False) + "\n"


def published_tables(out_dir: Path) -> list[PaperTable]:
    """Return the published values kept in a board folder; none where there is no such file."""
    path = out_dir / PUBLISHED
    if not path.exists():
        return []
    try:
        return [
            PaperTable(
                **{**table, "paper": Paper(**table["paper"]), "rows": tuple(PaperRow(**r) for r in table["rows"])}
            )
            for table in json.loads(read_text(path))
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WorkError(
            f"{path} is damaged ({error}); restore it, or move it away and run hashzoo leaderboard --write with the "
            "plugins of its tables installed."
        ) from error


def _difference(path: Path, text: str) -> str:
    """Return how a committed file differs from what its records give, or ""."""
    if not path.exists():
        return f"{path} is missing"
    committed = read_text(path)
    if committed == text:
        return ""
    pairs = zip_longest(committed.splitlines(), text.splitlines(), fillvalue="")
    for number, (there, made) in enumerate(pairs, start=1):
        if there != made:
            return f"{path} line {number} is {there!r:.100} and its records give {made!r:.100}"
    return f"{path} differs in its line ends"


def _stale(out_dir: Path, files: Iterable[str]) -> list[Path]:
    """Return boards (and their CSV) that earlier calls made and that follow from no record any more.

    A CSV is ours where the index lists it or where it belongs to such a board; other files are nobody's business.
    """
    index = out_dir / INDEX
    listed = re.findall(r"\]\(([^()/]+\.csv)\)", read_text(index)) if index.is_file() else []
    made = [path for path in out_dir.glob("*.md") if path.is_file() and read_text(path).startswith(_MADE)]
    ours = {*made, *(path.with_suffix(".csv") for path in made), *(out_dir / name for name in listed)}
    known = {*files, PUBLISHED}
    return sorted(path for path in ours if path.name not in known and path.is_file())
