"""Vectors and models that many tests use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import forebay

Floats = npt.NDArray[np.float32]

DIM = 16


def clustered(num_rows: int, dim: int, seed: int) -> Floats:
    """Vectors around a few centres, away from the origin, of different lengths."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, dim)) * 2 + 1
    chosen = centres[random.integers(len(centres), size=num_rows)]
    return (chosen + random.normal(size=(num_rows, dim))).astype(np.float32)


@pytest.fixture(scope="session")
def vectors() -> Floats:
    """[3000, 16], read-only: nothing may write to what it is given."""
    rows = clustered(3000, DIM, seed=1)
    rows.flags.writeable = False
    return rows


@pytest.fixture(scope="session")
def queries() -> Floats:
    rows = clustered(20, DIM, seed=2)
    rows.flags.writeable = False
    return rows


@pytest.fixture(scope="session")
def model(vectors: Floats) -> forebay.Model:
    return forebay.train(vectors, num_partitions=16, num_sub_vectors=8, max_iters=5)


@pytest.fixture
def index(model: forebay.Model, vectors: Floats) -> forebay.Index:
    filled = forebay.Index(model)
    filled.insert(vectors)
    return filled
