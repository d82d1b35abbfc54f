"""Passes over synapses find what a sort finds; stored runs that are shared mean what they meant apart."""
from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from chipsim.compiler.memory import SynapseMemory, out_axons
from chipsim.compiler.partitioning.synapses import heard, row_sums

SMALL = settings(max_examples=40)


def matrix(seed, rows, columns, density=0.4):
    m = random_array((rows, columns), density=density, rng=np.random.default_rng(seed), format="csr")
    return m.indptr.astype(np.int64), m.indices.astype(np.int32), (m.data * 9).astype(np.int16)


@SMALL
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 12))
def test_sources_of_rows_are_counted_as_bincount_counts_them(seed, rows, columns):
    indptr, indices, _ = matrix(seed, rows, columns)
    some = np.flatnonzero(np.random.default_rng(seed).random(rows) < 0.5).astype(np.int64)
    zeros = np.zeros(columns, np.int32)
    units, n = heard(indptr, indices, some, zeros)
    expected = np.bincount(np.concatenate([indices[indptr[r] : indptr[r + 1]] for r in some] or [[]]).astype(int),
                           minlength=columns)
    assert (np.bincount(units, weights=n, minlength=columns) == expected).all()
    assert len(np.unique(units)) == len(units) and not zeros.any()


def test_rows_have_equal_sums_where_their_columns_are_equal():
    indptr, indices = np.array([0, 2, 4, 6, 6], np.int64), np.array([1, 5, 1, 4, 1, 5], np.int32)
    sums = row_sums(indptr, indices, 7)
    assert sums[0] == sums[2] and len(set(sums.tolist())) == 3


@SMALL
@given(st.integers(0, 2**32), st.booleans())
def test_memory_holds_every_synapse_once_in_order_of_source_and_segment(seed, dense):
    rng = np.random.default_rng(seed)
    sizes, n_pre = rng.integers(1, 9, 3), int(rng.integers(1, 10))
    memory = SynapseMemory(2 * n_pre, 2000, [False, bool(rng.integers(2))], np.uint16, np.int16)
    expected = []
    for core, size in enumerate(sizes):
        parts = []
        for key in (0, 1):
            indptr, indices, values = matrix(seed + key, size, n_pre)
            if dense and key == 0:
                indptr, indices = np.arange(size + 1, dtype=np.int64) * n_pre, None
                values = rng.integers(-9, 9, size * n_pre).astype(np.int16)
            number = np.arange(n_pre, dtype=np.int64) + key * (n_pre // 2)
            parts.append((key, 0, np.arange(size, dtype=np.int64), indptr, indices, values, number, None))
            for r in range(size):
                for e in range(indptr[r], indptr[r + 1]):
                    column = e - indptr[r] if indices is None else indices[e]
                    expected.append((core, int(number[column]), key, r, int(values[e])))
        memory.core(parts)
    n_axons, source, n_segments, start, size, slot, key = memory.tables()
    core = np.repeat(np.arange(3), n_axons)
    found = []
    for g, a in enumerate(np.repeat(np.arange(len(source)), n_segments)):
        for w in range(start[g], start[g] + size[g]):
            found.append((int(core[a]), int(source[a]), int(key[g]), int(memory.target[w]) + int(slot[g]),
                          int(memory.weight[w])))
    assert found == sorted(found, key=lambda f: f[:4]) and found == sorted(expected, key=lambda f: f[:4])
    first, axons = out_axons(source, 2 * n_pre)
    assert all((source[axons[first[s] : first[s + 1]]] == s).all() for s in range(2 * n_pre))


def test_a_pattern_that_moves_over_the_slots_is_stored_once_per_core():
    n, kernel = 12, np.array([3, -1, 2], np.int16)           # neuron r hears sources r, r + 1, r + 2
    indptr = np.arange(n + 1, dtype=np.int64) * 3
    indices = (np.arange(n)[:, None] + np.arange(3)).astype(np.int32).ravel()
    memory = SynapseMemory(n + 2, 3 * n, [True], np.uint32, np.float64)
    rows, number = np.arange(n, dtype=np.int64), np.arange(n + 2, dtype=np.int64)
    for _ in range(2):
        memory.core([(0, 0, rows, indptr, indices, np.tile(kernel, n).astype(float), number, None)])
    _, source, _, start, size, slot, _ = memory.tables()
    assert memory.used == 2 * (3 + 1 + 2 + 2 + 1)            # whole kernel, and what is left of it at the two ends
    middle = (source >= 2) & (source < n)
    assert len(set(start[middle])) == 2 and (slot[middle] == source[middle] - 2).all() and (size[middle] == 3).all()
