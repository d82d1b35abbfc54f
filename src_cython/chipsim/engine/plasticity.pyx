"""Learning engine (see plasticity.pxd). Cost follows activity: an epoch visits the rows of axons and the columns of
neurons that spiked in it, and all synapses only when a product of `u` is due. Rules whose products read no variable of
the synapse are evaluated by neuron instead of by synapse (`learn_tabled`).

Whole numbers of the fixed-point engine are held as doubles, exact far beyond its widths; one code serves both.
"""
from libc.math cimport floor
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

import numpy as np

from chipsim.models.plasticity.learner import bounds
from chipsim.models.plasticity.rule import X_TRACES, Y_TRACES
from chipsim.models.plasticity.sum_of_products import DEPENDENCIES, FACTORS

from chipsim.engine.draws cimport draw as draw_words

cdef enum:
    W = 0                       # FACTORS
    D = 1
    T = 2
    X1 = 3
    Y1 = 5
    R1 = 8
    X0 = 9
    Y0 = 10
    R0 = 11

cdef enum:
    X_DECAY = 0                 # learner.py
    X_EXTRA = 2
    Y_DECAY = 3
    Y_EXTRA = 5
    R_DECAY = 6
    W_ROUND = 7
    N_STREAMS = 10
    FIRST_BLOCK = 65536
    MOST_TABLES = 64

cdef enum:
    PRE = 0                     # roles of a source
    POST = 1
    REWARD = 2


cdef inline double draw(Plastic* p, int64_t stream, int64_t index, int64_t tick, int64_t used) noexcept nogil:
    """In [0, 1), of a unit or a synapse; `used` is the row of the shared numbers."""
    cdef uint32_t words[4]
    if p.shared != NULL:
        return p.shared[used * N_STREAMS + stream]
    draw_words(words, p.seed, <uint32_t>tick, <uint32_t>index, <uint32_t>p.number, <uint32_t>(FIRST_BLOCK + stream))
    return <double>words[0] * (1.0 / 4294967296.0)


cdef inline double raised(Plastic* p, double value, int64_t trace, int64_t stream, int64_t index, int64_t tick,
                          int64_t used) noexcept nogil:
    """A trace after one impulse."""
    value = value + p.whole[trace]
    if not p.fixed:
        return value
    if p.part[trace] > 0 and draw(p, stream, index, tick, used) < p.part[trace]:
        value += 1
    return p.trace_max if value > p.trace_max else 0 if value < 0 else value


cdef void plastic_clear(Plastic* p) noexcept nogil:
    """Forget spikes, traces, tags and reward; weights and delays stay."""
    memset(p.x, 0, 2 * p.n_pre * sizeof(double))
    memset(p.y, 0, 3 * p.n_post * sizeof(double))
    memset(p.tx, 0, p.n_pre * sizeof(int32_t))
    memset(p.ty, 0, p.n_post * sizeof(int32_t))
    memset(p.variable[1], 0, p.n_synapses * sizeof(double))
    p.r0 = p.r1 = p.reward = 0
    memset(p.late_x, 0, p.n_pre * sizeof(uint64_t))
    memset(p.late_y, 0, p.n_post * sizeof(uint64_t))


cdef void plastic_spike(Plastic* p, int32_t role, int64_t unit, double payload, int64_t tick) noexcept nogil:
    """Note a spike of an axon or a neuron, now or to be heard late, or an event of the reward."""
    if role == PRE and p.x_delay:
        p.late_x[unit] |= <uint64_t>1 << p.x_delay
    elif role == POST and p.y_delay:
        p.late_y[unit] |= <uint64_t>1 << p.y_delay
    else:
        heard(p, role, unit, payload, tick)


