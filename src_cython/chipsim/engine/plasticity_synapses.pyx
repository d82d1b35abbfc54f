"""The rule for some synapses of one axon, or of one neuron (see plasticity.pxd).

Product by product, each over the whole group, so that the compiler makes vectors of the loops: 1.2 to 1.8 ns a synapse
in dense rows, one after the other 9 to 30.
"""
from libc.math cimport rint
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t

from chipsim.engine.bits cimport wide_void
from chipsim.engine.draws cimport draw_eights
from chipsim.engine.plasticity cimport (
    BLOCK,
    FIRST_BLOCK,
    Factor,
    Group,
    N_STREAMS,
    Plastic,
    Product,
    Sum,
    T,
    W,
    W_ROUND,
)
from chipsim.engine.plasticity_factors cimport table

ctypedef fused Whole:
    int32_t
    int64_t


cdef wide_void learn_group(Plastic* p, Sum* tables, const Group* group, int64_t tick) noexcept nogil:
    """Learn some synapses. All variables are read before any is written."""
    cdef Sum sums[3][BLOCK]
    cdef Sum value[BLOCK]
    cdef Sum own[3][BLOCK]
    cdef bint changed[3]
    cdef bint loaded[3]
    cdef int64_t k, a, f, n = group.n
    cdef int32_t g
    cdef Product* q
    for g in range(3):
        changed[g] = loaded[g] = False
    for k in range(group.n_used):
        q = &p.products[p.used[k]]
        g = q.target
        for f in range(q.own, q.last):
            a = own_variable(&p.factors[f])
            if not loaded[a]:
                load(p, a, own[a], group, 1)
                loaded[a] = True
        if not changed[g]:
            load(p, g, sums[g], group, <int64_t>1 << p.fraction_bits if p.fixed else 1)
            changed[g] = True
        start(p, tables, p.used[k], value, group)
        for f in range(q.own, q.last):
            multiply(&p.factors[f], value, own[own_variable(&p.factors[f])], n)
        if Sum is not double:
            shift(p, q, value, n)
        add(p, q, sums[g], value, group)
    for g in range(3):
        if changed[g]:
            store(p, g, sums[g], group, tick)


cdef inline int64_t own_variable(const Factor* f) noexcept nogil:
    return 0 if f.code == W else 1 if f.code == T else 2


cdef inline void load(Plastic* p, int64_t g, Sum* out, const Group* group, int64_t unit) noexcept nogil:
    """A variable of the synapses, in the given unit."""
    cdef int64_t j, n = group.n, first = group.first
    cdef const int32_t* synapses = group.synapses
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


cdef inline void start(Plastic* p, Sum* tables, int64_t k, Sum* value, const Group* group) noexcept nogil:
    """The head of product k times the factors of the neuron, for each synapse."""
    cdef const Product* q = &p.products[k]
    cdef const double* head = p.head + k * (p.te + 1)
    cdef int64_t j, a, n = group.n, line
    cdef Sum same
    cdef const Sum* by
    if group.pres != NULL:
        by = <Sum*>p.axons + k * p.n_pre
        for j in range(n):
            value[j] = by[group.pres[j]]
        by = table(p, tables, k, 0) + group.post
        for a in range(q.n_tables):
            for j in range(n):
                value[j] *= by[a * p.n_post]
        return
    line = p.post[group.first]
    if q.dependency == 1 and p.te > 1:
        for j in range(n):
            value[j] = <Sum>head[p.ty[group.posts[j] if group.posts != NULL else line + j]]
    else:
        same = <Sum>head[1 if q.dependency == 1 else 0]
        for j in range(n):
            value[j] = same
    if q.n_tables == 0:
        return
    by = table(p, tables, k, p.tx[group.pre])
    for _ in range(q.n_tables):
        if group.posts == NULL:
            for j in range(n):
                value[j] *= by[line + j]
        else:
            for j in range(n):
                value[j] *= by[group.posts[j]]
        by += p.n_post


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


cdef inline void add(Plastic* p, const Product* q, Sum* sums, const Sum* value, const Group* group) noexcept nogil:
    """Where the product is due: fixed point saturates."""
    cdef int64_t n = group.n
    cdef const int32_t* posts = group.posts
    cdef const Sum* due = <const Sum*>p.due + (p.post[group.first] if posts == NULL else 0)
    cdef bint everywhere = q.dependency != 1 or group.pres != NULL
    cdef int64_t j
    cdef Sum s, c, low, high
    if Sum is double:
        c = q.coefficient
        if everywhere:
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
        if everywhere:
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


cdef inline void store(Plastic* p, int32_t g, Sum* sums, const Group* group, int64_t tick) noexcept nogil:
    """Round the sums of a variable at random, keep them within their bounds, and write them."""
    cdef int32_t noise[BLOCK]
    cdef int64_t j, i, n = group.n, first = group.first
    cdef const int32_t* synapses = group.synapses
    cdef int16_t* line
    cdef Sum x, mask, any_part = 0, low = <Sum>p.low[g], high = <Sum>p.high[g]
    cdef int16_t* whole = <int16_t*>p.variable[g]
    cdef double* real = <double*>p.variable[g]
    cdef bint wild = False
    cdef double k
    if Sum is double:
        for j in range(n):
            x = low if sums[j] < low else sums[j]
            x = high if x > high else x
            wild |= x - x != 0
            i = first + j if synapses == NULL else synapses[j]
            if g == 0 and p.grid:
                k = rint(x / p.grid)
                x = k * p.grid
                if p.place != NULL:
                    p.weight16[p.place[i]] = <int16_t>k
            elif g == 0 and p.place != NULL:
                p.weight64[p.place[i]] = x
            real[i] = x
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
            if synapses == NULL and p.line[group.pre]:
                line = p.weight16 + p.place[first]
                for j in range(n):
                    line[j] = p.effective[sums[j] + 256]
            else:
                for j in range(n):
                    p.weight16[p.place[first + j if synapses == NULL else synapses[j]]] = p.effective[sums[j] + 256]
        if g == 1 and low * (mask + 1) < -p.largest - 2:
            for j in range(n):
                wild |= sums[j] * (mask + 1) < -p.largest - 2
            p.wild |= wild


cdef wide_void draw_noise(Plastic* p, int32_t* noise, int64_t first, const int32_t* synapses, int64_t n,
                          int64_t stream, int64_t tick) noexcept nogil:
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
