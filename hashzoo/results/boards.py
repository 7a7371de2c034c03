"""The committed leaderboards: accepted records, the published values beside them, and the boards made from both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path

from hashzoo.errors import UsageError, WorkError
from hashzoo.files import json_sha256, read_text, write_text
from hashzoo.results.collect import Found, collect, describe, identity
from hashzoo.results.measure import Cells, Selection, by_setting, measure
from hashzoo.results.published import comparison_board, used_tables
from hashzoo.results.record import Record, read_record, write_record
from hashzoo.results.render import long_frame, markdown_board
from hashzoo.results.table import board, part
from hashzoo.specs import Paper, PaperRow, PaperTable

BOARD_METRICS = ("map", "map@1000", "map@5000", "map@h2", "precision@h2", "recall@h2")
"""Metrics that have boards of their own, in both directions where there are two; those nobody measured have none."""

PUBLISHED = "published.json"
"""The published values that stand beside a measured one, so that boards follow from this folder alone."""

INDEX = "index.md"
CURVE_DIGITS = 4
CURVE_POINTS = 200
"""Curves of accepted records are rounded to these digits; a longer one stays in the run directory only."""

_MADE = "<!-- Made by hashzoo from the records; do not edit. -->"
_REWRITE = "run hashzoo leaderboard --write and commit what it changes"


def accept(paths: Iterable[Path], records_dir: Path, replace_old: bool = False) -> list[Path]:
    """Copy the records found in files and run directories into `records_dir`, curves shortened; return their paths.

    A copy keeps the run's `record_sha256` as `origin_sha256`; accepting it again changes nothing. Where another run
    of the same configuration, bits and seed is there already, WorkError names it unless `replace_old`.
    """
    found = collect(paths)
    if not found:
        raise UsageError("There is no record in the given paths; give run directories or record.json files.")
    places = [(item, _place(item.record, records_dir)) for item in found]
    if not replace_old:
        for item, place in places:
            _refuse_other(item, place)
    return [_copy(item.record, place) for item, place in places]


def write_boards(records_dir: Path, out_dir: Path, tables: Sequence[PaperTable] = ()) -> list[Path]:
    """Make every board of the records in `records_dir` and write them to `out_dir`; return the paths.

    `tables` are the published tables of the installed plugins; those of absent ones stay as they were written
    before. Boards of which no record is left are removed.
    """
    stored = {table.id: table for table in published_tables(out_dir)}
    files = _board_files(records_dir, list({**stored, **{table.id: table for table in tables}}.values()))
    for name, text in files.items():
        write_text(out_dir / name, text)
    for path in _stale(out_dir, files):
        path.unlink()
    return [out_dir / name for name in files]


def check_boards(records_dir: Path, out_dir: Path) -> int:
    """Return the number of files in `out_dir` made from the records; WorkError names those that do not follow."""
    files = _board_files(records_dir, published_tables(out_dir))
    faults = [fault for name, text in files.items() if (fault := _difference(out_dir / name, text))]
    faults += [f"{path} has no record behind it" for path in _stale(out_dir, files)]
    if faults:
        raise WorkError(
            "The committed boards do not follow from their records: " + "; ".join(faults) + f"; {_REWRITE}."
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


def _place(record: Record, records_dir: Path) -> Path:
    """Return a record's path; another configuration than the one already there has its own folder."""
    folder = records_dir / _slug(record.protocol) / _slug(record.method)
    setting = _slug(f"{record.backbone_name}-{record.regime}")
    name = f"bits-{record.bits:03d}-seed-{record.seed}.json"
    ours = _configuration(record)
    for path in sorted(folder.glob(f"{setting}*/bits-*-seed-*.json")):
        if path.parent.name in (setting, f"{setting}-{ours}") and _configuration(read_record(path)) == ours:
            return path.parent / name
    taken = any((folder / setting).glob("bits-*-seed-*.json"))
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


def _copy(record: Record, place: Path) -> Path:
    if not place.exists() or read_record(place).origin_sha256 != (record.origin_sha256 or record.record_sha256):
        write_record(place, slim(record))
    return place


def _slug(text: str) -> str:
    """Return a name as a file name: what is not a letter, digit or one of `._@+-` becomes '-'."""
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", text).strip("-")


def _board_files(records_dir: Path, tables: Sequence[PaperTable]) -> dict[str, str]:
    """Return {file name: text} of everything that is made from the records."""
    records = [item.record for item in collect([records_dir])]
    files: dict[str, str] = {}
    used: dict[str, list[PaperTable]] = {}
    lines = []
    for protocol in sorted({record.protocol for record in records}):
        chosen = [record for record in records if record.protocol == protocol]
        if not any(_has_board(name) for record in chosen for name in record.metrics):
            continue
        cells = measure(chosen, Selection(metrics=BOARD_METRICS))
        for (backbone, regime), setting in by_setting(cells).items():
            for label, metric in dict.fromkeys((c.protocol, c.metric) for c in setting.columns()):
                shown = part(setting, label, metric)
                stem = _slug(f"{label}_{backbone}-{regime}_{metric}")
                command = (
                    f"hashzoo leaderboard leaderboards/records --protocol {protocol} --metric {metric} "
                    f"--backbone {backbone} --regime {regime} --format markdown"
                )
                files[f"{stem}.md"], files[f"{stem}.csv"] = _board_texts(shown, tables, command)
                lines.append(f"| {label} | {backbone} | {regime} | {metric} | [board]({stem}.md) | [CSV]({stem}.csv) |")
                for table in used_tables(shown, tables):
                    used.setdefault(table.id, []).append(table)
    files[INDEX] = _index(lines)
    files[PUBLISHED] = _published_text([_union(tables, parts) for _, parts in sorted(used.items())])
    return files


def _has_board(metric: str) -> bool:
    return metric in BOARD_METRICS or metric.rsplit("/", 1)[-1] in BOARD_METRICS


def _board_texts(cells: Cells, tables: Sequence[PaperTable], command: str) -> tuple[str, str]:
    wide, beside = board(cells), comparison_board(cells, tables)
    parts = [markdown_board(replace(wide, command=command), "#")]
    if any(str(name).startswith("reported") and beside.frame[name].notna().any() for name in beside.frame):
        parts.append(markdown_board(replace(beside, command=f"{command} --compare")))
    return f"{_MADE}\n\n" + "\n".join(parts), long_frame([beside]).to_csv(index=False, lineterminator="\n")


def _index(lines: Sequence[str]) -> str:
    head = ["| protocol | backbone | regime | metric | | |", "| :-- | :-- | :-- | :-- | :-- | :-- |"]
    return "\n".join([_MADE, "", "# Boards", "", *head, *lines]) + "\n"


def _union(tables: Sequence[PaperTable], parts: Sequence[PaperTable]) -> PaperTable:
    whole = next(table for table in tables if table.id == parts[0].id)
    kept = {id(row) for part_ in parts for row in part_.rows}
    return replace(whole, rows=tuple(row for row in whole.rows if id(row) in kept))


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
    except (ValueError, TypeError, KeyError) as error:
        raise WorkError(f"{path} is damaged ({error}); restore it, or delete it and {_REWRITE}.") from error


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
    """Return boards (and their CSV) that earlier calls made and that follow from no record any more."""
    known = set(files)
    made = [
        path for path in sorted(out_dir.glob("*.md")) if path.name not in known and read_text(path).startswith(_MADE)
    ]
    orphans = [path for path in sorted(out_dir.glob("*.csv")) if path.name not in known]
    return [*made, *orphans]
