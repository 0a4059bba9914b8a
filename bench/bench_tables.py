"""What the benchmarks of tables share: their rows, and folders on the disk that is measured."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float32]

GLOVE = Path(__file__).resolve().parent / "data" / "glove-100.npy"


def load(path: Path) -> Floats:
    """The vectors of a .npy file, in another order, as words come by frequency."""
    vectors = np.load(path).astype(np.float32)
    np.random.default_rng(1).shuffle(vectors)
    return vectors


def batch_of(vectors: Floats, first: int) -> pa.RecordBatch:
    ids = pa.array(np.arange(first, first + len(vectors), dtype=np.int64))
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return pa.record_batch([ids, column], names=["id", "vector"])


class Folders:
    """New folders for the rounds, on the disk that is measured."""

    def __init__(self, parent: Path | None) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="forebay-bench-", dir=parent))

    def new(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.root))

    def remove(self) -> None:
        shutil.rmtree(self.root)
