"""Robust tabu search for the quadratic assignment problem (Taillard 1991): small chips, to the last hop.

The table delta[i, j] of what swapping i and j would bring is kept; a swap of r and s changes every other entry by four
products. No Python object in any loop.
"""
import numpy as np

from libc.stdint cimport int32_t, int64_t, uint64_t

from chipsim.compiler.placing.metric cimport below, draw


cdef double whole(const double[:, ::1] flow, const double[:, ::1] hops, const double[:, ::1] pull,
                  int32_t[::1] p, int32_t n_busy, int32_t i, int32_t j) noexcept nogil:
    """What swapping i and j changes, from all of their traffic."""
    cdef int32_t k, a = p[i], b = p[j]
    cdef double change = pull[i, b] - pull[i, a] + pull[j, a] - pull[j, b]
    for k in range(n_busy):
        if k != i and k != j:
            change += (flow[i, k] - flow[j, k]) * (hops[b, p[k]] - hops[a, p[k]])
    return change


def tabu(const double[:, ::1] flow, const double[:, ::1] hops, const double[:, ::1] pull, int32_t[::1] place,
         int32_t n_busy, int64_t n_steps, uint64_t key):
    """Search from `place` for `n_steps` swaps; `place` becomes the best met. Returns the gain on the start.

    flow   float64[n,n] symmetric packets, zero diagonal;  hops  float64[n,n] symmetric, between sites
    pull   float64[n,n] cost of vertex i on site s by its traffic with what is fixed
    place  int32[n] site of each vertex
    Cost: half the sum of flow[i,j] hops[place[i],place[j]] over all i, j, plus the pulls.
    Vertices from `n_busy` on have no traffic: two of them are never swapped.
    A vertex may go back to a site it left only after a random time of 0.9 to 1.1 n swaps, unless that gives a new best;
    a pair of places not used for 2 n^2 swaps and more is tried whatever it costs (Taillard's aspiration).
    """
    cdef int32_t n = <int32_t>flow.shape[0], i, j, r, s, x
    cdef int64_t step, age = 3 * <int64_t>n * n
    cdef double[:, ::1] delta = np.zeros((n, n))
    cdef int64_t[:, ::1] until = np.zeros((n, n), np.int64)
    cdef int32_t[::1] p = place.copy()
    cdef double current = 0, best = 0, least, d
    cdef uint64_t bits
    cdef bint barred, wanted, found_wanted
    if n < 2:
        return 0.0
    with nogil:
        for i in range(n):
            for j in range(n):
                until[i, j] = -(<int64_t>n * i + j)
        for i in range(n_busy):
            for j in range(i + 1, n):
                delta[i, j] = whole(flow, hops, pull, p, n_busy, i, j)
        for step in range(1, n_steps + 1):
            r, s, least, found_wanted = -1, -1, 1e300, False
            for i in range(n_busy):
                for j in range(i + 1, n):
                    d = delta[i, j]
                    if found_wanted and d >= least:
                        continue
                    barred = until[i, p[j]] > step and until[j, p[i]] > step
                    wanted = (until[i, p[j]] < step - age and until[j, p[i]] < step - age) or current + d < best - 1e-9
                    if wanted and not found_wanted:
                        r, s, least, found_wanted = i, j, d, True
                    elif (wanted or not (barred or found_wanted)) and d < least:
                        r, s, least = i, j, d
            if r < 0:
                continue
            bits = draw(key, step)
            until[r, p[r]] = step + (9 * n) // 10 + <int64_t>below(n // 5 + 2, bits)
            until[s, p[s]] = step + (9 * n) // 10 + <int64_t>below(n // 5 + 2, bits >> 32)
            p[r], p[s] = p[s], p[r]
            current += delta[r, s]
            if current < best - 1e-9:
                best = current
                for x in range(n):
                    place[x] = p[x]
            for i in range(n_busy):
                if i == r or i == s:
                    for j in range(i + 1, n):
                        delta[i, j] = whole(flow, hops, pull, p, n_busy, i, j)
                    continue
                for j in range(i + 1, n):
                    if j == r or j == s:
                        delta[i, j] = whole(flow, hops, pull, p, n_busy, i, j)
                    else:
                        delta[i, j] += (flow[r, i] - flow[r, j] + flow[s, j] - flow[s, i]) * (
                            hops[p[s], p[i]] - hops[p[s], p[j]] + hops[p[r], p[j]] - hops[p[r], p[i]])
    return best
