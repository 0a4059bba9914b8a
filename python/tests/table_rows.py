"""Rows that the tests of tables put, and their exact distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conftest import DIM, Floats

SCHEMA = pa.schema([("word", pa.string()), ("n", pa.int64()), ("v", pa.list_(pa.float32(), DIM))])


def word(i: int) -> str:
    return f"word {i}"


def make_rows(vectors: Floats, first: int = 0) -> pa.RecordBatch:
    """Words from `first` on, with these vectors."""
    numbers = range(first, first + len(vectors))
    array = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM)
    columns = [pa.array([word(i) for i in numbers], pa.string()), pa.array(numbers, pa.int64())]
    return pa.RecordBatch.from_arrays([*columns, array], schema=SCHEMA)


def distances_to(queries: Floats, rows: Floats, metric: str) -> npt.NDArray[np.float64]:
    """[num_queries, num_rows], in float64."""
    q, r = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        return np.asarray(((q[:, None] - r[None]) ** 2).sum(axis=2))
    if metric == "cosine":
        q /= np.linalg.norm(q, axis=1, keepdims=True)
        r /= np.linalg.norm(r, axis=1, keepdims=True)
    return np.asarray(1 - q @ r.T)
