"""Tables and other processes, threads, and files that are refused."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import forebay
from conftest import DIM, Floats, clustered
from table_rows import SCHEMA, make_rows, word
from test_threads import wake_ups_during

WRITER = """
import sys, numpy as np, pyarrow as pa, forebay

path, num_rows = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float32(), 8))])
table = forebay.Table.create(path, schema, vector="v", primary_key="id")
for first in range(0, 10**9, num_rows):
    ids = np.arange(first, first + num_rows)
    table.put({"id": ids, "v": np.repeat(ids[:, None], 8, axis=1).astype(np.float32)})
    print(ids[-1], flush=True)
"""


@contextmanager
def writer(path: Path, num_rows: int) -> Iterator[subprocess.Popen[str]]:
    """Puts this many rows at a time, and says the last key of each acknowledged put."""
    command = [sys.executable, "-c", WRITER, str(path), str(num_rows)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def acknowledged(process: subprocess.Popen[str]) -> int:
    """The next key that it says."""
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("num_rows", [1, 100])
def test_killed_writer(tmp_path: Path, num_rows: int) -> None:
    path = tmp_path / "t"
    with writer(path, num_rows) as process:
        for _ in range(20):
            acknowledged(process)
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
    last = int(said.split()[-1]) if said.split() else 20 * num_rows - 1
    assert process.returncode == -signal.SIGKILL
    with forebay.Table.open(path) as table:
        ids = table.scan(columns=["id"]).read_all()["id"].to_pylist()
        # All that was acknowledged, and at most what was on its way; each put whole.
        assert ids == list(range(len(ids)))
        assert last + 1 <= len(ids) <= last + 1 + 2 * num_rows
        assert len(ids) % num_rows == 0
        query = np.full(8, last, np.float32)
        assert table.search(query, 1)["id"].to_pylist() == [last]
        assert table.verify().num_rows == len(ids)
        table.put({"id": [-1], "v": np.ones((1, 8), np.float32)})
        assert len(table) == len(ids) + 1


def test_reader_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with writer(path, 10) as process:
        first = acknowledged(process)
        with forebay.Table.open(path, read_only=True) as table:
            assert len(table) > first
            assert len(table) % 10 == 0
            snapshot = len(table)
            with pytest.raises(forebay.FailedPreconditionError, match="read"):
                table.put({"id": [-1], "v": np.ones((1, 8), np.float32)})
            with pytest.raises(forebay.FailedPreconditionError, match="read"):
                table.delete([1])
            for change in (table.train, table.flush, table.merge):
                with pytest.raises(forebay.FailedPreconditionError, match="read"):
                    change()
            while acknowledged(process) < snapshot + 100:
                pass
            assert len(table) == snapshot
        with forebay.Table.open(path, read_only=True) as table:
            assert len(table) >= snapshot + 100
        with pytest.raises(forebay.FailedPreconditionError, match=f"process {process.pid} on "):
            forebay.Table.open(path)
        acknowledged(process)  # It goes on.


def test_second_writer_is_refused(tmp_path: Path, vectors: Floats) -> None:
    path = tmp_path / "t"
    with forebay.Table.create(path, SCHEMA, vector="v") as table:
        by = f"process {os.getpid()} on "
        with pytest.raises(forebay.FailedPreconditionError, match=by):
            forebay.Table.open(path)
        with pytest.raises(forebay.FailedPreconditionError, match=by):
            forebay.Table.create(path, SCHEMA, vector="v")
        table.put(make_rows(vectors[:1]))
    with pytest.raises(forebay.FailedPreconditionError, match="there is a table"):
        forebay.Table.create(path, SCHEMA, vector="v")
    with forebay.Table.open(path) as table:
        assert len(table) == 1


def test_writer_that_nobody_holds_any_more(tmp_path: Path, vectors: Floats) -> None:
    """An object that is gone has let go of the lock, and has synced."""
    path = tmp_path / "t"
    forebay.Table.create(path, SCHEMA, vector="v", sync="none").put(make_rows(vectors[:5]))
    with forebay.Table.open(path) as table:
        assert len(table) == 5


def test_puts_from_many_threads(tmp_path: Path) -> None:
    rows = clustered(800, DIM, seed=7)
    done = threading.Event()
    with forebay.Table.create(tmp_path / "t", SCHEMA, vector="v", primary_key="word") as table:

        def search() -> int:
            """What is there is found, whole puts only; no answer is of two snapshots."""
            searches = 0
            while not done.is_set() or searches == 0:
                found = table.search(rows[:2], 900, columns=["n"])
                numbers = found["n"].to_numpy()[: found.num_rows // 2]
                assert found.num_rows == 2 * len(np.unique(numbers))
                assert len(numbers) % 5 == 0
                searches += 1
            return searches

        def put(first: int) -> None:
            table.put(make_rows(rows[first : first + 5], first=first))
            assert table.get([word(first)], ["n"])["n"].to_pylist() == [first]
            found = table.search(rows[first], 1, columns=["n"])
            assert found["n"].to_pylist() == [first]

        with ThreadPoolExecutor(10) as pool:
            searchers = [pool.submit(search) for _ in range(2)]
            try:
                for _ in pool.map(put, range(0, 800, 5)):
                    pass
            finally:
                done.set()
            assert all(searcher.result() > 0 for searcher in searchers)
        assert (len(table), table.stats().sequence_number) == (800, 160)
        assert table.stats().num_syncs <= 161


def test_forked_process_only_reads(tmp_path: Path, vectors: Floats) -> None:
    """It shares the parent's files and lock, so its writes would land among the parent's."""
    path = tmp_path / "t"
    with forebay.Table.create(path, SCHEMA, vector="v", sync="interval") as table:
        table.put(make_rows(vectors[:3]))
        answers, answer = os.pipe()
        child = os.fork()
        if child == 0:
            said = [str(len(table))]
            for write in (
                lambda: table.put(make_rows(vectors[:1])),
                lambda: table.delete(filter=pc.field("n") < 3),
                lambda: table.train(num_partitions=1, num_bits=4),
            ):
                try:
                    write()
                except forebay.FailedPreconditionError as error:
                    said.append(str(error))
            table.close()
            os.write(answer, "\n".join(said).encode())
            os._exit(0)
        os.close(answer)
        with open(answers) as stream:  # noqa: PTH123 - a descriptor
            said = stream.read().splitlines()
        assert os.waitpid(child, 0)[1] == 0
        assert said[0] == "3"
        assert len(said) == 4
        assert all(f"opened by process {os.getpid()}, from which" in line for line in said[1:])
        table.put(make_rows(vectors[3:5], first=3))
        with pytest.raises(forebay.FailedPreconditionError, match=f"process {os.getpid()}"):
            forebay.Table.open(path)
    with forebay.Table.open(path) as table:
        assert table.scan().read_all()["n"].to_pylist() == list(range(5))


@pytest.mark.parametrize("work", ["table.put(rows)", "table.search(query, 5)", "table.verify()"])
def test_exit_while_a_daemon_thread_works(tmp_path: Path, work: str) -> None:
    """The process ends as usual, and nothing acknowledged is lost."""
    code = f"""
