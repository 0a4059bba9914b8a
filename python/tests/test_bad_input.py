"""Every bad argument of the index has an error that says what came and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

import forebay
from conftest import Floats


def fails(error: type[Exception], says: str) -> Any:
    assert issubclass(error, forebay.Error)
    return pytest.raises(error, match=says)


VALUE, TYPE = forebay.InvalidArgumentError, forebay.InvalidTypeError
assert issubclass(VALUE, ValueError)
assert issubclass(TYPE, TypeError)

FLOATS: npt.NDArray[np.float32] = np.ones((4, 32), dtype=np.float32)

BAD_VECTORS = [
    pytest.param(FLOATS[:, ::2], VALUE, r"C-contiguous.*np\.ascontiguousarray", id="columns"),
    pytest.param(FLOATS[:, :16], VALUE, r"float32\[4, 16\] with strides \(128, 4\)", id="part"),
    pytest.param(np.ones((16, 4), np.float32).T, VALUE, "C-contiguous", id="fortran"),
    pytest.param(np.ones((4, 16), np.float32)[::-1], VALUE, "C-contiguous", id="reversed"),
    pytest.param(np.ones((4, 16), np.int32), TYPE, r"int32\[4, 16\].*dtype=np.float32", id="int32"),
    pytest.param(np.ones((4, 16), np.uint8), TYPE, r"uint8\[4, 16\]", id="uint8"),
    pytest.param(np.ones((4, 16), bool), TYPE, r"bool\[4, 16\]", id="bool"),
    pytest.param(np.ones((4, 16), complex), TYPE, r"complex128\[4, 16\]", id="complex"),
    pytest.param(np.full((4, 16), "1"), TYPE, r"<U1\[4, 16\]", id="text"),
    pytest.param(np.full((4, 16), None), TYPE, r"object\[4, 16\]", id="object"),
    pytest.param(np.float32(1), VALUE, r"2-D; got float32\[\]", id="0-d"),
    pytest.param(np.ones((2, 4, 16), np.float32), VALUE, r"got float32\[2, 4, 16\]", id="3-d"),
    pytest.param([], VALUE, r"2-D; got float64\[0\].*np.empty\(\(0, dim", id="empty list"),
    pytest.param(
        [[1.0], [1.0, 2.0]], VALUE, "lists that make one; got list: .*inhomogeneous", id="ragged"
    ),
    pytest.param(bytearray(16), TYPE, "got bytearray, to numpy uint8", id="bytes"),
    pytest.param(memoryview(b"1" * 16), TYPE, "got memoryview", id="memory"),
    pytest.param(None, TYPE, r"got NoneType, to numpy object\[\]", id="none"),
    pytest.param("vectors", TYPE, "got str, to numpy <U7", id="string"),
    pytest.param({}, TYPE, "got dict", id="dict"),
    pytest.param(np.ones((4, 15), np.float32), VALUE, r"dimension 16; got shape \[4, 15\]", id="d"),
    pytest.param(np.ones((0, 15), np.float32), VALUE, r"16; got shape \[0, 15\]", id="no rows"),
    pytest.param(np.ones((4, 0), np.float32), VALUE, r"got shape \[4, 0\]", id="no columns"),
    pytest.param(
        np.ma.masked_array(np.ones((4, 16), np.float32), mask=True), TYPE, "masked", id="masked"
    ),
]


@pytest.mark.parametrize(("value", "error", "says"), BAD_VECTORS)
def test_vectors(
    model: forebay.Model,
    value: Any,
    error: type[Exception],
    says: str,
) -> None:
    index = forebay.Index(model)
    with fails(error, says):
        index.insert(value)
    with fails(error, says):
        index.search(value)
    assert len(index) == 0


def test_one_dimension(model: forebay.Model, vectors: Floats) -> None:
    index = forebay.Index(model)
    with fails(VALUE, r"2-D; got float32\[16\]; for one vector pass vectors\[np.newaxis\]"):
        index.insert(vectors[0])
    with fails(VALUE, r"for one vector pass \[vectors\]"):
        index.insert([1.0] * 16)  # type: ignore[arg-type]
    index.search(vectors[0])  # A single query is welcome.


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", ">f8", "longdouble"])
def test_converted_dtypes(model: forebay.Model, vectors: Floats, dtype: str) -> None:
    rows = vectors[:20].astype(np.float16)  # So that no type loses anything.
    expected, index = forebay.Index(model), forebay.Index(model)
    expected.insert(rows.astype(np.float32))
    index.insert(rows.astype(dtype)[:, ::1])
    index.insert(np.asfortranarray(rows.astype(np.float64)))  # Converting copies anyway.
    np.testing.assert_array_equal(
        index.search(rows.astype(dtype), 3, filter=range(20))[0],
        expected.search(rows.astype(np.float32), 3)[0],
    )
    assert len(index) == 40


def test_lists(model: forebay.Model) -> None:
    index = forebay.Index(model)
    index.insert([[1.0] * 16, [2.0] * 16])
    index.insert([[3] * 16])
    distances, positions = index.search([3] * 16, 1, nprobes=16, refine_factor=3)
    assert (distances.tolist(), positions.tolist()) == ([[0.0]], [[2]])


def test_float64_beyond_float32(model: forebay.Model) -> None:
    with fails(VALUE, "row 0 .* infinite"):
        forebay.Index(model).insert(np.full((1, 16), 1e300))


@pytest.mark.parametrize(
    ("positions", "error", "says"),
    [
        ([1, 2], VALUE, r"one for each of the 3 rows; got int64\[2\]"),
        ([[1, 2, 3]], VALUE, r"got int64\[1, 3\]"),
        ([1, 2, 1], VALUE, "row position 1 comes twice"),
        ([1, -2, 3], VALUE, r"from 0 to 2\^63 - 1; got -2, in int64\[3\]"),
        (np.array([1, 2**63, 3], np.uint64), VALUE, "got 9223372036854775808"),
        ([1.0, 2.0, 3.0], TYPE, r"integers; got list, to numpy float64\[3\]"),
        (np.ones(3, bool), TYPE, r"integers; got bool\[3\]"),
        (np.ma.masked_array([1, 2, 3], mask=[False, True, False]), TYPE, "masked"),
        (-1, VALUE, "row_positions must be from 0"),
        (True, TYPE, "row_positions must be an integer"),
        (2**63 - 2, VALUE, r"2\^63 - 1"),
        ("five", TYPE, "integers; got str, to numpy <U4"),
        ([[1], [2, 3], 4], VALUE, "row_positions must be an array, or lists that make one"),
        ([1, 2, 10**400], TYPE, "integers; got list, to numpy object"),
    ],
)
def test_row_positions(
    model: forebay.Model,
    vectors: Floats,
    positions: Any,
    error: type[Exception],
    says: str,
) -> None:
    index = forebay.Index(model)
    with fails(error, says):
        index.insert(vectors[:3], positions)
    assert len(index) == 0


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"k": -1}, VALUE, "k must be from 0"),
        ({"k": 2.0}, TYPE, "k must be an integer; got 2.0"),
        ({"k": 2**40}, VALUE, "k must be from 0 to 2147483647"),
        ({"nprobes": -1}, VALUE, "nprobes must be from 0"),
        ({"nprobes": None}, TYPE, "nprobes must be an integer"),
        ({"refine_factor": 0}, VALUE, "refine_factor must be from 1"),
        ({"refine_factor": 1.5}, TYPE, "refine_factor must be an integer"),
        ({"filter": np.ones(5)}, TYPE, r"filter must be a boolean mask.* got float64\[5\]"),
        ({"filter": np.ones((2, 5), bool)}, VALUE, r"filter must be 1-D; got bool\[2, 5\]"),
        ({"filter": np.array(3)}, VALUE, r"filter must be 1-D; got int64\[\]"),
        ({"filter": [3, -1]}, VALUE, "filter must be from 0"),
        ({"filter": ["a"]}, TYPE, "filter must be a boolean mask.* got list"),
        ({"filter": [True, 3]}, TYPE, "got True among integers"),
        ({"filter": "x"}, TYPE, "filter must be a boolean mask.* got str"),
        ({"filter": [[1], [2, 3]]}, VALUE, "filter must be an array, or lists"),
        ({"filter": pa.array(["a"])}, TYPE, "integer row positions; got Arrow's str"),
        ({"max_row_position": -1}, VALUE, "max_row_position must be from 0"),
        ({"max_row_position": "9"}, TYPE, "max_row_position must be an integer"),
        ({"distance_range": 3}, TYPE, r"pair \(lower, upper\)"),
        ({"distance_range": (1, 2, 3)}, TYPE, r"pair \(lower, upper\)"),
        ({"distance_range": (np.nan, 2)}, VALUE, "lower bound must be a number; got NaN"),
        ({"distance_range": (0, "far")}, TYPE, "upper bound must be a number; got 'far'"),
        ({"distance_range": ("0", 9)}, TYPE, "lower bound must be a number; got '0'"),
        ({"distance_range": (None, 10**400)}, VALUE, "upper bound must be a number that float"),
        ({"k": np.arange(2)}, TYPE, "k must be an integer"),
        ({"num_threads": 0}, VALUE, "num_threads must be from 1"),
        ({"column": "v"}, VALUE, "column= goes with a record batch"),
    ],
)
def test_search_options(
    index: forebay.Index,
    queries: Floats,
    options: dict[str, Any],
    error: type[Exception],
    says: str,
) -> None:
    with fails(error, says):
        index.search(queries, **options)


def test_bad_queries(index: forebay.Index, queries: Floats, vectors: Floats) -> None:
    bad = queries.copy()
    bad[3, 1] = np.nan
    with fails(VALUE, "query 3 has NaN"):
        index.search(bad)
    with fails(VALUE, "query 0 is too long"):
        index.search(np.full((1, 16), 1e30, np.float32))
    cosine = forebay.Index(
        forebay.train(vectors, metric="cosine", max_iters=1, pq_max_iters=1, num_partitions=4)
    )
    with fails(VALUE, "query 1 is zero"):
        cosine.search(np.eye(2, 16, k=-1, dtype=np.float32)[::-1].copy())


class Changing:
    """An integer that is another one each time."""

    def __init__(self) -> None:
        self.value = 1000

    def __index__(self) -> int:
        self.value //= 10
        return self.value * 10


def test_numbers_are_read_once(index: forebay.Index, queries: Floats) -> None:
    distances, positions = index.search(queries, Changing(), nprobes=16)
    assert distances.shape == positions.shape == (20, 1000)
    assert (positions >= 0).all()


def test_masked(model: forebay.Model) -> None:
    rows = np.ma.masked_array(np.ones((3, 16), np.float32), mask=np.eye(3, 16, dtype=bool))
    with fails(TYPE, r"np\.ma\.compress_rows\(vectors\)"):
        forebay.Index(model).insert(rows)
    with fails(TYPE, r"pass filter\.filled\(False\)"):
        forebay.Index(model).search(rows.data, filter=np.ma.masked_array([True], mask=[True]))


def test_unaligned(model: forebay.Model) -> None:
    odd = np.zeros(4 * 64 + 1, np.uint8)[1:].view(np.float32).reshape(4, 16)
    index = forebay.Index(model)
    with fails(VALUE, r"aligned.*vectors\.copy\(\)"):
        index.insert(odd)
    positions = np.zeros(4 * 8 + 1, np.uint8)[1:].view(np.uint64)
    positions[:] = [9, 7, 5, 3]
    index.insert(odd.copy(), positions)  # What is not borrowed may be anywhere.
    _, found = index.search(odd.copy(), 4, filter=positions[1:], nprobes=16)
    assert found[0].tolist() == [3, 5, 7, -1]


def test_too_much(index: forebay.Index, queries: Floats) -> None:
    with pytest.raises(forebay.OutOfMemoryError) as caught:
        index.search(np.repeat(queries, 500, axis=0), 2**31 - 1)
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"capacity": 0}, VALUE, "capacity must be from 1"),
        ({"capacity": None}, TYPE, "capacity must be an integer"),
        ({"on_bad_vectors": "ignore"}, VALUE, "one of error, drop, fill; got 'ignore'"),
        ({"on_bad_vectors": None}, TYPE, "on_bad_vectors must be a string"),
        ({"on_bad_vectors": "fill", "fill_value": 1e30}, VALUE, "fill_value"),
        ({"fill_value": np.nan}, VALUE, "fill_value must be a number; got NaN"),
        ({"fill_value": "0.5"}, TYPE, "fill_value must be a number; got '0.5'"),
        ({"fill_value": 10**400}, VALUE, "fill_value must be a number that float can hold"),
        ({"keep_vectors": "no"}, TYPE, "keep_vectors must be True or False; got 'no'"),
    ],
)
def test_index_options(
    model: forebay.Model, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with fails(error, says):
        forebay.Index(model, **options)


def test_other_mistakes(index: forebay.Index, vectors: Floats) -> None:
    with fails(TYPE, r"model must be a forebay\.Model"):
        forebay.Index("model")  # type: ignore[arg-type]
    with fails(VALUE, "partition must be from 0 to 15; got 16"):
        index.partition(16)
    with fails(VALUE, "total_rows must be from 0"):
        index.to_partition_batches_reversed(-1)
    with fails(VALUE, "one entry for each of 2 batches; got 1"):
        index.insert_batches([vectors, vectors], [0])
    table = pa.table({"a": [1], "b": [2]})
    for one in (vectors, table, table.to_batches()[0], table["a"]):
        with fails(TYPE, r"batches must be an iterable of batches; got one, .*pass \[it\]"):
            index.insert_batches(one)
    with fails(VALUE, r"batches\[1\] must have the model's dimension 16; got shape \[3000, 4\]"):
        index.insert_batches([vectors, vectors[:, :4].copy()])
    with fails(TYPE, "batches must be iterable; got 5"):
        index.insert_batches(5)  # type: ignore[arg-type]
    with fails(TYPE, "row_positions must be iterable; got 5"):
        index.insert_batches([vectors], 5)  # type: ignore[arg-type]
