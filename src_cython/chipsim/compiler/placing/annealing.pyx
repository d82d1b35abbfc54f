"""Simulated annealing of a placement by swaps. No Python object in any loop."""
import numpy as np

from libc.math cimport log
from libc.stdint cimport int32_t, int64_t, uint64_t

from chipsim.compiler.placing.metric cimport Edge, Spot, below, below12, draw, pull

# Exponential variates by 12 bits of a draw: a swap that costs d is accepted when d < T * E. One look-up instead of one
# exp() per move; the values stand at the midpoints of 4096 intervals of equal probability.
cdef float[4096] EXPONENTIAL
cdef int N_STEPS = 64                       # of temperature and window
cdef int64_t BLOCK = 2048                   # movers that take turns before the next ones do; see anneal
for _i in range(4096):
    EXPONENTIAL[_i] = -log((_i + 0.5) / 4096)


cdef struct State:
    const int64_t* start
    const Edge* edges
    const Spot* spots                       # of sites, and of what stands elsewhere
    int32_t* site                           # index into spots, of each vertex
    float* xy                               # coordinates of each vertex: those of its spot, dense
    const float* ring
    const float* table                      # NULL: coordinates


cdef inline double gain(State* g, int32_t v, int32_t s, int32_t t) noexcept nogil:
    """Change of cost when v goes from spot s to t and everything else stays."""
    cdef double change = 0
    cdef int64_t e
    cdef const float *here
    cdef const float *there
    if g.table == NULL:
        return pull(&g.edges[g.start[v]], g.start[v + 1] - g.start[v], g.xy, &g.spots[s].x, &g.spots[t].x, g.ring)
    here, there = &g.table[g.spots[s].a], &g.table[g.spots[t].a]
    for e in range(g.start[v], g.start[v + 1]):
        change += g.edges[e].weight * (there[g.spots[g.site[g.edges[e].to]].b] - here[g.spots[g.site[g.edges[e].to]].b])
    return change


cdef inline void stand(State* g, int32_t v, int32_t s) noexcept nogil:
    g.site[v] = s
    g.xy[2 * v], g.xy[2 * v + 1] = g.spots[s].x, g.spots[s].y


def anneal(const int64_t[::1] start, const Edge[::1] edges, const Spot[::1] spots, int32_t[::1] site,
           int32_t[::1] at, const int32_t[::1] movers, const int32_t[:, ::1] first, const int32_t[:, ::1] count,
           int shift, float period_x, float period_y, const float[::1] table, double hot, double cold, double wide,
           double narrow, int64_t n_moves, uint64_t key):
    """Swap the contents of sites while the temperature falls from hot to cold. Returns (change of cost, swaps made).

    start, edges  symmetric graph in CSR
    spots         of the sites, then of what stands elsewhere;  site: the spot of each vertex (changed)
    at            vertex on each site (changed), -1: closed
    movers        vertices worth moving; others move when one of these takes their place. They take turns by BLOCKs, so
                  when neighbours have neighbouring numbers the work stays in the cache: of 65 536 vertices of degree 16
                  5.3 M swaps/s are looked at, 1.3 M without
    first, count  per cell [row, column], the sites on it: (first .. first + count - 1) >> shift
    table         of the metric, empty for one by coordinates
    wide, narrow  half width, in cells, of the window in which a mover looks for another place; every second look is
                  beside a vertex that it talks to
    The key alone decides the random numbers: same key, same placement.
    """
    cdef State g
    cdef int64_t move = 0, last, swaps = 0, k, b, begin, share, n_movers = movers.shape[0]
    cdef int64_t n_blocks = (n_movers + BLOCK - 1) // BLOCK
    cdef int32_t v, w, s, t, column, row, size, degree
    cdef int32_t width = <int32_t>first.shape[1], height = <int32_t>first.shape[0]
    cdef uint64_t r, q
    cdef double total = 0, change, limit, temperature
    cdef float[::1] xy = np.empty(2 * site.shape[0], np.float32)
    cdef float[2] ring
    if n_movers == 0 or edges.shape[0] == 0:
        return 0.0, 0
    ring[0], ring[1] = period_x, period_y
    g.start, g.edges, g.spots, g.site, g.xy, g.ring = &start[0], &edges[0], &spots[0], &site[0], &xy[0], &ring[0]
    g.table = &table[0] if table.shape[0] else NULL
    with nogil:
        for v in range(<int32_t>site.shape[0]):
            stand(&g, v, site[v])
        for k in range(N_STEPS):
            temperature = hot * (cold / hot) ** (<double>k / (N_STEPS - 1))
            size = <int32_t>(wide * (narrow / wide) ** (<double>k / (N_STEPS - 1)) + 0.5)
            size = 1 if size < 1 else size
            for b in range(n_blocks):
                begin = b * n_movers // n_blocks
                share = (b + 1) * n_movers // n_blocks - begin
                last = n_moves * (k * n_blocks + b + 1) // (N_STEPS * n_blocks)
                while move < last:
                    r = draw(key, 2 * move)
                    q = draw(key, 2 * move + 1)
                    move += 1
                    v = movers[begin + below(share, r)]
                    degree = <int32_t>(start[v + 1] - start[v])
                    s = site[v]
                    if move & 1 and degree:
                        t = site[edges[start[v] + below(degree, r >> 32)].to]
                        column, row = spots[t].column + below12(3, q) - 1, spots[t].row + below12(3, q >> 12) - 1
                    else:
                        column = spots[s].column + below12(2 * size + 1, q) - size
                        row = spots[s].row + below12(2 * size + 1, q >> 12) - size
                    if column < 0 or row < 0 or column >= width or row >= height or count[row, column] == 0:
                        continue
                    t = (first[row, column] + below12(count[row, column], q >> 24)) >> shift
                    w = at[t]
                    if w == v or w < 0:
                        continue
                    limit = temperature * EXPONENTIAL[(q >> 36) & 0xFFF]
                    change = gain(&g, v, s, t)
                    stand(&g, v, t)                             # so that w already sees it there
                    change += gain(&g, w, t, s)
                    if change < limit:
                        stand(&g, w, s)
                        at[s], at[t] = w, v
                        total += change
                        swaps += 1
                    else:
                        stand(&g, v, s)
    return total, swaps
