"""bench/compare.py: what it reads, what it computes, and a run over a little random data."""

import json
import math
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comparison.datasets import (
    DataError,
    Dataset,
    Floats,
    Metric,
    exact_neighbors,
    hold_out,
    read_vectors,
    recall,
)
from comparison.faiss_systems import checked_level
from comparison.plan import FLAT_OUT
from comparison.pool import SystemFailedError, WorkerProcess
from comparison.ratios import (
    Figure,
    TargetsError,
    Value,
    all_figures,
    at_recall,
    cheapest,
    contenders,
    frontier,
    outline,
    read_targets,
    too_slow_us,
    verdict,
)
from comparison.report import ratio_table, report
from comparison.results import Results, ResultsError, Rounds
from comparison.systems import Shape, all_kinds, num_partitions_for, num_sub_vectors_for
from comparison.worker import Job, NoLock, Writer, stagnates

COMPARE = Path(__file__).resolve().parents[2] / "bench" / "compare.py"


def random_vectors(rows: int, dim: int) -> Floats:
    return np.random.default_rng(5).normal(size=(rows, dim)).astype(np.float32)


# --- Files -----------------------------------------------------------------------------------


def write_fvecs(path: Path, vectors: Floats) -> None:
    dims = np.full((len(vectors), 1), vectors.shape[1], dtype="<i4")
    path.write_bytes(np.hstack([dims, vectors.view("<i4")]).tobytes())


def write_parquet(path: Path, vectors: Floats) -> None:
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    pq.write_table(pa.table({"id": np.arange(len(vectors)), "vector": column}), path)


@pytest.mark.parametrize(
    ("name", "write"), [("a.npy", np.save), ("a.fvecs", write_fvecs), ("a.parquet", write_parquet)]
)
def test_reads(tmp_path: Path, name: str, write: object) -> None:
    vectors = random_vectors(7, 3)
    assert callable(write)
    write(tmp_path / name, vectors)
    np.testing.assert_array_equal(read_vectors(tmp_path / name), vectors)


def test_bad_files(tmp_path: Path) -> None:
    def fails(name: str, says: str, column: str | None = None) -> None:
        with pytest.raises(DataError, match=says):
            read_vectors(tmp_path / name, column)

    fails("a.txt", "expected a .npy")
    fails("a.npy", "no such file")
    (tmp_path / "a.npy").write_bytes(b"nonsense")
    fails("a.npy", "no .npy file")
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    fails("a.npy", r"expected floats .* got int64\[2, 3\]")
    np.save(tmp_path / "a.npy", np.array([[1.0, 2.0], [np.nan, 3.0]]))
    fails("a.npy", "row 1 is NaN")
    np.save(tmp_path / "a.npy", random_vectors(2, 2))
    fails("a.npy", "leave it out", column="vector")
    write_fvecs(tmp_path / "a.fvecs", random_vectors(3, 4))
    whole = (tmp_path / "a.fvecs").read_bytes()
    (tmp_path / "a.fvecs").write_bytes(whole[:-4])
    fails("a.fvecs", "cut off")
    (tmp_path / "a.fvecs").write_bytes(whole[:20] + b"\x05\0\0\0" + whole[24:])
    fails("a.fvecs", "row 1 has 5")
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "a.parquet")
    fails("a.parquet", "expected one column")
    fails("a.parquet", "no column 'x'", column="x")


# --- Exact answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["l2", "dot"])
def test_exact_neighbors(metric: Metric) -> None:
    base, queries = random_vectors(200, 6), random_vectors(9, 6)[::-1] * 1.5
    allowed = np.arange(200) % 3 == 0
    found = exact_neighbors(base, queries, 5, metric, allowed)
    for query, rows in zip(queries, found, strict=True):
        distances = ((base - query) ** 2).sum(axis=1) if metric == "l2" else -(base @ query)
        distances[~allowed] = np.inf
        np.testing.assert_array_equal(rows, np.argsort(distances)[:5])


def test_fewer_than_k() -> None:
    base = random_vectors(20, 4)
    found = exact_neighbors(base, base[:2], 5, "l2", np.arange(20) < 3)
    assert (found[:, 3:] == -1).all()
    assert set(found[0, :3]) == {0, 1, 2}
    assert recall(found, found) == 1.0


