"""Make tests/golden/lance_*.npz: IVF_PQ models and codes exactly as Lance trained and stored them.

Our codes must be interchangeable with those of a Lance base table, so the judge has to be Lance
itself. For each case this script lets Lance's own `create_index` train a model and encode a small
data set, reads back what it stored, checks it against a float64 computation, and writes it down.
README.md, beside this file, lists the cases and the fields.

How to run it, from the root of the repository (the environment can be thrown away afterwards):

    python3 -m venv build/lance_venv
    build/lance_venv/bin/pip install pylance==14.0.2 numpy 'pyarrow==26.0.*'
    build/lance_venv/bin/python tests/golden/make_lance_golden.py

The vectors are seeded. Lance's k-means is not, so each run yields other models and other codes:
commit the files of one run together, never a mixture. Option --check verifies the files that are
there, makes nothing, and needs numpy only.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import lance

F32: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
F64: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
I64: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
U8: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
U32: TypeAlias = np.ndarray[Any, np.dtype[np.uint32]]

SEED = 20_240_229
NUM_ROWS = 2_048  # Lance trains at most one partition for each 256 rows.
DIM = 32
NUM_CLUSTERS = 12  # More than partitions, so that no partition is a cluster of its own.
NUM_PARTITIONS = 8
NUM_SUB_VECTORS = 8
NUM_EXACT_DUPLICATES = 50
NUM_SCALED_DUPLICATES = 50  # Same direction, other length: equal under cosine, not under L2.
TOLERANCE = 1e-5  # Of the sum of absolute terms: two choices closer than this are a tie.

VECTORS_FILE = "lance_vectors.npz"
COLUMN = "vector"
INDEX_NAME = "golden"
TENSOR_FLOAT32 = 2  # lance.index.pb.Tensor.DataType.FLOAT32


@dataclass(frozen=True)
class Case:
    """What Lance is asked for."""

    metric: str
    num_bits: int
    given_centroids: bool = False  # Ours, of very different lengths, instead of Lance's own.

    @property
    def name(self) -> str:
        return f"{self.metric}_{self.num_bits}" + "_given" * self.given_centroids


# For dot Lance trains centroids of length 1, among which the largest inner product is the smallest
# L2 distance, too. The last case is there to tell the two rules apart.
CASES = (
    Case("l2", 8),
    Case("cosine", 8),
    Case("dot", 8),
    Case("l2", 4),
    Case("cosine", 4),
    Case("dot", 8, given_centroids=True),
)


@dataclass(frozen=True)
class Golden:
    """One model and what Lance stored under it, rows in the order of the data set."""

    case: Case
    centroids: F32  # [num_partitions, dim]
    codebook: F32  # [num_sub_vectors, 2**num_bits, dim / num_sub_vectors]
    partitions: U32  # [n]
    codes: U8  # [n, num_sub_vectors * num_bits / 8], packed


@dataclass(frozen=True)
class Agreement:
    """How Lance's choices compare with the exact ones."""

    choices: int
    ties: int  # Best and second best are within the tolerance: either is right.
    exceptions: int  # Lance chose another than float64 does, within the tolerance.
    faults: int  # Lance chose another, beyond the tolerance: never expected.


# ---- the data set ------------------------------------------------------------------------------
def make_vectors() -> F32:
    """Make overlapping Gaussian clusters off the origin; the last rows repeat earlier ones.

    Rows differ much in length, so that each metric has its own idea of which centroid is nearest:
    a rule taken from another metric must not pass.
    """
    rng = np.random.default_rng(SEED)
    num_distinct = NUM_ROWS - NUM_EXACT_DUPLICATES - NUM_SCALED_DUPLICATES
    means = rng.normal(loc=0.25, size=(NUM_CLUSTERS, DIM))
    spreads = rng.uniform(0.3, 0.8, size=NUM_CLUSTERS)
    cluster = rng.integers(NUM_CLUSTERS, size=num_distinct)
    noise = rng.normal(size=(num_distinct, DIM))
    lengths = rng.lognormal(sigma=0.5, size=(num_distinct, 1))
    distinct = (lengths * (means[cluster] + spreads[cluster, None] * noise)).astype(np.float32)
    exact = distinct[rng.choice(num_distinct, NUM_EXACT_DUPLICATES, replace=False)]
    scaled = distinct[rng.choice(num_distinct, NUM_SCALED_DUPLICATES, replace=False)]
    scale = rng.uniform(0.5, 2.0, size=(NUM_SCALED_DUPLICATES, 1)).astype(np.float32)
    return np.concatenate([distinct, exact, scaled * scale])


