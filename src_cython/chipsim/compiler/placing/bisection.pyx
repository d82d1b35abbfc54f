"""Halve blocks of a graph so that little traffic crosses (Fiduccia and Mattheyses 1982); pair vertices to coarsen it.

Blocks are runs of vertices; traffic between blocks is not looked at, so all blocks of one depth of a recursion are
halved in one call. No Python object in any loop.
"""
import numpy as np

from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

from chipsim.compiler.placing.metric cimport below, draw

cdef int64_t PATIENCE = 100         # moves without a new best before a pass ends


cdef struct Heap:                   # of vertices, largest gain first
    int32_t* at
    int32_t n


cdef struct Halves:
    const int64_t* start
    const int32_t* neighbour
    const float* weight
    const int64_t* size
    int8_t* side
    float* gain
    int32_t* position               # in the heap of its side, -1: moved already
    Heap[2] heaps
    int32_t* moved


cdef inline void put(Halves* g, Heap* h, int32_t i, int32_t v) noexcept nogil:
    h.at[i] = v
    g.position[v] = i


cdef void rise(Halves* g, Heap* h, int32_t i) noexcept nogil:
    cdef int32_t v = h.at[i], up
    while i:
        up = (i - 1) >> 1
        if g.gain[h.at[up]] >= g.gain[v]:
            break
        put(g, h, i, h.at[up])
        i = up
    put(g, h, i, v)


cdef void sink(Halves* g, Heap* h, int32_t i) noexcept nogil:
    cdef int32_t v = h.at[i], down
    while True:
        down = 2 * i + 1
        if down >= h.n:
            break
        if down + 1 < h.n and g.gain[h.at[down + 1]] > g.gain[h.at[down]]:
            down += 1
        if g.gain[v] >= g.gain[h.at[down]]:
            break
        put(g, h, i, h.at[down])
        i = down
    put(g, h, i, v)


cdef void take(Halves* g, Heap* h, int32_t v) noexcept nogil:
    """Out of the heap."""
    cdef int32_t i = g.position[v], last
    g.position[v] = -1
    h.n -= 1
    last = h.at[h.n]
    if i < h.n:
        put(g, h, i, last)
        rise(g, h, i)
        sink(g, h, g.position[last])


