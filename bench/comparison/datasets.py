"""Vectors from files, held-out queries, and the exact answers by brute force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Metric = Literal["l2", "cosine", "dot"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Queries whose scores are held in memory at once; with 341,479 rows that is 90 MB.
QUERY_CHUNK = 64
#: Candidates by float32 that are ranked again by float64, for each row that is wanted.
CANDIDATES = 4


class DataError(Exception):
    """The data cannot be used; the message says what came and what to do."""


# --- Files -----------------------------------------------------------------------------------


def read_vectors(path: Path, column: str | None = None) -> Floats:
    """All rows of a .npy, .fvecs or .parquet file as float32.

    Raises DataError for anything else, for no rows, and for values that are not finite.
    """
    readers = {".npy": read_npy, ".fvecs": read_fvecs}
    if path.suffix not in (*readers, ".parquet"):
        raise DataError(f"{path}: expected a .npy, .fvecs or .parquet file; got {path.suffix!r}")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if path.suffix == ".parquet":
        vectors = read_parquet(path, column)
    elif column is not None:
        raise DataError(f"{path}: --column goes with a .parquet file; leave it out")
    else:
        vectors = readers[path.suffix](path)
    if vectors.size == 0:
        raise DataError(f"{path}: expected vectors; got an array of shape {vectors.shape}")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size > 0:
        raise DataError(
            f"{path}: expected finite values; row {bad[0]} is NaN or infinite, and so are "
            f"{bad.size - 1} more; remove these rows"
        )
    return vectors


def read_npy(path: Path) -> Floats:
    try:
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: this is no .npy file of numbers ({error})") from error
    if array.ndim != 2 or array.dtype.kind != "f":
        raise DataError(
            f"{path}: expected floats of shape [rows, dim]; got {array.dtype}{list(array.shape)}"
        )
    return np.ascontiguousarray(array, dtype=np.float32)


def read_fvecs(path: Path) -> Floats:
    """Each row is its dimension as int32, then as many float32, all little-endian."""
    content = np.fromfile(path, dtype="<i4")
    if content.nbytes != path.stat().st_size or content.size == 0 or content[0] <= 0:
        raise DataError(f"{path}: this is no .fvecs file: it does not begin with a dimension")
    dim = int(content[0])
    if content.size % (dim + 1) != 0:
        raise DataError(
            f"{path}: expected rows of {4 * (dim + 1)} bytes (dimension {dim}); got "
            f"{content.nbytes} bytes, which is no multiple: the file was cut off"
        )
    rows = content.reshape(-1, dim + 1)
    other = np.flatnonzero(rows[:, 0] != dim)
    if other.size > 0:
        raise DataError(
            f"{path}: expected dimension {dim} in all rows; row {other[0]} has {rows[other[0], 0]}"
        )
    return np.ascontiguousarray(rows[:, 1:]).view("<f4").astype(np.float32, copy=False)


def read_parquet(path: Path, column: str | None) -> Floats:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        name = column or vector_column(path, schema)
        if name not in schema.names:
            raise DataError(f"{path}: no column {name!r}; there are {', '.join(schema.names)}")
        array = pq.read_table(path, columns=[name]).column(0).combine_chunks()
    except pa.ArrowException as error:
        raise DataError(f"{path}: this Parquet file cannot be read ({error})") from error
    if array.null_count > 0:
        raise DataError(f"{path}: {array.null_count} rows of {name!r} are null; remove them")
    lengths = np.unique(np.asarray(array.value_lengths()))
    if lengths.size != 1:
        raise DataError(f"{path}: the lists in {name!r} have lengths from {lengths[:5]} ...")
    values = np.asarray(array.flatten(), dtype=np.float32)
    return values.reshape(len(array), int(lengths[0]))


def vector_column(path: Path, schema: Any) -> str:  # noqa: ANN401 - pyarrow has no types
    """The only column of lists of floats."""
    import pyarrow as pa

    def holds_vectors(data_type: Any) -> bool:  # noqa: ANN401
        lists = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
        return any(is_list(data_type) for is_list in lists) and pa.types.is_floating(
            data_type.value_type
        )

    names = [field.name for field in schema if holds_vectors(field.type)]
    if len(names) != 1:
        raise DataError(
            f"{path}: expected one column of lists of floats; got {len(names)} of "
            f"{', '.join(schema.names)}; name one with --column"
        )
    return str(names[0])


# --- Queries and exact answers -----------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Shuffled rows, and queries that are not among them."""

    base: Floats
    queries: Floats


