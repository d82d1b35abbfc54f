"""Clusters for the multilevel scheme: a vertex joins the neighbour it shares most traffic with, if both are small."""
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

from chipsim.compiler.partitioning.hypergraph cimport Hyper, Hypergraph, below, mix

cdef enum:
    SAMPLE = 48                 # nets of a vertex, and pins of a net, that are looked at


cdef inline void rate(double w, int32_t g, double* rating, int32_t* seen, int64_t* n_seen) noexcept nogil:
    if rating[g] == 0:
        seen[n_seen[0]] = g
        n_seen[0] += 1
    rating[g] += w


def cluster(Hypergraph graph, int64_t max_size, seed, core=None):
    """(int32[n_vertices] cluster numbers, their count): one pass of heavy-connection clustering, clusters <= max_size.

    The rating of two vertices is the sum over shared nets of weight / pins, divided by both sizes. With `core`
    (int32[n_vertices]) only vertices of one core join.
    """
    cdef Hyper* h = &graph.h
    cdef int64_t n = h.n_vertices, i, j, k, v, e, n_in, n_out, pins, first, n_seen, turn
    leader_ = np.arange(n, dtype=np.int32)
    cdef int32_t[::1] leader = leader_, seen = np.empty(SAMPLE * (SAMPLE + 2), np.int32)
    cdef int64_t[::1] weight = np.asarray(graph.size)[:n].astype(np.int64)
    cdef double[::1] rating = np.zeros(n)
    cdef const int32_t[::1] only = np.zeros(n, np.int32) if core is None else np.ascontiguousarray(core, np.int32)
    cdef const int64_t[::1] order = np.random.Generator(np.random.Philox(seed)).permutation(n)
    cdef unsigned char[::1] joined = np.zeros(n, np.uint8)
    cdef uint64_t bits
    cdef int32_t g, best
    cdef double score, best_score, w
    with nogil:
        for turn in range(n):
            v = order[turn]
            if joined[v]:
                continue
            n_in, n_out = h.in_start[v + 1] - h.in_start[v], h.out_start[v + 1] - h.out_start[v]
            n_seen = 0
            bits = mix(<uint64_t>v)
            for i in range(min(<int64_t>SAMPLE, n_in + n_out)):
                j = i if n_in + n_out <= SAMPLE else below(mix(bits + <uint64_t>i), n_in + n_out)
                e = h.in_net[h.in_start[v] + j] if j < n_in else h.out_net[h.out_start[v] + j - n_in]
                pins = h.pin_start[e + 1] - h.pin_start[e]
                if pins > 2000:
                    continue
                w = h.weight[e] / pins
                if h.source[e] >= 0:
                    rate(w, leader[h.source[e]], &rating[0], &seen[0], &n_seen)
                first = 0 if pins <= SAMPLE else below(mix(bits + <uint64_t>(i + 77)), pins)
                for k in range(min(<int64_t>SAMPLE, pins)):
                    rate(w, leader[h.pin[h.pin_start[e] + (first + k) % pins]], &rating[0], &seen[0], &n_seen)
            best, best_score = -1, 0
            for i in range(n_seen):
                g = seen[i]
                score = rating[g] / weight[g]
                rating[g] = 0
                if g != v and weight[g] + weight[v] <= max_size and only[g] == only[v] and score > best_score\
                        and h.config[g] == h.config[v]:
                    best, best_score = g, score
            if best >= 0:
                leader[v] = best
                weight[best] += weight[v]
                joined[v] = joined[best] = 1
    # chains do not arise: who has been joined (joined[best]) does not join others
    roots, result = np.unique(leader_, return_inverse=True)
    return result.astype(np.int32), len(roots)
