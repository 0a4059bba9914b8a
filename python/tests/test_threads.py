"""The GIL is released, and searches run while rows come in."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import forebay
from conftest import clustered


def wake_ups_during(work: Callable[[], object]) -> int:
    """How often this thread could wake up from a nap while another did `work`."""
    started, finished = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        work()
        finished.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    wake_ups = 0
    while not finished.is_set():
        time.sleep(0.001)
        wake_ups += 1
    thread.join()
    return wake_ups


@pytest.mark.parametrize("what", ["train", "insert", "search"])
def test_gil_is_released(what: str) -> None:
    rows = clustered(100_000, 32, seed=4)
    model = forebay.train(rows[:5000], num_partitions=64, max_iters=2, pq_max_iters=2)
    index = forebay.Index(model)
    if what == "search":
        index.insert(rows)
    batches = [rows] * 6
    work = {
        "train": lambda: forebay.train(rows, num_partitions=256, max_iters=20, num_threads=1),
        "insert": lambda: index.insert_batches(batches),
        "search": lambda: index.search(rows[:2000], 100, nprobes=64),
    }[what]
    # Were the GIL held, there would be one before the call and one after it.
    assert wake_ups_during(work) > 5


@pytest.mark.parametrize(
    "call", ["forebay.train(rows, max_iters=1000)", "live.insert(rows)", "full.search(rows[:500])"]
)
def test_exit_while_a_daemon_thread_works(call: str) -> None:
    """The process ends as usual, whatever the thread was in the middle of."""
    code = f"""
import threading, time, numpy as np, forebay
rows = np.random.default_rng(0).normal(size=(200_000, 32)).astype(np.float32)
model = forebay.train(rows[:3000], num_partitions=64, max_iters=1, pq_max_iters=1)
live, full = forebay.Index(model), forebay.Index(model)
full.insert(rows)
begun = threading.Event()

def work():
    begun.set()
    while True:
        {call}

threading.Thread(target=work, daemon=True).start()
begun.wait()
time.sleep(0.1)
print("done")
"""
    for _ in range(3):
        result = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
        )
        assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_search_while_inserting() -> None:
    rows = clustered(40_000, 32, seed=5)
    model = forebay.train(rows[:5000], num_partitions=64, max_iters=5, pq_max_iters=5)
    index = forebay.Index(model, capacity=16)
    batch = 500
    done = threading.Event()

    def search(seed: int) -> int:
        """Whatever is visible is found with its own vector, and only whole batches are seen."""
        random = np.random.default_rng(seed)
        searches = 0
        while not done.is_set() or searches == 0:
            before = len(index)
            assert before % batch == 0
            if before == 0:
                continue
            chosen = random.integers(before, size=4)
            distances, positions = index.search(rows[chosen], 1, nprobes=8, refine_factor=200)
            assert np.array_equal(positions[:, 0], chosen)
            assert np.all(distances == 0)
            searches += 1
        return searches

    with ThreadPoolExecutor(4) as pool:
        searchers = [pool.submit(search, seed) for seed in range(4)]
        try:
            for i in range(0, len(rows), batch):
                index.insert(rows[i : i + batch])
                assert len(index) == i + batch
        finally:
            done.set()
        assert all(searcher.result() > 0 for searcher in searchers)
    assert index.stats().num_queries == 4 * sum(searcher.result() for searcher in searchers)


def test_second_writer_is_refused() -> None:
    rows = clustered(200_000, 32, seed=6)
    model = forebay.train(rows[:3000], num_partitions=64, max_iters=1, pq_max_iters=1)
    index = forebay.Index(model)
    barrier = threading.Barrier(2)

    def insert() -> str:
        barrier.wait()
        try:
            index.insert(rows)
        except forebay.FailedPreconditionError as error:
            return f"{error.__class__.__bases__[1].__name__}: {error}"
        return "inserted"

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(future.result() for future in [pool.submit(insert) for _ in range(2)])
    assert answers[0].startswith("RuntimeError: another insert is running")
    assert answers[1] == "inserted"
    assert len(index) == len(rows)
