"""The process that holds one system. What is timed is timed here."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from comparison.datasets import Dataset, Floats, Ids, Mask, recall
from comparison.plan import FLAT_OUT
from comparison.systems import Setting, Shape, System, all_kinds

BUILD_BATCH = 10_000
FLAT_OUT_BATCH = 1_000
TICK_SECONDS = 0.01  #: A paced writer inserts so often.
WARM_UP_QUERIES = 20
#: A thread that holds Python's lock gives it up after so long: a hundredth of the default, as the
#: latency of a search beside a writer is what is measured, not the interpreter's fairness.
SWITCH_SECONDS = 0.00005

Nanoseconds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """Which system a worker holds, and on what."""

    system: str
    shape: Shape
    dataset: Dataset
    num_rows: int
    k: int

    @property
    def model_path(self) -> Path:
        """Where what was trained is kept for the other processes."""
        return self.dataset.folder / f"{self.system}-{self.num_rows}.model"


class AlternatingLock:
    """Excludes calls from each other; who waits comes before who just had it."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._work = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._next:
            self._work.acquire()
        try:
            yield
        finally:
            self._work.release()


class NoLock:
    """For systems that may be searched while they are written to."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        yield


class Worker:
    """The measurements of one system. Public methods are called from the parent process."""

    def __init__(self, job: Job) -> None:
        self._kind = all_kinds()[job.system]
        self._job = job
        self._base: Floats = job.dataset.base[: job.num_rows]
        self._queries: Floats = np.array(job.dataset.queries)
        self._k = job.k
        self._system: System = self._kind.make(job.shape)
        self._threads = 1
        self._num_inserted = 0

    # --- Preparing ---------------------------------------------------------------------------

    def simd(self) -> str | None:
        return self._system.simd()

    def train(self, num_threads: int) -> float:
        """Seconds."""
        self._system.set_threads(num_threads)
        begin = time.perf_counter()
        self._system.train(self._base, self._job.model_path)
        return time.perf_counter() - begin

    def build(self, num_threads: int, keep_vectors: bool = True) -> dict[str, float]:
        """Inserts all rows. How long it took, and by how much the process's memory grew."""
        system = self._open(keep_vectors=keep_vectors)
        system.set_threads(num_threads)
        before = resident_bytes()
        begin = time.perf_counter()
        for batch in batches(self._base, BUILD_BATCH):
            system.insert(batch)
        seconds = time.perf_counter() - begin
        self._use(system)
        return {"seconds": seconds, "bytes": resident_bytes() - before}

    def set_threads(self, num_threads: int) -> None:
        self._threads = num_threads
        self._system.set_threads(num_threads)

    def _open(self, capacity: int | None = None, *, keep_vectors: bool = True) -> System:
        """A fresh, empty index."""
        system = self._kind.make(self._job.shape)
        system.open(self._job.model_path, capacity or len(self._base), keep_vectors)
        system.set_threads(self._threads)
        return system

    def _use(self, system: System) -> None:
        self._system = system
        self._num_inserted = len(self._base)
        system.set_threads(self._threads)

    # --- Searching ---------------------------------------------------------------------------

    def survey(
        self, settings: list[Setting], exact: str, limit_us: float
    ) -> list[tuple[float, float]]:
        """Recall and microseconds a query in a batch; ends where effort brings no more, or with
        the first setting beyond the limit.

        With all queries: a setting that is chosen because it reaches a recall then does reach it.
        """
        points: list[tuple[float, float]] = []
        for setting in settings:
            figures = self.search_batch(setting, exact)
            points.append((figures["recall"], figures["mean_us"]))
            enough = figures["recall"] > 0.99 or figures["mean_us"] > limit_us
            if enough or stagnates([point[0] for point in points]):
                break
        return points

    def search_batch(self, setting: Setting, exact: str) -> dict[str, float]:
        queries = self._queries
        self._system.tune(setting, None)
        self._system.search(queries[:WARM_UP_QUERIES], self._k)
        begin = time.perf_counter()
        answer = self._system.search(queries, self._k)
        seconds = time.perf_counter() - begin
        found = self._system.ids(answer, self._k)
        return {
            "recall": recall(found, self._job.dataset.load(exact)),
            "mean_us": 1e6 * seconds / len(queries),
        }

    def search_single(
        self,
        setting: Setting,
        exact: str,
        allowed: str | None = None,
        num_queries: int | None = None,
    ) -> dict[str, float]:
        mask: Mask | None = None
        if allowed is not None:
            mask = np.array(self._job.dataset.load(allowed))
        self._system.tune(setting, mask)
        queries = self._queries[:num_queries]
        self._time_each(queries[:WARM_UP_QUERIES])
        taken, found = self._time_each(queries)
        self._system.tune(setting, None)
        expected = self._job.dataset.load(exact)[: len(queries)]
        return {"recall": recall(found, expected), **summary_us(taken)}

    def _time_each(self, queries: Floats) -> tuple[Nanoseconds, Ids]:
        """Queries in calls of their own."""
        search, k = self._system.search, self._k
        rows = [queries[i : i + 1] for i in range(len(queries))]
        answers, taken = [], []
        for row in rows:
            begin = time.perf_counter_ns()
            answer = search(row, k)
            taken.append(time.perf_counter_ns() - begin)
            answers.append(answer)
        found = np.concatenate([self._system.ids(answer, k) for answer in answers])
        return np.array(taken), found

    # --- Writing -----------------------------------------------------------------------------

    def ingest(self, rows_per_call: int, num_rows: int, seconds: float) -> dict[str, float]:
        """Rows a second into an empty index, until the rows or the time are used up."""
        rows = self._base[:num_rows]
        rows.sum()  # The file is read before the clock runs.
        system = self._open(capacity=len(rows))
        taken = written = 0
        limit = int(1e9 * seconds)
        for batch in batches(rows, rows_per_call):
            begin = time.perf_counter_ns()
            system.insert(batch)
            taken += time.perf_counter_ns() - begin
            written += len(batch)
            if taken > limit:
                break
        return {"rows": written, "rows_per_s": 1e9 * written / taken}

    def visible(self, setting: Setting, rows_per_call: int, repeats: int) -> dict[str, float]:
        """Time of an insert, and whether the first search after it sees its last row."""
        fresh = self._fresh_rows(rows_per_call * repeats)
        self._renew(len(fresh))
        self._system.tune(setting, None)
        taken, seen = [], 0
        for batch in batches(fresh, rows_per_call):
            begin = time.perf_counter_ns()
            self._system.insert(batch)
            taken.append(time.perf_counter_ns() - begin)
            self._num_inserted += len(batch)
            found = self._system.ids(self._system.search(batch[-1:], self._k), self._k)
            seen += int(self._num_inserted - 1 in found)
        return {"seen": seen / repeats, **summary_us(np.array(taken))}

    def _fresh_rows(self, count: int) -> Floats:
        """Rows near those of the data, and equal to none."""
        random = np.random.default_rng(self._num_inserted)
        rows = self._base[random.integers(len(self._base), size=count)]
        spread = 0.1 * float(self._base[:1000].std())
        moved: Floats = (rows + spread * random.normal(size=rows.shape)).astype(np.float32)
        return moved

    def _renew(self, num_more: int) -> None:
        """Room for so many more rows, in the index as built if much was written since."""
        if self._kind.family == "ivf" and self._num_inserted > 1.1 * len(self._base):
            self.build(num_threads=len(os.sched_getaffinity(0)))
        self._system.reserve(self._num_inserted + num_more)

    # --- Both at once ------------------------------------------------------------------------

    def stream(self, setting: Setting, rate: int, seconds: float) -> dict[str, float]:
        """One thread searches, one query a call, while another inserts `rate` rows a second.

        Python's lock is no part of the p99: a writer that inserts nothing, but wakes as often and
        has the lock for 20 us, leaves it as it is. Real inserts have it for less, as their rows
        are prepared; what a library does while it keeps the lock is its own.
        """
        self._renew(len(self._base))
        self._system.tune(setting, None)
        self._time_each(self._queries[:WARM_UP_QUERIES])
        lock = NoLock() if self._kind.concurrent else AlternatingLock()
        writer = Writer(self._system, self._base, lock, rate, seconds)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            writer.thread.start()
            taken = self._search_beside(writer, time.perf_counter() + seconds, lock)
            writer.thread.join()
        finally:
            sys.setswitchinterval(interval)
        if writer.error is not None:
            raise writer.error
        self._num_inserted += writer.num_rows
        return {"queries": len(taken), **summary_us(taken), **writer.figures()}

    def _search_beside(
        self, writer: Writer, deadline: float, lock: AlternatingLock | NoLock
    ) -> Nanoseconds:
        """Not longer than it writes: searches beside nothing would make its p99 look better."""
        rows = [self._queries[i : i + 1] for i in range(len(self._queries))]
        taken: list[int] = []
        while not taken or (time.perf_counter() < deadline and not writer.used_up):
            row = rows[len(taken) % len(rows)]
            begin = time.perf_counter_ns()
            with lock.hold():
                self._system.search(row, self._k)
            taken.append(time.perf_counter_ns() - begin)
        return np.array(taken)


