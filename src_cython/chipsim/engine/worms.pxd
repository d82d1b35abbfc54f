"""The state of a clockless fabric with virtual channels (VCs) and packets of several flits, and what all steps share.

An event is the arrival of a flit, or a wake-up of an output or a synapse server. FIFOs are numbered channel x VC; an
output's requests are a mask over its router's inputs, port x VC.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.buffers cimport PacketSeed
from chipsim.engine.draws cimport draw
from chipsim.engine.mutex cimport Mutexes
from chipsim.engine.servers cimport Times
from chipsim.engine.wheel cimport Wheel, wheel_push

cdef enum:
    INJECT = 0                  # kinds of channels
    EJECT = 1
    NOBODY = 0xFFFFFFFF         # instead of a packet
    WAKE = 0xFFFFFFFF           # and in an event: an output may be granted
    SERVE = 0xFFFFFFFE          # a synapse server may go on
    CHANNEL = (1 << 27) - 1     # an arriving flit's channel, VC, and whether it is a head or a tail, in one number
    VC_BIT = 27
    HEAD = 1 << 30
    TAIL = 0x80000000
    ROUND_ROBIN = 1
    OLDEST = 2
    MUTEX_TREE = 3
    TOUCHED = 1                 # bits of an output that is to be looked at in this time stamp, for a grant
    SERVED = 2                  # and for the synapse server behind it

cdef extern from "<stdint.h>" nogil:
    const int64_t FOREVER "INT64_MAX"


cdef struct Slot:               # a flit in a FIFO
    int64_t arrival
    uint32_t packet             # behind an eject channel: the delivery
    uint32_t leads              # of a head: its output, multicast: its tree node; behind an eject channel: it is a tail


cdef struct Way:                # an output that the packet in front of a FIFO takes
    int64_t ready_at            # its next flit may claim from here on
    int32_t channel
    int32_t leads               # multicast: tree node behind it, or -1 - delivery
    int32_t sent                # flits
    int32_t vc                  # that it holds there, -1 before its head's grant
    uint8_t escape              # it is the one of several that goes in dimension order
    uint8_t y_first             # xy_yx: the packet goes y first


cdef struct Fifo:               # a VC: the sender's bookkeeping and the FIFO at the far end
    Slot* slots
    int64_t* credits            # ring of times at which taken slots become usable again
    Way* ways                   # of the packet in front
    int64_t ready_at            # the head of the next packet may claim from here on
    int32_t n_slots
    int32_t held                # slots taken, those in the ring of credits included
    int32_t credit_first
    int32_t n_credits
    int32_t first
    int32_t n_queued
    uint32_t packet             # in front, NOBODY when none is
    int32_t left                # flits of it that have left by all its ways
    int32_t n_ways
    uint32_t channel
    int32_t input               # of the router behind: port x VC
    uint8_t taken               # by a packet whose tail has not been sent yet


cdef struct Output:             # a channel
    int64_t free_at             # it may be granted again from here on
    int64_t wake_at             # time of the wake-up that is queued, FOREVER when none is
    int64_t last_arrival
    uint64_t requests           # inputs that have a flit for it
    int64_t latency             # ps
    int64_t body_latency
    int64_t cycle
    int64_t credit
    int64_t flits               # sent since the fabric was made
    int64_t queued_ps           # of the FIFOs behind it, see queues.py
    int32_t inside              # flits in the FIFOs
    int32_t peak
    int32_t last_input          # winner of the last grant, for ties
    int32_t from_router
    int32_t to_router
    int32_t endpoint
    uint8_t kind
    uint8_t starved             # somebody waits for a slot whose return is not yet known
    uint8_t touched
    uint8_t dirty               # used in this tick


cdef struct Source:             # an endpoint that sends
    int64_t packet              # being sent or waited for; packets from `first` to before `last` are this tick's
    int64_t first
    int64_t following
    int64_t last
    int64_t entry               # when the last packet's head entered
    int32_t sent                # flits of the packet
    int32_t vc


cdef struct Sink:               # a synapse server
    uint8_t* order              # ring of VCs, by the arrival of heads that have not been taken
    int64_t busy_until
    int64_t wake_at
    int32_t size                # of the ring
    int32_t first
    int32_t n_waiting
    int32_t vc                  # of the packet being taken, -1: none


cdef struct Worms:
    Wheel wheel
    Output* outputs
    Fifo* fifos                 # [channel, vc]
    Source* sources             # [endpoint]
    Sink* sinks                 # [core]
    Mutexes* mutexes            # per channel, where the policy is mutex_tree
    int64_t n_cores, n_routers, n_ports, policy, order, first_link, columns, rows
    int32_t vcs, n_inputs, flits, escape_vcs
    bint dateline, open_loop, xy_yx
    const int32_t* sizes        # flits of each packet of a list, or NULL: all have the same
    const int32_t* fifo_of      # [router, input] -> FIFO, -1 without one: a division less for every claim that is seen
    const int32_t* router
    const int32_t* inject
    const int32_t* eject
    const int32_t* out_channel
    const uint8_t* next_port
    const uint8_t* out_port
    const uint8_t* choices      # adaptive routing: [2, router, router] links as bits, or NULL
    const int32_t* x            # of each router
    const int32_t* y
    const int64_t* root         # multicast trees, or NULL
    const int64_t* node_start
    const int32_t* branch_channel
    const int64_t* branch_child
    const int32_t* axon_core
    const int64_t* service_ps
    const int32_t* source_endpoint
    uint32_t* touched
    uint32_t* served
    uint32_t* dirty
    int32_t* crowd              # [channel] slots taken, where outputs are served in that order
    int64_t n_touched, n_served, n_dirty
    const PacketSeed* seeds     # of the tick being run
    Times times


cdef inline void mark(Worms* m, uint32_t channel) noexcept nogil:
    """Remember that a channel has to be forgotten before the next tick."""
    if not m.outputs[channel].dirty:
        m.outputs[channel].dirty = 1
        m.dirty[m.n_dirty] = channel
        m.n_dirty += 1


cdef inline void wake(Worms* m, uint32_t channel, int64_t at) noexcept nogil:
    """Look at an output again at `at`, unless it will be looked at before then (and will find out itself)."""
    if m.outputs[channel].wake_at > at:
        m.outputs[channel].wake_at = at
        mark(m, channel)
        wheel_push(&m.wheel, at, channel, WAKE, 0)


cdef inline void touch(Worms* m, uint32_t channel) noexcept nogil:
    """An output is to be looked at after the arrivals of this time stamp."""
    if not m.outputs[channel].touched & TOUCHED:
        m.outputs[channel].touched |= TOUCHED
        m.touched[m.n_touched] = channel
        m.n_touched += 1
        mark(m, channel)


cdef inline void look(Worms* m, uint32_t channel) noexcept nogil:
    """And so is the synapse server behind an eject channel."""
    if not m.outputs[channel].touched & SERVED:
        m.outputs[channel].touched |= SERVED
        m.served[m.n_served] = channel
        m.n_served += 1


cdef inline int32_t size_of(Worms* m, uint32_t packet) noexcept nogil:
    """Flits of a packet."""
    return m.flits if m.sizes == NULL else m.sizes[packet]


cdef inline int64_t home_of(Worms* m, uint32_t packet) noexcept nogil:
    """The router of the endpoint that sends a packet."""
    return m.router[m.source_endpoint[m.seeds[packet].source]]


cdef inline bint goes_y_first(Worms* m, Fifo* f, int64_t packet) noexcept nogil:
    """xy_yx: drawn for a packet where it enters; from there on its VC says so."""
    cdef Output* o = &m.outputs[f.channel]
    cdef uint32_t words[4]
    if o.kind != INJECT:
        return f.input % m.vcs >= m.vcs // 2
    draw(words, 0, <uint32_t>(packet - m.sources[o.endpoint].first), <uint32_t>o.endpoint, 0, 0)
    return words[0] & 1


cdef inline int32_t slots_taken(Fifo* f, int64_t now) noexcept nogil:
    """Slots of a FIFO that are taken as its sender knows; slots that have come back are counted on the way."""
    while f.n_credits and f.credits[f.credit_first] <= now:
        f.credit_first = f.credit_first + 1 if f.credit_first + 1 < f.n_slots else 0
        f.n_credits -= 1
        f.held -= 1
    return f.held


cdef inline int32_t crowd_of(Worms* m, int64_t channel, int64_t now) noexcept nogil:
    """Slots taken behind a channel, as its sender knows."""
    cdef int64_t q
    cdef int32_t taken = 0
    for q in range(channel * m.vcs, (channel + 1) * m.vcs):
        taken += slots_taken(&m.fifos[q], now)
    return taken


cdef inline void give_back(Fifo* f, int64_t at) noexcept nogil:
    """A slot becomes usable again at `at`; times come in order."""
    cdef int32_t k = f.credit_first + f.n_credits
    f.credits[k - f.n_slots if k >= f.n_slots else k] = at
    f.n_credits += 1


cdef inline Slot* slot_at(Fifo* f, int32_t place) noexcept nogil:
    """A place in the queue, 0 the first."""
    place += f.first
    return &f.slots[place - f.n_slots if place >= f.n_slots else place]
