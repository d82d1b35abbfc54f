"""The end of an epoch: the rule, for every synapse for which a product is due (see plasticity.pxd).

Axon by axon, in blocks of BLOCK synapses, so that the compiler makes vectors of the loops. Of a product

    coefficient * (factors of the axon and the reward) * (factors of the neuron) * (factors of the synapse)

the first part is one number per axon (`head`), the second stands in a table by neuron, made once per epoch and tick
that is referred to. Cost follows what can change: an axon is left out when all its heads are zero, a neuron when it
did not spike and its tables are zero. Sums are int32, or int64 where the rule's widths ask for it, or double.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from chipsim.engine.draws cimport draw_eights
from chipsim.engine.plasticity cimport (
    BLOCK,
    D,
    FIRST_BLOCK,
    Factor,
    N_STREAMS,
    Plastic,
    Product,
    R0,
    R1,
    T,
    W,
    W_ROUND,
    X0,
    X1,
    Y0,
    Y1,
)
from chipsim.engine.plasticity_traces cimport follow_traces, forget_spikes, hear_late

ctypedef fused Sum:
    int32_t
    int64_t
    double

ctypedef fused Whole:
    int32_t
    int64_t


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
    """All axons. `tables` [., n_post]: of the neurons' factors."""
    cdef int64_t pre, i, k, m, at, first, last
    cdef int64_t n_spiked = p.n_heard_y if p.has_y0 else 0
    cdef Sum* due = <Sum*>p.due
    cdef int32_t synapses[BLOCK]
    cdef int32_t posts[BLOCK]
    for k in range(n_spiked):
        due[p.heard_y[k]] = 1
    memset(p.filled, 0, p.n_products * (p.te + 1))
    for k in range(p.te + 1):
        p.n_visits[k] = -1
    for pre in range(p.n_pre):
        first, last, at = p.row_start[pre], p.row_start[pre + 1], p.tx[pre]
        if first == last or not (all_due or n_spiked or (p.has_x0 and at)):
            continue
        m = heads(p, pre, epoch, n_spiked)
        if m == 0:
            continue
        if p.n_visits[at] < 0:
            choose_visits(p, tables, at, epoch, all_due, n_spiked)
        if p.n_visits[at] > p.n_post:
            while first < last:
                i = last - first if last - first < BLOCK else BLOCK
                block(p, tables, pre, m, first, i, NULL, NULL if p.run[pre] else p.post + first, tick)
                first += i
            continue
        k = 0
        while True:
            i = next_visits(p, pre, at, &k, synapses, posts)
            if i == 0:
                break
            block(p, tables, pre, m, 0, i, synapses, posts, tick)
    for k in range(n_spiked):
        due[p.heard_y[k]] = 0


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


# ---- what of a product does not depend on the synapse ----

cdef int64_t heads(Plastic* p, int64_t pre, int64_t epoch, int64_t n_spiked) noexcept nogil:
    """List the products that may add something to the row in `used`, with their heads; returns how many."""
    cdef int64_t k, t, f, at, m = 0
    cdef Product* q
    cdef double* head
    cdef double v
    cdef bint nothing
    for k in range(p.n_products):
        q = &p.products[k]
        head = p.head + k * (p.te + 1)
        if q.dependency == 1:
            if n_spiked == 0:
                continue
            nothing = not p.wild
            for t in range(p.te):                            # the axon's factors as they were when the neuron spiked
                v = q.coefficient if p.fixed else 1.0
                for f in range(q.first, q.row):
                    v *= of_axon(p, &p.factors[f], t + 1, pre)
                head[t + 1] = v
                nothing &= v == 0
        else:
            at = p.tx[pre] if q.dependency == 0 else p.te if epoch % q.period == 0 else 0
            if at == 0:
                continue
            v = q.coefficient if p.fixed else 1.0
            for f in range(q.first, q.row):
                v *= of_axon(p, &p.factors[f], at, pre)
            head[0] = v
            nothing = v == 0 and not p.wild
        if not nothing:
            p.used[m] = k
            m += 1
    return m


cdef inline double shaped(const Factor* f, double v) noexcept nogil:
    v += f.offset
    if f.sign:
        v = (v > 0) - (v < 0)
    return f.low if v < f.low else f.high if v > f.high else v


