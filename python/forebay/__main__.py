"""`python -m forebay` is the forebay command, which the package brings along."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from forebay import _core


def main() -> NoReturn:
    """Replace this process by the command."""
    command = Path(_core.__file__).with_name("bin") / "forebay"
    environment = dict(os.environ)
    pyarrow = importlib.util.find_spec("pyarrow")
    if pyarrow is not None and pyarrow.origin is not None:
        # Where the command looks first, in case pyarrow is not in the folder beside this package.
        path = [str(Path(pyarrow.origin).parent), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, path))
    os.execve(command, ["forebay", *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
