"""What a learner hears within an epoch, and its traces at the end of one (see plasticity.pxd).

Whole numbers of the fixed-point engine are held as doubles, exact far beyond its widths; one code serves both.
"""
from libc.math cimport floor
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from chipsim.engine.bits cimport wide_void
from chipsim.engine.draws cimport draw_eights
from chipsim.engine.plasticity cimport (
    BLOCK,
    FIRST_BLOCK,
    N_STREAMS,
    Plastic,
    R_DECAY,
    X_DECAY,
    X_EXTRA,
    Y_DECAY,
    Y_EXTRA,
)


cdef void plastic_clear(Plastic* p) noexcept nogil:
    """Forget spikes, traces, tags and reward; weights and delays stay."""
    memset(p.x, 0, 2 * p.n_pre * sizeof(double))
    memset(p.y, 0, 3 * p.n_post * sizeof(double))
    memset(p.tx, 0, p.n_pre * sizeof(int32_t))
    memset(p.ty, 0, p.n_post * sizeof(int32_t))
    memset(p.variable[1], 0, p.n_synapses * (sizeof(int16_t) if p.fixed else sizeof(double)))
    p.n_heard_x = p.n_heard_y = 0
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


cdef void hear_late(Plastic* p, int64_t tick) noexcept nogil:
    """Hear the spikes that are due in this tick."""
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
        else:
            p.heard_x[p.n_heard_x] = <int32_t>unit
            p.n_heard_x += 1
        p.tx[unit] = k
    else:
        if p.ty[unit]:
            for a in range(3):
                p.y[a * p.n_post + unit] = raised(p, p.y[a * p.n_post + unit], 2 + a, Y_EXTRA, a * p.n_post + unit,
                                                  tick, tick)
        else:
            p.heard_y[p.n_heard_y] = <int32_t>unit
            p.n_heard_y += 1
        p.ty[unit] = k


cdef void forget_spikes(Plastic* p) noexcept nogil:
    """Begin an epoch."""
    cdef int64_t k
    for k in range(p.n_heard_x):
        p.tx[p.heard_x[k]] = 0
    for k in range(p.n_heard_y):
        p.ty[p.heard_y[k]] = 0
    p.n_heard_x = p.n_heard_y = 0
    p.r0 = p.reward = 0


cdef void follow_traces(Plastic* p, int64_t tick) noexcept nogil:
    """End an epoch: its history of traces in hx and hy, and the reward's."""
    cdef double v
    follow(p, p.x, p.tx, p.heard_x, p.n_heard_x, p.n_pre, 0, 2, p.hx, X_DECAY, tick)
    follow(p, p.y, p.ty, p.heard_y, p.n_heard_y, p.n_post, 2, 3, p.hy, Y_DECAY, tick)
    v = p.r_keep * p.r1
    if p.fixed:
        v = floor(v) + (uniform(p, R_DECAY, 0, tick, tick) < v - floor(v))
        v = floor(v + p.reward + 0.5)
        v = p.r_min if v < p.r_min else p.r_max if v > p.r_max else v
    else:
        v = v + p.reward
    p.r1 = v


cdef void follow(Plastic* p, double* value, const int32_t* last, const int32_t* units, int64_t n_units, int64_t n,
                 int64_t first, int64_t traces, double* h, int64_t stream, int64_t tick) noexcept nogil:
    """Traces of the axons or neurons through the ticks of the epoch: h[te + 1, traces, n]; `value` ends as h[te]."""
    cdef int64_t k, a, j, u, now
    cdef double keep
    cdef double* row
    memcpy(h, value, traces * n * sizeof(double))
    for k in range(1, p.te + 1):
        now = tick - p.te + k
        for a in range(traces):
            if not p.exists[first + a]:                                 # these rows stay zero
                continue
            keep = p.keep[first + a]
            row = h + (k * traces + a) * n
            if p.fixed:
                decay_fixed(p, row - traces * n, row, n, keep, stream, a * n, now, tick)
            else:
                for u in range(n):
                    row[u] = keep * row[u - traces * n]
            for j in range(n_units):
                u = units[j]
                if last[u] == k:
                    row[u] = raised(p, row[u], first + a, stream + 1, a * n + u, now, tick)
    memcpy(value, h + p.te * traces * n, traces * n * sizeof(double))


cdef wide_void decay_fixed(Plastic* p, const double* before, double* after, int64_t n, double keep, int64_t stream,
                           int64_t index, int64_t tick, int64_t used) noexcept nogil:
    """One tick's decay of a trace, rounded at random; `index`: the first unit's among the numbers of the stream."""
    cdef uint32_t eights[BLOCK]
    cdef uint16_t halves[BLOCK + 8]
    cdef int64_t begin = 0, m, k, eight
    cdef const uint16_t* random
    cdef double v, q, given = p.shared[used * N_STREAMS + stream] if p.shared != NULL else 0
    while begin < n:
        m = n - begin if n - begin < BLOCK else BLOCK
        if p.shared == NULL:
            eight = (index + begin) >> 3
            for k in range(((index + begin + m - 1) >> 3) - eight + 1):
                eights[k] = <uint32_t>(eight + k)
            draw_eights(halves, eights, ((index + begin + m - 1) >> 3) - eight + 1, p.seed, <uint32_t>tick,
                        <uint32_t>p.number, <uint32_t>(FIRST_BLOCK + stream))
            random = halves + ((index + begin) & 7)
            for k in range(m):
                v = keep * before[begin + k]
                q = <double><int32_t>v
                after[begin + k] = q + (random[k] * (1.0 / 65536.0) < v - q)
        else:
            for k in range(m):
                v = keep * before[begin + k]
                q = <double><int32_t>v
                after[begin + k] = q + (given < v - q)
        begin += m


cdef inline double raised(Plastic* p, double value, int64_t trace, int64_t stream, int64_t index, int64_t tick,
                          int64_t used) noexcept nogil:
    """A trace after one impulse."""
    value = value + p.whole[trace]
    if not p.fixed:
        return value
    if p.part[trace] > 0 and uniform(p, stream, index, tick, used) < p.part[trace]:
        value += 1
    return p.trace_max if value > p.trace_max else 0 if value < 0 else value


cdef double uniform(Plastic* p, int64_t stream, int64_t index, int64_t tick, int64_t used) noexcept nogil:
    """In [0, 1), number `index` of a stream; `used` is the row of the shared numbers."""
    cdef uint16_t halves[8]
    cdef uint32_t eight = <uint32_t>(index >> 3)
    if p.shared != NULL:
        return p.shared[used * N_STREAMS + stream]
    draw_eights(halves, &eight, 1, p.seed, <uint32_t>tick, <uint32_t>p.number, <uint32_t>(FIRST_BLOCK + stream))
    return halves[index & 7] * (1.0 / 65536.0)
