"""The plain engine: the definition of function and of time.

A tick: every neuron takes the summed weights of the spikes that reach it in this tick, is advanced by its model's NumPy
step, and its spikes are added to the sums of the ticks they reach. Meanwhile, on the chip, each core's soma server
visits its neurons in slot order and turns spikes into packets, the fabric moves them, and each core's synapse server
takes them in order of arrival. Function does not depend on the times within a tick; the tick ends when all is still.

Nothing here is fast. The compiled engine must give the same numbers, every one of them.
"""
from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from chipsim.engine.outcome import LIMIT_LINK, LIMIT_NONE, LIMIT_SOMA, LIMIT_SYNAPSE, PACKET_FIELDS, Outcome, Recording
from chipsim.engine.plan import Plan
from chipsim.engine.stats import N_BINS, bin_of
from chipsim.engine.topology import EJECT, INJECT, LOCAL
from chipsim.models.kernels import KERNELS


class ReferenceEngine:
    """Advance a Plan tick by tick. `timing` is "none", "analytic" or "exact"."""

    def __init__(self, plan: Plan, recording: Recording, timing: str = "exact", threads: int = 1):
        self.plan, self.layout, self.recording, self.timing = plan, plan.layout, recording, timing
        self.kernel = KERNELS[self.layout.model]
        self.tick = 0
        self.ticks: list[dict] = []
        self.packets: list[tuple] = []
        n, cores = self.layout.n_neurons, self.layout.n_cores
        self.core_active = np.zeros(cores, np.int64)
        self.source_spikes = np.zeros(self.layout.n_sources, np.int64)
        self.soma_ps, self.stall_ps = np.zeros(cores + 1, np.int64), np.zeros(cores + 1, np.int64)
        self.synapse_ps = np.zeros(cores, np.int64)
        self.latency = np.zeros(N_BINS, np.int64)
        self.slowest: tuple[int, int, list] = (-1, -1, [])
        self.state = {name: np.zeros(n, dtype) for name, dtype in self.kernel.state.items()}
        self.reset()

    def reset(self) -> None:
        """All state to zero, nothing in flight."""
        layout, n = self.layout, self.layout.n_neurons
        for array in self.state.values():
            array[:] = 0
        self.sums = np.zeros((self.plan.max_delay + 1, n), self.kernel.accumulator)
        self.banks = np.zeros((len(layout.bank_shift), self.plan.max_delay + 1, n), np.int64)
        if layout.first_input is not None:
            for d, row in enumerate(layout.first_input):
                self.sums[(self.tick + d) % len(self.sums)] += row

    def advance(self, n_ticks: int, start: np.ndarray, line: np.ndarray, value: np.ndarray | None,
                reset_every: int = 0) -> None:
        """Run `n_ticks`; the events of tick t are line[start[t]:start[t+1]]; reset before every `reset_every`-th tick."""
        for t in range(n_ticks):
            if reset_every and self.tick and self.tick % reset_every == 0:
                self.reset()
            events = slice(start[t], start[t + 1])
            self.step(line[events], np.ones(len(line[events])) if value is None else value[events])

    def step(self, lines: np.ndarray, values: np.ndarray) -> None:
        layout, plan, tick = self.layout, self.plan, self.tick
        emitted = [(layout.n_neurons + int(s), float(p)) for s, p in zip(lines, values, strict=True) if p != 0]
        for source, payload in emitted:
            self.deliver(source, payload)
        active = np.zeros(layout.n_neurons, bool)
        for g in layout.groups:
            part = slice(g.start, g.stop)
            state = {name: array[part] for name, array in self.state.items()}
            params = {name: layout.params[name][part] for name in self.kernel.params}
            sums = self.sums[tick % len(self.sums)]
            payloads, active[part] = self.kernel.step(state, params, layout.options, sums[part])
            sums[part] = 0
            for i in np.flatnonzero(payloads):
                emitted.append((g.start + int(i), float(payloads[i])))
                self.deliver(*emitted[-1])
        for bank in range(1, len(layout.bank_shift)):
            shift = int(layout.bank_shift[bank])
            self.sums += self.banks[bank] << shift if shift >= 0 else self.banks[bank] >> -shift
            self.banks[bank] = 0

        counts = np.zeros(plan.per_spike.shape[1], np.int64)
        for source, _ in emitted:
            self.source_spikes[source] += 1
            counts += plan.per_spike[source]
        np.add.at(self.core_active, plan.endpoint[: layout.n_neurons][active], 1)
        row = dict(active=int(active.sum()), counts=counts, ps=0, limit=0,
                   events=[(s, p) for s, p in emitted if self.recording.sources[s]],
                   probes=[self.state[name][ids].copy() for name, ids in self.recording.probes])
        if self.timing != "none":
            row["ps"], row["limit"] = self.time(active, [s for s, _ in emitted])
        self.ticks.append(row)
        self.tick += 1

    def deliver(self, source: int, payload: float) -> None:
        """Add the synapses of every in-axon of a source to the sums of the ticks they reach."""
        layout = self.layout
        for axon in layout.out_axon[layout.out_start[source] : layout.out_start[source + 1]]:
            base = layout.core_start[layout.axon_core[axon]]
            for g in range(layout.axon_start[axon], layout.axon_start[axon + 1]):
                synapses = slice(layout.segment_start[g], layout.segment_start[g + 1])
                slot = (self.tick + layout.segment_delay[g]) % len(self.sums)
                bank = layout.segment_bank[g]
                sums = self.sums[slot] if bank == 0 else self.banks[bank, slot]
                w = layout.weight[synapses].astype(sums.dtype)
                np.add.at(sums, base + layout.target[synapses].astype(np.int64), w * sums.dtype.type(payload))

    def time(self, active: np.ndarray, sources: list[int]) -> tuple[int, int]:
        """Length of the tick in ps and what set it."""
        plan, layout = self.plan, self.layout
        servers = soma_work(plan, active, sources)
        for e, server in enumerate(servers):
            self.soma_ps[e] += sum(p.gap for p in server.packets) + server.tail
        work = np.zeros(layout.n_cores, np.int64)
        for server in servers:
            for p in server.packets:
                work[layout.axon_core[p.axon]] += plan.service_ps[p.axon]
        self.synapse_ps += work
        if self.timing == "analytic":
            return analytic_tick(plan, servers, work)
        length, limit = Mesh(plan).run(servers)
        packets = [p for server in [servers[-1], *servers[:-1]] for p in server.packets]      # host port first
        for e, server in enumerate(servers):
            self.stall_ps[e] += sum(p.entered - p.made for p in server.packets)
        for p in packets:
            self.latency[bin_of(p.arrived - p.made)] += 1
        records = [(self.tick, p.source, p.axon, p.made, p.entered, p.arrived, p.started, p.done) for p in packets]
        if length > self.slowest[0]:
            self.slowest = (length, self.tick, records)
        if self.recording.packets:
            self.packets += records
        return length, limit

    def outcome(self) -> Outcome:
        """Everything since the engine was made."""
        events = [(t, s, p) for t, row in enumerate(self.ticks) for s, p in row["events"]]
        return Outcome(
            active=np.array([r["active"] for r in self.ticks], np.int64), core_active=self.core_active,
            spike_counts=np.array([r["counts"] for r in self.ticks], np.int64), source_spikes=self.source_spikes,
            event_tick=np.array([e[0] for e in events], np.int64), event_source=np.array([e[1] for e in events], np.int64),
            event_payload=np.array([e[2] for e in events], np.float64),
            probes=[np.array([r["probes"][i] for r in self.ticks]) for i in range(len(self.recording.probes))],
            tick_ps=np.array([r["ps"] for r in self.ticks], np.int64),
            tick_limit=np.array([r["limit"] for r in self.ticks], np.int32),
            soma_ps=self.soma_ps, synapse_ps=self.synapse_ps, stall_ps=self.stall_ps, latency=self.latency,
            slowest_tick=self.slowest[1], slowest_packets=as_columns(self.slowest[2]),
            packets=as_columns(self.packets) if self.recording.packets and self.timing == "exact" else None)


