"""The installed package: its command, its types, its libraries, its documentation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import forebay
from forebay import _core

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(forebay.__file__).parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(*command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
    )


def snippets(path: Path) -> str:
    """The python blocks of a page, at the lines where they stand, so that tracebacks fit."""
    lines, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""  # noqa: PLW2901
        lines.append(line if inside else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_pages(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = snippets(ROOT / page)
    assert "import forebay" in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page, "exec"), {})


def test_all_is_documented() -> None:
    """Everything public has a docstring, and all exceptions are on the page."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in forebay.__all__:
        thing = getattr(forebay, name)
        assert name == "__version__" or thing.__doc__
        if isinstance(thing, type) and issubclass(thing, Exception) and thing is not forebay.Error:
            assert f"`{name}`" in page
            assert issubclass(thing, forebay.Error)
    for kind in (forebay.Index, forebay.Model, forebay.Table):
        for name in dir(kind):
            if not name.startswith("_"):
                assert getattr(kind, name).__doc__, name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example: Path, tmp_path: Path) -> None:
    options = {
        "live_words": ["river", "--seconds", "0.2"],
        "recall_curve": ["--queries", "20", "--out", str(tmp_path / "curve.png")],
    }
    result = run(sys.executable, example, *options.get(example.stem, []))
    assert result.returncode == 0, result.stderr
    says = {
        "live_words": "river: rivers, creek, lake, valley",
        "recall_curve": r"10 +256 +1\.000",
        "faiss_dropin": "the same rows and distances: True",
        "hnswlib_dropin": "10,000 rows, searched by the index",
    }
    assert re.search(says[example.stem], result.stdout), result.stdout


def test_hnswlib_dropin_keeps_every_id() -> None:
    """Of an id that comes twice the first row stays, before the model is trained and after."""
    dropin = runpy.run_path(str(EXAMPLES[1]))["Index"]("l2", 8)
    dropin.train_after = 300
    rows = np.random.default_rng(1).normal(size=(600, 8)).astype(np.float32)
    dropin.add_items(rows[:100], np.arange(50, 150))
    dropin.add_items(rows[100:200])  # Without ids: on from the greatest.
    dropin.add_items(rows[500:], np.arange(100, 200))
    dropin.add_items(np.concatenate([rows[200:400], rows[200:400]]), np.tile(np.arange(200), 2))
    dropin.add_items(rows[400:500])
    assert dropin.index is not None
    dropin.add_items(rows[300:400], np.arange(300, 400))
    dropin.set_ef(1000)
    assert dropin.get_current_count() == 400
    labels, distances = dropin.knn_query(rows[:200], k=1)
    assert np.array_equal(labels[:, 0], np.arange(50, 250))
    assert np.all(distances == 0)
    labels, _ = dropin.knn_query(rows[400:500], k=1)
    assert np.array_equal(labels[:, 0], np.arange(250, 350))


def test_command() -> None:
    result = run(sys.executable, "-m", "forebay", "--help")
    assert result.returncode == 0, result.stderr
    assert "train" in result.stdout
    assert run(sys.executable, "-m", "forebay", "no-such-verb").returncode == 2


def test_command_and_package_share_models(tmp_path: Path) -> None:
    path = tmp_path / "words.model"
    data = ROOT / "examples" / "data" / "glove-40k.parquet"
    options = ["--rows", 2000, "--metric", "cosine", "--max-iters", 3, "--pq-max-iters", 3]
    result = run(sys.executable, "-m", "forebay", "train", data, "--out", path, *options)
    assert result.returncode == 0, result.stderr
    model = forebay.Model.load(path)
    assert (model.metric, model.dim, model.num_partitions) == ("cosine", 100, 32)

    import pyarrow.parquet as pq

    table = pq.read_table(data).slice(0, 2000)
    trained = forebay.train(table, column="embedding", metric="cosine", max_iters=3, pq_max_iters=3)
    assert trained == model  # The same defaults, the same arithmetic.
    np.testing.assert_array_equal(trained.codebook, model.codebook)


def test_one_libarrow() -> None:
    code = """
import pyarrow, pyarrow.compute, forebay
print(*{line.split()[-1] for line in open("/proc/self/maps") if "libarrow.so" in line})
"""
    result = run(sys.executable, "-c", code)
    assert len(result.stdout.split()) == 1
    # And forebay alone loads no more of pyarrow than that library.
    result = run(sys.executable, "-c", "import forebay, sys; print('pyarrow' in sys.modules)")
    assert result.stdout == "False\n"


