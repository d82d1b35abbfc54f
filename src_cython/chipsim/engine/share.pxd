"""A share of a chip: a range of its neurons with the synapses onto them, and what they do in a tick.

Shares are advanced by one thread or by several; a tick's spikes are the only thing that they tell each other. Each
delivers the spikes of all shares to its own neurons, lines first, then neurons by number, so that every sum is added up
in the same order however many shares there are.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from chipsim.engine.buffers cimport Events, Seeds
from chipsim.engine.delivery cimport Synapses
from chipsim.engine.meeting cimport Meeting
from chipsim.engine.neurons cimport Model, Slice
from chipsim.engine.phase cimport Phase


ctypedef int (*PlainStep)(void* owner, int64_t group, const Slice* s) noexcept with gil
ctypedef int (*Sample)(void* owner, int64_t share, int64_t t) noexcept with gil


cdef struct Chip:                       # what all shares have in common
    bint integer, want_seeds, want_work, multicast, same_tick
    bint matrices                       # of cores are multiplied all at once; no share then has a part of a core
    int64_t n_neurons, n_cores, n_actions, ring, n_banks, n_receptors, n_states, first_rows
    const int64_t* group_start
    const int64_t* group_stop
    const int64_t* group_compartments   # updates that a visit of each of its neurons takes
    const int32_t* group_core
    const int64_t* group_stream         # population, and index in it of the group's first neuron
    const int64_t* group_first
    const int64_t* out_start
    const int32_t* out_axon
    const int32_t* bank_shift
    const double* first_input           # [first_rows, n_neurons]
    const int32_t* per_spike            # [sources, n_actions]
    const uint8_t* record
    const int64_t* state_at             # [states] address of each variable, of its start, and bytes of a neuron
    const int64_t* start_at
    const int64_t* state_bytes
    uint8_t* active                     # [n_neurons] of the tick
    double* payload
    int64_t* source_spikes
    int64_t idle_ps, active_ps, spike_ps, axon_out_ps, host_ps
    const int64_t* blocks               # [n_cores] of each core's matrix
    const int32_t* axon_core
    uint8_t* reached                    # [2, n_cores] packets came, that act in an even tick, in an odd one
    int64_t* core_blocks                # [n_cores] multiplied since the start
    int64_t block_ps, matrix_action
    int64_t learn_first                 # the first of the three actions of learning
    const Phase* phase
    void* owner                         # for the two functions that need the interpreter
    PlainStep plain_step
    Sample sample


cdef struct Share:
    int64_t number                      # the first one has the input lines, too
    int64_t low, high                   # neurons [low, high), of the groups and cores
    int64_t first_group, last_group
    int64_t first_core, last_core
    const Model** model                 # [groups] with scratch memory of its own
    Synapses synapses
    int64_t tick
    Events[2] fired                     # spikes of even and of odd ticks: others may still read those of the last one
    Events events                       # recorded, since the start
    Seeds seeds                         # packets of the chunk
    int64_t* core_active                # [n_cores] since the start
    int64_t* counts                     # of the chunk: [ticks, n_actions]
    int64_t* n_active                   # [ticks]


cdef struct Chunk:                      # ticks to be advanced in one call
    int64_t n_ticks, reset_every
    const int64_t* start                # [n_ticks + 1] events of a tick
    const uint32_t* line
    const double* value                 # NULL: all 1
    bint hold, sampling
    int64_t* seed_start                 # [n_ticks * (cores + 1) + 1] host port, then cores, tick by tick: in `seeds`
    int64_t* tail_ps                    # [n_ticks * (cores + 1)]
    int64_t* work                       # [n_ticks * (cores + 1), 2] active updates and spikes
    int64_t* learning_ps                # [n_ticks]
    int32_t* learning_core
    int64_t failed                      # 1 + the tick of the chunk in which a share failed; 0: none


cdef void run_ticks(const Chip* c, Share* shares, int64_t n_shares, int64_t first, int64_t last, Chunk* k,
                    Meeting* meeting, int64_t me) noexcept nogil
cdef void clear(const Chip* c, Share* s) noexcept nogil
cdef void end_tick(const Chip* c, Share* s, Chunk* k, int64_t t) noexcept nogil
