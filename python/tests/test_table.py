"""The table: every verb, its options, and answers equal to numpy's."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import forebay
from conftest import DIM, Floats
from table_rows import SCHEMA, distances_to, make_rows, word


@pytest.fixture
def table(tmp_path: Path, vectors: Floats) -> Iterator[forebay.Table]:
    """300 words."""
    with forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", primary_key="word") as made:
        made.put(make_rows(vectors[:300]))
        yield made


def test_put_reports(tmp_path: Path, vectors: Floats) -> None:
    with forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", primary_key="word") as table:
        report = table.put(make_rows(vectors[:10]))
        assert report == forebay.PutReport(
            sequence_number=1,
            first_row_id=report.first_row_id,
            num_rows=10,
            num_replaced=0,
            num_dropped=0,
            num_filled=0,
        )
        again = table.put(make_rows(vectors[:5], first=8))
        assert (again.sequence_number, again.num_rows, again.num_replaced) == (2, 5, 2)
        assert again.first_row_id == report.first_row_id + 10
        assert len(table) == table.count() == 13
        assert table.stats().num_dead == 2
        none = table.put(make_rows(vectors[:0]))
        assert (none.num_rows, len(table)) == (0, 13)


@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
@pytest.mark.parametrize("trained", [False, True], ids=["every row", "model"])
def test_search_equals_numpy(
    tmp_path: Path, vectors: Floats, queries: Floats, metric: Any, trained: bool
) -> None:
    rows = vectors[:1000]
    with forebay.Table.create(
        tmp_path / "t", SCHEMA, vector="v", primary_key="word", metric=metric
    ) as table:
        table.put(make_rows(rows[:700]))
        if trained:
            table.train(num_partitions=8, max_iters=3, pq_max_iters=3, num_threads=2)
        table.put(make_rows(rows[700:], first=700))
        table.delete([word(i) for i in range(0, 1000, 3)])
        alive = np.arange(1000) % 3 != 0

        found = table.search(queries, 5, nprobes=8, refine_factor=50, columns=["n"], num_threads=2)
        assert found.schema.names == ["query_index", "_distance", "word", "n"]
        assert found.schema.types[:2] == [pa.uint32(), pa.float32()]
        assert found["query_index"].to_pylist() == np.repeat(np.arange(20), 5).tolist()
        exact = np.where(alive, distances_to(queries, rows, metric), np.inf)
        nearest = np.argsort(exact, axis=1, kind="stable")[:, :5]
        assert found["n"].to_numpy().tolist() == nearest.ravel().tolist()
        assert found["word"].to_pylist() == [word(i) for i in nearest.ravel().tolist()]
        np.testing.assert_allclose(
            found["_distance"].to_numpy(),
            np.take_along_axis(exact, nearest, 1).ravel(),
            rtol=1e-4,
            atol=1e-5,
        )


def test_queries_of_all_kinds(table: forebay.Table, vectors: Floats) -> None:
    expected = table.search(vectors[:3], 2)
    array = pa.FixedSizeListArray.from_arrays(pa.array(vectors[:3].ravel()), DIM)
    for queries in (vectors[:3].tolist(), vectors[:3].astype(np.float64), array):
        assert table.search(queries, 2).equals(expected)
    one = table.search(vectors[0], 2)
    assert one.equals(table.search(vectors[:1], 2))
    assert table.search(np.empty((0, DIM), np.float32)).num_rows == 0
    assert table.search(vectors[0], 0).num_rows == 0


def test_explain(table: forebay.Table, queries: Floats) -> None:
    rows, sources = table.search(queries, 3, explain=True)
    assert rows.equals(table.search(queries, 3))
    (source,) = sources
    assert (source.source, source.num_rows, source.num_dead) == ("memtable", 300, 0)
    assert source.reranked_rows == 300 * len(queries)
    assert (source.probed_partitions, source.seconds > 0) == (0, True)
    table.train(num_partitions=8, max_iters=2, pq_max_iters=2)
    _, (source,) = table.search(queries, 3, nprobes=2, explain=True)
    assert source.reranked_rows <= source.scanned_rows <= 300 * len(queries)
    assert source.probed_partitions >= 2 * len(queries) or source.scanned_rows == 300 * len(queries)


def test_get_and_take(table: forebay.Table, vectors: Floats) -> None:
    rows = table.get([word(7), "nobody", word(3)])
    assert rows.schema == SCHEMA
    assert rows["n"].to_pylist() == [7, 3]
    np.testing.assert_array_equal(rows["v"].flatten().to_numpy(), vectors[[7, 3]].ravel())
    for keys in (np.array([word(5)]), pa.array([word(5)]), pa.array([word(5)], pa.large_string())):
        assert table.get(keys, ["n"])["n"].to_pylist() == [5]
    assert table.get([]).num_rows == 0
    ids = table.get([word(9), word(2)], columns=["_rowid", "n"])
    assert ids.schema.names == ["_rowid", "n"]
    taken = table.take(ids["_rowid"], ["n"])
    assert taken["n"].to_pylist() == [9, 2]
    assert table.take(ids["_rowid"].to_pylist()).equals(table.get([word(9), word(2)]))
    assert table.take([10**12]).num_rows == 0
    table.delete([word(9)])
    assert table.take(ids["_rowid"], ["n"])["n"].to_pylist() == [2]


def test_scan_and_count(table: forebay.Table, vectors: Floats) -> None:
    table.put(make_rows(vectors[300:400], first=300))
    table.delete(filter=pc.field("n") < 10)
    reader = table.scan()
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.schema == SCHEMA
    table.put(make_rows(vectors[400:401], first=400))  # After the snapshot.
    assert reader.read_all()["n"].to_pylist() == list(range(10, 400))
    some = table.scan(filter=pc.field("n") >= 395, columns=["_rowid", "word"]).read_all()
    assert some.column_names == ["_rowid", "word"]
    assert some["word"].to_pylist() == [word(i) for i in range(395, 401)]
    assert table.count() == 391
    assert table.count(pc.field("n") >= 395) == table.count(filter=pc.field("n") >= 395) == 6
    reader = table.scan(columns=["n"])
    table.close()
    assert reader.read_all().num_rows == 391  # It outlives the table.


def test_delete(table: forebay.Table) -> None:
    assert table.delete([word(1), word(2), word(2), "nobody"]) == 2
    assert table.delete(filter=pc.field("n") < 5) == 3
    assert table.delete(filter=pc.field("n") < 5) == 0
    assert len(table) == 295
    assert table.get([word(1)]).num_rows == 0


@pytest.mark.parametrize("key", [pa.int64(), pa.uint64()])
def test_number_keys(tmp_path: Path, vectors: Floats, key: pa.DataType) -> None:
    schema = pa.schema([("id", key), ("v", pa.list_(pa.float32(), DIM))])
    great = 2**63 - 1 if key == pa.int64() else 2**64 - 1
    with forebay.Table.create(tmp_path / "t", schema, vector="v", primary_key="id") as table:
        table.put({"id": np.arange(100), "v": vectors[:100]})
        table.put({"id": [great], "v": vectors[:1]})
        for keys in ([3, 5], np.array([3, 5], np.int32), range(3, 6, 2), pa.array([3, 5])):
            assert table.get(keys, ["id"])["id"].to_pylist() == [3, 5]
        assert table.search(vectors[3], 1)["id"].to_pylist() == [3]
        assert table.get([great], ["id"])["id"].to_pylist() == [great]
        assert table.delete(np.array([great], key.to_pandas_dtype())) == 1


def test_without_a_key(tmp_path: Path, vectors: Floats) -> None:
    schema = pa.schema([("v", pa.list_(pa.float32(), DIM))])
    with forebay.Table.create(tmp_path / "t", schema, vector="v") as table:
        table.put(vectors[:50])
        table.put(vectors[:50])
        assert (len(table), table.primary_key) == (100, None)
        found = table.search(vectors[7], 2)
        assert found.schema.names == ["query_index", "_distance", "_rowid"]
        assert found["_distance"].to_pylist() == [0, 0]
        assert table.take(found["_rowid"]).num_rows == 2
        with pytest.raises(forebay.FailedPreconditionError, match="no primary key"):
            table.get([1])
        with pytest.raises(forebay.FailedPreconditionError, match="no primary key"):
            table.delete([1])


def test_train(tmp_path: Path, vectors: Floats) -> None:
    steps: list[tuple[int, int]] = []
    path = tmp_path / "t"
    with forebay.Table.create(path, SCHEMA, vector="v", primary_key="word") as table:
        table.put(make_rows(vectors))
        assert table.model is None
        table.train(max_iters=2, pq_max_iters=2, progress=lambda *step: steps.append(step))
        model = table.model
        assert model is not None
        assert steps[-1][0] == steps[-1][1]
        # The same defaults, the same arithmetic.
        assert model == forebay.train(vectors, max_iters=2, pq_max_iters=2)
        assert table.search(vectors[17], 1)["word"].to_pylist() == [word(17)]
        with pytest.raises(ZeroDivisionError):
            table.train(progress=lambda *_: 1 // 0)
        assert table.model == model
        assert table.verify().num_codes == 3000
    with forebay.Table.open(path) as table:
        assert table.model == model


def test_train_needs_rows(table: forebay.Table) -> None:
    table.delete(filter=pc.field("n") >= 100)
    with pytest.raises(forebay.InvalidArgumentError, match="rows"):
        table.train()
    with pytest.raises(forebay.InvalidArgumentError, match="num_bits must be 4 or 8"):
        table.train(num_bits=5)


def test_model_at_create(tmp_path: Path, model: forebay.Model, vectors: Floats) -> None:
    with forebay.Table.create(
        tmp_path / "t", SCHEMA, vector="v", primary_key="word", model=model, num_threads=2
    ) as table:
        table.put(make_rows(vectors))
        assert table.model == model
        assert table.search(vectors[5], 1)["word"].to_pylist() == [word(5)]
        _, (source,) = table.search(vectors[5], 1, nprobes=1, explain=True)
        assert 0 < source.scanned_rows < 3000
    with pytest.raises(forebay.InvalidArgumentError, match="model must be for"):
        forebay.Table.create(tmp_path / "u", SCHEMA, vector="v", metric="cosine", model=model)
    with pytest.raises(forebay.InvalidTypeError, match=r"model must be a forebay\.Model"):
        forebay.Table.create(tmp_path / "u", SCHEMA, vector="v", model="m")  # type: ignore[arg-type]


def test_reopen(tmp_path: Path, vectors: Floats) -> None:
    path = tmp_path / "t"
    with forebay.Table.create(str(path), SCHEMA, vector="v", primary_key="word") as table:
        assert table.recovery == forebay.RecoveryReport(0, 0, 0, 0)
        table.put(make_rows(vectors[:100]))
        table.put(make_rows(vectors[:10]))
        table.delete([word(50)])
        before = table.scan(columns=["_rowid", "word"]).read_all()
    with forebay.Table.open(path) as table:
        assert table.recovery == forebay.RecoveryReport(
            num_batches=3, num_rows=110, num_deaths=11, torn_bytes=0
        )
        assert table.scan(columns=["_rowid", "word"]).read_all().equals(before)
        assert (table.vector, table.primary_key, table.metric) == ("v", "word", "l2")
        assert (table.dim, table.schema, table.path) == (DIM, SCHEMA, path)
        assert table.verify().num_rows == 99
        assert table.verify().num_keys == 99
        assert table.stats().writer_epoch == 2


def test_sync_policies(tmp_path: Path, vectors: Floats) -> None:
    syncs = {}
    for sync in ("always", "interval", "none"):
        path = tmp_path / sync
        options: dict[str, Any] = {"sync": sync, "sync_interval": 0.001}
        with forebay.Table.create(path, SCHEMA, vector="v", **options) as table:
            for i in range(20):
                table.put(make_rows(vectors[i : i + 1], first=i))
            syncs[sync] = table.stats().num_syncs
        with forebay.Table.open(path, **options, verify_on_open=False) as table:
            assert len(table) == 20
    assert syncs["always"] >= 20
    assert syncs["none"] == 0


def test_bad_vectors(tmp_path: Path, vectors: Floats) -> None:
    bad = vectors[:4].copy()
    bad[1, 3] = np.nan
    expected: Any
    for policy, expected in (("drop", (3, 1, 0)), ("fill", (4, 0, 1))):
        options: Any = {"on_bad_vectors": policy, "fill_value": 2}
        with forebay.Table.create(tmp_path / policy, SCHEMA, vector="v", **options) as table:
            report = table.put(make_rows(bad))
            assert (report.num_rows, report.num_dropped, report.num_filled) == expected
            assert len(table) == expected[0]
            if policy == "fill":
                filled = table.scan(filter=pc.field("n") == 1).read_all()
                assert filled["v"].to_pylist() == [[2.0] * DIM]
    with forebay.Table.create(tmp_path / "error", SCHEMA, vector="v") as table:
        with pytest.raises(forebay.InvalidArgumentError, match="vector of row 1 has NaN"):
            table.put(make_rows(bad))
        assert len(table) == 0


def test_limits(tmp_path: Path, vectors: Floats) -> None:
    with forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", max_memtable_rows=10) as table:
        table.put(make_rows(vectors[:8]))
        table.put(make_rows(vectors[:3]))  # Once there is room.
        assert len(table) == 11
        table.flush()
        assert [g.num_rows for g in table.stats().generations] == [8, 3]
        with pytest.raises(forebay.CapacityExceededError, match="a MemTable may hold 10 rows"):
            table.put(make_rows(vectors[:11]))
        assert len(table) == 11
    with (
        forebay.Table.create(tmp_path / "u", SCHEMA, vector="v", max_memtable_bytes=4096) as table,
        pytest.raises(forebay.CapacityExceededError),
    ):
        table.put(make_rows(vectors))


def test_use_after_close(table: forebay.Table, vectors: Floats) -> None:
    assert not table.closed
    table.close()
    table.close()
    assert table.closed
    calls: list[Any] = [
        lambda: table.put(make_rows(vectors[:1])),
        lambda: table.delete([word(1)]),
        lambda: table.delete(filter=pc.field("n") < 3),
        lambda: table.search(vectors[0]),
        lambda: table.get([word(1)]),
        lambda: table.take([1]),
        table.scan,
        table.count,
        lambda: len(table),
        table.flush,
        table.merge,
        table.train,
        table.stats,
        table.verify,
    ]
    for call in calls:
        with pytest.raises(forebay.FailedPreconditionError, match="table is closed"):
            call()
    assert (table.dim, table.metric, table.model) == (DIM, "l2", None)
    assert "closed" in repr(table)


def test_repr(table: forebay.Table, tmp_path: Path) -> None:
    assert repr(table) == (
        f"Table('{tmp_path}/t', 300 rows, metric='l2', vector='v', dim=16, primary_key='word', "
        "no model)"
    )
    table.train(num_partitions=4, max_iters=1, pq_max_iters=1)
    assert "num_partitions=4" in repr(table)
    with forebay.Table.open(tmp_path / "t", read_only=True) as reader:
        assert reader.read_only
        assert repr(reader).endswith("read_only=True)")


def test_is_one_object(table: forebay.Table) -> None:
    with pytest.raises(
        forebay.InvalidTypeError, match=r"a Table cannot be copied: .*share the one"
    ):
        copy.copy(table)
    with pytest.raises(forebay.InvalidTypeError, match="a Table cannot be pickled"):
        pickle.dumps(table)
    with pytest.raises(forebay.InvalidTypeError, match=r"Table\.create or Table\.open"):
        forebay.Table("words", "t", read_only=False)  # type: ignore[arg-type]


def test_closed_by_an_exception(tmp_path: Path, vectors: Floats) -> None:
    table = forebay.Table.create(tmp_path / "t", SCHEMA, vector="v")

    def use() -> None:
        with table:
            table.put(make_rows(vectors[:3]))
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert table.closed
    with forebay.Table.open(tmp_path / "t") as again:
        assert len(again) == 3
        assert bool(again)
