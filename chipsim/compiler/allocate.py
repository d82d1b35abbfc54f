"""From pieces on cores to the Layout: slots, in-axons, segments, synapses, out-axons, and what is used of what."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.layout import (
    SYNAPSE_FORMATS,
    Group,
    Layout,
    LayoutModel,
    LayoutPopulation,
    RoutingTables,
)
from chipsim.compiler.lowering.learning import plastic_projections
from chipsim.compiler.memory import SynapseMemory, out_axons
from chipsim.compiler.partitioning.demand import limits
from chipsim.compiler.partitioning.tally import tally_of


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
    if any(c.delay == 0 for c in draft.connections):        # groups are advanced in the order in which they stand
        rank = {node: k for k, node in enumerate(draft.in_order())}
        groups.sort(key=lambda g: (rank[g.population], g.start))
    n = start[-1]
    index = np.concatenate(members).astype(np.int32) if members else np.zeros(0, np.int32)
    number = _numbers(draft, groups, index, n)
    kernels = [m.kernel for m in models]
    params = {name: np.zeros(n, dtype) for kernel in kernels for name, dtype in kernel.params.items()}
    for g in groups:
        rows = index[g.start : g.stop]
        for name in kernels[g.model].params:
            params[name][g.start : g.stop] = draft.nodes[g.population].params[name][rows]
    tables, place = _axons(draft, cores, number, np.array(start, np.int64), kernels[0].accumulator == "i4")
    tables |= _compact(tables["target"], tables["weight"], learns=any(c.learning for c in draft.connections))
    if draft.chip.core.crossbar is not None:
        tables |= _one_segment_each(tables)
    if draft.in_vain:
        tables |= _without_synapses(draft, order, np.concatenate(number), tables)
    usage = {name: used[order] for name, used in tally_of(draft).usage.items()}
    if draft.in_vain:                                        # these are sent, too
        sent = np.concatenate([[0], np.cumsum(np.diff(tables["out_start"])[:n])])[start]
        usage["axons_out"] = np.diff(sent)
    return Layout(
        chip=draft.chip, network=draft.network.name, populations=_populations(draft, number),
        outputs=draft.network.outputs, dt=draft.network.dt, cores=np.sort(draft.places).astype(np.int32),
        core_start=np.array(start, np.int64), groups=tuple(groups), models=models, params=params,
        population_index=index, **tables, first_input=_first_input(draft, number, n),
        plastic=plastic_projections(draft, number, place), routing=_routing(draft, np.concatenate(number)),
        frame=draft.frame, usage=usage, limits=limits(draft.chip) | (
            {} if draft.routing is None else {"router_entries": draft.chip.fabric.router_entries}),
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


def _axons(draft: Draft, cores: list[tuple[Piece, ...]], number: list[np.ndarray], core_start: np.ndarray,
           integer: bool) -> tuple[dict[str, np.ndarray], list[np.ndarray | None]]:
    """Synapse memory and axon tables: on each core by source, then by delay, bank, receptor and format.

    Returns the tables, and per connection that learns int64[n]: where its synapses have come to stand.
    """
    connections = draft.connections
    banks = [0, *(c.bank_shift for c in connections if c.bank_shift)]
    bank = np.cumsum([c.bank_shift != 0 for c in connections]) * [c.bank_shift != 0 for c in connections]
    kinds = [(c.delay, int(b), c.receptor, SYNAPSE_FORMATS.index(c.format))
             for c, b in zip(connections, bank, strict=True)]
    keys = sorted(set(kinds))
    place = [np.empty(c.n_synapses, np.int64) if c.learning else None for c in connections]
    wide = int(np.diff(core_start).max(initial=0)) > 1 << 16 or not integer
    n_sources = int(core_start[-1]) + sum(node.size for node in draft.nodes if node.is_input)
    shared = [SYNAPSE_FORMATS[key[3]] == "conv" for key in keys]
    memory = SynapseMemory(n_sources, sum(c.n_synapses for c in connections), shared,
                           np.uint32 if wide else np.uint16, np.int16 if integer else np.float64)
    order = sorted(range(len(connections)), key=lambda i: kinds[i])
    for pieces in cores:
        first = np.cumsum([0] + [p.size for p in pieces])
        memory.core([(keys.index(kinds[i]), int(at), *rows, _stored(values, integer), number[c.pre], place[i])
                     for i in order for p, at in zip(pieces, first, strict=False)
                     if (c := connections[i]).post == p.node for *rows, values in [c.part(p)]])
    n_axons, source, n_segments, start, size, slot, kind = memory.tables()
    out_start, out_axon = out_axons(source, n_sources)
    delay, bank, receptor, form = np.array(keys, np.int64).reshape(-1, 4).T
    return dict(
        out_start=out_start, out_axon=out_axon, axon_core=np.repeat(np.arange(len(cores), dtype=np.int32), n_axons),
        axon_start=np.concatenate([[0], np.cumsum(n_segments)]).astype(np.int64),
        segment_delay=delay.astype(np.int32)[kind], segment_bank=bank.astype(np.uint8)[kind],
        segment_receptor=receptor.astype(np.uint8)[kind], segment_format=form.astype(np.uint8)[kind],
        segment_start=start, segment_size=size, segment_slot=slot, target=memory.target[: memory.used],
        weight=memory.weight[: memory.used], bank_shift=np.array(banks, np.int32)), place


def _compact(target: np.ndarray, weight: np.ndarray, *, learns: bool) -> dict[str, np.ndarray]:
    """The same numbers in the fewest bytes: slots of 16 bits, weights in single precision where that is exact."""
    if target.dtype != np.uint16 and int(target.max(initial=0)) < 1 << 16:
        target = target.astype(np.uint16)
    if weight.dtype == np.float64 and not learns:
        with np.errstate(over="ignore"):
            single = weight.astype(np.float32)
        if np.array_equal(single, weight):
            weight = single
    return dict(target=target, weight=weight)


def _one_segment_each(t: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Axon tables of a crossbar, where an in-axon has one type and one delay: a source has as many as it needs."""
    n = np.diff(t["axon_start"])
    per_entry = n[t["out_axon"]]
    first = np.repeat(t["axon_start"][t["out_axon"]], per_entry)
    within = np.arange(len(first)) - np.repeat(np.cumsum(per_entry) - per_entry, per_entry)
    entries = np.concatenate([[0], np.cumsum(per_entry)])
    return dict(out_start=entries[t["out_start"]].astype(np.int64), out_axon=(first + within).astype(np.int32),
                axon_core=np.repeat(t["axon_core"], n), axon_start=np.arange(int(n.sum()) + 1, dtype=np.int64))


