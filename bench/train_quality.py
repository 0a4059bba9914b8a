#!/usr/bin/env python3
"""Compares what Forebay and Faiss make of the same training sample.

Both train 1,024 partitions and a product quantizer of residuals on the same 262,144 rows of
GloVe-100, for the same numbers of iterations; then the mean squared error of the coded vectors
over the whole set is computed for either model by the same numpy code. The table shows the
ratio Forebay / Faiss; the exit code is 1 if one is above 1.01.

Run it from anywhere; it needs numpy, what bench/requirements.txt lists, and Forebay's command in
its release build:

    python bench/fetch_glove.py
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/train_quality.py
    python bench/train_quality.py --seeds 1 --faiss-only   # Faiss's figures alone, sooner
    python bench/train_quality.py --self-test              # checks this script; no data, no CLI

Either side is trained once for each seed, and the means are compared: k-means ends in another
local optimum for each seed. Of the sample, the product quantizers learn from 256 rows for each
codeword, the default of both; --sample-rate 16384 lets both learn from all of it. Else Faiss runs
as its defaults have it.

Exit codes: 0 for within the limit, 1 for above it, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import faiss
import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "bench" / "data" / "glove-100.npy"
FOREBAY = ROOT / "build" / "release" / "bin" / "forebay"

NUM_PARTITIONS = 1_024
SAMPLE_ROWS = 256 * NUM_PARTITIONS
SAMPLE_RATE = 256  # rows for each centroid and for each codeword
SAMPLE_SEED = 20_240_501
IVF_ITERATIONS = 10
PQ_ITERATIONS = 25
MAX_RATIO = 1.01
CHUNK_ROWS = 8_192

# docs/format.md: magic, version, metric, residual, num_bits, reserved, dim, num_partitions,
# num_sub_vectors, reserved, and four hashes; then the centroids and the codebook as float32.
MODEL_HEADER = struct.Struct("<8sIBBBBIIII4Q")
MODEL_MAGIC = b"FRBYMODL"
MODEL_VERSION = 1

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class ForebayError(Exception):
    """Forebay's CLI or its model file failed this script."""


@dataclass(frozen=True)
class Config:
    """What is trained. `normalized`: on the vectors at unit length, else as they are; L2 both."""

    normalized: bool
    num_sub_vectors: int
    num_bits: int

    @property
    def label(self) -> str:
        vectors = "unit length" if self.normalized else "raw"
        return f"{vectors:<11}  M={self.num_sub_vectors:<2} bits={self.num_bits}"


@dataclass(frozen=True)
class Model:
    """An IVF-PQ model of residuals: centroids [P, d], codebook [M, 2^bits, d / M]."""

    centroids: Floats
    codebook: Floats


@dataclass(frozen=True)
class Errors:
    """Means over all rows of |x - centroid|^2, and of |x - decoded code|^2."""

    coarse: float
    coded: float


@dataclass
class Outcome:
    """One trainer's runs for one configuration, one entry for each seed."""

    errors: list[Errors]
    train_seconds: list[float]

    @property
    def mean_coded(self) -> float:
        return fmean(error.coded for error in self.errors)

    @property
    def mean_coarse(self) -> float:
        return fmean(error.coarse for error in self.errors)


def nearest(vectors: Floats, candidates: Floats) -> Ints:
    """The row of the nearest candidate by L2, for each vector."""
    scores = vectors @ candidates.T
    scores -= 0.5 * np.einsum("ij,ij->i", candidates, candidates)
    rows: Ints = scores.argmax(axis=1)
    return rows


def squared_sum(values: Floats) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def measure(vectors: Floats, model: Model) -> Errors:
    """Encodes and decodes every vector. The one judge of both trainers' models."""
    num_sub_vectors, _, sub_dimension = model.codebook.shape
    coarse = coded = 0.0
    for begin in range(0, len(vectors), CHUNK_ROWS):
        chunk = vectors[begin : begin + CHUNK_ROWS]
        residuals = chunk - model.centroids[nearest(chunk, model.centroids)]
        coarse += squared_sum(residuals)
        for sub in range(num_sub_vectors):
            part = residuals[:, sub * sub_dimension : (sub + 1) * sub_dimension]
            codewords = model.codebook[sub]
            coded += squared_sum(part - codewords[nearest(part, codewords)])
    return Errors(coarse / len(vectors), coded / len(vectors))


