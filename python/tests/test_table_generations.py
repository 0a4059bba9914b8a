"""Flush, generations and merge: the rows stay what they are, wherever they lie."""

from __future__ import annotations

import dataclasses
import os
import random
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import forebay
from conftest import DIM, Floats
from table_rows import SCHEMA, distances_to, make_rows, word


def create(path: Path, **options: object) -> forebay.Table:
    return forebay.Table.create(path, SCHEMA, vector="v", primary_key="word", **options)  # type: ignore[arg-type]


def numbers(table: forebay.Table) -> list[int]:
    found: list[int] = table.scan(columns=["n"]).read_all()["n"].to_pylist()
    return found


def test_flush_and_merge(tmp_path: Path, vectors: Floats, queries: Floats) -> None:
    with create(tmp_path / "t") as table:
        for first in range(0, 300, 100):
            table.put(make_rows(vectors[first : first + 100], first))
            table.flush()
        table.put(make_rows(vectors[300:350], 300))
        answers = [table.search(queries, 5), table.scan().read_all(), table.get([word(250)])]
        stats = table.stats()
        assert [g.number for g in stats.generations] == [1, 2, 3]
        assert [g.num_rows for g in stats.generations] == [100] * 3
        assert (stats.num_rows, stats.num_flushes, stats.num_failed_merges) == (350, 3, 0)
        _, sources = table.search(queries, 5, explain=True)
        assert [s.source for s in sources] == [*(f"generation {i}" for i in (1, 2, 3)), "memtable"]

        table.merge()
        (merged,) = table.stats().generations
        assert (merged.num_rows, merged.num_dead, merged.model_fingerprint) == (300, 0, None)
        assert (merged.row_bytes > 300 * DIM * 4, merged.key_bytes > 0) == (True, True)
        assert (merged.index_bytes, merged.mask_bytes) == (0, 0)
        assert (merged.quantization_error, merged.drift) == (None, None)
        now = [table.search(queries, 5), table.scan().read_all(), table.get([word(250)])]
        assert all(a.equals(b) for a, b in zip(answers, now, strict=True))
        assert table.verify().num_keys == 350
        with pytest.raises(dataclasses.FrozenInstanceError):
            merged.num_rows = 1  # type: ignore[misc]


def test_nothing_to_do(tmp_path: Path, vectors: Floats) -> None:
    with create(tmp_path / "t") as table:
        table.flush()
        table.merge()
        assert (table.stats().num_flushes, table.stats().generations) == (0, ())
        table.put(make_rows(vectors[:10]))
        table.merge()  # What is in memory is no generation.
        assert table.stats().generations == ()
        table.flush()
        table.flush()
        table.merge()
        assert len(table.stats().generations) == 1


def test_upserts_and_deletes_reach_into_generations(
    tmp_path: Path, vectors: Floats, queries: Floats
) -> None:
    path = tmp_path / "t"
    with create(path) as table:
        table.put(make_rows(vectors[:200]))
        table.flush()
        table.put(make_rows(vectors[200:400], 200))
        table.flush()
        changed = make_rows(vectors[1000:1020], 190)  # Half of them in either generation.
        assert table.put(changed).num_replaced == 20
        assert table.delete([word(3), word(203), "nobody"]) == 2
        assert table.delete(filter=pc.field("n") < 10) == 9
        assert [g.num_dead for g in table.stats().generations] == [20, 10]
        alive = [*range(10, 190), *range(210, 400), *range(190, 210)]
        alive.remove(203)
        assert numbers(table) == [n for n in alive if n != 203]

        rows = np.concatenate([vectors[:190], vectors[1000:1020], vectors[210:400]])
        exact = distances_to(queries, rows, "l2")
        exact[:, [*range(10), 203]] = np.inf
        nearest = np.argsort(exact, axis=1, kind="stable")[:, :5]

        def check(table: forebay.Table) -> None:
            found = table.search(queries, 5, columns=["n"])["n"]
            assert found.to_pylist() == nearest.ravel().tolist()
            assert sorted(numbers(table)) == sorted(alive)
            assert table.get([word(3), word(195)], ["n"])["n"].to_pylist() == [195]
            assert table.verify().num_rows == len(alive)

        check(table)
        table.flush()  # With masks.
        check(table)
    with forebay.Table.open(path) as table:
        assert table.recovery.num_rows == 0
        assert all(g.mask_bytes > 0 for g in table.stats().generations[:2])
        check(table)
        table.merge()
        check(table)
        assert table.stats().num_dead == 0
    with forebay.Table.open(path, read_only=True) as table:
        check(table)


