"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

MEASURES = ("search", "ingest", "memory", "filter", "stream", "threads", "scaling")


@dataclass(frozen=True)
class Plan:
    """Sizes, repetitions and limits of one run."""

    rows: int | None  #: Of the data, at most; None is all.
    queries: int
    rounds: int  #: Of the settings that may be the cheapest at a recall of the tables.
    outline_rounds: int  #: Of those that only show the rest of the curve.
    ingest_rounds: int
    ingest_batches: tuple[int, ...]
    ingest_seconds: float  #: Each figure of an IVF system ends after so long, or with the data.
    graph_ingest_seconds: float
    graph_ingest_rows: int
    graph_whole_from: int | None  #: Rows a call; from there on a graph takes all rows, once.
    filter_shares: tuple[float, ...]
    filter_queries: int
    filter_rounds: int
    stream_rates: tuple[int, ...]  #: Rows a second; 0 is an idle writer.
    stream_seconds: float
    stream_rounds: int
    sizes: tuple[int, ...]  #: Rows, besides all of them, for which the search is measured.
    size_rounds: int
    k: int = 10


#: The rate of a writer that never waits.
FLAT_OUT = -1

FULL = Plan(
    rows=None,
    queries=1_000,
    rounds=3,
    outline_rounds=1,
    ingest_rounds=3,
    ingest_batches=(1, 10, 100, 1_000, 10_000),
    ingest_seconds=2.0,
    graph_ingest_seconds=3.0,
    graph_ingest_rows=50_000,
    graph_whole_from=1_000,
    filter_shares=(0.5, 0.1, 0.01, 0.001),
    filter_queries=200,
    filter_rounds=2,
    stream_rates=(0, 10_000, 50_000, FLAT_OUT),
    stream_seconds=2.0,
    stream_rounds=3,
    sizes=(10_000, 30_000, 100_000),
    size_rounds=2,
)

QUICK = Plan(
    rows=30_000,
    queries=500,
    rounds=2,
    outline_rounds=1,
    ingest_rounds=2,
    ingest_batches=(1, 1_000, 10_000),
    ingest_seconds=0.4,
    graph_ingest_seconds=0.8,
    graph_ingest_rows=10_000,
    graph_whole_from=None,
    filter_shares=(0.1, 0.01),
    filter_queries=100,
    filter_rounds=1,
    stream_rates=(0, 10_000, FLAT_OUT),
    stream_seconds=0.7,
    stream_rounds=1,
    sizes=(10_000,),
    size_rounds=1,
)
