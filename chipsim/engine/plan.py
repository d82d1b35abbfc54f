"""A Layout and its chip, lowered to what an engine works on: contiguous arrays, integer picoseconds, no names.

Both engines, the plain and the compiled one, run from the same Plan, so what they must agree on is written once.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.layout import SYNAPSE_FORMATS, Layout
from chipsim.engine.learning import LearningPlan, plan_learning
from chipsim.engine.multicast import Trees, build_trees
from chipsim.engine.outcome import LOST
from chipsim.engine.run import ACTIONS, HOPS, SYNOPS, A
from chipsim.engine.straight import hops, is_straight
from chipsim.engine.topology import KINDS, FabricPlan, flows_to_channels, picoseconds, plan_fabric, walk
from chipsim.errors import Diagnostic, SimulationError

MAX_LATE = 255                  # ticks by which a packet may come late
SYNOP_COLUMNS = np.array([A[name] for name in SYNOPS])      # in the order of SYNAPSE_FORMATS


@dataclass(frozen=True, eq=False)
class Plan:
    """
    trees         multicast trees of the sources, or None where every target core gets a packet of its own
    arbitration   policy of a clockless fabric
    endpoint      int32[S]            core index of each neuron; C (the host port) for input lines
    axon_core     int32[A]            core index of each in-axon
    per_spike     int32[S, ACTIONS]   actions that follow from one spike of a source, whatever the tick
    axon_synops   int64[A, formats]   stored synapses of an in-axon, by synapse format
    fetched       int64[A]            1 where the synapses of an in-axon are fetched from outside the core, else 0
    service_ps    int64[A]            time the synapse server takes for a packet of that in-axon
    period_ps     cycle of a clocked fabric, 0 without a clock
    compartments  int64[N]            updates that a visit of each neuron takes
    idle_ps, active_ps, spike_ps, axon_out_ps, host_ps, barrier_ps, reset_ps   int
    tick_ps       least length of a tick: the period of a fixed tick, else 0
    step_ps       in continuous time, the length of a tick: packets act in the tick they arrive in; 0 on other chips
    blocks        int64[C] blocks of each core's matrix, multiplied in a tick after packets came; None on other chips
    block_ps      of each
    learning      None where nothing learns
    late_policy   of a fixed tick, what becomes of late packets: see chipsim.chip.spec.Tick
    max_late      most ticks by which a packet may act later than its delay says
    """

    layout: Layout
    fabric: FabricPlan
    trees: Trees | None
    arbitration: str
    endpoint: np.ndarray
    axon_core: np.ndarray
    per_spike: np.ndarray
    axon_synops: np.ndarray
    fetched: np.ndarray
    service_ps: np.ndarray
    period_ps: int
    compartments: np.ndarray
    idle_ps: int
    active_ps: int
    spike_ps: int
    axon_out_ps: int
    host_ps: int
    barrier_ps: int
    reset_ps: int
    tick_ps: int
    step_ps: int
    learning: LearningPlan | None
    blocks: np.ndarray | None = None
    block_ps: int = 0
    max_late: int = 0
    late_policy: str = "stretch"

    @property
    def max_delay(self) -> int:
        """The largest delay of any segment."""
        return int(self.layout.segment_delay.max(initial=0))

    @property
    def ring(self) -> int:
        """Slots of the accumulators: a tick each, the current one included."""
        return self.max_delay + 1 + self.max_late

    @property
    def same_tick(self) -> bool:
        """Some spikes act in the tick they are made in, so that groups must be advanced and delivered one by one."""
        return bool((self.layout.segment_delay == 0).any())

    @property
    def coupled(self) -> bool:
        """When a packet has been dealt with decides when, or whether, it acts."""
        return bool(self.step_ps) or self.late_policy != "stretch" or bool(self.fabric.wait)

    def late(self, done_ps: np.ndarray, arrived_ps: np.ndarray, tick: int) -> np.ndarray:
        """Ticks int32[p] by which packets act later than their delay says; -1: they never do.

        done_ps, arrived_ps  int64[p] from the start of the tick (in continuous time: after the spike): when the target
                 core has dealt with each packet, and when it came there; LOST: it was dropped
        Raises SimulationError (F503) for one that takes longer than the accumulators reach.
        """
        step = self.step_ps or self.tick_ps
        lost = np.asarray(arrived_ps) == LOST
        if not self.step_ps and self.late_policy == "stretch":
            return np.where(lost, -1, 0).astype(np.int32)
        late = np.where(lost, 0, np.maximum(-(-np.asarray(done_ps, np.int64) // step) - 1, 0))
        if self.late_policy == "drop":
            return np.where(lost | (late > 0), -1, 0).astype(np.int32)
        if late.max(initial=0) > self.max_late:
            raise SimulationError(Diagnostic(
                "F503", f"a spike of tick {tick} takes {int(np.max(done_ps))} ps to its target, more than "
                f"{self.max_late + 1} ticks of {step} ps", help="the network sends more events than the chip "
                "can carry: fewer spikes, or longer ticks"))
        return np.where(lost, -1, late).astype(np.int32)


def step_ps(layout: Layout) -> int:
    """Hardware time of a tick in continuous time; 0 on other chips."""
    c = layout.chip.continuous
    return picoseconds(layout.dt / c.acceleration if layout.dt else c.step) if c else 0


def plan(layout: Layout, learning: bool = True) -> Plan:
    """learning: whether plastic synapses learn."""
    chip, n = layout.chip, layout.n_neurons
    costs = chip.costs
    fabric = plan_fabric(chip.fabric, layout.cores)
    endpoint = np.full(layout.n_sources, layout.n_cores, np.int32)
    endpoint[:n] = np.repeat(np.arange(layout.n_cores), np.diff(layout.core_start))

    axon_synops = np.zeros((len(layout.axon_core), len(SYNAPSE_FORMATS)), np.int64)
    axon = np.repeat(np.arange(len(layout.axon_core)), np.diff(layout.axon_start))
    for form in range(len(SYNAPSE_FORMATS)):
        own = np.asarray(layout.segment_format) == form
        axon_synops[:, form] = np.bincount(axon[own], layout.segment_size[own], len(axon_synops))
    synop_ps = np.array([picoseconds(c.time) for c in (costs.synop_dense, costs.synop_sparse, costs.synop_conv)])
    fetched = np.zeros(len(axon_synops), np.int64)
    service_ps = picoseconds(costs.axon_in.time) + axon_synops @ synop_ps
    if costs.row_fetch is not None:
        fetched[axon_synops.sum(axis=1) > 1] = 1
        service_ps += fetched * picoseconds(costs.row_fetch.time)

    barrier_ps = 0
    if costs.barrier is not None:
        tiles = sorted(costs.barrier.tiles.items())
        in_use = len(np.unique(np.asarray(layout.cores) // chip.fabric.cores_per_router))
        barrier_ps = round(np.interp(in_use, [t for t, _ in tiles], [s * 1e12 for _, s in tiles]))
    late = chip.tick.late if chip.tick else "stretch"
    axon_core = np.asarray(layout.axon_core)
    trees = None
    if chip.fabric.cast == "multicast":
        trees = build_trees(fabric, endpoint, np.asarray(layout.out_start), axon_core[layout.out_axon])
    return Plan(
        layout=layout, fabric=fabric, trees=trees, arbitration=chip.fabric.arbitration,
        endpoint=endpoint, axon_core=axon_core, axon_synops=axon_synops,
        per_spike=_per_spike(layout, fabric, trees, endpoint, axon_synops, fetched), fetched=fetched,
        service_ps=service_ps.astype(np.int64),
        period_ps=picoseconds(chip.fabric.clock.period) if chip.fabric.clock else 0,
        compartments=compartments(layout),
        idle_ps=picoseconds(costs.neuron_idle.time), active_ps=picoseconds(costs.neuron_active.time),
        spike_ps=picoseconds(costs.spike.time), axon_out_ps=picoseconds(costs.axon_out.time),
        host_ps=picoseconds(costs.host_spike.time), barrier_ps=barrier_ps, reset_ps=picoseconds(costs.reset.time),
        tick_ps=picoseconds(chip.tick.period) if chip.tick else 0,
        step_ps=step_ps(layout), max_late=MAX_LATE if chip.continuous or late == "next_tick" else 0,
        late_policy=late,
        blocks=blocks_of(layout), block_ps=picoseconds(costs.matrix.time) if costs.matrix else 0,
        learning=plan_learning(layout, endpoint) if learning else None)


def compartments(layout: Layout) -> np.ndarray:
    """int64[N]: updates that a visit of each neuron takes."""
    each = np.ones(layout.n_neurons, np.int64)
    for g in layout.groups:
        each[g.start : g.stop] = layout.kernels[g.model].compartments
    return each


def blocks_of(layout: Layout) -> np.ndarray | None:
    """int64[C]: blocks of the matrix of each core's in-axons and neurons, times their phases; None without matrices."""
    matrix = layout.chip.core.matrix
    if matrix is None:
        return None
    with_synapses = np.diff(layout.axon_start) > 0              # where packets come in vain, there is no row
    axons = np.bincount(layout.axon_core[with_synapses], minlength=layout.n_cores)
    columns = -(-np.diff(layout.core_start) // matrix.columns)
    return (matrix.phases * -(-axons // matrix.rows) * columns).astype(np.int64)


def initial_state(layout: Layout) -> dict[str, np.ndarray]:
    """State variables [N] of all models, as they are at the start and after a reset."""
    state = {
        name: np.zeros(layout.n_neurons, dtype) for kernel in layout.kernels for name, dtype in kernel.state.items()
    }
    for g in layout.groups:
        for name, parameter in layout.kernels[g.model].initial.items():
            state[name][g.start : g.stop] = layout.params[parameter][g.start : g.stop]
    return state


def _per_spike(layout: Layout, fabric: FabricPlan, trees: Trees | None, endpoint: np.ndarray,
               axon_synops: np.ndarray, fetched: np.ndarray) -> np.ndarray:
    counts = np.zeros((layout.n_sources, len(ACTIONS)), np.int32)
    source = np.repeat(np.arange(layout.n_sources), np.diff(layout.out_start))
    axon = layout.out_axon
    targets = np.diff(layout.out_start)
    packets = targets if trees is None else np.minimum(targets, 1)
    counts[: layout.n_neurons, A["spike"]] = 1
    counts[: layout.n_neurons, A["axon_out"]] = packets[: layout.n_neurons]
    counts[layout.n_neurons :, A["host_spike"]] = packets[layout.n_neurons :]
    counts[:, A["axon_in"]] = targets
    counts[:, A["row_fetch"]] = np.bincount(source, fetched[axon], layout.n_sources)
    for column, synops in zip(SYNOP_COLUMNS, axon_synops.T, strict=True):
        counts[:, column] = np.bincount(source, synops[axon], layout.n_sources)
    hop, flits = A["hop_inject"], fabric.flits
    if trees is not None:
        counts[:, hop : hop + len(KINDS)] = flits * trees.links(fabric, len(KINDS))
        return counts
    counts[:, A["hop_inject"]] = counts[:, A["hop_eject"]] = flits * packets
    if is_straight(fabric):
        links = hops(fabric, endpoint[source], layout.axon_core[axon], len(KINDS))
        for kind in np.flatnonzero(links.any(axis=0)):
            counts[:, hop + kind] += np.bincount(source, flits * links[:, kind], layout.n_sources).astype(np.int32)
        return counts
    for channel, moving in walk(fabric, endpoint[source], layout.axon_core[axon]):
        np.add.at(counts, (source[moving], hop + fabric.kind[channel].astype(np.int64)), flits)
    return counts


def spikes_to_counts(plan: Plan, source_spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(core_counts int64[C, ACTIONS], flits int64[K] per link) that follow from the spikes of each source over a run.

    What a core sends (spike, axon_out, hops) stands at the core that sends it, what it receives (axon_in, synaptic
    operations) at the core that receives it. Neuron updates, resets and barriers are not in it.
    """
    layout = plan.layout
    core_counts = np.zeros((layout.n_cores + 1, len(ACTIONS)), np.int64)
    sent = plan.per_spike * source_spikes[:, None].astype(np.int64)
    for name in ("spike", "axon_out", "host_spike", *HOPS):
        np.add.at(core_counts[:, A[name]], plan.endpoint, sent[:, A[name]])
    source = np.repeat(np.arange(layout.n_sources), np.diff(layout.out_start))
    packets = source_spikes[source]
    target = layout.axon_core[layout.out_axon]
    np.add.at(core_counts[:, A["axon_in"]], target, packets)
    np.add.at(core_counts[:, A["row_fetch"]], target, packets * plan.fetched[layout.out_axon])
    for column, synops in zip(SYNOP_COLUMNS, plan.axon_synops.T, strict=True):
        np.add.at(core_counts[:, column], target, packets * synops[layout.out_axon])
    flits = plan.fabric.flits
    if plan.trees is not None:
        return core_counts[:-1], flits * plan.trees.loads(plan.fabric, plan.endpoint, source_spikes)
    if is_straight(plan.fabric):
        return core_counts[:-1], flits * flows_to_channels(plan.fabric, plan.endpoint[source], target, packets)
    pair = plan.endpoint[source].astype(np.int64) * layout.n_cores + target
    pairs, inverse = np.unique(pair, return_inverse=True)
    flow = np.zeros(len(pairs), np.int64)
    np.add.at(flow, inverse, packets)
    links = flows_to_channels(plan.fabric, pairs // layout.n_cores, pairs % layout.n_cores, flow)
    return core_counts[:-1], flits * links