cdef inline double of_axon(Plastic* p, const Factor* f, int64_t at, int64_t pre) noexcept nogil:
    if f.code == R1:
        return shaped(f, p.r1)
    if f.code == R0:
        return shaped(f, p.r0)
    if f.code == X0:
        return shaped(f, 1 if p.tx[pre] else 0)
    return shaped(f, p.hx[(at * 2 + f.code - X1) * p.n_pre + pre])


cdef inline double of_neuron(Plastic* p, const Factor* f, int64_t at, int64_t post) noexcept nogil:
    if f.code == Y0:
        return shaped(f, 1 if p.ty[post] else 0)
    return shaped(f, p.hy[(at * 3 + f.code - Y1) * p.n_post + post])


cdef Sum* table(Plastic* p, Sum* tables, int64_t k, int64_t at) noexcept nogil:
    """The tables [n_tables, n_post] of product k: for x0 in tick `at` of the epoch, for y0 at the neurons' spikes."""
    cdef Product* q = &p.products[k]
    cdef int64_t f, j, post, n = p.n_heard_y if q.dependency == 1 else p.n_post
    cdef double v
    cdef Sum* of_tick
    if q.dependency != 0:
        at = 1 if q.dependency == 1 else p.te
    of_tick = tables + (q.table + ((at - 1) * q.n_tables if q.dependency == 0 else 0)) * p.n_post
    if q.n_tables == 0 or p.filled[k * (p.te + 1) + at]:
        return of_tick
    p.filled[k * (p.te + 1) + at] = 1
    for j in range(n):
        post = p.heard_y[j] if q.dependency == 1 else j
        v = 1
        for f in range(q.row, q.own):
            if Sum is double:                                # one table per factor: the order of products matters
                of_tick[(f - q.row) * p.n_post + post] = of_neuron(p, &p.factors[f], p.ty[post] if q.dependency == 1
                                                                   else at, post)
            else:
                v *= of_neuron(p, &p.factors[f], p.ty[post] if q.dependency == 1 else at, post)
        if Sum is not double:
            of_tick[post] = <Sum>v
    return of_tick


cdef void choose_visits(Plastic* p, Sum* tables, int64_t at, int64_t epoch, bint all_due,
                        int64_t n_spiked) noexcept nogil:
    """The neurons that a row is read for whose axon spiked in tick `at` (0: did not)."""
    cdef uint8_t* visit = p.visit + at * p.n_post
    cdef int32_t* visits = p.visits + at * p.n_post
    cdef int64_t k, j, a, n = 0
    cdef Product* q
    cdef Sum* of_tick
    cdef bint some
    memset(visit, 0, p.n_post)
    for k in range(n_spiked):
        visit[p.heard_y[k]] = 1
    for k in range(p.n_products):
        q = &p.products[k]
        if q.dependency == 1 or (at == 0 if q.dependency == 0 else epoch % q.period != 0):
            continue
        of_tick = table(p, tables, k, at)
        for j in range(p.n_post):
            some = True
            for a in range(q.n_tables):
                some = some and of_tick[a * p.n_post + j] != 0
            visit[j] |= some or p.wild
    for j in range(p.n_post):
        visits[n] = <int32_t>j
        n += visit[j]
    p.n_visits[at] = n if 4 * n < p.n_post else p.n_post + 1     # gathering costs as much as four in a line


# ---- synapses ----

cdef void block(Plastic* p, Sum* tables, int64_t pre, int64_t n_used, int64_t first, int64_t n,
                const int32_t* synapses, const int32_t* posts, int64_t tick) noexcept nogil:
    """Learn `n` synapses of a row: `synapses`, or from `first` on (NULL); of neurons `posts`, or in a line (NULL).

    All variables are read before any is written.
    """
    cdef Sum sums[3][BLOCK]
    cdef Sum value[BLOCK]
    cdef Sum own[3][BLOCK]
    cdef bint changed[3]
    cdef bint loaded[3]
    cdef int64_t k, j, a, f, line = 0
    cdef int32_t g
    cdef Product* q
    cdef Factor* factor
    cdef const Sum* by
    if posts == NULL:
        line = p.post[first]
    for g in range(3):
        changed[g] = loaded[g] = False
    for k in range(n_used):
        q = &p.products[p.used[k]]
        g = q.target
        for f in range(q.own, q.last):
            factor = &p.factors[f]
            a = 0 if factor.code == W else 1 if factor.code == T else 2
            if not loaded[a]:
                load(p, a, own[a], first, synapses, n, 1)
                loaded[a] = True
        if not changed[g]:
            load(p, g, sums[g], first, synapses, n, <int64_t>1 << p.fraction_bits if p.fixed else 1)
            changed[g] = True
        start(p, p.used[k], value, n, line, posts)
        if q.n_tables:
            by = table(p, tables, p.used[k], p.tx[pre]) + line
            for a in range(q.n_tables):
                if posts == NULL:
                    for j in range(n):
                        value[j] *= by[j]
                else:
                    for j in range(n):
                        value[j] *= by[posts[j]]
                by += p.n_post
        for f in range(q.own, q.last):
            factor = &p.factors[f]
            multiply(factor, value, own[0 if factor.code == W else 1 if factor.code == T else 2], n)
        if Sum is not double:
            shift(p, q, value, n)
        add(p, q, sums[g], value, n, (<Sum*>p.due) + line, posts)
    for g in range(3):
        if changed[g]:
            store(p, g, sums[g], first, synapses, n, tick)


