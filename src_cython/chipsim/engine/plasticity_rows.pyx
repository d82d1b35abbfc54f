"""The end of an epoch: for which synapses a product is due, and may add something (see plasticity.pxd).

Axon by axon. Cost follows what can change: an axon is left out when all its heads are zero (plasticity_factors.pyx), a
neuron when it did not spike and its tables are zero. 300 ticks of the learner of `bench.py engine` take 9 ms, 2 of them
without learning (21 ms synapse by synapse); where all neurons spike in every tick 98 ms (652 ms).
"""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from chipsim.engine.bits cimport wide_void
from chipsim.engine.plasticity cimport BLOCK, Group, Plastic, Product, Sum
from chipsim.engine.plasticity_factors cimport heads, see_axons, table
from chipsim.engine.plasticity_synapses cimport learn_group
from chipsim.engine.plasticity_traces cimport follow_traces, forget_spikes, hear_late

cdef enum:
    FEW = 5                     # one in so many neurons: a row in a line costs as much as these one by one


cdef void plastic_tick(Plastic* p, int64_t tick) noexcept nogil:
    """End a tick: hear the spikes that are due; at the end of an epoch, learn."""
    cdef int64_t k, epoch = (tick + 1) // p.te
    cdef bint all_due = False
    hear_late(p, tick)
    if (tick + 1) % p.te:
        return
    follow_traces(p, tick)
    for k in range(p.n_products):
        if p.products[k].dependency == 2 and epoch % p.products[k].period == 0:
            all_due = True
    if not p.fixed:
        learn(p, <double*>p.tables, epoch, all_due, tick)
    elif p.wide:
        learn(p, <int64_t*>p.tables, epoch, all_due, tick)
    else:
        learn(p, <int32_t*>p.tables, epoch, all_due, tick)
    if p.updates != NULL:
        count(p, all_due)
    forget_spikes(p)


cdef void learn(Plastic* p, Sum* tables, int64_t epoch, bint all_due, int64_t tick) noexcept nogil:
    """All axons. `tables` [., n_post]: of the neurons' factors.

    A few neurons that spiked are cheaper seen from the neuron: its column, less the rows that are due as such.
    """
    cdef int64_t pre, k, at, n_spiked = p.n_heard_y if p.has_y0 else 0
    cdef bint by_column = FEW * n_spiked < p.n_post and not all_due
    cdef Sum* due = <Sum*>p.due
    for k in range(n_spiked):
        due[p.heard_y[k]] = 1
    memset(p.filled, 0, p.n_products * (p.te + 1))
    for k in range(p.te + 1):
        p.n_visits[k] = -1
    for pre in range(p.n_pre):
        at = p.tx[pre]
        if p.row_start[pre] < p.row_start[pre + 1] and (all_due or (p.has_x0 and at) or (n_spiked and not by_column)):
            learn_row(p, tables, pre, epoch, all_due, n_spiked, tick)
    if by_column:
        at = 0
        for k in range(n_spiked):
            if p.ty[p.heard_y[k]] != at:
                at = p.ty[p.heard_y[k]]
                see_axons(p, tables, at)
            learn_column(p, tables, p.heard_y[k], tick)
    for k in range(n_spiked):
        due[p.heard_y[k]] = 0


cdef void learn_row(Plastic* p, Sum* tables, int64_t pre, int64_t epoch, bint all_due, int64_t n_spiked,
                    int64_t tick) noexcept nogil:
    """The synapses of one axon: all of them, or those in `visits`."""
    cdef int32_t synapses[BLOCK]
    cdef int32_t posts[BLOCK]
    cdef int64_t at = p.tx[pre], first = p.row_start[pre], last = p.row_start[pre + 1], k = 0
    cdef Group group
    group.n_used = heads(p, pre, epoch, n_spiked)
    group.pre, group.post, group.pres = pre, -1, NULL
    if group.n_used == 0:
        return
    if p.n_visits[at] < 0:
        choose_visits(p, tables, at, epoch, all_due, n_spiked)
    if p.n_visits[at] > p.n_post:
        group.synapses = NULL
        while first < last:
            group.first, group.n = first, last - first if last - first < BLOCK else BLOCK
            group.posts = NULL if p.run[pre] else p.post + first
            learn_group(p, tables, &group, tick)
            first += group.n
        return
    group.first, group.synapses, group.posts = 0, synapses, posts
    while True:
        group.n = next_visits(p, pre, at, &k, synapses, posts)
        if group.n == 0:
            return
        learn_group(p, tables, &group, tick)


