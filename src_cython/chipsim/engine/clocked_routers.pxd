from libc.stdint cimport int64_t

from chipsim.engine.clocked_state cimport Routers
from chipsim.engine.held cimport Held


cdef class ClockedRouters(Held):
    cdef object plan                                # FabricPlan, for names in errors
    cdef Routers f
    cdef object counted                             # CHANNEL[K], on f.channels
    cdef int64_t n_channels
    cdef object root                                # multicast: node at which each source's tree begins
    cdef void empty(self) noexcept nogil
