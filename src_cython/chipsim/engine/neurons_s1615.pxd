from chipsim.engine.neurons cimport Model, Slice

cdef void lif_s1615(const Model* m, const Slice* s) noexcept nogil