cdef void learn_column(Plastic* p, Sum* tables, int64_t post, int64_t tick) noexcept nogil:
    """The synapses of a neuron that spiked, without those whose row is due."""
    cdef int32_t synapses[BLOCK]
    cdef int32_t pres[BLOCK]
    cdef int64_t k, j = p.column_start[post], last = p.column_start[post + 1]
    cdef Group group
    group.n_used = 0
    for k in range(p.n_products):
        if p.products[k].dependency == 1:
            p.used[group.n_used] = k
            group.n_used += 1
    group.pre, group.post, group.first, group.synapses, group.posts, group.pres = -1, post, 0, synapses, NULL, pres
    while j < last:
        group.n = 0
        while group.n < BLOCK and j < last:
            pres[group.n], synapses[group.n] = p.column[j], p.column_synapse[j]
            group.n += p.awake[p.column[j]]
            j += 1
        if group.n:
            learn_group(p, tables, &group, tick)


cdef inline int64_t next_visits(Plastic* p, int64_t pre, int64_t at, int64_t* k, int32_t* synapses,
                                int32_t* posts) noexcept nogil:
    """The next of a row's synapses to visit, at most BLOCK, and their neurons; k: how far it is, 0 to begin with."""
    cdef const uint8_t* visit = p.visit + at * p.n_post
    cdef const int32_t* visits = p.visits + at * p.n_post
    cdef int64_t n = p.n_visits[at], first = p.row_start[pre], length = p.row_start[pre + 1] - first
    cdef int64_t m = 0, i, low = p.post[first]
    if p.run[pre]:
        while m < BLOCK and k[0] < n:
            i = visits[k[0]] - low
            synapses[m], posts[m] = <int32_t>(first + i), visits[k[0]]
            m += 0 <= i < length
            k[0] += 1
    elif length < 4 * n:
        while m < BLOCK and k[0] < length:
            synapses[m], posts[m] = <int32_t>(first + k[0]), p.post[first + k[0]]
            m += visit[posts[m]]
            k[0] += 1
    else:
        while m < BLOCK and k[0] < n:
            i = find(p.post, first, first + length, visits[k[0]])
            synapses[m], posts[m] = <int32_t>i, visits[k[0]]
            m += i >= 0
            k[0] += 1
    return m


cdef int64_t find(const int32_t* post, int64_t first, int64_t last, int32_t wanted) noexcept nogil:
    """The synapse of a row that goes to a neuron; -1: none."""
    cdef int64_t middle, stop = last
    while first < stop:
        middle = (first + stop) >> 1
        if post[middle] < wanted:
            first = middle + 1
        else:
            stop = middle
    return first if first < last and post[first] == wanted else -1


cdef wide_void choose_visits(Plastic* p, Sum* tables, int64_t at, int64_t epoch, bint all_due,
                             int64_t n_spiked) noexcept nogil:
    """The neurons that a row is read for whose axon spiked in tick `at` (0: did not)."""
    cdef uint8_t* visit = p.visit + at * p.n_post
    cdef int32_t* visits = p.visits + at * p.n_post
    cdef int64_t k, j, a, n = 0
    cdef Product* q
    cdef Sum* of_tick
    memset(visit, 0, p.n_post)
    for k in range(n_spiked):
        visit[p.heard_y[k]] = 1
    for k in range(p.n_products):
        q = &p.products[k]
        if q.dependency == 1 or (at == 0 if q.dependency == 0 else epoch % q.period != 0):
            continue
        if q.n_tables == 0 or p.wild:
            p.n_visits[at] = p.n_post + 1
            return
        of_tick = table(p, tables, k, at)
        for a in range(q.n_tables):                          # of several tables some may be zero where another is not
            for j in range(p.n_post):
                visit[j] |= of_tick[a * p.n_post + j] != 0
    for j in range(p.n_post):
        visits[n] = <int32_t>j
        n += visit[j]
    p.n_visits[at] = n if FEW * n < p.n_post else p.n_post + 1


cdef void count(Plastic* p, bint all_due) noexcept nogil:
    """Synapses for which a product was due, by core of their neuron: whole rows, and columns without those rows."""
    cdef int64_t pre, k, j, post, n
    for k in range(p.n_pre if all_due else p.n_heard_x if p.has_x0 else 0):
        pre = k if all_due else p.heard_x[k]
        for j in range(p.part_start[pre], p.part_start[pre + 1]):
            p.updates[p.part_core[j]] += p.part_size[j]
    if all_due or not p.has_y0:
        return
    for k in range(p.n_heard_y):
        post = p.heard_y[k]
        n = p.column_start[post + 1] - p.column_start[post]
        if p.has_x0:
            for j in range(p.column_start[post], p.column_start[post + 1]):
                n -= p.tx[p.column[j]] > 0
        p.updates[p.core[post]] += n
