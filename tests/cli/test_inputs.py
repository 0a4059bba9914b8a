"""Every input format gives the same vectors, and every malformed file says what is wrong."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from vector_files import (
    DIM,
    NUM_ROWS,
    Floats,
    Forebay,
    vector_array,
    vector_table,
    write_fvecs,
    write_ipc_file,
    write_ipc_stream,
    write_parquet,
)

Write = Callable[[Path, Floats], None]


def save_npy(path: Path, array: np.ndarray, version: tuple[int, int] | None = None) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version)


FORMATS: dict[str, tuple[str, Write]] = {
    "npy float32": ("a.npy", save_npy),
    "npy float64": ("a.npy", lambda p, v: save_npy(p, v.astype(np.float64))),
    "npy float16": ("a.npy", lambda p, v: save_npy(p, v.astype(np.float16))),
    "npy version 2": ("a.npy", lambda p, v: save_npy(p, v, (2, 0))),
    "npy version 3": ("a.npy", lambda p, v: save_npy(p, v, (3, 0))),
    "upper case": ("A.NPY", save_npy),
    "fvecs": ("a.fvecs", write_fvecs),
    "ipc file": ("a.arrow", lambda p, v: write_ipc_file(p, vector_table(v), 100)),
    "ipc stream": ("a.arrow", lambda p, v: write_ipc_stream(p, vector_table(v), 100)),
    "ipc stream, .ipc": ("a.ipc", lambda p, v: write_ipc_stream(p, vector_table(v))),
    "ipc float16": (
        "a.arrow",
        lambda p, v: write_ipc_file(p, vector_table(v.astype(np.float16)), 100),
    ),
    "ipc float64": ("a.ipc", lambda p, v: write_ipc_file(p, vector_table(v.astype(np.float64)))),
    "feather, lz4": (
        "a.feather",
        lambda p, v: feather.write_feather(vector_table(v), p, compression="lz4"),
    ),
    "parquet": ("a.parquet", lambda p, v: write_parquet(p, vector_table(v), 100)),
    "parquet float16": (
        "a.parquet",
        lambda p, v: write_parquet(p, vector_table(v.astype(np.float16)), 100),
    ),
}


WRITE_TABLE: dict[str, Callable[[Path, pa.Table], None]] = {
    "file.arrow": write_ipc_file,
    "stream.arrow": write_ipc_stream,
    "a.parquet": write_parquet,
}


def fingerprint(forebay: Forebay, path: Path, *arguments: object) -> str:
    out = path.parent / "a.model"
    result = forebay("train", path, "--out", out, "--num-partitions", 8, "--json", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert report["dim"] == DIM
    return str(report["fingerprint"])


@pytest.mark.parametrize("name", FORMATS)
def test_formats_hold_the_same_vectors(
    forebay: Forebay, npy: Path, tmp_path: Path, vectors: Floats, name: str
) -> None:
    expected = fingerprint(forebay, npy)
    file, write = FORMATS[name]
    write(tmp_path / file, vectors)
    assert fingerprint(forebay, tmp_path / file) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_first_rows_only(forebay: Forebay, tmp_path: Path, vectors: Floats, name: str) -> None:
    save_npy(tmp_path / "first.npy", vectors[:450])
    expected = fingerprint(forebay, tmp_path / "first.npy")
    file, write = FORMATS[name]
    write(tmp_path / file, vectors)
    assert fingerprint(forebay, tmp_path / file, "--rows", 450) == expected


@pytest.mark.parametrize("file", WRITE_TABLE)
def test_column(
    forebay: Forebay,
    npy: Path,
    tmp_path: Path,
    vectors: Floats,
    file: str,
) -> None:
    table = pa.table(
        {
            "n": pa.array(range(NUM_ROWS)),
            "other": vector_array(vectors[::-1].copy()),
            "nested": pa.array([{"a": 1, "b": "x"}] * NUM_ROWS),
            "wanted": vector_array(vectors),
        }
    )
    path = tmp_path / file
    WRITE_TABLE[file](path, table)
    assert fingerprint(forebay, path, "--column", "wanted") == fingerprint(forebay, npy)

    several = forebay("train", path, "--out", tmp_path / "a.model")
    assert several.returncode == 1
    assert "more than one column holds vectors; choose with --column from 'other'" in several.stderr
    assert "'wanted' (fixed_size_list" in several.stderr

    missing = forebay("train", path, "--out", tmp_path / "a.model", "--column", "none")
    assert missing.returncode == 1
    assert "expected one column 'none', its columns are 'n' (int64), 'other'" in missing.stderr

    wrong = forebay("train", path, "--out", tmp_path / "a.model", "--column", "n")
    assert wrong.returncode == 1
    assert "expected a fixed_size_list of float16, float32 or float64, column 'n' (int64)" in (
        wrong.stderr
    )


def npy_bytes(header: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data


def npy_header(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 4)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def fvecs_bytes(*dims: int) -> bytes:
    return b"".join(struct.pack(f"<i{max(dim, 0)}f", dim, *([1.0] * max(dim, 0))) for dim in dims)


MALFORMED = {
    "npy, empty": ("a.npy", b"", "expected a .npy file, it has 0 bytes"),
    "npy, magic": ("a.npy", b"PAR1" * 100, "does not begin with \\x93NUMPY"),
    "npy, version": ("a.npy", npy_bytes(npy_header(), version=9), "version 1, 2 or 3, found 9"),
    "npy, header length": (
        "a.npy",
        npy_bytes(npy_header())[:40],
        "its header should have 60 bytes, the file has 40 in all",
    ),
    "npy, header": (
        "a.npy",
        npy_bytes("{'descr': '<f4'}", bytes(32)),
        "expected a .npy header with descr, fortran_order and shape",
    ),
    "npy, no dictionary": ("a.npy", npy_bytes("[1, 2, 3]", bytes(9)), "expected a .npy header"),
    "npy, open list": ("a.npy", npy_bytes("{'descr': [('a',", bytes(9)), "expected a .npy header"),
    "npy, negative": (
        "a.npy",
        npy_bytes(npy_header(shape="(-2, 4)"), bytes(32)),
        "expected a .npy header",
    ),
    "npy, int": (
        "a.npy",
        npy_bytes(npy_header("'<i8'"), bytes(64)),
        "expected elements of '<f2', '<f4' or '<f8', found '<i8'; save array.astype('float32')",
    ),
    "npy, big-endian": ("a.npy", npy_bytes(npy_header("'>f4'"), bytes(32)), "found '>f4'"),
    "npy, structured": (
        "a.npy",
        npy_bytes(npy_header("[('a', '<f4'), ('b', '<f4', (2,))]"), bytes(64)),
        "found '[('a', '<f4'), ('b', '<f4', (2,))]'",
    ),
    "npy, Fortran order": (
        "a.npy",
        npy_bytes(npy_header(order="True"), bytes(32)),
        "expected C order, found Fortran order; save numpy.ascontiguousarray(array)",
    ),
    "npy, 1-D": (
        "a.npy",
        npy_bytes(npy_header(shape="(8,)"), bytes(32)),
        "expected an array of 2 dimensions (rows, dimension), found 1",
    ),
    "npy, 0-D": ("a.npy", npy_bytes(npy_header(shape="()"), bytes(4)), "found 0"),
    "npy, no rows": (
        "a.npy",
        npy_bytes(npy_header(shape="(0, 4)")),
        "expected at least one row and one dimension, found (0, 4)",
    ),
    "npy, truncated": (
        "a.npy",
        npy_bytes(npy_header(), bytes(31)),
        "expected 2 x 4 elements of 4 bytes, found 31 bytes: truncated",
    ),
    "npy, too long": ("a.npy", npy_bytes(npy_header(), bytes(33)), "not as its header says"),
    "npy, overflow": (
        "a.npy",
        npy_bytes(npy_header(shape="(4611686018427387904, 4)")),
        "expected 4611686018427387904 x 4 elements",
    ),
    "fvecs, empty": ("a.fvecs", b"", "expected .fvecs rows, it has 0 bytes"),
    "fvecs, dimension": (
        "a.fvecs",
        struct.pack("<i", -1) * 4,
        "expected a dimension of at least 1 in row 0, found -1",
    ),
    "fvecs, truncated": (
        "a.fvecs",
        fvecs_bytes(4, 4)[:-1],
        "expected a multiple of 20 bytes (rows of dimension 4), it has 39: truncated, or",
    ),
    "fvecs, mixed": (
        "a.fvecs",
        fvecs_bytes(4, 4) + struct.pack("<i4f", 3, 1, 1, 1, 1),
        "expected dimension 4 as in row 0, row 2 has 3",
    ),
    "ipc, empty": ("a.arrow", b"", "expected an Arrow IPC file or stream, it is empty"),
    "ipc, text": ("a.arrow", b"hello, world\n" * 9, "expected an Arrow IPC file or stream: "),
    "ipc, magic only": ("a.arrow", b"ARROW1\0\0", "expected an Arrow IPC file or stream: "),
    "ipc, feather 1": ("a.feather", b"FEA1" + bytes(40), "it is Feather version 1"),
    "parquet, empty": ("a.parquet", b"", "expected a Parquet file: "),
    "parquet, text": ("a.parquet", b"hello, world\n" * 9, "expected a Parquet file: "),
    "parquet, footer": (
        "a.parquet",
        b"PAR1" + b"\xff" * 40 + struct.pack("<I", 40) + b"PAR1",
        "expected a Parquet file: ",
    ),
    "extension": ("a.csv", b"1,2,3\n", "expected a file named .npy, .fvecs, .arrow"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(forebay: Forebay, tmp_path: Path, name: str) -> None:
    file, content, says = MALFORMED[name]
    (tmp_path / file).write_bytes(content)
    result = forebay("train", tmp_path / file, "--out", tmp_path / "a.model")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"forebay: {tmp_path / file}: ")
    assert says in result.stderr
    assert not (tmp_path / "a.model").exists()


@pytest.mark.parametrize("file", WRITE_TABLE)
def test_truncated_anywhere(
    forebay: Forebay,
    tmp_path: Path,
    vectors: Floats,
    file: str,
) -> None:
    path = tmp_path / file
    WRITE_TABLE[file](path, vector_table(vectors))
    content = path.read_bytes()
    for part in range(12):
        path.write_bytes(content[: len(content) * part // 12])
        result = forebay("train", path, "--out", tmp_path / "a.model")
        assert result.returncode == 1
        assert result.stderr.startswith(f"forebay: {path}: ")


@pytest.mark.parametrize("file", WRITE_TABLE)
def test_damaged_anywhere(
    forebay: Forebay,
    tmp_path: Path,
    vectors: Floats,
    file: str,
) -> None:
    """Arrow may or may not notice, but nothing crashes."""
    path = tmp_path / file
    WRITE_TABLE[file](path, vector_table(vectors[:300]))
    content = path.read_bytes()
    random = np.random.default_rng(1)
    interesting = [*range(64), *range(len(content) - 600, len(content))]
    for position in random.choice(interesting, 60, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        result = forebay(
            "train",
            path,
            "--out",
            tmp_path / "a.model",
            "--num-partitions",
            4,
            "--max-iters",
            1,
            "--pq-max-iters",
            1,
        )
        assert result.returncode in {0, 1}, (position, result.stderr)


def test_nulls(forebay: Forebay, tmp_path: Path, vectors: Floats) -> None:
    rows: list[list[float | None] | None] = vectors.tolist()
    element = list(rows)
    element[321] = [None, *vectors[321, 1:].tolist()]
    row = list(rows)
    row[123] = None
    for number, values in ((321, element), (123, row)):
        path = tmp_path / "a.arrow"
        column = pa.array(values, pa.list_(pa.float32(), DIM))
        write_ipc_file(path, pa.table({"embedding": column}), 100)
        result = forebay("train", path, "--out", tmp_path / "a.model")
        assert result.returncode == 1
        assert f"expected a vector in every row, row {number} has a null" in result.stderr


@pytest.mark.parametrize("type_", [pa.list_(pa.float32()), pa.list_(pa.int32(), 2), pa.string()])
def test_no_vector_column(forebay: Forebay, tmp_path: Path, type_: pa.DataType) -> None:
    values = ["x"] if type_ == pa.string() else [[1, 2]]
    write_ipc_file(tmp_path / "a.arrow", pa.table({"a": pa.array(values, type_)}))
    result = forebay("train", tmp_path / "a.arrow", "--out", tmp_path / "a.model")
    assert result.returncode == 1
    assert "expected a column that is a fixed_size_list of float16, float32 or float64" in (
        result.stderr
    )
    assert "its columns are 'a' (" in result.stderr


def test_no_rows(forebay: Forebay, tmp_path: Path) -> None:
    table = vector_table(np.empty((0, 4), dtype=np.float32))
    for file, write in (("a.arrow", write_ipc_file), ("a.parquet", write_parquet)):
        write(tmp_path / file, table)
        result = forebay("train", tmp_path / file, "--out", tmp_path / "a.model")
        assert result.returncode == 1
        assert "expected at least one row, it has none" in result.stderr


def test_no_file(forebay: Forebay, tmp_path: Path) -> None:
    for file in ("none.npy", "none.fvecs", "none.arrow", "none.parquet"):
        result = forebay("train", tmp_path / file, "--out", tmp_path / "a.model")
        assert result.returncode == 1
        assert file in result.stderr
        assert "No such file or directory" in result.stderr
    (tmp_path / "folder.npy").mkdir()
    result = forebay("train", tmp_path / "folder.npy", "--out", tmp_path / "a.model")
    assert result.returncode == 1
    assert "expected a file, it is a directory" in result.stderr


def test_column_of_a_file_without_columns(forebay: Forebay, npy: Path, tmp_path: Path) -> None:
    result = forebay("train", npy, "--out", tmp_path / "a.model", "--column", "x")
    assert result.returncode == 1
    assert "--column is for Arrow and Parquet files" in result.stderr
