"""tools/check_includes lets good trees pass and catches each kind of bad include."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_includes"


def run(root: Path, path: str, text: str) -> subprocess.CompletedProcess[str]:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return subprocess.run([sys.executable, TOOL, root], check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/index/search.cc", '#include "index/partition.h"\n#include "simd/kernels.h"\n'),
        ("src/index/search.cc", '#include "forebay/index.h"\n#include <vector>\n'),
        ("src/arrow/insert.cc", '#include <arrow/array.h>\n#include "forebay/index.h"\n'),
        ("src/storage/file.cc", '#include <filesystem>\n#include "forebay/file.h"\n'),
        ("include/forebay/file.h", '#include "forebay/index.h"\n'),
        ("src/table/open.cc", '#include "wal/reader.h"\n#include "index/partition.h"\n'),
        ("include/forebay/index.h", '#include "forebay/model.h"\n'),
        ("cli/main.cc", '#include <iostream>\n#include "forebay/arrow.h"\n#include "main.cc"\n'),
        ("bench/kernels_bench.cc", '#include "simd/dispatch.h"\n'),
        ("src/base/a.cc", '// #include "index/partition.h"\n'),
    ],
)
def test_good(tmp_path: Path, path: str, text: str) -> None:
    result = run(tmp_path, path, text)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("src/base/a.cc", '#include "index/partition.h"', "base may not use index"),
        ("src/simd/a.cc", '#include "forebay/model.h"', "simd may not use model"),
        ("src/arrow/a.cc", '#include "index/partition.h"', "arrow may not use index"),
        ("src/storage/a.cc", '#include "forebay/model.h"', "storage may not use model"),
        ("src/storage/a.cc", '#include "index/partition.h"', "storage may not use index"),
        ("src/wal/a.cc", '#include "segment/map.h"', "wal may not use segment"),
        ("src/index/a.cc", "#include <arrow/array.h>", "knows nothing of Arrow"),
        ("src/model/a.cc", "  #  include <fstream>", "no I/O"),
        ("src/index/a.cc", '#include "partition.h"', "from the root of src"),
        ("src/index/a.cc", "#include <forebay/index.h>", "in quotes"),
        ("src/unknown/a.cc", "", "not in a layer"),
        ("include/forebay/index.h", '#include "index/partition.h"', "public headers only"),
        ("include/forebay/status.h", '#include "forebay/index.h"', "base may not use index"),
        ("include/forebay/new.h", "", "PUBLIC_HEADERS"),
        ("cli/main.cc", '#include "index/partition.h"', "cli uses public headers only"),
        ("cli/main.cc", '#include "simd/dispatch.h"', "cli uses public headers only"),
        ("bench/a_bench.cc", '#include "index/partition.h"', "bench uses public headers only"),
        ("src/index/search_utils.h", "", "says nothing"),
        ("cli/common/io.h", "", "says nothing"),
    ],
)
def test_bad(tmp_path: Path, path: str, text: str, says: str) -> None:
    result = run(tmp_path, path, text + "\n")
    assert result.returncode == 1
    assert path in result.stdout or "common" in path
    assert says in result.stdout
