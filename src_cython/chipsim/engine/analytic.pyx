"""Ticks without queues: the busiest soma server, synapse server or channel sets the length.

The compiled twin of reference_servers.analytic_tick.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

import numpy as np

from chipsim.engine.buffers cimport FOLLOWS
from chipsim.engine.packets cimport Packets

cdef enum:
    SOMA = 1 << 24
    SYNAPSE = 2 << 24
    LINK = 3 << 24


def analytic(plan, Packets packets, int64_t n_ticks, int64_t[::1] tick_ps, int32_t[::1] limit,
             int64_t[::1] soma_ps, int64_t[::1] synapse_ps):
    """Of a chunk: write tick_ps and limit [n_ticks], add to soma_ps [C+1] and synapse_ps [C]."""
    f, trees = plan.fabric, plan.trees
    cdef const int32_t[::1] router = f.router
    cdef const int32_t[::1] inject = f.inject
    cdef const int32_t[::1] eject = f.eject
    cdef const int32_t[:, ::1] out_channel = f.out_channel
    cdef const uint8_t[:, ::1] next_port = f.next_port
    cdef const int32_t[::1] to_router = f.to_router
    cdef const int64_t[::1] cycle = f.cycle
    cdef const int64_t[::1] latency = f.latency
    cdef const int32_t[::1] axon_core = np.ascontiguousarray(plan.axon_core, np.int32)
    cdef const int64_t[::1] service = plan.service_ps
    cdef bint multicast = trees is not None
    cdef const int64_t[::1] root = trees.root if multicast else np.zeros(1, np.int64)
    cdef const int64_t[::1] node_start = trees.node_start if multicast else np.zeros(1, np.int64)
    cdef const int32_t[::1] branch_channel = trees.branch_channel if multicast else np.zeros(1, np.int32)
    cdef const int64_t[::1] branch_child = trees.branch_child if multicast else np.zeros(1, np.int64)
    cdef int64_t n_cores = plan.layout.n_cores, stride = n_cores + 1, n_channels = f.n_channels, flits = f.flits
    cdef int64_t[::1] soma = np.zeros(stride, np.int64)
    cdef int64_t[::1] work = np.zeros(n_cores, np.int64)
    cdef int64_t[::1] load = np.zeros(n_channels, np.int64)
    cdef int64_t[::1] stack = np.zeros(n_channels + 1, np.int64)
    cdef int64_t t, j, e, k, i, top, b
    cdef int32_t core, here
    cdef uint32_t axon
    with nogil:
        for t in range(n_ticks):
            soma[:], work[:], load[:] = 0, 0, 0
            for j in range(stride):
                e = n_cores if j == 0 else j - 1
                for k in range(packets.seed_start[t * stride + j], packets.seed_start[t * stride + j + 1]):
                    axon = packets.seeds.at[k].axon
                    core = axon_core[axon]
                    work[core] += service[axon]
                    if packets.seeds.at[k].gap == FOLLOWS:
                        continue
                    soma[e] += packets.seeds.at[k].gap
                    load[inject[e]] += flits
                    if multicast:
                        top = 1
                        stack[0] = root[packets.seeds.at[k].source]
                        while top:
                            top -= 1
                            i = stack[top]
                            for b in range(node_start[i], node_start[i + 1]):
                                load[branch_channel[b]] += flits
                                if branch_child[b] >= 0:
                                    stack[top] = branch_child[b]
                                    top += 1
                        continue
                    load[eject[core]] += flits
                    here = router[e]
                    while here != router[core]:
                        i = out_channel[here, next_port[here, router[core]]]
                        load[i] += flits
                        here = to_router[i]
                soma[e] += packets.tail_ps[t * stride + j]
                soma_ps[e] += soma[e]
            tick_ps[t], limit[t] = 0, 0
            for i in range(stride):
                if soma[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = soma[i], <int32_t>(SOMA | i)
            for i in range(n_cores):
                synapse_ps[i] += work[i]
                if work[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = work[i], <int32_t>(SYNAPSE | i)
            for i in range(n_channels):
                if load[i] and (load[i] - 1) * cycle[i] + latency[i] > tick_ps[t]:
                    tick_ps[t], limit[t] = (load[i] - 1) * cycle[i] + latency[i], <int32_t>(LINK | i)
