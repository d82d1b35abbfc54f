"""Function: which neurons spike when, and what that makes the chip do. The compiled twin of reference.ReferenceEngine.

One call advances a chunk of ticks without the interpreter. Cost follows activity: neurons are visited in slices,
synapses only for the spikes there are. Counting is a handful of additions per spike, from rows worked out beforehand.

A tick is two steps: all groups are advanced and emit their spikes, then the spikes are delivered. A caller to whom the
time of a packet matters holds a tick between the two and says which packets come late, or never (`release`).
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from chipsim.engine.bits cimport fetch
from chipsim.engine.buffers cimport FOLLOWS, Event, PacketSeed, add_event, add_seed
from chipsim.engine.delivery cimport SynapseMemory, bring_in, deliver_fired, deliver_run
from chipsim.engine.neurons cimport Model, Slice, Soma
from chipsim.engine.learning import PHASE
from chipsim.engine.plan import initial_state
from chipsim.engine.plasticity cimport Learner, Plastic, plastic_clear, plastic_spike, plastic_tick
from chipsim.engine.plasticity import Learner as CompiledLearner
from chipsim.engine.run import A


cdef class Function:
    """Function(plan, record, want_seeds, seed): state of all neurons and synapses of a Plan.

    record      bool[S] sources whose spikes are logged
    want_seeds  keep, per tick and core, the packets with the soma time before each, for the fabric
    """

    def __init__(self, plan, record, bint want_seeds, seed=0):
        layout = plan.layout
        self.integer = layout.accumulator == "i4"
        self.want_work = plan.layout.chip.core.dvfs is not None
        self.want_seeds = want_seeds or self.want_work
        self.multicast = plan.trees is not None
        self.n_neurons, self.n_sources, self.n_cores = layout.n_neurons, layout.n_sources, layout.n_cores
        self.n_groups, self.n_actions = len(layout.groups), plan.per_spike.shape[1]
        self.ring, self.n_banks, self.n_receptors = plan.ring, len(layout.bank_shift), layout.n_receptors
        self.max_late, self.same_tick = plan.max_late, plan.same_tick
        self.idle_ps, self.active_ps, self.spike_ps = plan.idle_ps, plan.active_ps, plan.spike_ps
        self.axon_out_ps, self.host_ps = plan.axon_out_ps, plan.host_ps
        self.keep = {}
        self.group_start = <const int64_t*>self.hold("group_start", [g.start for g in layout.groups], np.int64)
        self.group_stop = <const int64_t*>self.hold("group_stop", [g.stop for g in layout.groups], np.int64)
        self.group_compartments = <const int64_t*>self.hold(
            "group_compartments", [layout.kernels[g.model].compartments for g in layout.groups], np.int64)
        self.group_core = <const int32_t*>self.hold("group_core", [g.core for g in layout.groups], np.int32)
        self.out_start = <const int64_t*>self.hold("out_start", layout.out_start, np.int64)
        self.out_axon = <const int32_t*>self.hold("out_axon", layout.out_axon, np.int32)
        self.axon_start = <const int64_t*>self.hold("axon_start", layout.axon_start, np.int64)
        self.bank_shift = <const int32_t*>self.hold("bank_shift", layout.bank_shift, np.int32)
        self.per_spike = <const int32_t*>self.hold("per_spike", plan.per_spike, np.int32)
        self.record = <const uint8_t*>self.hold("record", record, np.uint8)
        self.first_rows = 0 if layout.first_input is None else len(layout.first_input)
        if self.first_rows:
            self.first_input = <const double*>self.hold("first_input", layout.first_input, np.float64)
        self.memory = SynapseMemory(layout, self.ring, plan.learning is not None)
        self.hold_neurons(layout, seed)
        self.hold_learners(plan, seed)
        self.active = <uint8_t*>self.hold("active", np.zeros(self.n_neurons), np.uint8)
        self.payload = <double*>self.hold("payload", np.zeros(self.n_neurons), np.float64)
        self.source_spikes = <int64_t*>self.hold("source_spikes", np.zeros(self.n_sources), np.int64)
        self.core_active = <int64_t*>self.hold("core_active", np.zeros(self.n_cores), np.int64)
        self.clear()

    cdef void* hold(self, str name, array, dtype) except NULL:
        """Keep a contiguous array alive under a name and give its address."""
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    cdef int hold_neurons(self, layout, seed) except -1:
        """Parameters, state and accumulators of the layout's neuron models."""
        cdef int64_t i
        cdef Soma soma
        start = initial_state(layout)
        state = {name: array.copy() for name, array in start.items()}
        self.keep |= {f"state.{name}": array for name, array in state.items()}
        self.keep["start"] = start
        self.n_states = len(state)
        self.state_at = <const int64_t*>self.hold("state_at", [a.ctypes.data for a in state.values()], np.int64)
        self.start_at = <const int64_t*>self.hold("start_at", [a.ctypes.data for a in start.values()], np.int64)
        self.state_bytes = <const int64_t*>self.hold("state_bytes", [a.nbytes for a in state.values()], np.int64)
        self.somas = [Soma(kernel, model.options, layout.params, state, seed)
                      for model, kernel in zip(layout.models, layout.kernels, strict=True)]
        self.group_model = <const Model**>calloc(self.n_groups + 1, sizeof(Model*))
        for i in range(self.n_groups):
            soma = self.somas[layout.groups[i].model]
            self.group_model[i] = &soma.model
        self.group_soma = <const int64_t*>self.hold("group_soma", [g.model for g in layout.groups], np.int64)
        self.group_stream = <const int64_t*>self.hold("group_stream", [g.population for g in layout.groups], np.int64)
        self.group_first = <const int64_t*>self.hold("group_first", [g.first for g in layout.groups], np.int64)
        return 0

    cdef int hold_learners(self, plan, seed) except -1:
        """Learners of the plastic projections, and who feeds them."""
        cdef int64_t i
        cdef Learner learner
        self.learners, self.n_learners = [], 0
        p = plan.learning
        if p is None:
            return 0
        self.learners = p.learners(CompiledLearner, seed)
        self.n_learners, self.learn_first = len(self.learners), A[PHASE[0]]
        self.plastic = <Plastic**>self.hold("plastic", np.zeros(self.n_learners), np.int64)
        for i, (projection, core) in enumerate(zip(p.projections, p.core, strict=True)):
            learner = self.learners[i]
            learner.connect(projection.place, projection.stored, self.memory.weight, core, self.n_cores)
            self.plastic[i] = &learner.p
        self.role_start = <const int64_t*>self.hold("role_start", p.role_start, np.int64)
        self.role_learner = <const int32_t*>self.hold("role_learner", p.role_learner, np.int32)
        self.role = <const int32_t*>self.hold("role", p.role, np.int32)
        self.role_unit = <const int32_t*>self.hold("role_unit", p.role_unit, np.int32)
        self.learn_fixed = <const int64_t*>self.hold("learn_fixed", p.fixed, np.int64)
        self.learn_work = <int64_t*>self.hold("learn_work", np.zeros((self.n_cores, 3)), np.int64)
        self.core_learning = <int64_t*>self.hold("core_learning", np.zeros((self.n_cores, 3)), np.int64)
        for i in range(3):
            self.learn_cost[i] = p.ps[i]
        return 0

    def __dealloc__(self):
        free(self.group_model)
        free(self.seeds.at)
        free(self.events.at)
        free(self.fired.at)

    # ---- one chunk of ticks ----

    def advance(self, int64_t n_ticks, const int64_t[::1] start, const uint32_t[::1] line, value,
                int64_t reset_every, probes, bint hold=False):
        """Advance `n_ticks`; the events of tick t are line[start[t]:start[t+1]] with payload value[...] (None: 1).

        Resets before every tick whose number since the start is a multiple of reset_every (0: never).
        probes      list of (variable, neuron numbers, out[n_ticks, m]) filled tick by tick
        hold        of one tick only: its packets are made but not delivered; `release` does that and ends the tick
        Returns counts int64[n_ticks, ACTIONS] and active updates int64[n_ticks]; packets stay for `Fabric`.
        ValueError for a tick that cannot be held.
        """
        if self.held:
            raise ValueError("a tick is held: release it first")
        if hold and (n_ticks != 1 or self.same_tick):
            raise ValueError("only one tick can be held, and only where every delay is at least 1")
        cdef int64_t t, stride = self.n_cores + 1
        cdef const double[::1] values = np.zeros(0) if value is None else np.ascontiguousarray(value, np.float64)
        cdef const double* v = NULL if value is None else &values[0] if len(values) else NULL
        cdef const uint32_t* lines = &line[0] if len(line) else NULL
        counts = np.zeros((n_ticks, self.n_actions), np.int64)
        active = np.zeros(n_ticks, np.int64)
        cdef int64_t[:, ::1] c = counts
        cdef int64_t[::1] a = active
        cdef int rc = 0
        cdef bint sampling = len(probes) > 0
        self.seeds.n = 0
        self.seed_start = <int64_t*>self.hold("seed_start", np.zeros(n_ticks * stride + 1), np.int64)
        self.tail_ps = <int64_t*>self.hold("tail_ps", np.zeros(n_ticks * stride), np.int64)
        if self.want_work:
            self.work = <int64_t*>self.hold("work", np.zeros(n_ticks * stride * 2), np.int64)
        self.learning_ps = <int64_t*>self.hold("learning_ps", np.zeros(n_ticks), np.int64)
        self.learning_core = <int32_t*>self.hold("learning_core", np.zeros(n_ticks), np.int32)
        with nogil:
            for t in range(n_ticks):
                if reset_every and self.tick and self.tick % reset_every == 0:
                    self.clear()
                rc = self.emit_tick(lines + start[t], NULL if v == NULL else v + start[t], start[t + 1] - start[t],
                                    &c[t, 0], &a[t], t * stride)
                if rc:
                    break
                if not hold:
                    self.deliver_all()
                    self.end_tick(&c[t, 0], t)
                if sampling:
                    with gil:
                        for variable, ids, out in probes:
                            out[t] = self.keep["state." + variable][ids]
        if rc:
            raise self.error()
        self.held = hold
        self.keep["held"] = counts
        return counts, active

    def release(self, late=None):
        """Deliver the packets of a held tick and end it; what it learns is added to the counts `advance` gave.

        late    int32[p] of `packets()`, in their order: ticks by which each acts later, at most Plan.max_late; -1:
                never. None: all act in time
        ValueError if no tick is held, or for a packet that is later than that.
        """
        if not self.held:
            raise ValueError("no tick is held")
        cdef int64_t[:, ::1] c = self.keep["held"]
        cdef int64_t k, n = 0
        cdef const int32_t[::1] by
        for k in range(self.fired.n):
            n += self.out_start[self.fired.at[k].source + 1] - self.out_start[self.fired.at[k].source]
        if late is None:
            self.deliver_all()
        else:
            by = np.ascontiguousarray(late, np.int32)
            if len(by) != n or n and not -1 <= np.min(by) <= np.max(by) <= self.max_late:
                raise ValueError(f"{n} packets were made; each may be -1 to {self.max_late} ticks late")
            n = 0
            for k in range(self.fired.n):
                n += self.deliver_late(&self.fired.at[k], &by[0] + n)
            self.fired.n = 0
        self.end_tick(&c[0, 0], 0)
        self.held = False

    def waiting(self):
        """(source uint32[n], payload float64[n]) of a held tick, in the order they were emitted: lines, then groups."""
        cdef int64_t k
        source, payload = np.empty(self.fired.n, np.uint32), np.empty(self.fired.n, np.float64)
        cdef uint32_t[::1] a = source
        cdef double[::1] b = payload
        for k in range(self.fired.n):
            a[k], b[k] = self.fired.at[k].source, self.fired.at[k].payload
        return source, payload

    def hear(self, const uint32_t[::1] source, const double[::1] payload):
        """What a held tick delivers instead: the spikes of other parts of the network among its own (ranks.py)."""
        if not self.held:
            raise ValueError("no tick is held")
        cdef int64_t k
        self.fired.n = 0
        for k in range(len(source)):
            if source[k] >= self.n_sources:
                raise ValueError(f"there is no source {source[k]}")
            if add_event(&self.fired, self.tick, source[k], payload[k]):
                raise MemoryError("no memory left for the spikes of a tick")

    def error(self):
        """What went wrong in the tick that failed."""
        return self.failure or MemoryError(f"no memory left for the spikes and packets of tick {self.tick}")

    cdef void clear(self) noexcept nogil:
        """All state to zero, nothing in flight (what was learnt stays); then the input present when a sample starts."""
        cdef int64_t n = self.n_neurons, size = self.ring * self.n_receptors * n, d, k
        cdef double* sums
        for k in range(self.n_learners):
            plastic_clear(self.plastic[k])
        for k in range(self.n_states):
            memcpy(<void*><size_t>self.state_at[k], <const void*><size_t>self.start_at[k], <size_t>self.state_bytes[k])
        if self.integer:
            memset(self.memory.s.sums32, 0, size * sizeof(int32_t))
            memset(self.memory.s.banks, 0, self.n_banks * size * sizeof(int32_t))
            memset(self.memory.s.touched, 0, self.n_banks * self.ring)
        else:
            memset(self.memory.s.sums64, 0, size * sizeof(double))
            for d in range(self.first_rows):
                sums = self.memory.s.sums64 + ((self.tick + d) % self.ring) * self.n_receptors * n
                for k in range(n):
                    sums[k] += self.first_input[d * n + k]

    cdef int step(self, int64_t g, int64_t slot) noexcept nogil:
        """Advance a group by one tick and clear its sums; negative when its NumPy step fails."""
        cdef Slice s
        cdef int64_t r, at = slot * self.n_receptors * self.n_neurons
        cdef size_t n
        s.start, s.stop, s.n = self.group_start[g], self.group_stop[g], self.n_neurons
        s.sums = <void*>(self.memory.s.sums32 + at) if self.integer else <void*>(self.memory.s.sums64 + at)
        s.active, s.payload = self.active, self.payload
        s.tick, s.stream, s.first = <uint32_t>self.tick, <uint32_t>self.group_stream[g], <uint32_t>self.group_first[g]
        if self.group_model[g].step != NULL:
            self.group_model[g].step(self.group_model[g], &s)
        elif self.plain_step(g, &s):
            return -1
        n = <size_t>(s.stop - s.start)
        for r in range(self.n_receptors):
            if self.integer:
                memset(self.memory.s.sums32 + at + r * self.n_neurons + s.start, 0, n * sizeof(int32_t))
            else:
                memset(self.memory.s.sums64 + at + r * self.n_neurons + s.start, 0, n * sizeof(double))
        return 0

    cdef int plain_step(self, int64_t g, Slice* s) noexcept with gil:
        """The NumPy step of a model without a native one; its exception waits in `failure`."""
        try:
            (<Soma>self.somas[self.group_soma[g]]).plain(s)
        except BaseException as exception:
            self.failure = exception
            return -1
        return 0

    cdef int emit_tick(self, const uint32_t* lines, const double* values, int64_t n_lines, int64_t* counts,
                       int64_t* n_active, int64_t row) noexcept nogil:
        """Lines, then groups in order: advance and emit. Negative when memory is exhausted."""
        cdef int64_t i, g, n, stop, on, off, next, places, core = -1, elapsed = 0, slot = self.tick % self.ring
        cdef int64_t nothing = 0
        cdef double payload
        self.seed_start[row] = self.seeds.n
        for i in range(n_lines):
            payload = 1.0 if values == NULL else values[i]
            if payload == 0:
                continue
            if self.emit(<uint32_t>(self.n_neurons + lines[i]), payload, &nothing, self.host_ps):
                return -1
        for g in range(self.n_groups):
            if self.same_tick:                                    # a later group may be reached in this very tick
                self.count(counts)
                self.deliver_all()
            while core < self.group_core[g]:                      # a core is done when the next one's groups begin
                if core >= 0:
                    self.tail_ps[row + core + 1] = elapsed
                core += 1
                elapsed = 0
                self.seed_start[row + core + 1] = self.seeds.n
            if self.step(g, slot):
                return -1
            places = self.group_compartments[g]
            n, stop = self.group_start[g], self.group_stop[g]
            while n < stop:                                       # from spike to spike
                next = first_spike(self.payload, n, stop)
                on = count_on(self.active, n, next + (next < stop))
                off = (next + (next < stop) - n - on) * places
                on *= places
                n_active[0] += on
                self.core_active[core] += on
                if self.want_work:
                    self.work[2 * (row + core + 1)] += on
                    self.work[2 * (row + core + 1) + 1] += next < stop
                elapsed += on * self.active_ps + off * self.idle_ps
                if next < stop:
                    elapsed += self.spike_ps
                    if self.emit(<uint32_t>next, self.payload[next], &elapsed, self.axon_out_ps):
                        return -1
                n = next + 1
        while core < self.n_cores:                                # the last entry is the next tick's first
            if core >= 0:
                self.tail_ps[row + core + 1] = elapsed
            core += 1
            elapsed = 0
            self.seed_start[row + core + 1] = self.seeds.n
        self.count(counts)
        return 0

    cdef void count(self, int64_t* counts) noexcept nogil:
        """What follows from the spikes that are not delivered yet."""
        cdef int64_t i, k, n = self.n_actions
        cdef const int32_t* row
        for i in range(self.fired.n):
            if i + 8 < self.fired.n:
                fetch(self.per_spike + self.fired.at[i + 8].source * n)
            self.source_spikes[self.fired.at[i].source] += 1
            row = self.per_spike + self.fired.at[i].source * n
            for k in range(n):
                counts[k] += row[k]

    cdef void deliver_all(self) noexcept nogil:
        """Deliver the spikes emitted since the last call."""
        deliver_fired(&self.memory.s, &self.fired, self.tick % self.ring)
        self.fired.n = 0

    cdef int64_t deliver_late(self, const Event* e, const int32_t* late) noexcept nogil:
        """Deliver the packets of one spike, each `late` by as many ticks; returns how many there were."""
        cdef int64_t k, axon, first = self.out_start[e.source], run = self.memory.s.start[e.source]
        for k in range(first, self.out_start[e.source + 1]):
            axon = self.out_axon[k]
            for _ in range(self.axon_start[axon], self.axon_start[axon + 1]):
                if late[k - first] >= 0:
                    deliver_run(&self.memory.s, &self.memory.s.runs[run], e.payload,
                                (self.tick + late[k - first]) % self.ring)
                run += 1
        return self.out_start[e.source + 1] - first

    cdef void end_tick(self, int64_t* counts, int64_t t) noexcept nogil:
        """Bring in the sums that wait for a shift, learn, and go on to the next tick; t: number in the chunk."""
        if self.n_banks > 1:
            bring_in(&self.memory.s, self.bank_shift, self.n_banks)
        if self.n_learners:
            self.learn(counts, t)
        self.tick += 1

    cdef void learn(self, int64_t* counts, int64_t row) noexcept nogil:
        """End the epochs that end in this tick; count what the learning phase does and how long it lasts."""
        cdef int64_t i, k, c, ps
        cdef int64_t* work
        cdef Plastic* p
        memset(self.learn_work, 0, 3 * self.n_cores * sizeof(int64_t))
        for i in range(self.n_learners):
            p = self.plastic[i]
            memset(p.updates, 0, self.n_cores * sizeof(int64_t))
            plastic_tick(p, self.tick)
            if (self.tick + 1) % p.te:
                continue
            for c in range(self.n_cores):
                work = self.learn_work + 3 * c
                work[0] += self.learn_fixed[(i * self.n_cores + c) * 2]
                work[1] += self.learn_fixed[(i * self.n_cores + c) * 2 + 1]
                work[2] += p.updates[c]
        self.learning_ps[row], self.learning_core[row] = 0, 0
        for c in range(self.n_cores):
            ps = 0
            for k in range(3):
                i = self.learn_work[3 * c + k]
                self.core_learning[3 * c + k] += i
                counts[self.learn_first + k] += i
                ps += i * self.learn_cost[k]
            if ps > self.learning_ps[row]:
                self.learning_ps[row], self.learning_core[row] = ps, <int32_t>c

    cdef int emit(self, uint32_t source, double payload, int64_t* elapsed, int64_t out_ps) noexcept nogil:
        """One spike: log it, make its packets. `elapsed`: soma time since the last packet."""
        cdef int64_t k
        if self.record[source] and add_event(&self.events, self.tick, source, payload):
            return -1
        if self.want_seeds:
            for k in range(self.out_start[source], self.out_start[source + 1]):
                if self.multicast and k > self.out_start[source]:
                    if add_seed(&self.seeds, FOLLOWS, source, self.out_axon[k]):
                        return -1
                    continue
                if add_seed(&self.seeds, elapsed[0] + out_ps, source, self.out_axon[k]):
                    return -1
                elapsed[0] = 0
        if self.n_learners:
            for k in range(self.role_start[source], self.role_start[source + 1]):
                plastic_spike(self.plastic[self.role_learner[k]], self.role[k], self.role_unit[k], payload, self.tick)
        return add_event(&self.fired, self.tick, source, payload)

    # ---- what happened ----

    def row_starts(self):
        """Of the chunk advanced last, bytes of int64[ticks * (C + 1) + 1]: first packet of each tick's endpoints."""
        return self.keep["seed_start"].tobytes()

    def packets(self):
        """Of the chunk advanced last: start int64[ticks+1] per tick, source uint32[p], axon uint32[p]."""
        cdef int64_t k, n = self.seeds.n, stride = self.n_cores + 1
        source, axon = np.empty(n, np.uint32), np.empty(n, np.uint32)
        cdef uint32_t[::1] a = source
        cdef uint32_t[::1] b = axon
        for k in range(n):
            a[k] = self.seeds.at[k].source
            b[k] = self.seeds.at[k].axon
        return self.keep["seed_start"][::stride].copy(), source, axon

    def servers(self):
        """Of the chunk advanced last, as views to write to: seeds [p] of PacketSeed, start of each endpoint's seeds
        int64[ticks * (C + 1) + 1], tail_ps int64[ticks, C + 1], work int64[ticks, C + 1, 2] active updates and spikes.
        """
        cdef PacketSeed[::1] seeds
        if self.seeds.n:
            seeds = <PacketSeed[:self.seeds.n]>self.seeds.at
            table = np.asarray(seeds)
        else:
            table = np.zeros(0, [("gap", np.int64), ("source", np.uint32), ("axon", np.uint32)])
        shape = (-1, self.n_cores + 1)
        return (table, self.keep["seed_start"], self.keep["tail_ps"].reshape(shape),
                self.keep["work"].reshape(*shape, 2))

    # ---- a run in parts ----

    def snapshot(self):
        """All that changes from tick to tick, as name -> array: what `restore` needs to go on from here."""
        arrays = {"tick": np.array(self.tick)} | {name: a.copy() for name, a in self.changing().items()}
        for i, learner in enumerate(self.learners):
            arrays |= {f"learner.{i}.{name}": a for name, a in learner.snapshot().items()}
        return arrays

    def restore(self, snapshot):
        """Go on from a `snapshot` of a Function of the same plan."""
        self.tick = int(snapshot["tick"])
        for name, array in self.changing().items():
            array[...] = snapshot[name]
        for i, learner in enumerate(self.learners):
            mark = f"learner.{i}."
            learner.restore({name[len(mark):]: a for name, a in snapshot.items() if name.startswith(mark)})

    cdef dict changing(self):
        names = ["sums", "banks", "touched"] if self.integer else ["sums"]
        if self.n_learners:
            names.append("weight")
        arrays = {name: self.memory.keep[name] for name in names}
        return arrays | {name: a for name, a in self.keep.items() if name.startswith("state.")}

    def forget(self):
        """Begin the counts and the record anew; what the neurons and synapses hold stays."""
        self.events.n = 0
        for name in ("source_spikes", "core_active", "core_learning"):
            if name in self.keep:
                self.keep[name][...] = 0

    @property
    def n_recorded(self):
        """Recorded spikes held."""
        return self.events.n

    def spikes_per_source(self):
        """int64[S] since the start."""
        return self.keep["source_spikes"].copy()

    def active_per_core(self):
        """int64[C] active neuron updates since the start."""
        return self.keep["core_active"].copy()

    def learning(self):
        """Of the chunk advanced last: (length of the learning phase in ps int64[ticks], its core int32[ticks])."""
        return self.keep["learning_ps"].copy(), self.keep["learning_core"].copy()

    def learning_per_core(self):
        """int64[C, 3] traces advanced, synapses read, synapses updated since the start."""
        return self.keep["core_learning"].copy() if self.n_learners else np.zeros((self.n_cores, 3), np.int64)

    def weights(self):
        """Per plastic projection float64[P], in the rule's units."""
        return [learner.variables["w"].copy() for learner in self.learners]

    def recorded(self):
        """(tick int64[n], source int64[n], payload float64[n]) of the recorded spikes since the start."""
        cdef int64_t k, n = self.events.n
        tick, source, payload = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
        cdef int64_t[::1] a = tick
        cdef int64_t[::1] b = source
        cdef double[::1] c = payload
        for k in range(n):
            a[k] = self.events.at[k].tick
            b[k] = self.events.at[k].source
            c[k] = self.events.at[k].payload
        return tick, source, payload


