"""What a chip's neurons and synapses hold, laid out for threads: arrays of a Plan, its shares, and what was counted.

Function (function.pyx) advances it.
"""
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

import numpy as np

from chipsim.engine.buffers cimport Event
from chipsim.engine.delivery cimport SynapseMemory
from chipsim.engine.delivery import Unordered
from chipsim.engine.meeting cimport arrange, dissolve
from chipsim.engine.neurons cimport Model, Soma
from chipsim.engine.phase cimport Learners
from chipsim.engine.share cimport Share, clear
from chipsim.engine.learning import PHASE
from chipsim.engine.pace import Pace
from chipsim.engine.plan import initial_state
from chipsim.engine.run import A
from chipsim.engine.shares import borders, excess, work_before

FIRST_LOOK = 64                             # ticks after which the shares are looked at; then after 8 times as many
WORTH_IT = 0.05                             # of a share's work, that moving the borders must win


cdef class ChipState(Held):
    """ChipState(plan, record, want_seeds, seed, threads): see Function."""

    def __init__(self, plan, record, bint want_seeds, seed=0, threads=1):
        layout = plan.layout
        c = &self.chip
        self.n_sources, self.max_late = layout.n_sources, plan.max_late
        c.integer, c.multicast = layout.accumulator == "i4", plan.trees is not None
        c.want_work = layout.chip.core.dvfs is not None
        c.want_seeds = want_seeds or c.want_work
        c.n_neurons, c.n_cores, c.n_actions = layout.n_neurons, layout.n_cores, plan.per_spike.shape[1]
        c.ring, c.n_banks, c.n_receptors = plan.ring, len(layout.bank_shift), layout.n_receptors
        c.same_tick = plan.same_tick
        c.idle_ps, c.active_ps, c.spike_ps = plan.idle_ps, plan.active_ps, plan.spike_ps
        c.axon_out_ps, c.host_ps = plan.axon_out_ps, plan.host_ps
        self.hold_groups(layout)
        c.out_start = <const int64_t*>self.hold("out_start", layout.out_start, np.int64)
        c.out_axon = <const int32_t*>self.hold("out_axon", layout.out_axon, np.int32)
        self.axon_start = <const int64_t*>self.hold("axon_start", layout.axon_start, np.int64)
        c.bank_shift = <const int32_t*>self.hold("bank_shift", layout.bank_shift, np.int32)
        c.per_spike = <const int32_t*>self.hold("per_spike", plan.per_spike, np.int32)
        c.record = <const uint8_t*>self.hold("record", record, np.uint8)
        c.first_rows = 0 if layout.first_input is None else len(layout.first_input)
        if c.first_rows:
            c.first_input = <const double*>self.hold("first_input", layout.first_input, np.float64)
        self.memory = SynapseMemory(layout, c.ring, plan.learning is not None)
        self.learners = Learners(plan.learning, seed, self.memory.weight, c.n_cores)
        c.phase, c.learn_first = &self.learners.phase, A[PHASE[0]]
        self.hold_matrices(plan)
        self.hold_state(layout)
        c.active = <uint8_t*>self.hold("active", np.zeros(c.n_neurons), np.uint8)
        c.payload = <double*>self.hold("payload", np.zeros(c.n_neurons), np.float64)
        c.source_spikes = <int64_t*>self.hold("source_spikes", np.zeros(self.n_sources), np.int64)
        self.hold_shares(plan, seed, threads)
        for i in range(self.n_shares):
            clear(c, &self.shares[i])

    cdef int hold_groups(self, layout) except -1:
        """The groups, field by field."""
        c, groups = &self.chip, layout.groups
        places = [k.compartments for k in layout.kernels]
        c.group_start = <const int64_t*>self.hold("group_start", [g.start for g in groups], np.int64)
        c.group_stop = <const int64_t*>self.hold("group_stop", [g.stop for g in groups], np.int64)
        c.group_compartments = <const int64_t*>self.hold("compartments", [places[g.model] for g in groups], np.int64)
        c.group_core = <const int32_t*>self.hold("group_core", [g.core for g in groups], np.int32)
        c.group_stream = <const int64_t*>self.hold("group_stream", [g.population for g in groups], np.int64)
        c.group_first = <const int64_t*>self.hold("group_first", [g.first for g in groups], np.int64)
        return 0

    cdef int hold_matrices(self, plan) except -1:
        """Blocks of the cores' matrices, and to which cores packets have come."""
        c = &self.chip
        c.matrices = plan.blocks is not None
        c.core_blocks = <int64_t*>self.hold("core_blocks", np.zeros(c.n_cores), np.int64)
        if c.matrices:
            c.block_ps, c.matrix_action = plan.block_ps, A["matrix"]
            c.blocks = <const int64_t*>self.hold("blocks", plan.blocks, np.int64)
            c.axon_core = <const int32_t*>self.hold("axon_core", plan.axon_core, np.int32)
            c.reached = <uint8_t*>self.hold("reached", np.zeros(2 * c.n_cores), np.uint8)
        return 0

    cdef int hold_state(self, layout) except -1:
        """The variables of the layout's neuron models, and what they start from."""
        c, start = &self.chip, initial_state(layout)
        self.state = {name: array.copy() for name, array in start.items()}
        self.keep["start"] = start
        c.n_states = len(start)
        c.state_at = <const int64_t*>self.hold("state_at", [a.ctypes.data for a in self.state.values()], np.int64)
        c.start_at = <const int64_t*>self.hold("start_at", [a.ctypes.data for a in start.values()], np.int64)
        c.state_bytes = <const int64_t*>self.hold("state_bytes", [a.itemsize for a in start.values()], np.int64)
        return 0

    cdef int hold_shares(self, plan, seed, threads) except -1:
        """Make the shares; each has models of its own, since some need scratch memory."""
        cdef int64_t i, g
        cdef Soma soma
        layout, c = plan.layout, &self.chip
        self.somas = [Soma(kernel, model.options, layout.params, self.state, seed)
                      for model, kernel in zip(layout.models, layout.kernels, strict=True)]
        native = all((<Soma>soma).model.step != NULL for soma in self.somas)
        self.whole_cores = c.want_seeds or c.matrices
        alone = threads == 1 or not native or c.phase.n_learners or c.same_tick
        low = borders(layout, None if alone else work_before(layout), 1 if alone else threads,
                      whole_cores=self.whole_cores)
        self.n_shares = len(low) - 1
        self.shares = <Share*>calloc(self.n_shares, sizeof(Share))
        if self.shares == NULL or arrange(&self.meeting, self.n_shares):
            raise MemoryError("no memory left for the shares of a chip")
        self.group_model = [group.model for group in layout.groups]
        for i in range(self.n_shares):
            somas = [soma.twin() for soma in self.somas[: len(layout.models)]] if i else self.somas
            self.somas += somas if i else []
            models = <const Model**>self.hold(f"models{i}", np.zeros(len(layout.groups)), np.int64)
            for g in range(len(layout.groups)):
                soma = somas[self.group_model[g]]
                models[g] = &soma.model
            self.shares[i].number, self.shares[i].model = i, models
            self.shares[i].core_active = <int64_t*>self.hold(f"core_active{i}", np.zeros(c.n_cores), np.int64)
        try:
            self.divide(layout, low)
        except Unordered:
            self.n_shares = 1
            self.divide(layout, low[[0, len(low) - 1]])
        self.layout, self.look_at, self.counted_from = layout, FIRST_LOOK, 0
        self.pool = ThreadPoolExecutor(self.n_shares - 1) if self.n_shares > 1 else None
        self.pace = Pace()
        return 0

    cdef int divide(self, layout, low) except -1:
        """Give each share its neurons, low[i] to low[i+1], with the synapses onto them."""
        cdef int64_t i
        cdef Share* s
        starts, stops = self.keep["group_start"], self.keep["group_stop"]
        self.ranges = [slice(*pair) for pair in pairwise(low.tolist())]
        for i in range(self.n_shares):
            s, own = &self.shares[i], self.ranges[i]
            s.low, s.high = own.start, own.stop
            s.first_group, s.last_group = 0, len(stops)
            if self.n_shares > 1:                                # groups are in order of neurons: no delay is 0
                s.first_group = np.searchsorted(stops, own.start, "right")
                s.last_group = np.searchsorted(starts, own.stop, "left")
            s.first_core, s.last_core = 0, self.chip.n_cores
            if i + 1 < self.n_shares:
                s.last_core = np.searchsorted(layout.core_start, own.stop, "left")
            if i and self.whole_cores:                           # cores without neurons are somebody's, too
                s.first_core = self.shares[i - 1].last_core
            elif i:
                s.first_core = np.searchsorted(layout.core_start, own.start, "right") - 1
            self.memory.part(layout, i, s.low, s.high, &s.synapses)
        return 0

    def balance(self):
        """Move the borders between shares to where the spikes so far would have given each the same work."""
        self.look_at = (self.tick - self.counted_from) * 8 + self.counted_from
        before = work_before(self.layout, self.keep["source_spikes"] / max(1, self.tick - self.counted_from))
        low = borders(self.layout, before, self.n_shares, whole_cores=self.whole_cores)
        old = np.array([0] + [own.stop for own in self.ranges])
        if len(low) != len(old) or excess(self.layout, before, old) < WORTH_IT + excess(self.layout, before, low):
            return
        try:
            self.divide(self.layout, low)
        except Unordered:
            self.divide(self.layout, old)

    def __dealloc__(self):
        cdef int64_t i
        if self.shares != NULL:
            for i in range(self.n_shares):
                free(self.shares[i].seeds.at)
                free(self.shares[i].events.at)
                free(self.shares[i].fired[0].at)
                free(self.shares[i].fired[1].at)
        free(self.shares)
        dissolve(&self.meeting)

    @property
    def tick(self):
        """The next tick to be advanced; a held one, until it is released."""
        return self.shares[0].tick

    # ---- a run in parts ----

    def snapshot(self):
        """All that changes from tick to tick, as name -> array: what `restore` needs to go on from here."""
        arrays = {"tick": np.array(self.tick)} | {name: a.copy() for name, a in self.changing().items()}
        return arrays | self.learners.snapshot()

    def restore(self, snapshot):
        """Go on from a `snapshot` of a Function of the same plan, in however many shares."""
        cdef int64_t i
        for i in range(self.n_shares):
            self.shares[i].tick = int(snapshot["tick"])
        self.counted_from, self.look_at = self.tick, self.tick + FIRST_LOOK
        for name, array in self.changing().items():
            array[...] = snapshot[name]
        self.learners.restore(snapshot)

    cdef dict changing(self):
        """Banks are empty between ticks."""
        arrays = {name: self.memory.keep[name] for name in (["sums", "weight"] if self.learners.each else ["sums"])}
        if self.chip.matrices:
            arrays["reached"] = self.keep["reached"]
        return arrays | {f"state.{name}": a for name, a in self.state.items()}

    def forget(self):
        """Begin the counts and the record anew; what the neurons and synapses hold stays."""
        cdef int64_t i
        for i in range(self.n_shares):
            self.shares[i].events.n = 0
            self.keep[f"core_active{i}"][...] = 0
        self.keep["source_spikes"][...] = 0
        self.counted_from = self.tick
        self.keep["core_blocks"][...] = 0
        self.learners.forget()

    @property
    def n_recorded(self):
        """Recorded spikes held."""
        cdef int64_t i
        return sum(self.shares[i].events.n for i in range(self.n_shares))

    def spikes_per_source(self):
        """int64[S] since the start."""
        return self.keep["source_spikes"].copy()

    def active_per_core(self):
        """int64[C] active neuron updates since the start."""
        return sum(self.keep[f"core_active{i}"] for i in range(self.n_shares))

    def blocks_per_core(self):
        """int64[C] blocks of matrices multiplied since the start."""
        return self.keep["core_blocks"].copy()

    def learning_per_core(self):
        """int64[C, 3] traces advanced, synapses read, synapses updated since the start."""
        return self.learners.per_core()

    def weights(self):
        """Per plastic projection float64[P], in the rule's units."""
        return [learner.variables["w"].copy() for learner in self.learners.each]

    def recorded(self):
        """(tick int64[n], source int64[n], payload float64[n]) of the recorded spikes since the start."""
        cdef int64_t i, k, at = 0, n = self.n_recorded
        tick, source, payload = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
        cdef int64_t[::1] a = tick
        cdef int64_t[::1] b = source
        cdef double[::1] c = payload
        cdef const Event* e
        for i in range(self.n_shares):
            for k in range(self.shares[i].events.n):
                e = &self.shares[i].events.at[k]
                a[at], b[at], c[at] = e.tick, e.source, e.payload
                at += 1
        if self.n_shares > 1:
            order = np.argsort(tick, kind="stable")             # of a tick, those of the first share first
            tick, source, payload = tick[order], source[order], payload[order]
        return tick, source, payload