def test_recall() -> None:
    exact = np.array([[1, 2, 3, 4], [5, 6, -1, -1]])
    assert recall(np.array([[4, 9, 1, 8], [6, 5, 7, 7]]), exact) == pytest.approx(4 / 6)
    assert recall(np.full((2, 4), -1), exact) == 0.0
    with pytest.raises(ValueError, match="expected 2"):
        recall(exact[:1], exact)


def test_hold_out() -> None:
    vectors = random_vectors(100, 3)
    split = hold_out(vectors, 10, seed=1)
    both = np.vstack([split.base, split.queries])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(vectors, axis=0))
    with pytest.raises(DataError, match="at least 110"):
        hold_out(vectors, 11, seed=1)


# --- Choosing and comparing --------------------------------------------------------------------

POINTS = [
    ({"ef": 1}, 0.85, 1.0),
    ({"ef": 2}, 0.93, 3.0),
    ({"ef": 3}, 0.94, 2.0),
    ({"ef": 4}, 0.96, 4.0),
]


def test_choosing() -> None:
    assert cheapest(POINTS, 0.9) == ({"ef": 3}, 0.94, 2.0)
    assert cheapest(POINTS, 0.99) is None
    assert [point[0]["ef"] for point in frontier(POINTS)] == [1, 3, 4]
    assert {"ef": 2} in contenders(POINTS)  # One of the three cheapest at .90.
    assert {"ef": 4} in contenders(POINTS)  # The best there is, though not .98.
    assert {"ef": 5} not in contenders([*POINTS, ({"ef": 5}, 0.93, 3.1)])  # Slower by half.
    assert contenders([({"ef": 1}, 0.2, 1.0)]) == [{"ef": 1}]
    assert contenders([]) == []
    assert too_slow_us(POINTS) == math.inf
    assert too_slow_us([*POINTS, ({"ef": 5}, 0.99, 6.0)]) == 9.0
    near = ({"ef": 6}, 0.855, 1.5)
    assert outline([*POINTS, near, ({"ef": 7}, 0.84, 0.5)]) == [{"ef": 1}]
    assert stagnates([0.1, 0.8, 0.9, 0.9, 0.9])
    assert not stagnates([0.1, 0.8, 0.9, 0.95])


def test_shapes() -> None:
    assert [num_partitions_for(n) for n in (10_000, 100_000, 340_479)] == [128, 512, 1_024]
    assert num_sub_vectors_for(100, 4, even=False) == 25
    assert num_sub_vectors_for(100, 2, even=True) == 50
    with pytest.raises(ValueError, match="dimension 7"):
        num_sub_vectors_for(7, 4, even=True)


def small_results() -> Results:
    systems = {
        name: {"label": name.upper(), "is_ours": ours, "parameters": "", "simd": None}
        for name, ours in (("forebay-8bit", True), ("forebay-4bit", True), ("hnswlib", False))
    }
    run = {
        "started": "now", "seconds": 60.0, "quick": True, "cpu": "a CPU", "cpus": 2, "threads": 1,
        "simd": {"forebay": "any", "faiss": "any"}, "versions": {"hnswlib": "1"}, "notes": [],
        "measures": {"search": True, "ingest": False}, "seconds_of_measures": {"search": 50.0},
    }  # fmt: skip
    data = {
        "name": "words", "rows": 100, "dim": 4, "metric": "l2", "unit_length": True,
        "queries": 10, "k": 10,
    }  # fmt: skip
    results = Results(run, data, systems)
    times = {"forebay-8bit": [30.0, 20.0], "forebay-4bit": [15.0, 10.0], "hnswlib": [40.0, 30.0]}
    for name, rounds in times.items():
        key = {"system": name, "rows": 100, "threads": 1, "setting": {"ef": 3}}
        times_of_it = {"mean_us": rounds, "p50_us": rounds, "p99_us": rounds}
        results.search += [
            key | {"mode": mode, "recall": 0.96} | times_of_it for mode in ("single", "batch")
        ]
    return results