@pytest.mark.parametrize("trained", [False, True], ids=["every row", "model"])
def test_ten_times_the_memtable(
    tmp_path: Path, vectors: Floats, model: forebay.Model, trained: bool
) -> None:
    """Against a dict, with puts, upserts and deletes that go through many generations."""
    path = tmp_path / "t"
    order = random.Random(1)
    expected: dict[str, int] = {}
    options = {"max_memtable_rows": 200, "merge_fan_in": 4, "sync": "none"}
    with create(path, model=model if trained else None, **options) as table:
        for step in range(60):
            keys = order.sample(range(1500), 40)
            table.put({"word": [word(i) for i in keys], "n": [step] * 40, "v": vectors[keys]})
            expected |= {word(i): step for i in keys}
            gone = [word(i) for i in order.sample(range(1500), 3)]
            assert table.delete(gone) == sum(expected.pop(key, None) is not None for key in gone)
        assert table.stats().num_flushes >= 10
        assert table.stats().waited_seconds >= 0

    def check(table: forebay.Table) -> None:
        rows = table.scan(columns=["word", "n"]).read_all()
        assert dict(zip(rows["word"].to_pylist(), rows["n"].to_pylist(), strict=True)) == expected
        sample = order.sample(sorted(expected), 50)
        assert table.get(sample, ["n"])["n"].to_pylist() == [expected[key] for key in sample]
        places = [int(key.split()[1]) for key in sample]
        found = table.search(vectors[places], 1, nprobes=16, refine_factor=20)
        assert found["word"].to_pylist() == sample
        report = table.verify()
        assert (report.num_rows, report.num_keys) == (len(expected), len(expected))
        stats = table.stats()
        assert report.num_codes == (stats.num_rows + stats.num_dead if trained else 0)

    with forebay.Table.open(path, **options) as table:  # type: ignore[arg-type]
        check(table)
        table.flush()
        table.merge()
        (merged,) = table.stats().generations
        assert merged.model_fingerprint == (model.fingerprint if trained else None)
        check(table)


def test_old_readers_keep_their_rows(tmp_path: Path, vectors: Floats) -> None:
    path = tmp_path / "t"
    with create(path) as table:
        table.put(make_rows(vectors[:500]))
        table.flush()
        table.put(make_rows(vectors[500:1000], 500))
        before = table.scan(columns=["n"])
        with forebay.Table.open(path, read_only=True) as other:
            table.delete(filter=pc.field("n") < 600)
            table.flush()
            table.merge()
            assert numbers(table) == list(range(600, 1000))
            assert before.read_all()["n"].to_pylist() == list(range(1000))
            assert numbers(other) == list(range(1000))  # Its files have no name any more.
            late = other.scan(columns=["n"])
        assert late.read_all()["n"].to_pylist() == list(range(1000))


def read_file(path: Path, kind: str) -> pa.Table:
    if kind == "parquet":
        return pq.read_table(path)
    open_file = pa.ipc.open_file if kind == "arrow" else pa.ipc.open_stream
    with pa.OSFile(str(path)) as file, open_file(file) as reader:
        return reader.read_all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("words.parquet", "parquet"),
        ("words.arrow", "arrow"),
        ("words.feather", "arrow"),
        ("words.ARROWS", "arrows"),
    ],
)
def test_export(tmp_path: Path, vectors: Floats, name: str, kind: str) -> None:
    with create(tmp_path / "table") as table:
        table.put(make_rows(vectors[:100]))
        table.flush()
        table.delete([word(3)])
        table.put(make_rows(vectors[100:130], 100))
        path = tmp_path / name
        assert table.export(path) == 129
        assert read_file(path, kind) == table.scan().read_all()
        kept = pc.field("n") >= 110
        assert table.export(path, filter=kept, columns=["_rowid", "n"]) == 20
        assert read_file(path, kind) == table.scan(filter=kept, columns=["_rowid", "n"]).read_all()
        assert table.export(path, filter=pc.field("n") < 0) == 0
        assert read_file(path, kind).schema == table.schema
        assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "table"])


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows"])
def test_export_columns_of_dictionaries(tmp_path: Path, vectors: Floats, kind: str) -> None:
    """Each generation, and the MemTable, has other words in its dictionary."""
    lists = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    schema = pa.schema([("kinds", lists), ("v", pa.list_(pa.float32(), DIM))])
    with forebay.Table.create(tmp_path / "table", schema, vector="v") as table:
        kinds = [[f"{i} {i % 3}"] for i in range(30)]
        for first in range(0, 30, 10):
            table.flush()
            rows = {"kinds": kinds[first : first + 10], "v": vectors[:10]}
            table.put(rows)
        assert table.export(tmp_path / "file", format=kind) == 30  # type: ignore[arg-type]
        assert read_file(tmp_path / "file", kind)["kinds"].to_pylist() == kinds


def test_export_replaces_files(tmp_path: Path, vectors: Floats) -> None:
    """With their permissions, and where links lead to."""
    with create(tmp_path / "table") as table:
        for i in range(40):
            table.put(make_rows(vectors[:100], 100 * i))
        table.flush()
        path = tmp_path / "words.parquet"
        path.touch(mode=0o600)
        link = tmp_path / "link"
        link.symlink_to(path)
        assert (
            table.export(link, format="parquet", filter=pc.bit_wise_and(pc.field("n"), 1) == 0)
            == 2000
        )
        assert link.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o600
        assert pq.ParquetFile(path).num_row_groups == 1, "small batches are put together"


