"""Where a packet may go from a clocked router: the output VCs it asks for, by the fabric's routing.

plain: the router of ordinary fabrics, see Routers; a constant of each copy of the code.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from chipsim.engine.bits cimport forced_void, lowest_bit
from chipsim.engine.clocked_state cimport ROUTING, WAITING, Masks, Routers, pairs


cdef inline uint64_t bit(int64_t k) noexcept nogil:
    return <uint64_t>1 << k


cdef inline int64_t port_to(Routers* f, int64_t r, uint32_t e) noexcept nogil:
    """Port by which the table sends a packet for endpoint e on from a router."""
    return f.channels[f.eject[e]].out_port if f.router[e] == r else f.next_port[r * f.n_routers + f.router[e]]


cdef inline int64_t emptiest(Routers* f, int64_t r, uint8_t* b, int64_t home, int64_t there) noexcept nogil:
    """Of the outputs adaptive routing may take, the one with fewest slots taken, then the lowest."""
    cdef int64_t row = r * f.n_routers + there, o, v, used, least = -1, best = 0
    cdef uint64_t mask = f.choices[row]
    if r % f.columns == home % f.columns:
        mask = f.choices[f.n_routers * f.n_routers + row]
    while mask:
        o = f.first_link + lowest_bit(mask)
        mask &= mask - 1
        used = 0
        for v in range(f.vcs):
            used += pairs(b)[o * f.vcs + v].used
        if least < 0 or used < least:
            least, best = used, o
    return best


cdef inline uint64_t ring_class(Routers* f, uint32_t packet, int64_t o) noexcept nogil:
    """VCs of output o a packet may take on a torus: one half, by whether its way round crosses the seam."""
    cdef int64_t link = o - f.first_link, half = f.vcs // 2
    cdef uint8_t here, there
    cdef uint64_t all_ = bit(f.vcs) - 1
    if link < 0 or link >= 4:
        return all_
    here = f.ring[2 * f.router[f.src[packet]] + (link >> 1)]
    there = f.ring[2 * f.router[f.dst[packet]] + (link >> 1)]
    if (there < here) if link & 1 == 0 else (there > here):
        return all_ & ~(bit(half) - 1)
    return all_ >> half


cdef inline uint64_t by_vc(Routers* f, int64_t r, int64_t iv, uint32_t packet, int64_t there) noexcept nogil:
    """Output VCs for routings that depend on the VC; see reference_clocked.ClockedMesh.by_vc."""
    cdef int64_t east_west = f.first_link + (0 if f.x[r] < f.x[there] else 1)
    cdef int64_t north_south = f.first_link + (2 if f.y[r] < f.y[there] else 3), port
    cdef bint dx = f.x[r] != f.x[there], dy = f.y[r] != f.y[there]
    cdef uint64_t all_ = bit(f.vcs) - 1, low = bit(f.vcs // 2) - 1, found
    if f.xy_yx:
        port = east_west if dx and not (f.y_first[packet] and dy) else north_south
        return (all_ & ~low if f.y_first[packet] else low) << (port * f.vcs)
    found = bit((east_west if dx else north_south) * f.vcs)
    if f.vc_of[iv] > 0 or f.channels[f.into[r * f.n_ports + f.input_of[iv]]].from_router < 0:
        if dx:
            found |= (all_ - 1) << (east_west * f.vcs)
        if dy and not (f.x_only and dx):
            found |= (all_ - 1) << (north_south * f.vcs)
    return found


cdef inline void start(Routers* f, uint8_t* b, int64_t iv) noexcept nogil:
    """The packet at the head of an input VC computes its route, or asks for an output VC."""
    cdef Masks* m = <Masks*>b
    if f.routing_delay:
        pairs(b)[iv].state, pairs(b)[iv].routed = ROUTING, 0
        m.routing |= bit(iv)
    else:
        pairs(b)[iv].state = WAITING
        m.waiting |= bit(iv)


cdef inline int64_t branch(Routers* f, uint8_t* b, int64_t iv, uint32_t node) noexcept nogil:
    """Of a tree: by which the packet at the head of an input VC, there at a node, sends its next copy."""
    return f.node_start[node] + b[f.at.branch + iv]


cdef inline forced_void begin(Routers* f, int64_t r, uint8_t* b, int64_t iv, uint32_t packet,
                              uint32_t e, bint plain) noexcept nogil:
    """A packet for endpoint e (multicast: at node e of its tree) at the head of an input VC begins, or its next copy:
    find the output VCs it may take.
    """
    cdef int64_t there, port
    cdef uint64_t vcs = bit(f.vcs) - 1
    if not plain and f.multicast:
        pairs(b)[iv].wants = vcs << (f.channels[f.branch_channel[branch(f, b, iv, e)]].out_port * f.vcs)
        start(f, b, iv)
        return
    there = f.router[e]
    if there == r:
        port = f.channels[f.eject[e]].out_port
    else:
        if not plain and (f.xy_yx or f.min_adaptive):
            pairs(b)[iv].wants = by_vc(f, r, iv, packet, there)
            start(f, b, iv)
            return
        if plain or f.order:                            # a table of 4096 x 4096 ports would miss the cache at every hop
            if f.x[r] != f.x[there] and (f.order == 1 or f.y[r] == f.y[there]):
                port = f.first_link + (0 if f.x[r] < f.x[there] else 1)
            else:
                port = f.first_link + (2 if f.y[r] < f.y[there] else 3)
        elif f.choices != NULL:
            port = emptiest(f, r, b, f.router[f.src[packet]], there)
        else:
            port = f.next_port[r * f.n_routers + there]
        if not plain and f.share:
            there = f.channels[f.out_of[r * f.n_ports + port]].to_router
            vcs = (bit(f.share) - 1) << (f.share * port_to(f, there, e))
        elif not plain and f.ring != NULL:
            vcs = ring_class(f, packet, port)
    pairs(b)[iv].wants = vcs << (port * f.vcs)
    start(f, b, iv)
