#!/usr/bin/env python3
"""Durable writes: forebay.Table beside the disk, the index alone, SQLite and Lance, in one run.

    pip install . -r bench/requirements.txt
    python bench/fetch_glove.py                       # the data, GloVe-100
    python bench/durable_writes.py                    # minutes
    python bench/durable_writes.py --folder /mnt/ssd  # on another disk

Rounds are interleaved, the best of each counts. A put returns when its rows are durable and can be
found; who they stand beside:

    disk     the bytes that the table's log takes, one write and one fdatasync for each group
    index    forebay.Index: the same rows into memory, with the same model
    sqlite   sqlite-vec's vec0 in SQLite, WAL, synchronous=FULL, a transaction for each group
    lance    an append for each group; Lance leaves the syncing to the system, so a power cut can
             take what it acknowledged

Prints rates, time until a row is found, searches of the fresh rows, recovery, and ratios;
--json FILE keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import lance
import numpy as np
import pyarrow as pa
import sqlite_vec

import forebay
from bench_tables import GLOVE, Floats, Folders, batch_of, load

#: Rows in a group, and groups in a round.
GROUPS = {1: 300, 100: 100, 1_000: 50, 10_000: 10}
#: Rows that are there when single rows are put and searched for.
FRESH_ROWS = 50_000
NUM_QUERIES = 50
K = 10


class System(Protocol):
    """One store of rows in a folder of its own. What it puts is prepared first, untimed."""

    def prepare(self, vectors: Floats, first: int) -> object: ...
    def put(self, prepared: Any) -> None: ...  # noqa: ANN401 - what prepare gives
    def close(self) -> None: ...


class Searchable(System, Protocol):
    def search(self, query: Floats, k: int) -> list[int]: ...


class TableSystem:
    def __init__(self, folder: Path, model: forebay.Model) -> None:
        schema = batch_of(np.zeros((0, model.dim), np.float32), 0).schema
        self.table = forebay.Table.create(
            folder / "table", schema, vector="vector", primary_key="id", model=model
        )

    def prepare(self, vectors: Floats, first: int) -> pa.RecordBatch:
        return batch_of(vectors, first)

    def put(self, prepared: pa.RecordBatch) -> None:
        self.table.put(prepared)

    def search(self, query: Floats, k: int) -> list[int]:
        found = self.table.search(query, k, nprobes=64)
        return list(found.column("id").to_pylist())

    def close(self) -> None:
        self.table.close()


class DiskSystem:
    """Writes as many bytes as the table's log takes for such a group, and syncs."""

    def __init__(self, folder: Path, bytes_of: Callable[[int], int]) -> None:
        self.file = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.bytes_of = bytes_of
        self.payload = np.random.default_rng(1).bytes(bytes_of(max(GROUPS)))

    def prepare(self, vectors: Floats, first: int) -> bytes:  # noqa: ARG002
        return self.payload[: self.bytes_of(len(vectors))]

    def put(self, prepared: bytes) -> None:
        os.write(self.file, prepared)
        os.fdatasync(self.file)

    def close(self) -> None:
        os.close(self.file)


class IndexSystem:
    def __init__(self, _folder: Path, model: forebay.Model) -> None:
        self.index = forebay.Index(model)

    def prepare(self, vectors: Floats, first: int) -> Floats:  # noqa: ARG002
        return vectors

    def put(self, prepared: Floats) -> None:
        self.index.insert(prepared)

    def close(self) -> None:
        pass


