"""The measurements. Whatever is compared is measured in turn: round by round, and within a round
one setting of every system before the next one, so that all meet the same machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tqdm import tqdm

from comparison.datasets import Dataset, Mask, Metric, exact_neighbors
from comparison.plan import Plan
from comparison.pool import Pool, SystemFailedError
from comparison.ratios import cheapest, contenders, outline, too_slow_us
from comparison.results import Record, Results, Rounds
from comparison.systems import (
    Kind,
    Setting,
    Shape,
    num_partitions_for,
    sweep_of,
)
from comparison.worker import Job

#: The recall at which streaming and threads are measured.
WORKING_RECALL = 0.95
FILTER_REFINE_FACTORS = (10, 20, 40)
VISIBLE_BATCHES = (1, 1_000)
VISIBLE_REPEATS = 50
THREADS_INGEST_BATCH = 10_000
MAX_INGEST_SECONDS = 1_000.0  #: Of a system that is to take all rows.
FIXED = ("recall", "rows", "seen")
#: What is measured on an index that holds all rows. Streaming is last, as it leaves more behind.
ON_BUILT = ("search", "filter", "threads", "stream")

#: A measured setting: (setting, recall, microseconds).
Point = tuple[Setting, float, float]


class Comparison:
    """One run over one data set. Figures go to `results`, which `save` keeps as they come."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        dataset: Dataset,
        plan: Plan,
        results: Results,
        *,
        num_threads: int,
        save: Callable[[], None],
    ) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._dataset = dataset
        self._plan = plan
        self._results = results
        self._threads = num_threads
        self._save = save
        self._num_rows, self._dim = dataset.base.shape
        self._working: dict[str, Setting] = {}
        self._built_graphs: dict[str, Record] = {}

    def run(self, measures: Iterable[str]) -> None:
        """Each measure gets what it needs, and no more: models, or indexes that hold all rows."""
        wanted = set(measures)
        self._note_simd()
        if "ingest" in wanted:
            self._train(self._num_rows)
            with self._pool(self._num_rows) as pool, self._measure("ingest"):
                self._measure_ingest(pool)
        if wanted & set(ON_BUILT):
            with self._built_pool(self._num_rows) as pool:
                self._measure_built(pool, wanted)
        if "memory" in wanted:
            self._train(self._num_rows)
            with self._measure("memory"):
                self._measure_memory()
        if "scaling" in wanted:
            self._measure_sizes()

    def _measure_built(self, pool: Pool, wanted: set[str]) -> None:
        measure_by_name = {
            "search": self._measure_search_of_all,
            "filter": self._measure_filters,
            "threads": self._measure_threads,
            "stream": self._measure_stream,
        }
        for name in ON_BUILT:
            if name in wanted:
                with self._measure(name):
                    measure_by_name[name](pool)

    @contextmanager
    def _measure(self, name: str) -> Iterator[None]:
        with self._timed(name):
            yield
        self._finish(name)

    def _finish(self, name: str) -> None:
        """Its figures are safe from now on."""
        self._results.run["measures"][name] = True
        self._save()

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        seconds = self._results.run["seconds_of_measures"]
        seconds[name] = seconds.get(name, 0.0) + time.monotonic() - begin

    # --- Asking the workers --------------------------------------------------------------------

    def _job(self, name: str, num_rows: int) -> Job:
        metric: Metric = self._dataset.metric
        shape = Shape(self._dim, metric, num_partitions_for(num_rows))
        return Job(name, shape, self._dataset, num_rows, self._plan.k)

    def _note_simd(self) -> None:
        with Pool(self._job(name, self._num_rows) for name in self._kinds) as pool:
            for name in self._kinds:
                self._results.systems[name]["simd"] = self._ask(pool, name, "simd")

    def _train(self, num_rows: int) -> None:
        """Each in a process that then ends, as no memory of this is to be measured; not again if
        it was done before. Graphs have nothing to learn."""
        jobs = [self._job(name, num_rows) for name, kind in self._kinds.items() if kind.trains]
        missing = [job for job in jobs if not job.model_path.is_file()]
        with self._timed("train"):
            for job in progress(f"train, {num_rows:,} rows", missing):
                with Pool([job]) as pool:
                    self._ask(pool, job.system, "train", num_threads=num_cpus())

    def _pool(self, num_rows: int) -> Pool:
        """A worker for each system that was trained or need not be; their indexes are empty."""
        jobs = [self._job(name, num_rows) for name in self._kinds]
        return Pool(
            job for job in jobs if job.model_path.is_file() or not self._kinds[job.system].trains
        )

    @contextmanager
    def _built_pool(self, num_rows: int) -> Iterator[Pool]:
        """A worker for each system with a trained and filled index."""
        self._train(num_rows)
        with self._pool(num_rows) as pool:
            with self._timed("build"):
                self._dataset.exact(num_rows, self._plan.k)
                for name in progress(f"build, {num_rows:,} rows", pool.systems):
                    self._build(pool, name, num_rows)
            yield pool

    def _build(self, pool: Pool, name: str, num_rows: int) -> None:
        """With all CPUs. A system that fails in this is out of the pool."""
        built = self._ask(pool, name, "build", num_threads=num_cpus())
        if built is None:
            pool.remove(name)
            return
        if self._kinds[name].family == "graph" and num_rows == self._num_rows:
            self._built_graphs[name] = built
        self._ask(pool, name, "set_threads", num_threads=self._threads)

    def _ask(self, pool: Pool, system: str, method: str, **arguments: Any) -> Any:  # noqa: ANN401
        """What the worker returns; None, and an entry among the failures, if it fails."""
        try:
            return pool.call(system, method, **arguments)
        except SystemFailedError as error:
            lines = str(error).strip().splitlines()
            message = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"
            failure = {"system": system, "measure": method, "message": message}
            if failure not in self._results.failures:
                self._results.failures.append(failure)
                tqdm.write(f"{system}: {message}")
            return None

    # --- Searching -----------------------------------------------------------------------------

    def _measure_search_of_all(self, pool: Pool) -> None:
        self._measure_search(pool, self._num_rows, self._plan.rounds, self._plan.outline_rounds)

    def _measure_sizes(self) -> None:
        """What each size brings is saved at once. No picture shows them, so there is no outline."""
        for num_rows in self._plan.sizes:
            if num_rows < self._num_rows:
                with self._built_pool(num_rows) as pool, self._timed("scaling"):
                    self._measure_search(pool, num_rows, self._plan.size_rounds, 0)
                self._save()
        self._finish("scaling")

    def _measure_search(self, pool: Pool, num_rows: int, rounds: int, outline_rounds: int) -> None:
        points = {
            name: self._survey(pool, name, num_rows)
            for name in progress(f"survey, {num_rows:,} rows", pool.systems)
        }
        outlines = {name: outline(found) for name, found in points.items()}
        chosen = {name: contenders(found) for name, found in points.items()}
        slots = interleave(outlines, outline_rounds) + interleave(chosen, rounds)
        exact = exact_name(num_rows, self._plan.k)
        figures = Rounds()
        for name, setting in progress(f"search, {num_rows:,} rows", slots):
            for mode in ("single", "batch"):
                found = self._ask(pool, name, f"search_{mode}", setting=setting, exact=exact)
                if found is not None:
                    key = {
                        "system": name,
                        "rows": num_rows,
                        "mode": mode,
                        "threads": self._threads,
                        "setting": setting,
                    }
                    figures.add(key, found, FIXED)
        self._results.search += figures.records

    def _survey(self, pool: Pool, name: str, num_rows: int) -> list[Point]:
        """The sweep once, in batches, to see which settings are worth measuring well."""
        exact = exact_name(num_rows, self._plan.k)
        points: list[Point] = []
        for settings in self._sweep(name, num_rows):
            limit = too_slow_us(points)
            found = self._ask(pool, name, "survey", settings=settings, exact=exact, limit_us=limit)
            points += [
                (setting, *point) for setting, point in zip(settings, found or [], strict=False)
            ]
        return points

    def _sweep(self, name: str, num_rows: int) -> list[list[Setting]]:
        """The row that re-ranks the most comes first: it reaches the highest target, which says
        where the others, some of which never do, need not go on."""
        return sweep_of(self._kinds[name], num_partitions_for(num_rows))[::-1]

    def _choose_working_settings(self, pool: Pool) -> None:
        """For each system the cheapest setting that reaches the working recall."""
        for name in pool.systems:
            if name in self._working:
                continue
            points = [
                (record["setting"], record["recall"], min(record["mean_us"]))
                for record in self._results.search
                if record["system"] == name and record["mode"] == "single"
            ]
            points = points or self._survey(pool, name, self._num_rows)
            best = cheapest(points, WORKING_RECALL) or max(
                points, key=lambda point: point[1], default=None
            )
            if best is not None:
                self._working[name] = best[0]

    def _working_systems(self, pool: Pool) -> list[str]:
        return [name for name in pool.systems if name in self._working]

    # --- Filters -------------------------------------------------------------------------------

    def _measure_filters(self, pool: Pool) -> None:
        """Rows are allowed at random."""
        systems = [name for name in pool.systems if self._kinds[name].filters]
        figures = Rounds()
        for share in self._plan.filter_shares:
            arguments = self._draw_filter(share)
            chosen = {
                name: contenders(self._survey_filter(pool, name, arguments))
                for name in progress(f"survey, {share:.1%} allowed", systems)
            }
            slots = interleave(chosen, self._plan.filter_rounds)
            for name, setting in progress(f"filter, {share:.1%} allowed", slots):
                found = self._ask(pool, name, "search_single", setting=setting, **arguments)
                if found is not None:
                    key = {"system": name, "share": share, "setting": setting}
                    figures.add(key, found, FIXED)
        self._results.filter += figures.records

    def _draw_filter(self, share: float) -> Record:
        """Saves mask and exact answers; the arguments of the searches."""
        drawn = np.random.default_rng(round(1 / share)).random(self._num_rows)
        mask: Mask = np.less(drawn, share)
        queries = self._dataset.queries[: self._plan.filter_queries]
        exact = exact_neighbors(
            self._dataset.base, queries, self._plan.k, self._dataset.metric, mask
        )
        self._dataset.save(f"allowed-{share}", mask)
        self._dataset.save(f"allowed-{share}-exact", exact)
        return {
            "allowed": f"allowed-{share}",
            "exact": f"allowed-{share}-exact",
            "num_queries": len(queries),
        }

    def _survey_filter(self, pool: Pool, name: str, arguments: Record) -> list[Point]:
        """The part of the sweep that filters need, each row up to .99 or as far as it may win."""
        points: list[Point] = []
        for settings in self._sweep(name, self._num_rows):
            if settings[0].get("refine_factor", 10) not in FILTER_REFINE_FACTORS:
                continue
            limit = too_slow_us(points)
            for setting in settings[(len(settings) + 1) % 2 :: 2]:
                found = self._ask(pool, name, "search_single", setting=setting, **arguments)
                if found is None:
                    break
                points.append((setting, found["recall"], found["mean_us"]))
                if found["recall"] > 0.99 or found["mean_us"] > limit:
                    break
        return points

    # --- Writing -------------------------------------------------------------------------------

    def _measure_ingest(self, pool: Pool) -> None:
        figures = Rounds()
        plan = self._plan
        slots = [
            (rows_per_call, name, takes_all)
            for i in range(plan.ingest_rounds)
            for rows_per_call in plan.ingest_batches
            for name in pool.systems
            if not (takes_all := self._takes_all(name, rows_per_call)) or i == 0
        ]
        for rows_per_call, name, takes_all in progress("ingest", slots):
            self._ingest_once(
                pool, name, rows_per_call, self._threads, figures, takes_all=takes_all
            )
        self._results.ingest += figures.records

    def _takes_all(self, name: str, rows_per_call: int) -> bool:
        """A graph's rate falls as it grows, so a part of the rows says little of all of them."""
        least = self._plan.graph_whole_from
        return self._kinds[name].family == "graph" and least is not None and rows_per_call >= least

    def _ingest_once(
        self,
        pool: Pool,
        name: str,
        rows_per_call: int,
        num_threads: int,
        figures: Rounds,
        *,
        takes_all: bool = False,
    ) -> None:
        plan = self._plan
        num_rows, seconds = self._num_rows, plan.ingest_seconds
        if takes_all:
            seconds = MAX_INGEST_SECONDS
        elif self._kinds[name].family == "graph":
            num_rows, seconds = min(num_rows, plan.graph_ingest_rows), plan.graph_ingest_seconds
        found = self._ask(
            pool, name, "ingest", rows_per_call=rows_per_call, num_rows=num_rows, seconds=seconds
        )
        if found is not None:
            key = {"system": name, "rows_per_call": rows_per_call, "threads": num_threads}
            figures.add(key, found, FIXED)

    def _measure_threads(self, pool: Pool) -> None:
        """Batches of queries and of rows on one CPU, two, and so on."""
        self._choose_working_settings(pool)
        figures = Rounds()
        counts = thread_counts(num_cpus())
        exact = exact_name(self._num_rows, self._plan.k)
        slots = [
            (count, name)
            for _ in range(self._plan.ingest_rounds)
            for count in counts
            for name in self._working_systems(pool)
        ]
        for count, name in progress("threads", slots):
            self._ask(pool, name, "set_threads", num_threads=count)
            setting = self._working[name]
            found = self._ask(pool, name, "search_batch", setting=setting, exact=exact)
            if found is not None:
                key = {"system": name, "what": "search", "threads": count, "setting": setting}
                figures.add(key, found, FIXED)
            ingested = Rounds()
            self._ingest_once(pool, name, THREADS_INGEST_BATCH, count, ingested)
            for record in ingested.records:
                key = {"system": name, "what": "ingest", "threads": count}
                figures.add(key, {"rows_per_s": record["rows_per_s"][0]})
            self._ask(pool, name, "set_threads", num_threads=self._threads)
        self._results.threads += figures.records

    def _measure_memory(self) -> None:
        """Each in a fresh process, IVF systems without the raw vectors. A graph takes minutes and
        keeps them anyway: what was built from all rows before is not built again."""
        for name, kind in progress("memory", list(self._kinds.items())):
            built = self._built_graphs.get(name) or self._build_alone(name)
            if built is not None:
                keeps_vectors = kind.family == "graph" or not kind.re_ranks
                self._note_memory(name, built, keeps_vectors=keeps_vectors)

    def _build_alone(self, name: str) -> Record | None:
        graph = self._kinds[name].family == "graph"
        cpus = num_cpus() if graph else 1
        with Pool([self._job(name, self._num_rows)]) as pool:
            built: Record | None = self._ask(
                pool, name, "build", num_threads=cpus, keep_vectors=graph
            )
        return built

    def _note_memory(self, name: str, built: Record, *, keeps_vectors: bool) -> None:
        self._results.memory.append(
            {
                "system": name,
                "rows": self._num_rows,
                "keeps_vectors": keeps_vectors,
                "bytes_per_vector": built["bytes"] / self._num_rows,
                "raw_bytes_per_vector": 4 * self._dim,
            }
        )

    # --- Both at once --------------------------------------------------------------------------

    def _measure_stream(self, pool: Pool) -> None:
        self._choose_working_settings(pool)
        self._measure_visible(pool)
        self._measure_beside_writer(pool)

    def _measure_visible(self, pool: Pool) -> None:
        for rows_per_call in VISIBLE_BATCHES:
            for name in progress(f"visible, {rows_per_call:,} rows", self._working_systems(pool)):
                repeats = VISIBLE_REPEATS if rows_per_call == 1 else VISIBLE_REPEATS // 10
                found = self._ask(
                    pool,
                    name,
                    "visible",
                    setting=self._working[name],
                    rows_per_call=rows_per_call,
                    repeats=repeats,
                )
                if found is not None:
                    key = {"system": name, "rows_per_call": rows_per_call}
                    self._results.visible.append(key | found)

    def _measure_beside_writer(self, pool: Pool) -> None:
        figures = Rounds()
        slots = [
            (rate, name)
            for _ in range(self._plan.stream_rounds)
            for rate in self._plan.stream_rates
            for name in self._working_systems(pool)
        ]
        for rate, name in progress("stream", slots):
            setting = self._working[name]
            seconds = self._plan.stream_seconds
            found = self._ask(pool, name, "stream", setting=setting, rate=rate, seconds=seconds)
            if found is not None:
                figures.add({"system": name, "rate": rate, "setting": setting}, found)
        self._results.stream += figures.records


def num_cpus() -> int:
    return len(os.sched_getaffinity(0))


def exact_name(num_rows: int, k: int) -> str:
    """The array that Dataset.exact saved."""
    return f"exact-{num_rows}-{k}"


def interleave(chosen: dict[str, list[Setting]], rounds: int) -> list[tuple[str, Setting]]:
    """Each round takes the first setting of every system, then the second, and so on."""
    longest = max((len(settings) for settings in chosen.values()), default=0)
    return [
        (name, settings[slot])
        for _ in range(rounds)
        for slot in range(longest)
        for name, settings in chosen.items()
        if slot < len(settings)
    ]


def thread_counts(cpus: int) -> list[int]:
    """1, 2, 4 and so on, and all of them."""
    counts = [1]
    while counts[-1] * 2 < cpus:
        counts.append(counts[-1] * 2)
    return counts if cpus == 1 else [*counts, cpus]


def progress(what: str, items: Any) -> Any:  # noqa: ANN401 - tqdm has no types
    return tqdm(items, desc=what, unit="", leave=True, dynamic_ncols=True)