cdef double improve(Halves* g, int32_t first, int32_t stop, int64_t target, int64_t slack, int64_t* part,
                    int32_t seed) noexcept nogil:
    """One pass over vertices [first, stop): move each at most once, best first; keep the best state. Returns its gain.

    part   size of side 0 (changed). A state counts when within `slack` of the target, or nearer than any before
    seed   vertex to move first, or -1
    """
    cdef int32_t v, u, k, n_moved = 0, best_moved = 0
    cdef int64_t e, off, best_off = part[0] - target, before
    cdef int side
    cdef double total = 0, best = 0
    cdef Heap* h
    cdef int64_t largest = 1
    best_off = -best_off if best_off < 0 else best_off
    best_off = slack if best_off < slack else best_off
    before = best_off
    g.heaps[0].n = g.heaps[1].n = 0
    for v in range(first, stop):
        g.gain[v] = 0
        largest = g.size[v] if g.size[v] > largest else largest
        for e in range(g.start[v], g.start[v + 1]):
            g.gain[v] += g.weight[e] if g.side[g.neighbour[e]] != g.side[v] else -g.weight[e]
        h = &g.heaps[g.side[v]]
        h.at[h.n] = v
        g.position[v] = h.n
        h.n += 1
    for side in range(2):
        for k in range(g.heaps[side].n // 2, -1, -1):
            if k < g.heaps[side].n:
                sink(g, &g.heaps[side], k)
    while True:
        if seed >= 0:
            v, seed = seed, -1
        else:
            off = part[0] - target
            if off > slack + largest // 2 or (off > 0 and off > slack):
                side = 0
            elif off < -slack:
                side = 1
            elif g.heaps[0].n and g.heaps[1].n:
                if off == 0 or slack > largest:
                    side = 0 if g.gain[g.heaps[0].at[0]] >= g.gain[g.heaps[1].at[0]] else 1
                else:
                    side = 0 if off > 0 else 1
            else:
                break
            if g.heaps[side].n == 0:
                break
            v = g.heaps[side].at[0]
        side = g.side[v]
        take(g, &g.heaps[side], v)
        total += g.gain[v]
        part[0] += g.size[v] if side else -g.size[v]
        g.side[v] = 1 - side
        g.moved[n_moved] = v
        n_moved += 1
        for e in range(g.start[v], g.start[v + 1]):
            u = g.neighbour[e]
            if first <= u < stop and g.position[u] >= 0:
                g.gain[u] += 2 * g.weight[e] if g.side[u] == side else -2 * g.weight[e]
                rise(g, &g.heaps[g.side[u]], g.position[u])
                sink(g, &g.heaps[g.side[u]], g.position[u])
        off = part[0] - target
        off = -off if off < 0 else off
        off = slack if off < slack else off
        if off < best_off or (off == best_off and total > best + 1e-6):
            best_off, best, best_moved = off, total, n_moved
        if n_moved - best_moved > PATIENCE and best_off <= slack:
            break
    while n_moved > best_moved:
        n_moved -= 1
        v = g.moved[n_moved]
        part[0] += g.size[v] if g.side[v] else -g.size[v]
        g.side[v] = 1 - g.side[v]
    return best if best_off == before else 1e30


def halve(const int64_t[::1] start, const int32_t[::1] neighbour, const float[::1] weight, const int64_t[::1] size,
          int8_t[::1] side, const int64_t[::1] block, const int64_t[::1] target, const int64_t[::1] slack, int tries,
          uint64_t key):
    """Improve `side` (0 or 1 per vertex, changed) of every block [block[b], block[b+1]) until a pass brings nothing.

    start, neighbour, weight  symmetric CSR without traffic between blocks
    size, target, slack       side 0 of block b is to have target[b] of size, give or take slack[b]
    tries                     0: go on from `side`; else grow side 0 from so many random vertices and keep the best
    """
    cdef int32_t n = <int32_t>size.shape[0]
    cdef float[::1] gain = np.empty(n, np.float32)
    cdef int32_t[::1] position = np.full(n, -1, np.int32), moved = np.empty(n + 1, np.int32)
    cdef int32_t[:, ::1] room = np.empty((2, n + 1), np.int32)
    cdef int8_t[::1] kept = np.empty(n, np.int8)
    cdef Halves g
    cdef int64_t b, part, off, best_off, e
    cdef int32_t first, stop, v, t
    cdef int _passes
    cdef double cut, best
    if n == 0:
        return
    g.start, g.neighbour, g.weight = &start[0], (&neighbour[0] if neighbour.shape[0] else NULL), (
        &weight[0] if weight.shape[0] else NULL)
    g.size, g.side, g.gain, g.position, g.moved = &size[0], &side[0], &gain[0], &position[0], &moved[0]
    g.heaps[0].at, g.heaps[1].at = &room[0, 0], &room[1, 0]
    with nogil:
        for b in range(block.shape[0] - 1):
            first, stop = <int32_t>block[b], <int32_t>block[b + 1]
            if stop - first < 2:
                continue
            best, best_off = 1e300, 1 << 62
            for t in range(tries if tries else 1):
                part = 0
                for v in range(first, stop):
                    if tries:
                        side[v] = 1
                    elif side[v] == 0:
                        part += size[v]
                if tries:
                    v = first + <int32_t>below(stop - first, draw(key, b * 64 + t))
                    improve(&g, first, stop, target[b], slack[b], &part, v)
                for _passes in range(8):
                    if improve(&g, first, stop, target[b], slack[b], &part, -1) <= 1e-6:
                        break
                if tries:
                    cut = 0
                    for v in range(first, stop):
                        for e in range(start[v], start[v + 1]):
                            if side[neighbour[e]] != side[v]:
                                cut += weight[e]
                    off = part - target[b]
                    off = -off if off < 0 else off
                    off = slack[b] if off < slack[b] else off
                    if off < best_off or (off == best_off and cut < best):
                        best, best_off = cut, off
                        for v in range(first, stop):
                            kept[v] = side[v]
            if tries:
                for v in range(first, stop):
                    side[v] = kept[v]


def match(const int64_t[::1] start, const int32_t[::1] neighbour, const float[::1] weight, const int64_t[::1] size,
          const int64_t[::1] largest, const int32_t[::1] order):
    """int32[n]: the partner of each vertex, itself if it has none, so that what talks most is together.

    Vertices choose in the given order; rated is traffic over the product of the sizes, so that clusters stay alike.
    A pair is no larger than largest[v].
    """
    cdef int32_t n = <int32_t>size.shape[0], v, u, best
    partner_array = np.full(n, -1, np.int32)
    cdef int32_t[::1] partner = partner_array
    cdef int64_t k, e
    cdef float most, rating
    with nogil:
        for k in range(n):
            v = order[k]
            if partner[v] >= 0:
                continue
            best, most = v, -1
            for e in range(start[v], start[v + 1]):
                u = neighbour[e]
                if partner[u] < 0 and size[u] + size[v] <= largest[v]:
                    rating = weight[e] / size[u]
                    if rating > most:
                        best, most = u, rating
            partner[v], partner[best] = best, v
    return partner_array
