"""The command, vectors, a file of them, a model trained on it, and tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tables import ROWS, done, rows_of
from vector_files import (
    CLI,
    DIM,
    NUM_ROWS,
    Floats,
    Forebay,
    run_forebay,
    write_ipc_file,
    write_parquet,
)


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


@pytest.fixture(scope="session")
def rows(vectors: Floats) -> pa.Table:
    return rows_of(vectors[:ROWS])


@pytest.fixture
def empty(forebay: Forebay, tmp_path: Path, rows: pa.Table) -> Path:
    """A table without rows."""
    write_parquet(tmp_path / "rows.parquet", rows)
    schema = tmp_path / "rows.parquet"
    done(forebay("init", tmp_path / "table", "--schema", schema, "--key", "word"))
    return tmp_path / "table"


@pytest.fixture
def table(forebay: Forebay, empty: Path) -> Path:
    """A table with all rows."""
    done(forebay("put", empty, empty.parent / "rows.parquet"))
    return empty


@pytest.fixture(scope="session")
def shared(forebay: Forebay, tmp_path_factory: pytest.TempPathFactory, rows: pa.Table) -> Path:
    """The same, for tests that only read it."""
    folder = tmp_path_factory.mktemp("shared")
    write_ipc_file(folder / "rows.arrow", rows, 100)
    done(forebay("init", folder / "table", "--schema", folder / "rows.arrow", "--key", "word"))
    done(forebay("put", folder / "table", folder / "rows.arrow"))
    return folder / "table"