def make_centroids(vectors: F32) -> F32:
    """Make centroids for a case that brings its own: directions of rows, lengths from 1 to 3."""
    rng = np.random.default_rng(SEED + 1)
    rows = vectors[rng.choice(NUM_ROWS, NUM_PARTITIONS, replace=False)]
    lengths = np.linspace(1, 3, NUM_PARTITIONS)[:, None]
    centroids: F32 = (rows * (lengths / np.linalg.norm(rows, axis=1, keepdims=True))).astype("<f4")
    return centroids


# ---- reading what Lance stored -----------------------------------------------------------------
def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _protobuf_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a message of varints and length-delimited fields."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            raise ValueError(f"unexpected protobuf wire type {key & 7}")


def _tensor_data(message: bytes) -> F32:
    """Return a lance.index.pb.Tensor flat: the shape it declares is not the codebook's."""
    fields = dict(_protobuf_fields(message))
    data = fields.get(3)
    if fields.get(1) != TENSOR_FLOAT32 or not isinstance(data, bytes):
        raise ValueError("the codebook is not a float32 tensor")
    return np.frombuffer(data, "<f4")


def read_index(dataset: lance.LanceDataset, uri: Path, case: Case) -> Golden:
    """Read the model and the codes of the data set's only index, of one segment."""
    from lance.dataset import VectorIndexReader
    from lance.file import LanceFileReader

    (directory,) = (uri / "_indices").iterdir()
    storage = LanceFileReader(str(directory / "auxiliary.idx"))
    schema_metadata = storage.metadata().schema.metadata
    stored = json.loads(json.loads(schema_metadata[b"storage_metadata"])[0])
    if stored["nbits"] != case.num_bits or stored["num_sub_vectors"] != NUM_SUB_VECTORS:
        raise ValueError(f"Lance built another index than was asked for: {stored}")
    stored_centroids = dataset.centroids(index_name=INDEX_NAME)
    centroids = stored_centroids.flatten().to_numpy().reshape(len(stored_centroids), -1)
    if centroids.shape != (NUM_PARTITIONS, DIM):
        raise ValueError(f"Lance trained centroids of shape {centroids.shape}")
    codebook = _tensor_data(storage.read_global_buffer(stored["codebook_position"]))

    code_bytes = NUM_SUB_VECTORS * case.num_bits // 8
    partitions = np.full(NUM_ROWS, np.iinfo(np.uint32).max, np.uint32)
    codes = np.zeros((NUM_ROWS, code_bytes), np.uint8)
    reader = VectorIndexReader(dataset, INDEX_NAME)
    for partition in range(NUM_PARTITIONS):
        table = reader.read_partition(partition, with_vector=True).combine_chunks()
        # One fragment, so a row id is the row's offset.
        rows = table["_rowid"].to_numpy()
        flat = np.concatenate([c.flatten().to_numpy() for c in table["__pq_code"].chunks])
        if stored["transposed"]:
            codes[rows] = flat.reshape(code_bytes, len(rows)).T
        else:
            codes[rows] = flat.reshape(len(rows), code_bytes)
        partitions[rows] = partition
    if (partitions >= NUM_PARTITIONS).any():
        raise ValueError("Lance left rows out of its index")
    return Golden(
        case=case,
        centroids=centroids,
        codebook=codebook.reshape(NUM_SUB_VECTORS, 1 << case.num_bits, -1).copy(),
        partitions=partitions,
        codes=codes,
    )


def build(vectors: F32, case: Case, uri: Path) -> Golden:
    """Let Lance train and encode, with its own defaults for all that is not a shape."""
    import lance
    import pyarrow as pa

    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM)
    dataset = lance.write_dataset(pa.table({COLUMN: column}), str(uri))
    dataset = dataset.create_index(
        COLUMN,
        "IVF_PQ",
        name=INDEX_NAME,
        metric=case.metric,
        num_partitions=NUM_PARTITIONS,
        num_sub_vectors=NUM_SUB_VECTORS,
        num_bits=case.num_bits,
        ivf_centroids=make_centroids(vectors) if case.given_centroids else None,
    )
    return read_index(dataset, uri, case)


# ---- the check ---------------------------------------------------------------------------------
def unpack(codes: U8, num_bits: int) -> U8:
    """[n, num_sub_vectors] codes: of two 4-bit codes in a byte the even one is the low half."""
    if num_bits == 8:
        return codes
    return np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), -1)


def compare(scores: F64, magnitudes: F64, chosen: I64) -> Agreement:
    """Compare with the smallest of each row of `scores`, the lowest index on ties.

    `magnitudes` has the sum of the absolute terms that each score is made of.
    """
    row = np.arange(len(scores))
    order = np.argsort(scores, axis=1, kind="stable")
    best, second = order[:, 0], order[:, 1]

    def within(other: I64) -> np.ndarray[Any, np.dtype[np.bool_]]:
        gap = scores[row, other] - scores[row, best]
        limit = TOLERANCE * np.maximum(magnitudes[row, other], magnitudes[row, best])
        return gap <= limit

    differs = chosen != best
    tolerated = within(chosen)
    return Agreement(
        choices=len(scores),
        ties=int(within(second).sum()),
        exceptions=int((differs & tolerated).sum()),
        faults=int((differs & ~tolerated).sum()),
    )