def test_ratios() -> None:
    results = small_results()
    figures = {figure.key: figure for figure in all_figures(results)}
    figure = figures["single/0.95/hnswlib"]
    assert figure.ratio == pytest.approx(3.0)
    assert figure.spread == pytest.approx((40 / 15, 3.0))
    assert (verdict(figure, 3.0), verdict(figure, 3.1), verdict(figure, None)) == (
        "ok", "missed", "",
    )  # fmt: skip
    assert verdict(figures["single/0.98/hnswlib"], 1.0) == "not measured"
    assert at_recall(results.search, 0.99) is None
    unreached = Figure("key", "title", "hnswlib", "us", Value("forebay-8bit", (1.0,)), None)
    assert verdict(unreached, 2.0) == "ok: peer does not reach it"


def test_tables() -> None:
    results = small_results()
    targets = {"single/0.95/fastest-peer": 2.0, "ingest/1/hnswlib": None}
    rows = ratio_table(results, targets).splitlines()
    assert len(rows) == 4
    assert "| 3.00 | 2.67 .. 3.00 | 2 | ok |" in rows[2]
    assert "not measured" in rows[3]
    text = report(results, targets)
    assert "## Search" in text
    assert "not finished: ingest." in text


def test_files_of_results(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = small_results()
    results.write(path)
    assert Results.read(path) == results
    for text in ("{}", "[]", "nonsense", '{"schema": 1}', '{"schema": 2, "other": 2}'):
        path.write_text(text)
        with pytest.raises(ResultsError, match=r"results.json"):
            Results.read(path)


def test_targets(tmp_path: Path) -> None:
    assert "single/0.95/hnswlib" in read_targets(COMPARE.with_name("targets.json"))
    path = tmp_path / "targets.json"
    path.write_text('{"a": "b"}')
    with pytest.raises(TargetsError, match="least ratio"):
        read_targets(path)


def test_rounds() -> None:
    rounds = Rounds()
    for mean in (3.0, 2.0):
        rounds.add({"system": "a"}, {"recall": 0.9, "mean_us": mean}, once=["recall"])
    assert rounds.records == [{"system": "a", "recall": 0.9, "mean_us": [3.0, 2.0]}]


# --- The systems ---------------------------------------------------------------------------------


def installed() -> list[str]:
    return [name for name, kind in all_kinds().items() if find_spec(kind.package)]


@pytest.mark.skipif(find_spec("hnswlib") is None, reason="needs hnswlib")
def test_graph_parameters() -> None:
    system = all_kinds()["hnswlib"].make(Shape(8, "l2", 1))
    system.open(Path("none"), 10, keep_vectors=True)
    index = vars(system)["_index"]
    assert (index.M, index.ef_construction, index.max_elements) == (16, 100, 10)


@pytest.mark.skipif(find_spec("faiss") is None, reason="needs Faiss")
def test_failing_worker(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, "l2")
    for name in ("base", "queries"):
        dataset.save(name, random_vectors(20, 4))
    process = WorkerProcess(Job("faiss-hnsw", Shape(4, "l2", 1), dataset, 20, 10))
    with pytest.raises(SystemFailedError, match=r"(?s)survey_all: .*no attribute"):
        process.call("survey_all")
    assert process.alive
    vars(process)["_process"].kill()
    with pytest.raises(SystemFailedError, match="the process died"):
        process.call("survey_all")
    assert not process.alive


def test_level_of_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    def faiss(name: str, level: int, dispatched: int) -> SimpleNamespace:
        config = SimpleNamespace(
            get_level_name=lambda: name,
            get_level=lambda: level,
            get_dispatched_level=lambda: dispatched,
        )
        return SimpleNamespace(SIMDConfig=config)

    monkeypatch.delenv("FAISS_SIMD_LEVEL", raising=False)
    assert checked_level(faiss("AVX512", 2, 2)) == "AVX512"
    monkeypatch.setenv("FAISS_SIMD_LEVEL", "AVX2")
    assert checked_level(faiss("AVX2", 1, 1)) == "AVX2"
    for other in (faiss("AVX512", 2, 2), faiss("AVX2", 1, 0)):
        with pytest.raises(RuntimeError, match="FAISS_SIMD_LEVEL is AVX2"):
            checked_level(other)


def test_writer() -> None:
    def write(rate: int) -> tuple[list[int], bool]:
        written: list[int] = []
        system = SimpleNamespace(insert=lambda batch: written.append(len(batch)))
        writer = Writer(system, random_vectors(800, 3), NoLock(), rate, seconds=0.05)
        writer.thread.start()
        writer.thread.join()
        assert writer.num_rows == sum(written)
        return written, writer.used_up

    assert write(0) == ([], False)
    assert write(FLAT_OUT) == ([800], True)
    paced, used_up = write(5_000)
    assert (set(paced), used_up) == ({50}, False)
    assert len(paced) <= 5


# --- Whole runs ----------------------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(COMPARE), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def small_run(folder: Path, systems: list[str], measures: str) -> list[str]:
    """The arguments of a quick run over a little random data; its results go to folder/out."""
    np.save(folder / "vectors.npy", random_vectors(2_000, 16))
    return [
        "--quick", "--data", str(folder / "vectors.npy"), "--queries", "50", "--rounds", "1",
        "--systems", ",".join(systems), "--measures", measures, "--out", str(folder / "out"),
    ]  # fmt: skip


@pytest.mark.skipif(not installed() or find_spec("tqdm") is None, reason="needs a system")
def test_run(tmp_path: Path) -> None:
    wanted = {"forebay-4bit", "faiss-fastscan", "hnswlib"}
    systems = sorted(wanted & set(installed()))
    done = run(*small_run(tmp_path, systems, "search,ingest,memory,filter"))
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["failures"] == []
    for measure in ("search", "ingest", "memory"):
        assert {record["system"] for record in content[measure]} == set(systems)
    best = dict.fromkeys(systems, 0.0)
    for record in content["search"]:
        best[record["system"]] = max(best[record["system"]], record["recall"])
    assert min(best.values()) > 0.9, best
    assert all(content["run"]["measures"].values())
    again = run("--summary", tmp_path / "out" / "results.json")
    assert again.stdout.startswith("| figure |")


@pytest.mark.skipif(not installed() or find_spec("tqdm") is None, reason="needs a system")
def test_measures_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has graphs, too, and neither it nor ingest fills indexes that it does not measure."""
    monkeypatch.setenv("FOREBAY_SIMD", "avx2")
    systems = sorted({"forebay-4bit", "faiss-ivfflat", "faiss-hnsw"} & set(installed()))
    done = run(*small_run(tmp_path, systems, "ingest,memory"))
    assert done.returncode == 0, done.stderr
    results = Results.read(tmp_path / "out" / "results.json")
    assert results.failures == []
    assert [record["system"] for record in results.memory] == list(results.systems)
    assert {record["system"] for record in results.ingest} == set(systems)
    assert set(results.run["seconds_of_measures"]) == {"train", "ingest", "memory"}
    simd = {system["package"]: system["simd"] for system in results.systems.values()}
    assert simd.get("faiss", "AVX2") == "AVX2"


@pytest.mark.skipif(not installed() or find_spec("tqdm") is None, reason="needs a system")
def test_stopped(tmp_path: Path) -> None:
    """What was finished before Ctrl-C is in the file before it, and in the report after it."""
    path = tmp_path / "out" / "results.json"
    command = [sys.executable, str(COMPARE), *small_run(tmp_path, installed()[:1], "stream,ingest")]
    # A background job ignores Ctrl-C, and so do its children, but they do not inherit a handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not path.is_file() and time.monotonic() < deadline:
                time.sleep(0.02)
            assert Results.read(path).run["measures"] == {"stream": False, "ingest": True}
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "finished: ingest; not finished: stream" in said
    assert "Traceback" not in said
    assert Results.read(path).ingest
    assert "## Ingest" in path.with_name("report.md").read_text()
    assert not path.with_suffix(".partial").exists()


def test_bad_arguments(tmp_path: Path) -> None:
    for arguments, says in (
        (["--systems", "annoy"], "expected some of"),
        (["--measures", "beauty", "--systems", installed()[0]], "expected some of"),
        (["--rounds", "0", "--systems", installed()[0]], "at least 1"),
        (["--summary", tmp_path / "none.json"], "none.json"),
        (["--data", tmp_path / "none.npy", "--systems", installed()[0]], "no such file"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