cdef inline void load(Plastic* p, int64_t g, Sum* out, int64_t first, const int32_t* synapses, int64_t n,
                      int64_t unit) noexcept nogil:
    """A variable of the synapses, in the given unit."""
    cdef int64_t j
    cdef const int16_t* whole = <const int16_t*>p.variable[g]
    cdef const double* real = <const double*>p.variable[g]
    if synapses == NULL:
        for j in range(n):
            if Sum is double:
                out[j] = real[first + j]
            else:
                out[j] = <Sum>whole[first + j] * <Sum>unit
    else:
        for j in range(n):
            if Sum is double:
                out[j] = real[synapses[j]]
            else:
                out[j] = <Sum>whole[synapses[j]] * <Sum>unit


cdef inline void start(Plastic* p, int64_t k, Sum* value, int64_t n, int64_t line,
                       const int32_t* posts) noexcept nogil:
    """The head of product k for each synapse."""
    cdef const double* head = p.head + k * (p.te + 1)
    cdef int64_t j
    cdef Sum same
    if p.products[k].dependency == 1 and p.te > 1:
        for j in range(n):
            value[j] = <Sum>head[p.ty[posts[j] if posts != NULL else line + j]]
    else:
        same = <Sum>head[1 if p.products[k].dependency == 1 else 0]
        for j in range(n):
            value[j] = same


cdef inline void multiply(const Factor* f, Sum* value, const Sum* own, int64_t n) noexcept nogil:
    """By a factor of the synapse."""
    cdef int64_t j
    cdef Sum x, offset = <Sum>f.offset, low, high
    if f.sign:
        for j in range(n):
            x = own[j] + offset
            if Sum is double:
                value[j] *= (x > 0) - (x < 0) if x == x else x
            else:
                value[j] *= (x > 0) - (x < 0)
    elif Sum is double:
        for j in range(n):
            value[j] *= own[j] + offset
    else:
        low, high = <Sum>f.low, <Sum>f.high
        for j in range(n):
            x = own[j] + offset
            x = low if x < low else x
            value[j] *= high if x > high else x


cdef inline void shift(Plastic* p, const Product* q, Whole* value, int64_t n) noexcept nogil:
    """Fixed point: lose what the widths exceed the accumulator by, apply the exponent, saturate."""
    cdef int64_t j
    cdef int32_t right = q.right, left = q.left
    cdef Whole x, low, high, largest = <Whole>p.largest, smallest = <Whole>(-p.largest - 2)
    if left < 0:
        for j in range(n):
            value[j] = (value[j] >> right) >> -left
    elif not q.saturates:
        for j in range(n):
            value[j] = (value[j] >> right) << left
    if left >= 0 and not q.saturates:
        return
    low, high = (smallest >> left) - 1 if left > 0 else smallest, (largest >> left) + 1 if left > 0 else largest
    for j in range(n):
        x = value[j]
        if left >= 0:
            x = x >> right
            x = low if x < low else x
            x = (high if x > high else x) << left
        x = smallest if x < smallest else x
        value[j] = largest if x > largest else x


