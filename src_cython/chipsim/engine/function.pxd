from libc.stdint cimport int32_t, int64_t

from chipsim.engine.buffers cimport Event
from chipsim.engine.chip_state cimport ChipState
from chipsim.engine.packets cimport Packets
from chipsim.engine.share cimport Chunk


cdef class Function(ChipState):
    cdef Chunk chunk                                # being advanced
    cdef list probes
    cdef object failure, held_counts
    cdef bint held
    cdef public bint alone
    cdef readonly Packets packets
    cdef Packets other                              # of the chunk before it

    cdef int work_together(self) except -1
    cdef int64_t deliver_late(self, const Event* e, const int32_t* late) noexcept nogil
