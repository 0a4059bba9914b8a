#!/usr/bin/env python3
"""Recall against queries per second: how many partitions to probe, on your own vectors.

    python examples/recall_curve.py                                  # the demo's words
    python examples/recall_curve.py vectors.npy --metric l2          # [num_rows, dim]
    python examples/recall_curve.py --out curve.png                  # where matplotlib is installed

Without matplotlib, or without --out, the curve is drawn as text. Recall is that of the ten
nearest rows, against the exact answer.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

import forebay

DATA = Path(__file__).parent / "data" / "glove-40k.parquet"
K = 10

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Point:
    """One setting, and what it gave."""

    refine_factor: int | None
    nprobes: int
    recall: float
    queries_per_second: float


def load(path: Path | None) -> Floats:
    if path is not None:
        return np.ascontiguousarray(np.load(path), dtype=np.float32)
    column = pq.read_table(DATA)["embedding"].combine_chunks()
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), -1)


def exact_rows(index: forebay.Index, queries: Floats) -> Ints:
    """All partitions, all rows re-ranked: the exact answer."""
    enough = len(index) // K + 1
    return index.search(
        queries, K, nprobes=index.model.num_partitions, refine_factor=enough, num_threads=2
    )[1]


def measure(index: forebay.Index, queries: Floats, truth: Ints) -> list[Point]:
    points = []
    for refine_factor in (None, 10):
        nprobes = 1
        while nprobes <= index.model.num_partitions:
            start = time.perf_counter()
            _, rows = index.search(queries, K, nprobes=nprobes, refine_factor=refine_factor)
            seconds = time.perf_counter() - start
            hits = sum(len(set(a) & set(b)) for a, b in zip(rows, truth, strict=True))
            recall = hits / truth.size
            points.append(Point(refine_factor, nprobes, recall, len(queries) / seconds))
            nprobes *= 2
    return points


def draw_text(points: list[Point]) -> None:
    print("refine_factor  nprobes  recall@10  queries/s")
    for point in points:
        bar = "#" * round(point.recall * 40)
        refine = "-" if point.refine_factor is None else str(point.refine_factor)
        print(
            f"{refine:>13} {point.nprobes:8} {point.recall:10.3f} "
            f"{point.queries_per_second:10,.0f}  {bar}"
        )


def draw_plot(points: list[Point], out: Path) -> bool:
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        return False
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for refine_factor, label in [(None, "by code"), (10, "refine_factor=10")]:
        curve = [point for point in points if point.refine_factor == refine_factor]
        axes.plot(
            [point.recall for point in curve],
            [point.queries_per_second for point in curve],
            marker="o",
            label=label,
        )
        for point in curve:
            at = (point.recall, point.queries_per_second)
            axes.annotate(str(point.nprobes), at, textcoords="offset points", xytext=(4, 4))
    axes.set(xlabel="recall@10", ylabel="queries/s, one thread", yscale="log")
    axes.set_title("Numbers at the points: nprobes")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall against queries per second.")
    parser.add_argument("vectors", nargs="?", type=Path, help="an .npy file [demo's words]")
    parser.add_argument("--metric", choices=["l2", "cosine", "dot"], default="cosine")
    parser.add_argument("--queries", type=int, default=500, help="rows held back as queries")
    parser.add_argument("--out", type=Path, help="where to save the plot")
    arguments = parser.parse_args()

    rows = load(arguments.vectors)
    queries, rows = rows[: arguments.queries], rows[arguments.queries :]
    model = forebay.train(rows, metric=arguments.metric, progress=True)
    index = forebay.Index(model)
    index.insert(rows)
    print(index)
    points = measure(index, queries, exact_rows(index, queries))
    draw_text(points)
    if arguments.out is not None and not draw_plot(points, arguments.out):
        print(f"matplotlib is not installed, so {arguments.out} was not written")


if __name__ == "__main__":
    main()
