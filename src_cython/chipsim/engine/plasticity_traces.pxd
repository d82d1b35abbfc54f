"""Spikes, traces and reward of a learner."""
from libc.stdint cimport int32_t, int64_t

from chipsim.engine.plasticity cimport Plastic

cdef enum:
    PRE = 0                     # roles of a source
    POST = 1
    REWARD = 2


cdef void plastic_clear(Plastic* p) noexcept nogil
cdef void plastic_spike(Plastic* p, int32_t role, int64_t unit, double payload, int64_t tick) noexcept nogil
cdef void hear_late(Plastic* p, int64_t tick) noexcept nogil
cdef void follow_traces(Plastic* p, int64_t tick) noexcept nogil
cdef void forget_spikes(Plastic* p) noexcept nogil
