"""What pictures show, as plain arrays: one function per question, the same numbers for the page and for matplotlib.

Nothing here has a colour. Every function takes a Run and gives arrays whose length does not grow with the run beyond
what it is asked for, so a picture of 100 000 ticks is as small as one of a hundred.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import ACTIONS, Run
from chipsim.engine.stats import bin_edges_ps
from chipsim.engine.topology import EAST_WEST
from chipsim.report.cost import mean_joules
from chipsim.report.names import link_name
from chipsim.report.timing import PS, total_time

UPDATES = ("neuron_idle", "neuron_active")
LARGE = 64                              # routers of a plan that is shown whole, however few of them are in use


@dataclass(frozen=True)
class Grid:
    """Where things stand on a plan: routers in columns and rows, so many cores on each.

    is_plane  whether the fabric is a grid itself; the leaves of a tree and the routers of a custom fabric are put on
              one in the order of their numbers, and their links have no place on it
    window    columns and rows worth a look, from the first to before the last: (left, right, bottom, top)
    """

    columns: int
    rows: int
    per_router: int
    n_cores: int
    is_plane: bool
    window: tuple[int, int, int, int]

    @property
    def is_whole(self) -> bool:
        return self.window == (0, self.columns, 0, self.rows)


@dataclass(frozen=True, eq=False)
class Cores:
    """Cores in use [C]: number on the chip, column and row of their router, place on it, and what they did.

    energy_J   what the core did, priced: its updates, what it sent, what it received. Static power, barriers and the
               host's port belong to no core
    soma_s, synapse_s  time its two servers worked, over the run; zeros where the run has no times
    memory     synapse memory in use, bits; memory_limit per core, None without one
    """

    number: np.ndarray
    column: np.ndarray
    row: np.ndarray
    place: np.ndarray
    neurons: np.ndarray
    memory: np.ndarray
    memory_limit: int | None
    energy_J: np.ndarray
    soma_s: np.ndarray
    synapse_s: np.ndarray


@dataclass(frozen=True, eq=False)
class Links:
    """Links between neighbouring routers [L]: ends as (column, row), packets, and share of the run they were occupied.

    utilisation is None where the run has no times
    """

    name: list[str]
    start: np.ndarray
    end: np.ndarray
    packets: np.ndarray
    utilisation: np.ndarray | None


@dataclass(frozen=True, eq=False)
class TickSeries:
    """Ticks in bins [B]: first tick of each bin (and the end), mean and longest length in seconds, what set most.

    With a fixed tick the lengths are those of the ticks' work.

    limit   int32[B] the commonest code of `Run.tick_limit` in the bin; `kind` is its index into LIMITS
    """

    first: np.ndarray
    mean_s: np.ndarray
    max_s: np.ndarray
    limit: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True, eq=False)
class LatencyBins:
    """Packet latencies: edges in seconds [B+1], packets [B]; four bins to the octave."""

    edges_s: np.ndarray
    packets: np.ndarray


@dataclass(frozen=True, eq=False)
class Raster:
    """Spikes of recorded populations within ticks [first, stop): name -> (size, tick, index)."""

    first: int
    stop: int
    spikes: dict[str, tuple[int, np.ndarray, np.ndarray]]


def grid_of(run: Run) -> Grid:
    """The plan of the chip a run was simulated on; a window where most of a large chip had nothing to do."""
    chip = ChipSpec.from_dict(run.chip)
    fabric = chip.fabric
    is_plane = fabric.topology not in ("tree", "custom")
    columns = fabric.grid[0] if is_plane else int(np.ceil(np.sqrt(fabric.n_places)))
    rows = fabric.grid[1] if is_plane else -(-fabric.n_places // columns)
    return Grid(columns, rows, fabric.cores_per_router, chip.n_cores, is_plane,
                _window(run, columns, rows, fabric.cores_per_router, is_plane))


def _window(run: Run, columns: int, rows: int, per_router: int, is_plane: bool) -> tuple[int, int, int, int]:
    """Routers that had something to do, and one more on each side, if that leaves out most of a large plan."""
    whole = (0, columns, 0, rows)
    busy = np.asarray(run.cores, np.int64) // per_router
    if is_plane and len(run.link_packets):
        ends = np.concatenate([run.links["from_router"], run.links["to_router"]])[np.tile(run.link_packets > 0, 2)]
        busy = np.concatenate([busy, ends[ends >= 0]])
    if columns * rows <= LARGE or not len(busy):
        return whole
    x, y = busy % columns, busy // columns
    window = (max(int(x.min()) - 1, 0), min(int(x.max()) + 2, columns), max(int(y.min()) - 1, 0),
              min(int(y.max()) + 2, rows))
    area = (window[1] - window[0]) * (window[3] - window[2])
    return window if area <= columns * rows // 4 else whole


def cores_of(run: Run, chip: ChipSpec) -> Cores:
    """Every core in use; `chip` prices."""
    grid = grid_of(run)
    number = np.asarray(run.cores)
    router, place = np.divmod(number, grid.per_router)
    joules = mean_joules(run, chip)
    each = np.array([joules.get(a, 0.0) for a in ACTIONS])
    memory = next((r for r in run.usage if r.startswith("synapse")), "")
    zeros = np.zeros(len(number))
    return Cores(
        number, router % grid.columns, router // grid.columns, place,
        neurons=run.usage.get("neurons", zeros), memory=run.usage.get(memory, zeros),
        memory_limit=run.limits.get(memory), energy_J=run.core_counts @ each,
        soma_s=run.soma_ps * PS, synapse_s=run.synapse_ps * PS)


def links_of(run: Run) -> Links:
    """Links between neighbours in the plan's window; others (around a torus, of a tree) have no place on it."""
    grid, links = grid_of(run), run.links
    width = grid.columns
    source, target = np.asarray(links["from_router"]), np.asarray(links["to_router"])
    apart = np.abs(source % width - target % width) + np.abs(source // width - target // width)
    between = (np.asarray(links["kind"]) >= EAST_WEST) & (source >= 0) & (target >= 0) & (apart == 1)
    left, right, bottom, top = grid.window
    for end in (source, target):
        column, row = end % width, end // width
        between &= (column >= left) & (column < right) & (row >= bottom) & (row < top)
    ids = np.flatnonzero(between & grid.is_plane)
    time_s = total_time(run)
    packets = run.link_packets[ids]
    start, end = (np.stack([r[ids] % width, r[ids] // width], axis=1) for r in (source, target))
    return Links([link_name(run, int(i)) for i in ids], start, end, packets,
                 None if time_s is None else packets * links["cycle_ps"][ids] * PS / time_s)


def of_links(links: Links, which: np.ndarray) -> Links:
    """Those of some links, in the order given."""
    return Links([links.name[i] for i in which], links.start[which], links.end[which], links.packets[which],
                 None if links.utilisation is None else links.utilisation[which])


def busiest_channels(run: Run, most: int = 10) -> list[tuple[str, int, float | None]]:
    """(name, packets, share of the run occupied) of the channels that moved most, injection and ejection included."""
    occupied = run.link_packets * np.asarray(run.links["cycle_ps"])
    time_s = total_time(run)
    top = np.argsort(-occupied if occupied.any() else -run.link_packets, kind="stable")[:most]
    return [(link_name(run, int(i)), int(run.link_packets[i]),
             None if time_s is None else float(occupied[i]) * PS / time_s) for i in top if run.link_packets[i]]


def bins_of(ticks: int, most: int) -> np.ndarray:
    """First tick of each of at most `most` bins of nearly equal size."""
    n = min(ticks, most)
    return np.arange(n, dtype=np.int64) * ticks // max(n, 1)


def tick_series(run: Run, most: int = 200) -> TickSeries | None:
    """Lengths of ticks in at most `most` bins; None where the run has no times."""
    if not run.busy_ps.any():
        return None
    first = bins_of(run.ticks, most)
    size = np.diff(np.append(first, run.ticks))
    codes, code = np.unique(run.tick_limit, return_inverse=True)
    votes = np.zeros((len(first), len(codes)), np.int64)
    np.add.at(votes, (np.repeat(np.arange(len(first)), size), code), 1)
    limit = codes[votes.argmax(axis=1)]
    return TickSeries(np.append(first, run.ticks), np.add.reduceat(run.busy_ps, first) / size * PS,
                      np.maximum.reduceat(run.busy_ps, first) * PS, limit, np.minimum(limit >> 24, len(LIMITS) - 1))


def per_tick(run: Run, actions: tuple[str, ...], most: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """(first tick of each bin and the end, mean count per tick) of some actions."""
    first = bins_of(run.ticks, most)
    total = run.counts[:, [ACTIONS.index(a) for a in actions]].sum(axis=1)
    size = np.diff(np.append(first, run.ticks))
    return np.append(first, run.ticks), np.add.reduceat(total, first) / size if len(first) else np.zeros(0)


def latency_bins(run: Run) -> LatencyBins | None:
    """The histogram of packet latencies, trimmed to where packets are; None where no packet was timed."""
    if not run.latency.sum():
        return None
    edges = bin_edges_ps()
    fine = 8                                            # 32 bins to the octave become four
    packets = np.add.reduceat(run.latency, np.arange(0, len(run.latency), fine))
    coarse = edges[::fine]
    there = np.flatnonzero(packets)
    part = slice(there[0], there[-1] + 1)
    return LatencyBins(np.maximum(coarse[part.start : part.stop + 1], 1.0) * PS, packets[part])


def raster(run: Run, ticks: int = 200) -> Raster | None:
    """Recorded spikes of the first ticks, in whole samples where the run has some; None where nothing was recorded."""
    if not run.spikes:
        return None
    each = int(run.samples["ticks"]) if run.samples else 1
    stop = min(run.ticks, max(ticks // each, 1) * each)
    sizes = {p["name"]: p["size"] for p in run.populations}
    shown = {}
    for name, size in sizes.items():
        if name in run.spikes:
            tick, index = run.spikes[name]
            end = int(np.searchsorted(tick, stop))
            shown[name] = (size, tick[:end], index[:end])
    return Raster(0, stop, shown)


def rates(run: Run, most: int = 100) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """First tick of at most `most` bins (and the end); spikes per unit and tick in each, by recorded population.

    None where nothing was recorded.
    """
    if not run.spikes:
        return None
    first = bins_of(run.ticks, most)
    edges = np.append(first, run.ticks)
    return edges, {p["name"]: np.diff(np.searchsorted(run.spikes[p["name"]][0], edges)) / (np.diff(edges) * p["size"])
                   for p in run.populations if p["name"] in run.spikes}


def layer_energy(run: Run, chip: ChipSpec) -> list[tuple[str, float, float | None]]:
    """(population, J its spikes set off, J its updates took) for each population of the run.

    A spike sets off itself, its packets, their hops, and the synaptic operations at its targets. Updates are counted
    per core: they are None where a population shares one of its cores with another.
    """
    each = mean_joules(run, chip)
    at = {int(core): i for i, core in enumerate(run.cores)}
    owners: dict[int, int] = {}
    for p in run.populations:
        for core in p.get("cores", ()):
            owners[core] = owners.get(core, 0) + 1
    rows = []
    for p in run.populations:
        spent = sum(n * each.get(a, 0.0) for a, n in p.get("counts", {}).items())
        updates: float | None = None
        if all(owners[c] == 1 for c in p.get("cores", ())):
            mine = np.array([at[c] for c in p.get("cores", ())], np.int64)
            updates = float(sum(run.core_counts[mine, ACTIONS.index(a)].sum() * each[a] for a in UPDATES))
        rows.append((p["name"], spent, updates))
    return rows


def confusion(run: Run) -> np.ndarray | None:
    """int64[classes, classes]: samples by label (rows) and by answer (columns); None without labels."""
    labels, predicted = (run.samples or {}).get("labels"), (run.samples or {}).get("predicted")
    if labels is None or predicted is None or not len(labels):
        return None
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    n = int(max(labels.max(), predicted.max())) + 1
    matrix = np.zeros((n, n), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix
