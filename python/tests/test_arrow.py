"""Arrow in and out through the PyCapsule protocol, from three implementations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nanoarrow as na
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest

import forebay
from conftest import Floats
from forebay._vectors import as_vectors


def arrow_vectors(rows: npt.NDArray[np.floating]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


class OnlyCapsules:
    """Hides all but the protocol, as a library unknown to us would."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        capsules: tuple[object, object] = self.array.__arrow_c_array__(requested_schema)
        return capsules


def forms(rows: Floats) -> dict[str, tuple[Any, str | None]]:
    """The same rows in many forms, with the column to name."""
    array = arrow_vectors(rows)
    table = pa.table({"id": np.arange(len(rows)), "v": array, "w": array})
    batch = pa.record_batch({"v": array, "id": pa.array(np.arange(len(rows)))})
    in_polars = pl.Series("v", rows, dtype=pl.Array(pl.Float32, rows.shape[1]))
    return {
        "pyarrow array": (array, None),
        "pyarrow slice": (arrow_vectors(np.vstack([rows[:5], rows, rows[:9]])).slice(5, 40), None),
        "pyarrow chunked array": (pa.chunked_array([array[:7], array[7:7], array[7:]]), None),
        "pyarrow batch": (batch, None),
        "pyarrow batch slice": (pa.concat_batches([batch, batch]).slice(40), "v"),
        "pyarrow table": (table, "w"),
        "pyarrow reader": (pa.RecordBatchReader.from_batches(batch.schema, [batch]), None),
        "pyarrow float64": (arrow_vectors(rows.astype(np.float64)), None),
        "pyarrow nullable, no null": (array.take(pa.array(range(len(rows)))), None),
        "polars series": (in_polars, None),
        "polars frame": (pl.DataFrame({"v": in_polars, "id": range(len(rows))}), "v"),
        "polars chunks": (pl.concat([in_polars[:9], in_polars[9:]], rechunk=False), None),
        "nanoarrow array": (na.Array(array), None),
        "nanoarrow chunks": (na.Array(pa.chunked_array([array[:7], array[7:]])), None),
        "nanoarrow stream": (na.ArrayStream(batch), "v"),
        "unknown library": (OnlyCapsules(array), None),
    }


NAMES = list(forms(np.zeros((40, 2), np.float32)))


@pytest.mark.parametrize("name", NAMES)
def test_insert_and_search(model: forebay.Model, vectors: Floats, name: str) -> None:
    rows = vectors[:40]
    expected = forebay.Index(model)
    expected.insert(rows)
    index = forebay.Index(model)
    value, column = forms(rows)[name]
    assert index.insert(value, column=column).num_inserted == 40
    for p in range(16):
        for ours, theirs in zip(index.partition(p), expected.partition(p), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    value, column = forms(rows)[name]
    found = index.search(value, 3, column=column)
    for ours, theirs in zip(found, expected.search(rows, 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["pyarrow chunked array", "polars series", "nanoarrow stream"])
def test_train(model: forebay.Model, vectors: Floats, name: str) -> None:
    value, column = forms(vectors)[name]
    trained = forebay.train(value, column=column, num_partitions=16, num_sub_vectors=8, max_iters=5)
    assert trained == model


def test_zero_copy_by_address(vectors: Floats) -> None:
    rows = vectors[100:900]  # A slice, still C-contiguous.
    assert as_vectors("vectors", rows).addresses == [rows.ctypes.data]
    array = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 16)
    begin = array.flatten().buffers()[1].address
    assert begin == rows.ctypes.data  # pyarrow itself did not copy.
    assert as_vectors("vectors", array).addresses == [begin]
    assert as_vectors("vectors", array.slice(10)).addresses == [begin + 10 * 64]
    batch = pa.record_batch({"v": array})
    assert as_vectors("vectors", batch.slice(3), column="v").addresses == [begin + 3 * 64]
    chunks = pa.chunked_array([array[:10], array[500:]])
    assert as_vectors("vectors", chunks).addresses == [begin, begin + 500 * 64]
    series = pl.Series(array)
    at = pa.chunked_array(series).chunk(0).flatten().buffers()[1].address
    assert as_vectors("vectors", series).addresses == [at]
    assert as_vectors("vectors", na.Array(array)).addresses == [begin]
    # What has to be converted is somewhere else.
    assert as_vectors("vectors", rows.astype(np.float64)).addresses != [rows.ctypes.data]


def test_memory_lives_as_long_as_needed(model: forebay.Model, vectors: Floats) -> None:
    held = as_vectors("vectors", arrow_vectors(vectors.copy()))
    garbage = [np.full((3000, 16), np.nan, np.float32) for _ in range(5)]
    index = forebay.Index(model)
    index._native.insert([held], [None], 1)  # noqa: SLF001
    assert len(index) == 3000
    del garbage


def test_nulls(model: forebay.Model, vectors: Floats) -> None:
    values = vectors[:4].astype(object)
    rows = [values[0].tolist(), None, [*values[2].tolist()[:15], None], values[3].tolist()]
    array = pa.array(rows, type=pa.list_(pa.float32(), 16))
    with pytest.raises(forebay.InvalidArgumentError, match=r"row 1 .* is null"):
        forebay.Index(model).insert(array)
    index = forebay.Index(model, on_bad_vectors="drop")
    assert index.insert(array) == forebay.InsertReport(2, 0, 2, 0)
    _, positions = index.search(vectors[3], 1, nprobes=16, refine_factor=4)
    assert positions.tolist() == [[3]]
    with pytest.raises(forebay.InvalidArgumentError, match="row 2 is null"):
        forebay.train(pa.chunked_array([arrow_vectors(vectors[:1]), array, arrow_vectors(vectors)]))
    with pytest.raises(forebay.InvalidArgumentError, match="query 2 is null"):
        index.search(pa.chunked_array([arrow_vectors(vectors[:1]), array]))
    with pytest.raises(forebay.InvalidArgumentError, match="no nulls; got 1 of 2"):
        index.insert(vectors[:2], pa.array([7, None]))


def test_positions_and_filters(model: forebay.Model, vectors: Floats) -> None:
    chunks = pa.chunked_array([[5, 3], [900]])
    for positions in (chunks, na.Array(chunks), pl.Series(chunks), chunks.combine_chunks()):
        index = forebay.Index(model)
        index.insert(vectors[:3], positions)
        _, found = index.search(vectors[:3], 1, nprobes=16, refine_factor=3)
        assert found[:, 0].tolist() == [5, 3, 900]
        _, found = index.search(vectors[2], 3, nprobes=16, filter=na.Array(chunks[1:]))
        assert set(found[0].tolist()) == {3, 900, -1}


class Broken:
    """Arrow that breaks off."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        def batches() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"v": arrow_vectors(np.ones((2, 16), np.float32))})
            raise ValueError("the connection was lost")

        schema = pa.schema([("v", pa.list_(pa.float32(), 16))])
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        return reader.__arrow_c_stream__(requested_schema)


def test_reader_of_ones_own(model: forebay.Model) -> None:
    """What the user's code raises is not ours to translate, Ctrl-C least of all."""
    schema = pa.schema([("v", pa.list_(pa.float32(), 16))])

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"v": arrow_vectors(np.ones((2, 16), np.float32))})
        raise KeyboardInterrupt

    index = forebay.Index(model)
    with pytest.raises(KeyboardInterrupt):
        index.insert(pa.RecordBatchReader.from_batches(schema, batches()))
    assert len(index) == 0


