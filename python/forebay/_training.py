"""Training a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import SupportsIndex, TypeAlias

import numpy as np

from forebay import _core
from forebay._arguments import choice, count, flag, optional_count
from forebay._errors import InvalidArgumentError, InvalidTypeError
from forebay._model import METRICS, Metric, Model
from forebay._vectors import VectorsLike, as_vectors

ProgressCallback: TypeAlias = Callable[[int, int], object]

#: Whether to show a bar, or what to tell instead.
Progress: TypeAlias = bool | ProgressCallback | None


def train(
    vectors: VectorsLike,
    *,
    num_partitions: SupportsIndex | None = None,
    num_sub_vectors: SupportsIndex | None = None,
    num_bits: SupportsIndex = 8,
    metric: Metric = "l2",
    residual: bool | None = None,
    sample_rate: SupportsIndex = 256,
    max_iters: SupportsIndex = 25,
    pq_max_iters: SupportsIndex = 25,
    seed: SupportsIndex = 1,
    num_threads: SupportsIndex | None = None,
    progress: Progress = False,
    column: str | None = None,
) -> Model:
    """Train a model on vectors like those that will be indexed.

    The model depends on the vectors and the options only: not on the CPU, nor on num_threads.
    The GIL is released. Ctrl-C stops the training at the end of the running k-means iteration.

    Parameters
    ----------
    vectors : array_like of float, shape [num_rows, dim], or Arrow
        At least as many rows as partitions, and as codewords (256, or 16 with 4 bits). A
        C-contiguous float32 array, or Arrow fixed_size_list<float>, is used without a copy
        (Arrow in several chunks is put together).
    num_partitions : int, optional
        At least 1. Default: the power of two nearest to sqrt(num_rows); give it when `vectors`
        are but a sample of what will be indexed.
    num_sub_vectors : int, optional
        A divisor of dim; even with 4 bits. Default: such that each has 4 dimensions (2 with 4
        bits) or few more, so a code has about dim / 4 bytes; fewer dimensions where dim has no
        such divisor.
    num_bits : {8, 4}
        Bits of one sub-vector's code.
    metric : {"l2", "cosine", "dot"}
        Squared Euclidean distance, 1 - cos(x, y), or 1 - x.y.
    residual : bool, optional
        Code vectors minus their centroids, which is more exact. Default: True; with dot False,
        the only choice there.
    sample_rate : int
        At most this many rows for each centroid and for each codeword are trained on.
    max_iters, pq_max_iters : int
        Iterations of k-means, for the centroids and for the codewords of each sub-vector.
    seed : int
        Of the sampling; 0 to 2^64 - 1.
    num_threads : int, optional
        Default: one for each CPU that this process may use.
    progress : bool or callable, optional
        True shows a tqdm bar where tqdm is installed, else nothing. A callable is called as
        progress(done, total), in the calling thread; what it raises stops the training and is
        raised by train.
    column : str, optional
        The column of a record batch. Default: the only one of vectors.

    Raises
    ------
    InvalidArgumentError
        A shape or value is wrong, there are too few rows, or a row is NaN, infinite, null, too
        long (a squared norm of 2^124 or more), or zero under cosine.
    InvalidTypeError
        A type or dtype is wrong.
    """
    options = train_options(
        num_partitions=num_partitions,
        num_sub_vectors=num_sub_vectors,
        num_bits=num_bits,
        metric=metric,
        residual=residual,
        sample_rate=sample_rate,
        max_iters=max_iters,
        pq_max_iters=pq_max_iters,
        seed=seed,
        num_threads=num_threads,
    )
    rows = as_vectors("vectors", vectors, column=column)
    with reporting(progress) as report:
        return Model(_core.train(rows, options, report))


def train_options(
    *,
    num_partitions: SupportsIndex | None,
    num_sub_vectors: SupportsIndex | None,
    num_bits: SupportsIndex,
    metric: Metric,
    residual: bool | None,
    sample_rate: SupportsIndex,
    max_iters: SupportsIndex,
    pq_max_iters: SupportsIndex,
    seed: SupportsIndex,
    num_threads: SupportsIndex | None,
) -> _core.TrainOptions:
    """The arguments of `train`, checked."""
    bits = count("num_bits", num_bits)
    if bits not in (4, 8):
        raise InvalidArgumentError(f"num_bits must be 4 or 8; got {bits}")
    threads = optional_count("num_threads", num_threads, 1)
    return _core.TrainOptions(
        num_partitions=optional_count("num_partitions", num_partitions, 1),
        num_sub_vectors=optional_count("num_sub_vectors", num_sub_vectors, 1),
        num_bits=bits,
        metric=choice("metric", metric, METRICS),
        residual=None if residual is None else flag("residual", residual),
        sample_rate=count("sample_rate", sample_rate, 1),
        max_iters=count("max_iters", max_iters, 1),
        pq_max_iters=count("pq_max_iters", pq_max_iters, 1),
        seed=count("seed", seed, at_most=2**64 - 1),
        num_threads=threads or len(os.sched_getaffinity(0)),
    )


def _tqdm() -> type | None:
    """The class of progress bars, where it is installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    else:
        return tqdm  # type: ignore[no-any-return]


@contextmanager
def reporting(progress: Progress) -> Iterator[ProgressCallback | None]:
    """The callable that a training reports to."""
    if progress is None or isinstance(progress, np.bool_):
        progress = bool(progress)
    if not callable(progress) and not isinstance(progress, bool):
        raise InvalidTypeError(f"progress must be a bool or a callable; got {progress!r}")
    if callable(progress):
        yield progress
        return
    bar_type = _tqdm() if progress else None
    if bar_type is None:
        yield None
        return
    with bar_type(desc="training", unit="iteration") as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report