class Writer:
    """The inserting thread. It stops early when it has doubled the index.

    All rows are read and cut into batches beforehand: what a client writes is in memory.
    """

    def __init__(
        self,
        system: System,
        rows: Floats,
        lock: AlternatingLock | NoLock,
        rate: int,
        seconds: float,
    ) -> None:
        self.thread = threading.Thread(target=self._run)
        self.num_rows = 0
        self.used_up = False  #: Whether there is nothing left to write, before the time is over.
        self.error: Exception | None = None
        self._system = system
        self._lock = lock
        self._paced = rate != FLAT_OUT
        size = max(1, round(rate * TICK_SECONDS)) if self._paced else FLAT_OUT_BATCH
        # One tick more than there is time for, as it is the time that ends it.
        num_wanted = round(rate * (seconds + TICK_SECONDS)) if self._paced else len(rows)
        self._batches = list(batches(np.array(rows[:num_wanted]), size))
        self._seconds = seconds
        self._taken: list[int] = []
        self._elapsed = seconds

    def figures(self) -> dict[str, float]:
        if not self._taken:
            return {"rows": 0, "rows_per_s": 0.0}
        figures = {f"write_{name}": value for name, value in summary_us(self._taken).items()}
        return {"rows": self.num_rows, "rows_per_s": self.num_rows / self._elapsed, **figures}

    def _run(self) -> None:
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - it is raised again in the main thread
            self.error = error

    def _write(self) -> None:
        start = time.perf_counter()
        for call, batch in enumerate(self._batches):
            if self._paced:
                time.sleep(max(0.0, start + call * TICK_SECONDS - time.perf_counter()))
            if time.perf_counter() - start >= self._seconds:
                break
            begin = time.perf_counter_ns()
            with self._lock.hold():
                self._system.insert(batch)
            self._taken.append(time.perf_counter_ns() - begin)
            self.num_rows += len(batch)
        else:
            self.used_up = bool(self._batches)
        self._elapsed = time.perf_counter() - start