cdef void heard(Plastic* p, int32_t role, int64_t unit, double payload, int64_t tick) noexcept nogil:
    """A spike or a reward event that acts on the traces of this tick."""
    cdef int64_t a
    cdef int32_t k = <int32_t>(tick % p.te + 1)
    if role == REWARD:
        p.reward += payload * p.r_impulse
        p.r0 = 1
    elif role == PRE:
        if p.tx[unit]:
            for a in range(2):
                p.x[a * p.n_pre + unit] = raised(p, p.x[a * p.n_pre + unit], a, X_EXTRA, a * p.n_pre + unit, tick, tick)
        p.tx[unit] = k
    else:
        if p.ty[unit]:
            for a in range(3):
                p.y[a * p.n_post + unit] = raised(p, p.y[a * p.n_post + unit], 2 + a, Y_EXTRA, a * p.n_post + unit,
                                                  tick, tick)
        p.ty[unit] = k


cdef void follow(Plastic* p, double* value, const int32_t* last, int64_t n, int64_t first, int64_t traces, double* h,
                 int64_t stream, int64_t tick) noexcept nogil:
    """Traces of the axons or neurons through the ticks of the epoch: h[te + 1, traces, n]; `value` ends as h[te]."""
    cdef int64_t k, a, u, now
    cdef double v, q, keep
    cdef double* row
    for a in range(traces):
        for u in range(n):
            h[a * n + u] = value[a * n + u]
        if not p.exists[first + a]:
            for k in range(1, p.te + 1):
                memset(h + (k * traces + a) * n, 0, n * sizeof(double))
    for k in range(1, p.te + 1):
        now = tick - p.te + k
        for a in range(traces):
            if not p.exists[first + a]:
                continue
            keep = p.keep[first + a]
            row = h + (k * traces + a) * n
            for u in range(n):
                v = row[u - traces * n]
                if v == 0 and last[u] != k:
                    row[u] = 0
                    continue
                v = keep * v
                if p.fixed:
                    q = floor(v)
                    if v > q and draw(p, stream, a * n + u, now, tick) < v - q:
                        q += 1
                    v = q
                if last[u] == k:
                    v = raised(p, v, first + a, stream + 1, a * n + u, now, tick)
                row[u] = v
    for u in range(traces * n):
        value[u] = h[p.te * traces * n + u]


cdef inline double factor(Plastic* p, Factor* f, int64_t at, int64_t pre, int64_t post, int64_t i) noexcept nogil:
    cdef double v
    if f.code >= Y1 and f.code < R1:
        v = p.hy[(at * 3 + f.code - Y1) * p.n_post + post]
    elif f.code >= X1 and f.code < Y1:
        v = p.hx[(at * 2 + f.code - X1) * p.n_pre + pre]
    elif f.code == W:
        v = p.variable[0][i]
    elif f.code == T:
        v = p.variable[1][i]
    elif f.code == D:
        v = p.variable[2][i]
    elif f.code == R1:
        v = p.r1
    elif f.code == R0:
        v = p.r0
    elif f.code == X0:
        v = 1 if p.tx[pre] else 0
    else:
        v = 1 if p.ty[post] else 0
    v += f.offset
    if f.sign:
        v = (v > 0) - (v < 0)
    return f.low if v < f.low else f.high if v > f.high else v


cdef inline double start(Plastic* p, Product* q) noexcept nogil:
    return q.coefficient if p.fixed else 1.0


