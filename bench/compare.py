#!/usr/bin/env python3
"""Forebay against Faiss, hnswlib and usearch: one command, one run.

    pip install .                               # Forebay, as it is here
    pip install -r bench/requirements.txt       # the peers, pinned
    python bench/fetch_glove.py                 # the default data, GloVe-100
    python bench/compare.py --quick             # a look: a small part of it, under five minutes
    python bench/compare.py                     # the full run, under an hour on two CPUs

It measures search (recall against time), ingest, memory, filters, search beside a writer, threads
and sizes, each system in a process of its own, one at work at a time, in interleaved rounds. It
writes results.json (documented in comparison/results.py) after each measure, and at the end, or on
Ctrl-C, report.md and plots. Figures of other data: --data FILE, of part of it: --systems,
--measures. The ratios and their targets again:

    python bench/compare.py --summary bench/results/results.json
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

BENCH = Path(__file__).resolve().parent
GLOVE = BENCH / "data" / "glove-100.npy"
TARGETS = BENCH / "targets.json"

if __name__ == "__main__":
    # Before any library is loaded that starts threads; workers inherit it.
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[_name] = "1"

from comparison.datasets import (  # noqa: E402
    METRICS,
    DataError,
    Dataset,
    Split,
    hold_out,
    normalize,
    read_vectors,
)
from comparison.experiments import Comparison  # noqa: E402
from comparison.plan import FULL, MEASURES, QUICK, Plan  # noqa: E402
from comparison.plots import PlotsError, write_plots  # noqa: E402
from comparison.ratios import TargetsError, read_targets  # noqa: E402
from comparison.report import ratio_table, report  # noqa: E402
from comparison.results import Record, Results, ResultsError  # noqa: E402
from comparison.systems import Kind, all_kinds  # noqa: E402

#: How Faiss calls the levels that FOREBAY_SIMD can force.
FAISS_LEVELS = {
    "scalar": "NONE",
    "avx2": "AVX2",
    "avx512bw": "AVX512",
    "avx512vbmi": "AVX512_VPOPCNT",
}
NOTES = (
    (
        "IVF systems have the same number of partitions, the power of two nearest to "
        "1.75 sqrt(rows); each trains its own, on all rows, which is not timed."
    ),
    (
        "At fewer than 1,000 rows a call (--quick: always) the ingest of graphs is that of their "
        "first rows, where they are fastest. Beside a writer, systems that must not be searched "
        "while they are written to have a fair lock around each call."
    ),
)
PACKAGES = {"forebay": "forebay", "faiss": "faiss-cpu", "hnswlib": "hnswlib", "usearch": "usearch"}

STOPPED = 130  #: The exit status after Ctrl-C, as shells have it.


class UsageError(Exception):
    """Something to be put right on the command line."""


# --- The command line --------------------------------------------------------------------------


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Forebay against Faiss, hnswlib and usearch.",
        epilog=f"systems: {', '.join(all_kinds())}; measures: {', '.join(MEASURES)}",
    )
    parser.add_argument("--quick", action="store_true", help="a small part, under five minutes")
    parser.add_argument("--data", type=Path, help="a .npy, .fvecs or .parquet file; default: GloVe")
    parser.add_argument("--column", help="the column of vectors in a .parquet file")
    parser.add_argument("--metric", choices=METRICS, default="l2")
    parser.add_argument(
        "--unit-length", action="store_true", help="normalize the vectors; GloVe and cosine always"
    )
    parser.add_argument("--rows", type=int, help="use so many of the vectors, drawn at random")
    parser.add_argument("--queries", type=int, help="hold out so many of them as queries")
    parser.add_argument("--systems", type=names, help="only these, by comma")
    parser.add_argument("--measures", type=names, default=list(MEASURES), help="only these")
    parser.add_argument("--rounds", type=int, help="of search and ingest")
    parser.add_argument("--threads", type=int, default=1, help="of each system")
    parser.add_argument("--seed", type=int, default=1, help="of the held-out queries")
    parser.add_argument("--out", type=Path, default=BENCH / "results", help="a folder")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="only print FILE's ratios")
    parser.add_argument("--targets", type=Path, default=TARGETS, help="the least ratios wanted")
    return parser.parse_args()


def chosen_kinds(wanted: list[str] | None) -> list[Kind]:
    kinds = all_kinds()
    unknown = set(wanted or []) - set(kinds)
    if unknown:
        raise UsageError(
            f"--systems: expected some of {', '.join(kinds)}; got {', '.join(sorted(unknown))}"
        )
    chosen = [kind for name, kind in kinds.items() if wanted is None or name in wanted]
    for package in {kind.package for kind in chosen}:
        try:
            importlib.metadata.version(PACKAGES[package])
        except importlib.metadata.PackageNotFoundError:
            how = (
                "pip install ." if package == "forebay" else "pip install -r bench/requirements.txt"
            )
            raise UsageError(
                f"{PACKAGES[package]} is not installed; {how}, or leave it out with --systems"
            ) from None
    return chosen


def chosen_plan(arguments: argparse.Namespace) -> Plan:
    unknown = set(arguments.measures) - set(MEASURES)
    if unknown:
        raise UsageError(
            f"--measures: expected some of {', '.join(MEASURES)}; got {', '.join(sorted(unknown))}"
        )
    plan = QUICK if arguments.quick else FULL
    for name in ("rows", "queries", "rounds", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name}: expected at least 1; got {value}")
    changes = {
        name: getattr(arguments, name)
        for name in ("rows", "queries", "rounds")
        if getattr(arguments, name) is not None
    }
    if "rounds" in changes:
        changes["ingest_rounds"] = changes["rounds"]
    return dataclasses.replace(plan, **changes)


# --- The run -----------------------------------------------------------------------------------


def prepare_data(arguments: argparse.Namespace, plan: Plan) -> tuple[Split, Record]:
    path = arguments.data or GLOVE
    if arguments.data is None and not path.is_file():
        raise UsageError("GloVe is not there; run bench/fetch_glove.py, or give --data FILE")
    vectors = read_vectors(path, arguments.column)
    unit_length = arguments.data is None or arguments.unit_length or arguments.metric == "cosine"
    if unit_length:
        vectors = normalize(path, vectors)
    split = hold_out(vectors, plan.queries, arguments.seed)
    if plan.rows is not None:
        split = dataclasses.replace(split, base=split.base[: plan.rows])
    description = {
        "name": path.stem,
        "rows": len(split.base),
        "dim": split.base.shape[1],
        "metric": arguments.metric,
        "unit_length": unit_length,
        "queries": len(split.queries),
        "k": plan.k,
    }
    return split, description


def hold_faiss_level() -> Record:
    """A level forced on Forebay is Faiss's, too."""
    ours = os.environ.get("FOREBAY_SIMD")
    if ours and "FAISS_SIMD_LEVEL" not in os.environ and ours in FAISS_LEVELS:
        os.environ["FAISS_SIMD_LEVEL"] = FAISS_LEVELS[ours]
    theirs = os.environ.get("FAISS_SIMD_LEVEL")
    return {
        "forebay": f"{ours} (forced)" if ours else "the best of this CPU",
        "faiss": f"{theirs} (forced)" if theirs else "the best of this CPU",
    }


