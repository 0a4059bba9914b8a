"""The verbs of a table's generations: flush, merge, stats; and export, which reads over all."""

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import ROWS, done, failed, json_lines, rows_of, stream_of
from vector_files import CLI, Floats, Forebay, write_ipc_file


@pytest.fixture
def generations(forebay: Forebay, empty: Path, rows: pa.Table) -> Path:
    """Three generations, of which the first two have dead rows, and two rows in the log."""
    done(forebay("put", empty, stdin=stream_of(rows.slice(0, 100))))
    done(forebay("flush", empty))
    done(forebay("put", empty, stdin=stream_of(rows.slice(80, 120))))  # 20 again.
    done(forebay("flush", empty))
    done(forebay("put", empty, stdin=stream_of(rows.slice(200, 98))))
    done(forebay("delete", empty, "word 5", "word 150"))
    done(forebay("flush", empty))
    done(forebay("put", empty, stdin=stream_of(rows.slice(298, 2))))
    return empty


@pytest.fixture
def remaining(rows: pa.Table) -> pa.Table:
    """What it holds, in the order of `_rowid`."""
    alive = [i for i in range(ROWS) if i not in (5, 150)]
    return rows.take(alive)


def test_flush(forebay: Forebay, table: Path) -> None:
    (report,) = json_lines(forebay("flush", table, "--json"))
    assert report.pop("seconds") > 0
    assert report == {"table": str(table), "rows": ROWS, "generations": 1}
    text = done(forebay("flush", table))
    assert text.startswith("flushed 0 rows in ")
    assert text.endswith("; the table has 1 generation\n")
    (stats,) = json_lines(forebay("stats", table, "--json"))
    assert stats["recovery"]["rows"] == 0  # Nothing to replay.
    done(forebay("verify", table))


def test_reads_go_over_all(
    forebay: Forebay, generations: Path, remaining: pa.Table, vectors: Floats
) -> None:
    found = json_lines(forebay("scan", generations, "--json"))
    assert pa.Table.from_pylist(found, remaining.schema).equals(remaining)
    assert done(forebay("scan", generations, "--count", "--filter", "n >= 90")) == "188\n"
    words = ("word 90", "word 3", "word 299", "word 210")
    found = json_lines(forebay("get", generations, *words, "--columns", "word", "--json"))
    assert [row["word"] for row in found] == list(words)
    failed(forebay("get", generations, "word 150"), "there is no row with key 'word 150'")
    alive = [i for i in range(ROWS) if i not in (5, 150)]
    nearest = np.argsort(((vectors[alive] - vectors[150]) ** 2).sum(axis=1), kind="stable")[:10]
    np.save(generations.parent / "q.npy", vectors[150:151])
    hits = json_lines(forebay("search", generations, generations.parent / "q.npy", "--json"))
    assert [hit["word"] for hit in hits] == [f"word {alive[i]}" for i in nearest]


def test_merge(forebay: Forebay, generations: Path, remaining: pa.Table) -> None:
    (report,) = json_lines(forebay("merge", generations, "--json", "--threads", 1))
    assert report.pop("seconds") > 0
    assert report.pop("bytes") < report.pop("bytes_before")
    assert report == {
        "table": str(generations),
        "generations_before": 3,
        "generations": 1,
        "rows": ROWS - 4,
        "dropped": 22,
    }
    found = json_lines(forebay("scan", generations, "--json"))
    assert pa.Table.from_pylist(found, remaining.schema).equals(remaining)
    done(forebay("flush", generations))
    text = done(forebay("merge", generations))
    assert text.startswith("merged 2 generations into 1 in ")
    assert ": 298 rows, 0 dead ones dropped; " in text
    assert done(forebay("merge", generations)).startswith("merged 1 generation into 1 in ")
    done(forebay("verify", generations))


def test_stats_of_generations(forebay: Forebay, generations: Path) -> None:
    (stats,) = json_lines(forebay("stats", generations, "--json"))
    assert (stats["rows"], stats["dead"]) == (298, 22)
    counts = [(g["number"], g["rows"], g["dead"]) for g in stats["generations"]]
    assert counts == [(1, 79, 21), (2, 119, 1), (3, 98, 0)]
    for generation in stats["generations"]:
        kinds = {kind for kind, count in generation["bytes"].items() if count > 0}
        masked = {"mask"} if generation["dead"] else set()
        assert kinds == {"rows", "keys"} | masked
        assert (generation["model"], generation["drift"]) == (None, None)
    text = done(forebay("stats", generations))
    assert "\ngeneration 1  79, and 21 dead; " in text
    assert ", index 0, " in text
    assert "); no model\n" in text


def test_generations_with_a_model(forebay: Forebay, generations: Path) -> None:
    (trained,) = json_lines(forebay("train", generations, "--num-partitions", 4, "--json"))
    done(forebay("flush", generations))
    (stats,) = json_lines(forebay("stats", generations, "--json"))
    assert [g["model"] for g in stats["generations"]] == [None] * 3 + [trained["fingerprint"]]
    done(forebay("merge", generations))
    (stats,) = json_lines(forebay("stats", generations, "--json"))
    (merged,) = stats["generations"]
    assert merged["model"] == trained["fingerprint"]
    assert 0.5 < merged["drift"] < 2
    assert merged["quantization_error"] > 0
    assert f", drift {merged['drift']:.2f}\n" in done(forebay("stats", generations))
    assert (merged["rows"], merged["dead"], merged["bytes"]["index"] > 0) == (298, 0, True)
    (report,) = json_lines(forebay("verify", generations, "--json"))
    assert (report["rows"], report["codes"]) == (298, 298)