cdef inline void synapse(Plastic* p, int64_t i, int64_t pre, int64_t post, int64_t epoch, bint has_head,
                         int64_t tick) noexcept nogil:
    """Evaluate the rule for one synapse and store what changed. `has_head`: the row's part of products is known."""
    cdef int64_t k, at, f, value, total[3]
    cdef double v, acc[3]
    cdef Product* q
    cdef int32_t g
    cdef bint touched[3]
    for g in range(3):
        touched[g] = False
    for k in range(p.n_products):
        q = &p.products[k]
        if q.dependency == 0:
            at = p.tx[pre]
        elif q.dependency == 1:
            at = p.ty[post]
        else:
            at = p.te if epoch % q.period == 0 else 0
        g = q.target
        if not touched[g]:
            touched[g] = True
            acc[g] = p.variable[g][i]
            total[g] = <int64_t>acc[g] * (<int64_t>1 << p.fraction_bits) if p.fixed else 0
        if at == 0:
            continue
        if has_head and (q.dependency != 1 or p.te == 1):
            v, f = p.head[k], q.row
        else:
            v, f = start(p, q), q.first
        while f < q.last:
            v *= factor(p, &p.factors[f], at, pre, post, i)
            f += 1
        if p.fixed:
            value = <int64_t>v >> q.right
            value = value * (<int64_t>1 << q.left) if q.left >= 0 else value >> -q.left
            value = -p.largest - 2 if value < -p.largest - 2 else p.largest if value > p.largest else value
            total[g] += value
            total[g] = -p.largest - 2 if total[g] < -p.largest - 2 else p.largest if total[g] > p.largest else total[g]
        else:
            acc[g] = acc[g] + q.coefficient * v
    for g in range(3):
        if not touched[g]:
            continue
        if p.fixed:
            value = total[g] & ((<int64_t>1 << p.fraction_bits) - 1)
            acc[g] = <double>(total[g] >> p.fraction_bits)
            if value:
                v = <double>value / <double>(<int64_t>1 << p.fraction_bits)
                if draw(p, W_ROUND + g, post * p.n_pre + pre, tick, tick) < v:
                    acc[g] += 1
        p.variable[g][i] = p.low[g] if acc[g] < p.low[g] else p.high[g] if acc[g] > p.high[g] else acc[g]
    if touched[0] and p.place != NULL:
        if p.fixed:
            p.weight16[p.place[i]] = p.effective[<int64_t>p.variable[0][i] + 256]
        else:
            p.weight64[p.place[i]] = p.variable[0][i]
    if p.updates != NULL:
        p.updates[p.core[post]] += 1


cdef void plastic_tick(Plastic* p, int64_t tick) noexcept nogil:
    """End a tick: hear the spikes that are due; at the end of an epoch, learn."""
    cdef int64_t u
    if p.x_delay:
        for u in range(p.n_pre):
            if p.late_x[u] & 1:
                heard(p, PRE, u, 1.0, tick)
            p.late_x[u] >>= 1
    if p.y_delay:
        for u in range(p.n_post):
            if p.late_y[u] & 1:
                heard(p, POST, u, 1.0, tick)
            p.late_y[u] >>= 1
    if (tick + 1) % p.te == 0:
        learn(p, tick)


cdef void learn(Plastic* p, int64_t tick) noexcept nogil:
    """End an epoch: traces, reward, then every synapse for which a product is due."""
    cdef int64_t epoch = (tick + 1) // p.te
    cdef int64_t k
    cdef double v, q
    cdef bint all_due = False
    follow(p, p.x, p.tx, p.n_pre, 0, 2, p.hx, X_DECAY, tick)
    follow(p, p.y, p.ty, p.n_post, 2, 3, p.hy, Y_DECAY, tick)
    v = p.r_keep * p.r1
    if p.fixed:
        q = floor(v)
        if v > q and draw(p, R_DECAY, 0, tick, tick) < v - q:
            q += 1
        v = floor(q + p.reward + 0.5)
        v = p.r_min if v < p.r_min else p.r_max if v > p.r_max else v
    else:
        v = v + p.reward
    p.r1 = v
    for k in range(p.n_products):
        if p.products[k].dependency == 2 and epoch % p.products[k].period == 0:
            all_due = True
    if p.tabled:
        learn_tabled(p, epoch, all_due, tick)
    else:
        learn_each(p, epoch, all_due, tick)
    memset(p.tx, 0, p.n_pre * sizeof(int32_t))
    memset(p.ty, 0, p.n_post * sizeof(int32_t))
    p.r0 = p.reward = 0


