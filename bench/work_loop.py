#!/usr/bin/env python3
"""One kind of work in a loop, to be looked at by a profiler.

    pip install . && python bench/fetch_glove.py
    perf record -o query.data -- python bench/work_loop.py single --num-bits 4
    perf report -i query.data --no-children --stdio

On GloVe-100: 340,479 rows, 1,024 partitions, codes of 25 bytes. Training and filling are over when
it says "now"; `perf record --delay MILLISECONDS` leaves them out. The model is kept in bench/data.
Prints microseconds a query, or a row, of the fastest tenth of the rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

import forebay

DATA = Path(__file__).resolve().parent / "data"
NUM_QUERIES = 1_000
NUM_PARTITIONS = 1_024

Floats = npt.NDArray[np.float32]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", choices=("single", "batch", "insert"))
    parser.add_argument("--num-bits", type=int, choices=(4, 8), default=4)
    parser.add_argument("--nprobes", type=int, default=64)
    parser.add_argument("--refine-factor", type=int, default=8)
    parser.add_argument("--rows-per-call", type=int, default=1_000, help="of insert")
    parser.add_argument("--seconds", type=float, default=20.0)
    return parser.parse_args()


def unit_vectors() -> Floats:
    """In random order, so that the first ones can be queries."""
    vectors: Floats = np.load(DATA / "glove-100.npy")
    np.random.default_rng(1).shuffle(vectors)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def trained(rows: Floats, num_bits: int) -> forebay.Model:
    path = DATA / f"profile-{num_bits}bit.model"
    if not path.is_file():
        model = forebay.train(
            rows,
            num_partitions=NUM_PARTITIONS,
            num_sub_vectors=25 * 8 // num_bits,
            num_bits=num_bits,
            num_threads=2,
        )
        model.save(path)
    return forebay.Model.load(path)


def work_of(arguments: argparse.Namespace, queries: Floats, rows: Floats) -> Callable[[], int]:
    """A round of work; it returns how many queries or rows that were."""
    model = trained(rows, arguments.num_bits)

    def fill(size: int, most: int) -> forebay.Index:
        index = forebay.Index(model)
        for begin in range(0, most, size):
            index.insert(rows[begin : begin + size])
        return index

    if arguments.work == "insert":
        most = min(len(rows), 100 * arguments.rows_per_call)
        return lambda: len(fill(arguments.rows_per_call, most))

    index = fill(10_000, len(rows))
    size = 1 if arguments.work == "single" else len(queries)

    def search() -> int:
        for begin in range(0, len(queries), size):
            index.search(
                queries[begin : begin + size],
                k=10,
                nprobes=arguments.nprobes,
                refine_factor=arguments.refine_factor,
            )
        return len(queries)

    return search


def main() -> int:
    arguments = parse_arguments()
    vectors = unit_vectors()
    work = work_of(arguments, vectors[:NUM_QUERIES], vectors[NUM_QUERIES:])
    print("now", flush=True)
    taken = []
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        count = work()
        taken.append(1e6 * (time.perf_counter() - begin) / count)
    print(f"{np.percentile(taken, 10):.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
