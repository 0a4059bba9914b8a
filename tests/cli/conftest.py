"""The command, vectors, a file of them, and a model trained on it."""

from pathlib import Path

import numpy as np
import pytest
from vector_files import CLI, DIM, NUM_ROWS, Floats, Forebay, run_forebay


@pytest.fixture(scope="session")
def forebay() -> Forebay:
    assert Path(CLI).is_file(), f"{CLI} is missing: build it, or set FOREBAY_CLI"
    return run_forebay


@pytest.fixture(scope="session")
def vectors() -> Floats:
    """Numbers that float16 holds too, so that every format holds the same vectors."""
    random = np.random.default_rng(1)
    return random.normal(size=(NUM_ROWS, DIM)).astype(np.float16).astype(np.float32)


@pytest.fixture(scope="session")
def npy(tmp_path_factory: pytest.TempPathFactory, vectors: Floats) -> Path:
    path = tmp_path_factory.mktemp("npy") / "vectors.npy"
    np.save(path, vectors)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, forebay: Forebay, npy: Path) -> Path:
    path = tmp_path_factory.mktemp("model") / "vectors.model"
    result = forebay("train", npy, "--out", path, "--num-partitions", 8)
    assert result.returncode == 0, result.stderr
    return path
