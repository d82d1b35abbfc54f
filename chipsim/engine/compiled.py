"""The compiled engine: function, one call per chunk of ticks, then the mesh of each tick, on as many threads as asked.

Function gives each thread a share of the cores (shares.py); the fabric gives each some of the ticks (fabrics.py). On
barrier chips what a spike does does not depend on when in the tick it arrives, so function runs ahead and leaves the
packets of each tick behind. While some threads do the mesh of a chunk, one goes on with the function of the next. What
either way takes is measured as the run goes, and the faster one taken (pace.py).
"""
from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from chipsim.engine.analytic import analytic
from chipsim.engine.fabrics import Fabrics
from chipsim.engine.function import Function
from chipsim.engine.levels import Levels
from chipsim.engine.losses import Losses
from chipsim.engine.outcome import PACKET_FIELDS, Outcome, Recording, Tardiness
from chipsim.engine.pace import Pace
from chipsim.engine.packets import Packets
from chipsim.engine.plan import Plan
from chipsim.engine.queues import Queues
from chipsim.engine.stats import N_BINS

CHUNK_PACKETS = 1 << 18                     # packets of a chunk: 10 MB of times
TICKS = 16, 4096                            # of the first chunk, and of any at most


@dataclass(eq=False)
class Chunk:
    """Some ticks whose spikes are known: what function counted and left behind."""

    first_tick: int
    counts: np.ndarray                      # int64[ticks, ACTIONS]
    active: np.ndarray                      # int64[ticks]
    probes: list[np.ndarray]
    learning_ps: np.ndarray                 # int64[ticks]
    learning_core: np.ndarray               # int32[ticks]
    packets: Packets                        # until function has gone two chunks further
    start: np.ndarray                       # int64[ticks + 1] first packet of a tick
    source: np.ndarray                      # uint32[p] of the packets
    axon: np.ndarray


