"""What `hashzoo leaderboard` and `hashzoo.leaderboard` do: find records and published tables, give frame or text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from hashzoo.errors import UsageError, unknown_name
from hashzoo.plugins import registry
from hashzoo.results.acceptance import codes_beside, describe_submission, few_seeds, write_bundle
from hashzoo.results.bibtex import bibtex
from hashzoo.results.boards import REGISTERED, accept, check_boards, published_tables, write_boards
from hashzoo.results.claims import Judged, as_json, claims_text, judge, markdown
from hashzoo.results.collect import collect
from hashzoo.results.evidence import RECORDS, Evidence, values_by_query
from hashzoo.results.known import installed, read_known
from hashzoo.results.layout import paper_boards, published_board
from hashzoo.results.measure import Selection
from hashzoo.results.published import comparison, comparison_boards
from hashzoo.results.record import Record
from hashzoo.results.render import WIDTH, render
from hashzoo.results.settings import setup_of
from hashzoo.results.standings import tied_boards
from hashzoo.results.table import Board, leaderboard
from hashzoo.results.text import plain
from hashzoo.specs import PaperTable

RUNS = Path("runs")
BOARDS = Path("leaderboards")


def known_tables(board_dir: Path = BOARDS) -> list[PaperTable]:
    """Return the published tables of the installed plugins, and what the board folder keeps of absent ones."""
    tables = [registry().get("paper_tables", name) for name in registry().names("paper_tables")]
    ids = {table.id for table in tables}
    return [*tables, *(table for table in published_tables(board_dir) if table.id not in ids)]


def load(paths: Sequence[Path], board_dir: Path = BOARDS) -> list[Record]:
    """Return the records under `paths`; with none named under `runs`, or else those of the board folder."""
    chosen = _paths(paths, board_dir)
    if not paths and not chosen[0].is_dir():
        return []
    return [item.record for item in collect(chosen)]


def _paths(named: Sequence[Path], board_dir: Path) -> list[Path]:
    accepted = board_dir / RECORDS
    return list(named) or ([RUNS] if RUNS.is_dir() or not accepted.is_dir() else [accepted])


def frame(
    records: Sequence[Record], selection: Selection, *, compare: bool = False, paper_table: str | None = None
) -> pd.DataFrame:
    """Return the leaderboard of records as one frame, plain, compared with published values, or laid out as a table.

    A published table measured with several backbones or regimes has the setting as its first row level.
    """
    known = installed(records).over(read_known(BOARDS / REGISTERED))
    if paper_table is not None:
        made = paper_boards(records, _paper_table(paper_table, BOARDS), selection, known)
        frames = {f"{board.backbone}, {board.regime}": board.frame for board in made}
        return made[0].frame if len(made) == 1 else pd.concat(frames, names=["setting"])
    if compare:
        return comparison(records, known_tables(), selection, known)
    return leaderboard(records, selection, known)


def board_list(
    records: Sequence[Record],
    selection: Selection,
    *,
    compare: bool = False,
    paper_table: str | None = None,
    board_dir: Path = BOARDS,
    evidence: Evidence | None = None,
) -> list[Board]:
    """Return the same as boards, one per protocol, metric, backbone and regime, for printing.

    Marked are the rows tied with the best, where `evidence` (by default that of `board_dir`) holds values by query.
    """
    known = installed(records).over(read_known(board_dir / REGISTERED))
    if paper_table is not None:
        return paper_boards(records, _paper_table(paper_table, board_dir), selection, known)
    if compare:
        return comparison_boards(records, known_tables(board_dir), selection, known)
    made = tied_boards(records, selection, known, evidence or Evidence(board_dir))
    return [_naming_absent_floors(board, records) for board in made]


def _paper_table(name: str, board_dir: Path) -> PaperTable:
    tables = {table.id: table for table in known_tables(board_dir)}
    if name not in tables:
        raise unknown_name("paper table", name, tables)
    return tables[name]


def _naming_absent_floors(board: Board, records: Sequence[Record]) -> Board:
    """Return the board with a note on the floors that could stand on it and that nobody measured."""
    metric = str(board.cells["metric"].iloc[0])
    modalities, by_codes = 2 if "/" in metric else 1, "@h" in metric
    methods = {name: registry().get("methods", name) for name in registry().names("methods")}
    floors = [name for name, method in methods.items() if method.floor and len(method.modalities) == modalities]
    measured = set(board.cells["method"])
    absent = [name for name in floors if name not in measured and (methods[name].coded or not by_codes)]
    if not absent:
        return board
    place = (board.cells["protocol_id"].iloc[0], board.backbone)
    record = next(r for r in records if (plain(r.protocol), plain(r.backbone_name)) == place)
    command = plain(shlex.join(["hashzoo", "run", "--method", absent[0], *_where(record)]))
    note = f"Floors not measured here: {', '.join(absent)}; {command} measures one."
    return replace(board, notes=(*board.notes, note))


def _where(record: Record) -> list[str]:
    """Return the options of `hashzoo run` for the data and the backbones of a record."""
    config = record.config
    several = len(config.backbones) > 1
    options = ["-p", config.protocol, *(["--validation", str(config.validation)] if config.validation else [])]
    for modality, part in config.backbones.items():
        options += ["-b", f"{modality}={part.name}" if several else part.name]
    settings = {f"data.{name}": value for name, value in config.dataset.options.items()}
    settings |= {name: value for name, value in setup_of(record).items() if name.startswith("backbone.")}
    for name, value in settings.items():
        options += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return options


def show(
    runs: Sequence[Path],
    *,
    protocol: str | None = None,
    metric: str | None = None,
    backbone: str | None = None,
    regime: str | None = None,
    compare: bool = False,
    paper_table: str | None = None,
    fmt: str = "table",
    boards: Path = BOARDS,
    width: int = WIDTH,
) -> str:
    """Return the leaderboard as text in one of the formats; `width` is that of a table."""
    if compare and paper_table is not None:
        raise UsageError("--table already sets published beside measured values; leave out --compare, or --table.")
    if metric is not None and paper_table is not None:
        raise UsageError("--table shows the metrics of the published table; leave out --metric, or --table.")
    selection = Selection(protocol, (metric,) if metric else None, backbone=backbone, regime=regime)
    records = load(runs, boards)
    evidence = Evidence(_board_folder(runs, boards))
    made = board_list(records, selection, compare=compare, paper_table=paper_table, board_dir=boards, evidence=evidence)
    return render(made, fmt, width)


def show_table(name: str, width: int = WIDTH) -> str:
    """Return a published table as text, laid out as in its paper."""
    return render([published_board(_paper_table(name, BOARDS))], width=width)


def accept_runs(runs: Sequence[Path], boards: Path, replace_old: bool = False, other_parts: bool = False) -> str:
    """Copy the records of runs into the board folder, rewrite its boards, and say what was done."""
    found = collect(list(runs) or [RUNS])
    known = installed([item.record for item in found]).over(read_known(boards / REGISTERED))
    accepted = accept(found, boards / RECORDS, replace_old, known=known, other_parts=other_parts)
    records = load([boards / RECORDS])
    return "\n".join([*few_seeds(records), f"Accepted {len(accepted)} record(s). {_written(records, boards)}"])


def submit_runs(runs: Sequence[Path], out: Path, other_parts: bool = False) -> str:
    """Pack the records of runs with their evidence and versions into a folder for a pull request."""
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds something already; give a new folder.")
    found = collect(runs)
    known = installed([item.record for item in found])
    accept(found, out / RECORDS, known=known, other_parts=other_parts, all_codes=True)
    records = load([out / RECORDS])
    return "\n".join([*few_seeds(records), describe_submission(out, records)])


def bundle(runs: Sequence[Path], boards: Path, out: Path) -> str:
    """Write the codes of the accepted records among the runs to a folder and say what it holds."""
    return write_bundle(list(runs) or [RUNS], boards / RECORDS, out)


def show_bibtex(runs: Sequence[Path], boards: Path, protocol: str | None = None) -> str:
    """Return the BibTeX entries of the methods that the records (of one protocol) measured, each paper once."""
    records = [record for record in load(runs, boards) if protocol in (None, record.protocol)]
    names = sorted({record.method for record in records} & set(registry().names("methods")))
    methods = [registry().get("methods", name) for name in names]
    papers = {m.paper.key: m.paper for m in methods if m.paper.venue or not m.floor}
    if not papers:
        raise UsageError("None of the records is of an installed method with a paper; name folders that hold records.")
    return "\n".join(bibtex(papers[key]) for key in sorted(papers))


def judged_claims(
    runs: Sequence[Path], boards: Path | None = None, *, method: str | None = None, protocol: str | None = None
) -> list[Judged]:
    """Return the claims of the installed methods (those about `method`) with what the records say of each.

    `boards` None is the board folder in whose `records` the first of `runs` lies, else `leaderboards`.
    """
    boards = boards or _board_folder(runs)
    found = registry()
    if method is not None:
        found.get("methods", method)
    claims = [found.get("claims", name) for name in found.names("claims")]
    about = [claim for claim in claims if method in (None, claim.better, claim.worse)]
    items = collect(_paths(runs, boards))
    if protocol is not None and protocol not in {item.record.protocol for item in items}:
        protocol = found.protocol(protocol)[1].id
    items = [item for item in items if protocol in (None, item.record.protocol)]
    evidence, places = Evidence(boards), {item.record.record_sha256: item for item in items}

    @cache
    def values(sha: str) -> Mapping[str, NDArray[Any]]:
        kept = evidence.of(places[sha].record).values
        if kept:
            return kept
        codes = codes_beside(places[sha])
        return values_by_query(places[sha].record, codes) if codes else {}

    records = [item.record for item in items]
    known = installed(records).over(read_known(boards / REGISTERED))
    return judge(about, records, lambda record: values(record.record_sha256), known)


def _board_folder(runs: Sequence[Path], otherwise: Path = BOARDS) -> Path:
    """Return the folder that holds the `records` in which the first run lies, and `otherwise` where none does."""
    first = [path.resolve() for path in runs[:1]]
    return next((up.parent for path in first for up in (path, *path.parents) if up.name == RECORDS), otherwise)


def show_claims(
    runs: Sequence[Path],
    boards: Path | None = None,
    *,
    method: str | None = None,
    protocol: str | None = None,
    findings: bool = False,
    fmt: str = "table",
) -> str:
    """Return the claims with their verdicts as text in one of the formats."""
    judged = judged_claims(runs, boards, method=method, protocol=protocol)
    if fmt == "json":
        return json.dumps(as_json(judged), indent=1, ensure_ascii=False) + "\n"
    if fmt == "markdown":
        narrowed = [f"--method {method}"] * bool(method) + [f"--protocol {protocol}"] * bool(protocol)
        return markdown(judged, " ".join(["hashzoo claims", *map(str, runs), *narrowed, "--format markdown"]))
    return claims_text(judged, findings)


def write(boards: Path) -> str:
    """Rewrite the boards of the folder's records and say what was done."""
    return _written(load([boards / RECORDS]), boards)


def _written(records: Sequence[Record], boards: Path) -> str:
    written = write_boards(records, boards, known_tables(boards), installed(records))
    return f"Wrote {len(written)} file(s) in {boards}."


def check(boards: Path) -> str:
    """Check that the boards follow from the folder's records and say so; WorkError where one does not."""
    return f"{check_boards(boards / RECORDS, boards)} file(s) in {boards} follow from their records."
