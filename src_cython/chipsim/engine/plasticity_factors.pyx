"""What of a product does not depend on the synapse, at the end of an epoch (see plasticity.pxd).

Of a product

    coefficient * (factors of the axon and the reward) * (factors of the neuron) * (factors of the synapse)

the first part is one number per axon, its head, and the second stands in a table by neuron, made once per epoch and
tick that is referred to.
"""
from libc.stdint cimport int64_t
from libc.string cimport memset

from chipsim.engine.bits cimport wide_void
from chipsim.engine.plasticity cimport Factor, Plastic, Product, R0, R1, Sum, X0, X1, Y0, Y1


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


cdef wide_void see_axons(Plastic* p, Sum* tables, int64_t at) noexcept nogil:
    """Heads of the products of y0 for all axons, as they were in tick `at`; which of them add something."""
    cdef int64_t k, f, pre
    cdef Product* q
    cdef Sum* of_axons
    cdef Sum same
    memset(p.awake, p.wild, p.n_pre)
    for k in range(p.n_products):
        q = &p.products[k]
        if q.dependency != 1:
            continue
        of_axons = <Sum*>p.axons + k * p.n_pre
        same = <Sum>q.coefficient if p.fixed else 1
        for pre in range(p.n_pre):
            of_axons[pre] = same
        for f in range(q.first, q.row):
            if p.factors[f].code == X1 or p.factors[f].code == X1 + 1:
                times(&p.factors[f], of_axons, p.hx + (at * 2 + p.factors[f].code - X1) * p.n_pre, p.n_pre)
            else:
                for pre in range(p.n_pre):
                    of_axons[pre] *= <Sum>of_axon(p, &p.factors[f], at, pre)
        for pre in range(p.n_pre):
            p.awake[pre] |= of_axons[pre] != 0
    if p.has_x0:
        for k in range(p.n_heard_x):
            p.awake[p.heard_x[k]] = 0


cdef inline void times(const Factor* f, Sum* values, const double* traces, int64_t n) noexcept nogil:
    """Multiply by a factor that reads the traces [n]."""
    cdef int64_t j
    cdef double v, offset = f.offset, low = f.low, high = f.high
    if f.sign:
        for j in range(n):
            v = traces[j] + offset
            values[j] *= <Sum>((v > 0) - (v < 0))
    else:
        for j in range(n):
            v = traces[j] + offset
            v = low if v < low else v
            values[j] *= <Sum>(high if v > high else v)


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
    if q.dependency != 0:
        at = 1 if q.dependency == 1 else p.te
    cdef Sum* of_tick = tables + (q.table + ((at - 1) * q.n_tables if q.dependency == 0 else 0)) * p.n_post
    if q.n_tables and not p.filled[k * (p.te + 1) + at]:
        p.filled[k * (p.te + 1) + at] = 1
        fill(p, q, of_tick, at)
    return of_tick


cdef wide_void fill(Plastic* p, const Product* q, Sum* of_tick, int64_t at) noexcept nogil:
    """Floating point has one table per factor, as the order of products matters there; fixed point has one in all."""
    cdef int64_t f, j, post
    cdef const Factor* factor
    cdef Sum* out = of_tick
    for f in range(q.row, q.own):
        factor = &p.factors[f]
        if f == q.row or Sum is double:
            out = of_tick + ((f - q.row) * p.n_post if Sum is double else 0)
            for j in range(p.n_post):
                out[j] = 1
        if q.dependency == 1:
            for j in range(p.n_heard_y):
                post = p.heard_y[j]
                out[post] *= <Sum>of_neuron(p, factor, p.ty[post], post)
        elif factor.code == Y0:
            for j in range(p.n_post):
                out[j] *= <Sum>of_neuron(p, factor, at, j)
        else:
            times(factor, out, p.hy + (at * 3 + factor.code - Y1) * p.n_post, p.n_post)
