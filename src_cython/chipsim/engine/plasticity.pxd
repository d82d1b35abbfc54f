"""Learning engine: the compiled twin of chipsim/models/plasticity/learner.py."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef struct Factor:
    int32_t code                # index into sum_of_products.FACTORS
    bint sign
    double offset
    double low                  # fixed point saturates here; else infinite
    double high


cdef struct Product:
    int32_t target              # 0 w, 1 t, 2 d
    int32_t dependency          # 0 x0, 1 y0, 2 u
    int64_t period              # epochs, for u
    double coefficient          # fixed point: the mantissa
    int32_t right
    int32_t left
    int64_t first               # factors [first, last); [first, row) read only the axon or the reward
    int64_t row
    int64_t last


cdef struct Plastic:
    bint fixed
    bint has_x0, has_y0
    int64_t te, n_pre, n_post, n_synapses, n_products, fraction_bits, largest
    uint64_t seed
    int64_t number
    const double* shared        # [ticks, STREAMS], or NULL
    Product* products
    Factor* factors
    double keep[5]              # x1 x2 y1 y2 y3
    double whole[5]             # impulse; fixed point: its whole part and its fraction
    double part[5]
    uint8_t exists[5]
    double trace_max, r_keep, r_impulse, r_min, r_max
    double low[3]
    double high[3]
    const int32_t* pre          # [P], ascending
    const int32_t* post
    const int64_t* row_start    # [n_pre + 1]
    const int64_t* column_start  # [n_post + 1] into column
    const int64_t* column       # [P] synapses by neuron
    double* variable[3]         # w t d, [P]
    double* x                   # [2, n_pre]
    double* y                   # [3, n_post]
    int32_t* tx                 # ticks of the epoch, 0: no spike
    int32_t* ty
    int32_t x_delay, y_delay    # ticks by which spikes are heard late; 0 to 63
    uint64_t* late_x            # [n_pre] bit k: a spike to be heard in k ticks
    uint64_t* late_y            # [n_post]
    double* hx                  # [te + 1, 2, n_pre]
    double* hy                  # [te + 1, 3, n_post]
    double* head                # [n_products]
    # rules without w, t and d among the factors, in fixed point: see learn_tabled
    bint tabled
    const uint8_t* run          # [n_pre] the row's neurons follow each other
    int32_t* table              # [n_products, n_post] what a product adds, in units of the fraction
    double* table_head          # [n_products] the row's part for which the table stands; and its tick, 0: none
    int64_t* table_at
    int64_t* spiked             # [n_post] neurons that spiked in the epoch
    int64_t* live               # [n_post] neurons at which a product of x0 or u adds something
    int64_t* due                # [2, n_post + 1] differences of how many rows are due: all, at spiked neurons only
    int64_t* open               # [longest row] synapses that change, and their sums
    int32_t* sums
    uint32_t* words
    double r0, r1, reward
    # where the weights go, and who counts
    const int64_t* place        # [P] index into the layout's weights; NULL: nowhere
    const int16_t* effective    # [512] stored weight of w = -256 ... 255
    int16_t* weight16
    double* weight64
    const int32_t* core         # [n_post]
    int64_t* updates            # [cores] of the epoch learnt last


cdef void plastic_clear(Plastic* p) noexcept nogil
cdef void plastic_spike(Plastic* p, int32_t role, int64_t unit, double payload, int64_t tick) noexcept nogil
cdef void plastic_tick(Plastic* p, int64_t tick) noexcept nogil


cdef class Learner:
    cdef Plastic p
    cdef dict keep

    cdef void* hold(self, str name, array, dtype) except NULL
    cdef int hold_rule(self, rule, precision) except -1
    cdef int tables(self, rule) except -1
