from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from hashzoo.errors import UsageError
from hashzoo.results.layout import paper_boards
from hashzoo.results.published import comparison_boards
from hashzoo.results.render import FORMATS, render, tables_text
from hashzoo.results.table import boards
from hashzoo.specs import Paper, PaperRow, PaperTable

P = "cifar10-5k-disjoint"
OWN = "plugin's recipe"
TABLE = PaperTable(
    "dch-2018-table1",
    Paper("dch-2018", "Deep Cauchy Hashing", "Cao & Long", "CVPR", 2018),
    "Table 1 (MAP@H<=2)",
    "map",
    (
        PaperRow("dch", "CIFAR-10", 16, 0.7901, "page 5", "read", protocol=P, label="DCH"),
        PaperRow("dch", "CIFAR-10", 32, 0.7979, "page 5", "read", protocol=P, label="DCH"),
        PaperRow("ksh", "CIFAR-10", 16, 0.4368, "page 5", "read", protocol=P, label="KSH"),
    ),
)


@pytest.fixture
def some(make_record):
    """Two methods and a floor: dch leads at 16 bits, dhn was not measured at 32, the floor exceeds both there."""
    records = [
        *(make_record("dch", 16, s, metrics={"map": m}) for s, m in enumerate((0.5, 0.6, 0.7))),
        *(make_record("dch", 32, s, metrics={"map": 0.25}) for s in range(3)),
        *(make_record("dhn", 16, s, metrics={"map": 0.4}) for s in range(3)),
        make_record("lsh", 16, floor=True, regime="none", metrics={"map": 0.125}),
        make_record("lsh", 32, floor=True, regime="none", metrics={"map": 0.875}),
    ]
    return boards(records)


