"""The fabric of a chip, once for each thread.

The mesh phases of different ticks share nothing, so they run in parallel, in blocks that threads take as they are free.
Every result is an integer sum or sits at its tick's place, so the number of threads cannot be seen in it.
"""
from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from chipsim.engine.clocked import ClockedFabric
from chipsim.engine.fabric import Fabric
from chipsim.engine.queues import Queues
from chipsim.engine.wormhole import Wormhole

if TYPE_CHECKING:
    from chipsim.engine.packets import Packets
    from chipsim.engine.plan import Plan

WORTH_A_THREAD = 2048                       # packets of a chunk; fewer are through before another thread has begun
LEAST = 1 / 64                              # of a chunk: about the last block, that one thread waits for


class Fabrics:
    """Fabrics(plan, threads, pool): as many as threads; `pool` has those besides the caller's, None: there are none."""

    def __init__(self, plan: Plan, threads: int, pool: ThreadPoolExecutor | None):
        make = ClockedFabric.of if plan.period_ps else Wormhole if plan.fabric.wormhole else Fabric
        self.plan, self.pool = plan.fabric, pool
        self.each = [make(plan) for _ in range(threads)]
        self.times = np.empty(0, np.int64)

    def run(self, packets: Packets, starts: np.ndarray, ps: np.ndarray, limit: np.ndarray,
            totals: Sequence[np.ndarray]) -> np.ndarray:
        """Times int64[5, p] of a chunk's packets, rows as in PACKET_FIELDS; fills length and limit of each tick.

        They stay until the next chunk is run: fresh memory for each took a tenth of the time on 1024 cores.

        starts  int64[ticks + 1] first packet of each tick
        totals  added to: soma_ps [C+1], synapse_ps [C], stall_ps [C+1], latency [N_BINS]
        """
        n_packets = int(starts[-1])
        if 5 * n_packets >= len(self.times):
            self.times = np.empty(6 * (n_packets + 1), np.int64)
        times = self.times[: 5 * max(1, n_packets)].reshape(5, -1)
        threads = len(self.each) if n_packets > WORTH_A_THREAD else 1
        blocks = iter(list(pairwise(cuts(starts, threads))))
        parts = [tuple(np.zeros_like(total) for total in totals) for _ in range(threads)]
        failed: list[tuple[int, Exception]] = []

        def part(i: int) -> None:
            for first, last in blocks:                      # whoever is free takes the next
                try:
                    self.each[i].run_ticks(packets, first, last, ps, limit, times, *parts[i])
                except Exception as error:
                    failed.append((first, error))
                    return

        others = [self.pool.submit(part, i) for i in range(1, threads)] if self.pool else []
        part(0)
        for other in others:
            other.result()
        if failed:                                          # the same one for any number of threads
            raise min(failed, key=lambda found: found[0])[1]
        for own in parts:
            for total, more in zip(totals, own, strict=True):
                total += more
        return times[:, :n_packets]

    def loads(self) -> np.ndarray:
        """Flits sent over each channel since the fabrics were made."""
        return np.sum([f.loads() for f in self.each], axis=0)

    def queues(self) -> Queues:
        """Of all ticks since the fabrics were made."""
        total = Queues.none(self.plan.n_channels)
        for f in self.each:
            total.add(Queues(*f.occupancy()))
        return total

    def blocked(self) -> np.ndarray:
        """int64[2, K] flits dropped at each channel, and sent round it, since the fabrics were made."""
        return np.sum([f.blocked() for f in self.each], axis=0)

    def off_route(self) -> np.ndarray:
        """int64[n, 4] since it was asked last: rows of losses.OFF_ROUTE, ticks counted from their chunk's start."""
        return np.concatenate([f.off_route() for f in self.each])

    def one_pass(self) -> dict[str, int]:
        """Ticks with packets in the fabric, and those of them that one pass over the channels did exactly."""
        streams = [f.stream for f in self.each if getattr(f, "stream", None) is not None]
        return dict(ticks=sum(s.tried for s in streams), in_one_pass=sum(s.held for s in streams))


def cuts(starts: np.ndarray, threads: int) -> list[int]:
    """Ticks at which a chunk is cut into blocks, starts as in `Fabrics.run`.

    Each has half a thread's share of the packets that are left: few blocks, the last ones short.
    """
    if threads == 1:
        return [0, len(starts) - 1]
    rest = 1 - 1 / (2 * threads)
    left = rest ** np.arange(1, int(np.log(LEAST) / np.log(rest)) + 1)
    inner = np.searchsorted(starts, np.round((1 - left) * int(starts[-1])))
    return sorted({0, *inner.tolist(), len(starts) - 1})