import threading, time, numpy as np, pyarrow as pa, forebay
vectors = np.random.default_rng(0).normal(size=(20_000, 32)).astype(np.float32)
schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float32(), 32))])
table = forebay.Table.create({str(tmp_path / "t")!r}, schema, vector="v", primary_key="id")
table.put({{"id": range(20_000), "v": vectors}})
rows, query = {{"id": range(500), "v": vectors[:500]}}, vectors[:50]

def repeat():
    while True:
        {work}

threading.Thread(target=repeat, daemon=True).start()
time.sleep(0.1)
print("done")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")
    with forebay.Table.open(tmp_path / "t") as table:
        assert len(table) == 20_000


@pytest.mark.parametrize(
    "what", ["put", "search", "scan", "train", "verify", "open", "delete", "flush", "merge"]
)
def test_gil_is_released(tmp_path: Path, what: str) -> None:
    rows = clustered(150_000, 32, seed=8)
    schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float32(), 32))])
    path = tmp_path / "t"
    batch = pa.record_batch(
        {
            "id": pa.array(np.arange(len(rows))),
            "v": pa.FixedSizeListArray.from_arrays(
                pa.array(rows.ravel()), type=schema.field(1).type
            ),
        },
        schema=schema,
    )
    table = forebay.Table.create(path, schema, vector="v", primary_key="id", sync="none")
    table.put(batch)
    expression = pc.field("id") >= 0
    work = {
        "put": lambda: table.put(batch),
        "search": lambda: table.search(rows[:100], 100),
        "scan": lambda: [table.scan(filter=expression).read_all() for _ in range(20)],
        "train": lambda: table.train(num_partitions=64, max_iters=5, num_threads=1),
        "verify": table.verify,
        "open": lambda: forebay.Table.open(path, read_only=True),
        "delete": lambda: table.delete(batch["id"]),
        "flush": table.flush,
        "merge": table.merge,
    }[what]
    if what == "merge":
        table.flush()
        table.delete(filter=pc.field("id") < 10)
    assert wake_ups_during(work) > 5


