from libc.stdint cimport int64_t

from chipsim.engine.delivery cimport SynapseMemory
from chipsim.engine.held cimport Held
from chipsim.engine.meeting cimport Meeting
from chipsim.engine.phase cimport Learners
from chipsim.engine.share cimport Chip, Share


cdef class ChipState(Held):
    cdef Chip chip
    cdef Share* shares
    cdef readonly int64_t n_shares
    cdef Meeting meeting
    cdef SynapseMemory memory                       # of the layout, and the sums
    cdef Learners learners
    cdef dict state                                 # variables of the neurons
    cdef list somas, group_model
    cdef readonly list ranges                       # neurons of each share
    cdef object layout, pool, pace
    cdef int64_t look_at, counted_from              # ticks: when to balance the shares, and since when spikes count
    cdef bint whole_cores
    cdef int64_t n_sources, max_late
    cdef const int64_t* axon_start

    cdef int hold_groups(self, layout) except -1
    cdef int hold_matrices(self, plan) except -1
    cdef int hold_state(self, layout) except -1
    cdef int hold_shares(self, plan, seed, threads) except -1
    cdef int divide(self, layout, low) except -1
    cdef dict changing(self)
