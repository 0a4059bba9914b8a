"""What each verb prints and leaves, and its exit codes: 0 done, 1 failed, 2 wrong use."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from vector_files import CLI, DIM, NUM_ROWS, Floats, Forebay

VERBS = [
    *((verb,) for verb in ("init", "put", "delete", "get", "search", "scan", "export")),
    *((verb,) for verb in ("flush", "merge", "stats", "verify", "train")),
    ("inspect",),
    ("bench", "stream"),
]
STREAM_KEYS = [
    "ingest_rows_per_s",
    "visible_p50_us",
    "visible_p99_us",
    "search_idle_p50_us",
    "search_idle_p99_us",
    "search_load_p50_us",
    "search_load_p99_us",
    "recall_at_k",
    "bytes_per_vector",
]
MODEL_KEYS = [
    "metric",
    "dim",
    "num_partitions",
    "num_sub_vectors",
    "num_bits",
    "residual",
    "code_len",
    "fingerprint",
    "bytes",
]


@pytest.mark.parametrize("verb", [(), ("bench",), *VERBS])
def test_help(forebay: Forebay, verb: tuple[str, ...]) -> None:
    result = forebay(*verb, "--help")
    assert result.returncode == 0
    assert result.stderr == ""
    if verb != ("bench",):
        assert "\nExamples:\n  forebay " in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_version(forebay: Forebay) -> None:
    result = forebay("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"forebay \d+\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bench",),
        ("fly",),
        ("train",),
        ("train", "a.npy"),
        ("train", "--out", "a.model"),
        ("train", "a.npy", "b.npy", "--out", "a.model"),
        ("train", "a.npy", "--out", "a.model", "--num-bits", "5"),
        ("train", "a.npy", "--out", "a.model", "--metric", "hamming"),
        ("train", "a.npy", "--out", "a.model", "--num-partitions", "0"),
        ("train", "a.npy", "--out", "a.model", "--num-partitions", "-3"),
        ("train", "a.npy", "--out", "a.model", "--num-partitions", "many"),
        ("train", "a.npy", "--out", "a.model", "--residual", "--raw"),
        ("train", "a.npy", "--out", "a.model", "--threads", "0"),
        ("train", "a.npy", "--out", "a.model", "--seed", "-1"),
        ("train", "a.npy", "--out", "a.model", "--pq-max-iters", "1.5"),
        ("train", "a.npy", "--out", "a.model", "--fast"),
        ("inspect",),
        ("init", "a"),
        ("init", "--schema", "a.parquet"),
        ("init", "a", "--schema", "a.parquet", "--metric", "hamming"),
        ("init", "a", "--schema", "a.parquet", "--vector", "v", "--dim", "0"),
        ("put",),
        ("put", "a", "--sync", "sometimes"),
        ("put", "a", "--batch-rows", "0"),
        ("put", "a", "--acks", "--json"),
        ("put", "a", "--on-bad-vectors", "ignore"),
        ("delete", "a"),
        ("get", "a", "--row-id", "-1"),
        ("search", "a", "--column", "v", "--like", "b"),
        ("scan", "a", "--limit", "-1"),
        ("scan", "a", "--limit", "1", "--count"),
        ("scan", "a", "--out"),
        ("export", "a"),
        ("export", "a", "-o", "b", "--format", "csv"),
        ("flush", "a", "b"),
        ("merge", "a", "--threads", "0"),
        ("stats",),
        ("verify", "a", "b"),
        ("bench", "stream"),
        ("bench", "stream", "a.npy", "--batch", "0"),
        ("bench", "stream", "a.npy", "--model", "a.model", "--metric", "l2"),
        ("bench", "stream", "a.npy", "--model", "a.model", "--train-rows", "9"),
    ],
)
def test_wrong_use(forebay: Forebay, arguments: tuple[str, ...]) -> None:
    result = forebay(*arguments)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Run with --help for more information." in result.stderr


def test_train(forebay: Forebay, npy: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.model"
    result = forebay("train", npy, "--out", out)
    assert result.returncode == 0
    assert result.stderr == ""  # No terminal, no progress.
    assert f"trained on {NUM_ROWS} rows in " in result.stdout
    assert f"written to    {out}\n" in result.stdout
    assert f"file          {out.stat().st_size:,} bytes\n" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.model"]


def test_train_json(forebay: Forebay, npy: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.model"
    result = forebay("train", npy, "--out", out, "--json")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1
    report = json.loads(result.stdout)
    assert list(report) == ["model", "rows", "seconds", *MODEL_KEYS]
    assert report["model"] == str(out)
    assert report["rows"] == NUM_ROWS
    assert report["dim"] == DIM
    # The defaults: the power of two nearest to 600 ** .5, and a byte for every 4 dimensions.
    assert report["num_partitions"] == 32
    assert (report["num_sub_vectors"], report["num_bits"], report["code_len"]) == (4, 8, 4)
    assert (report["metric"], report["residual"]) == ("l2", True)
    assert report["bytes"] == out.stat().st_size
    assert len(report["fingerprint"]) == 16


def test_inspect(forebay: Forebay, model: Path) -> None:
    report = json.loads(forebay("inspect", model, "--json").stdout)
    assert list(report) == MODEL_KEYS
    assert report["num_partitions"] == 8
    assert report["bytes"] == model.stat().st_size
    text = forebay("inspect", model)
    assert text.returncode == 0
    assert "metric        l2\n" in text.stdout
    assert f"fingerprint   {report['fingerprint']}\n" in text.stdout


def train_json(forebay: Forebay, npy: Path, out: Path, *options: object) -> dict[str, object]:
    result = forebay("train", npy, "--out", out, "--json", *options)
    assert result.returncode == 0, result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    inspected = json.loads(forebay("inspect", out, "--json").stdout)
    assert {key: report[key] for key in MODEL_KEYS} == inspected
    return report


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--metric", "cosine"], {"metric": "cosine", "residual": True}),
        (["--metric", "dot"], {"metric": "dot", "residual": False}),
        (["--raw"], {"residual": False}),
        (["--residual"], {"residual": True}),
        (["--num-bits", 4], {"num_bits": 4, "num_sub_vectors": 8, "code_len": 4}),
        (["--num-sub-vectors", 8], {"num_sub_vectors": 8, "code_len": 8}),
        (["--num-partitions", 5], {"num_partitions": 5}),
        (["--rows", 300], {"rows": 300, "num_partitions": 16}),
    ],
)
def test_train_options(
    forebay: Forebay,
    npy: Path,
    tmp_path: Path,
    options: list[object],
    expected: dict[str, object],
) -> None:
    report = train_json(forebay, npy, tmp_path / "a.model", *options)
    assert {key: report[key] for key in expected} == expected


def test_threads_and_seed(forebay: Forebay, npy: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.model"
    one = train_json(forebay, npy, out, "--threads", 1)["fingerprint"]
    assert train_json(forebay, npy, out, "--threads", 3)["fingerprint"] == one
    assert train_json(forebay, npy, out, "--seed", 2)["fingerprint"] != one
    assert train_json(forebay, npy, out, "--max-iters", 1)["fingerprint"] != one
    assert train_json(forebay, npy, out, "--pq-max-iters", 1)["fingerprint"] != one


@pytest.mark.parametrize(
    ("dim", "bits", "num_sub_vectors"),
    [
        (1, 8, 1),
        (3, 8, 1),
        (7, 8, 1),
        (8, 8, 2),
        (100, 8, 25),
        (101, 8, 101),
        (96, 8, 24),
        (100, 4, 50),
        (2, 4, 2),
        (6, 4, 2),
        (14, 4, 14),
    ],
)
def test_default_sub_vectors(
    forebay: Forebay, tmp_path: Path, dim: int, bits: int, num_sub_vectors: int
) -> None:
    values = np.random.default_rng(1).normal(size=(300, dim)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    report = train_json(
        forebay, tmp_path / "a.npy", tmp_path / "a.model", "--num-bits", bits, "--num-partitions", 4
    )
    assert report["num_sub_vectors"] == num_sub_vectors


def test_train_failures(forebay: Forebay, npy: Path, tmp_path: Path, vectors: Floats) -> None:
    def fails(says: str, *arguments: object) -> None:
        result = forebay("train", *arguments)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith("forebay: ")
        assert says in result.stderr

    out = tmp_path / "a.model"
    fails("there is no folder", npy, "--out", tmp_path / "none" / "a.model")
    fails("no regular file", npy, "--out", tmp_path)
    fails("700", npy, "--out", out, "--num-partitions", 700)
    fails("200", npy, "--out", out, "--rows", 200, "--num-partitions", 2)
    fails("3", npy, "--out", out, "--num-sub-vectors", 3)
    fails("residual", npy, "--out", out, "--metric", "dot", "--residual")
    np.save(tmp_path / "odd.npy", vectors[:, :15].copy())
    fails("use 8 bits", tmp_path / "odd.npy", "--out", out, "--num-bits", 4)
    bad = vectors.copy()
    bad[77, 3] = np.nan
    np.save(tmp_path / "nan.npy", bad)
    fails("77", tmp_path / "nan.npy", "--out", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nan.npy", "odd.npy"]


def test_damaged_model(forebay: Forebay, npy: Path, model: Path, tmp_path: Path) -> None:
    content = bytearray(model.read_bytes())
    path = tmp_path / "a.model"
    for damaged in (content[:-1], content[:9], b"", b"x" + content[1:]):
        path.write_bytes(damaged)
        for verb in (("inspect", path), ("bench", "stream", npy, "--queries", 9, "--model", path)):
            result = forebay(*verb)
            assert result.returncode == 1
            assert result.stdout == ""
            assert result.stderr.startswith(f"forebay: {path}: ")
    result = forebay("inspect", tmp_path / "none.model")
    assert result.returncode == 1
    assert result.stderr == (
        f"forebay: cannot open {tmp_path / 'none.model'}: No such file or directory\n"
    )


def stream_json(forebay: Forebay, *arguments: object) -> dict[str, object]:
    result = forebay("bench", "stream", *arguments, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1
    report: dict[str, object] = json.loads(result.stdout)
    assert list(report) == [*STREAM_KEYS, "samples", "config"]
    return report


@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_stream(forebay: Forebay, npy: Path, metric: str) -> None:
    report = stream_json(
        forebay, npy, "--queries", 100, "--metric", metric, "--num-partitions", 8, "--nprobes", 8,
        "--refine-factor", 50, "--batch", 50, "--rate", 2000, "--query-threads", 2,
    )  # fmt: skip
    # All partitions probed and all rows ranked exactly: nothing can be missed.
    assert report["recall_at_k"] == 1
    assert all(isinstance(report[key], float) and report[key] > 0 for key in STREAM_KEYS[:-2])
    assert report["visible_p50_us"] <= report["visible_p99_us"]
    assert report["ingest_rows_per_s"] <= 2001  # never faster than asked
    samples, config = report["samples"], report["config"]
    assert samples["batches"] == 10
    assert samples["searches_idle"] == 2000
    assert samples["searches_load"] > 0
    assert (samples["recall_idle"], samples["recall_load"]) == (1, 1)
    assert (config["rows"], config["queries"], config["train_rows"]) == (500, 100, 500)
    assert config["model"]["metric"] == metric
    assert config["capacity"] == 64


def test_stream_with_a_model(forebay: Forebay, npy: Path, model: Path) -> None:
    report = stream_json(forebay, npy, "--queries", 100, "--model", model, "--batch", 77)
    assert report["config"]["train_rows"] == 0
    assert report["config"]["model"]["num_partitions"] == 8
    assert report["samples"]["batches"] == 7
    assert 0 < report["recall_at_k"] <= 1


def test_stream_repeats(forebay: Forebay, npy: Path, model: Path) -> None:
    report = stream_json(
        forebay, npy, "--queries", 100, "--model", model, "--repeat", 3, "--shuffle"
    )
    assert report["samples"]["batches"] == 3
    assert report["config"]["rows"] == 500


def test_stream_text(forebay: Forebay, npy: Path, model: Path) -> None:
    result = forebay("bench", "stream", npy, "--queries", 100, "--model", model, "-k", 5)
    assert result.returncode == 0
    assert result.stdout.startswith("500 rows x 16 dimensions, l2, 8 partitions, 4 bytes a code\n")
    for line in ("ingest", "write to visible", "search, idle", "search, under load", "recall@5"):
        assert f"\n{line} " in result.stdout
    assert "too few for a p99; use --repeat" in result.stderr


def test_stream_failures(
    forebay: Forebay, npy: Path, model: Path, tmp_path: Path, vectors: Floats
) -> None:
    too_few = forebay("bench", "stream", npy)
    assert too_few.returncode == 1
    assert "has 600 rows; expected more than the 1,000 that are held out" in too_few.stderr

    np.save(tmp_path / "wide.npy", np.hstack([vectors, vectors]))
    other = forebay("bench", "stream", tmp_path / "wide.npy", "--model", model, "--queries", 9)
    assert other.returncode == 1
    assert "is of dimension 16, the vectors of" in other.stderr

    for row in (77, 599):  # One that is written, one that is searched for.
        bad = vectors.copy()
        bad[row] = np.inf
        np.save(tmp_path / "bad.npy", bad)
        result = forebay("bench", "stream", tmp_path / "bad.npy", "--model", model, "--queries", 1)
        assert result.returncode == 1
        assert result.stdout == ""


def test_full_disk(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run([CLI, "inspect", model], check=False, stdout=full)
    assert result.returncode == 1


def test_progress_on_a_terminal(npy: Path, tmp_path: Path) -> None:
    def stderr_of(*options: str) -> bytes:
        leader, follower = pty.openpty()
        subprocess.run(
            [CLI, "train", npy, "--out", tmp_path / "a.model", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=follower,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(leader, 1 << 16):
                text += chunk
        except OSError:  # How Linux says that the other end is closed.
            pass
        os.close(leader)
        return text

    shown = stderr_of()
    assert b"training the centroids" in shown
    assert shown.endswith(b"\r\x1b[K")  # Nothing of it stays.
    assert stderr_of("--json") == b""
