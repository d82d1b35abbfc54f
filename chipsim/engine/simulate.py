"""simulate: a Layout and a stimulus become a Run."""
from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.engine.critical import add_learning, critical_path
from chipsim.engine.deadlock import refuse_cycles
from chipsim.engine.learning import PHASE_COLUMNS
from chipsim.engine.losses import Ledger
from chipsim.engine.outcome import LIMIT_LEARNING, Outcome, Recording
from chipsim.engine.parts import Parts, identity
from chipsim.engine.plan import Plan, plan, spikes_to_counts
from chipsim.engine.queues import Queues
from chipsim.engine.run import ACTIONS, SYNOPS, A, Run
from chipsim.engine.run_file import save_run
from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from chipsim.engine.compiled import CompiledEngine
    from chipsim.engine.reference import ReferenceEngine
    from chipsim.network.stimulus import Stimulus

TIMINGS = ("none", "analytic", "exact")
SECONDS_PER_CALL = 0.2                      # of wall time between two looks at the keyboard and the progress line


def simulate(layout: Layout, stimulus: Stimulus | None = None, *, ticks: int | None = None, timing: str = "exact",
             engine: str = "compiled", seed: int = 0, samples: slice | Iterable[int] | None = None,
             record: Iterable[str] = ("outputs",), record_packets: bool | range = False, threads: int = 1,
             learning: bool = True, weights: dict[str, tuple] | None = None, check_routes: bool = True,
             progress: Callable[[int, int, dict], None] | None = None, save: str | os.PathLike | None = None,
             checkpoint_every: int = 0, resume: bool = False, meta: dict[str, Any] | None = None) -> Run:
    """Run a layout, spike by spike and packet by packet.

    stimulus  events on the input lines; None: no input, and `ticks` says how long
    ticks     length of the run; default: the stimulus. With several samples: ticks per sample
    timing    "none": function and counts; "analytic": exact loads, no queues; "exact": every packet, every hop
    engine    "compiled", or "reference", the plain one that defines the meaning (slow)
    samples   which samples of the stimulus to run
    record    "outputs", "all", population names, or "population.variable" to probe a state after every tick
    record_packets   keep one record per packet in Run.packets: of all ticks, or of those in a range
    threads   for the mesh; the result is the same, bit for bit, for any number
    learning  False: plastic synapses keep their weights, and learning costs nothing
    weights   start from the weights that another run has learnt (Run.weights)
    check_routes     refuse a custom topology whose routes can deadlock; False: run, and report a deadlock if it comes
    progress  called as progress(ticks done, ticks in all, {"synops": n}) a few times a second
    save      store the run in this file. A run too long for memory is written in parts as it goes, beside the file, and
              its large arrays are mapped from there; interrupted, it can be resumed (chipsim/engine/parts.py)
    checkpoint_every   ticks after which such a part ends at the latest
    meta      more to keep in Run.meta
    resume    go on where an interrupted run into the same file ended; from the start where there is none

    Samples are separated: all neuron state is reset and nothing is in flight when one begins (what was learnt
    stays), and each runs on for the depth of the outputs (the ticks that spikes need from layer to layer). Raises
    StimulusError, UsageError, ChipError for routes that can deadlock, SimulationError for a deadlock that came.
    """
    if timing not in TIMINGS:
        raise UsageError(Diagnostic("U410", f"timing `{timing}` does not exist", help=f"one of {', '.join(TIMINGS)}"))
    if engine not in ("compiled", "reference"):
        raise UsageError(Diagnostic("U411", f"engine `{engine}` does not exist", help="one of compiled, reference"))
    if layout.chip.time_base == "untimed":
        timing = "none"
    if samples is not None:
        if stimulus is None:
            raise UsageError(Diagnostic("U412", "samples are asked for, but there is no stimulus", help="give --input"))
        stimulus = stimulus.select(samples)
    schedule = schedule_of(layout, stimulus, ticks)
    if weights is not None:
        layout = layout.with_weights(weights)
    lowered = plan(layout, learning)
    if check_routes and timing == "exact":
        refuse_cycles(layout.chip.fabric, lowered.fabric)
    wanted = record_packets if isinstance(record_packets, range) else range(schedule.ticks * record_packets)
    recording = recording_of(layout, record, wanted)
    machine: Any = _engine(engine)(lowered, recording, timing, threads, seed)        # parts only of the compiled one
    parts = None
    if save is not None and engine == "compiled":
        parts = Parts(save, lambda: identity(layout, schedule, timing, seed, learning, recording), checkpoint_every)
    elif resume or checkpoint_every:
        raise UsageError(Diagnostic("U439", "a run can be resumed where it is stored, by the compiled engine",
                                    help="give the file it is stored in, and leave the reference engine out"))

    def account(first: int) -> Run:
        out = machine.take() if parts else machine.outcome()
        return account_of(layout, lowered, out, schedule, timing, recording, first)

    began, done, step = time.perf_counter(), parts.resume(machine) if parts and resume else 0, 1
    resumed = done
    with _interruptible() as interrupted:
        while done < schedule.ticks:
            n = min(step, schedule.ticks - done, parts.left(done) if parts else schedule.ticks)
            before = time.perf_counter()
            machine.advance(n, schedule.start[done : done + n + 1], schedule.line, schedule.value, schedule.reset_every)
            took = time.perf_counter() - before
            done += n
            if progress:
                progress(done, schedule.ticks, {})
            step = int(np.clip(n * SECONDS_PER_CALL / max(took, 1e-6), 1, 8 * step))
            if parts and done < schedule.ticks and (interrupted or parts.due(done, machine)):
                parts.keep(account(parts.done), machine.snapshot(), done)
            if interrupted and done < schedule.ticks:
                raise KeyboardInterrupt(f"after {done} of {schedule.ticks} ticks"
                                        + ("; `--resume` goes on from there" if parts else ""))
    told = dict(meta or {}, engine=engine, seed=seed, threads=threads, wall_s=time.perf_counter() - began,
                resumed=resumed, seconds=machine.seconds, stimulus=stimulus.origin if stimulus is not None else "",
                fabric=machine.one_pass())
    began = time.perf_counter()
    run = account(parts.done if parts else 0)
    if parts:
        run = parts.finish(run, told)
    else:
        run.meta.update(told)
        if save is not None:
            save_run(run, save)
    run.meta["seconds"]["save" if save is not None else "account"] = time.perf_counter() - began
    return run


