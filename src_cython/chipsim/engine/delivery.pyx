"""Delivery of spikes (see delivery.pxd). Cost is that of the synapses reached.

A layout stores synapses by target core, as the chip does. A table of runs, made once in the order of the sources, lets
a spike find all its synapses by reading straight ahead, and the runs to come are fetched while one is added: with 40
synapses to a packet, on 244 cores, 5 ns a synaptic operation instead of 46.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

import numpy as np

from chipsim.engine.bits cimport fetch, fetch_one
from chipsim.engine.buffers cimport Events

cdef enum:
    AHEAD = 8                   # runs between fetching and adding
    FURTHER = 6                 # spikes between fetching where the runs of one are, and fetching these
    LONG = 512                  # bytes of a run that are fetched
    SHORT = 4                   # runs below this size are not worth the question whether they are dense


class Unordered(ValueError):
    """A segment cannot be divided: its targets are not in ascending order."""


ctypedef fused Target:
    uint16_t
    uint32_t


ctypedef fused Real:
    float
    double


cdef void deliver_fired(const Synapses* s, const Events* fired, int64_t now) noexcept nogil:
    """All runs of all spikes, in order; `now`: slot of the tick."""
    cdef int64_t i, r, ahead, stop, next_stop, source
    cdef int64_t j = -1         # the spike whose runs are fetched
    ahead, next_stop = 0, 0
    for _ in range(AHEAD):
        step_ahead(s, fired, &j, &ahead, &next_stop)
    for i in range(fired.n):
        source = fired.at[i].source
        r, stop = s.start[source], s.start[source + 1]
        while r < stop:
            step_ahead(s, fired, &j, &ahead, &next_stop)
            deliver_run(s, &s.runs[r], fired.at[i].payload, now)
            r += 1


cdef inline void step_ahead(const Synapses* s, const Events* fired, int64_t* j, int64_t* r,
                            int64_t* stop) noexcept nogil:
    """Fetch the synapses of one run more."""
    cdef Run* run
    r[0] += 1
    while r[0] >= stop[0]:
        if j[0] + 1 >= fired.n:
            return
        j[0] += 1
        r[0], stop[0] = s.start[fired.at[j[0]].source], s.start[fired.at[j[0]].source + 1]
        if j[0] + FURTHER < fired.n:
            fetch_one(&s.start[fired.at[j[0] + FURTHER].source])
        if j[0] + 2 < fired.n:
            fetch(&s.runs[s.start[fired.at[j[0] + 2].source]])
    run = &s.runs[r[0]]
    if s.weight16 != NULL:
        fetch_line(<const char*>(s.weight16 + run.first), run.n * sizeof(int16_t))
    elif s.weight32 != NULL:
        fetch_line(<const char*>(s.weight32 + run.first), run.n * sizeof(float))
    else:
        fetch_line(<const char*>(s.weight64 + run.first), run.n * sizeof(double))
    if not run.dense:
        if s.target16 != NULL:
            fetch_line(<const char*>(s.target16 + run.first), run.n * sizeof(uint16_t))
        else:
            fetch_line(<const char*>(s.target32 + run.first), run.n * sizeof(uint32_t))


cdef inline void fetch_line(const char* at, int64_t size) noexcept nogil:
    """The beginning of a run; of a longer one the machine itself fetches the rest."""
    cdef int64_t k = 0
    while k < size and k < LONG:
        fetch_one(at + k)
        k += 64
    fetch_one(at + min(size, <int64_t>LONG) - 1)


cdef void deliver_run(const Synapses* s, const Run* r, double payload, int64_t now) noexcept nogil:
    """Add a run to the sums of the tick it reaches, its delay counted from the tick in slot `now` of the ring."""
    cdef int64_t slot = now + r.delay
    cdef int32_t* sums
    if slot >= s.ring:
        slot -= s.ring
    if s.weight32 != NULL:
        deliver_f(s, r, s.weight32 + r.first, slot, payload)
        return
    if s.weight64 != NULL:
        deliver_f(s, r, s.weight64 + r.first, slot, payload)
        return
    sums = s.sums32
    if r.bank:
        s.touched[r.bank * s.ring + slot] = 1
        sums = s.banks + r.bank * s.ring * s.width
    sums += slot * s.width + r.row
    if r.dense:
        add_row_i(sums, s.weight16 + r.first, r.n, payload)
    elif s.target16 != NULL:
        add_i(sums, s.target16 + r.first, s.weight16 + r.first, r.n, payload)
    else:
        add_i(sums, s.target32 + r.first, s.weight16 + r.first, r.n, payload)


cdef inline void add_i(int32_t* sums, const Target* target, const int16_t* weight, int64_t n,
                       double payload) noexcept nogil:
    """Scattered; a graded spike multiplies, and 32 bits wrap around."""
    cdef int64_t k
    cdef uint32_t grade
    if payload == 1.0:
        for k in range(n):
            sums[target[k]] += weight[k]
    else:
        grade = <uint32_t><int64_t>payload
        for k in range(n):
            sums[target[k]] += <int32_t>(<uint32_t>weight[k] * grade)


cdef inline void add_row_i(int32_t* sums, const int16_t* weight, int64_t n, double payload) noexcept nogil:
    cdef int64_t k
    cdef uint32_t grade
    if payload == 1.0:
        for k in range(n):
            sums[k] += weight[k]
    else:
        grade = <uint32_t><int64_t>payload
        for k in range(n):
            sums[k] += <int32_t>(<uint32_t>weight[k] * grade)


cdef inline void deliver_f(const Synapses* s, const Run* r, const Real* weight, int64_t slot,
                           double payload) noexcept nogil:
    cdef double* sums = s.sums64 + slot * s.width + r.row
    if r.dense:
        add_row_f(sums, weight, r.n, payload)
    elif s.target16 != NULL:
        add_f(sums, s.target16 + r.first, weight, r.n, payload)
    else:
        add_f(sums, s.target32 + r.first, weight, r.n, payload)


cdef inline void add_f(double* sums, const Target* target, const Real* weight, int64_t n,
                       double payload) noexcept nogil:
    cdef int64_t k
    if payload == 1.0:
        for k in range(n):
            sums[target[k]] += <double>weight[k]
    else:
        for k in range(n):
            sums[target[k]] += <double>weight[k] * payload


cdef inline void add_row_f(double* sums, const Real* weight, int64_t n, double payload) noexcept nogil:
    cdef int64_t k
    for k in range(n):
        sums[k] += <double>weight[k] * payload


cdef void bring_in(const Synapses* s, const int32_t* shift, int64_t n_banks) noexcept nogil:
    """Shift what has come to the banks in this tick, and add it to the sums."""
    cdef int64_t b, slot, r, k, by
    cdef int32_t* bank
    cdef int32_t* sums
    for b in range(1, n_banks):
        by = shift[b]
        for slot in range(s.ring):
            if not s.touched[b * s.ring + slot]:
                continue
            s.touched[b * s.ring + slot] = 0
            for r in range(s.n_receptors):
                bank = s.banks + (b * s.ring + slot) * s.width + r * s.n_neurons
                sums = s.sums32 + slot * s.width + r * s.n_neurons
                if by >= 0:
                    for k in range(s.low, s.high):
                        sums[k] += <int32_t>(<uint32_t>bank[k] << by)
                else:
                    for k in range(s.low, s.high):
                        sums[k] += bank[k] >> -by
                memset(bank + s.low, 0, <size_t>(s.high - s.low) * sizeof(int32_t))


cdef class SynapseMemory(Held):
    """SynapseMemory(layout, ring, learns): the synapses of a layout, where they stand, and the sums they go to.

    ring    ticks of sums
    learns  weights are copied, so that they can change
    """

    def __init__(self, layout, int64_t ring, bint learns):
        cdef Synapses* s = &self.s
        s.n_neurons, s.n_receptors = layout.n_neurons, layout.n_receptors
        s.width, s.ring = layout.n_receptors * layout.n_neurons, ring
        integer = layout.accumulator == "i4"
        if layout.target.dtype == np.uint16:
            s.target16 = <const uint16_t*>self.hold("target", layout.target, np.uint16)
        else:
            s.target32 = <const uint32_t*>self.hold("target", layout.target, np.uint32)
        weight = np.array(layout.weight, np.int16 if integer else np.float64) if learns else layout.weight
        shape = (ring, layout.n_receptors, layout.n_neurons)
        if integer:
            s.weight16 = <int16_t*>self.hold("weight", weight, np.int16)
            s.sums32 = <int32_t*>self.hold("sums", np.zeros(shape, np.int32), np.int32)
            s.banks = <int32_t*>self.hold("banks", np.zeros((len(layout.bank_shift), *shape), np.int32), np.int32)
        else:
            if weight.dtype == np.float32:
                s.weight32 = <const float*>self.hold("weight", weight, np.float32)
            else:
                s.weight64 = <double*>self.hold("weight", weight, np.float64)
            s.sums64 = <double*>self.hold("sums", np.zeros(shape), np.float64)

    @property
    def weight(self):
        """int16, float32 or float64[W], as they are now."""
        return self.keep["weight"]

    cdef int part(self, layout, int64_t number, int64_t low, int64_t high, Synapses* out) except -1:
        """The synapses onto neurons [low, high), with runs and marks of their own. May raise Unordered.

        number   what the tables are kept under
        """
        out[0] = self.s
        out.low, out.high = low, high
        most = int(np.diff(layout.axon_start)[layout.out_axon].sum())       # pages that stay empty take no memory
        out.start = <const int64_t*>self.hold(f"run_start{number}", np.empty(layout.n_sources + 1, np.int64), np.int64)
        out.runs = <Run*>self.hold(f"runs{number}", np.empty(most * sizeof(Run), np.uint8), np.uint8)
        self.list_runs(layout, out)
        out.touched = <uint8_t*>self.hold(f"touched{number}", np.zeros((len(layout.bank_shift), out.ring)), np.uint8)
        return 0

    cdef int list_runs(self, layout, Synapses* s) except -1:
        """The part's table of runs, source by source, in the order of the out-axons and of their segments."""
        cdef const int64_t[::1] out_start = np.ascontiguousarray(layout.out_start, np.int64)
        cdef const int32_t[::1] out_axon = np.ascontiguousarray(layout.out_axon, np.int32)
        cdef const int64_t[::1] axon_start = np.ascontiguousarray(layout.axon_start, np.int64)
        cdef const int32_t[::1] axon_core = np.ascontiguousarray(layout.axon_core, np.int32)
        cdef const int64_t[::1] core_start = np.ascontiguousarray(layout.core_start, np.int64)
        cdef const int64_t[::1] first = np.ascontiguousarray(layout.segment_start, np.int64)
        cdef const int32_t[::1] size = np.ascontiguousarray(layout.segment_size, np.int32)
        cdef const int32_t[::1] slot = np.ascontiguousarray(layout.segment_slot, np.int32)
        cdef const int32_t[::1] delay = np.ascontiguousarray(layout.segment_delay, np.int32)
        cdef const uint8_t[::1] bank = np.ascontiguousarray(layout.segment_bank, np.uint8)
        cdef const uint8_t[::1] receptor = np.ascontiguousarray(layout.segment_receptor, np.uint8)
        cdef const uint8_t[::1] form = np.ascontiguousarray(layout.segment_format, np.uint8)
        cdef int64_t n_sources = layout.n_sources, source, k, g, axon, core, at = 0, target
        cdef int64_t* start = <int64_t*>s.start
        cdef Run* run
        with nogil:
            for source in range(n_sources):
                start[source] = at
                for k in range(out_start[source], out_start[source + 1]):
                    axon = out_axon[k]
                    core = axon_core[axon]
                    if core_start[core + 1] <= s.low or core_start[core] >= s.high:
                        continue
                    for g in range(axon_start[axon], axon_start[axon + 1]):
                        run = &s.runs[at]
                        run.first, run.n, run.row = first[g], size[g], core_start[core] + slot[g]
                        if core_start[core] < s.low or core_start[core + 1] > s.high:
                            if not clip(s, run):
                                with gil:
                                    raise Unordered(f"segment {g} goes over neuron {s.low} or {s.high}")
                            if run.n == 0:
                                continue
                        run.row += receptor[g] * s.n_neurons
                        run.delay, run.bank, run.dense = delay[g], bank[g], False
                        if form[g] == 0 and run.n >= SHORT and (target := dense_from(s, run)) >= 0:
                            run.dense = True
                            run.row += target
                        at += 1
            start[n_sources] = at
        return 0


cdef bint clip(const Synapses* s, Run* r) noexcept nogil:
    """Leave of a run that begins at neuron `row` what reaches [low, high); False if its targets do not ascend."""
    cdef int64_t k, before = 0, n = 0
    cdef int64_t neuron, last = -1
    for k in range(r.first, r.first + r.n):
        neuron = r.row + (s.target16[k] if s.target16 != NULL else s.target32[k])
        if neuron < last:
            return False
        before += neuron < s.low
        n += s.low <= neuron < s.high
        last = neuron
    r.first += before
    r.n = <int32_t>n
    return True


cdef int64_t dense_from(const Synapses* s, const Run* r) noexcept nogil:
    """The first target of a run whose targets follow each other; -1 of any other."""
    cdef int64_t k
    if s.target16 != NULL:
        for k in range(1, r.n):
            if s.target16[r.first + k] != s.target16[r.first] + k:
                return -1
        return s.target16[r.first]
    for k in range(1, r.n):
        if s.target32[r.first + k] != s.target32[r.first] + k:
            return -1
    return s.target32[r.first]
