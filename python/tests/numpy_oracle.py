"""What an IVF-PQ index must answer, in plain float64 numpy: no tables, no bounds, no threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import forebay

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: DESIGN: within this times the sum of absolute terms.
TOLERANCE = 1e-5


def normalised(vectors: npt.NDArray[np.floating]) -> Doubles:
    wide = vectors.astype(np.float64)
    norms: Doubles = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / norms


def exact_distances(metric: str, query: npt.NDArray[np.floating], rows: Doubles) -> Doubles:
    query = query.astype(np.float64)
    if metric == "l2":
        return np.asarray(((rows - query) ** 2).sum(axis=1))
    if metric == "cosine":
        return np.asarray(1 - normalised(rows) @ normalised(query))
    return np.asarray(1 - rows @ query)


def coarse_distances(model: forebay.Model, rows: Doubles) -> Doubles:
    """[num_rows, num_partitions], smaller is nearer. `rows` are normalised under cosine."""
    centroids = model.centroids.astype(np.float64)
    if model.metric == "dot":
        return np.asarray(-rows @ centroids.T)
    return np.asarray(((rows[:, None, :] - centroids[None]) ** 2).sum(axis=2))


def unpack_codes(codes: npt.NDArray[np.uint8], num_bits: int) -> npt.NDArray[np.uint8]:
    """One byte for each sub-vector."""
    if num_bits == 8:
        return codes
    halves = np.stack([codes & 15, codes >> 4], axis=2)
    return halves.reshape(len(codes), -1)


def decode(model: forebay.Model, codes: npt.NDArray[np.uint8]) -> Doubles:
    """The vectors, or residuals, that codes stand for."""
    unpacked = unpack_codes(codes, model.num_bits)
    words = model.codebook[np.arange(model.num_sub_vectors), unpacked]
    return words.reshape(len(codes), -1).astype(np.float64)


@dataclass
class Hits:
    distances: Doubles
    positions: Ints


class Oracle:
    """Answers from the codes that an index gives out."""

    def __init__(self, index: forebay.Index) -> None:
        self.model = index.model
        positions, partitions, decoded = [], [], []
        for p in range(self.model.num_partitions):
            part_positions, codes = index.partition(p)
            positions.append(part_positions)
            partitions.append(np.full(len(codes), p))
            base = self.model.centroids[p].astype(np.float64) if self.model.residual else 0.0
            decoded.append(decode(self.model, codes) + base)
        self.positions: Ints = np.concatenate(positions)
        self.partitions: Ints = np.concatenate(partitions)
        self.decoded: Doubles = np.concatenate(decoded)

    def prepare(self, query: npt.NDArray[np.floating]) -> Doubles:
        return normalised(query) if self.model.metric == "cosine" else query.astype(np.float64)

    def distances(self, query: npt.NDArray[np.floating]) -> Doubles:
        """To the code of every row, in the order of self.positions."""
        prepared = self.prepare(query)
        if self.model.metric == "dot":
            return np.asarray(1 - self.decoded @ prepared)
        squared = ((self.decoded - prepared) ** 2).sum(axis=1)
        return np.asarray(squared / 2 if self.model.metric == "cosine" else squared)

    def magnitudes(self, query: npt.NDArray[np.floating]) -> Doubles:
        """The sum of absolute terms, of which the error is a small part."""
        prepared = np.abs(self.prepare(query))
        if self.model.metric == "dot":
            return np.asarray(1 + np.abs(self.decoded) @ prepared)
        base = self.model.centroids.astype(np.float64)[self.partitions]
        rest = self.decoded - (base if self.model.residual else 0)
        coarse = ((prepared + np.abs(base if self.model.residual else 0)) ** 2).sum(axis=-1)
        own = (rest**2).sum(axis=1) + 2 * np.abs(base * rest).sum(axis=1)
        return np.asarray(coarse + own + 2 * np.abs(rest) @ prepared)

    def probed(
        self, query: npt.NDArray[np.floating], k: int, nprobes: int, eligible: Bools
    ) -> Bools:
        """Which rows are looked at: nprobes partitions at least, more until k eligible rows."""
        order = np.argsort(
            coarse_distances(self.model, self.prepare(query)[None])[0], kind="stable"
        )
        looked_at = np.zeros(len(self.positions), dtype=bool)
        for i, p in enumerate(order):
            if i >= nprobes and int((looked_at & eligible).sum()) >= k:
                break
            looked_at |= self.partitions == p
        return looked_at

    def search(
        self,
        query: npt.NDArray[np.floating],
        k: int,
        nprobes: int,
        eligible: Bools | None = None,
        *,
        lower: float = -np.inf,
        upper: float = np.inf,
    ) -> Hits:
        if eligible is None:
            eligible = np.ones(len(self.positions), dtype=bool)
        distances = self.distances(query)
        wanted = eligible & self.probed(query, k, nprobes, eligible)
        wanted &= (distances >= lower) & (distances < upper)
        rows = np.flatnonzero(wanted)
        rows = rows[np.lexsort((self.positions[rows], distances[rows]))][:k]
        return Hits(distances[rows], self.positions[rows])

    def check(
        self,
        query: npt.NDArray[np.floating],
        found: Hits,
        expected: Hits,
    ) -> None:
        """The answer is the expected one; rows may differ only where distances all but tie."""
        num_found = int((found.positions >= 0).sum())
        assert num_found == len(expected.positions)
        assert np.all(found.positions[num_found:] == -1)
        assert np.all(np.isposinf(found.distances[num_found:]))
        distances, positions = found.distances[:num_found], found.positions[:num_found]
        assert np.all(np.diff(distances) >= 0)
        assert len(set(positions.tolist())) == num_found
        where = {int(position): i for i, position in enumerate(self.positions)}
        rows = np.array([where[int(position)] for position in positions], dtype=np.int64)
        slack = TOLERANCE * self.magnitudes(query)
        assert np.all(np.abs(distances - self.distances(query)[rows]) <= slack[rows])
        assert np.all(np.abs(distances - expected.distances) <= 2 * slack.max(initial=0))
