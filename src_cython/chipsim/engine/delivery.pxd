"""What spikes do to the sums: the synapses of each source as runs, in the order in which its packets are made."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

from chipsim.engine.buffers cimport Events
from chipsim.engine.held cimport Held


cdef struct Run:                # of synapses that share delay, bank and receptor: a segment, seen from its source
    int64_t first               # of the stored synapses
    int32_t n
    int32_t delay               # ticks
    int64_t row                 # within the sums of a tick: receptor * neurons + the neuron at target 0
    int16_t bank
    bint dense                  # targets follow each other, from `row` on: `target` need not be read


cdef struct Synapses:           # those onto the neurons [low, high), all or a part of them
    int64_t low, high, n_neurons, n_receptors
    const int64_t* start        # [S + 1] runs of each source
    Run* runs
    const uint16_t* target16    # one of the two
    const uint32_t* target32
    int16_t* weight16           # one of the three; learning writes the first and the last
    const float* weight32       # where that is exact
    double* weight64
    int64_t width               # receptors * neurons: sums of a tick
    int64_t ring                # ticks held
    int32_t* sums32             # [ring, width], one of the two
    double* sums64
    int32_t* banks              # [banks, ring, width]; bank 0 stands for the sums themselves
    uint8_t* touched            # [banks, ring] something waits there


cdef void deliver_fired(const Synapses* s, const Events* fired, int64_t now) noexcept nogil
cdef void deliver_run(const Synapses* s, const Run* r, double payload, int64_t now) noexcept nogil
cdef void bring_in(const Synapses* s, const int32_t* shift, int64_t n_banks) noexcept nogil


cdef class SynapseMemory(Held):
    cdef Synapses s             # what is common to all parts

    cdef int part(self, layout, int64_t number, int64_t low, int64_t high, Synapses* out) except -1
    cdef int list_runs(self, layout, Synapses* s) except -1
