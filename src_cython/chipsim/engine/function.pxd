from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from chipsim.engine.buffers cimport Event, Events, Seeds
from chipsim.engine.delivery cimport SynapseMemory
from chipsim.engine.neurons cimport Model, Slice
from chipsim.engine.plasticity cimport Plastic


cdef class Function:
    cdef readonly int64_t tick
    cdef SynapseMemory memory                       # of the layout, and the sums
    cdef object keep                                # arrays the raw pointers below point into
    cdef bint integer, want_seeds, want_work, multicast, same_tick, held
    cdef list somas                                 # one Soma per model
    cdef const Model** group_model
    cdef const int64_t* group_soma
    cdef const int64_t* group_stream                # population, and index in it of the group's first neuron
    cdef const int64_t* group_first
    cdef int64_t n_neurons, n_sources, n_cores, n_groups, n_actions, ring, n_banks, n_receptors, n_states, first_rows
    cdef int64_t max_late
    cdef object failure                             # exception of a NumPy step
    cdef const int64_t* group_start
    cdef const int64_t* group_stop
    cdef const int64_t* group_compartments          # updates that a visit of each of its neurons takes
    cdef const int32_t* group_core
    cdef const int64_t* out_start
    cdef const int32_t* out_axon
    cdef const int64_t* axon_start
    cdef const int32_t* bank_shift
    cdef const double* first_input
    cdef const int32_t* per_spike
    cdef const uint8_t* record
    cdef const int64_t* state_at                    # [states] address and bytes of each variable, and of its start
    cdef const int64_t* state_bytes
    cdef const int64_t* start_at
    cdef uint8_t* active
    cdef double* payload
    cdef int64_t* source_spikes
    cdef int64_t* core_active
    cdef int64_t idle_ps, active_ps, spike_ps, axon_out_ps, host_ps
    cdef Seeds seeds                                # packets of the ticks advanced last
    cdef Events fired                               # spikes of the tick not delivered yet
    cdef Events events                              # recorded spikes since the start
    cdef int64_t* seed_start                        # [ticks * (cores + 1) + 1]: host port, then cores, tick by tick
    cdef int64_t* tail_ps                           # [ticks * (cores + 1)]
    cdef int64_t* work                              # [ticks * (cores + 1), 2] active updates and spikes, or NULL
    cdef list learners
    cdef int64_t n_learners, learn_first            # learn_first: the first of the three actions of learning
    cdef Plastic** plastic
    cdef const int64_t* role_start
    cdef const int32_t* role_learner
    cdef const int32_t* role
    cdef const int32_t* role_unit
    cdef const int64_t* learn_fixed                 # [learners, cores, 2] traces, reads
    cdef int64_t learn_cost[3]
    cdef int64_t* learn_work                        # [cores, 3] of the phase, and since the start
    cdef int64_t* core_learning
    cdef int64_t* learning_ps                       # [ticks] of the chunk, and for which core
    cdef int32_t* learning_core

    cdef void* hold(self, str name, array, dtype) except NULL
    cdef dict changing(self)
    cdef int hold_neurons(self, layout, seed) except -1
    cdef int hold_learners(self, plan, seed) except -1
    cdef void learn(self, int64_t* counts, int64_t row) noexcept nogil
    cdef int step(self, int64_t g, int64_t slot) noexcept nogil
    cdef int plain_step(self, int64_t g, Slice* s) noexcept with gil
    cdef void clear(self) noexcept nogil
    cdef int emit(self, uint32_t source, double payload, int64_t* elapsed, int64_t out_ps) noexcept nogil
    cdef int emit_tick(self, const uint32_t* lines, const double* values, int64_t n_lines, int64_t* counts,
                       int64_t* n_active, int64_t row) noexcept nogil
    cdef void count(self, int64_t* counts) noexcept nogil
    cdef void deliver_all(self) noexcept nogil
    cdef int64_t deliver_late(self, const Event* e, const int32_t* late) noexcept nogil
    cdef void end_tick(self, int64_t* counts, int64_t t) noexcept nogil
