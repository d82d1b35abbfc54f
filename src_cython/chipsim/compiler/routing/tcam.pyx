"""Routing tables made short: the fewest prefixes, then wider masks; and the proof that nothing else came of it.

A table is tried from the top; the first entry with packet & mask == key says where a packet goes. What visits a router
are blocks of keys, aligned runs of 2^bits, each with its route; a block that passes needs no entry, as the default does
what its route says, but may be caught by one with that route. Keys of no block are never seen.

1. fewest prefixes, with exceptions above the rule (prefixes.pxd)   2. from the longest prefixes down, masks grow over
others of the same route, as in ordered covering (Mundy, Heathcote and Garside 2016), as long as they catch no block of
another route that no entry above has caught   3. entries that catch nothing first go.
3. entries that catch nothing first go.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from chipsim.compiler.routing.prefixes cimport Block, Entry, Node, Work, holds, meets, prefixes


cdef bint strays(Work* w, int64_t n_active, uint32_t key, uint32_t mask, int32_t route) noexcept nogil:
    """The mask would catch a block of another route. What forbade one mask stands first for the next."""
    cdef int64_t j
    cdef int32_t b
    for j in range(n_active):
        b = w.active[j]
        if w.block[b].route != route and meets(&w.block[b], key, mask):
            w.active[j] = w.active[j >> 1]
            w.active[j >> 1] = b
            return True
    return False


cdef void widen(Work* w, int64_t n) noexcept nogil:
    """Let masks of each length grow over entries of the same route; those caught go."""
    cdef int64_t i, j, first = 0, stop, n_active = n, left
    cdef uint32_t mask
    cdef Entry* e
    cdef bint caught
    for i in range(n):
        w.active[i] = <int32_t>i
    while first < w.n_entries:
        stop = first
        while stop < w.n_entries and w.entry[stop].level == w.entry[first].level:
            stop += 1
        for i in range(first, stop):
            e = &w.entry[i]
            if e.gone:
                continue
            for j in range(i + 1, stop):
                if w.entry[j].gone or w.entry[j].route != e.route:
                    continue
                mask = e.mask & ~(e.key ^ w.entry[j].key)
                if mask == e.mask or not strays(w, n_active, e.key & mask, mask, e.route):
                    e.mask, e.key = mask, e.key & mask
                    w.entry[j].gone = True
        left = 0
        for j in range(n_active):
            caught = False
            for i in range(first, stop):
                if not w.entry[i].gone and holds(&w.block[w.active[j]], w.entry[i].key, w.entry[i].mask):
                    caught = True
                    break
            if not caught:
                w.active[left] = w.active[j]
                left += 1
        n_active, first = left, stop
    sweep(w)


cdef void sweep(Work* w) noexcept nogil:
    """Close the ranks of the entries that stay."""
    cdef int64_t i, kept = 0
    for i in range(w.n_entries):
        if not w.entry[i].gone:
            w.entry[kept] = w.entry[i]
            kept += 1
    w.n_entries = kept


cdef void prune(Work* w, int64_t n) noexcept nogil:
    """Leave out entries behind those that catch every block."""
    cdef int64_t i, j
    for j in range(w.n_entries):
        w.entry[j].gone = True
    for i in range(n):
        for j in range(w.n_entries):
            if meets(&w.block[i], w.entry[j].key, w.entry[j].mask):
                w.entry[j].gone = False
                if holds(&w.block[i], w.entry[j].key, w.entry[j].mask):
                    break
    sweep(w)


cdef int64_t minimise_one(Work* w, int64_t n, int64_t hopeless) noexcept nogil:
    """Fill w.entry for the n blocks of a router; return how many entries there are, -1 without memory."""
    w.n_entries = 0
    if n == 0:
        return 0
    prefixes(w, n)
    if w.failed:
        return -1
    if w.n_entries <= hopeless:
        widen(w, n)
        prune(w, n)
    return w.n_entries


cdef int64_t all_routers(Work* w, const int64_t[::1] first, const uint32_t[::1] base, const uint8_t[::1] bits,
                         const int32_t[::1] route, const uint8_t[::1] passes, int64_t hopeless, int64_t[::1] start,
                         uint32_t[::1] key, uint32_t[::1] mask, int32_t[::1] to) noexcept nogil:
    cdef int64_t r, i, n, at, total = 0
    for r in range(len(first) - 1):
        n = first[r + 1] - first[r]
        for i in range(n):
            at = first[r] + i
            w.block[i].base, w.block[i].route, w.block[i].passes = base[at], route[at], passes[at]
            w.block[i].inside = <uint32_t>((<uint64_t>1 << bits[at]) - 1)
        n = minimise_one(w, n, hopeless)
        if n < 0:
            return -1
        for i in range(n):
            key[total + i], mask[total + i], to[total + i] = w.entry[i].key, w.entry[i].mask, w.entry[i].route
        total += n
        start[r + 1] = total
    return total


def minimise(const int64_t[::1] first, const uint32_t[::1] base, const uint8_t[::1] bits, const int32_t[::1] route,
             const uint8_t[::1] passes, int64_t hopeless):
    """Short tables for all routers.

    first   int64[R+1] into the blocks of each router, which ascend and do not overlap
    base, bits   a block: keys base to base + 2^bits - 1;  route: its number;  passes: it needs no entry
    hopeless     entries beyond which a table of prefixes is left as it is

    Returns (start int64[R+1], key, mask uint32[T], route int32[T]).
    """
    cdef int64_t total, most = max(1, int(np.diff(first).max(initial=0)))
    cdef Work w
    start_ = np.zeros(len(first), np.int64)
    key_, mask_, to_ = np.empty(len(base), np.uint32), np.empty(len(base), np.uint32), np.empty(len(base), np.int32)
    cdef int64_t[::1] start = start_
    cdef uint32_t[::1] key = key_, mask = mask_
    cdef int32_t[::1] to = to_
    w.block = <Block*>malloc(most * sizeof(Block))
    w.entry = <Entry*>malloc(4 * most * sizeof(Entry))      # inner nodes and blocks, and as many again to sort them
    w.node = <Node*>malloc(2 * most * sizeof(Node))
    w.order = <int32_t*>malloc(most * sizeof(int32_t))
    w.stack = <int32_t*>malloc(most * sizeof(int32_t))
    w.active = <int32_t*>malloc(most * sizeof(int32_t))
    w.arena_size = 16 * most
    w.arena = <int32_t*>malloc(w.arena_size * sizeof(int32_t))
    w.failed = False
    if (w.block == NULL or w.entry == NULL or w.node == NULL or w.order == NULL or w.stack == NULL or w.active == NULL
            or w.arena == NULL):
        total = -1
    else:
        with nogil:
            total = all_routers(&w, first, base, bits, route, passes, hopeless, start, key, mask, to)
    free(w.block)
    free(w.entry)
    free(w.node)
    free(w.order)
    free(w.stack)
    free(w.active)
    free(w.arena)
    if total < 0:
        raise MemoryError("no memory to shorten routing tables")
    return start_, key_[:total].copy(), mask_[:total].copy(), to_[:total].copy()


def first_wrong(const int64_t[::1] first, const uint32_t[::1] base, const uint8_t[::1] bits, const int32_t[::1] route,
                const uint8_t[::1] passes, const int64_t[::1] start, const uint32_t[::1] key, const uint32_t[::1] mask,
                const int32_t[::1] to):
    """The first block of a router some key of which its table sends elsewhere than its route; -1: there is none.

    Blocks as in `minimise`, tables as it returns them.
    """
    cdef int64_t r, i, e, found = -1
    cdef Block b
    cdef bint caught
    with nogil:
        for r in range(len(first) - 1):
            for i in range(first[r], first[r + 1]):
                b.base, b.inside = base[i], <uint32_t>((<uint64_t>1 << bits[i]) - 1)
                caught = False
                for e in range(start[r], start[r + 1]):
                    if meets(&b, key[e], mask[e]):
                        if to[e] != route[i]:
                            found = i
                            break
                        if holds(&b, key[e], mask[e]):
                            caught = True
                            break
                if not caught and not passes[i] and found < 0:
                    found = i
                if found >= 0:
                    break
            if found >= 0:
                break
    return found
