#!/usr/bin/env python3
"""Live word search: neighbours get better while the words stream in.

    python examples/live_words.py                 # shows river, coffee and python
    python examples/live_words.py berlin violin   # other words of the file
    python examples/live_words.py --ask           # then asks for words until an empty line

One thread inserts words, this one searches, with nothing between them. Needs forebay alone.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

import forebay

DATA = Path(__file__).parent / "data" / "glove-40k.parquet"
TRAIN_ROWS = 10_000


class Words:
    """The words, their vectors, and an index that fills up in the background."""

    def __init__(self, table: pa.Table) -> None:
        self.words: list[str] = table["word"].to_pylist()
        self.numbers = {word: i for i, word in enumerate(self.words)}
        column = table["embedding"].combine_chunks()
        floats = column.flatten().to_numpy().astype(np.float32)
        self.vectors: npt.NDArray[np.float32] = floats.reshape(len(column), -1)
        # For all the words that will come, not only for those trained on.
        num_partitions = 256
        self.model = forebay.train(
            self.vectors[:TRAIN_ROWS], metric="cosine", num_partitions=num_partitions, max_iters=10
        )
        self.index = forebay.Index(self.model)

    def stream_in(self, batch: int, pause: float) -> None:
        """Inserts everything, `batch` words at a time. Row positions are word numbers."""
        for begin in range(0, len(self.words), batch):
            self.index.insert(self.vectors[begin : begin + batch], begin)
            time.sleep(pause)

    def neighbours(self, word: str, k: int = 5) -> list[str]:
        """The words most like this one, among those that are there by now."""
        query = self.vectors[self.numbers[word]]
        _, rows = self.index.search(query, k + 1, nprobes=16, refine_factor=10)
        found = [self.words[row] for row in rows[0] if row >= 0]
        return [other for other in found if other != word][:k]


def watch(words: Words, asked: list[str], seconds: float) -> None:
    """Searches again and again while the words come in."""
    writer = threading.Thread(
        target=words.stream_in, args=(500, seconds * 500 / len(words.words)), daemon=True
    )
    writer.start()
    shown: dict[str, list[str]] = {}
    while True:
        running = writer.is_alive()
        for word in asked:
            found = words.neighbours(word)
            if found and found != shown.get(word):
                shown[word] = found
                print(f"{len(words.index):7,} words   {word:>10}: {', '.join(found)}")
        if not running:
            break
        time.sleep(seconds / 8)


def ask(words: Words) -> None:
    """Answers what is typed."""
    while word := input("word> ").strip().lower():
        if word in words.numbers:
            print("   ", ", ".join(words.neighbours(word, 8)))
        else:
            print("    not among the words")


def main() -> None:
    parser = argparse.ArgumentParser(description="Live word search.")
    parser.add_argument("words", nargs="*", default=["river", "coffee", "python"])
    parser.add_argument("--seconds", type=float, default=3.0, help="how long words stream in")
    parser.add_argument("--ask", action="store_true", help="ask for words afterwards")
    arguments = parser.parse_args()

    words = Words(pq.read_table(DATA))
    if unknown := [word for word in arguments.words if word not in words.numbers]:
        parser.error(f"not among the words: {', '.join(unknown)}")
    print(words.model)
    watch(words, arguments.words, arguments.seconds)
    print(words.index)
    if arguments.ask:
        ask(words)


if __name__ == "__main__":
    main()
