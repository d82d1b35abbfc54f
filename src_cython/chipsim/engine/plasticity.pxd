"""Learning engine: the compiled twin of chipsim/models/plasticity/learner.py.

`Learner` (plasticity.pyx) checks and holds the arrays; plasticity_traces.pyx hears spikes and follows the traces. At
the end of an epoch plasticity_rows.pyx finds the synapses that may change, plasticity_factors.pyx works out what they
have in common, and plasticity_synapses.pyx evaluates the rule for a group of them.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from chipsim.engine.held cimport Held

cdef enum:
    W = 0                       # sum_of_products.FACTORS
    D = 1
    T = 2
    X1 = 3
    Y1 = 5
    R1 = 8
    X0 = 9
    Y0 = 10
    R0 = 11

cdef enum:
    X_DECAY = 0                 # streams of random numbers, as in learner.py
    X_EXTRA = 2
    Y_DECAY = 3
    Y_EXTRA = 5
    R_DECAY = 6
    W_ROUND = 7
    N_STREAMS = 10
    FIRST_BLOCK = 65536

cdef enum:
    BLOCK = 256                 # synapses worked on at once: their sums and factors stay in the first cache


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
    int32_t right               # fixed point: bits lost, then bits gained (negative: lost again)
    int32_t left
    bint saturates              # its value may exceed the accumulator
    int64_t first               # factors [first, row) of the axon or the reward, [row, own) of the neuron,
    int64_t row                 # [own, last) of the synapse
    int64_t own
    int64_t last
    int64_t table               # tables of the neurons' factors: n_tables, for x0 as often as the epoch has ticks
    int64_t n_tables


cdef struct Plastic:
    bint fixed
    bint wide                   # fixed point: products need more than 32 bits
    bint has_x0, has_y0
    int64_t te, n_pre, n_post, n_synapses, n_products, fraction_bits, largest
    uint64_t seed
    int64_t number
    const double* shared        # [ticks, N_STREAMS], or NULL
    Product* products
    Factor* factors
    double keep[5]              # x1 x2 y1 y2 y3
    double whole[5]             # impulse; fixed point: its whole part and its fraction
    double part[5]
    uint8_t exists[5]
    double trace_max, r_keep, r_impulse, r_min, r_max
    double grid                 # floating point: unit of the weights in memory, then stored as int16; 0: as they are
    double low[3]
    double high[3]
    const int32_t* post         # [P] by axon, ascending
    const int64_t* row_start    # [n_pre + 1]
    const uint8_t* run          # [n_pre] the row's neurons follow each other
    const int64_t* column_start  # [n_post + 1] into column
    const int32_t* column       # [P] axons by neuron, and the synapses' numbers
    const int32_t* column_synapse
    void* variable[3]           # w t d, [P]: int16 in fixed point, else double
    bint wild                   # some variable is infinite, or beyond the sums' range: adding zero changes it
    double* x                   # [2, n_pre]
    double* y                   # [3, n_post]
    int32_t* tx                 # ticks of the epoch, 0: no spike
    int32_t* ty
    int32_t* heard_x            # axons and neurons that spiked in the epoch
    int32_t* heard_y
    int64_t n_heard_x, n_heard_y
    int32_t x_delay, y_delay    # ticks by which spikes are heard late; 0 to 63
    uint64_t* late_x            # [n_pre] bit k: a spike to be heard in k ticks
    uint64_t* late_y            # [n_post]
    double* hx                  # [te + 1, 2, n_pre]
    double* hy                  # [te + 1, 3, n_post]
    double r0, r1, reward
    # room for the end of an epoch
    void* tables                # [tables, n_post] of the type that sums have
    uint8_t* filled             # [n_products, te + 1]
    double* head                # [n_products, te + 1] the row's part of each product; one number unless te > 1 and y0
    int64_t* used               # [n_products] products that may add something to the row
    void* axons                 # [n_products, n_pre] the same for all axons, for products of y0 in one tick
    uint8_t* awake              # [n_pre] it is not zero, and the row is not due as such
    void* due                   # [n_post] 1 where the neuron spiked in the epoch, of the type that sums have
    uint8_t* visit              # [te + 1, n_post] neurons to visit in a row whose axon spiked in tick k (0: did not)
    int32_t* visits             # [te + 1, n_post] their numbers
    int64_t* n_visits           # [te + 1] -1: not worked out yet; n_post + 1: all
    # where the weights go, and who counts
    const int64_t* place        # [P] index into the layout's weights; NULL: nowhere
    const uint8_t* line         # [n_pre] the row's weights follow each other there
    const int16_t* effective    # [512] stored weight of w = -256 ... 255
    int16_t* weight16
    double* weight64
    const int32_t* core         # [n_post]
    const int64_t* part_start   # [n_pre + 1] a row's synapses by core
    const int32_t* part_core
    const int32_t* part_size
    int64_t* updates            # [cores] of the epoch learnt last; NULL: nobody counts


cdef struct Group:              # synapses of a row or of a column that are learnt together, at most BLOCK
    int64_t n
    int64_t n_used              # products in Plastic.used
    int64_t first
    const int32_t* synapses     # [n] their numbers; NULL: from `first` on
    int64_t pre                 # the axon; -1 in a column
    const int32_t* posts        # [n] neurons; NULL: in a line, or one
    int64_t post                # the neuron; -1 in a row
    const int32_t* pres         # [n] axons; NULL in a row


ctypedef fused Sum:             # of products: int64 where the widths ask for it, double in floating point
    int32_t
    int64_t
    double


cdef class Learner(Held):
    cdef Plastic p

    cdef int hold_rule(self, rule, precision) except -1
    cdef int hold_room(self) except -1
    cdef object axons(self)
    cdef object rows_in_a_line(self, numbers)
    cdef int look(self) except -1
