"""What an engine gives back: raw counts and times of the ticks it advanced, before names are put to them."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.queues import Queues
from chipsim.engine.run import ACTIONS

if TYPE_CHECKING:
    from chipsim.engine.losses import Losses

LOST = -1                           # arrived_ps and started_ps of a delivery that was dropped; its done_ps: when
PACKET_FIELDS = ("tick", "source", "axon", "made_ps", "entered_ps", "arrived_ps", "started_ps", "done_ps")


@dataclass(frozen=True)
class Recording:
    """What to keep besides the counts.

    sources  bool[S]: whose spikes (and payloads) to log
    probes   (state variable, neuron numbers int64[m]) to sample
    names    whose the probes are, then whose the weights
    packets  ticks of which to keep one record per packet
    weights  (plastic projection's number, synapses int64[m] in its order) to sample
    every    probes and weights are sampled after every so many ticks of the run
    """

    sources: np.ndarray
    probes: tuple[tuple[str, np.ndarray], ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    packets: range = range(0)
    weights: tuple[tuple[int, np.ndarray], ...] = ()
    every: int = 1

    def kept(self, first_tick: int) -> slice:
        """Of ticks from `first_tick` on, those after which to sample."""
        return slice((-first_tick - 1) % self.every, None, self.every)


class Tardiness:
    """Packets, by source, that acted later than their delay says (late) or never (lost), int64[S] each."""

    def __init__(self, n_sources: int):
        self.late, self.lost = np.zeros(n_sources, np.int64), np.zeros(n_sources, np.int64)

    def add(self, source: np.ndarray, late: np.ndarray) -> None:
        """Packets of one tick: source int[p], late int[p] as Plan.late gives it."""
        np.add.at(self.late, source[late > 0], 1)
        np.add.at(self.lost, source[late < 0], 1)


@dataclass(eq=False)
class Outcome:
    """Times in integer ps, relative to the start of their tick; see Run for the arrays of the same names."""

    active: np.ndarray                   # int64[ticks] neuron updates that were active
    core_active: np.ndarray              # int64[C]
    spike_counts: np.ndarray             # int64[ticks, ACTIONS] what followed from the spikes of each tick
    source_spikes: np.ndarray            # int64[S]
    event_tick: np.ndarray               # int64[n] recorded spikes, by tick, then by source (lines before neurons)
    event_source: np.ndarray             # int64[n]
    event_payload: np.ndarray            # float64[n]
    probes: list[np.ndarray]             # [samples, m] each, probes and then weights
    tick_ps: np.ndarray                  # int64[ticks] without barrier
    tick_limit: np.ndarray               # int32[ticks] LIMIT_* << 24 | core
    soma_ps: np.ndarray                  # int64[C+1]
    synapse_ps: np.ndarray               # int64[C]
    stall_ps: np.ndarray                 # int64[C+1]
    latency: np.ndarray                  # int64[N_BINS]
    learning_ps: np.ndarray              # int64[ticks] learning phase, not part of tick_ps
    learning_core: np.ndarray            # int32[ticks] the core that it lasts for
    core_learning: np.ndarray            # int64[C, 3] traces, reads, updates
    core_blocks: np.ndarray              # int64[C] blocks of matrices multiplied
    tardiness: Tardiness
    weights: list[np.ndarray]            # per plastic projection float64[P]
    link_packets: np.ndarray | None = None   # int64[K] flits sent over each channel; None unless timing is exact
    queues: Queues | None = None         # of the FIFOs behind the channels, likewise
    losses: Losses | None = None         # exact timing on a fabric that drops packets
    slowest_tick: int = -1
    slowest_packets: dict[str, np.ndarray] = field(default_factory=dict)   # PACKET_FIELDS of that tick
    packets: dict[str, np.ndarray] | None = None
    low_counts: np.ndarray = field(default_factory=lambda: np.zeros((0, len(ACTIONS)), np.int64))    # see Run
    high_ps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE, LIMIT_LINK, LIMIT_LEARNING, LIMIT_LAYER = range(6)
LIMITS = ("none", "soma", "synapse", "link", "learning", "layer")        # of a layer: the index of its population
