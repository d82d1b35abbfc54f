"""What function leaves behind for the fabric: see packets.pyx."""
from libc.stdint cimport int64_t

from chipsim.engine.buffers cimport Seeds
from chipsim.engine.share cimport Chunk, Share


cdef class Packets:
    cdef dict keep                                  # arrays the raw pointers point into
    cdef int64_t stride                             # endpoints: host port, then cores
    cdef Seeds seeds
    cdef int64_t* seed_start                        # [ticks * stride + 1] first seed of each endpoint, tick by tick
    cdef int64_t* tail_ps                           # [ticks * stride] soma time after an endpoint's last packet

    cdef void* room(self, str name, int64_t n) except NULL
    cdef int begin(self, Chunk* k, bint want_work) except -1
    cdef int take(self, Share* shares, int64_t n_shares, int64_t n_ticks) except -1
    cdef object seen(self)