def as_columns(records: list[tuple]) -> dict[str, np.ndarray]:
    table = np.array(records, np.int64).reshape(len(records), len(PACKET_FIELDS))
    return {name: table[:, i] for i, name in enumerate(PACKET_FIELDS)}


@dataclass
class Packet:
    source: int
    axon: int
    gap: int                    # soma time between the previous packet's entry and this one's making
    made: int = 0
    entered: int = 0            # into the injection FIFO
    arrived: int = 0            # in the input FIFO of its core
    started: int = 0
    done: int = 0


@dataclass
class Server:
    """A soma server's work of one tick: packets in order, and what remains after the last."""

    packets: list[Packet] = field(default_factory=list)
    tail: int = 0


def soma_work(plan: Plan, active: np.ndarray, sources: list[int]) -> list[Server]:
    """Per endpoint: visit the slots in order; a packet's gap is the soma time since the one before it."""
    layout = plan.layout
    out = layout.out_start
    servers = [Server() for _ in range(layout.n_cores + 1)]
    fired = set(s for s in sources if s < layout.n_neurons)
    for c in range(layout.n_cores):
        elapsed = 0
        for neuron in range(layout.core_start[c], layout.core_start[c + 1]):
            elapsed += plan.active_ps if active[neuron] else plan.idle_ps
            if neuron in fired:
                elapsed += plan.spike_ps
                for axon in layout.out_axon[out[neuron] : out[neuron + 1]]:
                    servers[c].packets.append(Packet(neuron, int(axon), elapsed + plan.axon_out_ps))
                    elapsed = 0
        servers[c].tail = elapsed
    for line in (s for s in sources if s >= layout.n_neurons):
        for axon in layout.out_axon[out[line] : out[line + 1]]:
            servers[-1].packets.append(Packet(line, int(axon), plan.host_ps))
    return servers