def pipes(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_markdown_is_a_table_with_the_best_in_bold(some):
    lines = render(some, "markdown").splitlines()
    assert lines[0] == f"## map on {P}, alexnet, finetune"
    head, rule, *rows = [pipes(line) for line in lines if line.startswith("|")]
    assert head == ["method", "16 bits", "32 bits"]
    assert rule == [":--", "--:", "--:"]
    assert rows == [
        ["dch", "**0.6000 ± 0.1000**", "**0.2500 ± 0.0000**"],
        ["dhn", "0.4000 ± 0.0000", ""],
        ["lsh", "0.1250 (1)", "0.8750 (1)"],
    ]
    assert "- Mean ± standard deviation over 3 seeds; another number of seeds stands in parentheses" in lines[-1]


def test_csv_is_read_back_by_pandas_with_every_digit(some):
    frame = pd.read_csv(io.StringIO(render(some, "csv")), keep_default_na=True)
    assert list(frame.columns) == [
        "method", "backbone", "regime", "settings", "protocol", "metric", "bits", "measured", "sd", "seeds",
        "floor", "database", "collapsed",
    ]  # fmt: skip
    assert list(frame["floor"]) == [False] * 4 + [True] * 2
    cells = frame.set_index(["method", "bits"])
    assert cells.loc[("dch", 16), "measured"] == 0.6
    assert cells.loc[("dch", 16), "seeds"] == 3
    assert pd.isna(cells.loc[("dhn", 32), "measured"])
    assert len(frame) == 6
    assert list(frame["method"]) == ["dch", "dch", "dhn", "dhn", "lsh", "lsh"]


def test_json_is_read_back(some):
    (board,) = json.loads(render(some, "json"))["boards"]
    assert board["title"] == f"map on {P}, alexnet, finetune"
    assert board["floors"] == ["lsh"]
    cells = {(cell["method"], cell["bits"]): cell for cell in board["cells"]}
    assert cells["dch", 32] == {
        "method": "dch", "backbone": "alexnet", "regime": "finetune", "settings": "", "protocol": P, "metric": "map",
        "bits": 32, "measured": 0.25, "sd": 0.0, "seeds": 3, "floor": False, "database": "hidden", "collapsed": False,
    }  # fmt: skip
    assert isinstance(cells["dch", 32]["seeds"], int)
    assert cells["lsh", 16]["floor"] is True
    assert cells["dhn", 32]["measured"] is None
    assert cells["lsh", 16]["sd"] is None


def test_latex_has_the_structure_of_a_table(some):
    text = render(some, "latex")
    assert text.startswith("% needs \\usepackage{booktabs,graphicx}\n")
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    (layout,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert layout == "lrr"
    assert all(line.count("&") == len(layout) - 1 for line in rows)
    assert [part.strip() for part in rows[1].removesuffix(r"\\").split("&")] == [
        "dch", r"\textbf{0.6000 $\pm$ 0.1000}", r"\textbf{0.2500 $\pm$ 0.0000}",
    ]  # fmt: skip
    assert text.count("{") == text.count("}")


def test_latex_escapes_what_latex_would_take_as_commands(make_record):
    text = render(boards([make_record("a_b%&#$", protocol="x^y~z{}\\")]), "latex")
    assert r"a\_b\%\&\#\$" in text
    assert r"x\textasciicircum{}y\textasciitilde{}z\{\}\textbackslash{}" in text
    text = render(boards([make_record("--tuned---x - y-z")]), "latex")
    assert r"-{}-tuned-{}-{}-x - y-z" in text, "two hyphens would become a dash"


def test_latex_spans_column_groups(make_record):
    records = [make_record(bits=16), make_record(bits=32)]
    text = render(paper_boards(records, TABLE), "latex")
    assert r"& \multicolumn{2}{c}{16 bits} & \multicolumn{2}{c}{32 bits} \\" in text
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}" in text


class Page(HTMLParser):
    """Collects the cells of each table row, the attributes of tags, and checks that tags are closed in order."""

    VOID = ("meta", "link", "br", "img", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        if "caption" in self.open:
            self.caption += data


def parse(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_html_is_one_page_with_the_same_cells(some):
    text = render(some, "html")
    assert text.startswith("<!DOCTYPE html>")
    page = parse(text)
    assert page.rows == [
        ["method", "16 bits", "32 bits"],
        ["dch", "0.6000 ± 0.1000 (best)", "0.2500 ± 0.0000 (best)"],
        ["dhn", "0.4000 ± 0.0000", ""],
        ["lsh", "0.1250 (1)", "0.8750 (1)"],
    ]
    assert page.caption == f"map on {P}, alexnet, finetune"


def test_html_needs_nothing_from_outside_and_says_what_is_what(some):
    page = parse(render(some, "html"))
    for _, attributes in page.tags:
        assert not {"src", "href", "onclick"} & set(attributes)
    assert not any(tag == "link" for tag, _ in page.tags)
    assert ("html", {"lang": "en"}) in page.tags
    scopes = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert scopes == ["col", "col", "col", "row", "row", "row"]
    buttons = [attributes for tag, attributes in page.tags if tag == "button"]
    assert [button["data-column"] for button in buttons] == ["0", "1", "2"]
    assert all(button["type"] == "button" for button in buttons)
    values = [attributes["data-value"] for tag, attributes in page.tags if tag == "td"]
    assert [float(value) if value else None for value in values] == [0.6, 0.25, 0.4, None, 0.125, 0.875]


def test_html_header_spans_add_up(make_record):
    page = parse(render(paper_boards([make_record(bits=16), make_record(bits=32)], TABLE), "html"))
    spans = [int(a["colspan"] or 0) for tag, a in page.tags if tag == "th" and a.get("scope") == "colgroup"]
    assert spans == [2, 2]
    assert page.rows[0] == ["method", "16 bits", "32 bits"]
    assert page.rows[1] == ["reported", "measured", "reported", "measured"]
    assert [len(row) for row in page.rows[2:]] == [5, 5]
    stub = next(a for tag, a in page.tags if tag == "th" and a.get("class") == "stub")
    assert stub["rowspan"] == "2"


def test_html_shows_names_as_text(make_record):
    name = '<script>alert("x")</script>'
    page = parse(render(boards([make_record(name)]), "html"))
    assert page.rows[1][0] == name
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_table_text_marks_the_best(some):
    lines = render(some, "table").splitlines()
    (dch,) = [line for line in lines if line.strip().startswith("dch")]
    assert re.split(r"\s{2,}", dch.strip()) == ["dch", "0.6000 ± 0.1000 *", "0.2500 ± 0.0000 *"]
    (lsh,) = [line for line in lines if line.strip().startswith("lsh")]
    assert "*" not in lsh


def test_a_wide_table_is_split_by_its_first_header_line(make_record):
    rows = tuple(
        PaperRow("dch", dataset, bits, 0.5, "page 5", "read", label="DCH")
        for dataset in ("NUS-WIDE", "MS-COCO", "CIFAR-10")
        for bits in (16, 32, 48, 64)
    )
    table = PaperTable(TABLE.id, TABLE.paper, TABLE.title, "map", rows)
    text = tables_text(paper_boards([make_record()], table), width=120)
    titles = [line for line in text.splitlines() if "measured with" in line]
    assert [title.rsplit(": ", 1)[1].strip() for title in titles] == ["NUS-WIDE", "MS-COCO", "CIFAR-10"]
    parts = text.split("measured with")[1:]
    assert [part.count("0.5000") for part in parts] == [4, 4, 5]
    assert all(f"{bits} bits" in part for part in parts for bits in (16, 32, 48, 64))


def test_comparison_numbers_its_sources(make_record):
    made = comparison_boards([make_record("dch", 16), make_record("dch", 32), make_record("new", 16)], [TABLE])
    lines = render(made, "markdown").splitlines()
    head, _, *rows = [pipes(line) for line in lines if line.startswith("|")]
    assert head == ["method", "bits", "reported", "measured", "gap", "source"]
    assert rows == [
        ["dch", "16", "0.7901", "0.5000", "-0.2901", "[1]"],
        ["dch", "32", "0.7979", "0.5000", "-0.2979", "[1]"],
        ["new", "16", "", "0.5000", "", ""],
    ]
    assert r"- \[1\] dch-2018-table1: page 5" in lines
    frame = pd.read_csv(io.StringIO(render(made, "csv")))
    assert frame["gap"].iloc[0] == pytest.approx(-0.2901)
    assert frame["source"].iloc[0] == "dch-2018-table1: page 5"


def test_best_is_marked_only_where_more_is_better(make_record):
    records = [make_record(m, metrics={"empty@h2": v}, headline="empty@h2") for m, v in (("a", 0.1), ("b", 0.2))]
    assert "**" not in render(boards(records), "markdown")


def test_equal_bests_are_all_marked_and_reported_has_its_own_best(make_record):
    (board,) = paper_boards([make_record("dch", 16), make_record("ksh", 16)], TABLE)
    rows = [pipes(line) for line in render([board], "markdown").splitlines() if line.startswith("|")]
    assert rows[0][:3] == ["method", "16 bits reported", "16 bits measured"]
    assert rows[2][:3] == ["DCH", "**0.7901**", "**0.5000**"]
    assert rows[3][:3] == ["KSH", "0.4368", "**0.5000**"]


def test_settings_get_a_column_when_they_differ_and_backbones_a_board(make_record):
    records = [make_record(), make_record(config={"recipe": {"lr": 0.1}}), make_record(backbone={"image": "vgg16"})]
    lines = [line for line in render(boards(records), "markdown").splitlines() if line.startswith(("|", "#"))]
    assert pipes(lines[1]) == ["method", "settings", "16 bits"]
    assert [pipes(line)[0] for line in lines] == [
        f"## map on {P}, alexnet, finetune", "method", ":--", "dch", "dch",
        f"## map on {P}, vgg16, finetune", "method", ":--", "dch",
    ]  # fmt: skip


def test_beside_a_tuned_row_every_trained_row_that_was_not_tuned_says_so(make_record):
    records = [
        make_record("dch", config={"tuned": "20 trials", "settings_source": "tuned, 20 trials by map"}),
        make_record("dch", metrics={"map": 0.4}),
        make_record("dhn", metrics={"map": 0.3}),
        make_record("lsh", floor=True, regime="none", metrics={"map": 0.1}),
    ]
    stubs = [pipes(line)[:2] for line in render(boards(records), "markdown").splitlines() if line.startswith("| ")]
    assert stubs[2:] == [["dch", "tuned, 20 trials"], ["dch", OWN], ["dhn", OWN], ["lsh", ""]]
    alone = [line for line in render(boards(records[1:]), "markdown").splitlines() if line.startswith("| ")]
    assert pipes(alone[0]) == ["method", "16 bits"]


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_every_format_takes_several_boards(some, format_):
    assert len(render([*some, *some], format_)) > len(render(some, format_))


def test_an_unknown_format_is_a_sentence(some):
    with pytest.raises(UsageError, match="no format 'markdwn'; did you mean 'markdown'"):
        render(some, "markdwn")


HOSTILE = "=cmd|' /C calc'!A0<b>*x*_y_[z](u)`$q$\x1b[31m\u202e\n| |"


def test_markdown_shows_names_as_they_are(make_record):
    text = render(boards([make_record(HOSTILE), make_record("dch", metrics={"map": 0.25})]), "markdown")
    (line,) = [line for line in text.splitlines() if "cmd" in line]
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    assert len(cells) == 2
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cells[0].strip())  # what a reader of Markdown shows
    assert shown == r"=cmd|' /C calc'!A0<b>*x*_y_[z](u)`$q$\x1b[31m\u202e\n| |"
    assert not re.search(r"(?<!\\)[<*_`$\[]", cells[0])


@pytest.mark.parametrize("begin", ["=", "+", "-", "@"])
def test_csv_text_is_never_a_formula_and_numbers_stay(make_record, begin):
    made = boards([make_record(f"{begin}SUM(A1)", metrics={"map": -0.5})])
    frame = pd.read_csv(io.StringIO(render(made, "csv")))
    assert frame["method"].iloc[0] == f"'{begin}SUM(A1)"
    assert frame["measured"].iloc[0] == -0.5


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_no_control_character_of_a_record_is_written(make_record, format_):
    record = make_record(HOSTILE, protocol=f"p{HOSTILE}", metrics={f"map{HOSTILE}": 0.5}, headline=f"map{HOSTILE}")
    text = render(boards([record]), format_)
    assert all(character.isprintable() for character in text.replace("\n", ""))
    text.encode()


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_figures_stay_whole_at_any_width(some, make_record, width):
    long = [make_record(f"a-rather-long-name-{n}", 16, s, metrics={"map": n / 8}) for n in (1, 2) for s in (0, 1)]
    lines = tables_text([*some, *boards(long)], width).splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(figure in text for figure in ("0.6000 ± 0.1000 *", "0.1250 (1)", "0.2500 ± 0.0000 *", "0.8750 (1)"))
    assert "…" not in text
    assert "long-name-1" in text.replace("-\n", "-") or "a-rather-" in text


def test_names_of_methods_break_at_hyphens_and_only_where_they_must(make_record):
    """Beside a second column of names: `pml-triplet` fits as it is, the longer one is broken once."""
    names = ("greedyhash-unsupervised", "pml-triplet", "hashnet")
    records = [
        make_record(name, bits, config=config, metrics={"map": 0.5})
        for name in names for bits in (16, 32, 48) for config in ({}, {"recipe": {"lr": 0.5}})
    ]  # fmt: skip
    for width in range(40, 120):
        lines = tables_text(boards(records), width).splitlines()
        assert max(map(len, lines)) <= width
        words = {line.split("  ")[0] for line in lines}
        assert words >= {"pml-triplet", "hashnet"}
        assert "greedyhash-unsupervised" in words or words >= {"greedyhash-", "unsupervised"}, width


def test_headings_break_before_columns_do(make_record):
    record = make_record(protocol="cifar10-other", metrics={"map": 0.5})
    text = tables_text(paper_boards([record], TABLE), 60)
    assert "measured" in text
    assert "0.7901 *" in text
    assert max(map(len, text.splitlines())) <= 60


def test_latex_of_a_long_board_has_parts_of_one_number(make_record):
    long = boards([make_record(f"m-{number:03d}", metrics={"map": 0.5}) for number in range(100)])
    parts = render(long, "latex").split(r"\begin{table}")[1:]
    assert len(parts) == 4
    assert [r"\addtocounter{table}{-1}" in part for part in parts] == [False, True, True, True]
    assert [part.count("(continued)") for part in parts] == [0, 1, 1, 1]
    assert [name for part in parts for name in re.findall(r"m-\d{3}", part)] == [f"m-{n:03d}" for n in range(100)]
    assert [part.count("Mean") + part.count("One seed") for part in parts] == [0, 0, 0, 1]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path, some, make_record):
    odd = make_record("[x] 深度 é ß “quoted” \N{MINUS SIGN} ~^\\{}", protocol="50% & more_#1 $x$", metrics={"map": 0.5})
    body = render([*some, *boards([odd]), *paper_boards([make_record()], TABLE)], "latex")
    wide = [make_record(bits=bits, metrics={"map": 0.5}) for bits in range(16, 16 * 18, 16)]
    body += render(boards(wide), "latex")
    long = [make_record(f"m-{number}", metrics={"map": 0.5}) for number in range(100)]
    cited = [
        PaperRow(f"m-{n}", "CIFAR-10", 16, 0.5, f"page {n}, " + "words " * 40, "read", protocol=P) for n in range(30)
    ]
    body += render([*boards(long), *comparison_boards(long, [replace(TABLE, rows=tuple(cited))])], "latex")
    page = rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 1000
    assert "Overfull" not in done.stdout  # a table of 17 bit lengths is set as wide as the text
    assert "Float too large" not in done.stdout  # one of 100 rows, or with notes as long, stands on several pages


def test_a_figure_of_collapsed_codes_is_marked_in_every_format(make_record):
    """A note of one seed marks the row's figure at that length, and a line below the table says what the mark means."""
    note = "Collapsed: 8 of 16 bits are the same in every item."
    records = [make_record("dch", bits, s, metrics={"map": 0.5}) for bits in (16, 32) for s in range(3)]
    plain = boards(records)
    assert "‡" not in render(plain, "markdown")
    records[1] = records[1].model_copy(update={"notes": [note]})
    marked = boards(records)
    shown = render(marked, "markdown")
    assert "| dch | 0.5000 ± 0.0000 ‡ | **0.5000 ± 0.0000** |" in shown
    assert "- ‡ codes of at least one seed collapsed" in shown
    assert r"\ddag{}" in render(marked, "latex")
    assert "0.5000 ± 0.0000 ‡" in tables_text(marked)
    lines = render(marked, "csv").splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["collapsed", "True", "False"]
    assert [line.rpartition(",")[0] for line in lines] == [
        line.rpartition(",")[0] for line in render(plain, "csv").splitlines()
    ], "figures are figures"
    for laid in (paper_boards(records, TABLE), comparison_boards(records, [TABLE])):
        assert "0.5000 ± 0.0000 ‡" in render(laid)
        assert "collapsed" in render(laid)
