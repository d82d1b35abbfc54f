"""Function: which neurons spike when, and what that makes the chip do. The compiled twin of reference.ReferenceEngine.

One call advances a chunk of ticks without the interpreter, on one thread or on one for each share of the chip
(share.pxd); the result is the same.

A tick is two steps: all groups are advanced and emit their spikes, then the spikes are delivered. A caller to whom the
time of a packet matters holds a tick between the two and says which packets come late, or never (`release`).
"""
from threading import Lock

from libc.stdint cimport int32_t, int64_t, uint32_t

import numpy as np

from chipsim.engine.buffers cimport Event, add_event
from chipsim.engine.chip_state cimport ChipState
from chipsim.engine.delivery cimport deliver_fired, deliver_run
from chipsim.engine.neurons cimport Slice, Soma
from chipsim.engine.packets cimport Packets
from chipsim.engine.share cimport Share, end_tick, run_ticks


cdef class Function(ChipState):
    """Function(plan, record, want_seeds, seed, threads): state of all neurons and synapses of a Plan.

    record      bool[S] sources whose spikes are logged
    want_seeds  keep, per tick and core, the packets with the soma time before each, for the fabric
    threads     shares that the chip is divided into. One where something learns, spikes act in the tick they are made
                in, a model has only its NumPy step, or segments that a border would go through are not in order
    alone       True: one thread advances all shares, since others are busy; may be set between two chunks
    packets     Packets of the chunk advanced last; those of the chunk before it stay until the next is advanced
    """

    def __init__(self, plan, record, bint want_seeds, seed=0, threads=1):
        super().__init__(plan, record, want_seeds, seed, threads)
        self.chip.owner, self.chip.plain_step, self.chip.sample = <void*>self, plain_step, sample
        self.packets, self.other = Packets(self.chip.n_cores), Packets(self.chip.n_cores)

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
        if hold and (n_ticks != 1 or self.chip.same_tick or self.n_shares > 1):
            raise ValueError("only one tick can be held, of a chip in one share, and where every delay is at least 1")
        cdef int64_t i
        cdef const double[::1] values = np.zeros(0) if value is None else np.ascontiguousarray(value, np.float64)
        k = &self.chunk
        k.n_ticks, k.reset_every, k.failed = n_ticks, reset_every, 0
        k.start, k.line, k.value = &start[0], NULL, NULL
        if len(line):
            k.line = &line[0]
        if len(values):
            k.value = &values[0]
        k.hold, k.sampling = hold, len(probes) > 0
        self.packets, self.other = self.other, self.packets
        if self.chip.want_seeds:
            self.packets.begin(k, self.chip.want_work)
        k.learning_ps = <int64_t*>self.hold("learning_ps", np.zeros(n_ticks), np.int64)
        k.learning_core = <int32_t*>self.hold("learning_core", np.zeros(n_ticks), np.int32)
        counts = np.zeros((self.n_shares, n_ticks, self.chip.n_actions), np.int64)
        active = np.zeros((self.n_shares, n_ticks), np.int64)
        cdef int64_t[:, :, ::1] of_share = counts
        cdef int64_t[:, ::1] active_of = active
        for i in range(self.n_shares):
            self.shares[i].seeds.n = 0
            if n_ticks:
                self.shares[i].counts, self.shares[i].n_active = &of_share[i, 0, 0], &active_of[i, 0]
        self.probes = [self.divided(*probe) for probe in probes]
        with self.pace.measured(n_ticks, 1 if self.alone else self.n_shares) as together:
            if together:
                self.work_together()
            else:
                with nogil:
                    run_ticks(&self.chip, self.shares, self.n_shares, 0, self.n_shares, k, NULL, 0)
        self.probes = []
        if k.failed:
            raise self.failure or MemoryError(f"no memory left for the spikes and packets of tick {self.tick}")
        if self.chip.want_seeds:
            self.packets.take(self.shares, self.n_shares, n_ticks)
        self.held, self.held_counts = hold, counts[0]
        if self.n_shares > 1 and self.tick >= self.look_at:
            self.balance()
        return (counts[0], active[0]) if self.n_shares == 1 else (counts.sum(0), active.sum(0))

    def learning(self):
        """Of the chunk advanced last: (length of the learning phase in ps int64[ticks], its core int32[ticks])."""
        return self.keep["learning_ps"].copy(), self.keep["learning_core"].copy()

    cdef int work_together(self) except -1:
        """Advance all shares by the chunk at hand, each on a thread of its own.

        None begins before all are on their way, since it would wait for the others at their first meeting: for ever,
        where Ctrl-C comes, or no thread is to be had, before the last has been sent for.
        """
        gate, complete = Lock(), []
        gate.acquire()
        try:
            others = [self.pool.submit(self.work, i, gate, complete) for i in range(1, self.n_shares)]
            complete.append(True)
        finally:
            gate.release()
        self.work(0, gate, complete)
        for other in others:
            other.result()
        return 0

    def work(self, int64_t i, gate, complete):
        """Advance share i by the chunk at hand when the gate opens, unless the others are not complete."""
        with gate:
            if not complete:
                return
        with nogil:
            run_ticks(&self.chip, self.shares, self.n_shares, i, i + 1, &self.chunk, &self.meeting, i)

    def divided(self, variable, ids, out):
        """Of a probe: (variable, out, per share which columns of `out` and which neurons they are)."""
        ids = np.asarray(ids)
        columns = [np.flatnonzero((own.start <= ids) & (ids < own.stop)) for own in self.ranges]
        return self.state[variable], out, columns, [ids[own] for own in columns]

    def release(self, late=None):
        """Deliver the packets of a held tick and end it; what it learns is added to the counts `advance` gave.

        late    int32[p] of its packets, in their order: ticks by which each acts later, at most Plan.max_late; -1:
                never. None: all act in time
        ValueError if no tick is held, or for a packet that is later than that.
        """
        if not self.held:
            raise ValueError("no tick is held")
        cdef int64_t k, n = 0
        cdef const int32_t[::1] by
        s, fired = &self.shares[0], &self.shares[0].fired[self.shares[0].tick & 1]
        for k in range(fired.n):
            n += self.chip.out_start[fired.at[k].source + 1] - self.chip.out_start[fired.at[k].source]
        if late is None:
            deliver_fired(&s.synapses, fired, s.tick % self.chip.ring)
        else:
            by = np.ascontiguousarray(late, np.int32)
            if len(by) != n or n and not -1 <= np.min(by) <= np.max(by) <= self.max_late:
                raise ValueError(f"{n} packets were made; each may be -1 to {self.max_late} ticks late")
            n = 0
            for k in range(fired.n):
                n += self.deliver_late(&fired.at[k], &by[0] + n)
        end_tick(&self.chip, s, &self.chunk, 0)
        self.held = False

    cdef int64_t deliver_late(self, const Event* e, const int32_t* late) noexcept nogil:
        """Deliver the packets of one spike, each `late` by as many ticks; returns how many there were."""
        cdef Share* s = &self.shares[0]
        cdef int64_t k, axon, first = self.chip.out_start[e.source], run = s.synapses.start[e.source]
        for k in range(first, self.chip.out_start[e.source + 1]):
            axon = self.chip.out_axon[k]
            for _ in range(self.axon_start[axon], self.axon_start[axon + 1]):
                if late[k - first] >= 0:
                    deliver_run(&s.synapses, &s.synapses.runs[run], e.payload,
                                (s.tick + late[k - first]) % self.chip.ring)
                run += 1
        return self.chip.out_start[e.source + 1] - first

    def waiting(self):
        """(source uint32[n], payload float64[n]) of a held tick, in the order they were emitted: lines, then groups."""
        cdef int64_t k
        fired = &self.shares[0].fired[self.shares[0].tick & 1]
        source, payload = np.empty(fired.n, np.uint32), np.empty(fired.n, np.float64)
        cdef uint32_t[::1] a = source
        cdef double[::1] b = payload
        for k in range(fired.n):
            a[k], b[k] = fired.at[k].source, fired.at[k].payload
        return source, payload

    def hear(self, const uint32_t[::1] source, const double[::1] payload):
        """What a held tick delivers instead: the spikes of other parts of the network among its own (ranks.py)."""
        if not self.held:
            raise ValueError("no tick is held")
        cdef int64_t k
        fired = &self.shares[0].fired[self.shares[0].tick & 1]
        fired.n = 0
        for k in range(len(source)):
            if source[k] >= self.n_sources:
                raise ValueError(f"there is no source {source[k]}")
            if add_event(fired, self.tick, source[k], payload[k]):
                raise MemoryError("no memory left for the spikes of a tick")


cdef int plain_step(void* owner, int64_t g, const Slice* s) noexcept with gil:
    """The NumPy step of a model without a native one; its exception waits in `failure`."""
    function = <Function>owner
    try:
        (<Soma>function.somas[function.group_model[g]]).plain(s)
    except BaseException as exception:
        function.failure = exception
        return -1
    return 0


cdef int sample(void* owner, int64_t i, int64_t t) noexcept with gil:
    """A share's part of the probes of tick t of the chunk."""
    function = <Function>owner
    try:
        for state, out, columns, ids in function.probes:
            out[t, columns[i]] = state[ids[i]]
    except BaseException as exception:
        function.failure = exception
        return -1
    return 0
