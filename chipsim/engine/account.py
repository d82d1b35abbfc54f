"""From what an engine gives back to a Run: names put to numbers, counts completed, the slowest tick explained."""
from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.engine.critical import add_learning, critical_path
from chipsim.engine.frames import framed
from chipsim.engine.learning import PHASE_COLUMNS
from chipsim.engine.losses import Ledger
from chipsim.engine.outcome import LIMIT_LEARNING, Outcome, Recording
from chipsim.engine.plan import Plan, spikes_to_counts
from chipsim.engine.queues import Queues
from chipsim.engine.run import ACTIONS, SYNOPS, A, Run
from chipsim.engine.schedule import Schedule


def account_of(layout: Layout, lowered: Plan, out: Outcome, schedule: Schedule, timing: str, recording: Recording,
               first: int) -> Run:
    """The ticks from `first` on that an engine gave back."""
    ticks, cores = len(out.tick_ps), layout.n_cores
    timed = timing != "none" and layout.frame is None
    counts = out.spike_counts
    counts[:, A["neuron_active"]] = out.active
    counts[:, A["neuron_idle"]] = lowered.compartments.sum() - out.active
    every = schedule.reset_every
    resets = np.arange(-first % every, ticks, every) if every else np.zeros(0, np.int64)
    counts[resets, A["reset"]] = cores
    has_barrier = layout.chip.costs.barrier is not None
    counts[:, A["barrier"]] = int(has_barrier)
    core_counts, link_packets = spikes_to_counts(lowered, out.source_spikes)
    if out.link_packets is not None:                        # adaptive routes are known only when they have been taken
        link_packets = out.link_packets
    core_counts[:, A["neuron_active"]] = out.core_active
    held = np.bincount(lowered.endpoint[: layout.n_neurons], lowered.compartments, cores).astype(np.int64)
    core_counts[:, A["neuron_idle"]] = ticks * held - out.core_active
    core_counts[:, A["reset"]] = len(resets)
    core_counts[:, A["matrix"]] = out.core_blocks
    ledger = out.losses.ledger(lowered, first) if out.losses else None
    if ledger is not None:
        ledger.correct(counts, core_counts)
    barrier = np.full(ticks, lowered.barrier_ps if timed else 0, np.int64)
    core_counts[:, PHASE_COLUMNS] = out.core_learning
    learning_ps = out.learning_ps if timed else np.zeros(ticks, np.int64)
    busy_ps = out.tick_ps + learning_ps + barrier
    longer = learning_ps > out.tick_ps
    tick_limit = np.where(longer, LIMIT_LEARNING << 24 | out.learning_core, out.tick_limit).astype(np.int32)
    if timed and len(resets):
        busy_ps[resets] += lowered.reset_ps
    tick_ps = np.maximum(busy_ps, lowered.tick_ps)
    if lowered.late_policy != "stretch":                    # the next tick begins, whatever has not been done
        tick_ps = np.full(ticks, lowered.tick_ps, np.int64)
        tick_ps[resets] += lowered.reset_ps
    if lowered.step_ps:                                     # however long its packets travel
        tick_ps = np.full(ticks, lowered.step_ps, np.int64)
        tick_ps[resets] += lowered.reset_ps
    slowest = {}
    if timed and ticks:
        t = int((out.tick_ps + learning_ps).argmax())
        if timing == "exact":
            slowest = critical_path(lowered, out.slowest_packets, int(out.tick_limit[t]), int(out.tick_ps[t]))
            add_learning(slowest, lowered, int(learning_ps[t]), int(out.learning_core[t]), bool(longer[t]))
        slowest |= dict(tick=first + t, busy_ps=int(out.tick_ps[t] + learning_ps[t]))
    f, queues = lowered.fabric, out.queues or Queues.none(0)
    links = dict(from_router=f.from_router, to_router=f.to_router, kind=f.kind, cycle_ps=f.cycle, slots=f.slots * f.vcs,
                 core=np.where(f.endpoint < 0, -1, np.append(layout.cores, -1)[f.endpoint]).astype(np.int32))
    run = Run(
        layout_name=layout.network, chip=layout.chip.to_dict(), timing=timing, ticks=ticks, counts=counts,
        core_counts=core_counts, source_spikes=out.source_spikes, link_packets=link_packets, links=links,
        link_queued_ps=queues.queued_ps, link_peak=queues.peak,
        unit_source=np.concatenate([layout.neurons_of(p.name) for p in layout.populations]).astype(np.int32),
        low_counts=out.low_counts, high_ps=out.high_ps,
        tick_ps=tick_ps, busy_ps=busy_ps, barrier_ps=barrier, tick_limit=tick_limit, learning_ps=learning_ps,
        soma_ps=out.soma_ps[:cores],
        synapse_ps=out.synapse_ps, stall_ps=out.stall_ps[:cores], slowest=slowest, latency=out.latency,
        cores=np.asarray(layout.cores), populations=_populations(layout, lowered, out, ticks, ledger),
        usage=layout.in_use, limits=layout.limits, approximations=layout.approximations,
        packets=_with_cores(layout, lowered, out.packets),
        weights={p.name: (p.pre, p.post, w)
                 for p, w in zip(layout.plastic, out.weights or [p.weight for p in layout.plastic], strict=True)},
        **_losses(layout, lowered, out),
        **_named(layout, out, recording, schedule, first, ticks), meta=dict(first_tick=first))
    return run if layout.frame is None else framed(run, layout.frame, timing)


