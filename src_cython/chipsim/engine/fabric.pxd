from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.buffers cimport PacketSeed
from chipsim.engine.wheel cimport Wheel


cdef struct Channel:
    int64_t free_at         # the output may be granted again from here on
    int64_t wake_at         # time of the wake-up that is queued, FOREVER when none is
    uint64_t requests       # input ports whose head wants this output
    int64_t head_at         # the FIFO's head may request from here on
    int64_t latency
    int64_t cycle
    int64_t credit
    int64_t* credits        # ring of times at which taken slots become usable again
    int64_t* arrivals       # FIFO at the far end: arrival time, packet, and either the output it wants or its tree node
    uint32_t* queue
    uint32_t* wants
    int64_t busy_until      # eject: the synapse server behind
    int64_t flits           # sent since the fabric was made
    int32_t held            # slots taken, those in the ring included
    int32_t slots
    int32_t credit_first
    int32_t n_credits
    int32_t first
    int32_t n_queued
    int32_t from_router
    int32_t to_router
    int32_t endpoint
    int32_t last_port
    int32_t branches        # multicast: copies of the head still to be sent
    uint8_t kind
    uint8_t in_port
    uint8_t starved         # waits for a slot whose return is not yet known
    uint8_t touched


cdef class Fabric:
    cdef object keep
    cdef Wheel wheel
    cdef Channel* channels
    cdef int64_t n_channels, n_cores, n_routers, n_ports
    cdef int32_t* in_channel                        # [router, port] -> channel whose FIFO feeds the port
    cdef const int32_t* router
    cdef const int32_t* inject
    cdef const int32_t* eject
    cdef const int32_t* out_channel
    cdef const uint8_t* next_port
    cdef const uint8_t* choices                     # adaptive routing: [2, router, router] links as bits, or NULL
    cdef const int32_t* column                      # of each router, for odd-even's rule about the source's column
    cdef int64_t first_link
    cdef const int64_t* root                        # multicast trees, or NULL
    cdef const int64_t* node_start
    cdef const int32_t* branch_channel
    cdef const int64_t* branch_child
    cdef int64_t policy
    cdef bint open_loop                             # gaps are times of making, not soma time since the packet before
    cdef const int32_t* axon_core
    cdef const int64_t* service_ps
    cdef const int32_t* source_endpoint
    cdef uint32_t* touched
    cdef int64_t n_touched
    cdef uint32_t* dirty                            # channels used in this tick
    cdef int64_t n_dirty
    cdef uint8_t* is_dirty
    cdef int64_t* next_packet                       # per endpoint, index into the seeds
    cdef int64_t* last_packet
    cdef int64_t* entry
    # of the tick being run
    cdef const PacketSeed* seeds
    cdef int64_t* made
    cdef int64_t* entered
    cdef int64_t* arrived
    cdef int64_t* started
    cdef int64_t* done

    cdef void* hold(self, str name, array, dtype) except NULL
    cdef int tick(self, const int64_t* seed_start, const int64_t* tail_ps, int64_t* length,
                  int32_t* limit) noexcept nogil
    cdef int wake(self, uint32_t channel, int64_t at) noexcept nogil
    cdef void touch(self, uint32_t channel) noexcept nogil
    cdef uint32_t onward(self, int32_t router, uint32_t packet, int64_t now) noexcept nogil
    cdef void request(self, uint32_t channel, int64_t now) noexcept nogil
    cdef int ask(self, uint32_t channel) noexcept nogil
    cdef int make(self, int64_t endpoint, int64_t now) noexcept nogil
    cdef void arrive(self, uint32_t channel, uint32_t packet, uint32_t node, int64_t now) noexcept nogil
    cdef int arbitrate(self, uint32_t channel, int64_t now) noexcept nogil
    cdef int grant(self, uint32_t channel, uint32_t packet, int64_t child, int64_t now) noexcept nogil
    cdef int leave(self, uint32_t channel, int64_t now) noexcept nogil
    cdef void quiet(self) noexcept nogil
    cdef void give_back(self, Channel* c, int64_t at) noexcept nogil
    cdef int enter(self, uint32_t channel, int64_t now) noexcept nogil
    cdef int64_t endpoint_of(self, uint32_t packet) noexcept nogil