def analytic_tick(plan: Plan, servers: list[Server], work: np.ndarray) -> tuple[int, int]:
    """No queues: the busiest soma server, synapse server or channel bounds the tick (ties: in this order, lowest index)."""
    load = np.zeros(plan.fabric.n_channels, np.int64)
    for e, server in enumerate(servers):
        for p in server.packets:
            for k in route(plan, e, int(plan.layout.axon_core[p.axon])):
                load[k] += plan.fabric.cycle[k]
    length, limit = 0, LIMIT_NONE << 24
    for code, busy in ((LIMIT_SOMA, [sum(p.gap for p in s.packets) + s.tail for s in servers]),
                       (LIMIT_SYNAPSE, work), (LIMIT_LINK, load)):
        for i, ps in enumerate(busy):
            if ps > length:
                length, limit = int(ps), code << 24 | i
    return length, limit


def next_channel(plan: Plan, router: int, core: int) -> int:
    f = plan.fabric
    port = f.next_port[router, f.router[core]]
    return int(f.eject[core] if port == LOCAL else f.out_channel[router, port])


def route(plan: Plan, endpoint: int, core: int) -> list[int]:
    """Channels from an endpoint to a core, both ends included."""
    channels = [int(plan.fabric.inject[endpoint])]
    while plan.fabric.kind[channels[-1]] != EJECT:
        channels.append(next_channel(plan, int(plan.fabric.to_router[channels[-1]]), core))
    return channels


@dataclass
class Output:
    """A channel with its sender's bookkeeping and the FIFO at its far end."""

    free_at: int = 0
    last_port: int = -1                                      # winner of the last grant, for ties
    credits: list[int] = field(default_factory=list)         # times at which slots taken become usable again
    held: int = 0                                            # slots taken whose return is not yet known
    queue: deque = field(default_factory=deque)              # (packet, arrival)
    head_at: int = 0                                         # the head of the queue may request from here on
    busy_until: int = 0                                      # eject channels: the synapse server behind