def train_faiss_index(
    sample: Floats, config: Config, num_partitions: int, seed: int, sample_rate: int
) -> faiss.IndexIVFPQ:
    dimension = sample.shape[1]
    index = faiss.IndexIVFPQ(
        faiss.IndexFlatL2(dimension),
        dimension,
        num_partitions,
        config.num_sub_vectors,
        config.num_bits,
    )
    index.by_residual = True
    index.cp.niter = IVF_ITERATIONS
    index.cp.seed = seed
    index.cp.max_points_per_centroid = sample_rate
    index.pq.cp.niter = PQ_ITERATIONS
    index.pq.cp.seed = seed
    index.pq.cp.max_points_per_centroid = sample_rate
    index.train(sample)
    return index


def faiss_model(index: faiss.IndexIVFPQ) -> Model:
    quantizer = faiss.downcast_index(index.quantizer)
    centroids = quantizer.reconstruct_n(0, index.nlist)
    codebook = faiss.vector_to_array(index.pq.centroids)
    return Model(centroids, codebook.reshape(index.pq.M, index.pq.ksub, index.pq.dsub))


def train_forebay(
    arguments: argparse.Namespace, sample_path: Path, model_path: Path, config: Config, seed: int
) -> None:
    command = [
        str(arguments.forebay), "train", str(sample_path), "--out", str(model_path),
        "--num-partitions", str(NUM_PARTITIONS),
        "--num-sub-vectors", str(config.num_sub_vectors),
        "--num-bits", str(config.num_bits),
        "--metric", "l2",
        "--max-iters", str(IVF_ITERATIONS),
        "--pq-max-iters", str(PQ_ITERATIONS),
        "--sample-rate", str(arguments.sample_rate),
        "--seed", str(seed),
        "--threads", str(arguments.threads),
        "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ForebayError(f"{' '.join(command)}\nexit code {done.returncode}: {done.stderr}")


def load_forebay_model(path: Path, config: Config, dimension: int) -> Model:
    """Reads a model file and checks that it holds what was asked for."""
    model = parse_model_file(path.read_bytes())
    sub_dimension = dimension // config.num_sub_vectors
    codebook = (config.num_sub_vectors, 2**config.num_bits, sub_dimension)
    expected = ((NUM_PARTITIONS, dimension), codebook)
    found = model.centroids.shape, model.codebook.shape
    if found != expected:
        raise ForebayError(f"{path} has the shapes {found}, expected {expected}")
    return model


def parse_model_file(content: bytes) -> Model:
    """The only lines here that know the format of a model file (docs/format.md)."""
    fields = MODEL_HEADER.unpack_from(content)
    magic, version, _, residual, num_bits, _, *shape = fields[:9]
    dimension, num_partitions, num_sub_vectors = shape
    if (magic, version) != (MODEL_MAGIC, MODEL_VERSION) or not residual:
        raise ForebayError("the file is no model of residuals, or of an unknown version")
    floats = np.frombuffer(content, dtype="<f4", offset=MODEL_HEADER.size)
    num_codewords, sub_dimension = 2**num_bits, dimension // num_sub_vectors
    codebook_start = num_partitions * dimension
    return Model(
        floats[:codebook_start].reshape(num_partitions, dimension),
        floats[codebook_start:].reshape(num_sub_vectors, num_codewords, sub_dimension),
    )


def load_vectors(path: Path, normalized: bool) -> Floats:
    vectors: Floats = np.load(path).astype(np.float32, copy=False)
    if normalized:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors)


def draw_sample(vectors: Floats) -> Floats:
    """The same rows for all trainers, seeds and configurations."""
    count = min(len(vectors), SAMPLE_ROWS)
    rows = np.random.default_rng(SAMPLE_SEED).permutation(len(vectors))[:count]
    return np.ascontiguousarray(vectors[rows])


def run_seeds(seeds: Sequence[int], vectors: Floats, train: Callable[[int], Model]) -> Outcome:
    outcome = Outcome([], [])
    for seed in seeds:
        begin = time.perf_counter()
        model = train(seed)
        outcome.train_seconds.append(time.perf_counter() - begin)
        outcome.errors.append(measure(vectors, model))
    return outcome


def compare(
    config: Config, arguments: argparse.Namespace, directory: Path
) -> tuple[Outcome, Outcome | None]:
    vectors = load_vectors(arguments.vectors, config.normalized)
    sample = draw_sample(vectors)

    def by_faiss(seed: int) -> Model:
        return faiss_model(
            train_faiss_index(sample, config, NUM_PARTITIONS, seed, arguments.sample_rate)
        )

    def by_forebay(seed: int) -> Model:
        model_path = directory / "model"
        model_path.unlink(missing_ok=True)
        train_forebay(arguments, sample_path, model_path, config, seed)
        return load_forebay_model(model_path, config, vectors.shape[1])

    seeds = range(1, arguments.seeds + 1)
    of_faiss = run_seeds(seeds, vectors, by_faiss)
    if arguments.faiss_only:
        return of_faiss, None
    sample_path = directory / "sample.npy"
    np.save(sample_path, sample)
    return of_faiss, run_seeds(seeds, vectors, by_forebay)


