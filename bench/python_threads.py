#!/usr/bin/env python3
"""How searches from many Python threads scale, with and without a thread that inserts.

    python bench/python_threads.py                 # random clusters
    python bench/python_threads.py --data bench/data/glove-100.npy

Each thread searches one query a call. The figures are queries/s of all threads together, the best
of interleaved rounds, against two bases of the same run: one thread, and as many processes (forked
copies of the index), which is what the machine has to give: where threads do as well as processes,
neither the GIL nor a lock of ours is in the way. Needs numpy and the installed forebay package.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import forebay

Floats = npt.NDArray[np.float32]


def clusters(num_rows: int, dim: int) -> Floats:
    """Vectors around a thousand centres."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(1000, dim)) * 2
    rows = centres[random.integers(len(centres), size=num_rows)]
    return (rows + random.normal(size=(num_rows, dim))).astype(np.float32)


def search_for(index: forebay.Index, queries: Floats, seconds: float) -> int:
    """How many single queries were answered."""
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        for query in queries[:32]:
            index.search(query, 10, nprobes=20, refine_factor=10)
        done += 32
    return done


def all_at_once(worker: Callable[..., Any], num: int, work: Callable[[], int]) -> int:
    """The sum of what `num` workers did; they wait for each other at the start."""
    is_process = worker is not threading.Thread
    barrier = multiprocessing.Barrier(num) if is_process else threading.Barrier(num)
    total = multiprocessing.Value("q", 0)

    def run() -> None:
        barrier.wait()
        done = work()
        with total.get_lock():
            total.value += done

    workers = [worker(target=run) for _ in range(num)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return total.value


class Writer:
    """Inserts all the time while it is entered."""

    def __init__(self, index: forebay.Index, rows: Floats) -> None:
        self.index, self.rows = index, rows
        self.num_rows, self.seconds = 0, 0.0
        self.stop = threading.Event()

    def __enter__(self) -> None:
        self.stop.clear()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def write(self) -> None:
        begin = time.perf_counter()
        while not self.stop.is_set():
            self.num_rows += self.index.insert(self.rows).num_inserted
        self.seconds += time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="a .npy file of float32 [rows, dim]")
    parser.add_argument("--rows", type=int, default=100_000, help="rows to index (100,000)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure (1)")
    arguments = parser.parse_args()

    rows = clusters(arguments.rows + 1000, 100)
    if arguments.data is not None:
        rows = np.load(arguments.data)[: arguments.rows + 1000]
    rows, queries = rows[:-1000], rows[-1000:]
    index = forebay.Index(forebay.train(rows))
    index.insert(rows)
    counts = [1]
    while counts[-1] * 2 <= len(os.sched_getaffinity(0)):
        counts.append(counts[-1] * 2)
    fork = multiprocessing.get_context("fork").Process

    best: dict[tuple[str, int], float] = {}

    def measure(how: str, worker: Callable[..., Any], num: int) -> None:
        done = all_at_once(worker, num, lambda: search_for(index, queries, arguments.seconds))
        best[how, num] = max(best.get((how, num), 0.0), done / arguments.seconds)

    for _ in range(arguments.rounds):
        for num in counts:
            measure("threads", threading.Thread, num)
            measure("processes", fork, num)
    writer = Writer(index, rows[:500])
    for _ in range(arguments.rounds):
        for num in counts:
            with writer:
                measure("while inserting", threading.Thread, num)

    print(f"{len(rows):,} x {rows.shape[1]}, {index.model!r}")
    print("threads  queries/s  / 1 thread  / processes  queries/s while one more inserts")
    for num in counts:
        threads = best["threads", num]
        print(
            f"{num:7}  {threads:9,.0f}  {threads / best['threads', 1]:10.2f}  "
            f"{threads / best['processes', num]:11.2f}  {best['while inserting', num]:9,.0f}"
        )
    print(f"rows/s inserted meanwhile: {writer.num_rows / writer.seconds:,.0f}")


if __name__ == "__main__":
    main()