def test_version() -> None:
    assert forebay.__version__ == importlib.metadata.version("forebay") == _core.version
    command = run(sys.executable, "-m", "forebay", "--version")
    assert command.stdout == f"forebay {forebay.__version__}\n"


def test_types(tmp_path: Path) -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert Path(_core.__file__).with_name("_core.pyi").is_file()
    mypy = [sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}"]
    mypy += [f"--config-file={ROOT / 'pyproject.toml'}"]
    for what in (["-p", "forebay"], EXAMPLES, sorted(Path(__file__).parent.glob("*.py"))):
        result = run(*mypy, *what, cwd=tmp_path)
        assert result.returncode == 0, result.stdout
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG_USE)
    result = run(*mypy, wrong, cwd=tmp_path)
    found = {int(line) for line in re.findall(r"wrong\.py:(\d+): error", result.stdout)}
    expected = {i for i, line in enumerate(WRONG_USE.splitlines(), 1) if "# wrong" in line}
    assert found == expected, result.stdout


WRONG_USE = """
import numpy as np
import pyarrow as pa
import forebay

rows = np.zeros((300, 4), np.float32)
model = forebay.train(rows)
forebay.train(rows.tolist())
forebay.train([rows[0], rows[1]])
forebay.train(pa.array([[1.0]], pa.list_(pa.float32(), 1)))
forebay.train([[1.0]], metric="hamming")  # wrong
forebay.train("hello")  # wrong
forebay.train([1.0, 2.0])  # wrong
index = forebay.Index(model)
index.insert(rows, 7)
index.insert(rows, range(300))
index.insert(rows, np.arange(300))
index.insert({"a": 1})  # wrong
index.insert(rows, row_positions=object())  # wrong
index.insert_batches(iter([rows, rows]), iter([0, None]))
index.search([1.0, 2.0, 3.0, 4.0], filter=[True, False])
index.search(rows, filter="x")  # wrong
index.search(None)  # wrong
schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float32(), 4))])
with forebay.Table.create("t", schema, vector="v", primary_key="id", sync="none") as table:
    report: forebay.PutReport = table.put({"id": range(300), "v": rows})
    table.put(pa.table({"id": [1], "v": [[1.0]]}))
    table.put(rows)
    table.put(5)  # wrong
    num_deleted: int = table.delete([1, 2]) + table.delete(np.arange(3))
    table.delete(7)  # wrong
    hits = table.search(rows, 3, columns=["id"])
    hits, sources = table.search(rows, 3, explain=True)
    first: forebay.SourceStats = sources[0]
    table.search(rows, 3, refine_factor=None)  # wrong
    table.train(num_partitions=4, progress=True)
    table.train(metric="l2")  # wrong
    size: str = table.count()  # wrong
with forebay.Table.open("t", read_only=True) as table:
    trained: forebay.Model | None = table.model
    table.read_only = False  # wrong
forebay.Table.open("t", sync="sometimes")  # wrong
forebay.Table.create("t", schema)  # wrong
"""


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
def test_plot(tmp_path: Path) -> None:
    out = tmp_path / "curve.png"
    result = run(sys.executable, EXAMPLES[-1], "--queries", "20", "--out", out)
    assert result.returncode == 0, result.stderr
    assert out.read_bytes().startswith(b"\x89PNG")


def test_forced_kernels_agree() -> None:
    """One wheel for every CPU: the lowest instruction set gives the same answers as the best."""
    code = """
import numpy as np, forebay
rows = np.random.default_rng(3).normal(size=(3000, 24)).astype(np.float32)
model = forebay.train(rows, max_iters=3, pq_max_iters=3)
index = forebay.Index(model)
index.insert(rows)
distances, positions = index.search(rows[:50], 10, refine_factor=3)
print(model.fingerprint, hash(distances.tobytes()), hash(positions.tobytes()))
"""
    answers = set()
    level: dict[str, str]
    for level in ({}, {"FOREBAY_SIMD": "scalar"}):
        result = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **level, "PYTHONHASHSEED": "0"},
        )
        assert result.returncode == 0, result.stderr
        answers.add(result.stdout)
    assert len(answers) == 1
