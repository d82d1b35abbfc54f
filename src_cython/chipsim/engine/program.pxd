from libc.stdint cimport int64_t

from chipsim.engine.neurons cimport Model, Slice

cdef void run_program(const Model* m, const Slice* s) noexcept nogil
cdef int64_t block_size() noexcept nogil