def _with_cores(layout: Layout, lowered: Plan,
                packets: dict[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    """Packets with the cores at their ends, so that they can be read without the layout; -1 is the host's port."""
    if packets is None:
        return None
    sender = np.append(layout.cores, -1)[lowered.endpoint[packets["source"]]]
    target = np.asarray(layout.cores)[layout.axon_core[packets["axon"]]]
    return packets | dict(from_core=sender.astype(np.int32), to_core=target.astype(np.int32))


def _losses(layout: Layout, lowered: Plan, out: Outcome) -> dict:
    """What a fabric that drops packets adds to a Run."""
    if out.losses is None:
        return {}
    return dict(lost=_with_cores(layout, lowered, out.losses.lost_packets()), link_drops=out.losses.drops,
                link_detours=out.losses.detours)


def _populations(layout: Layout, lowered: Plan, out: Outcome, ticks: int, ledger: Ledger | None) -> tuple[dict, ...]:
    """Per population: where it sits, and the actions its own spikes made (its synaptic operations are its targets').

    Of what stands in synapse memory (`weights`, and `zero_weights` of them), `effective` counts the operations on
    weights that are not zero; `graded` populations send values.
    """
    rows = []
    stored, zero = _weights(layout)
    graded = _emits_values(layout)
    for i, p in enumerate(layout.populations):
        sources = layout.neurons_of(p.name)
        spikes = out.source_spikes[sources]
        counts = (lowered.per_spike[sources] * spikes[:, None]).sum(0)
        if ledger is not None:
            counts = counts + ledger.of_sources(sources)
        rows.append(dict(name=p.name, shape=list(p.shape), is_input=p.is_input, size=len(sources), depth=p.depth,
                         spikes=int(spikes.sum()), packets=int(counts[A["axon_in"]]),
                         synops=int(sum(counts[A[s]] for s in SYNOPS)),
                         weights=int(stored[sources].sum()), zero_weights=int(zero[sources].sum()),
                         effective=int((spikes * (stored - zero)[sources]).sum()), graded=bool(graded[i]),
                         late_packets=int(out.tardiness.late[sources].sum()),
                         lost_packets=int(out.tardiness.lost[sources].sum()),
                         updates=0 if p.is_input else ticks * int(lowered.compartments[sources].sum()),
                         counts=dict(zip(ACTIONS, counts.tolist(), strict=True)),
                         cores=sorted({int(layout.cores[g.core]) for g in layout.groups if g.population == i})))
    return tuple(rows)


def _weights(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """int64[S]: weights stored for each source, and those of them that are zero."""
    zeros_before = np.zeros(len(layout.weight) + 1, np.uint32)
    np.cumsum(np.asarray(layout.weight) == 0, out=zeros_before[1:])
    first = np.asarray(layout.segment_start)[: len(layout.segment_size)]
    last = first + layout.segment_size
    axons = []
    for of_segment in (layout.segment_size, zeros_before[last].astype(np.int64) - zeros_before[first]):
        before = np.concatenate([[0], np.cumsum(of_segment, dtype=np.int64)])
        axons.append(before[layout.axon_start[1:]] - before[layout.axon_start[:-1]])
    totals = []
    for of_axon in axons:
        before = np.concatenate([[0], np.cumsum(of_axon[layout.out_axon], dtype=np.int64)])
        totals.append(before[layout.out_start[1:]] - before[layout.out_start[:-1]])
    return totals[0], totals[1]


def _named(layout: Layout, out: Outcome, recording: Recording, schedule: Schedule, first: int, ticks: int) -> dict:
    """Put populations' names on what was recorded; count the outputs of each sample."""
    unit = np.full(layout.n_sources, -1, np.int64)
    owner = np.full(layout.n_sources, -1, np.int64)
    for i, p in enumerate(layout.populations):
        sources = layout.neurons_of(p.name)
        unit[sources], owner[sources] = np.arange(len(sources)), i
    emits_values = _emits_values(layout)
    spikes, values, tallies = {}, {}, {}
    for i, p in enumerate(layout.populations):
        sources = layout.neurons_of(p.name)
        if not recording.sources[sources].any():
            continue
        mine = owner[out.event_source] == i
        tick, index, payload = out.event_tick[mine], unit[out.event_source[mine]], out.event_payload[mine]
        order = np.lexsort((index, tick))
        tick, index, payload = tick[order], index[order], payload[order]
        spikes[p.name] = (tick, index.astype(np.int32))
        if (payload != 1).any() or emits_values[i]:
            values[p.name] = np.zeros((ticks, len(sources)))
            values[p.name][tick - first, index] = payload
        if p.name in layout.outputs:
            tallies[p.name] = np.zeros((schedule.count, len(sources)))
            np.add.at(tallies[p.name], (tick // schedule.per_sample, index), payload)
    samples = None
    if schedule.sampled:
        samples = dict[str, Any](ticks=schedule.per_sample, count=schedule.count, depth=schedule.depth)
        if schedule.labels is not None:
            samples["labels"] = np.asarray(schedule.labels)
        if tallies:
            counts = tallies[layout.outputs[0]]
            samples |= dict(output_counts=counts, predicted=counts.argmax(1))
    states = dict(zip(recording.names, out.probes, strict=True))
    return dict(spikes=spikes, values=values, samples=samples, states=states)


def _emits_values(layout: Layout) -> list[bool]:
    """Per population: its neurons emit their value every tick instead of spikes."""
    emits = [not p.is_input for p in layout.populations]
    for g in layout.groups:
        kernel = layout.kernels[g.model]
        params = {name: layout.params[name][g.start : g.stop] for name in kernel.params}
        emits[g.population] &= kernel.emits_values(params)
    return emits
