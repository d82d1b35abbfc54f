"""One network on several processes: each rank has the synapses and neurons of some of the chip's cores.

Every tick each rank advances its own neurons, the ranks tell each other which sources spiked, and each delivers all
spikes of the tick to its own cores, in the order one process would: lines, then neurons by number. So every sum is
added up in the same order, and the result is the same on any number of ranks, bit for bit, in floating point too.

Offered is function and counts (timing "none"). Exact times across ranks would need the mesh of a tick on one rank, with
the packets of all (which a barrier chip allows, since ticks share nothing), or routers cut between ranks that meet at
every link's latency, nanoseconds apart; neither is here.
"""
from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.engine.account import account_of
from chipsim.engine.outcome import Outcome, Tardiness
from chipsim.engine.plan import plan
from chipsim.engine.probes import recording_of
from chipsim.engine.run import Run
from chipsim.engine.schedule import schedule_of
from chipsim.engine.shares import core_borders, work_before
from chipsim.engine.stats import N_BINS
from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chipsim.network.stimulus import Stimulus


class Ranks(Protocol):
    """Processes that meet: this one's number, how many there are, and a way to tell all the others."""

    rank: int
    size: int

    def share(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays that all ranks gave, of one dtype and any lengths along their first axis, in rank order."""
        ...


class MpiRanks:
    """The ranks of an MPI communicator of mpi4py; buffers travel as they are."""

    def __init__(self, comm: Any = None):
        if comm is None:
            try:
                from mpi4py import MPI
            except ImportError as error:
                raise UsageError(Diagnostic("U441", f"ranks need mpi4py, and an MPI: {error}",
                                            help="install chipsim with its extra `mpi`")) from error
            comm = MPI.COMM_WORLD
        self.comm, self.rank, self.size = comm, comm.Get_rank(), comm.Get_size()

    def share(self, array: np.ndarray) -> list[np.ndarray]:
        """As Ranks.share."""
        array = np.ascontiguousarray(array)
        row = array[:1].nbytes if len(array) else int(np.prod(array.shape[1:])) * array.itemsize
        lengths = np.empty(self.size, np.int64)
        self.comm.Allgather(np.array([len(array)], np.int64), lengths)
        out = np.empty((int(lengths.sum()), *array.shape[1:]), array.dtype)
        self.comm.Allgatherv(array.view(np.uint8).reshape(-1) if array.size else np.empty(0, np.uint8),
                             [out.view(np.uint8).reshape(-1) if out.size else np.empty(0, np.uint8), lengths * row])
        return np.split(out, np.cumsum(lengths)[:-1])


def simulate_ranks(layout: Layout, stimulus: Stimulus | None = None, *, ranks: Ranks | None = None,
                   ticks: int | None = None, seed: int = 0, record: Iterable[str] = ("outputs",)) -> Run:
    """As `simulate(..., timing="none")`, on all ranks together; every rank calls it and gets the whole Run.

    ranks  default: those that `mpiexec` started (needs mpi4py)
    Raises UsageError (U440) for layouts that learn, for those with delays of 0, which act within the tick, and for
    chips with operating points or matrices; U441 without mpi4py.
    """
    from chipsim.engine.function import Function

    ranks = ranks or MpiRanks()
    whole = plan(layout)
    by_load = layout.chip.core.dvfs is not None or layout.chip.core.matrix is not None
    if whole.learning is not None or whole.same_tick or by_load:
        why = "what its cores do follows from the packets that come to them" if by_load else \
            "it learns" if whole.learning is not None else "it has delays of 0 ticks"
        raise UsageError(Diagnostic("U440", f"`{layout.network}` cannot run on several ranks: {why}",
                                    help="run it in one process"))
    schedule = schedule_of(layout, stimulus, ticks)
    recording = recording_of(layout, record)
    first, last = core_borders(work_before(layout), ranks.size)[ranks.rank : ranks.rank + 2].tolist()
    own = (np.arange(layout.n_sources) >= layout.core_start[first]) & \
        (np.arange(layout.n_sources) < layout.core_start[last])
    own[layout.n_neurons :] = ranks.rank == 0                              # input lines are counted by one
    mine = plan(_only(layout, first, last))
    mine = replace(mine, per_spike=np.where(own[:, None], whole.per_spike, 0))
    function = Function(mine, recording.sources & own, False, seed)
    rows, actives, began = [], [], time.perf_counter()
    state = {name: dtype for kernel in layout.kernels for name, dtype in kernel.state.items()}
    probed = [np.zeros((schedule.ticks, len(ids)), state[name]) for name, ids in recording.probes]
    line = np.ascontiguousarray(schedule.line, np.uint32)
    for t in range(schedule.ticks):
        probes = [(name, ids, out[t : t + 1]) for (name, ids), out in zip(recording.probes, probed, strict=True)]
        counts, active = function.advance(1, np.ascontiguousarray(schedule.start[t : t + 2], np.int64), line,
                                          schedule.value, schedule.reset_every, probes, True)
        source, payload = function.waiting()
        lines = int((source >= layout.n_neurons).sum())
        function.hear(np.concatenate([source[:lines], *ranks.share(source[lines:])]),
                      np.concatenate([payload[:lines], *ranks.share(payload[lines:])]))
        function.release()
        rows.append(counts[0])
        actives.append(active[0])

    def total(array: np.ndarray) -> np.ndarray:
        return np.sum(np.stack([part.reshape(array.shape) for part in ranks.share(array.reshape(-1))]), axis=0)

    spikes = np.where(own, function.spikes_per_source(), 0)
    events = [np.concatenate(ranks.share(part)) for part in function.recorded()]
    order = np.argsort(events[0], kind="stable")
    cores, n = layout.n_cores, schedule.ticks
    here = own[: layout.n_neurons]
    out = Outcome(
        active=total(np.array(actives, np.int64)), core_active=total(function.active_per_core()),
        spike_counts=total(np.array(rows, np.int64)), source_spikes=total(spikes), event_tick=events[0][order],
        event_source=events[1][order], event_payload=events[2][order],
        probes=[_columns(ranks, values, here[ids]) for (_, ids), values in zip(recording.probes, probed, strict=True)],
        tick_ps=np.zeros(n, np.int64), tick_limit=np.zeros(n, np.int32), soma_ps=np.zeros(cores + 1, np.int64),
        synapse_ps=np.zeros(cores, np.int64), stall_ps=np.zeros(cores + 1, np.int64),
        latency=np.zeros(N_BINS, np.int64), core_blocks=np.zeros(cores, np.int64),
        learning_ps=np.zeros(n, np.int64),
        learning_core=np.zeros(n, np.int32), core_learning=np.zeros((cores, 3), np.int64),
        tardiness=Tardiness(layout.n_sources), weights=[])
    run = account_of(layout, whole, out, schedule, "none", recording, 0)
    run.meta.update(engine="compiled", seed=seed, ranks=ranks.size, wall_s=time.perf_counter() - began,
                    seconds={"function": time.perf_counter() - began}, resumed=0,
                    stimulus=stimulus.origin if stimulus is not None else "")
    return run


def _only(layout: Layout, first: int, last: int) -> Layout:
    """The layout with neurons advanced and packets received on cores [first, last) alone, all numbers as they were."""
    there = (np.asarray(layout.axon_core) >= first) & (np.asarray(layout.axon_core) < last)
    kept = there[layout.out_axon]
    before = np.concatenate([[0], np.cumsum(kept)])
    return replace(layout, groups=tuple(g for g in layout.groups if first <= g.core < last),
                   out_start=before[layout.out_start].astype(np.int64), out_axon=np.asarray(layout.out_axon)[kept])


def _columns(ranks: Ranks, values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Each probed neuron as the rank saw it that has it: values [ticks, m], here bool[m]."""
    seen, owners = ranks.share(np.ascontiguousarray(values.T)), ranks.share(here)
    out = np.zeros_like(values.T)
    for part, mine in zip(seen, owners, strict=True):
        out[mine] = part[mine]
    return np.ascontiguousarray(out.T)
