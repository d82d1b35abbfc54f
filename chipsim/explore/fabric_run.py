"""One list of packets through a fabric alone, and what became of every packet.

Clocked fabrics go through the clocked routers, the others through the handshakes; the times are exact either way. The
latency of a packet is the sum of four parts:

queueing       offered until its head enters the fabric: waiting in the source
flight         its route without any other packet, head flit
serialisation  the flits behind the head, from its arrival to the tail's in the empty fabric (0 for packets of one flit)
blocking       all the rest: waiting for outputs, slots and virtual channels, and for other copies of the packet

Packets with several targets are copied by the routers of fabrics that do so; on the others they are a packet per
target, offered at once, which their source sends one after the other. Either way there is a latency per delivery.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from time import process_time

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.chip.worm_rules import copies_fit
from chipsim.engine.alone import alone
from chipsim.engine.deadlock import Deadlock, deadlock
from chipsim.engine.multicast import Trees, build_trees
from chipsim.engine.outcome import LOST
from chipsim.engine.topology import FabricPlan, picoseconds, plan_fabric, walk
from chipsim.errors import Diagnostic, UsageError
from chipsim.explore.traffic import Packets

AT_ONCE = 4096                  # packets whose flits are followed together: 60 MB for 16 flits over 120 links
PARTS = ("queueing", "blocking", "serialisation", "flight")
FOLLOWS = -1                    # in place of a time: a further delivery of the packet before it, see engine/buffers.pxd


@dataclass(frozen=True, eq=False)
class FabricRun:
    """p deliveries over K channels.

    made, entered, done  int64[p] ps: offered, head into the fabric, tail out of it
    flight, serialisation, hops  int64[p]: ps, ps, links between routers
    load       int64[K] flits over each channel
    queued, peak  int64[K] ps, int32[K]: time flits spent in the FIFO behind each channel, most at once (engine/queues)
    lost       bool[p]: dropped, at `done`, on fabrics that drop blocked packets; their flight counts as blocking
    cycle_ps   int: the unit of the rate: the clock's period, or the injection channel's cycle
    copied     the routers copied packets: of `packets.fanout` deliveries in a row, one packet entered
    """

    plan: FabricPlan
    packets: Packets
    n_nodes: int
    clocked: bool
    cycle_ps: int
    made: np.ndarray
    entered: np.ndarray
    done: np.ndarray
    flight: np.ndarray
    serialisation: np.ndarray
    hops: np.ndarray
    load: np.ndarray
    queued: np.ndarray
    peak: np.ndarray
    lost: np.ndarray
    copied: bool = False

    @property
    def entering(self) -> slice:
        """Deliveries whose packets their sources sent: each, or the first of each packet that was copied."""
        return slice(None, None, self.packets.fanout if self.copied else 1)

    @property
    def after_others(self) -> np.ndarray:
        """int64[p] ps that a packet waits in an idle source for those to other targets of the same `fanout`."""
        if self.copied:
            return np.zeros(len(self.packets), np.int64)
        inject = self.plan.inject[self.packets.src]
        each = self.packets.size * (self.cycle_ps if self.clocked else self.plan.cycle[inject])
        return np.arange(len(self.packets)) % self.packets.fanout * each

    @property
    def once(self) -> bool:
        """Every node was sent the flits of its deliveries, lost ones aside; no packet has a target twice."""
        due = np.bincount(self.packets.dst, self.packets.size * ~self.lost, self.n_nodes)
        return bool(np.array_equal(self.load[self.plan.eject[: self.n_nodes]], due))

    @property
    def latency(self) -> np.ndarray:
        """int64[p] ps, offered to tail out."""
        return self.done - self.made

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """PARTS -> int64[p] ps; their sum is the latency."""
        queueing = self.entered - self.made
        return dict(queueing=queueing, blocking=self.latency - queueing - self.serialisation - self.flight,
                    serialisation=self.serialisation, flight=self.flight)

    @property
    def window_ps(self) -> int:
        """Time in which packets are offered."""
        return self.packets.cycles * self.packets.cycle_ps

    @property
    def drain_ps(self) -> int:
        """From the end of the window until the last packet is out."""
        return max(0, int(self.done.max(initial=0)) - self.window_ps)


@dataclass(frozen=True, eq=False)
class _Alone:
    """What the handshake engine asks of a plan, for packets without neurons: an axon per core, taken at once."""

    fabric: FabricPlan
    arbitration: str
    endpoint: np.ndarray
    axon_core: np.ndarray
    service_ps: np.ndarray
    trees: Trees | None


class FabricBench:
    """The fabric of a chip, planned once, for any number of lists.

    engine_s   CPU seconds that the engine took for the last list, without what is done before and after
    """

    engine_s = 0.0

    def __init__(self, chip: ChipSpec):
        if chip.time_base == "untimed":
            raise UsageError(Diagnostic("F517", f"`{chip.name}` has no time, and its packets take none",
                                        help="take a chip with channels that have a latency and a cycle"))
        if chip.schedule is not None:
            raise UsageError(Diagnostic("F520", f"`{chip.name}` moves activations by a schedule made at compile time; "
                                        "no packets cross its fabric", help=f"`chipsim compile NETWORK --chip "
                                        f"{chip.name} --explain` shows how long that takes in each layer"))
        self.fabric, self.clock = chip.fabric, chip.fabric.clock
        self.n_nodes, self.copies = chip.n_cores, chip.fabric.cast == "multicast"
        self.plan = plan_fabric(chip.fabric, np.arange(chip.n_cores), host=self.clock is None)
        self.cycle_ps = picoseconds(self.clock.period) if self.clock else picoseconds(chip.fabric.channels.inject.cycle)

    def run(self, packets: Packets) -> FabricRun:
        """Move a list until the fabric is empty. SimulationError on a deadlock, UsageError on what it cannot move."""
        trees = self.trees(packets)
        if trees is not None and (small := list(copies_fit(self.fabric, int(packets.size.max(initial=1))))):
            raise UsageError(*(Diagnostic(m.code, f"`{m.path}`: {m.message}", help=m.help) for m in small))
        move = self._clocked if self.clock else self._handshakes
        times = move(packets, trees)
        return FabricRun(self.plan, packets, self.n_nodes, self.clock is not None, self.cycle_ps, **times,
                         copied=trees is not None)

    def trees(self, packets: Packets) -> Trees | None:
        """A tree for each packet with several targets, as the compiler's; None where each target gets its own."""
        if not self.copies or packets.fanout == 1:
            return None
        sources = packets.src[:: packets.fanout]
        return build_trees(self.plan, sources, packets.fanout * np.arange(len(sources) + 1), packets.dst)

    def _handshakes(self, packets: Packets, trees: Trees | None) -> dict[str, np.ndarray]:
        from chipsim.engine.fabric import Fabric
        from chipsim.engine.wormhole import Wormhole

        worms = bool((packets.size > 1).any())
        if worms and self.fabric.blocked:
            raise UsageError(Diagnostic("F516", f"packets of {packets.size.max()} flits on a fabric that drops them",
                                        help="packets of one flit, or a chip without `fabric.blocked`"))
        nodes = np.arange(self.n_nodes)
        source, ready = packets.src, packets.at * packets.cycle_ps
        if trees is not None:                               # each packet is the only one of a source of its own
            source = np.arange(len(packets)) // packets.fanout
            ready = np.where(np.arange(len(packets)) % packets.fanout, FOLLOWS, ready)
        sources = nodes if trees is None else packets.src[:: packets.fanout]
        plan = _Alone(self.plan, self.fabric.arbitration, sources.astype(np.int32), nodes.astype(np.int32),
                      np.zeros(self.n_nodes, np.int64), trees)
        by_flit = worms or self.plan.vcs > 1
        engine = Wormhole(plan) if by_flit else Fabric(plan)
        order = np.argsort(packets.src, kind="stable")      # the list is in order of time
        start = np.searchsorted(packets.src[order], np.arange(self.n_nodes + 2))
        began = process_time()
        try:
            moved = engine.move(start, ready[order], source[order].astype(np.uint32),
                                packets.dst[order].astype(np.uint32), *([packets.size[order]] * by_flit))
        except Deadlock as stuck:                           # packets by their place in the list
            raise deadlock([(c, int(order[p]), wanted) for c, p, wanted in stuck.waiting], self.plan) from None
        self.engine_s = process_time() - began
        made, entered, arrived, done = np.empty((4, len(packets)), np.int64)
        made[order], entered[order], arrived[order], _, done[order] = moved
        flight, hops = self.flight(packets.src, packets.dst)
        serialisation = self.serialisation(packets) if worms else np.zeros(len(packets), np.int64)
        lost = arrived == LOST
        flight[lost] = 0
        queued, peak = engine.occupancy()
        return dict(made=made, entered=entered, done=np.where(lost, done, arrived), flight=flight, hops=hops,
                    load=engine.loads(), queued=queued, peak=peak, serialisation=serialisation, lost=lost)

    def _clocked(self, packets: Packets, trees: Trees | None) -> dict[str, np.ndarray]:
        from chipsim.engine.clocked import ClockedFabric

        period = self.cycle_ps
        made = packets.at * packets.cycle_ps
        engine = ClockedFabric(self.plan, self.clock, trees)
        cycle, began = -(-made // period), process_time()
        t = engine.run(packets.src, packets.dst, cycle, packets.size, packets.fanout if trees is not None else 1)
        self.engine_s = process_time() - began
        flight, hops = self.flight(packets.src, packets.dst)
        queued, peak = engine.occupancy()
        return dict(made=made, queued=queued * period, peak=peak,
                    entered=t["head_inject"] * period, done=t["arrive"] * period, flight=flight, hops=hops,
                    load=t["load"], serialisation=(packets.size.astype(np.int64) - 1) * period,
                    lost=np.zeros(len(packets), bool))

    def flight(self, src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ps, hops) int64[p] of heads from node to node through an empty fabric, from their entry on.

        Of a channel counts its latency; of a clocked one its cycles + 1, and at every router the routing delay + 2.
        """
        plan = self.plan
        if self.clock:
            inject = (plan.hop_cycles + 1) * self.cycle_ps
            onward = inject + self.clock.router_cycles * self.cycle_ps
        else:
            inject = onward = plan.latency
        pairs, inverse = np.unique(src.astype(np.int64) * self.n_nodes + dst, return_inverse=True)
        source, target = pairs // self.n_nodes, pairs % self.n_nodes
        time, hops = inject[plan.inject[source]] + onward[plan.eject[target]], np.zeros(len(pairs), np.int64)
        for channel, moving in walk(plan, source, target):
            time[moving] += onward[channel]
            hops[moving] += 1
        return time[inverse], hops[inverse]

    def serialisation(self, packets: Packets) -> np.ndarray:
        """ps int64[p] from the head's arrival to the tail's, without a clock, in an empty fabric."""
        pair = packets.src.astype(np.int64) * self.n_nodes + packets.dst
        alike = pair * (int(packets.size.max()) + 1) + packets.size
        _, first, inverse = np.unique(alike, return_index=True, return_inverse=True)
        behind = np.zeros(len(first), np.int64)
        for some in np.array_split(np.arange(len(first)), len(first) // AT_ONCE + 1):
            one = first[some]
            head, tail, _ = alone(self.plan, packets.src[one], packets.dst[one], packets.size[one])
            behind[some] = tail - head
        return behind[inverse]

    def bound(self, packets: Packets) -> float:
        """Flits per node and cycle at which the busiest channel of a list with these flows is full: routes of a table,
        with `xy_yx` half of each flow in either order. Of packets with several targets a flit counts once."""
        from chipsim.engine.topology import flows_to_channels

        trees, size = self.trees(packets), packets.size.astype(np.int64)
        flows = packets.src, packets.dst, size
        orders = [replace(self.plan, order=o) for o in (1, 2)] if self.plan.by_vc == "xy_yx" else [self.plan]
        load = sum(flows_to_channels(plan, *flows) for plan in orders) / len(orders)
        if trees is not None:
            load = trees.loads(self.plan, packets.src[:: packets.fanout], size[:: packets.fanout])
        cycle = np.full(self.plan.n_channels, self.cycle_ps) if self.clock else self.plan.cycle
        offered = packets.size.sum() / packets.fanout / self.n_nodes
        return float(offered * self.cycle_ps / max(1, (load * cycle).max(initial=0)))
