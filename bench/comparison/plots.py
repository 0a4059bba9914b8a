"""Results as pictures: recall against time, ingest against batch size, memory."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from comparison.ratios import LEAST_RECALL, frontier
from comparison.results import Results, select


class PlotsError(Exception):
    """They cannot be drawn."""


def write_plots(results: Results, folder: Path) -> list[Path]:
    """The pictures for which there are figures."""
    if importlib.util.find_spec("matplotlib") is None:
        raise PlotsError("pip install -r bench/requirements.txt brings matplotlib")
    makers = {"search": plot_search, "ingest": plot_ingest, "memory": plot_memory}
    return [
        make(results, folder / f"{name}.png")
        for name, make in makers.items()
        if getattr(results, name)
    ]


def style(results: Results, system: str) -> dict[str, Any]:
    """Forebay in full lines, the peers in thin ones; a colour for each system everywhere."""
    ours = results.systems[system]["is_ours"]
    return {
        "color": f"C{list(results.systems).index(system)}",
        "label": results.label(system),
        "linewidth": 2.4 if ours else 1.1,
        "linestyle": "-" if ours else "--",
        "marker": "o",
        "markersize": 3.5,
    }


def save(figure: Any, path: Path) -> Path:  # noqa: ANN401 - matplotlib's types are not strict
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    return path


def plot_search(results: Results, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5))
    modes = (("single", "single queries"), ("batch", "batch of queries"))
    for axes, (mode, title) in zip(figure.subplots(1, 2, sharey=True), modes, strict=True):
        for name in results.systems:
            records = select(results.search, system=name, mode=mode, rows=results.data["rows"])
            points = frontier([(None, r["recall"], min(r["mean_us"])) for r in records])
            points = [point for point in points if point[1] >= LEAST_RECALL]
            axes.plot([p[1] for p in points], [p[2] for p in points], **style(results, name))
        axes.set(title=title, xlabel=f"recall@{results.data['k']}", yscale="log")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.set_ylabel("microseconds a query")
    figure.axes[0].legend(fontsize=8)
    return save(figure, path)


def plot_ingest(results: Results, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    for name in results.systems:
        records = sorted(
            select(results.ingest, system=name), key=lambda record: record["rows_per_call"]
        )
        rates = [max(record["rows_per_s"]) for record in records]
        calls = [record["rows_per_call"] for record in records]
        axes.plot(calls, rates, **style(results, name))
    axes.set(xscale="log", yscale="log", xlabel="rows a call", ylabel="rows a second")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)


def plot_memory(results: Results, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    records = sorted(results.memory, key=lambda record: -float(record["bytes_per_vector"]))
    labels = [
        results.label(record["system"]) + (" (with raw vectors)" if record["keeps_vectors"] else "")
        for record in records
    ]
    colors = [style(results, record["system"])["color"] for record in records]
    bars = axes.barh(labels, [record["bytes_per_vector"] for record in records], color=colors)
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("resident bytes a vector")
    return save(figure, path)
