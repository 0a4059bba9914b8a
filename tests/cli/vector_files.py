"""Files of every format, and the command that reads them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
CLI = os.environ.get("FOREBAY_CLI", str(ROOT / "build" / "release" / "bin" / "forebay"))

Floats = npt.NDArray[np.float32]
Completed = subprocess.CompletedProcess[str]
Forebay = Callable[..., Completed]

NUM_ROWS, DIM = 600, 16


def run_forebay(*arguments: object, stdin: bytes | None = None) -> Completed:
    command = [CLI, *(str(argument) for argument in arguments)]
    ran = subprocess.run(command, check=False, capture_output=True, input=stdin, timeout=120)
    result = Completed(command, ran.returncode, ran.stdout.decode(), ran.stderr.decode())
    # A sanitizer's report ends with exit code 1 too.
    assert "Sanitizer" not in result.stderr
    assert "runtime error:" not in result.stderr
    return result


def write_fvecs(path: Path, vectors: Floats) -> None:
    rows = np.empty((len(vectors), vectors.shape[1] + 1), dtype=np.float32)
    rows[:, 0] = np.full(len(vectors), vectors.shape[1], dtype=np.int32).view(np.float32)
    rows[:, 1:] = vectors
    rows.tofile(path)


def vector_array(values: npt.NDArray[np.floating]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def vector_table(values: npt.NDArray[np.floating]) -> pa.Table:
    words = pa.array([f"word {i}" for i in range(len(values))])
    return pa.table({"word": words, "embedding": vector_array(values)})


def write_ipc_file(path: Path, table: pa.Table, max_chunksize: int | None = None) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize)


def write_ipc_stream(path: Path, table: pa.Table, max_chunksize: int | None = None) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize)


def write_parquet(path: Path, table: pa.Table, row_group_size: int | None = None) -> None:
    pq.write_table(table, path, row_group_size=row_group_size)
