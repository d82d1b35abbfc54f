"""The plain engine: the definition of function and of time.

A tick: every neuron takes the summed weights of the spikes that reach it in this tick, is advanced by its model's NumPy
step, and its spikes are added to the sums of the ticks they reach. Meanwhile, on the chip, each core's soma server
visits its neurons in slot order and turns spikes into packets, the fabric moves them, and each core's synapse server
takes them in order of arrival. Function does not depend on the times within a tick; the tick ends when all is still.

Nothing here is fast. The compiled engine must give the same numbers, every one of them.
"""
from __future__ import annotations

import numpy as np

from chipsim.engine.learning import PHASE_COLUMNS, REWARD
from chipsim.engine.levels import Levels
from chipsim.engine.losses import Losses
from chipsim.engine.outcome import LOST, PACKET_FIELDS, Outcome, Recording, Tardiness
from chipsim.engine.plan import Plan, initial_state
from chipsim.engine.queues import Queues
from chipsim.engine.reference_clocked import ClockedTick
from chipsim.engine.reference_mesh import Mesh
from chipsim.engine.reference_servers import Server, analytic_tick, settle_plainly, soma_work
from chipsim.engine.reference_wormhole import Wormhole
from chipsim.engine.run import ACTIONS, A
from chipsim.engine.stats import N_BINS, bin_of
from chipsim.models.draws import Draws
from chipsim.models.plasticity.learner import Learner