@pytest.mark.parametrize("wrong", [None, 3, (1,), (1, 2)])
def test_capsules_that_are_none(model: forebay.Model, wrong: object) -> None:
    class Wrong:
        def __arrow_c_array__(self, requested_schema: object = None) -> object:
            return wrong

    with pytest.raises(forebay.InvalidArgumentError, match="vectors cannot be read as Arrow"):
        forebay.Index(model).insert(Wrong())  # type: ignore[arg-type]


def test_stream_that_breaks_off(model: forebay.Model) -> None:
    index = forebay.Index(model)
    with pytest.raises(forebay.InvalidArgumentError, match=r"as Arrow: .*connection was lost"):
        index.insert(Broken())
    assert len(index) == 0


def test_out_to_other_libraries(index: forebay.Index, queries: Floats) -> None:
    batch = index.search_arrow(queries, 4)
    frame = pl.DataFrame(OnlyCapsules(batch))
    assert frame.columns == ["query_index", "row_position", "_distance"]
    assert frame.height == 80
    assert na.Array(batch).to_pylist()[0].keys() == set(frame.columns)
    for p, codes in index.to_partition_batches():
        assert pl.DataFrame(codes)["_rowid"].to_list() == index.partition(p)[0].tolist()


@pytest.mark.parametrize(
    ("value", "column", "error", "says"),
    [
        (pa.array([[1.0, 2.0]]), None, TypeError, r"fixed_size_list .*; got list<item: double>"),
        (pa.array([1.0, 2.0]), None, TypeError, "got double; cast it"),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), None, TypeError, "int32"),
        (pl.Series([[1.0, 2.0]]), None, TypeError, "list"),
        (pa.table({"a": [1]}), None, ValueError, r"one column of vectors .*; got 0.* a: int64"),
        (pa.table({"a": [1]}), "v", ValueError, "one column 'v'; got 0, the columns being a"),
        (pa.table({"a": [1]}), "a", TypeError, "got int64"),
        (pa.table({}), None, ValueError, "columns being none"),
        (pa.array([[1.0]], pa.list_(pa.float32(), 1)), "v", ValueError, "column= goes with"),
        (pa.array([[1.0]], pa.list_(pa.float32(), 1)), None, ValueError, r"16; got shape \[1, 1"),
        (pa.array([], pa.list_(pa.float32(), 1)), None, ValueError, r"16; got shape \[0, 1\]"),
    ],
)
def test_bad_arrow(
    model: forebay.Model, value: Any, column: str | None, error: type[Exception], says: str
) -> None:
    index = forebay.Index(model)
    for call in (index.insert, index.search):
        with pytest.raises(forebay.Error, match=says) as caught:
            call(value, column=column)
        assert isinstance(caught.value, error)


def test_two_vector_columns(model: forebay.Model, vectors: Floats) -> None:
    array = arrow_vectors(vectors[:2])
    with pytest.raises(forebay.InvalidArgumentError, match=r"name it with column=.*got 2"):
        forebay.Index(model).insert(pa.record_batch({"a": array, "b": array}))