def normalize(path: Path, vectors: Floats) -> Floats:
    """Every row at unit length."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    zero = np.flatnonzero(norms == 0)
    if zero.size > 0:
        raise DataError(f"{path}: row {zero[0]} is zero and has no direction; remove such rows")
    unit: Floats = vectors / norms
    return unit


def hold_out(vectors: Floats, num_queries: int, seed: int) -> Split:
    """Draws the queries at random; what is left is in random order, too."""
    if len(vectors) < 10 * num_queries:
        raise DataError(
            f"expected at least {10 * num_queries:,} vectors, as {num_queries:,} of them become "
            f"queries; got {len(vectors):,}; give more, or fewer --queries"
        )
    order = np.random.default_rng(seed).permutation(len(vectors))
    return Split(vectors[order[num_queries:]], vectors[order[:num_queries]])


def exact_neighbors(
    base: Floats, queries: Floats, k: int, metric: Metric, allowed: Mask | None = None
) -> Ids:
    """The k nearest rows for each query; ties by row, -1 where there are fewer than k."""
    rows = np.arange(len(base)) if allowed is None else np.flatnonzero(allowed)
    candidates = base if allowed is None else base[rows]
    answer = np.full((len(queries), k), -1, dtype=np.int64)
    bias = np.zeros(len(candidates), dtype=np.float32)
    if metric == "l2":
        bias = 0.5 * np.einsum("ij,ij->i", candidates, candidates)
    keep = min(CANDIDATES * k, len(candidates))
    for begin in range(0, len(queries), QUERY_CHUNK):
        chunk = queries[begin : begin + QUERY_CHUNK]
        scores = bias - chunk @ candidates.T
        nearest = np.argpartition(scores, keep - 1, axis=1)[:, :keep]
        for i, query in enumerate(chunk):
            best = rank(candidates, nearest[i], query, metric)[:k]
            answer[begin + i, : len(best)] = rows[best]
    return answer


def rank(base: Floats, rows: Ids, query: Floats, metric: Metric) -> Ids:
    """`rows` by their distance in float64, then by number."""
    vectors = base[rows].astype(np.float64)
    if metric == "l2":
        distances = np.square(vectors - query).sum(axis=1)
    else:
        distances = -(vectors @ query.astype(np.float64))
    return rows[np.lexsort((rows, distances))]


def recall(found: Ids, exact: Ids) -> float:
    """The mean share of the exact neighbours that were found."""
    if found.shape[0] != exact.shape[0]:
        raise ValueError(f"answers for {found.shape[0]} queries, expected {exact.shape[0]}")
    wanted = exact >= 0
    hits = wanted & (exact[:, :, np.newaxis] == found[:, np.newaxis, :]).any(axis=2)
    return float(hits.sum() / wanted.sum()) if wanted.any() else 1.0


# --- The folder that workers read from ---------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """Arrays as .npy files in a folder, which every process maps."""

    folder: Path
    metric: Metric

    def save(self, name: str, array: npt.NDArray[Any]) -> None:
        np.save(self.folder / f"{name}.npy", array)

    def load(self, name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return array

    @property
    def base(self) -> Floats:
        return self.load("base")

    @property
    def queries(self) -> Floats:
        return self.load("queries")

    def exact(self, num_rows: int, k: int) -> Ids:
        """Neighbours among the first `num_rows` rows; computed once."""
        name = f"exact-{num_rows}-{k}"
        if not (self.folder / f"{name}.npy").is_file():
            self.save(name, exact_neighbors(self.base[:num_rows], self.queries, k, self.metric))
        return self.load(name)
