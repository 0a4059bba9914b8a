#!/usr/bin/env python3
"""Makes examples/data/glove-40k.parquet, the data of the demo, from the full GloVe-100.

    python bench/fetch_glove.py        # first: the full set
    python tools/make_demo_data.py     # writes the file, then checks what float16 costs

It needs numpy and pyarrow. The same pyarrow writes the same bytes; the content's digest, printed
too, does not depend on it. examples/data/README.md says what is in the file.

- Words: the 40,000 most frequent of three letters or more, a to z only (no digits, no
  punctuation, no "'s"). Names of people and places are words, too.
- Order: the demo trains on the first rows and streams the rest in the file's order, so both
  must be alike: the order is that of SHA-256(seed, word), not of frequency. Only the words that
  the demo asks for come first, so that they are there from the start.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "bench" / "data" / "glove-100.arrow"
TARGET = ROOT / "examples" / "data" / "glove-40k.parquet"

QUERY_WORDS = (
    "river", "guitar", "king", "python", "coffee", "monday", "berlin", "physics", "violin", "happy",
)  # fmt: skip
NUM_WORDS = 40_000
DIMENSION = 100
ROW_GROUP_ROWS = 10_000
SEED = 1
WORD = re.compile(r"[a-z]{3,}")

CHECK_QUERIES = 2_000
CHECK_K = 10
MIN_RECALL = 0.995

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]


def read_full_set(path: Path) -> tuple[list[str], Floats]:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()
        embeddings = table["embedding"].chunk(0).flatten().to_numpy()
        return table["word"].to_pylist(), embeddings.reshape(-1, DIMENSION).copy()


def shuffle_key(word: str) -> bytes:
    """Seeded and the same everywhere, which a library's random generator does not promise."""
    return hashlib.sha256(f"{SEED}:{word}".encode()).digest()


def choose_rows(words: list[str]) -> list[int]:
    """Rows of the full set, which is ordered by frequency, in the demo's order."""
    frequent = [row for row, word in enumerate(words) if WORD.fullmatch(word)][:NUM_WORDS]
    row_of = {words[row]: row for row in frequent}
    missing = [word for word in QUERY_WORDS if word not in row_of]
    if missing:
        raise SystemExit(f"make_demo_data: not among the {NUM_WORDS:,} words: {missing}")
    rest = sorted(row_of.keys() - set(QUERY_WORDS), key=shuffle_key)
    return [row_of[word] for word in (*QUERY_WORDS, *rest)]


def write_parquet(path: Path, words: list[str], halves: Halves) -> None:
    """Splitting the bytes brings like exponents together, which zstd then makes small."""
    embeddings = pa.FixedSizeListArray.from_arrays(pa.array(halves.ravel()), DIMENSION)
    table = pa.table({"word": pa.array(words, pa.string()), "embedding": embeddings})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(
        table,
        partial,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        column_encoding={"word": "PLAIN", "embedding.list.element": "BYTE_STREAM_SPLIT"},
    )
    partial.replace(path)


def read_back(path: Path) -> tuple[list[str], Halves]:
    table = pq.read_table(path).combine_chunks()
    halves = table["embedding"].chunk(0).flatten().to_numpy()
    return table["word"].to_pylist(), halves.reshape(-1, DIMENSION)


def nearest(vectors: Floats, query_rows: Ints, k: int) -> Ints:
    """The k nearest rows by cosine, without the query itself; exact."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarities = unit[query_rows] @ unit.T
    similarities[np.arange(len(query_rows)), query_rows] = -np.inf
    return np.argpartition(-similarities, k, axis=1)[:, :k]


def recall_of_halves(exact: Floats, halves: Halves) -> float:
    """How many of the float32 neighbours the float16 vectors still find."""
    rows = np.random.default_rng(SEED).choice(len(exact), CHECK_QUERIES, replace=False)
    expected = nearest(exact, rows, CHECK_K)
    found = nearest(halves.astype(np.float32), rows, CHECK_K)
    hits = sum(len(set(a) & set(b)) for a, b in zip(expected, found, strict=True))
    return hits / expected.size


def content_digest(words: list[str], halves: Halves) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    digest.update(np.ascontiguousarray(halves).astype("<f2").tobytes())
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the demo's data from the full GloVe-100.")
    parser.add_argument("--source", type=Path, default=SOURCE, help="glove-100.arrow")
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    if not arguments.source.is_file():
        print(f"{arguments.source} is missing; run bench/fetch_glove.py first", file=sys.stderr)
        return 1

    all_words, all_vectors = read_full_set(arguments.source)
    rows = choose_rows(all_words)
    words, exact = [all_words[row] for row in rows], all_vectors[rows]
    halves = exact.astype(np.float16)
    write_parquet(arguments.target, words, halves)

    words_read, halves_read = read_back(arguments.target)
    if words_read != words or not np.array_equal(halves_read, halves):
        print("make_demo_data: the file does not read back as written", file=sys.stderr)
        return 1
    errors = np.linalg.norm(exact - halves, axis=1) / np.linalg.norm(exact, axis=1)
    recall = recall_of_halves(exact, halves)
    print(f"{arguments.target}: {len(words):,} words, {arguments.target.stat().st_size:,} bytes")
    print(f"content SHA-256: {content_digest(words, halves)}")
    print(f"float16: relative error at most {errors.max():.1e}, recall@{CHECK_K} {recall:.4f}")
    return 0 if recall >= MIN_RECALL else 1


if __name__ == "__main__":
    sys.exit(main())