class Mesh:
    """Routers, FIFOs and arbiters of one tick, from a quiet start; handshakes, no clock.

    A flit may leave by an output when it is at the head of its FIFO and the FIFO's cycle since the last departure is
    over (its request), the output's cycle is over, and a slot at the far end is free. Among the requests that stand at
    that time the earliest wins; equal times go in port order after the last winner. All arrivals of a time stamp come
    before all grants of it, and every latency is at least 1 ps, so no grant can see another of the same time.
    """

    def __init__(self, plan: Plan):
        self.plan, self.fabric = plan, plan.fabric
        self.outputs = [Output() for _ in range(plan.fabric.n_channels)]
        self.events: list[tuple[int, int, int]] = []          # (time, channel, index of the packet that arrives or -1)
        self.packets: list[Packet] = []
        n_ports = int(self.fabric.in_port.max()) + 1
        n_routers = len(self.fabric.out_channel)
        self.inputs: list[list[int]] = [[] for _ in range(n_routers)]
        for k, r in enumerate(self.fabric.to_router):
            if r >= 0:
                self.inputs[r].append(k)
        self.n_ports = n_ports

    def run(self, servers: list[Server]) -> tuple[int, int]:
        self.servers = servers
        self.sent = [0] * len(servers)                        # packets that have entered, per endpoint
        self.entry = [0] * len(servers)                       # when the last one did
        for e, server in enumerate(servers):
            if server.packets:
                self.make(e, 0)
        while self.events:
            now = self.events[0][0]
            touched = set()
            while self.events and self.events[0][0] == now:
                _, channel, index = heapq.heappop(self.events)
                touched.add(channel if index < 0 else self.arrive(now, channel, self.packets[index]))
            for channel in sorted(touched):
                self.arbitrate(now, channel)
        length, limit = 0, LIMIT_NONE << 24
        for e, server in enumerate(servers):
            if self.entry[e] + server.tail > length:
                length, limit = self.entry[e] + server.tail, LIMIT_SOMA << 24 | e
        for c, k in enumerate(self.fabric.eject[:-1]):
            if self.outputs[k].busy_until > length:
                length, limit = self.outputs[k].busy_until, LIMIT_SYNAPSE << 24 | c
        return length, limit

    def make(self, e: int, now: int) -> None:
        """The soma server starts on its next packet."""
        packet = self.servers[e].packets[self.sent[e]]
        packet.made = now + packet.gap
        channel = int(self.fabric.inject[e])
        heapq.heappush(self.events, (max(packet.made, self.outputs[channel].free_at), channel, -1))

    def arrive(self, now: int, channel: int, packet: Packet) -> int:
        """A flit enters the FIFO behind `channel`; return the output it will ask for."""
        fifo = self.outputs[channel]
        if not fifo.queue:
            fifo.head_at = max(fifo.head_at, now)
        fifo.queue.append((packet, now))
        head = fifo.queue[0][0]
        return next_channel(self.plan, int(self.fabric.to_router[channel]), int(self.plan.layout.axon_core[head.axon]))

    def requests(self, channel: int) -> list[tuple[int, int, int]]:
        """(time, port, input channel) of every head that wants this output."""
        router = int(self.fabric.from_router[channel])
        found = []
        for k in self.inputs[router]:
            if self.outputs[k].queue:
                head = self.outputs[k].queue[0][0]
                if next_channel(self.plan, router, int(self.plan.layout.axon_core[head.axon])) == channel:
                    found.append((self.outputs[k].head_at, int(self.fabric.in_port[k]), k))
        return found

    def arbitrate(self, now: int, channel: int) -> None:
        """Grant the output if it can be; otherwise, or if more wait, come back when something may have changed."""
        out, f = self.outputs[channel], self.fabric
        if f.kind[channel] == INJECT:
            e = int(f.endpoint[channel])
            if self.sent[e] == len(self.servers[e].packets):
                return
            wanted = [(self.servers[e].packets[self.sent[e]].made, 0, -1)]
        else:
            wanted = self.requests(channel)
        if not wanted:
            return
        ready = max(min(w[0] for w in wanted), out.free_at)
        if ready > now:
            heapq.heappush(self.events, (ready, channel, -1))
            return
        out.credits = [t for t in out.credits if t > now]
        if out.held + len(out.credits) >= f.slots[channel]:
            if out.credits:
                heapq.heappush(self.events, (min(out.credits), channel, -1))
            return                                            # else the departure that frees a slot comes back here
        waiting = [w for w in wanted if w[0] <= now]
        _, port, source = min(waiting, key=lambda w: (w[0], (w[1] - out.last_port - 1) % self.n_ports))
        self.grant(now, channel, port, source)
        if f.kind[channel] != INJECT and len(wanted) > 1:
            heapq.heappush(self.events, (out.free_at, channel, -1))

    def grant(self, now: int, channel: int, port: int, source: int) -> None:
        out, f = self.outputs[channel], self.fabric
        if source < 0:
            e = int(f.endpoint[channel])
            packet = self.servers[e].packets[self.sent[e]]
            packet.entered = now
        else:
            packet = self.leave(now, source)
        out.free_at, out.last_port = now + int(f.cycle[channel]), port
        arrival = now + int(f.latency[channel])
        if f.kind[channel] == EJECT:
            packet.arrived = arrival
            packet.started = max(arrival, out.busy_until)
            packet.done = out.busy_until = packet.started + int(self.plan.service_ps[packet.axon])
            out.credits.append(packet.started + int(f.credit[channel]))
        else:
            out.held += 1
            self.packets.append(packet)
            heapq.heappush(self.events, (arrival, channel, len(self.packets) - 1))
        if source < 0:
            self.sent[e] += 1
            self.entry[e] = now
            if self.sent[e] < len(self.servers[e].packets):
                self.make(e, now)

    def leave(self, now: int, channel: int) -> Packet:
        """Take the head out of the FIFO behind `channel`, give its slot back, and let the next one request."""
        fifo, f = self.outputs[channel], self.fabric
        packet, _ = fifo.queue.popleft()
        fifo.head_at = now + int(f.cycle[channel])
        if fifo.queue:
            fifo.head_at = max(fifo.head_at, fifo.queue[0][1])
            head = fifo.queue[0][0]
            onward = next_channel(self.plan, int(f.to_router[channel]), int(self.plan.layout.axon_core[head.axon]))
            heapq.heappush(self.events, (fifo.head_at, onward, -1))
        fifo.held -= 1
        fifo.credits.append(now + int(f.credit[channel]))
        heapq.heappush(self.events, (now + int(f.credit[channel]), channel, -1))
        return packet
