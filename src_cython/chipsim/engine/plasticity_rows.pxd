"""The end of a learner's epoch: its rule, synapse by synapse."""
from libc.stdint cimport int64_t

from chipsim.engine.plasticity cimport Plastic


cdef void plastic_tick(Plastic* p, int64_t tick) noexcept nogil
