"""From pieces on cores to the Layout: slots, in-axons, segments, synapses, out-axons, and what is used of what."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.demand import Demand, limits
from chipsim.compiler.draft import Connection, Draft
from chipsim.compiler.layout import SYNAPSE_FORMATS, Group, Layout, LayoutModel, LayoutPopulation
from chipsim.compiler.learning import ends, plastic_projections


def allocate(draft: Draft, log: tuple[dict, ...]) -> Layout:
    """The Layout of a partitioned and placed Draft."""
    order = np.argsort(draft.places, kind="stable")          # cores in the layout go by their number on the chip
    cores = [draft.cores[i] for i in order]
    models, model_of = _models(draft)
    groups, start, members = [], [0], []
    for c, pieces in enumerate(cores):
        at = start[-1]
        for p in pieces:
            units = p.indices
            members.append(units)
            # random draws are numbered from the first neuron on: there a group is a run without gaps
            gaps = np.flatnonzero(np.diff(units) != 1) + 1 if models[model_of[p.node]].kernel.random else []
            for run in np.split(units, gaps):
                groups.append(Group(c, at, at + len(run), p.node, int(run[0]), model_of[p.node]))
                at += len(run)
        start.append(at)
    n = start[-1]
    index = np.concatenate(members).astype(np.int32) if members else np.zeros(0, np.int32)
    number = _numbers(draft, groups, index, n)
    kernels = [m.kernel for m in models]
    params = {name: np.zeros(n, dtype) for kernel in kernels for name, dtype in kernel.params.items()}
    for g in groups:
        rows = index[g.start : g.stop]
        for name in kernels[g.model].params:
            params[name][g.start : g.stop] = draft.nodes[g.population].params[name][rows]
    tables, place = _axons(draft, number, np.array(start, np.int64), kernels[0].accumulator == "i4")
    core_of = np.repeat(np.arange(len(cores)), np.diff(start))
    reach = np.diff(tables["out_start"])[:n]
    demand = Demand(draft)
    usage = {"neurons": np.diff(start), "axons_in": np.bincount(tables["axon_core"], minlength=len(cores)),
             "axons_out": np.bincount(core_of, weights=reach, minlength=len(cores)).astype(np.int64),
             "synapse_bits": np.array([demand.of(pieces, "synapse_bits") for pieces in cores]),
             "neuron_configs": np.array([demand.of(pieces, "neuron_configs") for pieces in cores])}
    return Layout(
        chip=draft.chip, network=draft.network.name, populations=_populations(draft, number),
        outputs=draft.network.outputs, dt=draft.network.dt, cores=np.sort(draft.places).astype(np.int32),
        core_start=np.array(start, np.int64), groups=tuple(groups), models=models, params=params,
        population_index=index, **tables, first_input=_first_input(draft, number, n),
        plastic=plastic_projections(draft, number, place),
        usage={k: np.asarray(v, np.int64) for k, v in usage.items()}, limits=limits(draft.chip),
        approximations=draft.approximations, log=log, notes=draft.network.notes + draft.notes)


def _models(draft: Draft) -> tuple[tuple[LayoutModel, ...], list[int]]:
    """The distinct models in use, and which one each node has."""
    models: list[LayoutModel] = []
    index = []
    for node in draft.nodes:
        found = next((i for i, m in enumerate(models) if (m.name, m.options) == (node.model, node.options)), None)
        if found is None and not node.is_input:
            found = len(models)
            models.append(LayoutModel(node.model, node.options))
        index.append(-1 if found is None else found)
    return tuple(models), index


def _numbers(draft: Draft, groups: list[Group], index: np.ndarray, n: int) -> list[np.ndarray]:
    """Per node, int64[size]: the source number of each unit; lines follow the neurons, in the order of the inputs."""
    number, lines = [], n
    for node in draft.nodes:
        numbers = np.zeros(node.size, np.int64)
        if node.is_input:
            numbers[:] = np.arange(lines, lines + node.size)
            lines += node.size
        number.append(numbers)
    for g in groups:
        number[g.population][index[g.start : g.stop]] = np.arange(g.start, g.stop)
    return number


def _populations(draft: Draft, number: list[np.ndarray]) -> tuple[LayoutPopulation, ...]:
    return tuple(LayoutPopulation(node.name, node.population.shape, node.is_input, int(number[i][0]), node.depth)
                 for i, node in enumerate(draft.nodes))


def _first_input(draft: Draft, number: list[np.ndarray], n: int) -> np.ndarray | None:
    """What takes back the biases that the network does not have yet in its first ticks."""
    late = {key: v for key, v in draft.late_bias.items() if key[1] > 0}
    if not late:
        return None
    rows = np.zeros((max(d for _, d in late), n))
    for (node, d), bias in late.items():
        rows[:d, number[node]] -= bias
    return rows


@dataclass
class _Entries:
    """Synapses as columns, one array part per connection."""

    core: list
    source: list
    delay: list
    bank: list
    receptor: list
    format: list
    target: list
    weight: list


def _axons(draft: Draft, number: list[np.ndarray], core_start: np.ndarray, integer: bool
           ) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Sort all synapses by (core, source, delay, bank, receptor, target) and read the tables off the boundaries.

    Returns the tables, and per connection int64[n]: where its synapses have come to stand.
    """
    banks = [0]
    columns = _Entries([], [], [], [], [], [], [], [])
    for c in draft.connections:
        bank = 0
        if c.bank_shift:
            banks.append(c.bank_shift)
            bank = len(banks) - 1
        _append(columns, c, number, core_start, bank)
    core, source, delay, bank, receptor, kind, target, weight = (
        np.concatenate(part) if part else np.zeros(0, np.int64)
        for part in (columns.core, columns.source, columns.delay, columns.bank, columns.receptor, columns.format,
                     columns.target, columns.weight))
    order = np.lexsort((target, kind, receptor, bank, delay, source, core))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    places = np.split(place, np.cumsum([len(part) for part in columns.core])[:-1]) if columns.core else []
    core, source, delay, bank, receptor, kind, target, weight = (
        a[order] for a in (core, source, delay, bank, receptor, kind, target, weight))
    new_axon = _changes(core, source)
    new_segment = new_axon | _changes(delay, bank, receptor, kind)
    axon_first, segment_first = np.flatnonzero(new_axon), np.flatnonzero(new_segment)
    axon_core, axon_source = core[axon_first], source[axon_first]
    n_sources = int(core_start[-1]) + sum(node.size for node in draft.nodes if node.is_input)
    by_source = np.argsort(axon_source, kind="stable")
    wide = int(np.diff(core_start).max(initial=0)) > 1 << 16 or not integer
    return dict(
        out_start=np.concatenate([[0], np.cumsum(np.bincount(axon_source, minlength=n_sources))]).astype(np.int64),
        out_axon=by_source.astype(np.int32), axon_core=axon_core.astype(np.int32),
        axon_start=np.append(np.searchsorted(segment_first, axon_first), len(segment_first)).astype(np.int64),
        segment_delay=delay[segment_first].astype(np.int32), segment_bank=bank[segment_first].astype(np.uint8),
        segment_receptor=receptor[segment_first].astype(np.uint8),
        segment_format=kind[segment_first].astype(np.uint8),
        segment_start=segment_first.astype(np.int64),
        segment_size=np.diff(np.append(segment_first, len(core))).astype(np.int32),
        segment_slot=np.zeros(len(segment_first), np.int32),
        target=target.astype(np.uint32 if wide else np.uint16),
        weight=weight.astype(np.int16 if integer else np.float64), bank_shift=np.array(banks, np.int32)), places


def _changes(*columns: np.ndarray) -> np.ndarray:
    """bool[n]: entry differs from the one before it in any column (the first one does)."""
    new = np.zeros(len(columns[0]), bool)
    if len(new):
        new[0] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _append(columns: _Entries, c: Connection, number: list[np.ndarray], core_start: np.ndarray, bank: int) -> None:
    post, pre = ends(c)
    values = c.weight.ravel() if c.is_dense else c.weight.data
    neuron = number[c.post][post]
    core = np.searchsorted(core_start, neuron, side="right") - 1
    columns.core.append(core)
    columns.source.append(number[c.pre][pre])
    columns.delay.append(np.full(len(post), c.delay))
    columns.bank.append(np.full(len(post), bank))
    columns.receptor.append(np.full(len(post), c.receptor))
    columns.format.append(np.full(len(post), SYNAPSE_FORMATS.index(c.format)))
    columns.target.append(neuron - core_start[core])
    columns.weight.append(values)