cdef inline int64_t first_spike(const double* payload, int64_t n, int64_t stop) noexcept nogil:
    """The first of neurons [n, stop) that emits something; `stop` if none does. Most are calm: eight at a time."""
    cdef const uint64_t* p
    while n + 8 <= stop:
        p = <const uint64_t*>(payload + n)
        if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) << 1:         # without the sign: -0 is nothing
            break
        n += 8
    while n < stop and payload[n] == 0:
        n += 1
    return n


cdef inline int64_t count_on(const uint8_t* active, int64_t n, int64_t stop) noexcept nogil:
    """Active neurons among [n, stop): eight flags to a word, up to 255 words before a byte could run over."""
    cdef int64_t on = 0, words
    cdef uint64_t total, word, even = <uint64_t>0x00FF00FF << 32 | 0x00FF00FF
    while n + 8 <= stop:
        total, words = 0, 0
        while n + 8 <= stop and words < 255:
            memcpy(&word, active + n, 8)
            total += word
            words += 1
            n += 8
        total = (total & even) + (total >> 8 & even)
        on += <int64_t>((total & 0xFFFF) + (total >> 16 & 0xFFFF) + (total >> 32 & 0xFFFF) + (total >> 48))
    while n < stop:
        on += active[n]
        n += 1
    return on
