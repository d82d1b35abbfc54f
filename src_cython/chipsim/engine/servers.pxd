"""What both fabrics share about soma and synapse servers at their endpoints: times of packets, and their account."""
from libc.stdint cimport int32_t, int64_t

from chipsim.engine.bits cimport bin_of, fetch_one
from chipsim.engine.buffers cimport FOLLOWS, PacketSeed

cdef enum:
    LIMIT_SOMA = 1
    LIMIT_SYNAPSE = 2
    LIMIT_LINK = 3
    LOST = -1                   # arrived and started of a delivery that was dropped; done: when


cdef struct Times:              # per packet of the chunk, ps from the start of its tick
    int64_t* made
    int64_t* entered
    int64_t* arrived
    int64_t* started
    int64_t* done


cdef struct Totals:             # summed over ticks: soma and stall per endpoint, synapse per core, latency per bin
    int64_t* soma
    int64_t* stall
    int64_t* synapse
    int64_t* latency


cdef inline Times times_of(int64_t[:, ::1] rows) noexcept nogil:
    cdef Times t
    t.made, t.entered, t.arrived = &rows[0, 0], &rows[1, 0], &rows[2, 0]
    t.started, t.done = &rows[3, 0], &rows[4, 0]
    return t


cdef inline void account(const int64_t* start, const int64_t* tail_ps, int64_t n_cores, const PacketSeed* seeds,
                         const int32_t* axon_core, Times* t, Totals* totals) noexcept nogil:
    """Add one tick, whose rows are the host port, then the cores."""
    cdef int64_t row, e, k
    for row in range(n_cores + 1):
        e = n_cores if row == 0 else row - 1
        for k in range(start[row], start[row + 1]):
            if k + 16 < start[n_cores + 1]:
                fetch_one(&axon_core[seeds[k + 16].axon])
            if seeds[k].gap != FOLLOWS:
                totals.soma[e] += seeds[k].gap
                totals.stall[e] += t.entered[k] - t.made[k]
            if t.arrived[k] != LOST:
                totals.synapse[axon_core[seeds[k].axon]] += t.done[k] - t.started[k]
                totals.latency[bin_of(t.arrived[k] - t.made[k])] += 1
        totals.soma[e] += tail_ps[row]