cdef void learn_each(Plastic* p, int64_t epoch, bint all_due, int64_t tick) noexcept nogil:
    """Any rule: one synapse at a time."""
    cdef int64_t k, i, j, f, pre, post
    cdef Product* product
    for pre in range(p.n_pre):
        if not (all_due or (p.has_x0 and p.tx[pre])):
            continue
        for k in range(p.n_products):
            product = &p.products[k]
            j = p.tx[pre] if product.dependency == 0 else 1 if product.dependency == 1 else p.te
            p.head[k] = start(p, product)
            for f in range(product.first, product.row):
                p.head[k] *= factor(p, &p.factors[f], j, pre, 0, 0)
        for i in range(p.row_start[pre], p.row_start[pre + 1]):
            synapse(p, i, pre, p.post[i], epoch, True, tick)
    if p.has_y0 and not all_due:
        for post in range(p.n_post):
            if p.ty[post]:
                for j in range(p.column_start[post], p.column_start[post + 1]):
                    i = p.column[j]
                    if not (p.has_x0 and p.tx[p.pre[i]]):
                        synapse(p, i, p.pre[i], post, epoch, False, tick)


cdef inline int32_t added(Plastic* p, Product* q, double v, int64_t f, int64_t at, int64_t pre,
                          int64_t post) noexcept nogil:
    """What a product adds to a sum: `v` times the factors from `f` on, shifted, saturated."""
    cdef int64_t value
    while f < q.last:
        v *= factor(p, &p.factors[f], at, pre, post, 0)
        f += 1
    value = <int64_t>v >> q.right
    value = value * (<int64_t>1 << q.left) if q.left >= 0 else value >> -q.left
    return <int32_t>(-p.largest - 2 if value < -p.largest - 2 else p.largest if value > p.largest else value)


cdef bint fill(Plastic* p, int64_t k, int64_t pre, int64_t at, int64_t n_spiked) noexcept nogil:
    """The table of a product for the row of an axon; False: it adds nothing. `at` 0: of a product of y0."""
    cdef Product* q = &p.products[k]
    cdef int32_t* table = p.table + k * p.n_post
    cdef int64_t f, j, post, when = at if at else 1
    cdef double head = start(p, q)
    if at == 0 and p.te > 1 and q.row > q.first:        # the row's part differs with the neuron's tick
        for j in range(n_spiked):
            post = p.spiked[j]
            table[post] = added(p, q, head, q.first, p.ty[post], pre, post)
        return True
    for f in range(q.first, q.row):
        head *= factor(p, &p.factors[f], when, pre, 0, 0)
    if head == 0:
        return False
    if p.table_at[k] == when and p.table_head[k] == head:
        return True
    p.table_at[k], p.table_head[k] = when, head
    if at:
        for post in range(p.n_post):
            table[post] = added(p, q, head, q.row, at, pre, post)
    else:
        for j in range(n_spiked):
            post = p.spiked[j]
            table[post] = added(p, q, head, q.row, p.ty[post], pre, post)
    return True