def _routing(draft: Draft, number: np.ndarray) -> RoutingTables | None:
    """The routing tables, with keys by source; number int64[S]: source number of each unit, node by node."""
    if draft.routing is None:
        return None
    keys = np.empty_like(draft.routing.source_key)
    keys[number] = draft.routing.source_key
    return replace(draft.routing, source_key=keys)


def _without_synapses(draft: Draft, order: np.ndarray, number: np.ndarray,
                      t: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Axon tables with an in-axon of no segments, the last of its core, where packets come in vain."""
    rank = np.argsort(order)
    here = np.zeros(len(order), np.int64)
    here[[rank[c] for c, _ in draft.in_vain]] = 1
    shift = np.cumsum(here) - here                          # in-axons put in before those of a core
    last = np.cumsum(np.bincount(t["axon_core"], minlength=len(order)))
    n_segments = np.insert(np.diff(t["axon_start"]), last[here > 0], 0)
    axon_core = np.insert(t["axon_core"], last[here > 0], np.flatnonzero(here)).astype(np.int32)
    source = [np.repeat(np.arange(len(t["out_start"]) - 1), np.diff(t["out_start"]))]
    axon = [t["out_axon"] + shift[t["axon_core"][t["out_axon"]]]]
    for c, units in draft.in_vain:
        source.append(number[units])
        axon.append(np.full(len(units), last[rank[c]] + shift[rank[c]]))
    sources, axons = np.concatenate(source), np.concatenate(axon)
    sorting = np.lexsort((axons, sources))
    starts = np.searchsorted(sources[sorting], np.arange(len(t["out_start"])))
    return dict(out_start=starts.astype(np.int64), out_axon=axons[sorting].astype(np.int32), axon_core=axon_core,
                axon_start=np.concatenate([[0], np.cumsum(n_segments)]).astype(np.int64))


def _stored(values: np.ndarray, integer: bool) -> np.ndarray:
    """Weights in the layout's dtype."""
    return np.ascontiguousarray(values, np.int16 if integer else np.float64)
