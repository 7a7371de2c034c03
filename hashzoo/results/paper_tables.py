"""Published tables: from a plugin's `papers.csv` to `PaperTable`s.

One line of the file is one published cell, with the columns of `COLUMNS`. `metric` and `task` are written
as in the papers ("mAP@H<=2", "I2T") or with our names; `protocol` is the paper's set-up in words, or our
protocol id.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from importlib.resources import files

from hashzoo.errors import UsageError
from hashzoo.specs import Paper, PaperRow, PaperTable

COLUMNS = (
    "paper", "table", "dataset", "protocol", "metric", "task", "method", "backbone", "bits", "value",
    "source", "confidence",
)  # fmt: skip

PROTOCOLS: Mapping[str, str] = {
    "cifar10: 100 query + 500 train per class, database 54,000": "cifar10-5k-disjoint",
    "cifar10-I: 100 query + 500 train per class, database 59,000": "cifar10-5k",
    "cifar10-II: torchvision split, 10,000 query, 50,000 train = database": "cifar10-50k",
}
"""Descriptions of set-ups that are one of our protocols: same sizes, same relation of train to database.

A remark in parentheses behind the description does not count. Descriptions that leave the database open
("rest database") or draw the queries from all 60,000 images where ours are the official ones are left out
on purpose.
"""

AS_WRITTEN: Mapping[str, str] = {}

TASKS = {"image": "image", "I2T": "image-to-text", "T2I": "text-to-image"}

_OUR_METRIC = re.compile(r"[a-z_]+(@h?\d+)?([:-][a-z]+)*")
_PAPER_METRIC = re.compile(
    r"(?P<base>mAP|MAP|P|precision|R|recall|NDCG)@(?P<where>all|(H<=|H=)(?P<radius>\d+)|(?P<cut>\d+))"
)
_BASES = {
    "map": "map",
    "p": "precision",
    "precision": "precision",
    "r": "recall",
    "recall": "recall",
    "ndcg": "ndcg",
}


def paper_tables_from_csv(
    text: str,
    papers: Mapping[str, Paper],
    protocols: Mapping[str, str] = PROTOCOLS,
    metrics: Mapping[str, str] = AS_WRITTEN,
) -> tuple[PaperTable, ...]:
    """Return the tables of a CSV text, in its order.

    `papers` maps the keys in column "paper" to their papers, `protocols` descriptions to our protocol ids, `metrics`
    names in column "metric" to ours where the paper means another metric than its name says to everybody else.
    A method's name is the paper's in lower case; the paper's own spelling is the row's label. Raises
    UsageError, naming the line, for a missing column, an unknown paper, a value that is no number, or a
    cell given twice.

    >>> cell = "dch-2018,Table 1,CIFAR-10,,mAP@H<=2,image,DCH,AlexNet,16,0.7901,paper,read"
    >>> paper = Paper("dch-2018", "Deep Cauchy Hashing", "Cao et al.", "CVPR", 2018)
    >>> (table,) = paper_tables_from_csv(",".join(COLUMNS) + "\\n" + cell, {paper.key: paper})
    >>> table.id, table.metric, table.rows[0].method, table.rows[0].value
    ('dch-2018-table1', 'map@h2', 'dch', 0.7901)
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(
            f"The table of published values lacks column {', '.join(missing)}; it needs {','.join(COLUMNS)}."
        )
    tables: dict[tuple[str, str], list[PaperRow]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for line in reader:
        number = reader.line_num
        if None in line or None in line.values():
            raise UsageError(f"Line {number} of the published values does not have {len(COLUMNS)} fields.")
        if line["paper"] not in papers:
            raise UsageError(
                f"Line {number} of the published values names paper {line['paper']!r}; known: "
                f"{', '.join(sorted(papers))}."
            )
        cell = tuple(line[column] for column in COLUMNS if column not in ("value", "source", "confidence"))
        if cell in seen:
            raise UsageError(f"Lines {seen[cell]} and {number} of the published values are the same cell; keep one.")
        seen[cell] = number
        tables.setdefault((line["paper"], line["table"]), []).append(_row(line, number, protocols, metrics))
    return tuple(
        PaperTable(table_id(key, title), papers[key], title, rows[0].metric, tuple(rows))
        for (key, title), rows in tables.items()
    )


def paper_tables_from_package(
    package: str,
    papers: Mapping[str, Paper],
    name: str = "papers.csv",
    protocols: Mapping[str, str] = PROTOCOLS,
    metrics: Mapping[str, str] = AS_WRITTEN,
) -> tuple[PaperTable, ...]:
    """Return the tables of a CSV file among a package's data, as `paper_tables_from_csv`."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return paper_tables_from_csv(text, papers, protocols, metrics)


def full_metric(table: PaperTable, row: PaperRow) -> str:
    """Return a row's metric as records name it: with the direction in front where there are several.

    >>> paper = Paper("dcmh-2017", "Deep Cross-Modal Hashing", "Jiang and Li", "CVPR", 2017)
    >>> row = PaperRow("dcmh", "NUS-WIDE", 16, 0.59, "", "", task="image-to-text")
    >>> full_metric(PaperTable("dcmh-2017-table3", paper, "Table 3", "map", (row,)), row)
    'image-to-text/map'
    """
    metric = row.metric or table.metric
    return metric if row.task == "image" else f"{row.task}/{metric}"


def metric_name(text: str) -> str:
    """Return our name of a metric as papers write it; a name of ours is returned as it is.

    >>> [metric_name(text) for text in ("mAP@H<=2", "mAP@all", "mAP@5000", "P@H=2", "map@h2-reranked")]
    ['map@h2', 'map', 'map@5000', 'precision@h2', 'map@h2-reranked']
    """
    found = _PAPER_METRIC.fullmatch(text)
    if found is None:
        if _OUR_METRIC.fullmatch(text):
            return text
        raise UsageError(f"Metric {text!r} is not understood; write it as mAP@all, mAP@5000, mAP@H<=2, or by our name.")
    base = _BASES[found["base"].lower()]
    if found["radius"]:
        return f"{base}@h{found['radius']}"
    return f"{base}@{found['cut']}" if found["cut"] else base


def table_id(paper: str, title: str) -> str:
    """Return the id of a paper's table.

    >>> table_id("dch-2018", "Table 1 (MAP@H<=2)"), table_id("greedyhash-2018", "CIFAR-10 setting I")
    ('dch-2018-table1', 'greedyhash-2018-cifar10-I')
    """
    short = re.split(r"[(,]", title)[0].strip()
    if numbered := re.fullmatch(r"Table (\w+)", short):
        return f"{paper}-table{numbered[1]}"
    if setting := re.fullmatch(r"(.+) setting (\w+)", short):
        return f"{paper}-{re.sub(r'[^a-z0-9]', '', setting[1].lower())}-{setting[2]}"
    if short == "Mean Average Precision":
        return f"{paper}-map"
    return f"{paper}-" + "-".join(re.findall(r"[a-z0-9]+", short.lower()))


def _row(line: Mapping[str, str], number: int, protocols: Mapping[str, str], metrics: Mapping[str, str]) -> PaperRow:
    try:
        bits, value = int(line["bits"]), float(line["value"])
    except ValueError:
        raise UsageError(
            f"Line {number} of the published values needs an integer for bits and a number for value; got "
            f"{line['bits']!r} and {line['value']!r}."
        ) from None
    if bits < 0 or not math.isfinite(value):
        raise UsageError(
            f"Line {number} of the published values has bits {bits} and value {value}; both must be sensible."
        )
    note = line["protocol"]
    described = protocols.get(re.sub(r"\s*\(.*\)\s*$", "", note), "")
    return PaperRow(
        method=line["method"].lower(),
        dataset=line["dataset"],
        bits=bits,
        value=value,
        source=line["source"],
        confidence=line["confidence"],
        protocol=note if note in protocols.values() else described,
        protocol_note=note,
        task=TASKS.get(line["task"], line["task"]),
        backbone=line["backbone"],
        label=line["method"],
        metric=metric_name(metrics.get(line["metric"], line["metric"])),
    )