def batches(rows: Floats, size: int) -> Iterator[Floats]:
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def stagnates(recalls: list[float]) -> bool:
    """Whether the last two steps brought next to nothing."""
    return len(recalls) > 3 and recalls[-1] > 0.5 and recalls[-1] - recalls[-3] < 0.002


def summary_us(taken: Nanoseconds | list[int]) -> dict[str, float]:
    """Mean and percentiles of nanoseconds, in microseconds."""
    times = np.asarray(taken) / 1e3
    p50, p99 = np.percentile(times, [50, 99])
    return {"mean_us": float(times.mean()), "p50_us": float(p50), "p99_us": float(p99)}


def resident_bytes() -> int:
    """Memory of this process that no file backs, after what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    kilobytes = sum(
        int(line.split()[1])
        for line in status.splitlines()
        if line.startswith(("RssAnon:", "RssShmem:"))
    )
    return 1024 * kilobytes


def receive(connection: Connection) -> tuple[str, dict[str, Any]] | None:
    """The next request; None at the end, also if the parent is gone."""
    try:
        request: tuple[str, dict[str, Any]] | None = connection.recv()
    except EOFError:
        return None
    return request


def serve(connection: Connection, job: Job) -> None:
    """Answers requests (method, arguments) by ("ok", result) or ("error", text), until None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides.
    worker: Worker | None = None
    while (request := receive(connection)) is not None:
        method, arguments = request
        try:
            if worker is None:
                worker = Worker(job)
            answer: Any = getattr(worker, method)(**arguments)
        except Exception as error:  # noqa: BLE001 - it is reported, and the run goes on
            trace = "".join(traceback.format_exception(error))
            connection.send(("error", trace))
        else:
            connection.send(("ok", answer))
