"""The verbs that read a table: get, search, scan, stats, verify; and train."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import ROWS, done, failed, json_lines, rows_of
from vector_files import CLI, DIM, Floats, Forebay, write_ipc_file, write_parquet


def test_get(forebay: Forebay, shared: Path, rows: pa.Table) -> None:
    text = done(forebay("get", shared, "word 3", "word 19"))
    header, first, second = text.splitlines()
    assert header.split() == ["word", "n", "half", "embedding"]
    assert first.startswith("word 3      3   1.5  [")
    assert first.endswith(", ... 16 in all]")
    assert second.startswith("word 19  null   9.5  [")
    found = json_lines(forebay("get", shared, "word 3", "--json"))
    assert pa.Table.from_pylist(found, rows.schema).equals(rows.slice(3, 1))
    asked = done(forebay("get", shared, "word 3", "--columns", "embedding,_rowid"))
    assert asked.splitlines()[1].count(",") == DIM - 1
    by_row_id = json_lines(
        forebay("get", shared, "--row-id", 5, "--row-id", 4, "--columns", "_rowid,n", "--json")
    )
    assert by_row_id == [{"_rowid": 5, "n": 5}, {"_rowid": 4, "n": 4}]


def test_get_failures(forebay: Forebay, shared: Path) -> None:
    result = forebay("get", shared, "word 3", "river", "--columns", "word")
    failed(result, "there is no row with key 'river'")
    assert result.stdout == "word\nword 3\n"
    failed(forebay("get", shared, "--row-id", 1000), "there is no row with _rowid 1000")
    failed(forebay("get", shared, "word 3", "--columns", "x"), "there is no column 'x'")
    assert forebay("get", shared).returncode == 2
    assert forebay("get", shared, "a", "--row-id", 1).returncode == 2


@pytest.mark.parametrize(
    ("key_type", "texts"),
    [
        (pa.int64(), ([-(2**63), -1, 0, 2**63 - 1], ["x", "1.5", "9223372036854775808", ""])),
        (pa.uint64(), ([0, 1, 2**63, 2**64 - 1], ["-1", "18446744073709551616"])),
        (pa.string(), (["", "a b", "köln", "1"], [])),
    ],
)
def test_keys(
    forebay: Forebay,
    tmp_path: Path,
    vectors: Floats,
    key_type: pa.DataType,
    texts: tuple[list[object], list[str]],
) -> None:
    keys, wrong = texts
    rows = rows_of(vectors[: len(keys)], pa.array(keys, key_type))
    write_ipc_file(tmp_path / "rows.arrow", rows)
    table = tmp_path / "table"
    done(forebay("init", table, "--schema", tmp_path / "rows.arrow", "--key", "word"))
    done(forebay("put", table, tmp_path / "rows.arrow"))
    for i, key in enumerate(keys):
        (row,) = json_lines(forebay("get", table, "--columns", "word,half", "--json", "--", key))
        assert row == {"word": key, "half": i / 2}
        like = (f"--like={key}",) if key != "" else ("--like", "")
        (hit,) = json_lines(forebay("search", table, *like, "-k", 1, "--json"))
        assert (hit["word"], hit["_distance"]) == (key, 0)
        quoted = f"'{key}'" if key_type == pa.string() else str(key)
        count = forebay("scan", table, "--count", "--filter", f"word = {quoted}")
        assert done(count) == "1\n"
    for text in wrong:
        failed(forebay("get", table, "--", text), f"expected a key of {key_type}", f"got '{text}'")
    assert done(forebay("delete", table, "--", *keys[:2])) == "deleted 2 rows\n"


def exact(vectors: Floats, query: Floats, k: int) -> list[int]:
    distances = ((vectors.astype(np.float64) - query) ** 2).sum(axis=1)
    return list(np.argsort(distances, kind="stable")[:k])


def test_search_like(forebay: Forebay, shared: Path, vectors: Floats) -> None:
    expected = exact(vectors[:ROWS], vectors[5], 4)
    hits = json_lines(forebay("search", shared, "--like", "word 5", "-k", 4, "--json"))
    assert [hit["word"] for hit in hits] == [f"word {i}" for i in expected]
    assert list(hits[0]) == ["query_index", "_distance", "word"]
    text = done(forebay("search", shared, "--like", "word 5", "-k", 4, "--columns", "n"))
    header, *lines = text.splitlines()
    assert header.split() == ["_distance", "word", "n"]
    assert [line.split()[2] for line in lines] == [str(i) for i in expected]
    failed(forebay("search", shared, "--like", "river"), "there is no row with key 'river'")


@pytest.mark.parametrize("name", ["q.npy", "q.arrow", "q.parquet"])
def test_search_file(
    forebay: Forebay, shared: Path, tmp_path: Path, vectors: Floats, name: str
) -> None:
    queries = vectors[400:403]
    path = tmp_path / name
    if name == "q.npy":
        np.save(path, queries)
    else:
        (write_ipc_file if name == "q.arrow" else write_parquet)(path, rows_of(queries))
    hits = json_lines(forebay("search", shared, path, "-k", 3, "--columns", "_rowid", "--json"))
    assert [hit["query_index"] for hit in hits] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [hit["_rowid"] for hit in hits] == [
        row for query in queries for row in exact(vectors[:ROWS], query, 3)
    ]
    assert "query_index" in done(forebay("search", shared, path))


def test_search_filter(forebay: Forebay, shared: Path, vectors: Floats) -> None:
    hits = json_lines(
        forebay("search", shared, "--row-id", 5, "--filter", "n >= 200", "-k", 5, "--json")
    )
    candidates = [i for i in range(200, ROWS) if i % 10 != 9]
    order = exact(vectors[candidates], vectors[5], 5)
    assert [hit["word"] for hit in hits] == [f"word {candidates[i]}" for i in order]


def test_search_explain(forebay: Forebay, shared: Path) -> None:
    result = forebay("search", shared, "--like", "word 5", "--explain")
    assert result.returncode == 0
    assert result.stderr.startswith("memtable: 300 rows (0 dead); ")
    result = forebay("search", shared, "--like", "word 5", "--explain", "--json")
    source = json.loads(result.stderr)
    assert (source["source"], source["rows"], source["dead"]) == ("memtable", 300, 0)
    assert len(result.stdout.splitlines()) == 10


def test_search_failures(forebay: Forebay, shared: Path, tmp_path: Path) -> None:
    assert forebay("search", shared).returncode == 2
    assert forebay("search", shared, "--like", "a", "--row-id", 1).returncode == 2
    assert forebay("search", shared, "--like", "a", "-k", 0).returncode == 2
    assert forebay("search", shared, "--like", "a", "--refine-factor", 0).returncode == 2
    np.save(tmp_path / "q.npy", np.ones((1, 3), np.float32))
    failed(forebay("search", shared, tmp_path / "q.npy"), "dimension", "16", "3")
    failed(forebay("search", tmp_path, "--row-id", 1), str(tmp_path))
    failed(forebay("search", tmp_path / "none", "--row-id", 1), "none")


def test_scan(forebay: Forebay, shared: Path, rows: pa.Table, tmp_path: Path) -> None:
    scanned = json_lines(forebay("scan", shared, "--json"))
    assert pa.Table.from_pylist(scanned, rows.schema).equals(rows)
    text = done(forebay("scan", shared, "--limit", 2, "--columns", "word,n"))
    assert text == "word    n\nword 0  0\nword 1  1\n"
    assert done(forebay("scan", shared, "--limit", 0, "--columns", "n")) == "n\n"
    assert done(forebay("scan", shared, "--count", "--filter", "n < 5", "--json")) == (
        '{"count":5}\n'
    )
    piped = subprocess.run([CLI, "scan", shared, "--arrow"], check=True, capture_output=True)
    with pa.ipc.open_stream(piped.stdout) as reader:
        assert reader.read_all().equals(rows)
    for name in ("out.arrow", "out.feather", "out.arrows"):
        assert done(forebay("scan", shared, "--out", tmp_path / name)) == ""
        is_stream = name == "out.arrows"
        open_ipc = pa.ipc.open_stream if is_stream else pa.ipc.open_file
        with open_ipc(tmp_path / name) as reader:
            assert reader.read_all().equals(rows)
    assert done(forebay("scan", shared, "--out", tmp_path / "out.parquet")) == ""
    assert pq.read_table(tmp_path / "out.parquet").equals(rows)
    failed(forebay("scan", shared, "--out", tmp_path / "out.csv"), "expected a name that ends in")
    failed(
        forebay("scan", shared, "--out", tmp_path / "no" / "a.arrow"), "cannot open the directory"
    )
    assert forebay("scan", shared, "--json", "--arrow").returncode == 2


def test_text_stays_a_table(forebay: Forebay, tmp_path: Path, vectors: Floats) -> None:
    words = pa.array(["a\nb\t\x1b[31m", "日本", "z"])
    write_ipc_file(tmp_path / "rows.arrow", rows_of(vectors[:3], words))
    table = tmp_path / "table"
    done(forebay("init", table, "--schema", tmp_path / "rows.arrow"))
    done(forebay("put", table, tmp_path / "rows.arrow"))
    assert done(forebay("scan", table, "--columns", "word,n")) == (
        "word            n\na\\nb\\t\\x1b[31m  0\n日本            1\nz               2\n"
    )


def test_train(forebay: Forebay, table: Path, vectors: Floats) -> None:
    (report,) = json_lines(forebay("train", table, "--num-partitions", 4, "--json"))
    assert (report["table"], report["rows"]) == (str(table), ROWS)
    assert (report["num_partitions"], report["metric"]) == (4, "l2")
    text = done(forebay("train", table, "--num-partitions", 8, "--seed", 2))
    assert f"trained on {ROWS} rows in " in text
    assert f"used by       {table}\n" in text
    (stats,) = json_lines(forebay("stats", table, "--json"))
    assert stats["model"]["num_partitions"] == 8
    expected = exact(vectors[:ROWS], vectors[5], 4)
    hits = json_lines(
        forebay("search", table, "--like", "word 5", "-k", 4, "--nprobes", 8, "--json")
    )
    assert [hit["word"] for hit in hits] == [f"word {i}" for i in expected]
    (whole,) = json_lines(forebay("verify", table, "--json"))
    assert whole["codes"] == ROWS


def test_train_failures(forebay: Forebay, table: Path, tmp_path: Path) -> None:
    out = forebay("train", table, "--out", tmp_path / "a.model")
    failed(out, "it is a directory; leave out --out to train a table")
    assert forebay("train", table, "--rows", 10).returncode == 2
    failed(forebay("train", table, "--metric", "dot"), "the table's metric is l2")
    failed(forebay("train", table, "--num-partitions", 1000), "1000")
    failed(forebay("train", tmp_path), str(tmp_path))


def test_stats(forebay: Forebay, table: Path) -> None:
    done(forebay("delete", table, "word 1"))
    (stats,) = json_lines(forebay("stats", table, "--json"))
    assert (stats["rows"], stats["dead"], stats["sequence_number"]) == (299, 1, 2)
    assert (stats["vector"], stats["dim"], stats["metric"]) == ("embedding", DIM, "l2")
    assert (stats["primary_key"], stats["model"]) == ("word", None)
    assert stats["columns"]["n"] == "int64"
    assert stats["recovery"] == {"batches": 2, "rows": 300, "deaths": 1, "torn_bytes": 0}
    text = done(forebay("stats", table))
    assert text.startswith("rows          299, and 1 dead\n")
    assert "\nmodel         none: " in text


def test_verify(forebay: Forebay, table: Path) -> None:
    text = done(forebay("verify", table))
    assert text.startswith(f"{table} is whole:\n")
    (report,) = json_lines(forebay("verify", table, "--json"))
    assert (report["rows"], report["keys"], report["codes"]) == (ROWS, ROWS, 0)


def test_a_damaged_log_is_found(forebay: Forebay, table: Path) -> None:
    done(forebay("put", table, table.parent / "rows.parquet"))
    log = max((path for path in table.iterdir() if path.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(log.read_bytes())
    content[len(content) // 4] ^= 0x40
    log.write_bytes(content)
    failed(forebay("verify", table), log.name)
    failed(forebay("scan", table), log.name)
