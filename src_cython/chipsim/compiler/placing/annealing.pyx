"""Simulated annealing of a placement by swaps. No Python object in any loop."""
from libc.math cimport log
from libc.stdint cimport int32_t, int64_t, uint64_t

from chipsim.compiler.placing.metric cimport Metric, Spot, below, below12, draw, hops

# Exponential variates by 12 bits of a draw: a swap that costs d is accepted when d < T * E. One look-up instead of one
# exp() per move; the values stand at the midpoints of 4096 intervals of equal probability.
cdef float[4096] EXPONENTIAL
cdef int N_STEPS = 64                       # of temperature and window
for _i in range(4096):
    EXPONENTIAL[_i] = -log((_i + 0.5) / 4096)


cdef double gain(const Metric* m, const int64_t* start, const int32_t* neighbour, const float* weight,
                 const Spot* spots, int32_t v, int32_t other, const Spot* here, const Spot* there) noexcept nogil:
    """Change of cost when v goes from here to there; its traffic with `other`, which comes the other way, stays."""
    cdef double change = 0
    cdef int64_t e
    for e in range(start[v], start[v + 1]):
        if neighbour[e] != other:
            change += weight[e] * (hops(m, there, &spots[neighbour[e]]) - hops(m, here, &spots[neighbour[e]]))
    return change


def anneal(const int64_t[::1] start, const int32_t[::1] neighbour, const float[::1] weight, Spot[::1] spots,
           const Spot[::1] sites, int32_t[::1] at, const int32_t[::1] movers, const int32_t[:, ::1] first,
           const int32_t[:, ::1] count, int shift, float period_x, float period_y, const float[::1] table,
           double hot, double cold, double wide, double narrow, int64_t n_moves, uint64_t key):
    """Swap the contents of sites while the temperature falls from hot to cold. Returns (change of cost, swaps made).

    start, neighbour, weight   symmetric graph in CSR; vertices [0, n) stand on sites, those beyond are fixed
    spots, sites  where each vertex stands (changed); the spot of each site
    at            vertex on each site (changed), -1: closed
    movers        vertices worth moving; others move when one of these takes their place
    first, count  per cell [row, column], the sites on it: (first .. first + count - 1) >> shift
    table         of the metric, empty for one by coordinates
    wide, narrow  half width, in cells, of the window in which a mover looks for another place; every second look is
                  beside a vertex that it talks to
    The key alone decides the random numbers: same key, same placement.
    """
    cdef Metric metric
    cdef int64_t move = 0, last, swaps = 0, k
    cdef int32_t v, w, s, column, row, size, degree
    cdef int32_t width = <int32_t>first.shape[1], height = <int32_t>first.shape[0]
    cdef uint64_t r, q
    cdef double total = 0, change, t
    cdef Spot here, there
    cdef const Spot* centre
    if movers.shape[0] == 0 or neighbour.shape[0] == 0:
        return 0.0, 0
    metric.period_x, metric.period_y = period_x, period_y
    metric.table = &table[0] if table.shape[0] else NULL
    with nogil:
        for k in range(N_STEPS):
            t = hot * (cold / hot) ** (<double>k / (N_STEPS - 1))
            size = <int32_t>(wide * (narrow / wide) ** (<double>k / (N_STEPS - 1)) + 0.5)
            size = 1 if size < 1 else size
            last = n_moves * (k + 1) // N_STEPS
            while move < last:
                r = draw(key, 2 * move)
                q = draw(key, 2 * move + 1)
                move += 1
                v = movers[below(movers.shape[0], r)]
                degree = <int32_t>(start[v + 1] - start[v])
                if q >> 63 and degree:
                    centre = &spots[neighbour[start[v] + below(degree, r >> 32)]]
                    column, row = centre.column + below12(3, q) - 1, centre.row + below12(3, q >> 12) - 1
                else:
                    centre = &spots[v]
                    column = centre.column + below12(2 * size + 1, q) - size
                    row = centre.row + below12(2 * size + 1, q >> 12) - size
                if column < 0 or row < 0 or column >= width or row >= height or count[row, column] == 0:
                    continue
                s = (first[row, column] + below12(count[row, column], q >> 24)) >> shift
                w = at[s]
                if w == v or w < 0:
                    continue
                here, there = spots[v], sites[s]
                change = gain(&metric, &start[0], &neighbour[0], &weight[0], &spots[0], v, w, &here, &there)
                if start[w + 1] > start[w]:
                    change += gain(&metric, &start[0], &neighbour[0], &weight[0], &spots[0], w, v, &there, &here)
                if change < t * EXPONENTIAL[(q >> 36) & 0xFFF]:
                    spots[v], spots[w] = there, here
                    at[here.site], at[s] = w, v
                    total += change
                    swaps += 1
    return total, swaps
