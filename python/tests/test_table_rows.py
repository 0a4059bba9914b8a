"""What a table takes: Arrow of several libraries, pandas, numpy; and what it says of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import forebay
from conftest import DIM, Floats
from table_rows import SCHEMA, make_rows, word

VALUE, TYPE = forebay.InvalidArgumentError, forebay.InvalidTypeError


@pytest.fixture
def table(tmp_path: Path) -> Iterator[forebay.Table]:
    with forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", primary_key="word") as made:
        yield made


def chunked(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch.slice(0, 7), batch.slice(7, 0), batch.slice(7)])


def in_pandas(batch: pa.RecordBatch) -> pd.DataFrame:
    """As users have it: an array for each row, in a column of objects."""
    vectors = batch["v"].flatten().to_numpy().reshape(-1, DIM)
    return pd.DataFrame(
        {"word": batch["word"].to_pylist(), "n": batch["n"].to_numpy(), "v": list(vectors)}
    )


def columns(batch: pa.RecordBatch) -> dict[str, Any]:
    return {
        "n": batch["n"].to_numpy(),
        "v": batch["v"].flatten().to_numpy().reshape(-1, DIM),
        "word": batch["word"].to_pylist(),
    }


def retyped(batch: pa.RecordBatch, vectors: pa.DataType) -> pa.RecordBatch:
    """With the vectors as another type."""
    return batch.set_column(2, "v", batch["v"].cast(vectors))


FORMS: dict[str, Callable[[pa.RecordBatch], Any]] = {
    "batch": lambda batch: batch,
    "slice": lambda batch: pa.concat_batches([batch, batch]).slice(len(batch)),
    "columns in another order": lambda batch: batch.select(["v", "n", "word"]),
    "table": chunked,
    "reader": lambda batch: chunked(batch).to_reader(),
    "large_string": lambda batch: batch.set_column(0, "word", batch["word"].cast("large_string")),
    "list<float>": lambda batch: retyped(batch, pa.list_(pa.float32())),
    "large_list<double>": lambda batch: retyped(batch, pa.large_list(pa.float64())),
    "fixed_size_list<double>": lambda batch: retyped(batch, pa.list_(pa.float64(), DIM)),
    "polars": pl.DataFrame,
    "polars in chunks": lambda batch: pl.concat(
        [pl.DataFrame(batch[:9]), pl.DataFrame(batch[9:])], rechunk=False
    ),
    "nanoarrow": na.ArrayStream,
    "pandas": in_pandas,
    "pandas with an index": lambda batch: in_pandas(batch).set_index("word"),
    "pandas, rows chosen": lambda batch: pd.concat([in_pandas(batch)] * 2).iloc[len(batch) :],
    "pandas of Arrow": lambda batch: pa.Table.from_batches([batch]).to_pandas(
        types_mapper=pd.ArrowDtype
    ),
    "dict": columns,
    "dict of lists": lambda batch: batch.to_pydict(),
    "dict of Arrow": lambda batch: dict(zip(batch.schema.names, batch.columns, strict=True)),
    "dict of chunks": lambda batch: {
        name: chunked(batch)[name] for name in reversed(batch.schema.names)
    },
    "dict of pandas": lambda batch: dict(in_pandas(batch)),
    "float64": lambda batch: columns(batch) | {"v": columns(batch)["v"].astype(np.float64)},
    "fortran order": lambda batch: columns(batch) | {"v": np.asfortranarray(columns(batch)["v"])},
    "int32": lambda batch: columns(batch) | {"n": columns(batch)["n"].astype(np.int32)},
    "numpy strings": lambda batch: columns(batch) | {"word": np.array(columns(batch)["word"])},
}


@pytest.mark.parametrize("form", FORMS)
def test_put(table: forebay.Table, vectors: Floats, form: str) -> None:
    batch = make_rows(vectors[:40])
    report = table.put(FORMS[form](batch))
    assert (report.num_rows, report.sequence_number) == (40, 1)
    stored = table.scan().read_all().combine_chunks()
    assert stored.equals(pa.Table.from_batches([batch]))
    assert table.search(vectors[3], 1)["word"].to_pylist() == [word(3)]


@pytest.mark.parametrize("element", [pa.float16(), pa.float32(), pa.float64()])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_element_types(tmp_path: Path, vectors: Floats, element: Any, dtype: Any) -> None:
    schema = pa.schema([("v", pa.list_(element, DIM))])
    rows = vectors[:30].astype(dtype)
    with forebay.Table.create(tmp_path / "t", schema, vector="v") as table:
        table.put(rows)
        table.put({"v": rows.tolist()})
        stored = table.scan().read_all().column("v").combine_chunks()
        assert stored.type == pa.list_(element, DIM)
        flat = stored.flatten().to_numpy().reshape(2, -1)
        np.testing.assert_array_equal(flat[0], rows.astype(flat.dtype).ravel())
        np.testing.assert_array_equal(flat[1], flat[0])
        assert table.search(rows[4].astype(np.float32), 2)["_rowid"].to_pylist()[0] % 30 == (
            table.scan(columns=["_rowid"]).read_all()["_rowid"].to_pylist()[4] % 30
        )


def test_memory_is_the_callers(table: forebay.Table, vectors: Floats) -> None:
    rows = vectors[:5].copy()
    table.put({"word": [word(i) for i in range(5)], "n": np.arange(5), "v": rows})
    rows[:] = 0
    assert table.search(vectors[2], 1)["_distance"].to_pylist() == [0]


def test_all_or_none(table: forebay.Table, vectors: Floats) -> None:
    """Also of a table in several chunks, the last of them bad."""
    bad = vectors[:6].copy()
    bad[5, 0] = np.inf
    with pytest.raises(VALUE, match="row 5 "):
        table.put(pa.Table.from_batches([make_rows(bad[:3]), make_rows(bad[3:], first=3)]))
    assert (len(table), table.stats().sequence_number) == (0, 0)

    def batches() -> Iterator[pa.RecordBatch]:
        yield make_rows(vectors[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table.put(pa.RecordBatchReader.from_batches(SCHEMA, batches()))
    assert len(table) == 0


def test_nulls(table: forebay.Table, vectors: Floats) -> None:
    frame = in_pandas(make_rows(vectors[:3]))
    frame.loc[1, "word"] = None
    with pytest.raises(VALUE, match="primary key 'word' must be there in every row; 1 are null"):
        table.put(frame)
    rows = {"word": ["a", "b"], "n": [1, None], "v": [vectors[0].tolist(), None]}
    with pytest.raises(VALUE, match=r"column 'v' must be an array|vector of row 1 is null"):
        table.put(rows)
    rows["v"] = pa.array(rows["v"], pa.list_(pa.float32(), DIM))
    with pytest.raises(VALUE, match="vector of row 1 is null"):
        table.put(rows)
    table.put({"word": ["a"], "n": [None], "v": vectors[:1]})
    assert table.scan().read_all()["n"].to_pylist() == [None]


def test_categories(tmp_path: Path) -> None:
    """Frames with categories of their own, more together than their int8 can number."""
    fields = [("kind", pa.dictionary(pa.int32(), pa.string())), ("v", pa.list_(pa.float32(), 2))]
    narrow = pa.schema([("kind", pa.dictionary(pa.int8(), pa.string())), fields[1]])
    with pytest.raises(VALUE, match="'kind' has dictionary<values=string, indices=int8"):
        forebay.Table.create(tmp_path / "narrow", narrow, vector="v")
    with forebay.Table.create(tmp_path / "table", pa.schema(fields), vector="v") as table:
        for first in (0, 100):
            kinds = [f"kind {first + i}" for i in range(100)]
            frame = pd.DataFrame({"kind": pd.Categorical(kinds), "v": [[1.0, 2.0]] * 100})
            table.put(frame if first == 0 else pa.Table.from_pandas(frame))
        table.flush()
        table.merge()
        found = table.scan(columns=["kind"]).read_all()["kind"].to_pylist()
        assert found == [f"kind {i}" for i in range(200)]


def good(**changes: Any) -> dict[str, Any]:
    rows = {"word": ["a", "b"], "n": [1, 2], "v": np.ones((2, DIM), np.float32)}
    return rows | changes


BAD_ROWS = [
    pytest.param(None, TYPE, r"rows must be a record batch.*n: int64.*got NoneType", id="none"),
    pytest.param(np.ones((2, DIM)), TYPE, r"a dict of columns.*got float64\[2, 16\]", id="array"),
    pytest.param([{"word": "a"}], TYPE, r"pa\.Table\.from_pylist\(rows, schema", id="list of rows"),
    pytest.param(pa.array([1, 2]), TYPE, "got an array of int64", id="arrow array"),
    pytest.param({"word": ["a"], "n": [1]}, VALUE, "column 'v' must be there once", id="missing"),
    pytest.param(good(w=[1, 2]), VALUE, "expected the table's columns", id="one more"),
    pytest.param(good(n=[1]), VALUE, "one length; got word: 2, n: 1, v: 2", id="lengths"),
    pytest.param(good(n=["x", "y"]), VALUE, "column 'n' must be int64; got string", id="text"),
    pytest.param(good(n=["1", "2"]), VALUE, "column 'n' must be int64; got string", id="digits"),
    pytest.param(good(n=[1.5, 2.5]), VALUE, "column 'n' must be int64", id="fractions"),
    pytest.param(good(n=np.array([1.5, 2.5])), VALUE, "column 'n' must be int64", id="floats"),
    pytest.param(good(word=[1, 2]), VALUE, "column 'word' must be string", id="numbers"),
    pytest.param(
        good(v=np.ones((2, 4), np.float32)), VALUE, r"dimension 16; got float32\[2, 4\]", id="dim"
    ),
    pytest.param(
        good(v=np.ones(DIM)), VALUE, r"column 'v' must be 2-D; got float64\[16\]", id="1-d"
    ),
    pytest.param(
        good(v=np.ones((2, DIM), int)), TYPE, r"column 'v' must be float32.* int64", id="int"
    ),
    pytest.param(good(v=[[1.0] * 16, [1.0] * 15]), VALUE, "lists that make one", id="ragged"),
    pytest.param(
        good(v=pa.array([[1.0] * 15] * 2)), VALUE, r"column 'v' must be fixed_size_list", id="short"
    ),
    pytest.param(pa.table(good(v=[[1.0] * 15] * 2)), VALUE, "column 'v' must be fixed", id="table"),
    pytest.param(
        pa.table(good(n=pa.array([1, 2], pa.int32()), v=[[1.0] * 16] * 2)),
        VALUE,
        "column 'n' must be int64; got int32; cast it first",
        id="arrow int32",
    ),
    pytest.param(
        pd.DataFrame({"word": ["a", 1]}), VALUE, "data frame cannot be read as Arrow", id="mixed"
    ),
    pytest.param(good(word=["a\udcff", "b"]), VALUE, "column 'word'", id="not utf8"),
    pytest.param({1: [2]}, TYPE, "a column's name must be a string; got 1", id="name"),
]


@pytest.mark.parametrize(("rows", "error", "says"), BAD_ROWS)
def test_bad_rows(table: forebay.Table, rows: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        table.put(rows)
    assert len(table) == 0
    table.put(good())  # And it goes on.


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        ("word 1", TYPE, r"keys must be a list or an array; got 'word 1'; pass \['word 1'\]"),
        ([1, 2], TYPE, "keys must be string, in a list or an array; got list"),
        (range(2), TYPE, "keys must be string, in a list or an array; got range"),
        (np.array([1]), TYPE, r"keys must be string.* got int64\[1\]"),
        (pa.array([1.5]), TYPE, "keys must be string"),
        (["a", 1], TYPE, "keys must be string, in a list or an array; got list"),
        (5, TYPE, "keys must be string, in a list or an array; got int"),
        (["a", None], VALUE, "keys must not be null; 1 of 2 are"),
    ],
)
def test_bad_keys(table: forebay.Table, keys: Any, error: type[Exception], says: str) -> None:
    for call in (table.get, table.delete):
        with pytest.raises(error, match=says):
            call(keys)


@pytest.mark.parametrize(
    ("keys", "error", "says"),
    [
        (["a"], TYPE, "keys must be int64, as column 'n' is"),
        ([True], TYPE, "keys must be int64"),
        ([1.0], TYPE, "keys must be int64"),
        ([2**63], VALUE, "keys must be int64"),
        (np.array([2**63], np.uint64), VALUE, "keys must be int64"),
    ],
)
def test_bad_number_keys(tmp_path: Path, keys: Any, error: type[Exception], says: str) -> None:
    with (
        forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", primary_key="n") as table,
        pytest.raises(error, match=says),
    ):
        table.get(keys)


BAD_TABLES = [
    ({"vector": "n"}, VALUE, "vector column must be a fixed_size_list.*'n' is int64"),
    ({"vector": "x"}, VALUE, "vector column must be a column of the schema; got 'x'"),
    ({"vector": None}, TYPE, "vector must be a string; got None"),
    ({"primary_key": "v"}, VALUE, "primary key must be int64, uint64 or utf8; 'v' is"),
    ({"primary_key": 3}, TYPE, "primary_key must be a string; got 3"),
    ({"metric": "hamming"}, VALUE, "metric must be one of l2, cosine, dot; got 'hamming'"),
    ({"schema": ["v"]}, TYPE, r"schema must be an Arrow schema; got \['v'\]"),
    (
        {"schema": pa.schema([("_rowid", pa.int64()), ("v", pa.list_(pa.float32(), 2))])},
        VALUE,
        "'_rowid' is a column of search results",
    ),
    ({"sync": "sometimes"}, VALUE, "sync must be one of always, interval, none; got 'sometimes'"),
    ({"sync_interval": 0}, VALUE, r"sync_interval must be from 0\.001 to 86400 seconds; got 0"),
    ({"sync_interval": "1s"}, TYPE, "sync_interval must be a number; got '1s'"),
    ({"max_memtable_rows": 0}, VALUE, "max_memtable_rows must be from 1"),
    ({"max_memtable_bytes": 1.5}, TYPE, "max_memtable_bytes must be an integer; got 1.5"),
    ({"merge_fan_in": 1}, VALUE, "merge_fan_in must be 0 or at least 2; got 1"),
    ({"merge_fan_in": -1}, VALUE, "merge_fan_in must be from 0"),
    ({"max_merge_bytes": "1 GB"}, TYPE, "max_merge_bytes must be an integer; got '1 GB'"),
    ({"merge_bytes_per_second": 0}, VALUE, "merge_bytes_per_second must be from 1"),
    ({"on_bad_vectors": "ignore"}, VALUE, "on_bad_vectors must be one of error, drop, fill"),
    ({"on_bad_vectors": "fill", "fill_value": 1e30}, VALUE, "fill_value"),
    ({"on_bad_vectors": "fill", "metric": "cosine"}, VALUE, "fill_value 0 makes a bad vector"),
    ({"num_threads": 0}, VALUE, "num_threads must be from 1"),
    ({"verify_on_open": 1}, TYPE, "verify_on_open must be True or False; got 1"),
    ({"path": 3}, TYPE, r"path must be a str or os\.PathLike; got 3"),
]


@pytest.mark.parametrize(("changes", "error", "says"), BAD_TABLES)
def test_bad_tables(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    arguments: dict[str, Any] = {"path": tmp_path / "t", "schema": SCHEMA, "vector": "v"} | changes
    with pytest.raises(error, match=says):
        forebay.Table.create(arguments.pop("path"), arguments.pop("schema"), **arguments)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"k": -1}, VALUE, "k must be from 0"),
        ({"nprobes": 1.5}, TYPE, "nprobes must be an integer"),
        ({"refine_factor": 0}, VALUE, "refine_factor must be from 1"),
        ({"refine_factor": None}, TYPE, "refine_factor must be an integer"),
        (
            {"columns": "word"},
            TYPE,
            r"columns must be a list of strings; got 'word'; pass \['word'",
        ),
        ({"columns": ["x"]}, VALUE, "no column 'x'; the table has: word, n, v, and _rowid"),
        ({"columns": ["n", "n"]}, VALUE, "column 'n' was asked for twice"),
        ({"columns": [3]}, TYPE, r"columns\[0\] must be a string; got 3"),
        ({"columns": 3}, TYPE, "columns must be a list of strings; got 3"),
        ({"num_threads": 0}, VALUE, "num_threads must be from 1"),
    ],
)
def test_bad_searches(
    table: forebay.Table, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    table.put(good())
    with pytest.raises(error, match=says):
        table.search(np.ones(DIM, np.float32), **options)


def test_other_mistakes(table: forebay.Table, vectors: Floats) -> None:
    with pytest.raises(
        VALUE, match=r"queries must have the table's dimension 16; got shape \[1, 4"
    ):
        table.search(vectors[0, :4].copy())
    with pytest.raises(VALUE, match="query 0 has NaN"):
        table.search(np.full(DIM, np.nan))
    with pytest.raises(VALUE, match="columns must name at least one; for all of them pass None"):
        table.scan(columns=[])
    with pytest.raises(VALUE, match="either keys or filter="):
        table.delete()
    with pytest.raises(VALUE, match="row_ids must be from 0"):
        table.take([-1])
