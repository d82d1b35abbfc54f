from chipsim.engine.neurons cimport Model, Slice

cdef void truenorth(const Model* m, const Slice* s) noexcept nogil
