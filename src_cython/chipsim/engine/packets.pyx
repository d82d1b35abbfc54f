"""The packets of a chunk of ticks, as function leaves them behind for the fabric.

They stand tick by tick, in each the host port's, then those of the cores in order; each with the soma time before it.
"""
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

import numpy as np

from chipsim.engine.buffers cimport PacketSeed, Seeds, room_for_seeds
from chipsim.engine.share cimport Chunk, Share

SEED = np.dtype([("gap", np.int64), ("source", np.uint32), ("axon", np.uint32)])     # a PacketSeed


cdef class Packets:
    """Packets(n_cores): room for those of a chunk; a Function fills it (Function.packets)."""

    def __init__(self, n_cores):
        self.stride, self.keep = n_cores + 1, {}

    def __dealloc__(self):
        free(self.seeds.at)

    cdef void* room(self, str name, int64_t n) except NULL:
        self.keep[name] = np.zeros(n, np.int64)
        return <void*><size_t>self.keep[name].ctypes.data

    cdef int begin(self, Chunk* k, bint want_work) except -1:
        """Forget what there is, and make room for the servers of another chunk; shares write it there."""
        rows = k.n_ticks * self.stride
        k.seed_start = self.seed_start = <int64_t*>self.room("seed_start", rows + 1)
        k.tail_ps = self.tail_ps = <int64_t*>self.room("tail_ps", rows)
        k.work = <int64_t*>self.room("work", 2 * rows if want_work else 0)
        self.seeds.n = 0
        return 0

    cdef int take(self, Share* shares, int64_t n_shares, int64_t n_ticks) except -1:
        """Take over the packets that shares have made, in one list."""
        cdef int64_t t, i, j, low, high, at = 0
        cdef Share* s
        cdef Seeds own = self.seeds
        if n_shares == 1:
            self.seeds, shares[0].seeds = shares[0].seeds, own
            self.seed_start[n_ticks * self.stride] = self.seeds.n
            return 0
        for i in range(n_shares):
            at += shares[i].seeds.n
        if room_for_seeds(&self.seeds, at):
            raise MemoryError("no memory left for the packets of a chunk of ticks")
        self.seeds.n, at = at, 0
        with nogil:
            for t in range(n_ticks):
                for i in range(n_shares):
                    s = &shares[i]
                    j = t * self.stride + (s.first_core + 1 if i else 0)
                    low = self.seed_start[j]
                    high = self.seed_start[j + self.stride] if t + 1 < n_ticks else s.seeds.n
                    memcpy(self.seeds.at + at, s.seeds.at + low, <size_t>(high - low) * sizeof(PacketSeed))
                    for j in range(j, t * self.stride + s.last_core + 1):
                        self.seed_start[j] += at - low
                    at += high - low
            self.seed_start[n_ticks * self.stride] = at
        return 0

    def __len__(self):
        return self.seeds.n

    @property
    def starts(self):
        """int64[ticks * (C + 1) + 1]: first packet of each tick's endpoints."""
        return self.keep["seed_start"]

    def by_tick(self):
        """(start int64[ticks + 1], source uint32[p], axon uint32[p]): which packets a tick has, and what they are."""
        seeds = self.seen()
        return self.starts[::self.stride].copy(), seeds["source"].copy(), seeds["axon"].copy()

    def servers(self):
        """Views to write to: SEED[p], start of each endpoint's seeds int64[ticks * (C + 1) + 1], tail_ps
        int64[ticks, C + 1], work int64[ticks, C + 1, 2] active updates and spikes.
        """
        shape = (-1, self.stride)
        return (self.seen(), self.starts, self.keep["tail_ps"].reshape(shape),
                self.keep["work"].reshape(*shape, 2))

    cdef object seen(self):
        return np.asarray(<PacketSeed[:self.seeds.n]>self.seeds.at) if self.seeds.n else np.zeros(0, SEED)