class CompiledEngine:
    """Advance a Plan tick by tick. `timing` is "none", "analytic" or "exact"; same results as ReferenceEngine."""

    def __init__(self, plan: Plan, recording: Recording, timing: str = "exact", threads: int = 1,
                 seed: int = 0):
        self.plan, self.recording, self.timing, self.threads = plan, recording, timing, max(1, threads)
        self.coupled = plan.coupled and timing == "exact"      # function waits for the fabric, tick by tick
        self.function = Function(plan, recording.sources, timing != "none", seed, 1 if self.coupled else self.threads)
        self.levels = Levels.of(plan)
        self.timed = self.levels.timed if self.levels else plan       # what fabrics know of servers
        overlap = self.threads > 1 and timing != "none" and not self.coupled
        self.pool = ThreadPoolExecutor(self.threads - 1) if overlap else None
        self.fabrics = Fabrics(self.timed, self.threads if overlap else 1, self.pool) if timing == "exact" else None
        self.pace = Pace()
        self.loads_before: np.ndarray | int = 0                      # of the parts of the run taken already
        self.queues_before = Queues.none(plan.fabric.n_channels)
        self.begin()
        self.ticks_per_call = 1 if self.coupled else TICKS[0]
        self.seconds = {"function": 0.0, "fabric": 0.0}              # wall time, for a profile of the simulator itself

    def begin(self) -> None:
        """Nothing counted or recorded yet."""
        cores = self.plan.layout.n_cores
        self.chunks: list[tuple] = []
        self.soma_ps, self.stall_ps = np.zeros(cores + 1, np.int64), np.zeros(cores + 1, np.int64)
        self.synapse_ps, self.latency = np.zeros(cores, np.int64), np.zeros(N_BINS, np.int64)
        self.blocked_before = self.blocked()
        self.losses = Losses(*self.blocked_before)
        self.slowest: tuple[int, int, dict] = (-1, -1, {})
        self.packets: list[dict] = []
        self.settled: tuple[list, list] = ([], [])                    # of `levels`, per chunk
        self.tardiness = Tardiness(self.plan.layout.n_sources)

    def advance(self, n_ticks: int, start: np.ndarray, line: np.ndarray, value: np.ndarray | None,
                reset_every: int = 0) -> None:
        """Run `n_ticks`; tick t has the events line[start[t]:start[t+1]]; reset before every `reset_every`-th tick."""
        chunks = self.function_of(n_ticks, start, np.ascontiguousarray(line, np.uint32), value, reset_every)
        if self.pool is None:
            for chunk in chunks:
                self.time(chunk)
            return
        chunk = next(chunks, None)
        while chunk:
            began, self.function.alone = perf_counter(), self.pace.choose()
            ahead = self.pool.submit(next, chunks, None) if self.function.alone else None
            self.time(chunk)
            following = ahead.result() if ahead else next(chunks, None)
            if following and len(following.active) == len(chunk.active):
                self.pace.took(self.function.alone, (perf_counter() - began) / len(chunk.active))
            chunk = following
        self.function.alone = False

    def function_of(self, n_ticks: int, start, line, value, reset_every: int) -> Iterator[Chunk]:
        """Function, chunk by chunk; with several threads the first are short, since nothing can be done beside them."""
        done = n = 0
        while done < n_ticks:
            n = min(self.ticks_per_call, n_ticks - done, max(2 * n, TICKS[0]) if self.pool else n_ticks)
            if self.recording.weights:                         # they are looked at between chunks
                n = min(n, self.recording.every - self.function.tick % self.recording.every)
            yield self.spikes(n, np.ascontiguousarray(start[done : done + n + 1], np.int64), line, value, reset_every)
            done += n

    def spikes(self, n: int, start, line, value, reset_every: int) -> Chunk:
        """Function of the next n ticks."""
        began, function = perf_counter(), self.function
        first_tick = function.tick
        state = {name: dtype for kernel in self.plan.layout.kernels for name, dtype in kernel.state.items()}
        probes = [(name, ids, np.zeros((n, len(ids)), state[name])) for name, ids in self.recording.probes]
        counts, active = function.advance(n, start, line, value, reset_every, probes, self.coupled)
        packets = function.packets.by_tick() if self.timing == "exact" else 3 * [np.zeros(0)]
        if self.levels:
            for done, total in zip(self.settled, self.levels.settle(function.packets), strict=True):
                done.append(total)
        kept = self.recording.kept(first_tick)
        chunk = Chunk(first_tick, counts, active, [out[kept] for _, _, out in probes], *function.learning(),
                      function.packets, *packets)
        if not self.coupled:
            chunk.probes += self.learnt(function.tick)
            self.ticks_per_call = ticks_of(CHUNK_PACKETS * n // max(1, len(function.packets)))
        self.seconds["function"] += perf_counter() - began
        return chunk

    def learnt(self, ticks: int) -> list[np.ndarray]:
        """float64[1, m] each: weights that are recorded, as they are after so many ticks; no rows if they are not."""
        fixed, kept = self.plan.layout.plastic, ticks % self.recording.every == 0
        each = self.function.weights() if kept and self.recording.weights else []
        return [(each[i] if each else fixed[i].weight)[synapses][None][: int(kept)]
                for i, synapses in self.recording.weights]

    def time(self, chunk: Chunk) -> None:
        """How long the ticks of a chunk take, and where the time goes."""
        began, n = perf_counter(), len(chunk.active)
        ps, limit = np.zeros(n, np.int64), np.zeros(n, np.int32)
        if self.timing == "analytic":
            analytic(self.timed, chunk.packets, n, ps, limit, self.soma_ps, self.synapse_ps)
        elif self.fabrics:
            totals = self.soma_ps, self.synapse_ps, self.stall_ps, self.latency
            times = self.fabrics.run(chunk.packets, chunk.start, ps, limit, totals)
            if self.coupled:
                late = self.plan.late(times[-1], times[2], chunk.first_tick)
                if not self.plan.step_ps:                      # in continuous time to act later is no lateness
                    self.tardiness.add(chunk.source, late)
                self.function.release(late)
                chunk.learning_ps, chunk.learning_core = self.function.learning()
                chunk.probes += self.learnt(self.function.tick)
            self.keep(chunk, ps, times)
        self.chunks.append((chunk.counts, chunk.active, ps, limit, chunk.probes, chunk.learning_ps,
                            chunk.learning_core))
        self.seconds["fabric"] += perf_counter() - began

    def keep(self, chunk: Chunk, ps: np.ndarray, times: np.ndarray) -> None:
        """Records of the packets that are wanted, and of those of the longest tick.

        ps int64[n] lengths of the ticks, without learning;  times int64[5, p] of the packets, rows as in PACKET_FIELDS
        """
        if self.plan.fabric.wait:
            off_route = self.fabrics.off_route()
            off_route[:, 0] += chunk.first_tick
            tick = chunk.first_tick + np.repeat(np.arange(len(ps)), np.diff(chunk.start))
            self.losses.add(tick, chunk.source, chunk.axon, times, off_route)
        whole = ps + chunk.learning_ps
        slowest = int(whole.argmax())
        if whole[slowest] > self.slowest[0]:
            self.slowest = int(whole[slowest]), chunk.first_tick + slowest, records(slowest, chunk, times)
        if self.recording.packets:
            self.packets += [records(t, chunk, times) for t in range(len(ps))
                             if chunk.first_tick + t in self.recording.packets]

    def one_pass(self) -> dict[str, int]:
        """Ticks with packets in the fabric, and those of them that one pass over the channels did exactly."""
        return self.fabrics.one_pass() if self.fabrics else dict(ticks=0, in_one_pass=0)

    def take(self) -> Outcome:
        """Everything since the engine was made or since the last `take`; then begin anew, the state as it is."""
        out = self.outcome()
        if self.fabrics:
            self.loads_before, self.queues_before = self.fabrics.loads(), self.fabrics.queues()
        self.function.forget()
        self.begin()
        return out

    def snapshot(self) -> dict[str, np.ndarray]:
        """What another engine of the same plan needs to go on from here, after a `take`."""
        return self.function.snapshot()

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Go on from a `snapshot`."""
        self.function.restore(snapshot)

    def held_bytes(self) -> int:
        """Memory that grows with the ticks, until `take`."""
        arrays = [a for chunk in self.chunks for a in chunk if isinstance(a, np.ndarray)]
        arrays += [a for chunk in self.chunks for a in chunk[4]] + [a for p in self.packets for a in p.values()]
        return sum(a.nbytes for a in arrays) + 24 * self.function.n_recorded

    def blocked(self) -> np.ndarray:
        """int64[2, K] flits dropped at each channel, and sent round it, since the engine was made."""
        if self.fabrics and self.plan.fabric.wait:
            return self.fabrics.blocked()
        return np.zeros((2, self.plan.fabric.n_channels), np.int64)

    def outcome(self) -> Outcome:
        """Everything since the engine was made or since the last `take`."""
        tick, source, payload = self.function.recorded()

        lossy = bool(self.fabrics and self.plan.fabric.wait)
        if lossy:
            self.losses.drops, self.losses.detours = self.blocked() - self.blocked_before

        def joined(i: int) -> np.ndarray:
            return np.concatenate([c[i] for c in self.chunks])

        return Outcome(
            active=joined(1), core_active=self.function.active_per_core(), spike_counts=joined(0),
            source_spikes=self.function.spikes_per_source(), event_tick=tick, event_source=source,
            event_payload=payload,
            probes=[np.concatenate([c[4][i] for c in self.chunks]) for i in range(len(self.recording.names))],
            tick_ps=joined(2), tick_limit=joined(3), soma_ps=self.soma_ps, synapse_ps=self.synapse_ps,
            stall_ps=self.stall_ps, latency=self.latency,
            link_packets=self.fabrics.loads() - self.loads_before if self.fabrics else None,
            queues=self.fabrics.queues().since(self.queues_before) if self.fabrics else None,
            learning_ps=joined(5), learning_core=joined(6), core_learning=self.function.learning_per_core(),
            core_blocks=self.function.blocks_per_core(),
            tardiness=self.tardiness, losses=self.losses if lossy else None, weights=self.function.weights(),
            slowest_tick=self.slowest[1], slowest_packets=self.slowest[2],
            packets=columns(self.packets) if self.packets else None,
            **dict(zip(("low_counts", "high_ps"), map(np.concatenate, self.settled), strict=True))
            if self.levels else {})


def ticks_of(n: int) -> int:
    """Ticks of a chunk that would hold as many packets as wanted with n: a power of two, so that most are alike."""
    return min(1 << max(0, n.bit_length() - 1), TICKS[1])


def records(t: int, chunk: Chunk, times: np.ndarray) -> dict[str, np.ndarray]:
    """The packets of tick t of a chunk, host port first, then core by core in the order they were made."""
    part = slice(chunk.start[t], chunk.start[t + 1])
    n = part.stop - part.start
    values = (np.full(n, chunk.first_tick + t, np.int64), chunk.source[part].astype(np.int64),
              chunk.axon[part].astype(np.int64), *(row[part].copy() for row in times))
    return dict(zip(PACKET_FIELDS, values, strict=True))


def columns(parts: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([p[name] for p in parts]) for name in PACKET_FIELDS}
