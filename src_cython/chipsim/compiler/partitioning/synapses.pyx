"""Passes over the synapses of a network as they stand, rows of a CSR matrix [post, pre]: who is heard, and by whom."""
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

from chipsim.compiler.partitioning.hypergraph cimport mix


def heard(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int32_t[::1] count):
    """(units int32[k], synapses int32[k]): the columns in use in these rows, each once, and how often.

    count  int32[columns] of zeros to work with; zeros again afterwards
    """
    cdef int64_t i, e, most = 0, n = 0
    cdef int32_t u
    for i in range(rows.shape[0]):
        most += indptr[rows[i] + 1] - indptr[rows[i]]
    units = np.empty(min(most, count.shape[0]), np.int32)
    cdef int32_t[::1] unit = units
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                u = indices[e]
                if count[u] == 0:
                    unit[n] = u
                    n += 1
                count[u] += 1
    units = units[:n].copy()
    synapses = np.empty(n, np.int32)
    unit = units
    cdef int32_t[::1] each = synapses
    for i in range(n):
        each[i] = count[unit[i]]
        count[unit[i]] = 0
    return units, synapses


def row_sums(const int64_t[::1] indptr, const int32_t[::1] indices, uint64_t salt):
    """uint64[rows]: a sum of hashes of each row's columns, equal where the columns are."""
    result = np.zeros(indptr.shape[0] - 1, np.uint64)
    cdef uint64_t[::1] out = result
    cdef int64_t r, e
    cdef uint64_t total
    salt = mix(salt)
    with nogil:
        for r in range(indptr.shape[0] - 1):
            total = 0
            for e in range(indptr[r], indptr[r + 1]):
                total += mix(salt + <uint64_t>indices[e])
            out[r] = total
    return result


def count_pins(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int64_t first,
               int64_t[::1] start):
    """Add 1 to start[first + column + 2] for every entry of the rows: the first half of a counting sort by source."""
    cdef int64_t i, e
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                start[first + indices[e] + 2] += 1


def fill_pins(const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] rows, int64_t first,
              const int32_t[::1] vertex, int64_t[::1] start, int32_t[::1] pin):
    """Put vertex[i] of row rows[i] to each of the row's sources; start[source + 1] moves on."""
    cdef int64_t i, e, at
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(indptr[rows[i]], indptr[rows[i] + 1]):
                at = start[first + indices[e] + 1]
                start[first + indices[e] + 1] += 1
                pin[at] = vertex[i]
