"""What is compared with what: choosing settings, ratios, and their targets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from comparison.results import Record, Results, select

TARGET_RECALLS = (0.90, 0.95, 0.98)
#: Settings with less recall than that are measured, and shown, only if nothing better is there.
LEAST_RECALL = 0.85
#: For each target recall, so many of the cheapest settings are measured in all rounds, as the
#: first look at them is a noisy one; but none that took so many times as long as the cheapest.
SPARE = 3
SPARE_TIME = 1.5
#: Settings whose recalls are nearer to each other than that are one point of a picture.
OUTLINE_STEP = 0.01

#: In place of a peer: whichever of them is the fastest.
FASTEST = "fastest-peer"

Setting = dict[str, int]
T = TypeVar("T")


# --- Choosing settings -------------------------------------------------------------------------


def cheapest(
    points: Iterable[tuple[Setting, float, float]], target: float
) -> tuple[Setting, float, float] | None:
    """Of (setting, recall, time), the fastest that reaches the recall."""
    reaching = [point for point in points if point[1] >= target]
    return min(reaching, key=lambda point: point[2], default=None)


def frontier(points: Sequence[tuple[T, float, float]]) -> list[tuple[T, float, float]]:
    """Those that no other beats in recall and time, by ascending time."""
    best: list[tuple[T, float, float]] = []
    for point in sorted(points, key=lambda point: (point[2], -point[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best


def contenders(points: Sequence[tuple[Setting, float, float]]) -> list[Setting]:
    """What may turn out to be the cheapest at a target, by ascending recall; the best recall, too,
    if it does not reach all targets."""
    chosen: list[tuple[Setting, float, float]] = []
    for target in TARGET_RECALLS:
        reaching = sorted((p for p in points if p[1] >= target), key=lambda point: point[2])
        near = [p for p in reaching[:SPARE] if p[2] <= SPARE_TIME * reaching[0][2]]
        chosen += [point for point in near if point not in chosen]
    best = max(points, key=lambda point: point[1], default=None)
    if best is not None and best[1] < max(TARGET_RECALLS) and best not in chosen:
        chosen.append(best)
    return [setting for setting, _, _ in sorted(chosen, key=lambda point: point[1])]


def too_slow_us(points: Iterable[tuple[Setting, float, float]]) -> float:
    """What takes longer is a contender at no target."""
    best = cheapest(points, max(TARGET_RECALLS))
    return math.inf if best is None else SPARE_TIME * best[2]


def outline(points: Sequence[tuple[Setting, float, float]]) -> list[Setting]:
    """What the frontier has between the contenders, for the picture; by ascending recall."""
    chosen = contenders(points)
    drawn = [recall for setting, recall, _ in points if setting in chosen]
    between: list[Setting] = []
    for setting, recall, _ in frontier(points):
        if recall >= LEAST_RECALL and all(abs(recall - r) >= OUTLINE_STEP for r in drawn):
            between.append(setting)
            drawn.append(recall)
    return between


# --- Figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """One side of a comparison: a number for each round, and how it was reached."""

    system: str
    rounds: tuple[float, ...]
    how: str = ""

    @property
    def best(self) -> float:
        """The least, which is the least disturbed one; rates are kept as times."""
        return min(self.rounds)


@dataclass(frozen=True)
class Figure:
    """A ratio: how many times better Forebay is. Above 1 is better, whatever the unit."""

    key: str
    title: str
    against: str  #: A system, or FASTEST.
    unit: str
    ours: Value | None
    peer: Value | None

    @property
    def ratio(self) -> float | None:
        if self.ours is None or self.peer is None:
            return None
        return self.peer.best / self.ours.best

    @property
    def spread(self) -> tuple[float, float] | None:
        """The least and the greatest ratio of a round."""
        if self.ours is None or self.peer is None:
            return None
        pairs = zip(self.ours.rounds, self.peer.rounds, strict=False)
        ratios = [theirs / mine for mine, theirs in pairs]
        return min(ratios), max(ratios)


def at_recall(records: Iterable[Record], target: float) -> Value | None:
    """The sweep's point that reaches the recall in the least time."""
    reaching = [record for record in records if record["recall"] >= target]
    if not reaching:
        return None
    best = min(reaching, key=lambda record: min(record["mean_us"]))
    setting = ", ".join(f"{name} {value}" for name, value in best["setting"].items())
    return Value(best["system"], tuple(best["mean_us"]), f"{setting}: {best['recall']:.3f}")


def best_of(values: Iterable[Value | None]) -> Value | None:
    return min((v for v in values if v is not None), key=lambda value: value.best, default=None)


def search_value(
    results: Results, systems: Iterable[str], rows: int, mode: str, target: float
) -> Value | None:
    """The best of these systems, each at its own best setting."""
    return best_of(
        at_recall(select(results.search, system=name, rows=rows, mode=mode), target)
        for name in systems
    )


