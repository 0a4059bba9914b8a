#!/usr/bin/env python3
"""Generations of a forebay.Table: searches over many of them, flushes, merges, space, opening.

    pip install . -r bench/requirements.txt
    python bench/fetch_glove.py                     # the data, GloVe-100
    python bench/generations.py                     # minutes
    python bench/generations.py --folder /mnt/ssd   # on another disk

Prints, and with --json FILE keeps:

    search     a MemTable and eight generations beside one merged generation, interleaved
    merge      rows/s, where codes are copied and where all rows are encoded anew for another model;
               and rows/s of forebay.Index, which only encodes them
    bytes      written for each byte of rows (log, flushes, merges), and in the files afterwards
    open       seconds for a table of --open-rows rows of 128 dimensions, with checksums and without
    p99        of searches while 10,000 rows a second are put and the table is flushed and merged
               without end, beside the same table at rest; and while rows are put as fast as it goes
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import forebay
from bench_tables import GLOVE, Floats, Folders, batch_of, load

NUM_GENERATIONS = 8
ROWS_A_PUT = 1_000
NUM_QUERIES = 500
K = 10
NPROBES = 50
#: What the ratios should be: at most, or, below 0, at least.
AIMS = {
    ("search", "ratio"): 2.0,
    ("p99", "ratio"): 3.0,
    ("merge", "copied to encoded anew"): -5.0,
}
#: While searches are timed that flushes and merges might slow down.
ROWS_A_SECOND = 10_000
SECONDS = 15


def batches_of(vectors: Floats, first: int, num_rows: int = ROWS_A_PUT) -> list[pa.RecordBatch]:
    """Of num_rows each."""
    starts = range(0, len(vectors), num_rows)
    return [batch_of(vectors[i : i + num_rows], first + i) for i in starts]


def fill(table: forebay.Table, vectors: Floats, first: int = 0) -> None:
    for batch in batches_of(vectors, first):
        table.put(batch)


def make(folder: Path, model: forebay.Model, **options: int) -> forebay.Table:
    schema = batch_of(np.zeros((0, model.dim), np.float32), 0).schema
    return forebay.Table.create(
        folder / "table",
        schema,
        vector="vector",
        primary_key="id",
        metric="cosine",
        model=model,
        sync="none",
        **{"merge_fan_in": 0, **options},  # type: ignore[arg-type]
    )


def in_generations(folder: Path, model: forebay.Model, vectors: Floats) -> forebay.Table:
    """A MemTable and NUM_GENERATIONS generations, all of one size."""
    table = make(folder, model)
    size = len(vectors) // (NUM_GENERATIONS + 1)
    for i in range(NUM_GENERATIONS + 1):
        if i > 0:
            table.flush()
        fill(table, vectors[i * size : (i + 1) * size], i * size)
    return table


def search_times(table: forebay.Table, queries: Floats) -> Floats:
    """Seconds of each query."""
    times = np.zeros(len(queries), np.float32)
    for i, query in enumerate(queries):
        start = time.perf_counter()
        table.search(query, K, nprobes=NPROBES)
        times[i] = time.perf_counter() - start
    return times


def measure_search(
    model: forebay.Model, vectors: Floats, queries: Floats, rounds: int, folders: Folders
) -> dict[str, float]:
    many = in_generations(folders.new(), model, vectors)
    one = in_generations(folders.new(), model, vectors)
    one.flush()
    one.merge()
    best = {"many": np.inf, "one": np.inf}
    for _ in range(rounds):
        for name, table in (("many", many), ("one", one)):
            best[name] = min(best[name], float(np.median(search_times(table, queries))))
    many.close()
    one.close()
    return {
        "memtable and 8 generations, us": 1e6 * best["many"],
        "one generation, us": 1e6 * best["one"],
        "ratio": best["many"] / best["one"],
    }


def put_at(table: forebay.Table, batches: list[pa.RecordBatch], rows_per_second: float) -> None:
    """As many as come in each second, batch after batch."""
    start = time.perf_counter()
    for i, batch in enumerate(batches):
        time.sleep(max(0.0, start + i * batch.num_rows / rows_per_second - time.perf_counter()))
        table.put(batch)


def search_while(table: forebay.Table, queries: Floats, thread: threading.Thread) -> list[float]:
    """Seconds of each query, one after the other, until the thread has ended."""
    times: list[float] = []
    thread.start()
    while thread.is_alive():
        times.extend(search_times(table, queries[:50]).tolist())
    thread.join()
    return times


def measure_p99(
    model: forebay.Model, vectors: Floats, queries: Floats, folders: Folders
) -> dict[str, float]:
    size = len(vectors) // 2
    table = make(folders.new(), model)
    fill(table, vectors[:size])
    table.flush()
    rest = search_times(table, np.concatenate([queries] * 8))
    more = vectors[size:]
    merges = 0

    def flush_and_merge() -> None:
        """Every search of the time falls into a flush or a merge of all rows."""
        nonlocal merges
        some = batches_of(more[: SECONDS * ROWS_A_SECOND], size, ROWS_A_SECOND // 100)
        writer = threading.Thread(target=put_at, args=(table, some, ROWS_A_SECOND))
        writer.start()
        while writer.is_alive():
            table.flush()
            table.merge()
            merges += 1
        writer.join()

    busy = search_while(table, queries, threading.Thread(target=flush_and_merge))
    table.flush()
    table.merge()
    rest = np.concatenate([rest, search_times(table, np.concatenate([queries] * 8))])
    table.close()
    # And where rows come as fast as they are taken: more threads than processors, mostly.
    table = make(folders.new(), model, max_memtable_rows=size // 16, merge_fan_in=4)
    fill(table, vectors[:size])
    flushes = table.stats().num_flushes
    writer = threading.Thread(target=put_at, args=(table, batches_of(more, size), np.inf))
    full = search_while(table, queries, writer)
    flushes = table.stats().num_flushes - flushes
    table.close()
    p99 = {
        name: 1e6 * float(np.quantile(times, 0.99))
        for name, times in (("rest", rest), ("busy", busy), ("full", full))
    }
    return {
        "at rest, us": p99["rest"],
        "while it is flushed and merged, us": p99["busy"],
        "ratio": p99["busy"] / p99["rest"],
        "searches": len(busy),
        "flushes and merges of all": merges,
        "and rows put as fast as it goes, us": p99["full"],
        "ratio of that": p99["full"] / p99["rest"],
        "its flushes": flushes,
    }


def measure_merge(
    model: forebay.Model, other: forebay.Model, vectors: Floats, rounds: int, folders: Folders
) -> dict[str, float]:
    best = {"copied": 0.0, "encoded": 0.0, "index": 0.0}

    def merged(table: forebay.Table) -> float:
        table.flush()
        os.sync()  # What filling it has left to be written is not the merge's.
        start = time.perf_counter()
        table.merge()
        return len(vectors) / (time.perf_counter() - start)

    for _ in range(rounds):
        table = in_generations(folders.new(), model, vectors)
        best["copied"] = max(best["copied"], merged(table))
        table.close()
        # The same rows in generations of another model than the table has now.
        table = in_generations(folders.new(), other, vectors)
        table.flush()
        table.train(num_partitions=model.num_partitions, num_sub_vectors=model.num_sub_vectors)
        best["encoded"] = max(best["encoded"], merged(table))
        table.close()
        index = forebay.Index(model, keep_vectors=False)
        start = time.perf_counter()
        for begin in range(0, len(vectors), 10_000):
            index.insert(vectors[begin : begin + 10_000])
        best["index"] = max(best["index"], len(vectors) / (time.perf_counter() - start))
    return {
        "codes copied, rows/s": best["copied"],
        "encoded anew, rows/s": best["encoded"],
        "encoded by an index, rows/s": best["index"],
        "copied to encoded anew": best["copied"] / best["encoded"],
        "copied to index": best["copied"] / best["index"],
    }


def bytes_written() -> int:
    """By this process, as the system counts."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/io has no wchar")


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*"))