def test_missing_and_forbidden(tmp_path: Path) -> None:
    with pytest.raises(forebay.Error) as caught:
        forebay.Table.open(tmp_path / "nothing")
    assert str(tmp_path / "nothing") in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(forebay.FailedPreconditionError, match="no table"):
        forebay.Table.open(tmp_path / "empty", read_only=True)
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(forebay.FileError) as refused:
        forebay.Table.create(tmp_path / "file", SCHEMA, vector="v")
    assert refused.value.errno in (errno.ENOTDIR, errno.EEXIST)
    assert refused.value.filename == str(tmp_path / "file")
    assert isinstance(refused.value, OSError)
    again = pickle.loads(pickle.dumps(refused.value))
    assert (again.errno, again.filename) == (refused.value.errno, refused.value.filename)


def test_damaged(tmp_path: Path, vectors: Floats) -> None:
    path = tmp_path / "t"
    with forebay.Table.create(path, SCHEMA, vector="v") as table:
        for i in range(3):
            table.put(make_rows(vectors[i : i + 1], first=i))
    log = max(path.iterdir(), key=lambda file: file.stat().st_size)
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    log.write_bytes(damaged)
    with pytest.raises(forebay.CorruptionError):
        forebay.Table.open(path)


def test_full_disk(tmp_path: Path) -> None:
    """The failed put says why, writes are refused from then on, reads go on."""
    code = f"""
import resource, signal, sys, numpy as np, pyarrow as pa, pyarrow.compute, forebay
sys.path.insert(0, {str(Path(__file__).parent)!r})
from table_rows import SCHEMA, make_rows

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rows = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
table = forebay.Table.create({str(tmp_path / "t")!r}, SCHEMA, vector="v")
table.put(make_rows(rows[:10]))
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    table.put(make_rows(rows))
except forebay.FileError as error:
    print(error.errno, error.filename)
few = pa.compute.field("n") < 3
for write in (lambda: table.put(make_rows(rows[:1])), lambda: table.delete(filter=few)):
    try:
        write()
    except forebay.Error as error:
        print(type(error).__name__)
print(len(table), table.search(rows[3], 1, columns=["n"])["n"].to_pylist())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"{errno.EFBIG} {tmp_path / 't'}"
    assert lines[-1] == "10 [3]"
    assert len(lines) == 4
    with forebay.Table.open(tmp_path / "t") as table:
        assert len(table) == 10
