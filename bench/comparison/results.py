"""The figures of a run, and the JSON file that holds them.

The file is one object. Lists of figures have one entry for each system and circumstance; what
was repeated is a list with one number for each round (all times in microseconds):

    schema    2
    run       started, seconds, quick, arguments, cpu, cpus, threads, simd {forebay, faiss: what
              was asked for}, versions {package: version}, notes [text],
              measures {measure: whether it was finished; if not, its figures may be missing},
              seconds_of_measures {measure: seconds; also train and build, which serve several}
    data      name, rows, dim, metric, unit_length, queries, k
    systems   {name: label, family, package, parameters, is_ours,
              simd (which instructions the library says that it uses; null: it does not tell)}
    search    system, rows, mode ("single" or "batch"), threads, setting {parameter: value},
              recall, mean_us [..], and with single queries p50_us [..], p99_us [..]
    ingest    system, rows_per_call, threads, rows, rows_per_s [..]
    memory    system, rows, keeps_vectors, bytes_per_vector, raw_bytes_per_vector
    filter    system, share, setting, recall, mean_us [..], p50_us [..], p99_us [..]
    visible   system, rows_per_call, seen (share), mean_us, p50_us, p99_us
    stream    system, rate (rows a second wanted; 0 idle, -1 flat out), setting, queries [..],
              rows_per_s [..], mean_us [..], p50_us [..], p99_us [..], and of the inserts
              write_mean_us [..], write_p50_us [..], write_p99_us [..]
    threads   system, what ("search": batches of queries, "ingest": of 10,000 rows), threads,
              setting, recall, mean_us [..], or rows_per_s [..]
    failures  system, measure, message

It is written anew after each measure. Schema 1 knew nothing of unfinished runs: it had neither
measures nor seconds_of_measures, and no system's simd.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 2

#: One entry of a list of figures, as in the JSON file.
Record = dict[str, Any]


class ResultsError(Exception):
    """A file is no result of a comparison."""


@dataclass
class Results:
    """Everything that a run found out."""

    run: Record
    data: Record
    systems: dict[str, Record]
    search: list[Record] = field(default_factory=list)
    ingest: list[Record] = field(default_factory=list)
    memory: list[Record] = field(default_factory=list)
    filter: list[Record] = field(default_factory=list)
    visible: list[Record] = field(default_factory=list)
    stream: list[Record] = field(default_factory=list)
    threads: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)

    def label(self, system: str) -> str:
        return str(self.systems[system]["label"])

    @property
    def ours(self) -> list[str]:
        return [name for name, system in self.systems.items() if system["is_ours"]]

    @property
    def peers(self) -> list[str]:
        return [name for name, system in self.systems.items() if not system["is_ours"]]

    @property
    def finished(self) -> list[str]:
        return [name for name, finished in self.run["measures"].items() if finished]

    @property
    def unfinished(self) -> list[str]:
        """The measures that were asked for and not finished."""
        return [name for name, finished in self.run["measures"].items() if not finished]

    def write(self, path: Path) -> None:
        """Whoever reads the file meanwhile, or kills this process, finds a whole one."""
        content = {"schema": SCHEMA} | vars(self)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(rounded(content), indent=1) + "\n")
        partial.replace(path)

    @staticmethod
    def read(path: Path) -> Results:
        try:
            content = json.loads(path.read_text())
            if content.pop("schema") != SCHEMA:
                raise ResultsError(f"{path}: another schema than {SCHEMA}; measure again")
            return Results(**content)
        except OSError as error:
            raise ResultsError(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultsError(f"{path}: expected a results.json of bench/compare.py") from error


def rounded(value: Any) -> Any:  # noqa: ANN401
    """Floats with six significant digits: the file is read by people, too."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return value


def select(records: Iterable[Record], **wanted: Any) -> list[Record]:  # noqa: ANN401
    """The records that have all of these values."""
    return [r for r in records if all(r[key] == value for key, value in wanted.items())]


class Rounds:
    """Collects the rounds of one list of figures."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def add(self, key: Record, figures: dict[str, float], once: Iterable[str] = ()) -> None:
        """Appends one round's `figures`; those named in `once` are the same in all rounds."""
        record = self._records.setdefault(json.dumps(key), dict(key))
        for name, value in figures.items():
            if name in once:
                record[name] = value
            else:
                record.setdefault(name, []).append(value)

    @property
    def records(self) -> list[Record]:
        return list(self._records.values())
