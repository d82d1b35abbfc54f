"""A learner's rule for a group of synapses."""
from libc.stdint cimport int64_t

from chipsim.engine.bits cimport wide_void
from chipsim.engine.plasticity cimport Group, Plastic, Sum


cdef wide_void learn_group(Plastic* p, Sum* tables, const Group* group, int64_t tick) noexcept nogil
