from chipsim.engine.neurons cimport Model, Slice

cdef void loihi_lif(const Model* m, const Slice* s) noexcept nogil