def squared_l2(a: F64, b: F64) -> tuple[F64, F64]:
    """Squared distances of all pairs, and themselves as the sums of their absolute terms."""
    scores = np.square(a[:, None, :] - b[None, :, :]).sum(axis=2)
    return scores, scores


def check(golden: Golden, vectors: F32) -> tuple[Agreement, Agreement]:
    """Check partitions and codes against float64: the nearest centroid, the nearest codeword.

    The codeword is the nearest by L2 for dot too, of the vector itself; for L2 and cosine of what
    remains of it without the centroid that Lance chose.
    """
    x = vectors.astype(np.float64)
    centroids = golden.centroids.astype(np.float64)
    if golden.case.metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    if golden.case.metric == "dot":
        scores, magnitudes = -(x @ centroids.T), np.abs(x) @ np.abs(centroids).T
    else:
        scores, magnitudes = squared_l2(x, centroids)
    partitions = golden.partitions.astype(np.int64)
    by_partition = compare(scores, magnitudes, partitions)

    rest = x if golden.case.metric == "dot" else x - centroids[partitions]
    codes = unpack(golden.codes, golden.case.num_bits).astype(np.int64)
    codebook = golden.codebook.astype(np.float64)
    slices = np.split(rest, len(codebook), axis=1)
    parts = [
        compare(*squared_l2(s, c), code)
        for s, c, code in zip(slices, codebook, codes.T, strict=True)
    ]
    by_code = Agreement(
        choices=sum(p.choices for p in parts),
        ties=sum(p.ties for p in parts),
        exceptions=sum(p.exceptions for p in parts),
        faults=sum(p.faults for p in parts),
    )
    return by_partition, by_code


def report(golden: Golden, vectors: F32, size: int) -> bool:
    """Print one line for each kind of choice; false if there is a fault."""
    agreements = check(golden, vectors)
    print(f"{golden.case.name}: {size:,} bytes")
    for what, a in zip(("partitions", "codes"), agreements, strict=True):
        print(
            f"  {what}: {a.choices:,} choices, {a.ties} near ties, "
            f"{a.exceptions} exceptions, {a.faults} faults"
        )
    sizes = np.bincount(golden.partitions, minlength=NUM_PARTITIONS)
    print(f"  rows of the partitions: {sizes.tolist()}")
    return all(a.faults == 0 for a in agreements)


# ---- the files ---------------------------------------------------------------------------------
def file_of(directory: Path, case: Case) -> Path:
    """Return where the case is kept."""
    return directory / f"lance_{case.name}.npz"


def write(golden: Golden, path: Path) -> None:
    """Write one case. A version is a uint8 array, so that a reader needs no text type."""
    arrays: dict[str, Any] = {
        "centroids": golden.centroids.astype("<f4"),
        "codebook": golden.codebook.astype("<f4"),
        "partitions": golden.partitions.astype("<u4"),
        "codes": golden.codes,
    }
    for package in ("pylance", "pyarrow", "numpy"):
        version = importlib.metadata.version(package).encode()
        arrays[f"version_{package}"] = np.frombuffer(version, np.uint8)
    np.savez_compressed(path, **arrays)


def load(path: Path, case: Case) -> Golden:
    """Read one case back."""
    with np.load(path) as npz:
        return Golden(
            case=case,
            centroids=npz["centroids"],
            codebook=npz["codebook"],
            partitions=npz["partitions"],
            codes=npz["codes"],
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes or checks tests/golden/lance_*.npz.")
    parser.add_argument("--check", action="store_true", help="verify the files, make nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="their directory")
    options = parser.parse_args()
    out: Path = options.out

    if not options.check:
        out.mkdir(parents=True, exist_ok=True)
        vectors = make_vectors()
        np.savez_compressed(out / VECTORS_FILE, vectors=vectors.astype("<f4"))
        with tempfile.TemporaryDirectory() as scratch:
            for case in CASES:
                write(build(vectors, case, Path(scratch) / case.name), file_of(out, case))

    # Always from the files: what is checked is what is committed.
    with np.load(out / VECTORS_FILE) as npz:
        vectors = npz["vectors"]
    print(f"vectors: {(out / VECTORS_FILE).stat().st_size:,} bytes")
    good = True
    for case in CASES:
        path = file_of(out, case)
        good &= report(load(path, case), vectors, path.stat().st_size)
    if not good:
        print("Lance's codes are not the nearest codewords: see the faults above", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
