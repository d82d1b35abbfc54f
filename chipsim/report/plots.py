"""Pictures with matplotlib: every function takes `ax=` (default: a new one) and gives it back.

    from chipsim.report import plots
    plots.ticks(run, ax=axes[0])

Numbers come from `views`, as those of the HTML page do. Categories have the colours of Okabe and Ito (2008), which
people with any colour vision can tell apart; scales are `cividis` (Nuñez et al. 2018), and `RdBu` for signed weights.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import Run
from chipsim.engine.stats import percentile_ps
from chipsim.report import views
from chipsim.report.report import Report
from chipsim.report.timing import PS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"black": "#000000", "orange": "#e69f00", "sky": "#56b4e9", "green": "#009e73", "yellow": "#f0e442",
           "blue": "#0072b2", "red": "#d55e00", "pink": "#cc79a7"}
SET_BY = dict(zip(LIMITS, (COLOURS["green"], COLOURS["orange"], COLOURS["blue"], COLOURS["pink"], COLOURS["red"],
                           COLOURS["sky"]), strict=True))
SCALE = "cividis"


def raster(run: Run, ticks: int = 200, *, ax: Axes | None = None) -> Axes:
    """Spikes of the recorded populations over the first `ticks` ticks, one population above the other."""
    ax, shown = _axes(ax), views.raster(run, ticks)
    ax.set(xlabel="tick", title="Spikes")
    if shown is None:
        return _nothing(ax, "no spikes were recorded")
    base, marks = 0, []
    for (name, (size, tick, index)), colour in zip(shown.spikes.items(), _cycle(), strict=False):
        ax.scatter(tick, base + index, s=4, marker="|", color=colour, linewidths=0.8, rasterized=len(tick) > 20_000)
        marks.append((base + size / 2, f"{name} ({size})"))
        base += size
        ax.axhline(base - 0.5, color="0.7", linewidth=0.5)
    ax.set_yticks([y for y, _ in marks], [text for _, text in marks])
    ax.set(xlim=(shown.first - 0.5, shown.stop - 0.5), ylim=(base - 0.5, -0.5))
    return ax


def energy(report: Report, *, ax: Axes | None = None) -> Axes:
    """Joules by component, largest on top, with its share written beside it."""
    ax = _axes(ax)
    parts = sorted(((c.energy_J, name, c.share) for name, c in report.energy.by_component.items() if c.energy_J))
    ax.set(title=f"Energy of {report.network} on {report.costs}")
    if not parts:
        return _nothing(ax, "nothing has a price")
    bars = ax.barh([name for _, name, _ in parts], [joule for joule, _, _ in parts], color=COLOURS["blue"])
    ax.bar_label(bars, [f"{100 * (share or 0):.1f} %" for *_, share in parts], padding=3)
    ax.margins(x=0.18)
    return _unit(ax, "x", "J", "energy")


def latency(run: Run, *, ax: Axes | None = None) -> Axes:
    """Packets by latency, with median, 95th and 99th percentile."""
    ax, bins = _axes(ax), views.latency_bins(run)
    ax.set(title="Packet latency", ylabel="packets")
    if bins is None:
        return _nothing(ax, "no packet was timed")
    ax.bar(bins.edges_s[:-1], bins.packets, np.diff(bins.edges_s), align="edge", color=COLOURS["sky"])
    for q, style in ((50, "-"), (95, "--"), (99, ":")):
        ax.axvline(percentile_ps(run.latency, q) * PS, color="black", linestyle=style, linewidth=1, label=f"p{q}")
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    wide = bins.edges_s[-1] > 30 * bins.edges_s[0]
    ax.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend()
    return _unit(ax, "x", "s", "made to accepted")


def links(run: Run, *, ax: Axes | None = None) -> Axes:
    """The mesh, its links coloured by the share of the run they were occupied (without times: by packets)."""
    ax, mesh = _axes(ax), views.links_of(run)
    grid = views.grid_of(run)
    ax.set(title="Links", xlabel="column", ylabel="row", aspect="equal")
    left, right, bottom, top = grid.window
    column, row = np.meshgrid(np.arange(left, right), np.arange(bottom, top))
    ax.plot(column.ravel(), row.ravel(), "s", color="0.8", markersize=9, zorder=3)
    if not len(mesh.packets):
        return _nothing(ax, "no links between neighbours")
    from matplotlib.collections import LineCollection

    step = mesh.end - mesh.start
    aside = np.stack([step[:, 1], -step[:, 0]], axis=1) * 0.09             # the two directions run beside each other
    use = mesh.packets if mesh.utilisation is None else 100 * mesh.utilisation
    lines = LineCollection(list(np.stack([mesh.start + aside, mesh.end + aside], axis=1)), array=use, cmap=SCALE,
                           linewidths=3)
    ax.add_collection(lines)
    ax.figure.colorbar(lines, ax=ax, label="packets" if mesh.utilisation is None else "occupied (%)", shrink=0.8)
    ax.margins(0.08)
    return ax


def ticks(run: Run, *, ax: Axes | None = None) -> Axes:
    """Length of ticks over the run: longest of each bin, coloured by what set most of them, and the mean."""
    ax, series = _axes(ax), views.tick_series(run)
    ax.set(title="Length of ticks", xlabel="tick")
    if series is None:
        return _nothing(ax, "this run has no times")
    width = np.diff(series.first)
    for kind in np.unique(series.kind):
        mine = series.kind == kind
        ax.bar(series.first[:-1][mine], series.max_s[mine], width[mine], align="edge", color=SET_BY[LIMITS[kind]],
               label=f"longest, set by {'barrier' if LIMITS[kind] == 'none' else LIMITS[kind]}")
    ax.plot((series.first[:-1] + series.first[1:]) / 2, series.mean_s, color="black", linewidth=1, label="mean")
    ax.legend()
    return _unit(ax, "y", "s", "length")


def floorplan(run: Run, what: Literal["neurons", "memory", "energy", "time"] = "energy", *,
              costs: ChipSpec | None = None, ax: Axes | None = None) -> Axes:
    """Cores in use, coloured by neurons, synapse memory (bit), energy (J) or time of the busier server (s)."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    ax, cores = _axes(ax), views.cores_of(run, costs or ChipSpec.from_dict(run.chip))
    values, unit = {"neurons": (cores.neurons, "neurons"), "memory": (cores.memory, "bit"),
                    "energy": (cores.energy_J, "J"), "time": (np.maximum(cores.soma_s, cores.synapse_s), "s")}[what]
    grid = views.grid_of(run)
    left, right, bottom, top = grid.window
    across = int(np.ceil(np.sqrt(grid.per_router)))
    side = 0.84 / across
    corner = np.stack([cores.column - 0.42 + cores.place % across * side,
                       cores.row - 0.42 + cores.place // across * side], axis=1)
    cells = PatchCollection([Rectangle((x, y), side * 0.92, side * 0.92) for x, y in corner], cmap=SCALE)
    cells.set_array(np.asarray(values, float))
    cells.set_clim(0, max(float(np.max(values, initial=0)), 1e-30))
    ax.add_collection(cells)
    bar = ax.figure.colorbar(cells, ax=ax, label=f"{what} ({unit})" if unit != what else unit, shrink=0.8)
    if unit in ("J", "s", "bit"):
        from matplotlib.ticker import EngFormatter

        bar.formatter = EngFormatter(unit)
        bar.set_label(what)
    ax.set(title=f"Per core: {what}", xlabel="column", ylabel="row", aspect="equal",
           xlim=(left - 0.6, right - 0.4), ylim=(bottom - 0.6, top - 0.4))
    return ax


def weights(weight: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """A weight matrix [targets, sources] as an image, symmetric about zero."""
    ax, weight = _axes(ax), np.asarray(weight, float)
    most = float(np.abs(weight).max(initial=0)) or 1.0
    image = ax.imshow(weight, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="weight")
    ax.set(title="Weights", xlabel="source", ylabel="target")
    return ax


def receptive_fields(weight: np.ndarray, shape: tuple[int, int], *, ax: Axes | None = None) -> Axes:
    """The weights of each target as an image of the input's `shape`, all on one scale.

    weight  float[targets, height × width]. Raises ValueError where rows are no images of that shape
    """
    weight = np.asarray(weight, float)
    if weight.ndim != 2 or weight.shape[1] != shape[0] * shape[1]:
        raise ValueError(f"rows of {weight.shape[-1]} weights are no images of {shape[0]} x {shape[1]}")
    n, (height, width) = len(weight), shape
    across = int(np.ceil(np.sqrt(n * height / width)))
    down = -(-n // across)
    sheet = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for i, row in enumerate(weight):
        y, x = i // across * (height + 1), i % across * (width + 1)
        sheet[y : y + height, x : x + width] = row.reshape(shape)
    ax = weights(sheet, ax=ax) if n else _nothing(_axes(ax), "no targets")
    most = float(np.abs(weight).max(initial=0)) or 1.0
    for image in ax.images:
        image.set_clim(-most, most)
    ax.set(title=f"Receptive fields of {n} targets", xlabel="", ylabel="", xticks=[], yticks=[], aspect="equal")
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.pyplot import subplots

    return subplots(layout="constrained")[1]


def _unit(ax: Axes, which: Literal["x", "y"], unit: str, label: str) -> Axes:
    """Numbers of an axis with SI prefix and unit on each of them."""
    from matplotlib.ticker import EngFormatter

    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(EngFormatter(unit, sep=" "))
    ax.set(**{f"{which}label": label})
    return ax


def _nothing(ax: Axes, why: str) -> Axes:
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center")
    return ax


def _cycle() -> Iterator[str]:
    from itertools import cycle

    return cycle([COLOURS[c] for c in ("blue", "orange", "green", "red", "pink", "sky")])