cdef void learn_tabled(Plastic* p, int64_t epoch, bint all_due, int64_t tick) noexcept nogil:
    """Rules without w, t and d among the factors: what a product adds is the same for all axons with the same part of
    their own, so it stands in a table by neuron, and a synapse is read only where a table has more than a zero.

    Adding zero changes nothing, as every variable is within the range of the sums (`Learner.tables`). Synapses due are
    counted as differences along the neurons. 300 ticks of `bench.py engine`: 18 ms; by `learn_each` 49 ms, 99 % of
    perf's samples of the engine in `plastic_tick`, into which all of it is inlined.
    """
    cdef int64_t pre, post, k, j, at, first, last, n_spiked = 0, n_live = 0, n_used, n_row, rows, spikes
    cdef int64_t used[MOST_TABLES]
    cdef int32_t g
    cdef bint row_due, of_spikes
    cdef Product* q
    if p.has_y0:
        for post in range(p.n_post):
            if p.ty[post]:
                p.spiked[n_spiked] = post
                n_spiked += 1
    memset(p.table, 0, p.n_products * p.n_post * sizeof(int32_t))
    memset(p.table_at, 0, p.n_products * sizeof(int64_t))
    memset(p.due, 0, 2 * (p.n_post + 1) * sizeof(int64_t))
    for pre in range(p.n_pre):
        first, last = p.row_start[pre], p.row_start[pre + 1]
        row_due = all_due or (p.has_x0 and p.tx[pre] > 0)
        if first == last or not (row_due or n_spiked):
            continue
        count_due(p, pre, row_due)
        for g in range(3):
            n_used = n_row = 0
            of_spikes = False
            for k in range(p.n_products):
                q = &p.products[k]
                if q.target != g:
                    continue
                if q.dependency == 1:
                    if n_spiked and fill(p, k, pre, 0, n_spiked):
                        used[n_used] = k
                        n_used += 1
                        of_spikes = True
                    continue
                at = p.tx[pre] if q.dependency == 0 else p.te if epoch % q.period == 0 else 0
                if at and fill(p, k, pre, at, n_spiked):
                    used[n_used] = k
                    n_used += 1
                    n_row += 1
            if n_used == 0:
                continue
            if not p.run[pre] or (n_row and of_spikes):
                collect(p, pre, g, used, n_used, NULL, last - first, tick)
            elif of_spikes:
                collect(p, pre, g, used, n_used, p.spiked, n_spiked, tick)
            else:
                n_live = 0
                for post in range(p.n_post):
                    at = 0
                    for j in range(n_used):
                        at |= p.table[used[j] * p.n_post + post]
                    p.live[n_live] = post
                    n_live += at != 0
                collect(p, pre, g, used, n_used, p.live, n_live, tick)
    if p.updates == NULL:
        return
    rows = spikes = 0
    for post in range(p.n_post):
        rows += p.due[post]
        spikes += p.due[p.n_post + 1 + post]
        p.updates[p.core[post]] += rows + (spikes if p.ty[post] else 0)


cdef inline void count_due(Plastic* p, int64_t pre, bint row_due) noexcept nogil:
    """Synapses of a row for which a product is due."""
    cdef int64_t i, first = p.row_start[pre], last = p.row_start[pre + 1]
    cdef int64_t* due = p.due + (0 if row_due else p.n_post + 1)
    if p.run[pre]:
        due[p.post[first]] += 1
        due[p.post[last - 1] + 1] -= 1
    else:
        for i in range(first, last):
            due[p.post[i]] += 1
            due[p.post[i] + 1] -= 1


cdef void collect(Plastic* p, int64_t pre, int32_t g, const int64_t* used, int64_t n_used, const int64_t* posts,
                  int64_t n, int64_t tick) noexcept nogil:
    """Add the tables `used` to variable `g` of a row: at some neurons of a run, or (NULL) along all its synapses."""
    cdef int64_t first = p.row_start[pre], low = p.post[first], length = p.row_start[pre + 1] - first
    cdef int64_t i, j, k, post, m = 0
    cdef int32_t before, total, smallest = <int32_t>(-p.largest - 2), largest = <int32_t>p.largest
    cdef int32_t unit = <int32_t>1 << p.fraction_bits
    cdef const double* variable = p.variable[g]
    for j in range(n):
        if posts == NULL:
            i = first + j
            post = p.post[i]
        else:
            post = posts[j]
            if post < low or post >= low + length:
                continue
            i = first + post - low
        before = total = <int32_t>variable[i] * unit
        for k in range(n_used):
            total += p.table[used[k] * p.n_post + post]
            total = smallest if total < smallest else largest if total > largest else total
        p.open[m] = i
        p.sums[m] = total
        m += total != before
    if m:
        store(p, pre, g, m, tick)


