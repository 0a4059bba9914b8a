"""Tables with rows to put into them, and what the command answers."""

import io
import json

import pyarrow as pa
from vector_files import Completed, Floats, vector_array

ROWS = 300


def rows_of(vectors: Floats, keys: pa.Array | None = None) -> pa.Table:
    """Rows with a key, numbers of which every tenth is null, and vectors."""
    count = len(vectors)
    words = pa.array([f"word {i}" for i in range(count)]) if keys is None else keys
    number = pa.array([None if i % 10 == 9 else i for i in range(count)], pa.int64())
    half = pa.array([i / 2 for i in range(count)], pa.float32())
    return pa.table(
        {"word": words, "n": number, "half": half, "embedding": vector_array(vectors[:count])}
    )


def stream_of(table: pa.Table, max_chunksize: int | None = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize)
    return sink.getvalue()


def done(result: Completed) -> str:
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def failed(result: Completed, *says: str) -> None:
    assert result.returncode == 1, result.stdout
    assert result.stderr.startswith("forebay: ")
    for part in says:
        assert part in result.stderr


def json_lines(result: Completed) -> list[dict[str, object]]:
    return [json.loads(line) for line in done(result).splitlines()]
