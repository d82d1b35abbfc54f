"""The learning phase of a tick, for all learners of a chip (see chipsim/engine/learning.py)."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from chipsim.engine.held cimport Held
from chipsim.engine.plasticity cimport Plastic


cdef struct Phase:
    int64_t n_learners, n_cores
    Plastic** plastic
    const int64_t* role_start       # [S + 1] what a spike of a source means to which learner
    const int32_t* role_learner
    const int32_t* role
    const int32_t* role_unit
    const int64_t* fixed            # [learners, cores, 2] traces, reads
    int64_t[3] cost                 # ps of one each
    int64_t* work                   # [cores, 3] of the phase, and since the start
    int64_t* core_work


cdef void phase_spike(const Phase* p, uint32_t source, double payload, int64_t tick) noexcept nogil
cdef void phase_clear(const Phase* p) noexcept nogil
cdef void phase_tick(const Phase* p, int64_t tick, int64_t* counts, int64_t* ps, int32_t* core) noexcept nogil


cdef class Learners(Held):
    cdef Phase phase
    cdef readonly list each