cdef void store(Plastic* p, int64_t pre, int32_t g, int64_t n, int64_t tick) noexcept nogil:
    """Round the sums of `n` open synapses of a row at random, and keep them. Draws do not wait for each other."""
    cdef int64_t i, j
    cdef uint32_t words[4]
    cdef uint32_t mask = (<uint32_t>1 << p.fraction_bits) - 1
    cdef int64_t up
    cdef double v
    for j in range(n):
        if p.shared == NULL and p.sums[j] & mask:
            draw_words(words, p.seed, <uint32_t>tick, <uint32_t>(p.post[p.open[j]] * p.n_pre + pre),
                       <uint32_t>p.number, <uint32_t>(FIRST_BLOCK + W_ROUND + g))
            p.words[j] = words[0]
    for j in range(n):
        i = p.open[j]
        v = <double>(p.sums[j] & mask) / <double>(mask + 1)
        if p.shared == NULL:
            up = v > 0 and <double>p.words[j] * (1.0 / 4294967296.0) < v
        else:
            up = p.shared[tick * N_STREAMS + W_ROUND + g] < v
        v = <double>((p.sums[j] >> p.fraction_bits) + up)
        p.variable[g][i] = p.low[g] if v < p.low[g] else p.high[g] if v > p.high[g] else v
        if g == 0 and p.place != NULL:
            p.weight16[p.place[i]] = p.effective[<int64_t>p.variable[0][i] + 256]


CHANGES = ("w", "t", "d", "x", "y", "tx", "ty", "late_x", "late_y")