def among(results: Results, peer: str) -> list[str]:
    """The systems that a peer's name stands for."""
    return results.peers if peer == FASTEST else [peer]


def search_figures(results: Results, rows: int) -> list[Figure]:
    """Every peer, single queries and batches, at every target recall."""
    size = rows if rows != results.data["rows"] else None
    what = {"single": "single query", "batch": "batch of queries"}
    return [
        Figure(
            key(mode, f"{target:.2f}", peer, size),
            f"{what[mode]}, recall {target:.2f}, {rows:,} rows",
            peer,
            "us a query",
            search_value(results, results.ours, rows, mode, target),
            search_value(results, among(results, peer), rows, mode, target),
        )
        for mode in ("single", "batch")
        for target in TARGET_RECALLS
        for peer in [*results.peers, FASTEST]
    ]


def key(*parts: object) -> str:
    return "/".join(str(part) for part in parts if part is not None)


def ingest_figures(results: Results) -> list[Figure]:
    def value(system: str, rows_per_call: int) -> Value | None:
        for record in select(results.ingest, system=system, rows_per_call=rows_per_call):
            return Value(system, tuple(1e6 / rate for rate in record["rows_per_s"]))
        return None

    return [
        Figure(
            key("ingest", rows_per_call, peer),
            f"ingest, rows a call: {rows_per_call:,}",
            peer,
            "us a row",
            best_of(value(name, rows_per_call) for name in results.ours),
            value(peer, rows_per_call),
        )
        for rows_per_call in sorted({record["rows_per_call"] for record in results.ingest})
        for peer in results.peers
    ]


def memory_figures(results: Results) -> list[Figure]:
    def value(system: str) -> Value | None:
        for record in select(results.memory, system=system):
            how = "with the raw vectors" if record["keeps_vectors"] else ""
            return Value(system, (record["bytes_per_vector"],), how)
        return None

    return [
        Figure(
            key("memory", peer),
            "memory, without raw vectors where they can be spared",
            peer,
            "bytes a vector",
            best_of(value(name) for name in results.ours),
            value(peer),
        )
        for peer in results.peers
    ]


def filter_figures(results: Results) -> list[Figure]:
    def value(systems: Iterable[str], share: float, target: float) -> Value | None:
        return best_of(
            at_recall(select(results.filter, system=name, share=share), target) for name in systems
        )

    return [
        Figure(
            key("filter", share, f"{target:.2f}", peer),
            f"filter allowing {share:.1%}, recall {target:.2f}",
            peer,
            "us a query",
            value(results.ours, share, target),
            value(among(results, peer), share, target),
        )
        for share in sorted({record["share"] for record in results.filter}, reverse=True)
        for target in TARGET_RECALLS
        for peer in [*results.peers, FASTEST]
    ]


def stream_figures(results: Results) -> list[Figure]:
    """Each of our systems against itself with an idle writer."""

    def value(system: str, rate: int) -> Value | None:
        for record in select(results.stream, system=system, rate=rate):
            return Value(system, tuple(record["p99_us"]))
        return None

    return [
        Figure(
            key("stream", rate, name),
            "search p99 beside a writer, "
            + ("flat out" if rate < 0 else f"{rate:,} rows/s")
            + ", against idle",
            name,
            "us p99",
            value(name, rate),
            value(name, 0),
        )
        for rate in sorted({record["rate"] for record in results.stream} - {0}, key=abs)
        for name in results.ours
    ]


def all_figures(results: Results) -> list[Figure]:
    sizes = sorted({record["rows"] for record in results.search}, reverse=True)
    makers: list[Callable[[Results], list[Figure]]] = [
        ingest_figures,
        memory_figures,
        filter_figures,
        stream_figures,
    ]
    figures = [figure for rows in sizes for figure in search_figures(results, rows)]
    return figures + [figure for make in makers for figure in make(results)]


# --- Targets -----------------------------------------------------------------------------------


class TargetsError(Exception):
    """The file of targets cannot be used."""


def read_targets(path: Path) -> dict[str, float | None]:
    """From a figure's key to the least ratio wanted; null: listed, but no number was set."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TargetsError(f"{path}: expected a JSON file of targets ({error})") from error
    good = isinstance(content, dict) and all(
        value is None or isinstance(value, (int, float)) for value in content.values()
    )
    if not good:
        raise TargetsError(f'{path}: expected {{"figure": least ratio or null}}')
    return dict(content)


def verdict(figure: Figure, at_least: float | None) -> str:
    """What the table says: ok, missed, or why it cannot tell."""
    if figure.ratio is None:
        if figure.ours is None:
            return "not reached" if figure.peer is not None else "not measured"
        return "peer does not reach it" if at_least is None else "ok: peer does not reach it"
    if at_least is None:
        return ""
    return "ok" if figure.ratio >= at_least else "missed"
