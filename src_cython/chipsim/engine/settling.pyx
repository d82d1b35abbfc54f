"""Levels of cores, tick by tick: the loop of chipsim/engine/levels.py; its plain twin is settle_plainly.

On chips with late packets every tick is a call of its own: with NumPy's calls in place of this loop the digits took
three times as long on `spinnaker2-dvfs` as on `spinnaker2` (CPU time), and 1.2 times with it.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from chipsim.engine.buffers cimport FOLLOWS, PacketSeed

cdef enum:                              # columns of `counts`, in the order of levels.DONE
    ACTIVE = 0
    IDLE = 1
    SPIKE = 2
    AXON_OUT = 3
    AXON_IN = 4
    ROW_FETCH = 5
    SYNOPS = 6


cdef inline int64_t stretched(int64_t ps, int64_t over, int64_t under) noexcept nogil:
    """See levels.stretched."""
    return ps // under * over + (ps % under * over + under // 2) // under


def settle(PacketSeed[::1] seeds, const int64_t[::1] start, int64_t[:, ::1] tail_ps, const int64_t[:, :, ::1] work,
           const int32_t[::1] axon_core, const int64_t[::1] service_ps, const int64_t[::1] fetched,
           const int64_t[:, ::1] synops, const int64_t[::1] held, int64_t packets, int64_t over, int64_t under):
    """Choose the levels of all cores in some ticks; `seeds` and `tail_ps` of those at the lower one are slowed down.

    seeds, start, tail_ps, work   as Packets.servers gives them
    axon_core, service_ps, fetched, synops   of the plan
    held          int64[C] updates of a core's neurons, active or not
    packets       from so many on a core works at the upper level
    over, under   a time at the lower level is over / under of that at the upper
    Returns (counts int64[ticks, DONE] of what was done at the lower level, high_ps int64[ticks]).
    """
    cdef int64_t t, c, row, k, i, axon, n_cores = tail_ps.shape[1] - 1, n_axons = axon_core.shape[0]
    cdef int64_t n_formats = synops.shape[1]
    counts, high_ps = np.zeros((len(tail_ps), SYNOPS + n_formats), np.int64), np.zeros(len(tail_ps), np.int64)
    cdef int64_t[:, ::1] done = counts
    cdef int64_t[::1] high = high_ps
    cdef int64_t[::1] received = np.zeros(n_cores, np.int64), service = np.zeros(n_cores, np.int64)
    cdef uint8_t[::1] low = np.zeros(n_cores, np.uint8)
    with nogil:
        for t in range(tail_ps.shape[0]):
            received[:], service[:] = 0, 0
            row = t * (n_cores + 1)
            for k in range(start[row], start[row + n_cores + 1]):
                c = axon_core[seeds[k].axon]
                received[c] += 1
                service[c] += service_ps[seeds[k].axon]
            for c in range(n_cores):
                low[c] = received[c] < packets
                if low[c]:
                    done[t, ACTIVE] += work[t, c + 1, 0]
                    done[t, IDLE] += held[c] - work[t, c + 1, 0]
                    done[t, SPIKE] += work[t, c + 1, 1]
                    tail_ps[t, c + 1] = stretched(tail_ps[t, c + 1], over, under)
                else:
                    high[t] += tail_ps[t, c + 1] + service[c]
            for c in range(-1, n_cores):                            # the host's port first
                for k in range(start[row + c + 1], start[row + c + 2]):
                    axon = seeds[k].axon
                    if low[axon_core[axon]]:
                        done[t, AXON_IN] += 1
                        done[t, ROW_FETCH] += fetched[axon]
                        for i in range(n_formats):
                            done[t, SYNOPS + i] += synops[axon, i]
                        seeds[k].axon += n_axons
                    if c < 0 or seeds[k].gap == FOLLOWS:
                        continue
                    if low[c]:
                        done[t, AXON_OUT] += 1
                        seeds[k].gap = stretched(seeds[k].gap, over, under)
                    else:
                        high[t] += seeds[k].gap
    return counts, high_ps
