"""Neuron models as the compiled engine sees them: arrays by position, and a step that advances a slice of neurons."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef struct Slice:
    int64_t start                   # neurons [start, stop) of one group
    int64_t stop
    int64_t n                       # neurons in all: distance between the sums of two receptors
    void* sums                      # int32 or double [receptors, n]: the tick's summed weights
    uint8_t* active                 # out [n]: 0 or 1
    double* payload                 # out [n]: what each neuron emits
    uint32_t tick                   # the counter of random numbers: tick, neuron first + (i - start), stream
    uint32_t stream
    uint32_t first


cdef struct Program:
    const int32_t* code             # [n, 5] operation, result, operands; see chipsim/models/trace.py
    int64_t n
    const double* constants         # [n_constants], in the first registers
    int64_t n_constants
    double* registers


cdef struct Model


ctypedef void (*Step)(const Model* m, const Slice* s) noexcept nogil


cdef struct Model:
    void** params                   # arrays [n] in the order of the kernel's `params`
    void** state                    # in the order of its `state`
    double* options                 # in the order of its `options`
    uint64_t seed
    Program program                 # the traced step, for run_program
    Step step                       # NULL: there is none, the NumPy step does it


cdef class Soma:
    """A model's arrays, held together with the pointers to them."""
    cdef Model model
    cdef list keep
    cdef readonly object kernel, options, params, state

    cdef int hold_program(self, code) except -1
    cdef int plain(self, const Slice* s) except -1
