"""The fewest prefixes for the blocks of keys that visit a router: the three passes of Draves et al. (1999).

A block is an aligned run of 2^bits keys with its route; a block that passes needs no entry when no route comes from
above, as the default does what its route says.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport realloc

cdef extern from *:
    int __builtin_clz(unsigned int) nogil


cdef struct Block:
    uint32_t base
    uint32_t inside                         # bits of the keys within the block
    int32_t route
    bint passes


cdef struct Entry:
    uint32_t key, mask
    int32_t route
    int32_t level                           # low bits that its prefix leaves open
    bint gone


cdef struct Node:
    int32_t left, right                     # nodes below: a block, or n + gap between two
    int32_t cost, free_cost                 # entries below if a good route comes from above; if none does
    int64_t set                             # routes that cost least, in the arena
    int32_t size
    int32_t route                           # that comes from above, -1: none
    int32_t bit                             # where left and right part


cdef struct Work:
    Block* block
    Entry* entry
    Node* node
    int32_t* order                          # gaps from the lowest bit up
    int32_t* stack
    int32_t* active                         # blocks that no entry has caught yet
    int32_t* arena
    int64_t arena_size
    int64_t n_entries
    bint failed                             # no memory


cdef inline bint meets(Block* b, uint32_t key, uint32_t mask) noexcept nogil:
    """Some key of the block is caught."""
    return ((b.base ^ key) & mask & ~b.inside) == 0


cdef inline bint holds(Block* b, uint32_t key, uint32_t mask) noexcept nogil:
    """All keys of the block are caught."""
    return (b.inside & mask) == 0 and ((b.base ^ key) & mask) == 0


cdef inline void join(Work* w, Node* here, Node* a, Node* b, int64_t* used) noexcept nogil:
    """The set of a node: what both sides want; if there is no such route, what either does, for an entry more."""
    cdef int32_t* grown
    cdef int32_t* s
    cdef int32_t i = 0, j = 0
    cdef int64_t n = used[0]
    if n + a.size + b.size > w.arena_size:
        w.arena_size = 2 * (n + a.size + b.size)
        grown = <int32_t*>realloc(w.arena, w.arena_size * sizeof(int32_t))
        if grown == NULL:
            w.failed = True
            return
        w.arena = grown
    s = w.arena
    while i < a.size and j < b.size:
        if s[a.set + i] == s[b.set + j]:
            s[n] = s[a.set + i]
            n += 1
            i += 1
            j += 1
        elif s[a.set + i] < s[b.set + j]:
            i += 1
        else:
            j += 1
    here.set, here.cost = used[0], a.cost + b.cost
    if n == used[0]:
        here.cost += 1
        i = j = 0
        while i < a.size or j < b.size:
            if j == b.size or (i < a.size and s[a.set + i] < s[b.set + j]):
                s[n] = s[a.set + i]
                i += 1
            else:
                s[n] = s[b.set + j]
                j += 1
            n += 1
    here.size = <int32_t>(n - here.set)
    here.free_cost = min(a.free_cost + b.free_cost, 1 + here.cost)
    used[0] = n


cdef inline bint wants(Work* w, Node* node, int32_t route) noexcept nogil:
    cdef int32_t i
    for i in range(node.size):
        if w.arena[node.set + i] == route:
            return True
    return False


cdef inline void emit(Work* w, uint32_t key, int32_t level, int32_t route) noexcept nogil:
    cdef Entry* e = &w.entry[w.n_entries]
    e.mask = 0 if level == 32 else <uint32_t>0xFFFFFFFF << level
    e.key, e.route, e.level, e.gone = key & e.mask, route, level, False
    w.n_entries += 1


cdef inline void prefixes(Work* w, int64_t n) noexcept nogil:
    """The fewest prefixes for n blocks in ascending order, longest first."""
    cdef int64_t i, used = n, top = 0
    cdef int32_t g, last, at, bit
    cdef int32_t[34] count
    cdef Node* node
    w.n_entries = 0
    for i in range(n):
        node = &w.node[i]
        w.arena[i] = w.block[i].route
        node.set, node.size, node.cost, node.free_cost, node.route = i, 1, 0, not w.block[i].passes, -1
    for i in range(33):
        count[i] = 0
    for i in range(n - 1):                                  # the tree of the highest bits in which neighbours differ
        node = &w.node[n + i]
        node.bit = 31 - __builtin_clz(w.block[i].base ^ w.block[i + 1].base)
        node.left, node.right, node.route = <int32_t>i, <int32_t>(i + 1), -1
        count[node.bit + 1] += 1
        last = -1
        while top and w.node[n + w.stack[top - 1]].bit < node.bit:
            top -= 1
            last = w.stack[top]
        if last >= 0:
            node.left = <int32_t>n + last
        if top:
            w.node[n + w.stack[top - 1]].right = <int32_t>(n + i)
        w.stack[top] = <int32_t>i
        top += 1
    for i in range(32):
        count[i + 1] += count[i]
    for i in range(n - 1):
        bit = w.node[n + i].bit
        w.order[count[bit]] = <int32_t>i
        count[bit] += 1
    for i in range(n - 1):
        node = &w.node[n + w.order[i]]
        join(w, node, &w.node[node.left], &w.node[node.right], &used)
        if w.failed:
            return
    for i in range(n - 2, -1, -1):
        g = w.order[i]
        node = &w.node[n + g]
        if node.route < 0:
            if node.free_cost < w.node[node.left].free_cost + w.node[node.right].free_cost:
                node.route = w.arena[node.set]
                emit(w, w.block[g].base, node.bit + 1, node.route)
        elif not wants(w, node, node.route):
            node.route = w.arena[node.set]
            emit(w, w.block[g].base, node.bit + 1, node.route)
        w.node[node.left].route = w.node[node.right].route = node.route
    for i in range(n):
        if w.node[i].route != w.block[i].route and not (w.node[i].route < 0 and w.block[i].passes):
            at = 0 if w.block[i].inside == 0 else 32 - __builtin_clz(w.block[i].inside)
            emit(w, w.block[i].base, at, w.block[i].route)
    sort(w)


cdef inline void sort(Work* w) noexcept nogil:
    """Longest prefixes first; those of a length as they stand."""
    cdef int64_t i
    cdef int32_t level
    cdef int64_t[34] count
    cdef Entry* other = w.entry + w.n_entries
    for level in range(34):
        count[level] = 0
    for i in range(w.n_entries):
        count[w.entry[i].level + 1] += 1
    for level in range(33):
        count[level + 1] += count[level]
    for i in range(w.n_entries):
        level = w.entry[i].level
        other[count[level]] = w.entry[i]
        count[level] += 1
    for i in range(w.n_entries):
        w.entry[i] = other[i]