class ReferenceEngine:
    """Advance a Plan tick by tick. `timing` is "none", "analytic" or "exact"."""

    def __init__(self, plan: Plan, recording: Recording, timing: str = "exact", threads: int = 1,
                 seed: int = 0):
        self.plan, self.layout, self.recording, self.timing = plan, plan.layout, recording, timing
        self.kernels, self.seed = self.layout.kernels, seed
        self.tick = 0
        self.seconds: dict[str, float] = {}                          # function and fabric are not told apart here
        self.ticks: list[dict] = []
        self.packets: list[tuple] = []
        cores = self.layout.n_cores
        self.core_active = np.zeros(cores, np.int64)
        self.source_spikes = np.zeros(self.layout.n_sources, np.int64)
        self.soma_ps, self.stall_ps = np.zeros(cores + 1, np.int64), np.zeros(cores + 1, np.int64)
        self.synapse_ps = np.zeros(cores, np.int64)
        self.latency = np.zeros(N_BINS, np.int64)
        self.tardiness = Tardiness(self.layout.n_sources)
        self.link_packets = np.zeros(plan.fabric.n_channels, np.int64)
        self.queues = Queues.none(plan.fabric.n_channels)
        self.losses = Losses(np.zeros_like(self.link_packets), np.zeros_like(self.link_packets))
        self.slowest: tuple[int, int, list] = (-1, -1, [])
        self.levels = Levels.of(plan)
        self.low_counts: list[np.ndarray] = []
        self.high_ps: list[int] = []
        self.reached = np.zeros(cores, bool)                          # by packets of the last tick
        self.core_blocks = np.zeros(cores, np.int64)
        self.learning = plan.learning
        self.learners = self.learning.learners(Learner, seed) if self.learning else []
        self.weight = self.layout.weight.copy()
        for i, learner in enumerate(self.learners):                        # within the bounds of their rules
            self.hold(i, learner)
        self.core_learning = np.zeros((cores, 3), np.int64)
        self.reset()

    def one_pass(self) -> dict[str, int]:
        """As CompiledEngine.one_pass: the plain engine has no short cut."""
        return dict(ticks=0, in_one_pass=0)

    def reset(self) -> None:
        """All state as at the start, nothing in flight; what was learnt stays."""
        layout = self.layout
        for learner in self.learners:
            learner.reset()
        self.state = initial_state(layout)
        self.reached[:] = False
        shape = (self.plan.ring, layout.n_receptors, layout.n_neurons)
        self.sums = np.zeros(shape, layout.accumulator)
        self.banks = np.zeros((len(layout.bank_shift), *shape), np.int64)
        if layout.first_input is not None:
            for d, row in enumerate(layout.first_input):
                self.sums[(self.tick + d) % len(self.sums), 0] += row

    def advance(self, n_ticks: int, start: np.ndarray, line: np.ndarray, value: np.ndarray | None,
                reset_every: int = 0) -> None:
        """Run `n_ticks`; tick t has the events line[start[t]:start[t+1]]; reset before every `reset_every`-th tick."""
        for t in range(n_ticks):
            if reset_every and self.tick and self.tick % reset_every == 0:
                self.reset()
            events = slice(start[t], start[t + 1])
            self.step(line[events], np.ones(len(line[events])) if value is None else value[events])

    def step(self, lines: np.ndarray, values: np.ndarray) -> None:
        emitted, active = self.emit(lines, values)
        sources = [s for s, _ in emitted]
        blocks = self.multiply(sources)
        servers = soma_work(self.plan, active, sources, blocks) if self.timing != "none" or self.levels else []
        if self.levels:
            counts, high_ps = settle_plainly(self.levels, servers, active, sources)
            self.low_counts.append(counts)
            self.high_ps.append(high_ps)
        timed = self.time(servers) if self.timing != "none" else (0, 0, [])
        late = None
        if self.plan.coupled and self.timing == "exact":
            done, arrived = (np.array([r[i] for r in timed[2]], np.int64) for i in (-1, -3))
            late = self.plan.late(done, arrived, self.tick)
            if not self.plan.step_ps:                        # in continuous time to act later is no lateness
                self.tardiness.add(np.array([r[1] for r in timed[2]], np.int64), late)
        self.release(late)
        self.account(emitted, active, *timed, int(blocks.sum()))

    def emit(self, lines: np.ndarray, values: np.ndarray) -> tuple[list[tuple[int, float]], np.ndarray]:
        """Advance all groups; (spikes as (source, payload), lines first, active bool[N]).

        A spike with delay 0 reaches the groups after its own in this very tick, so that where there are delays of 0
        every group is delivered before the next one is advanced; else nothing is, `release` does it.
        """
        layout, tick = self.layout, self.tick
        emitted = [(layout.n_neurons + int(s), float(p)) for s, p in zip(lines, values, strict=True) if p != 0]
        delivered = 0
        active = np.zeros(layout.n_neurons, bool)
        for g in layout.groups:
            if self.plan.same_tick:
                self.deliver(emitted[delivered:])
                delivered = len(emitted)
            part = slice(g.start, g.stop)
            kernel, options = self.kernels[g.model], layout.models[g.model].options
            state = {name: self.state[name][part] for name in kernel.state}
            params = {name: layout.params[name][part] for name in kernel.params}
            sums = self.sums[tick % len(self.sums), : len(kernel.receptors), part]
            draws = (Draws(self.seed, tick, g.population, g.first),) if kernel.random else ()
            x = sums if len(kernel.receptors) > 1 else sums[0]
            payloads, active[part] = kernel.step(state, params, options, x, *draws)
            sums[:] = 0
            emitted += [(g.start + int(i), float(payloads[i])) for i in np.flatnonzero(payloads)]
        self.waiting = emitted[delivered:]
        return emitted, active

    def release(self, late: np.ndarray | None = None) -> None:
        """Deliver what `emit` left.

        late   int[p] of the tick's packets, spike by spike in the order of `emit`, its out-axons in order: ticks by
               which a packet acts later, at most Plan.max_late; -1: never. None: all act in time. Only where no delay
               is 0
        """
        self.deliver(self.waiting, late)
        for bank in range(1, len(self.layout.bank_shift)):
            shift = int(self.layout.bank_shift[bank])
            self.sums += self.banks[bank] << shift if shift >= 0 else self.banks[bank] >> -shift
            self.banks[bank] = 0

    def multiply(self, sources: list[int]) -> np.ndarray:
        """Blocks int64[C] of their matrices that cores multiply in this tick: of those to which packets came in the
        last; `sources` make those of this one."""
        layout = self.layout
        blocks = np.where(self.reached, 0 if self.plan.blocks is None else self.plan.blocks, 0)
        self.reached[:] = False
        for s in sources:
            self.reached[layout.axon_core[layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]]] = True
        self.core_blocks += blocks
        return blocks

    def account(self, emitted: list[tuple[int, float]], active: np.ndarray, ps: int = 0, limit: int = 0,
                records: list[tuple] = (), blocks: int = 0) -> None:
        """Count the tick, learn, and go on to the next. ps, limit, records: what `time` gave; blocks: multiplied."""
        plan = self.plan
        counts = np.zeros(plan.per_spike.shape[1], np.int64)
        for source, _ in emitted:
            self.source_spikes[source] += 1
            counts += plan.per_spike[source]
        counts[A["matrix"]] = blocks
        learning_ps, learning_core = self.learn(emitted, counts)
        np.add.at(self.core_active, plan.endpoint[: len(active)][active], plan.compartments[active])
        row = dict(active=int(plan.compartments[active].sum()), counts=counts, ps=ps, limit=limit,
                   learning_ps=learning_ps, learning_core=learning_core,
                   events=[(s, p) for s, p in emitted if self.recording.sources[s]],
                   probes=self.sample() if (self.tick + 1) % self.recording.every == 0 else None)
        if self.timing == "exact" and ps + learning_ps > self.slowest[0]:
            self.slowest = (ps + learning_ps, self.tick, records)
        self.ticks.append(row)
        self.tick += 1

    def sample(self) -> list[np.ndarray]:
        """States and weights that are recorded, as they are now."""
        learnt = [learner.variables["w"] for learner in self.learners] or [p.weight for p in self.layout.plastic]
        return [self.state[name][ids].copy() for name, ids in self.recording.probes] + \
            [learnt[i][synapses] for i, synapses in self.recording.weights]

    def deliver(self, spikes: list[tuple[int, float]], late: np.ndarray | None = None) -> None:
        """Add the synapses of every in-axon of the spikes to the sums of the ticks they reach."""
        layout, packet = self.layout, 0
        for source, payload in spikes:
            for axon in layout.out_axon[layout.out_start[source] : layout.out_start[source + 1]]:
                after = 0 if late is None else int(late[packet])
                packet += 1
                if after >= 0:
                    self.add(axon, payload, self.tick + after)

    def add(self, axon: int, payload: float, tick: int) -> None:
        """Add the synapses of an in-axon to the sums, delays counted from `tick`."""
        layout = self.layout
        base = layout.core_start[layout.axon_core[axon]]
        for g in range(layout.axon_start[axon], layout.axon_start[axon + 1]):
            synapses = slice(layout.segment_start[g], layout.segment_start[g] + layout.segment_size[g])
            first = base + layout.segment_slot[g]
            slot = (tick + layout.segment_delay[g]) % len(self.sums)
            bank, receptor = layout.segment_bank[g], layout.segment_receptor[g]
            sums = self.sums[slot, receptor] if bank == 0 else self.banks[bank, slot, receptor]
            w = self.weight[synapses].astype(sums.dtype)
            np.add.at(
                sums,
                first + layout.target[synapses].astype(np.int64),
                w * sums.dtype.type(int(payload) if sums.dtype.kind == "i" else payload),
            )

    def learn(self, emitted: list[tuple[int, float]], counts: np.ndarray) -> tuple[int, int]:
        """Tell the learners who spiked; at the end of epochs count what they do, and give (ps, core) of that phase."""
        if not self.learning:
            return 0, 0
        plan = self.learning
        heard: list[tuple[list, list, list]] = [([], [], []) for _ in self.learners]
        for source, payload in emitted:
            for k in range(plan.role_start[source], plan.role_start[source + 1]):
                role = int(plan.role[k])
                heard[plan.role_learner[k]][role].append(payload if role == REWARD else int(plan.role_unit[k]))
        work = np.zeros((self.layout.n_cores, 3), np.int64)
        for i, (p, learner) in enumerate(zip(plan.projections, self.learners, strict=True)):
            updated = learner.tick(self.tick, *heard[i])
            if updated is not None:
                work[:, :2] += plan.fixed[i]
                work[:, 2] += np.bincount(plan.core[i][p.post[updated]], minlength=len(work))
                self.hold(i, learner)
        self.core_learning += work
        counts[PHASE_COLUMNS] += work.sum(0)
        ps = work @ np.array(plan.ps, np.int64)
        return int(ps.max(initial=0)), int(ps.argmax())

    def hold(self, i: int, learner: Learner) -> None:
        """Put what learner `i` has learnt where spikes read it."""
        p = self.learning.projections[i]
        self.weight[p.place] = p.held(learner.variables["w"])

    def time(self, servers: list[Server]) -> tuple[int, int, list[tuple]]:
        """Length of the tick in ps, what set it, and a row of PACKET_FIELDS per packet, in the order of `emit`."""
        plan, layout = self.levels.timed if self.levels else self.plan, self.layout
        for e, server in enumerate(servers):
            self.soma_ps[e] += sum(p.gap for p in server.packets) + server.tail
        work = np.zeros(layout.n_cores, np.int64)
        for server in servers:
            for p in server.packets:
                for axon in p.axons:
                    work[plan.axon_core[axon]] += plan.service_ps[axon]
        self.synapse_ps += work
        if self.timing == "analytic":
            return *analytic_tick(plan, servers, work), []
        mesh = (ClockedTick if plan.period_ps else Wormhole if plan.fabric.wormhole else Mesh)(plan)
        length, limit = mesh.run_tick(servers)
        self.link_packets += mesh.load
        self.queues.add(Queues.of_stays(mesh.stays))
        packets = [p for server in [servers[-1], *servers[:-1]] for p in server.packets]      # host port first
        for e, server in enumerate(servers):
            self.stall_ps[e] += sum(p.entered - p.made for p in server.packets)
        records = [(self.tick, p.source, axon % len(layout.axon_core), p.made, p.entered, p.arrived[d], p.started[d],
                    p.done[d]) for p in packets for d, axon in enumerate(p.axons)]
        for r in records:
            if r[5] == LOST:
                self.synapse_ps[plan.axon_core[r[2]]] -= plan.service_ps[r[2]]
            else:
                self.latency[bin_of(r[5] - r[3])] += 1
        if plan.fabric.wait:
            table = np.array(records, np.int64).reshape(-1, len(PACKET_FIELDS))
            self.losses.add(*table[:, :3].T, table[:, 3:].T,
                            np.array([(self.tick, *row) for row in mesh.off_route], np.int64).reshape(-1, 4))
            self.losses.drops += mesh.drops
            self.losses.detours += mesh.detours
        if self.tick in self.recording.packets:
            self.packets += records
        return length, limit, records

    def outcome(self) -> Outcome:
        """Everything since the engine was made."""
        sampled = self.sample()                                      # of the right form, where no tick was
        events = [(t, s, p) for t, row in enumerate(self.ticks) for s, p in row["events"]]
        return Outcome(
            active=np.array([r["active"] for r in self.ticks], np.int64), core_active=self.core_active,
            spike_counts=np.array([r["counts"] for r in self.ticks], np.int64), source_spikes=self.source_spikes,
            event_tick=np.array([e[0] for e in events], np.int64),
            event_source=np.array([e[1] for e in events], np.int64),
            event_payload=np.array([e[2] for e in events], np.float64),
            probes=[np.array([sampled[i], *(r["probes"][i] for r in self.ticks if r["probes"])])[1:]
                    for i in range(len(sampled))],
            tick_ps=np.array([r["ps"] for r in self.ticks], np.int64),
            tick_limit=np.array([r["limit"] for r in self.ticks], np.int32),
            soma_ps=self.soma_ps, synapse_ps=self.synapse_ps, stall_ps=self.stall_ps, latency=self.latency,
            link_packets=self.link_packets if self.timing == "exact" else None,
            queues=self.queues if self.timing == "exact" else None,
            learning_ps=np.array([r["learning_ps"] for r in self.ticks], np.int64),
            learning_core=np.array([r["learning_core"] for r in self.ticks], np.int32),
            core_learning=self.core_learning,
            core_blocks=self.core_blocks, tardiness=self.tardiness,
            losses=self.losses if self.timing == "exact" and self.plan.fabric.wait else None,
            weights=[learner.variables["w"].copy() for learner in self.learners],
            slowest_tick=self.slowest[1], slowest_packets=as_columns(self.slowest[2]),
            packets=as_columns(self.packets) if self.recording.packets and self.timing == "exact" else None,
            low_counts=np.array(self.low_counts, np.int64).reshape(-1, len(ACTIONS)),
            high_ps=np.array(self.high_ps, np.int64))


def as_columns(records: list[tuple]) -> dict[str, np.ndarray]:
    table = np.array(records, np.int64).reshape(len(records), len(PACKET_FIELDS))
    return {name: table[:, i] for i, name in enumerate(PACKET_FIELDS)}