def describe_run(arguments: argparse.Namespace, kinds: list[Kind], simd: Record) -> Record:
    packages = {PACKAGES[kind.package]: None for kind in kinds}
    notes = [*NOTES]
    if any(kind.package == "hnswlib" for kind in kinds):
        notes.append("hnswlib was built here, with -march=native unless HNSWLIB_NO_NATIVE was set.")
    if "forced" in simd["forebay"] + simd["faiss"]:
        notes.append(
            "Faiss was asked in each process whether it runs at its SIMD level. hnswlib and "
            "usearch are not held to the forced one."
        )
    return {
        "started": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": 0.0,
        "measures": dict.fromkeys(arguments.measures, False),
        "seconds_of_measures": {},
        "quick": arguments.quick,
        "arguments": {k: str(v) for k, v in vars(arguments).items() if v and k in REPORTED},
        "cpu": cpu_name(),
        "cpus": len(os.sched_getaffinity(0)),
        "threads": arguments.threads,
        "simd": simd,
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "notes": notes,
    }


#: Arguments that go to the results; others are paths of this machine.
REPORTED = (
    "quick",
    "metric",
    "rows",
    "queries",
    "measures",
    "systems",
    "rounds",
    "threads",
    "seed",
)


def cpu_name() -> str:
    """As Linux calls it, and the instruction sets that matter here."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    levels = [flag for flag in ("avx2", "avx512bw", "avx512_vnni", "avx512vbmi") if flag in flags]
    model = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields.get('model name', 'unknown CPU')} ({model}; {', '.join(levels)})"


def compare(arguments: argparse.Namespace) -> Results:
    """Everything that was asked for, or what was finished before a Ctrl-C."""
    kinds = chosen_kinds(arguments.systems)
    plan = chosen_plan(arguments)
    simd = hold_faiss_level()
    begin = time.monotonic()
    split, description = prepare_data(arguments, plan)
    systems = {
        kind.name: {
            "label": kind.label,
            "family": kind.family,
            "package": kind.package,
            "parameters": kind.parameters,
            "is_ours": kind.is_ours,
        }
        for kind in kinds
    }
    results = Results(describe_run(arguments, kinds, simd), description, systems)
    arguments.out.mkdir(parents=True, exist_ok=True)

    def save() -> None:
        results.run["seconds"] = time.monotonic() - begin
        results.write(arguments.out / "results.json")

    with tempfile.TemporaryDirectory(prefix="forebay-compare-") as folder:
        dataset = Dataset(Path(folder), arguments.metric)
        dataset.save("base", split.base)
        dataset.save("queries", split.queries)
        try:
            comparison = Comparison(
                kinds, dataset, plan, results, num_threads=arguments.threads, save=save
            )
            comparison.run(arguments.measures)
        except KeyboardInterrupt:
            print("\ncompare: stopped", file=sys.stderr)
    return results


def run(arguments: argparse.Namespace) -> int:
    targets = read_targets(arguments.targets)
    if arguments.summary is not None:
        print(ratio_table(Results.read(arguments.summary), targets))
        return 0
    results = compare(arguments)
    if results.run["seconds"] == 0.0:  # It was never saved.
        print("compare: nothing was finished, nothing was written", file=sys.stderr)
        return STOPPED
    (arguments.out / "report.md").write_text(report(results, targets))
    print(ratio_table(results, targets))
    print(f"\n{times(results)}\nresults.json, report.md and plots in {arguments.out}")
    try:
        write_plots(results, arguments.out)
    except PlotsError as error:
        print(f"compare: no plots: {error}", file=sys.stderr)
    if results.unfinished:
        finished, unfinished = ", ".join(results.finished), ", ".join(results.unfinished)
        print(f"compare: finished: {finished}; not finished: {unfinished}", file=sys.stderr)
        return STOPPED
    return 0


def times(results: Results) -> str:
    """Of the run and of its parts, in minutes."""
    parts = results.run["seconds_of_measures"].items()
    listed = ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in parts)
    return f"{results.run['seconds'] / 60:.1f} min, of these {listed}"


def main() -> int:
    arguments = parse_arguments()
    try:
        return run(arguments)
    except (UsageError, DataError, ResultsError, TargetsError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("compare: stopped", file=sys.stderr)
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
