"""Vertices to be put on cores, nets that say who hears whom, and the counter-based random numbers of the passes.

A vertex is one neuron or several that stay together; a net is one source or several with the same targets: all are in
the vertex `source`, each spike of theirs goes to every core that holds a pin.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t


cdef struct Hyper:
    int64_t n_vertices
    int64_t n_nets
    const int32_t* size         # [vertex] neurons in it
    const int32_t* config       # [vertex] their neuron configuration
    const int32_t* source       # [net] vertex that sends; -1: from outside (input lines)
    const double* weight        # [net] spikes per tick, summed over its sources
    const int32_t* count        # [net] sources
    const int32_t* unit         # [net] bits of one synapse
    const int64_t* pin_start    # [net + 1] into pin, multiplicity
    const int32_t* pin          # vertex that hears the net, each once
    const int32_t* multiplicity  # synapses from the net's sources to that vertex
    const int64_t* in_start     # [vertex + 1] into in_net, in_multiplicity
    const int32_t* in_net       # nets the vertex hears
    const int32_t* in_multiplicity
    const int64_t* out_start    # [vertex + 1] into out_net
    const int32_t* out_net      # nets the vertex sends


cdef struct Limits:
    int64_t neurons
    int64_t memory
    int64_t axons_in
    int64_t axons_out
    int64_t configs
    int64_t block               # synapses per memory block; 0: synapses stand one by one
    int64_t word                # bits a block is rounded up to
    int64_t header              # bits a block takes beside its synapses


cdef class Hypergraph:
    cdef Hyper h
    cdef public object size, config, source, weight, count, unit, pin_start, pin, multiplicity
    cdef public object in_start, in_net, in_multiplicity, out_start, out_net


cdef Limits limits_of(object limits) except *


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    """splitmix64's finaliser (Steele, Lea, Flood 2014): a counter in, 64 random bits out."""
    x += <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


cdef inline int64_t below(uint64_t bits, int64_t n) noexcept nogil:
    """0 .. n-1 from 64 random bits, n < 2^31."""
    return <int64_t>(((bits >> 32) * <uint64_t>n) >> 32)


cdef inline int64_t memory_of(const Hyper* h, const Limits* cap, int64_t net, int64_t synapses) noexcept nogil:
    """Bits that `synapses` synapses of a net take on one core, shared evenly between its sources."""
    cdef int64_t each, full, rest, bits
    if cap.block == 0:
        return synapses * h.unit[net]
    each = (synapses + h.count[net] - 1) // h.count[net]
    full, rest = each // cap.block, each % cap.block
    bits = full * ((cap.block * h.unit[net] + cap.header + cap.word - 1) // cap.word)
    if rest:
        bits += (rest * h.unit[net] + cap.header + cap.word - 1) // cap.word
    return bits * cap.word * h.count[net]
