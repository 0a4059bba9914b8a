"""The verbs that write a table: init, put, delete; and what others may do meanwhile."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import done, failed, json_lines, rows_of, stream_of
from vector_files import (
    CLI,
    DIM,
    Floats,
    Forebay,
    write_ipc_file,
    write_ipc_stream,
    write_parquet,
)


def test_init(forebay: Forebay, tmp_path: Path, rows: pa.Table) -> None:
    write_ipc_file(tmp_path / "rows.arrow", rows)
    table = tmp_path / "table"
    text = done(forebay("init", table, "--schema", tmp_path / "rows.arrow", "--key", "word"))
    assert text == (
        f"made {table}: vectors in 'embedding' (16 dimensions, l2), primary key 'word'\n"
    )
    again = forebay("init", table, "--schema", tmp_path / "rows.arrow")
    failed(again, "there is a table in ", "already")


def test_init_json(forebay: Forebay, tmp_path: Path, rows: pa.Table) -> None:
    write_ipc_stream(tmp_path / "rows.arrows", rows)
    (report,) = json_lines(
        forebay(
            "init", tmp_path / "t", "--schema", tmp_path / "rows.arrows", "--metric", "cosine",
            "--json",
        )
    )  # fmt: skip
    assert report == {
        "table": str(tmp_path / "t"),
        "vector": "embedding",
        "dim": DIM,
        "metric": "cosine",
        "primary_key": None,
        "columns": ["word", "n", "half", "embedding"],
    }


def test_init_with_a_model(forebay: Forebay, tmp_path: Path, rows: pa.Table, model: Path) -> None:
    write_ipc_file(tmp_path / "rows.arrow", rows)
    arguments = ("init", tmp_path / "t", "--schema", tmp_path / "rows.arrow", "--model", model)
    failed(forebay(*arguments, "--metric", "dot"), "the model must be for dot")
    done(forebay(*arguments))
    (stats,) = json_lines(forebay("stats", tmp_path / "t", "--json"))
    assert stats["model"]["num_partitions"] == 8


def test_init_failures(forebay: Forebay, tmp_path: Path, rows: pa.Table) -> None:
    path = tmp_path / "rows.arrow"
    two = rows.append_column("other", rows["embedding"])
    write_ipc_file(path, two)
    table = tmp_path / "table"
    failed(forebay("init", table, "--schema", path), "choose with --vector from 'embedding'")
    vector = ("--vector", "embedding")
    failed(forebay("init", table, "--schema", path, "--vector", "n"), "column 'n' (int64) is none")
    failed(forebay("init", table, "--schema", path, "--vector", "x"), "one column 'x'")
    failed(forebay("init", table, "--schema", path, *vector, "--key", "half"), "'half' is float")
    failed(forebay("init", table, "--schema", path, *vector, "--dim", 16), "--dim is for a")
    failed(forebay("init", table, "--schema", tmp_path / "a.csv"), "expected a file named .arrow")
    failed(forebay("init", table, "--schema", tmp_path / "no.arrow"), "cannot open it")
    assert not table.exists()


def test_lists_of_any_length(forebay: Forebay, tmp_path: Path, vectors: Floats) -> None:
    lists = pa.array(list(vectors[:50]), pa.list_(pa.float32()))
    rows = pa.table({"id": pa.array(range(50), pa.int64()), "v": lists})
    path, table = tmp_path / "rows.parquet", tmp_path / "table"
    write_parquet(path, rows)
    arguments = ("init", table, "--schema", path, "--vector", "v", "--key", "id")
    failed(forebay(*arguments), "may hold lists of any length; say with --dim")
    done(forebay(*arguments, "--dim", DIM))
    done(forebay("put", table, path))
    (hit,) = json_lines(forebay("search", table, "--like", 7, "-k", 1, "--json"))
    assert (hit["id"], hit["_distance"]) == (7, 0)
    short = pa.table({"id": [1, 2], "v": pa.array([vectors[0], [1.0]], pa.list_(pa.float32()))})
    failed(forebay("put", table, stdin=stream_of(short)), "column 'v' must be fixed_size_list")


def test_put_files(forebay: Forebay, empty: Path, rows: pa.Table) -> None:
    folder = empty.parent
    write_ipc_file(folder / "a.arrow", rows.slice(0, 100), 30)
    write_ipc_stream(folder / "b.arrows", rows.slice(100, 50), 30)
    write_parquet(folder / "c.parquet", rows.slice(140, 160))
    (report,) = json_lines(
        forebay("put", empty, *(folder / f for f in ("a.arrow", "b.arrows", "c.parquet")), "--json")
    )
    assert report.pop("seconds") > 0
    assert report.pop("waited_seconds") == 0
    assert report == {
        "table": str(empty),
        "batches": 4 + 2 + 1,
        "rows": 310,
        "replaced": 10,
        "dropped": 0,
        "filled": 0,
        "flushes": 0,
    }
    assert done(forebay("scan", empty, "--count")) == "300\n"


@pytest.mark.parametrize("name", ["stream", "file"])
def test_put_standard_input(
    forebay: Forebay, empty: Path, tmp_path: Path, rows: pa.Table, name: str
) -> None:
    write_ipc_stream(tmp_path / "stream", rows, 70)
    write_ipc_file(tmp_path / "file", rows, 70)
    with (tmp_path / name).open("rb") as file:
        from_file = subprocess.run([CLI, "put", empty], check=True, stdin=file, capture_output=True)
    assert from_file.stdout.startswith(b"put 300 rows in ")
    assert from_file.stdout.endswith(b", of which 0 replaced older ones\n")
    piped = forebay("put", empty, stdin=(tmp_path / name).read_bytes())
    assert done(piped).endswith(", of which 300 replaced older ones\n")


def test_put_batch_rows_and_acks(forebay: Forebay, empty: Path, rows: pa.Table) -> None:
    lines = json_lines(
        forebay("put", empty, "--batch-rows", 70, "--acks", stdin=stream_of(rows, 40))
    )
    assert [line["rows"] for line in lines] == [70, 70, 70, 70, 20]
    assert [line["first_row_id"] for line in lines] == [0, 70, 140, 210, 280]
    assert [line["sequence_number"] for line in lines] == [1, 2, 3, 4, 5]
    assert pq_rows(forebay, empty).equals(rows)


def pq_rows(forebay: Forebay, table: Path) -> pa.Table:
    out = table.parent / "out.parquet"
    done(forebay("scan", table, "--out", out))
    return pq.read_table(out)


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
def test_put_sync(forebay: Forebay, empty: Path, rows: pa.Table, sync: str) -> None:
    done(forebay("put", empty, "--sync", sync, stdin=stream_of(rows)))
    assert done(forebay("scan", empty, "--count")) == "300\n"


def test_put_replaces(forebay: Forebay, table: Path, vectors: Floats) -> None:
    words = pa.array(["word 7", "new", "new"])
    changed = rows_of(vectors[500:503], words)
    done(forebay("put", table, stdin=stream_of(changed)))
    assert done(forebay("scan", table, "--count")) == "301\n"
    found = json_lines(forebay("get", table, "word 7", "new", "--columns", "word,n", "--json"))
    assert found == [{"word": "word 7", "n": 0}, {"word": "new", "n": 2}]  # The last of its key.


def test_put_bad_vectors(forebay: Forebay, empty: Path, vectors: Floats) -> None:
    bad = vectors[:20].copy()
    bad[13, 3] = np.nan
    stream = stream_of(rows_of(bad), 5)
    failed(
        forebay("put", empty, stdin=stream),
        "standard input: in the batch from row 10 on: the vector of row 3 ",
        "(10 rows before that were stored)",
    )
    dropped = done(forebay("put", empty, "--on-bad-vectors", "drop", stdin=stream))
    assert dropped.endswith(", of which 10 replaced older ones; dropped 1 with bad vectors\n")
    filled = done(
        forebay("put", empty, "--on-bad-vectors", "fill", "--fill-value", 0.5, stdin=stream)
    )
    assert filled.endswith("; filled 1 bad vectors\n")
    (row,) = json_lines(forebay("get", empty, "word 13", "--columns", "embedding", "--json"))
    assert row["embedding"] == [0.5] * DIM


def test_put_failures(forebay: Forebay, empty: Path, rows: pa.Table, tmp_path: Path) -> None:
    stream = stream_of(rows)
    failed(forebay("put", empty, stdin=b""), "standard input: expected an Arrow IPC", "is empty")
    failed(forebay("put", empty, stdin=b"word,n\n" * 9), "standard input: expected an Arrow IPC")
    failed(forebay("put", empty, stdin=b"PAR1" * 9), "it is Parquet; give that by a file name")
    failed(forebay("put", empty, stdin=stream * 2), "more bytes follow", "300 rows before")
    failed(forebay("put", empty, stdin=stream[:-2000]), "standard input: ")
    failed(forebay("put", tmp_path / "none", stdin=stream), "none")
    failed(forebay("put", empty, tmp_path / "no.parquet"), "cannot open it")
    less = rows.drop_columns(["n"])
    failed(forebay("put", empty, stdin=stream_of(less)), "the table's column 'n' must be there")
    text = rows.set_column(1, "n", rows["n"].cast(pa.string()))
    failed(forebay("put", empty, stdin=stream_of(text)), "column 'n' must be int64; got string")
    limit = forebay("put", empty, "--max-memtable-rows", 10, stdin=stream)
    failed(limit, "a MemTable may hold 10 rows")


def test_delete(forebay: Forebay, table: Path) -> None:
    assert done(forebay("delete", table, "word 1", "word 2", "river")) == "deleted 2 rows\n"
    assert done(forebay("delete", table, "word 1")) == "deleted 0 rows\n"
    (report,) = json_lines(forebay("delete", table, "--filter", "n < 10", "--json"))
    assert report == {"table": str(table), "deleted": 7}
    assert done(forebay("scan", table, "--count")) == "291\n"
    failed(forebay("get", table, "word 3"), "there is no row with key 'word 3'")
    failed(forebay("delete", table, "--filter", "m < 10"), "there is no column 'm'")
    assert forebay("delete", table).returncode == 2
    assert forebay("delete", table, "a", "--filter", "true").returncode == 2
    assert done(forebay("delete", table, "--filter", "true")) == "deleted 291 rows\n"
    assert done(forebay("scan", table)) == "word  n  half  embedding\n"


def test_without_a_key(forebay: Forebay, tmp_path: Path, rows: pa.Table) -> None:
    write_ipc_file(tmp_path / "rows.arrow", rows)
    table = tmp_path / "table"
    done(forebay("init", table, "--schema", tmp_path / "rows.arrow"))
    done(forebay("put", table, tmp_path / "rows.arrow", tmp_path / "rows.arrow"))
    assert done(forebay("scan", table, "--count")) == "600\n"
    for verb in (("get", "word 1"), ("delete", "word 1"), ("search", "--like", "word 1")):
        failed(forebay(verb[0], table, *verb[1:]), "this table has no primary key")
    hits = json_lines(forebay("search", table, "--row-id", 7, "-k", 2, "--json"))
    assert [hit["_rowid"] for hit in hits] == [7, 307]
    assert done(forebay("delete", table, "--filter", "word = 'word 1'")) == "deleted 2 rows\n"


def test_readers_beside_a_writer(forebay: Forebay, empty: Path, rows: pa.Table) -> None:
    """The writer waits for more input all the while."""
    stream = stream_of(rows, 100)
    writer = subprocess.Popen(
        [CLI, "put", empty, "--acks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(stream[: len(stream) // 2])
    writer.stdin.flush()
    acknowledged = json.loads(writer.stdout.readline())["rows"]
    assert acknowledged == 100

    assert done(forebay("scan", empty, "--count")) == "100\n"
    assert len(json_lines(forebay("search", empty, "--like", "word 5", "--json"))) == 10
    assert len(json_lines(forebay("get", empty, "word 99", "--json"))) == 1
    assert json_lines(forebay("stats", empty, "--json"))[0]["rows"] == 100
    done(forebay("verify", empty))
    for verb in (("put",), ("delete", "word 1"), ("train",)):
        result = forebay(verb[0], empty, *verb[1:], stdin=stream)
        failed(result, f"process {writer.pid} on ")

    writer.stdin.write(stream[len(stream) // 2 :])
    writer.stdin.close()
    assert writer.wait(timeout=60) == 0
    assert done(forebay("scan", empty, "--count")) == "300\n"


def test_killed_in_the_middle(forebay: Forebay, empty: Path, rows: pa.Table) -> None:
    stream = stream_of(rows, 10)
    writer = subprocess.Popen(
        [CLI, "put", empty, "--acks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(stream[: len(stream) * 2 // 3])
    writer.stdin.flush()
    acknowledged = sum(json.loads(writer.stdout.readline())["rows"] for _ in range(12))
    writer.kill()
    rest, _ = writer.communicate()
    acknowledged += sum(json.loads(line)["rows"] for line in rest.splitlines())
    found = json_lines(forebay("scan", empty, "--json"))
    assert len(found) >= acknowledged >= 120
    assert pa.Table.from_pylist(found, rows.schema).equals(rows.slice(0, len(found)))
    done(forebay("put", empty, stdin=stream))  # No stale lock.
    done(forebay("verify", empty))
