"""The streaming pass over the channels; see stream.pyx."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from chipsim.engine.buffers cimport PacketSeed
from chipsim.engine.held cimport Held
from chipsim.engine.servers cimport Times


cdef struct Hop:            # a packet in the FIFO behind a channel; those of a channel stand together, in order
    int64_t arrival
    int64_t leave           # granted its next channel; UNKNOWN before that
    uint32_t packet
    uint32_t next           # the next in the same FIFO that wants the same output
    uint32_t core           # it goes to, and that core's router
    int32_t there


cdef struct Lane:           # packets of one FIFO for one output
    uint32_t first
    uint32_t last


cdef struct Side:           # a channel: 64 bytes, a cache line
    uint64_t asks           # input ports with packets for it
    int64_t waited          # by packets in its FIFO, ps
    uint32_t latency        # ps
    uint32_t cycle
    uint32_t credit
    int32_t slack           # a packet that waits no longer than this gives its slot back before it can be missed
    uint32_t start          # its packets are those from here to `stop`
    uint32_t stop
    uint32_t slots
    int32_t from_router
    int32_t to_router
    int32_t endpoint
    uint32_t rank
    uint32_t most           # packets in its FIFO at once
    uint8_t kind
    uint8_t in_port


cdef struct Claim:          # the head of a lane
    int64_t at
    uint32_t hop
    int32_t port
    Side* fifo


cdef class Stream(Held):
    cdef readonly int64_t tried, held               # ticks with packets, and those in which the pass was exact
    cdef int64_t n_channels, n_cores, n_routers, n_ports, policy, order, first_link
    cdef Side* sides
    cdef Lane* lanes                                # [channel, input port]
    cdef const int32_t* sequence                    # channels in order
    cdef uint64_t* pending                          # bit per rank: has packets to pass on
    cdef uint32_t* visited                          # channels of this tick in order
    cdef const int32_t* in_channel
    cdef const int32_t* out_channel
    cdef const uint8_t* next_port
    cdef const int32_t* router
    cdef const int32_t* inject
    cdef const int32_t* eject
    cdef const uint16_t* x
    cdef const uint16_t* y
    cdef const int32_t* axon_core
    cdef const int64_t* service_ps
    cdef Hop* hops
    cdef int64_t used, room, n_packets, n_visited
    cdef int64_t* busy_until                        # per core
    cdef bint broken                                # an assumption was wrong
    cdef int64_t* started                           # ring, of the eject channel at hand
    cdef uint32_t turn, oldest                      # places in it: the next, and the first not started in time
    cdef uint32_t inside
    cdef int64_t* entry
    cdef int64_t* flits                             # per channel, since the stream was made
    cdef int64_t* waited
    cdef int32_t* peak
    cdef const PacketSeed* seeds
    cdef const int64_t* first_packet                # of the tick, host port first
    cdef Times times
    cdef bint open_loop

    cdef int tick(self, const PacketSeed* seeds, const int64_t* start, const int64_t* tail_ps, Times* times,
                  bint open_loop, int64_t* length, int32_t* limit) noexcept nogil
    cdef int sweep(self) noexcept nogil
    cdef void give_up(self) noexcept nogil
    cdef int pass_on(self, uint32_t channel) noexcept nogil
    cdef void enter(self, uint32_t channel) noexcept nogil
    cdef int64_t claims_at(self, Side* fifo, uint32_t hop) noexcept nogil
    cdef void relay(self, uint32_t channel) noexcept nogil
    cdef void merge(self, uint32_t channel) noexcept nogil
    cdef bint next_of(self, int32_t one, int32_t other, int32_t last_port) noexcept nogil
    cdef int32_t chosen(self, Claim* claims, int32_t n, int64_t at, int32_t last_port) noexcept nogil
    cdef void leave(self, Side* fifo, uint32_t hop, int64_t at) noexcept nogil
    cdef void serve(self, Side* s, int64_t arrival, uint32_t packet) noexcept nogil
    cdef void append(self, Side* s, int64_t arrival, uint32_t packet, uint32_t core, int32_t there) noexcept nogil
    cdef uint32_t link(self, int32_t here, int32_t there) noexcept nogil
    cdef int grow(self) noexcept nogil
    cdef void count(self) noexcept nogil
