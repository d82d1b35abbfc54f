"""Bit masks and the bins of stats.py, for all engines."""
from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    static inline int chipsim_low(unsigned long long x) { return __builtin_ctzll(x); }
    static inline int chipsim_high(unsigned long long x) { return 63 - __builtin_clzll(x); }
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
    #define chipsim_wide_void __attribute__((target_clones("arch=x86-64-v4", "avx2", "default"))) void
    #else
    #define chipsim_wide_void void
    #endif
    #if defined(__GNUC__)
    #define chipsim_forced_void __attribute__((always_inline)) void
    #define chipsim_flat_void __attribute__((flatten)) void
    #else
    #define chipsim_forced_void void
    #define chipsim_flat_void void
    #endif
    static inline void chipsim_fetch(const void* p) { __builtin_prefetch(p); __builtin_prefetch((const char*)p + 64); }
    static inline void chipsim_fetch_one(const void* p) { __builtin_prefetch(p); }
    """
    ctypedef void wide_void "chipsim_wide_void"     # of a function compiled for several widths of vectors, same bits
    ctypedef void forced_void "chipsim_forced_void"     # of a function copied into each caller, for its constant flags
    ctypedef void flat_void "chipsim_flat_void"     # of a function into which all that it calls is copied, likewise
    int lowest_bit "chipsim_low"(uint64_t x) noexcept nogil
    int highest_bit "chipsim_high"(uint64_t x) noexcept nogil
    void fetch "chipsim_fetch"(const void* p) noexcept nogil      # two cache lines
    void fetch_one "chipsim_fetch_one"(const void* p) noexcept nogil

cdef enum:
    SUB_BITS = 5


cdef inline int64_t bin_of(int64_t ps) noexcept nogil:
    """Twin of stats.bin_of."""
    cdef int64_t shift
    if ps < (1 << SUB_BITS):
        return ps if ps > 0 else 0
    shift = highest_bit(<uint64_t>ps) - SUB_BITS
    return ((shift + 1) << SUB_BITS) + ((ps >> shift) - (1 << SUB_BITS))
