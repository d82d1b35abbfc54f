"""What happened: counts of actions, times, spikes; everything a report needs, and nothing that has a price yet.

Action counts, not joules: another cost table re-prices a Run without running it again. Times are outcomes of the
simulation and stay those of the chip that was simulated.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# What a chip does, in the order of the count arrays. A cost table has an energy for each.
ACTIONS = (
    "neuron_idle",      # visit of a neuron that has no state, input or bias
    "neuron_active",    # update of a neuron that has
    "spike",            # spike-out of the soma
    "axon_out",         # packet made by a core
    "host_spike",       # packet made by the host port for an input line
    "axon_in",          # packet taken by a synapse server
    "row_fetch",        # synapses of an in-axon fetched from memory outside the core
    "synop_dense",      # synaptic operations, by synapse format of the in-axon
    "synop_sparse",
    "synop_conv",
    "hop_inject",       # flits over a channel, by channel class
    "hop_eject",
    "hop_east_west",
    "hop_north_south",
    "hop_diagonal",
    "hop_tree",
    "hop_interchip",
    "reset",            # cores reset between samples
    "barrier",          # ticks ended by a barrier
    "learn_trace",      # traces advanced, plastic synapses read, synapses updated at the end of an epoch
    "learn_read",
    "learn_update",
    "matrix",           # blocks of cores' matrices multiplied
)
A = {name: i for i, name in enumerate(ACTIONS)}
HOPS = tuple(name for name in ACTIONS if name.startswith("hop_"))
SYNOPS = ("synop_dense", "synop_sparse", "synop_conv")


@dataclass(frozen=True, eq=False)
class Run:
    """Counters, times and spikes of one simulation of `ticks` ticks (times in integer picoseconds).

    counts         int64[ticks, ACTIONS]    summed over cores
    core_counts    int64[C, ACTIONS]        summed over ticks (hops: packets sent by the core)
    source_spikes  int64[S]                 spikes (input lines: events) per source
    unit_source    int32[S]                 source of each unit, population by population; empty in old files
    link_packets   int64[L]                 flits per channel; `links` says which
    link_queued_ps int64[L] time that flits spent in the FIFO behind each channel, summed; link_peak int32[L] most of
                   them at once (queues.py); empty unless timing is exact
    links          dict of arrays [L]: from_router, to_router, core,
                   kind (0 inject, 1 eject, 2 east-west, 3 north-south), cycle_ps, slots
    tick_ps        int64[ticks]             length of each tick, barrier included (0 with timing "none"; with a fixed
                                            tick, its period)
    busy_ps        int64[ticks]             of that, until all was done; all of it but on chips with a fixed tick
    barrier_ps     int64[ticks]
    tick_limit     int32[ticks]             what set the tick: code*2^24 + index; see report/names.py
    soma_ps        int64[C], synapse_ps int64[C]  busy time per core, summed over ticks;
                   stall_ps int64[C] soma stalled on a full FIFO
    learning_ps    int64[ticks]             of that, the learning phase at the end of an epoch
    low_counts     int64[ticks, ACTIONS]    of `counts`, what cores did at their lower operating point, and
                   high_ps int64[ticks] their work at the upper one, summed over cores (levels.py); no rows on chips
                   without operating points
    weights        plastic projection -> (pre int32[P], post int32[P], weight float64[P]) at the end of the run
    slowest        dict describing the slowest tick: tick, core or link, busy times of its servers
    latency        int64[bins] histogram of packet latencies (made -> accepted by the synapse server's FIFO);
                   see stats.py
    spikes         population -> (tick int64[n], index int32[n]) for recorded populations, ordered by tick, then index
    values         population -> float64[ticks, size] output values, for populations that emit values each tick
    states         (population, variable) -> array[n, size] for probed variables, (projection, "w" or "w[A:B]") ->
                   float64[n, m] for probed weights: after the ticks `probed_ticks`
    packets        None or dict of arrays, one entry per packet: tick, source, axon, made_ps, entered_ps, arrived_ps,
                   started_ps, done_ps, from_core (-1: the host's port), to_core
    lost           None, or on a fabric that drops blocked packets a dict of arrays, one entry per delivery that did
                   not come about: tick, source, axon, made_ps, dropped_ps, from_core, to_core (in `packets` their
                   arrived_ps and started_ps are -1, and done_ps is when they were dropped)
    link_drops     int64[L] flits dropped while they waited for each channel, link_detours int64[L] sent round it
                   by the emergency route; empty on fabrics that drop nothing
    samples        None or dict: ticks (per sample), count, labels (or None), depth per output, predicted, output_counts
    meta           command line, versions, seed, timing level, wall time, stimulus, rates; fabric: ticks with packets,
                   and how many of them one pass over the channels did exactly (`in_one_pass`)
    """

    layout_name: str
    chip: dict                       # the resolved chip description, as ChipSpec.to_dict() gives it
    timing: str
    ticks: int
    counts: np.ndarray
    core_counts: np.ndarray
    source_spikes: np.ndarray
    link_packets: np.ndarray
    links: dict[str, np.ndarray]
    tick_ps: np.ndarray
    busy_ps: np.ndarray
    barrier_ps: np.ndarray
    tick_limit: np.ndarray
    soma_ps: np.ndarray
    synapse_ps: np.ndarray
    stall_ps: np.ndarray
    slowest: dict
    latency: np.ndarray
    cores: np.ndarray
    populations: tuple[dict, ...] = ()
    usage: dict[str, np.ndarray] = field(default_factory=dict)
    limits: dict[str, int | None] = field(default_factory=dict)
    approximations: tuple[dict, ...] = ()
    spikes: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    states: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    packets: dict[str, np.ndarray] | None = None
    lost: dict[str, np.ndarray] | None = None
    link_drops: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    link_detours: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    samples: dict | None = None
    learning_ps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    low_counts: np.ndarray = field(default_factory=lambda: np.zeros((0, len(ACTIONS)), np.int64))
    high_ps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    link_queued_ps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    link_peak: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    unit_source: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    weights: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    def __repr__(self) -> str:
        synops = int(self.counts[:, [A[s] for s in SYNOPS]].sum())
        time = f", {self.tick_ps.sum() * 1e-6:.4g} us of chip time" if self.tick_ps.any() else ""
        return (f"<Run of {self.layout_name} on {self.chip['name']}: {self.ticks} ticks, timing {self.timing}, "
                f"{int(self.counts[:, A['axon_in']].sum())} packets, {synops} synaptic operations{time}>")

    @property
    def probed_ticks(self) -> np.ndarray:
        """int64[n]: ticks after which `states` were kept."""
        every = self.meta.get("record_every", 1)
        return np.arange(every - 1, self.ticks, every)

    def weight_matrix(self, projection: str, sample: int | None = None) -> np.ndarray:
        """float64[post, pre] of a plastic projection at the end of the run, or at a sample of its recorded weights
        (`record="NAME.w"`, ticks in `probed_ticks`); NaN where there is no synapse."""
        pre, post, weight = self.weights[projection]
        if sample is not None:
            weight = self.states[projection, "w"][sample]
        matrix = np.full((post.max(initial=-1) + 1, pre.max(initial=-1) + 1), np.nan)
        matrix[post, pre] = weight
        return matrix

    def _repr_html_(self) -> str:
        from chipsim.report.html import run_html

        return run_html(self)