def test_put_beyond_the_memtable(forebay: Forebay, empty: Path, rows: pa.Table) -> None:
    limit = ("--max-memtable-rows", 30, "--batch-rows", 10)
    (report,) = json_lines(forebay("put", empty, *limit, "--json", stdin=stream_of(rows)))
    assert (report["rows"], report["batches"]) == (ROWS, 30)
    assert report["flushes"] >= 5
    assert report["waited_seconds"] >= 0
    found = json_lines(forebay("scan", empty, "--json"))
    assert pa.Table.from_pylist(found, rows.schema).equals(rows)
    assert len(json_lines(forebay("stats", empty, "--json"))[0]["generations"]) > 0
    done(forebay("verify", empty))
    too_large = forebay("put", empty, "--max-memtable-rows", 10, stdin=stream_of(rows))
    failed(too_large, "a MemTable may hold 10 rows", "put it in smaller ones")


@pytest.mark.parametrize("name", ["a.arrow", "a.feather", "a.ipc", "a.arrows", "A.PARQUET"])
def test_export(
    forebay: Forebay, generations: Path, remaining: pa.Table, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    text = done(forebay("export", generations, "-o", out))
    size = out.stat().st_size
    assert text.startswith(f"exported 298 rows to {out} ({size:,} bytes) in ")
    assert read_rows(out, name.lower().removeprefix("a.")).equals(remaining)
    assert done(forebay("scan", generations, "-o", tmp_path / f"scan-{name}")) == ""
    assert (tmp_path / f"scan-{name}").read_bytes() == out.read_bytes()


def read_rows(path: Path, kind: str) -> pa.Table:
    if kind == "parquet":
        return pq.read_table(path)
    open_ipc = pa.ipc.open_stream if kind == "arrows" else pa.ipc.open_file
    with open_ipc(path) as reader:
        return reader.read_all()


@pytest.mark.parametrize("kind", ["arrow", "arrows", "parquet"])
def test_export_some(
    forebay: Forebay, generations: Path, rows: pa.Table, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "no-suffix"
    out.write_bytes(b"an older one")
    choice = ("--filter", "n >= 140 and n < 152", "--columns", "n,word", "--format", kind)
    (report,) = json_lines(forebay("export", generations, "--out", out, *choice, "--json"))
    assert report.pop("seconds") > 0
    assert report == {
        "table": str(generations),
        "file": str(out),
        "rows": 10,
        "bytes": out.stat().st_size,
    }
    expected = [i for i in range(140, 152) if i not in (149, 150)]  # No n, deleted.
    assert read_rows(out, kind).equals(rows.take(expected).select(["n", "word"]))


def test_export_failures(forebay: Forebay, generations: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    failed(forebay("export", generations, "-o", tmp_path / "a.csv"), "expected a name that ends in")
    failed(forebay("export", generations, "-o", tmp_path / "no" / "a.arrow"), "cannot open the dir")
    failed(forebay("export", generations, "-o", tmp_path, "--format", "arrow"), "no regular file")
    out = ("-o", tmp_path / "a.arrow")
    failed(forebay("export", generations, *out, "--columns", "none"), "none")
    failed(forebay("export", generations, *out, "--filter", "m < 10"), "there is no column 'm'")
    failed(forebay("export", generations, *out, "--filter", "1 / (n - 250) > 0"), "divide by zero")
    failed(forebay("export", tmp_path / "none", *out), "none")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["arrow", "arrows", "parquet"])
def test_export_without_room_leaves_the_old_file(
    generations: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "a"
    out.write_bytes(b"an older one")
    before = sorted(tmp_path.iterdir())
    # Of 4 KiB at most; the signal is ignored, so that a longer write is an error.
    limited = ["bash", "-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "bash"]
    ran = subprocess.run(
        [*limited, CLI, "export", generations, "-o", out, "--format", kind],
        check=False,
        capture_output=True,
        text=True,
    )
    failed(ran, str(out), "File too large")
    assert out.read_bytes() == b"an older one"
    assert sorted(tmp_path.iterdir()) == before


def test_export_columns_of_dictionaries(forebay: Forebay, tmp_path: Path, vectors: Floats) -> None:
    """Each generation, and the log, has other words in its dictionary."""
    parts = []
    for part in range(3):
        words = pa.array([f"{part} {i % 3}" for i in range(20)]).dictionary_encode()
        parts.append(rows_of(vectors[:20]).append_column("kind", words))
    write_ipc_file(tmp_path / "rows.arrow", parts[0])
    table = tmp_path / "table"
    done(forebay("init", table, "--schema", tmp_path / "rows.arrow"))
    for part in parts:
        done(forebay("flush", table))
        done(forebay("put", table, stdin=stream_of(part)))
    expected = pa.concat_tables(parts).column("kind").to_pylist()
    for kind in ("arrow", "arrows", "parquet"):
        done(forebay("export", table, "-o", tmp_path / "out", "--format", kind))
        assert read_rows(tmp_path / "out", kind).column("kind").to_pylist() == expected


def test_a_damaged_generation_is_found(forebay: Forebay, generations: Path) -> None:
    for path in sorted(generations.glob("generation-*")):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x40
        undamaged = path.read_bytes()
        path.write_bytes(content)
        failed(forebay("verify", generations), path.name)
        failed(forebay("flush", generations), path.name)
        path.write_bytes(undamaged)
    done(forebay("verify", generations))