class SqliteSystem:
    def __init__(self, folder: Path, dim: int) -> None:
        self.connection = sqlite3.connect(folder / "vectors.db", isolation_level=None)
        self.connection.enable_load_extension(True)
        sqlite_vec.load(self.connection)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(
            f"CREATE VIRTUAL TABLE rows USING vec0(id INTEGER PRIMARY KEY, vector FLOAT[{dim}])"
        )

    def prepare(self, vectors: Floats, first: int) -> list[tuple[int, bytes]]:
        return [(first + i, row.tobytes()) for i, row in enumerate(vectors)]

    def put(self, prepared: list[tuple[int, bytes]]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO rows(id, vector) VALUES (?, ?)", prepared)
        self.connection.execute("COMMIT")

    def search(self, query: Floats, k: int) -> list[int]:
        found = self.connection.execute(
            "SELECT id FROM rows WHERE vector MATCH ? AND k = ? ORDER BY distance",
            (query.tobytes(), k),
        )
        return [row[0] for row in found]

    def close(self) -> None:
        self.connection.close()


class LanceSystem:
    def __init__(self, folder: Path, dim: int) -> None:
        empty = batch_of(np.zeros((0, dim), np.float32), 0)
        self.path = str(folder / "rows.lance")
        self.dataset = lance.write_dataset(pa.Table.from_batches([empty]), self.path)

    def prepare(self, vectors: Floats, first: int) -> pa.Table:
        return pa.Table.from_batches([batch_of(vectors, first)])

    def put(self, prepared: pa.Table) -> None:
        self.dataset = lance.write_dataset(prepared, self.dataset, mode="append")

    def search(self, query: Floats, k: int) -> list[int]:
        nearest = {"column": "vector", "q": query, "k": k}
        return list(self.dataset.to_table(columns=["id"], nearest=nearest)["id"].to_pylist())

    def close(self) -> None:
        pass


def groups(vectors: Floats, size: int, count: int) -> Iterator[tuple[Floats, int]]:
    for i in range(count):
        first = i * size
        rows = np.take(vectors, range(first, first + size), axis=0, mode="wrap")
        yield rows, first


def put_all(system: System, vectors: Floats, size: int, count: int) -> float:
    """Seconds."""
    prepared = [system.prepare(rows, first) for rows, first in groups(vectors, size, count)]
    start = time.perf_counter()
    for rows in prepared:
        system.put(rows)
    return time.perf_counter() - start


def log_bytes(model: forebay.Model, folders: Folders) -> Callable[[int], int]:
    """How many bytes the table's log takes for a group of so many rows."""
    measured: dict[int, int] = {}
    for size in GROUPS:
        system = TableSystem(folders.new(), model)
        before = system.table.stats().wal_bytes
        system.put(system.prepare(np.ones((size, model.dim), np.float32), 0))
        measured[size] = system.table.stats().wal_bytes - before
        system.close()
    return measured.__getitem__


def measure_puts(
    kinds: dict[str, Callable[[Path], System]], vectors: Floats, rounds: int, folders: Folders
) -> dict[int, dict[str, float]]:
    """Rows/s, by rows in a group and system."""
    best: dict[int, dict[str, float]] = {size: {} for size in GROUPS}
    for size, count in GROUPS.items():
        for _ in range(rounds):
            for name, make in kinds.items():
                folder = folders.new()
                system = make(folder)
                rate = size * count / put_all(system, vectors, size, count)
                system.close()
                shutil.rmtree(folder)
                best[size][name] = max(rate, best[size].get(name, 0.0))
        print(f"put, {size} rows a call: " + rates(best[size]), flush=True)
    return best


def rates(by_system: dict[str, float]) -> str:
    return ", ".join(f"{name} {rate:,.0f}" for name, rate in by_system.items()) + " rows/s"


def measure_fresh(
    kinds: dict[str, Callable[[Path], Searchable]],
    vectors: Floats,
    queries: Floats,
    folders: Folders,
) -> dict[str, dict[str, float]]:
    """Of FRESH_ROWS rows: milliseconds until a new row is found, and for a search; recall."""
    rows = vectors[:FRESH_ROWS]
    nearest = np.argsort(((rows[None] - queries[:, None]) ** 2).sum(axis=2), axis=1)[:, :K]
    systems = {name: make(folders.new()) for name, make in kinds.items()}
    figures: dict[str, dict[str, float]] = {}
    for system in systems.values():
        put_all(system, rows, 1_000, FRESH_ROWS // 1_000)
    times: dict[str, dict[str, list[float]]] = {n: {"visible": [], "search": []} for n in systems}
    hits = dict.fromkeys(systems, 0)
    for i, query in enumerate(queries):
        for name, system in systems.items():
            start = time.perf_counter()
            found = system.search(query, K)
            times[name]["search"].append(time.perf_counter() - start)
            hits[name] += len(set(found) & set(nearest[i].tolist()))
    for i, query in enumerate(queries):
        for name, system in systems.items():
            prepared = system.prepare(query[None], FRESH_ROWS + i)
            start = time.perf_counter()
            system.put(prepared)
            found = system.search(query, 1)
            times[name]["visible"].append(time.perf_counter() - start)
            assert found == [FRESH_ROWS + i], f"{name}: a row that was put is not found"
    for name, system in systems.items():
        system.close()
        figures[name] = {
            "visible_ms": 1e3 * float(np.median(times[name]["visible"])),
            "search_ms": 1e3 * float(np.median(times[name]["search"])),
            "recall": hits[name] / (K * len(queries)),
        }
        print(f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in figures[name].items()))
    return figures


def measure_recovery(model: forebay.Model, vectors: Floats, folders: Folders) -> dict[str, float]:
    """Rows/s that an opening replays, and that the index takes, both 1,000 at once."""
    rates_of: dict[str, float] = {"recovery": 0.0, "index": 0.0}
    folder = folders.new()
    table = TableSystem(folder, model)
    count = len(vectors) // 1_000
    put_all(table, vectors, 1_000, count)
    table.close()
    for _ in range(3):
        start = time.perf_counter()
        opened = forebay.Table.open(folder / "table")
        rates_of["recovery"] = max(
            rates_of["recovery"], count * 1_000 / (time.perf_counter() - start)
        )
        opened.close()
        seconds = put_all(IndexSystem(folder, model), vectors, 1_000, count)
        rates_of["index"] = max(rates_of["index"], count * 1_000 / seconds)
    print("recovery: " + rates(rates_of))
    return rates_of


def ratios(
    puts: dict[int, dict[str, float]],
    fresh: dict[str, dict[str, float]],
    recovery: dict[str, float],
) -> dict[str, float]:
    ratio: dict[str, float] = {}
    for size, by_system in puts.items():
        table = by_system["table"]
        ratio[f"put/{size}/disk"] = table / by_system["disk"]
        ratio[f"put/{size}/slower of disk and index"] = table / min(
            by_system["disk"], by_system["index"]
        )
        for peer in ("sqlite", "lance"):
            ratio[f"put/{size}/{peer}"] = table / by_system[peer]
    for peer in ("sqlite", "lance"):
        ratio[f"visible/{peer}"] = fresh[peer]["visible_ms"] / fresh["table"]["visible_ms"]
        ratio[f"search/{peer}"] = fresh[peer]["search_ms"] / fresh["table"]["search_ms"]
    ratio["recovery/index"] = recovery["recovery"] / recovery["index"]
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description="Durable writes, beside the disk and others.")
    parser.add_argument("--data", type=Path, default=GLOVE, help="a .npy file of float32 vectors")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    if not arguments.data.exists():
        parser.error(f"{arguments.data} is not there; python bench/fetch_glove.py gets GloVe")
    vectors = load(arguments.data)
    queries, vectors = vectors[:NUM_QUERIES], vectors[NUM_QUERIES : NUM_QUERIES + 200_000]
    model = forebay.train(vectors, num_partitions=512, num_sub_vectors=25, progress=False)
    folders = Folders(arguments.folder)
    try:
        bytes_of = log_bytes(model, folders)
        searchable: dict[str, Callable[[Path], Any]] = {
            "table": lambda folder: TableSystem(folder, model),
            "sqlite": lambda folder: SqliteSystem(folder, model.dim),
            "lance": lambda folder: LanceSystem(folder, model.dim),
        }
        yardsticks: dict[str, Callable[[Path], Any]] = {
            "disk": lambda folder: DiskSystem(folder, bytes_of),
            "index": lambda folder: IndexSystem(folder, model),
        }
        puts = measure_puts(searchable | yardsticks, vectors, arguments.rounds, folders)
        fresh = measure_fresh(searchable, vectors, queries, folders)
        recovery = measure_recovery(model, vectors[:100_000], folders)
    finally:
        folders.remove()
    figures = {
        "ratios": ratios(puts, fresh, recovery),
        "put_rows_per_s": puts,
        "fresh": fresh,
        "recovery_rows_per_s": recovery,
    }
    print("\nratios, table to the other (more is better):")
    for name, ratio in figures["ratios"].items():
        print(f"  {name:45} {ratio:8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
