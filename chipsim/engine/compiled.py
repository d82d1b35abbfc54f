"""The compiled engine: function, one call per chunk of ticks, then the mesh of each tick, on as many threads as asked.

Function gives each thread a share of the cores (shares.py); what it takes with one and with several is measured as the
run goes, and the faster way taken (pace.py).

On barrier chips what a spike does does not depend on when in the tick it arrives, so function runs first and leaves
the packets of each tick behind; the mesh phases of different ticks share nothing and run in parallel, in blocks that
threads take as they are free. Every result is an integer sum or sits at its tick's place, so the number of threads
cannot be seen in it.
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter

import numpy as np

from chipsim.engine.analytic import analytic
from chipsim.engine.clocked import ClockedFabric
from chipsim.engine.fabric import Fabric
from chipsim.engine.function import Function
from chipsim.engine.levels import Levels
from chipsim.engine.losses import Losses
from chipsim.engine.outcome import PACKET_FIELDS, Outcome, Recording, Tardiness
from chipsim.engine.plan import Plan
from chipsim.engine.queues import Queues
from chipsim.engine.stats import N_BINS
from chipsim.engine.wormhole import Wormhole

CHUNK_PACKETS = 1 << 20                     # packets whose times are held at once: 40 MB
WORTH_A_THREAD = 2048                       # packets of a chunk; fewer are through before another thread has begun
BLOCKS = 8                                  # that a thread's ticks are cut into: none waits long for the others


class CompiledEngine:
    """Advance a Plan tick by tick. `timing` is "none", "analytic" or "exact"; same results as ReferenceEngine."""

    def __init__(self, plan: Plan, recording: Recording, timing: str = "exact", threads: int = 1,
                 seed: int = 0):
        self.plan, self.recording, self.timing, self.threads = plan, recording, timing, max(1, threads)
        self.coupled = plan.coupled and timing == "exact"      # function waits for the fabric, tick by tick
        self.function = Function(plan, recording.sources, timing != "none", seed, 1 if self.coupled else self.threads)
        self.levels = Levels.of(plan)
        self.timed = self.levels.timed if self.levels else plan       # what fabrics know of servers
        make = ClockedFabric.of if plan.period_ps else Wormhole if plan.fabric.wormhole else Fabric
        self.fabrics = [make(self.timed) for _ in range(self.threads)] if timing == "exact" else []
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 and self.fabrics else None
        self.loads_before: np.ndarray | int = 0                      # of the parts of the run taken already
        self.queues_before = Queues.none(plan.fabric.n_channels)
        self.begin()
        self.ticks_per_call = 1 if self.coupled else 16
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
        done = 0
        while done < n_ticks:
            n = min(self.ticks_per_call, n_ticks - done)
            self.chunk(n, start[done : done + n + 1], line, value, reset_every)
            done += n

    def chunk(self, n: int, start, line, value, reset_every: int) -> None:
        first_tick = self.function.tick
        state = {name: dtype for kernel in self.plan.layout.kernels for name, dtype in kernel.state.items()}
        probes = [(name, ids, np.zeros((n, len(ids)), state[name])) for name, ids in self.recording.probes]
        began = perf_counter()
        counts, active = self.function.advance(n, np.ascontiguousarray(start, np.int64),
                                               np.ascontiguousarray(line, np.uint32), value, reset_every, probes,
                                               self.coupled)
        ps, limit = np.zeros(n, np.int64), np.zeros(n, np.int32)
        between = perf_counter()
        packets = self.function.packets() if self.timing == "exact" else None
        if self.levels:
            for done, total in zip(self.settled, self.levels.settle(self.function), strict=True):
                done.append(total)
        if self.timing == "analytic":
            analytic(self.timed, self.function, n, ps, limit, self.soma_ps, self.synapse_ps)
        elif packets is not None:
            times = self.mesh(packets[0], ps, limit)
            if self.coupled:
                late = self.plan.late(times[-1, : len(packets[1])], times[2, : len(packets[1])], first_tick)
                if not self.plan.step_ps:                      # in continuous time to act later is no lateness
                    self.tardiness.add(packets[1], late)
                self.function.release(late)
            self.keep(n, first_tick, ps + self.function.learning()[0], *packets, times)
        learning = self.function.learning()
        self.chunks.append((counts, active, ps, limit, [out for _, _, out in probes], *learning))
        self.seconds["function"] += between - began
        self.seconds["fabric"] += perf_counter() - between

    def mesh(self, starts: np.ndarray, ps: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """Times int64[5, p] of the chunk's packets, rows as in PACKET_FIELDS; fills length and limit of each tick.

        starts  int64[ticks + 1] first packet of each tick
        """
        n_packets = int(starts[-1])
        times = np.zeros((5, max(1, n_packets)), np.int64)
        threads = self.threads if n_packets > WORTH_A_THREAD else 1
        blocks = iter(list(pairwise(cuts(starts, BLOCKS * threads if threads > 1 else 1))))
        parts = [(np.zeros_like(self.soma_ps), np.zeros_like(self.synapse_ps), np.zeros_like(self.stall_ps),
                  np.zeros_like(self.latency)) for _ in range(threads)]
        failed: list[tuple[int, Exception]] = []

        def part(i: int) -> None:
            for first, last in blocks:                      # whoever is free takes the next
                try:
                    self.fabrics[i].run_ticks(self.function, first, last, ps, limit, times, *parts[i])
                except Exception as error:
                    failed.append((first, error))
                    return

        if threads > 1 and self.pool:
            list(self.pool.map(part, range(threads)))
        else:
            part(0)
        if failed:                                          # the same one for any number of threads
            raise min(failed, key=lambda found: found[0])[1]
        for soma, synapse, stall, latency in parts:
            self.soma_ps += soma
            self.synapse_ps += synapse
            self.stall_ps += stall
            self.latency += latency
        return times[:, :n_packets]

    def keep(self, n: int, first_tick: int, whole: np.ndarray, start: np.ndarray, source: np.ndarray, axon: np.ndarray,
             times: np.ndarray) -> None:
        """Records of the packets that are wanted, and of those of the longest tick; whole int64[n]: lengths."""
        if self.plan.fabric.wait:
            off_route = np.concatenate([fabric.off_route() for fabric in self.fabrics])
            off_route[:, 0] += first_tick
            tick = first_tick + np.repeat(np.arange(n), np.diff(start))
            self.losses.add(tick, source, axon, times, off_route)
        slowest = int(whole.argmax())
        if whole[slowest] > self.slowest[0]:
            self.slowest = (int(whole[slowest]), first_tick + slowest,
                            records(slowest, first_tick, start, source, axon, times))
        if self.recording.packets:
            self.packets += [records(t, first_tick, start, source, axon, times) for t in range(n)
                             if first_tick + t in self.recording.packets]
        if not self.coupled:
            per_tick = max(1, len(source) // n)
            self.ticks_per_call = int(np.clip(CHUNK_PACKETS // per_tick, 1, 4096))

    def one_pass(self) -> dict[str, int]:
        """Ticks with packets in the fabric, and those of them that one pass over the channels did exactly."""
        streams = [f.stream for f in self.fabrics if getattr(f, "stream", None) is not None]
        return dict(ticks=sum(s.tried for s in streams), in_one_pass=sum(s.held for s in streams))

    def queues(self) -> Queues:
        """Of all threads' ticks together."""
        total = Queues.none(self.plan.fabric.n_channels)
        for f in self.fabrics:
            total.add(Queues(*f.occupancy()))
        return total

    def take(self) -> Outcome:
        """Everything since the engine was made or since the last `take`; then begin anew, the state as it is."""
        out = self.outcome()
        self.loads_before, self.queues_before = self.loads(), self.queues()
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
        total = np.zeros((2, self.plan.fabric.n_channels), np.int64)
        for f in self.fabrics if self.plan.fabric.wait else ():
            total += f.blocked()
        return total

    def loads(self) -> np.ndarray | int:
        """Flits sent over each channel since the engine was made."""
        return sum(f.loads() for f in self.fabrics)

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
            probes=[np.concatenate([c[4][i] for c in self.chunks]) for i in range(len(self.recording.probes))],
            tick_ps=joined(2), tick_limit=joined(3), soma_ps=self.soma_ps, synapse_ps=self.synapse_ps,
            stall_ps=self.stall_ps, latency=self.latency,
            link_packets=self.loads() - self.loads_before if self.fabrics else None,
            queues=self.queues().since(self.queues_before) if self.fabrics else None,
            learning_ps=joined(5), learning_core=joined(6), core_learning=self.function.learning_per_core(),
            core_blocks=self.function.blocks_per_core(),
            tardiness=self.tardiness, losses=self.losses if lossy else None, weights=self.function.weights(),
            slowest_tick=self.slowest[1], slowest_packets=self.slowest[2],
            packets=columns(self.packets) if self.packets else None,
            **dict(zip(("low_counts", "high_ps"), map(np.concatenate, self.settled), strict=True))
            if self.levels else {})


def cuts(starts: np.ndarray, n: int) -> list[int]:
    """Ticks at which a chunk is cut into at most n blocks of about as many packets; starts as in `mesh`."""
    inner = np.searchsorted(starts, np.arange(1, n) * int(starts[-1]) // n)
    return sorted({0, *inner.tolist(), len(starts) - 1})


def records(t: int, first_tick: int, start, source, axon, times) -> dict[str, np.ndarray]:
    """The packets of tick t of a chunk, host port first, then core by core in the order they were made."""
    part = slice(start[t], start[t + 1])
    n = part.stop - part.start
    values = (np.full(n, first_tick + t, np.int64), source[part].astype(np.int64), axon[part].astype(np.int64),
              *(row[part].copy() for row in times))
    return dict(zip(PACKET_FIELDS, values, strict=True))


def columns(parts: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([p[name] for p in parts]) for name in PACKET_FIELDS}