def test_export_that_fails(tmp_path: Path, vectors: Floats) -> None:
    with create(tmp_path / "table") as table:
        table.put(make_rows(vectors[:10]))
        path = tmp_path / "words.parquet"
        path.write_text("an older one", encoding="utf-8")
        with pytest.raises(forebay.InvalidArgumentError, match=r"end in one of \.parquet"):
            table.export(tmp_path / "words.csv")
        with pytest.raises(
            forebay.InvalidArgumentError,
            match="format must be one of arrow, arrows, parquet; got 'csv'",
        ):
            table.export(path, format="csv")  # type: ignore[arg-type]
        with pytest.raises(forebay.InvalidArgumentError, match="no column 'x'"):
            table.export(path, columns=["x"])
        with pytest.raises(FileNotFoundError):
            table.export(tmp_path / "nowhere" / "words.parquet")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(forebay.FileError, match="no regular file"):
            table.export(tmp_path / "pipe", format="arrow")
        (tmp_path / "pipe").unlink()
        # It divides by zero in the middle of the rows.
        with pytest.raises(pa.ArrowInvalid, match="divide by zero"):
            table.export(path, filter=pc.scalar(1) / (pc.field("n") - 5) > 0)
        assert path.read_text(encoding="utf-8") == "an older one"
        assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "table"])
    with pytest.raises(forebay.FailedPreconditionError):
        table.export(path)


def test_merges_in_the_background(tmp_path: Path, vectors: Floats) -> None:
    options = {"max_memtable_rows": 10, "sync": "none"}
    with create(tmp_path / "t", merge_fan_in=2, **options) as table:
        for first in range(0, 200, 10):
            table.put(make_rows(vectors[first : first + 10], first))
        table.flush()
        wait = threading.Event()
        while len(table.stats().generations) > 5:
            wait.wait(0.01)
        assert table.stats().num_failed_merges == 0
        assert numbers(table) == list(range(200))
    never = [{"merge_fan_in": 0}, {"merge_fan_in": 2, "max_merge_bytes": 0}]
    for number, limits in enumerate(never):
        with create(tmp_path / str(number), **limits, **options) as table:
            for first in range(0, 200, 10):
                table.put(make_rows(vectors[first : first + 10], first))
            table.flush()
            assert len(table.stats().generations) == 20


def test_a_flush_that_fails(tmp_path: Path, vectors: Floats) -> None:
    """Nothing is lost, and the next one makes it."""
    path = tmp_path / "t"
    with create(path) as table:
        table.put(make_rows(vectors[:100]))
        stands_there = path / "generation-00000000000000000001-rows.arrow"
        stands_there.mkdir()
        with pytest.raises(forebay.FileError) as failed:
            table.flush()
        assert Path(failed.value.filename) == path
        assert numbers(table) == list(range(100))
        table.put(make_rows(vectors[100:110], 100))
        stands_there.rmdir()
        table.flush()
        assert numbers(table) == list(range(110))
        assert table.verify().num_rows == 110


def test_others_work_while_it_is_flushed_and_merged(tmp_path: Path, vectors: Floats) -> None:
    with create(tmp_path / "t", sync="none") as table:
        table.put(make_rows(vectors[:1000]))
        done = threading.Event()
        seen: list[int] = []

        def read() -> None:
            while not done.is_set():
                seen.append(len(table))
                assert table.search(vectors[7], 1)["word"].to_pylist() == [word(7)]

        reader = threading.Thread(target=read)
        reader.start()
        for first in range(1000, 1500, 50):
            table.put(make_rows(vectors[first : first + 50], first))
            table.flush()
        table.merge()
        done.set()
        reader.join()
        assert set(seen) <= set(range(1000, 1501, 50))
        assert table.verify().num_rows == 1500


def test_a_reader_is_refreshed(tmp_path: Path, vectors: Floats) -> None:
    with create(tmp_path / "t") as table:
        table.put(make_rows(vectors[:5], 0))
        with forebay.Table.open(tmp_path / "t", read_only=True) as reader:
            table.put(make_rows(vectors[5:10], 5))
            table.flush()
            assert reader.count() == 5
            reader.refresh()
            assert reader.count() == 10
            with pytest.raises(forebay.FailedPreconditionError, match="read only"):
                table.refresh()


def test_flush_on_close(tmp_path: Path, vectors: Floats) -> None:
    with create(tmp_path / "t", flush_on_close=True) as table:
        table.put(make_rows(vectors[:5], 0))
    with forebay.Table.open(tmp_path / "t") as table:
        assert [g.num_rows for g in table.stats().generations] == [5]
        assert table.recovery.num_rows == 0