@contextmanager
def _interruptible() -> Iterator[list]:
    """Ctrl-C ends the loop between two calls of the engine, when what it holds is whole; a second one ends it at once.

    Gives a list that is empty until then.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _engine(name: str) -> type[CompiledEngine] | type[ReferenceEngine]:
    if name == "compiled":
        from chipsim.engine.compiled import CompiledEngine

        return CompiledEngine
    from chipsim.engine.reference import ReferenceEngine

    return ReferenceEngine


class _Schedule:
    """The stimulus on the run's own time line: samples end to end, each with the ticks its answer needs."""

    def __init__(self, layout: Layout, stimulus: Stimulus | None, ticks: int | None):
        self.count, self.labels, self.reset_every, self.depth = 1, None, 0, 0
        self.line, self.value = np.zeros(0, np.uint32), None
        if stimulus is None:
            self.ticks = self.per_sample = int(ticks or 0)
            self.start = np.zeros(self.ticks + 1, np.int64)
            return
        self.line, self.value, self.labels = stimulus.line, stimulus.value, stimulus.labels
        self.count = stimulus.n_samples
        self.sampled = self.count > 1 or self.labels is not None
        given = stimulus.ticks if ticks is None else int(ticks)
        if self.sampled:
            self.depth = max((p.depth for p in layout.populations if p.name in layout.outputs), default=0)
        self.per_sample = given + self.depth
        self.reset_every = self.per_sample if self.sampled else 0
        self.ticks = self.count * self.per_sample
        start = np.asarray(stimulus.start, np.int64)
        at = np.arange(self.count)[:, None] * stimulus.ticks + np.minimum(np.arange(self.per_sample), stimulus.ticks)
        if given < stimulus.ticks:                              # cut short: later events must not leak into the tail
            keep = np.repeat((np.arange(len(start) - 1) % stimulus.ticks) < given, np.diff(start))
            lengths = np.where((np.arange(len(start) - 1) % stimulus.ticks) < given, np.diff(start), 0)
            start = np.concatenate([[0], np.cumsum(lengths)])
            self.line = self.line[keep]
            self.value = None if self.value is None else self.value[keep]
        self.start = np.append(start[at.ravel()], start[-1])

    sampled = False


