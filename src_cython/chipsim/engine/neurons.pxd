"""Kernels: one slice of neurons of one core, one tick. Twins of the NumPy steps in chipsim/models/neurons/."""
from libc.stdint cimport int32_t, int64_t, uint8_t


cdef struct LoihiParams:
    const int32_t* du
    const int32_t* dv
    const int32_t* vth
    const int32_t* bias
    const int32_t* refract
    int32_t* u
    int32_t* v
    int32_t* wait
    int64_t ds
    int64_t dm
    int64_t q_wrap
    int64_t u_wrap
    int64_t sum_wrap
    int64_t vmin
    int64_t vmax


cdef struct AffineParams:
    const double* bias
    const double* ai
    const double* bi
    const double* av
    const double* bv
    const double* bx
    const double* cv
    const double* vth
    const double* v_reset
    const double* v_min
    const uint8_t* reset
    const uint8_t* ge
    const int32_t* refractory
    double* i
    double* v
    int32_t* wait


# Both take the summed inputs of the tick (and clear them), set active[n] to 0 or 1, and give what each neuron emits.
cdef void loihi_slice(LoihiParams* p, int64_t start, int64_t stop, int32_t* sums, uint8_t* active,
                      uint8_t* fired) noexcept nogil
cdef void affine_slice(AffineParams* p, int64_t start, int64_t stop, double* sums, uint8_t* active,
                       double* payload) noexcept nogil
