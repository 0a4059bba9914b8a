"""forebay.train: defaults, reproducibility, progress, interruption, errors."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

import forebay
from conftest import Floats, clustered


@pytest.mark.parametrize(
    ("num_rows", "dim", "num_bits", "num_partitions", "num_sub_vectors"),
    [
        (300, 16, 8, 16, 4),
        (3000, 100, 8, 64, 25),
        (3000, 96, 4, 64, 48),
        (600, 26, 8, 32, 13),
        (600, 7, 8, 32, 1),
        (20, 6, 4, 4, 2),
    ],
)
def test_defaults(
    num_rows: int, dim: int, num_bits: int, num_partitions: int, num_sub_vectors: int
) -> None:
    rows = clustered(num_rows, dim, seed=3)
    model = forebay.train(rows, num_bits=num_bits, max_iters=1, pq_max_iters=1)
    assert (model.num_partitions, model.num_sub_vectors) == (num_partitions, num_sub_vectors)
    assert (model.dim, model.num_bits, model.metric, model.residual) == (dim, num_bits, "l2", True)


def test_dot_is_raw(vectors: Floats) -> None:
    assert not forebay.train(vectors, metric="dot", max_iters=1, pq_max_iters=1).residual


def test_threads_and_types_change_nothing(vectors: Floats, model: forebay.Model) -> None:
    options: dict[str, Any] = {"num_partitions": 16, "num_sub_vectors": 8, "max_iters": 5}
    for same in (vectors.astype(np.float64), vectors.tolist()):
        assert forebay.train(same, num_threads=3, **options) == model
    assert forebay.train(vectors, seed=2, **options) != model


def test_progress_calls(vectors: Floats) -> None:
    calls: list[tuple[int, int]] = []
    forebay.train(
        vectors,
        num_sub_vectors=4,
        max_iters=3,
        pq_max_iters=2,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert {total for _, total in calls} == {3 + 4 * 2}
    done = [done for done, _ in calls]
    assert done == sorted(set(done))  # No step is reported twice.
    assert done[-1] == 11


def test_progress_bar(vectors: Floats, capsys: pytest.CaptureFixture[str]) -> None:
    forebay.train(vectors, max_iters=2, pq_max_iters=2, progress=True)
    shown = capsys.readouterr().err
    assert "training: 100%" in shown
    forebay.train(vectors, max_iters=2, pq_max_iters=2)
    assert capsys.readouterr().err == ""


def test_no_tqdm(vectors: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    really_import = builtins.__import__

    def refuse_tqdm(name: str, *rest: Any) -> Any:
        if name.startswith("tqdm"):
            raise ImportError(name)
        return really_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse_tqdm)
    forebay.train(vectors, max_iters=1, pq_max_iters=1, progress=True)


def test_no_progress() -> None:
    """tqdm takes time to import, which only those who want a bar shall spend."""
    code = """
import sys, numpy as np, forebay
forebay.train(np.eye(300, 8, dtype=np.float32), progress=None, max_iters=1, pq_max_iters=1)
print("tqdm" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout == "False\n"


def test_callback_stops(vectors: Floats) -> None:
    calls = 0

    def stop(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        raise KeyError(f"{done} of {total} is enough")

    with pytest.raises(KeyError, match="of 400 is enough"):
        forebay.train(vectors, num_sub_vectors=4, max_iters=200, pq_max_iters=50, progress=stop)
    assert calls == 1


INTERRUPTED = """
import signal, numpy as np, forebay
signal.signal(signal.SIGINT, signal.default_int_handler)  # Background jobs may ignore it.
rows = np.random.default_rng(0).normal(size=(100_000, 32)).astype(np.float32)
print("training", flush=True)
for i in range(1_000_000):  # No single training is sure to take long enough.
    forebay.train(rows, num_partitions=512, max_iters=1_000, sample_rate=10_000, seed=i)
"""


def test_ctrl_c() -> None:
    """No Python code runs meanwhile, so that train itself has to look for signals."""
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        time.sleep(1)  # Either way it is in train, or about to be.
        os.kill(process.pid, signal.SIGINT)
        try:
            _, error = process.communicate(timeout=120)
        finally:
            process.kill()
        assert error.rstrip().endswith("KeyboardInterrupt"), (process.returncode, error)
        assert "in train" in error


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"num_partitions": 0}, ValueError, "num_partitions must be from 1 to .*; got 0"),
        ({"num_partitions": 1.5}, TypeError, "num_partitions must be an integer; got 1.5"),
        ({"num_partitions": True}, TypeError, "num_partitions must be an integer; got True"),
        ({"num_partitions": 3001}, ValueError, r"partitions \(3001\).* got 3000"),
        ({"num_sub_vectors": 5}, ValueError, "5"),
        ({"num_sub_vectors": -1}, ValueError, "num_sub_vectors must be from 1"),
        ({"num_bits": 6}, ValueError, "num_bits must be 4 or 8; got 6"),
        ({"num_bits": 4, "num_sub_vectors": 1}, ValueError, "even"),
        ({"metric": "L2"}, ValueError, "metric must be one of l2, cosine, dot; got 'L2'"),
        ({"metric": 2}, TypeError, "metric must be a string; got 2"),
        ({"metric": "dot", "residual": True}, ValueError, "residual"),
        ({"sample_rate": 0}, ValueError, "sample_rate must be from 1"),
        ({"max_iters": 0}, ValueError, "max_iters must be from 1"),
        ({"pq_max_iters": "many"}, TypeError, "pq_max_iters must be an integer; got 'many'"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"num_threads": 0}, ValueError, "num_threads must be from 1"),
        ({"residual": "yes"}, TypeError, "residual must be True or False; got 'yes'"),
        ({"progress": "yes"}, TypeError, "progress must be a bool or a callable; got 'yes'"),
        ({"column": "vector"}, ValueError, r"column= goes with a record batch; got float32\[3000"),
    ],
)
def test_bad_options(
    vectors: Floats, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(forebay.Error, match=says) as caught:
        forebay.train(vectors, **options)
    assert isinstance(caught.value, error)


def test_bad_rows(vectors: Floats) -> None:
    bad = vectors.copy()
    bad[77, 3] = np.nan
    with pytest.raises(forebay.InvalidArgumentError, match="row 77 has NaN"):
        forebay.train(bad)
    with pytest.raises(forebay.InvalidArgumentError, match="got 200"):
        forebay.train(vectors[:200])
    with pytest.raises(forebay.InvalidArgumentError, match="got 0"):
        forebay.train(vectors[:0])
    with pytest.raises(forebay.InvalidArgumentError, match="dimension 0"):
        forebay.train(np.zeros((300, 0), dtype=np.float32))
