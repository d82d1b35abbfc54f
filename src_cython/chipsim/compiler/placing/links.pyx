"""Lower the heaviest link of a placement, by swaps judged by the loads they change. No Python object in any loop."""
from libc.stdint cimport int32_t, int64_t, uint64_t

from chipsim.compiler.placing.metric cimport below, draw

cdef int N_STEPS = 64                       # of temperature
cdef double TRADE = 2                      # a heaviest link 2 % lighter is worth 1 % more hops
# Hops beyond the limit cost the crowding at the start times this (first, last step), per as many hops as are allowed.
cdef double SOFT = 10, HARD = 1000


cdef struct State:
    const int64_t* start
    const int32_t* neighbour
    const float* weight                     # > 0: packets to the neighbour, < 0: from it
    const int32_t* router                   # of each site
    int32_t* site                           # of each vertex
    const int32_t* link                     # [R, R] first link on the way, -1 when there
    const int32_t* towards                  # [K] router that a link leads to
    const float* price                      # [K]
    double* load                            # [K]
    int32_t n_routers
    double crowding                         # sum over links of (load / unit)^4
    double hops                             # sum over links of load x price


cdef void route(State* g, int32_t a, int32_t b, double packets) noexcept nogil:
    """Add packets to every link between routers a and b; negative: take away."""
    cdef int32_t k
    cdef double old, new
    while a != b:
        k = g.link[<int64_t>a * g.n_routers + b]
        old = g.load[k]
        new = old + packets
        g.load[k] = new
        g.crowding += new * new * new * new - old * old * old * old
        g.hops += packets * g.price[k]
        a = g.towards[k]


cdef void send(State* g, int32_t v, int32_t skip, double sign) noexcept nogil:
    """Put all traffic of v on its links (sign 1) or take it off (-1), but that with vertex `skip`."""
    cdef int64_t e
    cdef int32_t u, here = g.router[g.site[v]], there
    for e in range(g.start[v], g.start[v + 1]):
        u = g.neighbour[e]
        if u == skip:
            continue
        there = g.router[g.site[u]]
        if g.weight[e] > 0:
            route(g, here, there, sign * g.weight[e])
        else:
            route(g, there, here, -sign * g.weight[e])


cdef void exchange(State* g, int32_t v, int32_t w, int32_t s, int32_t t, int32_t[::1] at) noexcept nogil:
    """v goes from site s to t, w from t to s; the loads follow."""
    send(g, v, -1, -1)
    send(g, w, v, -1)
    g.site[v], g.site[w] = t, s
    at[s], at[t] = w, v
    send(g, v, -1, 1)
    send(g, w, v, 1)


def relieve(const int64_t[::1] start, const int32_t[::1] neighbour, const float[::1] weight, const int32_t[::1] router,
            int32_t[::1] site, int32_t[::1] at, const int32_t[::1] movers, const int32_t[:, ::1] near,
            const int32_t[:, ::1] link, const int32_t[::1] towards, const float[::1] price, double[::1] load,
            double most_hops, double hot, double cold, int64_t n_moves, uint64_t key, int32_t[::1] best):
    """Anneal the sum of load^4; `best` becomes the sites of the best state met, if one is better than the start.

    Counted are states of at most most_hops, by heaviest link + TRADE x hops, both relative to the start's. On the way
    there may be more hops: a limit that is never crossed leaves a small network where it is.
    start, neighbour, weight  both directions of the traffic; weight > 0 to the neighbour, < 0 from it
    router, near              per site: its router, and sites near it;  site, at: of each vertex, and back (changed)
    link, towards, price      next link [R,R], router it leads to [K], hops that it counts [K]
    load                      packets on each link [K], over those of the heaviest at the start
    """
    cdef State g
    cdef int64_t move = 0, last, k, n_links = load.shape[0]
    cdef int32_t v, w, s, t, x
    cdef uint64_t r, q
    cdef double before, hops_before, temperature, heaviest, least = 1 + TRADE, change, hops, crowding, slope
    g.start, g.neighbour, g.weight, g.router, g.site = &start[0], &neighbour[0], &weight[0], &router[0], &site[0]
    g.link, g.towards, g.price, g.load = &link[0, 0], &towards[0], &price[0], &load[0]
    g.n_routers = <int32_t>link.shape[0]
    g.crowding = g.hops = 0
    with nogil:
        for k in range(n_links):
            g.hops += load[k] * price[k]
            g.crowding += load[k] ** 4
        hops, crowding = g.hops, g.crowding
        for x in range(N_STEPS):
            temperature = hot * (cold / hot) ** (<double>x / (N_STEPS - 1))
            slope = crowding * SOFT * (HARD / SOFT) ** (<double>x / (N_STEPS - 1))
            last = n_moves * (x + 1) // N_STEPS
            while move < last:
                r, q = draw(key, 2 * move), draw(key, 2 * move + 1)
                move += 1
                if move % n_links == 0 and g.hops <= most_hops:
                    heaviest = 0
                    for k in range(n_links):
                        heaviest = load[k] if load[k] > heaviest else heaviest
                    if heaviest + TRADE * g.hops / hops < least - 1e-9:
                        least = heaviest + TRADE * g.hops / hops
                        for k in range(site.shape[0]):
                            best[k] = site[k]
                v = movers[below(<uint64_t>movers.shape[0], r)]
                s = site[v]
                if q & 1:
                    t = site[neighbour[start[v] + below(<uint64_t>(start[v + 1] - start[v]), r >> 32)]]
                    t = near[t, below(<uint64_t>near.shape[1], q >> 32)]
                else:
                    t = near[s, below(<uint64_t>near.shape[1], q >> 32)]
                w = at[t]
                if w < 0 or w == v or router[s] == router[t]:
                    continue
                before, hops_before = g.crowding, g.hops
                exchange(&g, v, w, s, t, at)
                change = g.crowding - before + slope * (max(g.hops / most_hops, 1) - max(hops_before / most_hops, 1))
                if change > temperature * <double>((q >> 1) & 0xFFFF) / 65536:
                    exchange(&g, v, w, t, s, at)
                    g.crowding, g.hops = before, hops_before
