"""Shorten the multicast trees of a placement, by swaps judged by the links they add and save. No Python in any loop."""
from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

from chipsim.compiler.placing.metric cimport below, draw

cdef int N_STEPS = 64                       # of temperature


cdef struct State:
    const int64_t* net_start
    const int32_t* pin                      # vertices of a net, its source first
    const float* weight                     # packets of a net
    const int64_t* of_start
    const int32_t* of                       # nets of a vertex
    const int32_t* router                   # of each site
    int32_t* site                           # of each vertex
    const int32_t* link                     # [R, R] first link on the way, -1 when there
    const int32_t* towards                  # [K] router that a link leads to
    const float* price                      # [K]
    int32_t n_routers
    int64_t* seen                           # [K] the tree that crossed a link last
    int64_t tree
    double* length                          # price of each net's tree
    int64_t* touched                        # [N] the move that looked at a net last
    int32_t* changed                        # nets of the move in hand, and their new lengths
    double* fresh


cdef double measure(State* g, int32_t net) noexcept nogil:
    """Price of the union of the routes from a net's source to its other pins."""
    cdef int64_t p
    cdef int32_t home = g.router[g.site[g.pin[g.net_start[net]]]], here, there, k
    cdef double total = 0
    g.tree += 1
    for p in range(g.net_start[net] + 1, g.net_start[net + 1]):
        here, there = home, g.router[g.site[g.pin[p]]]
        while here != there:
            k = g.link[<int64_t>here * g.n_routers + there]
            if g.seen[k] != g.tree:
                g.seen[k] = g.tree
                total += g.price[k]
            here = g.towards[k]
    return total


cdef double change(State* g, int32_t v, int64_t move, int64_t* n) noexcept nogil:
    """Measure the nets of v that this move has not looked at; what they cost more."""
    cdef int64_t e
    cdef int32_t net
    cdef double more = 0
    for e in range(g.of_start[v], g.of_start[v + 1]):
        net = g.of[e]
        if g.touched[net] == move:
            continue
        g.touched[net] = move
        g.changed[n[0]] = net
        g.fresh[n[0]] = measure(g, net)
        more += g.weight[net] * (g.fresh[n[0]] - g.length[net])
        n[0] += 1
    return more


def tree_loads(const int64_t[::1] net_start, const int32_t[::1] pin, const float[::1] weight,
               const int32_t[::1] router, const int32_t[:, ::1] link, const int32_t[::1] towards, double[::1] load):
    """Add every net's packets to each link of its tree, once; `router`: of each vertex."""
    cdef int64_t i, p
    cdef int32_t here, there, k
    cdef int64_t[::1] seen = np.full(len(load), -1, np.int64)
    with nogil:
        for i in range(weight.shape[0]):
            for p in range(net_start[i] + 1, net_start[i + 1]):
                here, there = router[pin[net_start[i]]], router[pin[p]]
                while here != there:
                    k = link[here, there]
                    if seen[k] != i:
                        seen[k] = i
                        load[k] += weight[i]
                    here = towards[k]


def shorten(const int64_t[::1] net_start, const int32_t[::1] pin, const float[::1] weight, const int64_t[::1] of_start,
            const int32_t[::1] of, const int32_t[::1] router, int32_t[::1] site, int32_t[::1] at,
            const int32_t[::1] movers, const int32_t[:, ::1] near, const int32_t[:, ::1] link,
            const int32_t[::1] towards, const float[::1] price, int64_t[::1] seen, double[::1] length,
            int64_t[::1] touched, int32_t[::1] changed, double[::1] fresh, double hot, double cold, int64_t n_moves,
            uint64_t key):
    """Anneal packets x price of the trees' links; return what it was and what it is.

    net_start, pin, weight   nets: vertices, the source first, and packets;  of_start, of: nets of each vertex
    router, near             per site: its router, and sites near it;  site, at: of each vertex, and back (changed)
    link, towards, price     first link on the way [R,R]; of a link [K], the router it leads to and its price
    seen, touched            int64[K], int64[N] of -1;  length, fresh float64[N], changed int32[N]: room
    """
    cdef State g
    cdef int64_t move = 0, last, n, i
    cdef int32_t v, w, s, t, x
    cdef uint64_t r, q
    cdef double before = 0, total, temperature, more
    g.net_start, g.pin, g.weight, g.of_start, g.of = &net_start[0], &pin[0], &weight[0], &of_start[0], &of[0]
    g.router, g.site, g.link, g.towards, g.price = &router[0], &site[0], &link[0, 0], &towards[0], &price[0]
    g.seen, g.length, g.touched, g.changed, g.fresh = &seen[0], &length[0], &touched[0], &changed[0], &fresh[0]
    g.n_routers, g.tree = <int32_t>link.shape[0], 0
    with nogil:
        for i in range(weight.shape[0]):
            g.length[i] = measure(&g, <int32_t>i)
            before += g.weight[i] * g.length[i]
        total = before
        for x in range(N_STEPS):
            temperature = hot * (cold / hot) ** (<double>x / (N_STEPS - 1))
            last = n_moves * (x + 1) // N_STEPS
            while move < last:
                r, q = draw(key, 2 * move), draw(key, 2 * move + 1)
                move += 1
                v = movers[below(<uint64_t>movers.shape[0], r)]
                s = site[v]
                if q & 1:                                   # beside another pin of one of its nets, or near by
                    i = of[of_start[v] + below(<uint64_t>(of_start[v + 1] - of_start[v]), r >> 32)]
                    w = pin[net_start[i] + below(<uint64_t>(net_start[i + 1] - net_start[i]), q >> 17)]
                    t = near[site[w], below(<uint64_t>near.shape[1], q >> 32)]
                else:
                    t = near[s, below(<uint64_t>near.shape[1], q >> 32)]
                w = at[t]
                if w < 0 or w == v or router[s] == router[t]:
                    continue
                site[v], site[w] = t, s
                n = 0
                more = change(&g, v, move, &n) + change(&g, w, move, &n)
                if more <= 0 or <double>((q >> 1) & 0xFFFF) / 65536 < exp(-more / temperature):
                    at[s], at[t] = w, v
                    total += more
                    for i in range(n):
                        g.length[g.changed[i]] = g.fresh[i]
                else:
                    site[v], site[w] = s, t
    return before, total