cdef class Learner:
    """As chipsim.models.plasticity.learner.Learner, with the same arguments; synapses in order of axon."""

    def __init__(self, rule, synapses, *, sign="mixed", precision=None, delay_max=62, seed=0, number=0, shared=None):
        cdef Plastic* p = &self.p
        n_pre, n_post = synapses.n_pre, synapses.n_post
        if (np.diff(synapses.pre) < 0).any():
            raise ValueError("plastic synapses must stand in the order of their axons")
        self.keep = {}
        p.seed, p.number = <uint64_t>(int(seed) & 0xFFFFFFFFFFFFFFFF), number
        p.n_pre, p.n_post, p.n_synapses = n_pre, n_post, len(synapses.pre)
        p.shared = NULL if shared is None else <const double*>self.hold("shared", shared, np.float64)
        self.hold_rule(rule, precision)
        for k, name in enumerate(("w", "t", "d")):
            p.low[k], p.high[k] = bounds(rule, sign, precision, delay_max)[name]
        p.pre = <const int32_t*>self.hold("pre", synapses.pre, np.int32)
        p.post = <const int32_t*>self.hold("post", synapses.post, np.int32)
        rows, columns = (np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=n))])
                         for ids, n in ((synapses.pre, n_pre), (synapses.post, n_post)))
        p.row_start = <const int64_t*>self.hold("rows", rows, np.int64)
        p.column_start = <const int64_t*>self.hold("columns", columns, np.int64)
        p.column = <const int64_t*>self.hold("column", np.argsort(synapses.post, kind="stable"), np.int64)
        weight = np.clip(synapses.weight.astype(float), p.low[0], p.high[0])
        p.variable[0] = <double*>self.hold("w", weight, np.float64)
        p.variable[1] = <double*>self.hold("t", np.zeros(p.n_synapses), np.float64)
        p.variable[2] = <double*>self.hold("d", np.array(synapses.delay, float), np.float64)
        p.x = <double*>self.hold("x", np.zeros((2, n_pre)), np.float64)
        p.y = <double*>self.hold("y", np.zeros((3, n_post)), np.float64)
        p.tx = <int32_t*>self.hold("tx", np.zeros(n_pre), np.int32)
        p.ty = <int32_t*>self.hold("ty", np.zeros(n_post), np.int32)
        p.x_delay, p.y_delay = rule.x_delay, rule.y_delay
        p.late_x = <uint64_t*>self.hold("late_x", np.zeros(n_pre), np.uint64)
        p.late_y = <uint64_t*>self.hold("late_y", np.zeros(n_post), np.uint64)
        p.hx = <double*>self.hold("hx", np.zeros((p.te + 1, 2, n_pre)), np.float64)
        p.hy = <double*>self.hold("hy", np.zeros((p.te + 1, 3, n_post)), np.float64)
        p.place, p.updates = NULL, NULL
        self.tables(rule)
        plastic_clear(p)

    cdef int tables(self, rule) except -1:
        """Room for `learn_tabled`, where it says the same as `learn_each`."""
        cdef Plastic* p = &self.p
        own = any(f.name in ("w", "t", "d") for products in rule.products.values() for q in products for f in q.factors)
        targets = [k for k, name in enumerate(("w", "t", "d")) if rule.products.get(name)]
        unit = 1 << p.fraction_bits
        p.tabled = (p.fixed and not own and p.n_products <= MOST_TABLES and p.n_synapses > 0 and all(
            p.low[k] * unit >= -p.largest - 2 and p.high[k] * unit <= p.largest and p.low[k] % 1 == p.high[k] % 1 == 0
            and not (self.keep[("w", "t", "d")[k]] % 1).any() for k in targets))
        if not p.tabled:
            return 0
        pre, post = self.keep["pre"], self.keep["post"]
        broken = (np.diff(pre) == 0) & (np.diff(post) != 1)
        p.run = <const uint8_t*>self.hold("run", np.bincount(pre[1:][broken], minlength=p.n_pre) == 0, np.uint8)
        longest = int(np.bincount(pre).max()) + 1
        p.table = <int32_t*>self.hold("table", np.zeros((p.n_products, p.n_post)), np.int32)
        p.table_head = <double*>self.hold("table_head", np.zeros(p.n_products), np.float64)
        p.table_at = <int64_t*>self.hold("table_at", np.zeros(p.n_products), np.int64)
        p.spiked = <int64_t*>self.hold("spiked", np.zeros(p.n_post + 1), np.int64)
        p.live = <int64_t*>self.hold("live", np.zeros(p.n_post + 1), np.int64)
        p.due = <int64_t*>self.hold("due", np.zeros((2, p.n_post + 1)), np.int64)
        p.open = <int64_t*>self.hold("open", np.zeros(longest), np.int64)
        p.sums = <int32_t*>self.hold("sums", np.zeros(longest), np.int32)
        p.words = <uint32_t*>self.hold("words", np.zeros(longest), np.uint32)
        return 0

    cdef void* hold(self, str name, array, dtype) except NULL:
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data

    cdef int hold_rule(self, rule, precision) except -1:
        """Products, factors and traces as structs."""
        cdef Plastic* p = &self.p
        cdef int64_t k = 0, j = 0
        cdef bint fixed = precision is not None
        listed = [(t, q) for t, name in enumerate(("w", "t", "d")) for q in rule.products.get(name, ())]
        n_factors = sum(len(q.factors) for _, q in listed)
        p.products = <Product*>self.hold("products", np.zeros(len(listed) * sizeof(Product) + 1), np.uint8)
        p.factors = <Factor*>self.hold("factors", np.zeros(n_factors * sizeof(Factor) + 1), np.uint8)
        p.head = <double*>self.hold("head", np.zeros(len(listed)), np.float64)
        p.fixed, p.te, p.n_products = fixed, rule.t_epoch, len(listed)
        p.has_x0 = any(q.dependency == "x0" for _, q in listed)
        p.has_y0 = any(q.dependency == "y0" for _, q in listed)
        for target, q in listed:
            p.products[k].target, p.products[k].dependency = target, DEPENDENCIES.index(q.dependency)
            p.products[k].period, p.products[k].coefficient = q.period, q.coefficient
            if fixed:
                p.products[k].coefficient = precision.scale(q)[0]
                p.products[k].right, p.products[k].left = precision.shifts(q)
            p.products[k].first = p.products[k].row = j
            for f in q.factors:
                limit = float(1 << precision.width(f.name)) if fixed else np.inf
                p.factors[j].code, p.factors[j].sign, p.factors[j].offset = FACTORS.index(f.name), f.sign, f.offset
                p.factors[j].low, p.factors[j].high = -limit, limit - 1
                j += 1
                if f.name in ("x0", "x1", "x2", "r0", "r1"):
                    p.products[k].row = j
            p.products[k].last = j
            k += 1
        for k, name in enumerate((*X_TRACES, *Y_TRACES)):
            trace = getattr(rule, name)
            whole = np.floor(trace.impulse) if fixed else trace.impulse
            p.keep[k], p.exists[k], p.whole[k] = trace.keep, trace.tau > 0, whole
            p.part[k] = np.round((trace.impulse - whole) * 256) / 256
        p.r_keep = np.exp(-rule.t_epoch / rule.r1.tau) if rule.r1.tau else 0.0
        p.r_impulse = rule.r1.impulse
        if fixed:
            p.trace_max, p.r_max = (1 << precision.trace_bits) - 1, (1 << precision.trace_bits) - 1
            p.r_min, p.fraction_bits = -(1 << precision.trace_bits), precision.fraction_bits
            p.largest = (1 << precision.accumulator_bits) - 1
        return 0

    def tick(self, int64_t tick, pre, post, rewards=()):
        """As in the plain Learner; nothing is returned."""
        for unit in pre:
            plastic_spike(&self.p, PRE, unit, 1.0, tick)
        for unit in post:
            plastic_spike(&self.p, POST, unit, 1.0, tick)
        for payload in rewards:
            plastic_spike(&self.p, REWARD, 0, payload, tick)
        with nogil:
            plastic_tick(&self.p, tick)

    def reset(self):
        """Forget spikes, traces, tags and reward; weights and delays stay."""
        plastic_clear(&self.p)

    def connect(self, place, effective, weight, core, n_cores):
        """Where the engine keeps the weights: array `weight` at `place` [P]; count updates per core of the neuron.

        effective  int16[512], the stored weight of each w from -256 on; None in floating point
        """
        self.p.place = <const int64_t*>self.hold("place", place, np.int64)
        self.keep["weight"] = weight
        if self.p.fixed:
            self.p.effective = <const int16_t*>self.hold("effective", effective, np.int16)
            self.p.weight16 = <int16_t*><size_t>weight.ctypes.data
            if self.p.tabled:           # a weight that does not change is not written: it must stand there already
                w = self.keep["w"].astype(int)
                self.p.tabled = np.array_equal(weight[self.keep["place"]], self.keep["effective"][w + 256])
        else:
            self.p.weight64 = <double*><size_t>weight.ctypes.data
        self.p.core = <const int32_t*>self.hold("core", core, np.int32)
        self.p.updates = <int64_t*>self.hold("updates", np.zeros(n_cores), np.int64)

    def snapshot(self):
        """All that changes, as name -> array; `restore` takes it back."""
        own = {name: self.keep[name].copy() for name in CHANGES}
        return own | {"reward": np.array([self.p.r0, self.p.r1, self.p.reward])}

    def restore(self, snapshot):
        """Go on from a `snapshot` of the same learner."""
        for name in CHANGES:
            self.keep[name][...] = snapshot[name]
        self.p.r0, self.p.r1, self.p.reward = map(float, snapshot["reward"])

    @property
    def variables(self):
        """w, t, d: float64[P]."""
        return {name: self.keep[name] for name in ("w", "t", "d")}

    @property
    def x(self):
        """float64[2, n_pre]"""
        return self.keep["x"]

    @property
    def y(self):
        """float64[3, n_post]"""
        return self.keep["y"]

    @property
    def r1(self):
        return self.p.r1
