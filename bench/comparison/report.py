"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from comparison.ratios import (
    TARGET_RECALLS,
    Figure,
    all_figures,
    at_recall,
    verdict,
)
from comparison.results import Record, Results, select

NONE = "–"  # noqa: RUF001 - an en dash, as in any table

RATIO_NOTE = (
    "How many times better Forebay is: above 1 it is. Each system at its own best setting, the "
    "least of the rounds; then the ratios of single rounds."
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def number(value: float | None) -> str:
    """Three digits that matter, thousands set apart."""
    if value is None:
        return NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(rounds: Sequence[float]) -> str:
    """The least, and how far the others were."""
    return number(min(rounds)) + (f" .. {number(max(rounds))}" if len(rounds) > 1 else "")


# --- The table of ratios -----------------------------------------------------------------------


def ratio_table(results: Results, targets: dict[str, float | None]) -> str:
    """The figures that have a target or are listed with one; all of them if none is."""
    figures = {figure.key: figure for figure in all_figures(results)}
    shown = [(key, figures.get(key)) for key in targets] or [(f.key, f) for f in figures.values()]
    header = ["figure", "Forebay", "", "against", "", "ratio", "of rounds", "at least", ""]
    rows = [ratio_row(results, key, figure, targets.get(key)) for key, figure in shown]
    return table(header, rows)


def ratio_row(
    results: Results, key: str, figure: Figure | None, at_least: float | None
) -> list[str]:
    wanted = NONE if at_least is None else f"{at_least:g}"
    if figure is None:
        return [key, *[NONE] * 6, wanted, "not measured"]
    cells = []
    for value in (figure.ours, figure.peer):
        if value is None:
            cells += [NONE, NONE]
        else:
            cells += [results.label(value.system), f"{number(value.best)} {figure.unit}"]
    if figure.peer is None and figure.against in results.systems:
        cells[2] = results.label(figure.against)
    between = NONE
    if figure.spread is not None:
        between = " .. ".join(f"{ratio:.2f}" for ratio in figure.spread)
    ratio = NONE if figure.ratio is None else f"{figure.ratio:.2f}"
    return [figure.title, *cells, ratio, between, wanted, verdict(figure, at_least)]


# --- All figures -------------------------------------------------------------------------------


def report(results: Results, targets: dict[str, float | None]) -> str:
    """The whole of it: where it was measured, ratios, and every system's figures."""
    parts = [
        "# Forebay and its peers",
        circumstances(results),
        "## Ratios",
        RATIO_NOTE,
        ratio_table(results, targets),
    ]
    for title, text in (
        ("Search", search_tables(results)),
        ("Ingest, rows/s", ingest_table(results)),
        ("Memory", memory_table(results)),
        ("Filters", filter_tables(results)),
        ("From write to visible", visible_table(results)),
        ("Search while a writer streams", stream_table(results)),
        ("Threads", threads_table(results)),
        ("What failed", failure_list(results)),
    ):
        if text:
            parts += [f"## {title}", text]
    if targets:
        parts += ["## All ratios", ratio_table(results, {})]
    return "\n\n".join(parts) + "\n"


def circumstances(results: Results) -> str:
    run, data = results.run, results.data
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = [
        f"{data['name']}: {data['rows']:,} x {data['dim']}, {data['metric']}"
        + (", unit length" if data["unit_length"] else "")
        + f"; {data['queries']:,} held-out queries, k = {data['k']}.",
        (
            f"{run['cpu']}, {run['cpus']} CPUs; threads of each, unless a table says otherwise: "
            f"{run['threads']}. SIMD: Forebay {run['simd']['forebay']}, "
            f"Faiss {run['simd']['faiss']}."
        ),
        f"{versions}. {run['started']}, {run['seconds'] / 60:.0f} min"
        + (", the quick run: for a look, not for quoting." if run["quick"] else "."),
        *run["notes"],
    ]
    if results.unfinished:
        lines.insert(0, f"Stopped early; not finished: {', '.join(results.unfinished)}.")
    systems = [
        f"- {s['label']}: {s['parameters']}" + (f"; uses {s['simd']}" if s["simd"] else "")
        for s in results.systems.values()
    ]
    return "\n\n".join([*lines, "\n".join(systems)])


def search_tables(results: Results) -> str:
    sizes = sorted({record["rows"] for record in results.search}, reverse=True)
    return "\n\n".join(
        f"{rows:,} rows, {name}: us a query at recall (least .. most of the rounds)\n\n"
        + search_table(results, rows, mode)
        for rows in sizes
        for mode, name in (("single", "single queries"), ("batch", "one batch of all queries"))
    )


def search_table(results: Results, rows: int, mode: str) -> str:
    single = mode == "single"
    header = ["system"]
    for target in TARGET_RECALLS:
        header += [f"{target:.2f}", "setting: recall"] + (["p99"] if single else [])
    body = []
    for name in results.systems:
        records = select(results.search, system=name, rows=rows, mode=mode)
        if records:
            body.append([results.label(name), *search_cells(records, single=single)])
    return table(header, body)


def search_cells(records: list[Record], *, single: bool) -> list[str]:
    cells = []
    for target in TARGET_RECALLS:
        value = at_recall(records, target)
        if value is None:
            best = max(record["recall"] for record in records)
            cells += [NONE, f"best {best:.3f}"] + ([NONE] if single else [])
            continue
        cells += [spread(value.rounds), value.how]
        if single:
            p99 = next(r["p99_us"] for r in records if tuple(r["mean_us"]) == value.rounds)
            cells.append(number(min(p99)))
    return cells


def ingest_table(results: Results) -> str:
    calls = sorted({record["rows_per_call"] for record in results.ingest})
    if not calls:
        return ""
    body = []
    for name in results.systems:
        records = {r["rows_per_call"]: r for r in select(results.ingest, system=name)}
        cells = [spread(records[c]["rows_per_s"]) if c in records else NONE for c in calls]
        body.append([results.label(name), *cells])
    return table(["rows a call", *(f"{c:,}" for c in calls)], body)


def memory_table(results: Results) -> str:
    if not results.memory:
        return ""
    header = ["system", "bytes a vector", "the raw vectors are in that"]
    return table(
        header,
        [
            [
                results.label(record["system"]),
                number(record["bytes_per_vector"]),
                f"yes, {record['raw_bytes_per_vector']}" if record["keeps_vectors"] else "no",
            ]
            for record in results.memory
        ],
    )


def filter_tables(results: Results) -> str:
    shares = sorted({record["share"] for record in results.filter}, reverse=True)
    if not shares:
        return ""
    header = ["single queries, us"]
    for share in shares:
        header += [f"{share:.1%}: recall >= .95", "best recall"]
    body = []
    for name in results.systems:
        cells = [results.label(name)]
        for share in shares:
            records = select(results.filter, system=name, share=share)
            value = at_recall(records, 0.95)
            best = max((record["recall"] for record in records), default=None)
            cells += [NONE if value is None else number(value.best), number(best)]
        body.append(cells)
    return table(header, body)


def visible_table(results: Results) -> str:
    if not results.visible:
        return ""
    header = ["system", "rows a call", "insert p50, us", "p99, us", "seen by the next search"]
    return table(
        header,
        [
            [
                results.label(record["system"]),
                f"{record['rows_per_call']:,}",
                number(record["p50_us"]),
                number(record["p99_us"]),
                f"{record['seen']:.0%}",
            ]
            for record in results.visible
        ],
    )


def stream_table(results: Results) -> str:
    if not results.stream:
        return ""
    header = ["system", "rows/s wanted", "rows/s written", "search p50, us", "p99, us"]
    header += ["insert p99, us"]
    wanted = {0: "idle", -1: "flat out"}
    return table(
        header,
        [
            [
                results.label(record["system"]),
                wanted.get(record["rate"], f"{record['rate']:,}"),
                number(max(record["rows_per_s"])),
                spread(record["p50_us"]),
                spread(record["p99_us"]),
                number(min(record["write_p99_us"])) if "write_p99_us" in record else NONE,
            ]
            for record in results.stream
        ],
    )


def threads_table(results: Results) -> str:
    if not results.threads:
        return ""
    counts = sorted({record["threads"] for record in results.threads})
    header = ["system"] + [
        f"{what}, {count} thread(s)"
        for what in ("us a query in a batch", "rows/s")
        for count in counts
    ]
    body = []
    for name in results.systems:
        cells = [results.label(name)]
        for what, unit, best in (("search", "mean_us", min), ("ingest", "rows_per_s", max)):
            for count in counts:
                found = select(results.threads, system=name, what=what, threads=count)
                cells.append(number(best(found[0][unit])) if found else NONE)
        body.append(cells)
    return table(header, body)


def failure_list(results: Results) -> str:
    return "\n".join(
        f"- {results.label(failure['system'])}, {failure['measure']}: {failure['message']}"
        for failure in results.failures
    )
