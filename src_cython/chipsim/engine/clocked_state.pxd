"""The state of clocked routers and their channels; who changes it is clocked_router.pxd and clocked.pyx.

All control state of a router is bit masks over its (port, VC) pairs, 64 at most, and what is known of each, in one
block per router: Masks, then a Pair each, then bytes at the offsets of Layout.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc

from chipsim.engine.allocators cimport WIDTH, Allocator, Requests

cdef enum:
    SLOTS = 256                 # cycles the wheel looks ahead; more than any latency or credit delay
    HEAD = 1
    TAIL = 2
    IDLE = 0                    # states of an input VC
    ROUTING = 1
    WAITING = 2
    ACTIVE = 3
    FROM_NODE = 0x80000000      # of a credit: for an endpoint


cdef struct Flit:
    uint32_t packet
    uint32_t to                 # endpoint; multicast: place in the packet's tree
    uint32_t channel            # where it is, or in a FIFO: unused
    uint8_t vc
    uint8_t ends                # HEAD | TAIL


cdef struct Arrivals:
    Flit* at
    int64_t n
    int64_t room


cdef struct Credits:
    uint32_t* at                # router * 64 + output VC, or FROM_NODE + endpoint * 8 + vc
    int64_t n
    int64_t room


cdef struct Masks:
    uint64_t routing            # input VCs in route computation
    uint64_t waiting            # ask for an output VC
    uint64_t asking             # hold one and have a flit: ask for the switch
    uint64_t free_out           # output VCs nobody holds
    uint64_t credit_out         # output VCs with room at the far end
    uint64_t draining           # output VCs that are free again when all their credits are back
    uint64_t held               # ports into the switch that are joined to one out of it
    uint64_t joined             # those ports out of it


cdef struct Pair:               # (port, VC) of a router: `used` is of the output, the rest of the input
    uint64_t wants              # output VCs it asks for
    uint8_t count               # flits in the FIFO, its first
    uint8_t head
    uint8_t port                # output and VC of the packet at the head
    uint8_t vc
    uint8_t state
    uint8_t routed              # cycles of route computation done
    uint8_t used                # slots taken at the far end
    uint8_t unused


cdef struct Layout:             # byte offsets in a router's block
    int64_t stride
    int64_t grant               # bytes per (port, VC): pointers of VC allocation
    int64_t accept
    int64_t switch_grant        # pointers of switch allocation, per port out of and into the switch
    int64_t switch_accept
    int64_t first               # VC that is put forward first, per port into the switch
    int64_t diagonals           # of VC and switch allocation
    int64_t branch              # multicast, per input VC: copies that have left, flits of the next that have
    int64_t copied
    int64_t held_vc             # input VC whose connection is held, per port into the switch


cdef struct Channel:            # what is known of a channel, on one cache line, and what is counted of it
    int64_t hop_cycles
    int64_t load                # flits since the fabric was made
    int64_t queued              # cycles of flits in the FIFO behind it, summed; see queues.py
    int32_t from_router         # -1: an endpoint
    int32_t to_router
    int32_t endpoint            # -1: a link
    int32_t slots
    int32_t inside              # flits in the FIFO behind it now, and most at once
    int32_t peak
    uint8_t in_port             # at the far and the near router
    uint8_t out_port
    uint8_t unused[14]


cdef struct Crossing:           # a flit between switch allocation and its output queue
    Flit flit
    int64_t port
    int64_t done                # cycle; -1: not begun


cdef struct Ring:               # of Crossings, Flits or credit messages; the place of entry k: (first + k) mod room
    int32_t first
    int32_t n


cdef struct Routers:
    # parameters
    int64_t n_routers, n_ports, vcs, pv, routing_delay, credit_delay, traversal, depth
    bint plain                  # unicast on dimension order, one iteration of iSLIP, no option of `special`
    bint quick                  # one who asks for output VCs gets the first after its pointer
    bint when_empty, by_age, speculative, by_packet, batches, queued, special
    int64_t in_speed, out_speed, steps, output_queue, share
    Allocator vc_allocator
    Allocator switch_allocator
    uint8_t input_of[64]        # per input VC: its port, its port into the switch, which port of an output it may use
    uint8_t into_switch[64]
    uint8_t lane[64]
    uint8_t vc_of[64]
    Layout at
    # the plan
    const int32_t* router
    const int32_t* eject
    const uint8_t* next_port
    bint xy_yx, min_adaptive, x_only    # routes by VC; x_only: min_adaptive without its choice
    const uint8_t* choices      # adaptive routing: [2, router, router] links as bits, or NULL
    const uint16_t* x
    const uint16_t* y
    const uint8_t* ring
    Channel* channels
    int32_t* into               # [router, port] -> channel that feeds it
    int32_t* out_of             # [router, port] -> channel it feeds, ejection included
    int64_t order, first_link, columns
    bint multicast
    const int64_t* node_start   # trees; see multicast.py
    const int32_t* branch_channel
    const int64_t* branch_child
    # state
    uint8_t* blocks
    Flit* queues                # [router, port * vcs + vc, depth]
    Ring* crossing              # per router, with queued outputs: [pv * depth] of crossings
    Crossing* crossings
    Ring* output                # [router, port]: [vcs * depth] of flits
    Flit* outputs
    Ring* message               # [router, port]: [vcs * depth] of masks of VCs
    uint8_t* messages
    Arrivals flits[SLOTS]
    Credits credits[SLOTS]
    uint64_t* active            # bit per router
    Requests requests           # of the router at work
    uint8_t forward[WIDTH * WIDTH]      # of [port into, port out of the switch]: input VC that asks
    # packets of the run, and what is counted
    const int32_t* src
    const int32_t* dst
    int64_t* age                # cycle in which a packet was offered
    uint8_t* y_first            # with xy_yx
    int64_t flit_hops


cdef inline Pair* pairs(uint8_t* b) noexcept nogil:
    """Of the router with block b."""
    return <Pair*>(b + sizeof(Masks))


cdef inline int push_credit(Routers* f, int64_t now, int64_t channel, int64_t vc) noexcept nogil:
    """A slot behind a channel is free: its sender can use it after the way back. -1: no memory."""
    cdef Channel* back = &f.channels[channel]
    cdef int64_t at = now + back.hop_cycles + 1
    cdef uint32_t what
    cdef Credits* c
    cdef void* grown
    if back.from_router >= 0:
        at += f.credit_delay
        what = <uint32_t>(back.from_router * 64 + back.out_port * f.vcs + vc)
    else:
        what = <uint32_t>(FROM_NODE + back.endpoint * 8 + vc)
    c = &f.credits[at & (SLOTS - 1)]
    if c.n == c.room:
        grown = realloc(c.at, <size_t>(2 * c.room + 256) * sizeof(uint32_t))
        if grown == NULL:
            return -1
        c.at = <uint32_t*>grown
        c.room = 2 * c.room + 256
    c.at[c.n] = what
    c.n += 1
    return 0


cdef inline int push_flit(Routers* f, int64_t at, uint32_t packet, uint32_t to, int64_t channel, int64_t vc,
                          int ends) noexcept nogil:
    """A flit on a channel, received in cycle `at`. -1: no memory."""
    cdef Arrivals* a = &f.flits[at & (SLOTS - 1)]
    cdef Flit* flit
    cdef void* grown
    if a.n == a.room:
        grown = realloc(a.at, <size_t>(2 * a.room + 256) * sizeof(Flit))
        if grown == NULL:
            return -1
        a.at = <Flit*>grown
        a.room = 2 * a.room + 256
    flit = &a.at[a.n]
    flit.packet, flit.to, flit.channel = packet, to, <uint32_t>channel
    flit.vc, flit.ends = <uint8_t>vc, <uint8_t>ends
    a.n += 1
    f.channels[channel].load += 1
    return 0
