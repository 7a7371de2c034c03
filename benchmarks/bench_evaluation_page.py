"""The page of figures: the machine they were taken on, and a table for each section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def markdown(results: dict[str, Any]) -> str:
    """Return the figures as a page."""
    about = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# Speed of the evaluation engine",
        "",
        f"{about['date']}, {about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}, "
        f"{versions}. Load average before {about['load_before']}, after {about.get('load_after')}; what is above the "
        "number of cores in use is other work on the same machine. Ratios are between figures of this run, best of "
        "two or three. Synthetic codes.",
    ]
    for section, page in PAGES.items():
        if section in results:
            lines += ["", *page(results[section])]
    return "\n".join(lines) + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    names = list(header)
    return [f"| {' | '.join(line)} |" for line in (names, ["---"] * len(names), *rows)]


def protocols_page(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines about protocol-sized inputs."""
    columns = {
        "protocol": "{protocol}",
        "bits": "{bits}",
        "count s": "{count_seconds:.3f}",
        "evaluate s": "{evaluate_seconds:.3f}",
        "count, 10^9 pairs/s": "{giga_pairs_per_second:.2f}",
        "count, 10^9 pairs per processor second": "{giga_pairs_per_cpu_second:.2f}",
        "argsort / evaluate": "{argsort_over_evaluate[0]:.0f}; {argsort_over_evaluate[1]:.0f}",
        **{
            f"FAISS k={k}, {mode} / {ours}": "; ".join(f"{{faiss_{k}_{mode}_over_{ours}[{i}]:.1f}}" for i in (0, 1))
            for k in (10, 5000)
            for mode in ("heap", "counting")
            for ours in ("count", "evaluate")
        },
    }
    return [
        "## Protocol-sized inputs",
        "",
        "`count` gives every query's items and relevant items by distance; `evaluate` counts and computes every "
        "default metric and curve. The argsort way computes mean average precision alone, timed on "
        f"{rows[0]['argsort_queries']} queries, and FAISS `IndexBinaryFlat` finds the nearest 10 or 5,000 for "
        f"{rows[0]['faiss_queries']} queries, both scaled to all queries. `heap` is FAISS as it comes, `counting` its "
        "other mode (`use_heap = False`). Ratios are by wall clock; by processor time, which other work on the machine "
        "disturbs less (the argsort way runs on one core).",
        "",
        *table(columns, [[form.format(**row) for form in columns.values()] for row in rows]),
    ]


def limits_page(figures: dict[str, float]) -> list[str]:
    """Return the lines about the processor's limits."""
    rows = []
    for name, value in figures.items():
        what, _, threads = name.rpartition("_")
        shown = f"{100 * value:.0f} %" if what.startswith("share") else f"{value / 1e9:.2f} x 10^9"
        rows.append([what.replace("_", " "), threads, shown])
    return [
        "## Distance from the processor's limits (64 bits, 21 labels)",
        "",
        "`popcounts`: distances computed and summed from the first-level cache, without labels and without counting. "
        "A pair takes 16 bytes of code and labels, which the queries of a block share from the cache, so memory is "
        "read once a block and not once a pair.",
        "",
        *table(["figure", "threads", "value"], rows),
    ]


def growth_page(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines about growing databases."""
    columns = {
        "queries": "{queries:,}",
        "database": "{database:,}",
        "seconds": "{seconds:.2f}",
        "picoseconds a pair": "{picoseconds_per_pair:.0f}",
        "processor picoseconds a pair": "{cpu_picoseconds_per_pair:.0f}",
        "peak MB beside the codes": "{peak_megabytes_beside_codes}",
        "progress reports": "{progress_reports}",
    }
    return [
        "## Growth (64 bits, 10 labels, memory-mapped files)",
        "",
        *table(columns, [[form.format(**row) for form in columns.values()] for row in rows]),
    ]


PAGES = {"protocols": protocols_page, "limits": limits_page, "growth": growth_page}
