"""Heads and tables of a learner's products."""
from libc.stdint cimport int64_t

from chipsim.engine.bits cimport wide_void
from chipsim.engine.plasticity cimport Plastic, Sum


cdef int64_t heads(Plastic* p, int64_t pre, int64_t epoch, int64_t n_spiked) noexcept nogil
cdef wide_void see_axons(Plastic* p, Sum* tables, int64_t at) noexcept nogil
cdef Sum* table(Plastic* p, Sum* tables, int64_t k, int64_t at) noexcept nogil
