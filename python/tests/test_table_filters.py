"""Filters: pyarrow's expressions choose the same rows as pyarrow itself does."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import forebay
from conftest import DIM, Floats

VALUE, TYPE = forebay.InvalidArgumentError, forebay.InvalidTypeError
UTC = dt.UTC
MONDAY = dt.datetime(2024, 1, 1, tzinfo=UTC)
PLACE = pa.struct([("city", pa.string()), ("at", pa.struct([("x", pa.float64())]))])


def make_table(vectors: Floats) -> pa.Table:
    n = 60
    numbers = list(range(n))
    return pa.table(
        {
            # The vectors come first, so that a column's place in a filter is not its own.
            "v": pa.FixedSizeListArray.from_arrays(pa.array(vectors[:n].ravel()), DIM),
            "id": pa.array(numbers, pa.int64()),
            "small": pa.array([i % 7 - 3 for i in numbers], pa.int8()),
            "unsigned": pa.array([i * 1000 for i in numbers], pa.uint32()),
            "word": pa.array([None if i % 11 == 0 else "w" * (i % 6) for i in numbers]),
            "large": pa.array([f"ab{i}" for i in numbers], pa.large_string()),
            "kind": pa.array(["red", "green"] * (n // 2)).dictionary_encode(),
            "score": pa.array([None if i % 10 == 9 else i / 4 for i in numbers], pa.float64()),
            "single": pa.array(np.arange(n, dtype=np.float32) / 3),
            "half": pa.array(np.arange(n, dtype=np.float16)),
            "yes": pa.array([i % 2 == 0 for i in numbers]),
            "day": pa.array([(MONDAY + dt.timedelta(i)).date() for i in numbers]),
            "time": pa.array(
                [MONDAY + dt.timedelta(hours=i) for i in numbers], pa.timestamp("us", "UTC")
            ),
            "place": pa.array(
                [{"city": f"c{i % 4}", "at": {"x": i / 2}} for i in numbers], type=PLACE
            ),
            "price": pa.array([Decimal(i) / 4 for i in numbers], pa.decimal128(10, 2)),
            "nanoseconds": pa.array(numbers, pa.timestamp("ns")),
            "tags": pa.array([["a"] * (i % 3) for i in numbers]),
        }
    )


@pytest.fixture(scope="module")
def rows(vectors: Floats) -> pa.Table:
    return make_table(vectors)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, rows: pa.Table) -> Iterator[forebay.Table]:
    path = tmp_path_factory.mktemp("filters") / "t"
    with forebay.Table.create(path, rows.schema, vector="v", primary_key="id") as made:
        made.put(rows[:25])
        made.put(rows[25:])
        yield made


f = pc.field
WORKS = {
    "less": f("id") < 10,
    "both": (f("id") >= 10) & (f("score") < 6),
    "either": (f("id") == 3) | (f("small") == 2),
    "not": ~(f("id") < 50),
    "literal on the left": pc.scalar(5) > f("id"),
    "column with column": f("score") > f("small"),
    "float32": f("single") >= 2.5,
    "unsigned": f("unsigned") == 7000,
    "boolean column": f("yes"),
    "boolean equality": f("yes") == False,  # noqa: E712
    "null": f("word").is_null(),
    "null or NaN": f("score").is_null(nan_is_null=False),
    "valid": f("word").is_valid(),
    "text": f("word") == "www",
    "text order": f("word") > "ww",
    "text length": pc.utf8_length(f("word")) > 3,
    "nested calls": pc.utf8_length(pc.utf8_upper(f("word"))) + f("small") > 3,
    "large text": f("large") == "ab7",
    "dictionary": f("kind") == "red",
    "is in": f("id").isin([3, 5, 1000]),
    "text is in": f("word").isin(["w", "ww"]),
    "is in, null among them": f("word").isin(["w", None]),
    "arithmetic": f("id") * 2 + 1 > f("unsigned") / 1000 + 30,
    "negative": pc.negate(f("small")) > 1,
    "is in, nulls skipped": pc.is_in(f("word"), pa.array(["w", None]), skip_nulls=True),
    "is in many": f("id").isin(list(range(7, 100_000))),
    "is in none": f("id").isin([]),
    "many parts": functools.reduce(operator.and_, [f("id") != i for i in range(0, 2000, 2)]),
    "begins": pc.starts_with(f("word"), "ww"),
    "ends": pc.ends_with(f("large"), "9"),
    "contains": pc.match_substring(f("large"), "b1"),
    "nested column": f("place", "city") == "c2",
    "deeply nested column": f("place", "at", "x") > 20,
    "date": f("day") >= dt.date(2024, 2, 10),
    "time": f("time") < MONDAY + dt.timedelta(hours=5),
    "decimal": f("price") > Decimal("10.25"),
    "cast": f("id").cast(pa.float64()) > 41.5,
    "if else": pc.if_else(f("yes"), f("id"), 0) > 30,
    "coalesce": pc.coalesce(f("score"), 99.0) > 10,
    "null or NaN, and so": f("score").is_null(nan_is_null=True),
    "regular expression": pc.match_substring_regex(f("large"), "^ab[0-4]$"),
    "like": pc.match_like(f("word"), "w_w%"),
    "part of a text": pc.utf8_slice_codeunits(f("large"), 2, 3) == "4",
    "rounded": pc.round(f("score"), ndigits=0) == 3,
    "part of a time": pc.hour(f("time")) == 3,
    "formatted time": pc.strftime(f("time"), "%d") == "02",
    "nanoseconds": f("nanoseconds") == pa.scalar(5, pa.timestamp("ns")),
    "length of a list": pc.list_value_length(f("tags")) == 2,
    "vector is there": f("v").is_valid(),
    "element of a vector": pc.list_element(f("v"), 3) > 1.5,
    "least of two": pc.min_element_wise(f("id"), f("small")) == 2,
    "absolute": pc.abs(f("small")) == 3,
    "all": pc.scalar(True),
    "none": pc.scalar(False),
}


@pytest.mark.parametrize("name", WORKS)
def test_works(table: forebay.Table, rows: pa.Table, vectors: Floats, name: str) -> None:
    expression = WORKS[name]
    expected = rows.filter(expression)["id"].to_pylist()
    assert table.scan(filter=expression, columns=["id"]).read_all()["id"].to_pylist() == expected
    assert table.count(expression) == len(expected)
    found = table.search(vectors[0], 60, filter=expression)["id"].to_pylist()
    assert sorted(found) == expected


@pytest.mark.parametrize(
    ("expression", "error", "says"),
    [
        ("id > 3", TYPE, r"filter must be a pyarrow.compute.Expression.*; got str"),
        ([True, False], TYPE, r"filter must be a pyarrow.* got list"),
        (f("nothing") > 3, VALUE, r"filter: No match for FieldRef.Name\(nothing\)"),
        (f("word") > 3, VALUE, "no kernel matching input types"),
        (f("id") + 1, VALUE, r"filter must be true or false for a row; .* is int64"),
        (pc.field("_rowid") > 3, VALUE, "No match for FieldRef"),
    ],
)
def test_bad_filters(
    table: forebay.Table, vectors: Floats, expression: Any, error: type[Exception], says: str
) -> None:
    calls: list[Any] = [
        lambda: table.count(expression),
        lambda: table.scan(filter=expression),
        lambda: table.search(vectors[0], filter=expression),
        lambda: table.delete(filter=expression),
    ]
    for call in calls:
        with pytest.raises(error, match=says):
            call()
    assert len(table) == 60


def test_k_stays_k(tmp_path: Path, vectors: Floats) -> None:
    """With a model, and with dead rows among the nearest."""
    path = tmp_path / "t"
    schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float32(), DIM))])
    with forebay.Table.create(path, schema, vector="v", primary_key="id") as table:
        table.put({"id": np.arange(3000), "v": vectors})
        table.train(num_partitions=16, max_iters=2, pq_max_iters=2)
        exact = ((vectors[:30] - vectors[0]) ** 2).sum(axis=1)
        expected = [int(i) for i in np.argsort(exact, kind="stable") if i >= 10][:10]
        table.delete(filter=f("id") < 10)
        expression = f("id") < 30
        assert table.search(vectors[0], 10, filter=expression)["id"].to_pylist() == expected
        assert table.search(vectors[0], 100, filter=expression).num_rows == 20