def schedule_of(layout: Layout, stimulus: Stimulus | None, ticks: int | None) -> _Schedule:
    if stimulus is None and not ticks:
        raise UsageError(Diagnostic("U413", "neither input nor a number of ticks is given",
                                    help="--input FILE, or --ticks N for a network that spikes by itself"))
    if ticks is not None and ticks < 1:
        raise UsageError(Diagnostic("U414", f"a run needs at least one tick, got {ticks}"))
    if stimulus is not None:
        names = ", ".join(f"`{p.name}` {'x'.join(map(str, p.shape))}" for p in layout.populations if p.is_input)
        stimulus.check_lines(layout.n_lines, f"network `{layout.network}` ({names})")
    return _Schedule(layout, stimulus, ticks)


def recording_of(layout: Layout, record: Iterable[str], packets: range = range(0)) -> Recording:
    """What `simulate(record=...)` names. Raises UsageError (U415)."""
    sources = np.zeros(layout.n_sources, bool)
    probes, names = [], [p.name for p in layout.populations]
    for name in [record] if isinstance(record, str) else record:
        if name == "all":
            sources[:] = True
        elif name == "outputs":
            for output in layout.outputs:
                sources[layout.neurons_of(output)] = True
        elif name in names:
            sources[layout.neurons_of(name)] = True
        else:
            population, _, variable = name.rpartition(".")
            states = _states(layout, population)
            if population not in names or variable not in states:
                raise UsageError(Diagnostic("U415", f"`{name}` cannot be recorded",
                                            help=f"populations: {', '.join(names)}; variables: "
                                            f"{', '.join(_states(layout, names[-1]))}, as in `{names[-1]}.v`; "
                                            "or outputs, all"))
            probes.append((population, variable))
    return Recording(sources, tuple((variable, layout.neurons_of(p)) for p, variable in probes), tuple(probes), packets)


def _states(layout: Layout, population: str) -> dict[str, str]:
    """State variables of a population: name -> dtype."""
    return next((layout.kernels[g.model].state for g in layout.groups
                 if layout.populations[g.population].name == population), {})


def account_of(layout: Layout, lowered: Plan, out: Outcome, schedule: _Schedule, timing: str, recording: Recording,
               first: int) -> Run:
    """The ticks from `first` on that an engine gave back."""
    ticks, cores = len(out.tick_ps), layout.n_cores
    timed = timing != "none"
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
    links = dict(from_router=f.from_router, to_router=f.to_router, kind=f.kind, cycle_ps=f.cycle, slots=f.slots,
                 core=np.where(f.endpoint < 0, -1, np.append(layout.cores, -1)[f.endpoint]).astype(np.int32))
    return Run(
        layout_name=layout.network, chip=layout.chip.to_dict(), timing=timing, ticks=ticks, counts=counts,
        core_counts=core_counts, source_spikes=out.source_spikes, link_packets=link_packets, links=links,
        link_queued_ps=queues.queued_ps, link_peak=queues.peak,
        tick_ps=tick_ps, busy_ps=busy_ps, barrier_ps=barrier, tick_limit=tick_limit, learning_ps=learning_ps,
        soma_ps=out.soma_ps[:cores],
        synapse_ps=out.synapse_ps, stall_ps=out.stall_ps[:cores], slowest=slowest, latency=out.latency,
        cores=np.asarray(layout.cores), populations=_populations(layout, lowered, out, ticks, ledger),
        usage=layout.usage, limits=layout.limits, approximations=layout.approximations,
        packets=_with_cores(layout, lowered, out.packets),
        weights={p.name: (p.pre, p.post, w)
                 for p, w in zip(layout.plastic, out.weights or [p.weight for p in layout.plastic], strict=True)},
        **_losses(layout, lowered, out),
        **_named(layout, out, recording, schedule, first, ticks), meta=dict(first_tick=first))


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


def _named(layout: Layout, out: Outcome, recording: Recording, schedule: _Schedule, first: int, ticks: int) -> dict:
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