def measure_bytes(model: forebay.Model, vectors: Floats, folders: Folders) -> dict[str, float]:
    folder = folders.new()
    rows = vectors.nbytes + 8 * len(vectors)  # And the key.
    table = make(folder, model, max_memtable_rows=len(vectors) // 32, merge_fan_in=4)
    before = bytes_written()
    fill(table, vectors)
    table.flush()
    table.close()  # After the merge that goes on.
    written = bytes_written() - before
    table = forebay.Table.open(folder / "table")
    table.merge()
    table.close()
    return {
        "written for each byte of rows": written / rows,
        "in files for each byte of rows, merged": size_of(folder) / rows,
    }


def random_rows(num_rows: int, dim: int) -> Iterator[Floats]:
    generator = np.random.default_rng(2)
    for begin in range(0, num_rows, 100_000):
        count = min(100_000, num_rows - begin)
        yield generator.standard_normal((count, dim), dtype=np.float32)


def measure_open(num_rows: int, folders: Folders) -> dict[str, float]:
    folder = folders.new()
    sample = next(random_rows(100_000, 128))
    model = forebay.train(
        sample, num_partitions=1024, num_sub_vectors=32, metric="cosine", progress=False
    )
    table = make(folder, model)
    first = 0
    for rows in random_rows(num_rows, 128):
        fill(table, rows, first)
        first += len(rows)
        table.flush()
    table.merge()
    table.close()
    seconds: dict[str, float] = {}
    for verify in (True, False):
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            table = forebay.Table.open(folder / "table", verify_on_open=verify)
            best = min(best, time.perf_counter() - start)
            table.close()
        seconds["with checksums, s" if verify else "without, s"] = float(best)
    return {"rows": num_rows, **seconds}


def verdict(aim: float | None, value: float) -> str:
    if aim is None:
        return ""
    good = value >= -aim if aim < 0 else value <= aim
    return f"  {'ok' if good else 'MISSED'}: {'at least' if aim < 0 else 'at most'} {abs(aim):g}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Generations: searches, flushes, merges, space.")
    parser.add_argument("--data", type=Path, default=GLOVE, help="a .npy file of float32 vectors")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--open-rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    if not arguments.data.exists():
        parser.error(f"{arguments.data} is not there; python bench/fetch_glove.py gets GloVe")
    vectors = load(arguments.data)
    queries, vectors = vectors[:NUM_QUERIES], vectors[NUM_QUERIES:]
    model, other = (
        forebay.train(
            vectors,
            num_partitions=1024,
            num_sub_vectors=25,
            metric="cosine",
            seed=seed,
            progress=False,
        )
        for seed in (1, 2)
    )
    figures: dict[str, dict[str, float]] = {}
    folders = Folders(arguments.folder)

    def keep(name: str, measured: dict[str, float]) -> None:
        figures[name] = measured
        print(f"{name}:")
        for key, value in measured.items():
            print(f"  {key:45} {value:12,.3f}{verdict(AIMS.get((name, key)), value)}")

    try:
        keep("search", measure_search(model, vectors, queries, arguments.rounds, folders))
        keep("merge", measure_merge(model, other, vectors, arguments.rounds, folders))
        keep("bytes", measure_bytes(model, vectors, folders))
        keep("open", measure_open(arguments.open_rows, folders))
        # Last: it writes gigabytes, after which a disk may be slow for a while.
        keep("p99", measure_p99(model, vectors, queries, folders))
    finally:
        folders.remove()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