cdef inline void add(Plastic* p, const Product* q, Sum* sums, const Sum* value, int64_t n, const Sum* due,
                     const int32_t* posts) noexcept nogil:
    """Where the product is due: fixed point saturates."""
    cdef int64_t j
    cdef Sum s, c, low, high
    if Sum is double:
        c = q.coefficient
        if q.dependency != 1:
            for j in range(n):
                sums[j] = sums[j] + c * value[j]
        elif posts == NULL:
            for j in range(n):
                s = sums[j] + c * value[j]
                sums[j] = s if due[j] != 0 else sums[j]
        else:
            for j in range(n):
                s = sums[j] + c * value[j]
                sums[j] = s if due[posts[j]] != 0 else sums[j]
    else:
        low, high = <Sum>(-p.largest - 2), <Sum>p.largest
        if q.dependency != 1:
            for j in range(n):
                s = sums[j] + value[j]
                s = low if s < low else s
                sums[j] = high if s > high else s
        elif posts == NULL:
            for j in range(n):
                s = sums[j] + value[j]
                s = low if s < low else s
                s = high if s > high else s
                sums[j] = s if due[j] != 0 else sums[j]
        else:
            for j in range(n):
                s = sums[j] + value[j]
                s = low if s < low else s
                s = high if s > high else s
                sums[j] = s if due[posts[j]] != 0 else sums[j]


cdef inline void store(Plastic* p, int32_t g, Sum* sums, int64_t first, const int32_t* synapses, int64_t n,
                       int64_t tick) noexcept nogil:
    """Round the sums of a variable at random, keep them within their bounds, and write them."""
    cdef int32_t noise[BLOCK]
    cdef int64_t j, i
    cdef Sum x, mask, any_part = 0, low = <Sum>p.low[g], high = <Sum>p.high[g]
    cdef int16_t* whole = <int16_t*>p.variable[g]
    cdef double* real = <double*>p.variable[g]
    cdef bint wild = False
    if Sum is double:
        for j in range(n):
            x = low if sums[j] < low else sums[j]
            x = high if x > high else x
            wild |= x - x != 0
            i = first + j if synapses == NULL else synapses[j]
            real[i] = x
            if g == 0 and p.place != NULL:
                p.weight64[p.place[i]] = x
        p.wild |= wild
        return
    else:
        mask = (<Sum>1 << p.fraction_bits) - 1
        for j in range(n):
            any_part |= sums[j]
        if any_part & mask:
            draw_noise(p, noise, first, synapses, n, W_ROUND + g, tick)
            for j in range(n):
                sums[j] += noise[j]
        for j in range(n):
            x = sums[j] >> p.fraction_bits
            x = low if x < low else x
            sums[j] = high if x > high else x
        if synapses == NULL:
            for j in range(n):
                whole[first + j] = <int16_t>sums[j]
        else:
            for j in range(n):
                whole[synapses[j]] = <int16_t>sums[j]
        if g == 0 and p.place != NULL:
            for j in range(n):
                p.weight16[p.place[first + j if synapses == NULL else synapses[j]]] = p.effective[sums[j] + 256]
        if g == 1 and low * (mask + 1) < -p.largest - 2:
            for j in range(n):
                wild |= sums[j] * (mask + 1) < -p.largest - 2
            p.wild |= wild


cdef void draw_noise(Plastic* p, int32_t* noise, int64_t first, const int32_t* synapses, int64_t n, int64_t stream,
                     int64_t tick) noexcept nogil:
    """What lifts a sum over the next whole number as often as its fraction says: 0 to 2^fraction_bits - 1."""
    cdef uint32_t eights[BLOCK + 1]
    cdef uint16_t halves[8 * BLOCK + 8]
    cdef int32_t at[BLOCK]
    cdef int32_t down = <int32_t>(16 - p.fraction_bits), most = (1 << <int32_t>p.fraction_bits) - 1, same
    cdef int64_t j, m = 0
    if p.shared != NULL:
        same = most - <int32_t>(p.shared[tick * N_STREAMS + stream] * (most + 1))
        for j in range(n):
            noise[j] = same
        return
    if synapses == NULL:
        m = ((first + n - 1) >> 3) - (first >> 3) + 1
        for j in range(m):
            eights[j] = <uint32_t>((first >> 3) + j)
    else:
        for j in range(n):
            if m == 0 or eights[m - 1] != <uint32_t>synapses[j] >> 3:
                eights[m] = <uint32_t>synapses[j] >> 3
                m += 1
            at[j] = <int32_t>(8 * (m - 1) + (synapses[j] & 7))
    draw_eights(halves, eights, m, p.seed, <uint32_t>tick, <uint32_t>p.number, <uint32_t>(FIRST_BLOCK + stream))
    if synapses == NULL:
        for j in range(n):
            noise[j] = most - (halves[(first & 7) + j] >> down)
    else:
        for j in range(n):
            noise[j] = most - (halves[at[j]] >> down)


# ---- counting ----

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
