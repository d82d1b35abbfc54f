"""A calendar of events in integer picoseconds: two wheels of buckets, then a list for what lies further ahead.

Push and pop cost the same whatever is queued and however long nothing happens: an idle mesh is free. Events of equal
time come out together, in no particular order; whoever uses them must not depend on it.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    NEAR_BITS = 7           # near bucket: 128 ps. Mesh latencies are several of them: most events skip the sorted one
    WHEEL_BITS = 10         # buckets of a wheel; near wheel 131 ns, far wheel 134 us
    N_BUCKETS = 1024
    N_WORDS = 16


cdef struct Timed:
    int64_t at              # ps
    uint32_t channel
    uint32_t packet         # NO_PACKET: a wake-up
    uint32_t next           # in the same bucket


cdef struct Wheel:
    Timed* pool
    uint32_t used, capacity, free_list
    int64_t count           # events queued
    int64_t near_now        # bucket number being served, near wheel (ps >> NEAR_BITS)
    uint32_t near[N_BUCKETS]
    uint32_t far[N_BUCKETS]
    uint64_t near_map[N_WORDS]
    uint64_t far_map[N_WORDS]
    uint32_t beyond         # list of events past the far wheel
    Timed* current          # the bucket being served, sorted by time from `taken` on
    int64_t taken, filled, room
    Timed* scratch
    int64_t scratch_room


cdef int wheel_open(Wheel* w) noexcept nogil
cdef void wheel_close(Wheel* w) noexcept nogil
cdef void wheel_restart(Wheel* w) noexcept nogil
cdef int wheel_push(Wheel* w, int64_t at, uint32_t channel, uint32_t packet) noexcept nogil
cdef int wheel_fill(Wheel* w) noexcept nogil
cdef void advance_far(Wheel* w) noexcept nogil