HEADER = (
    f"{'vectors':<11}  {'codes':<11} {'Faiss':>9} {'(min .. max)':>19} {'coarse':>9} {'s':>6}"
    f" | {'Forebay':>9} {'coarse':>9} {'s':>6} | ratio"
)


def table_row(config: Config, of_faiss: Outcome, of_forebay: Outcome | None) -> str:
    coded = [error.coded for error in of_faiss.errors]
    spread = f"({min(coded):.5f} .. {max(coded):.5f})"
    row = (
        f"{config.label:<24} {of_faiss.mean_coded:9.5f} {spread:>19} "
        f"{of_faiss.mean_coarse:9.5f} {fmean(of_faiss.train_seconds):6.1f}"
    )
    if of_forebay is None:
        return row
    ratio = of_forebay.mean_coded / of_faiss.mean_coded
    verdict = "" if ratio <= MAX_RATIO else f"  above {MAX_RATIO}"
    return (
        f"{row} | {of_forebay.mean_coded:9.5f} {of_forebay.mean_coarse:9.5f} "
        f"{fmean(of_forebay.train_seconds):6.1f} | {ratio:.4f}{verdict}"
    )


def self_test() -> int:
    """The numpy judge against Faiss's own encoder and decoder, on small random vectors."""
    vectors = np.random.default_rng(7).normal(size=(20_000, 24)).astype(np.float32)
    for num_sub_vectors, num_bits in ((6, 8), (12, 4)):
        config = Config(False, num_sub_vectors, num_bits)
        index = train_faiss_index(vectors, config, 32, 1, SAMPLE_RATE)
        decoded = index.sa_decode(index.sa_encode(vectors))
        expected = squared_sum(vectors - decoded) / len(vectors)
        found = measure(vectors, faiss_model(index)).coded
        agrees = abs(found / expected - 1) < 1e-4
        print(f"{config.label}: Faiss {expected:.6f}, here {found:.6f}  {'ok' if agrees else 'NO'}")
        if not agrees:
            return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training quality: Forebay against Faiss.")
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="a .npy file of float32")
    parser.add_argument("--forebay", type=Path, default=FOREBAY, help="the CLI's executable")
    parser.add_argument("--seeds", type=int, default=3, help="how many for each configuration")
    parser.add_argument("--threads", type=int, default=1, help="of either trainer")
    parser.add_argument(
        "--sample-rate", type=int, default=SAMPLE_RATE, help="rows for each centroid and codeword"
    )
    parser.add_argument("--faiss-only", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args()


def run_all(arguments: argparse.Namespace) -> bool:
    """Prints the table; false if a ratio is above the limit."""
    configs = [Config(unit, m, bits) for unit in (False, True) for m, bits in ((25, 8), (50, 4))]
    figures: list[dict[str, object]] = []
    passed = True
    print(HEADER)
    with tempfile.TemporaryDirectory() as directory:
        for config in configs:
            of_faiss, of_forebay = compare(config, arguments, Path(directory))
            print(table_row(config, of_faiss, of_forebay), flush=True)
            figures.append(asdict(config) | {"faiss": asdict(of_faiss)})
            if of_forebay is not None:
                figures[-1]["forebay"] = asdict(of_forebay)
                passed = passed and of_forebay.mean_coded <= MAX_RATIO * of_faiss.mean_coded
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return passed


def missing_file(arguments: argparse.Namespace) -> str | None:
    """What to do about a file that is not there."""
    if not arguments.vectors.is_file():
        return f"{arguments.vectors} is missing; run bench/fetch_glove.py first"
    if not arguments.faiss_only and not arguments.forebay.is_file():
        return f"{arguments.forebay} is missing; build it, or use --faiss-only"
    return None


def main() -> int:
    arguments = parse_arguments()
    faiss.omp_set_num_threads(arguments.threads)
    if arguments.self_test:
        return self_test()
    problem = missing_file(arguments)
    try:
        if problem is None:
            return 0 if run_all(arguments) else 1
    except ForebayError as error:
        problem = str(error)
    print(f"train_quality: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
