from chipsim.engine.neurons cimport Model, Slice

cdef void affine(const Model* m, const Slice* s) noexcept nogil
