"""Hops between two sites, for kernels: by coordinates or by a table. Twin of floorplan.Floorplan.hops."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef struct Spot:
    float x, y              # coordinates, in hops
    int32_t a, b            # hops from s to t, if there is a table: table[s.a + t.b]
    int32_t column, row     # cell of the floorplan


cdef struct Edge:
    int32_t to
    float weight


# Sum over edges of weight x (hops(there, q) - hops(here, q)), in four lanes: x and y of both. Nothing else of a swap
# costs as much; for 16 edges 17 ns, lane by lane 32 ns.
cdef extern from *:
    """
    typedef float chipsim_lanes __attribute__((vector_size(16)));
    typedef int chipsim_masks __attribute__((vector_size(16)));
    typedef struct __attribute__((packed)) { int to; float weight; } chipsim_edge;
    static inline double chipsim_pull(const void* edges, long long n, const float* xy, const float* here,
                                      const float* there, const float* ring) {
        const chipsim_edge *e = (const chipsim_edge*)edges, *stop = e + n;
        const chipsim_lanes ends = {there[0], there[1], here[0], here[1]};
        const chipsim_lanes period = {ring[0], ring[1], ring[0], ring[1]};
        const chipsim_masks unsigned_part = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff};
        chipsim_lanes sum = {0, 0, 0, 0};
        for (; e < stop; e++) {
            const float* q = xy + 2 * (long long)e->to;
            const chipsim_lanes at = {q[0], q[1], q[0], q[1]};
            const chipsim_lanes apart = (chipsim_lanes)((chipsim_masks)(ends - at) & unsigned_part);
            const chipsim_lanes round = period - apart;
            const chipsim_masks nearer = round < apart;
            sum += (chipsim_lanes)(((chipsim_masks)round & nearer) | ((chipsim_masks)apart & ~nearer)) * e->weight;
        }
        return (sum[0] - sum[2]) + (sum[1] - sum[3]);
    }
    """
    double pull "chipsim_pull"(const Edge* edges, int64_t n, const float* xy, const float* here, const float* there,
                               const float* ring) noexcept nogil


cdef inline uint64_t draw(uint64_t key, uint64_t counter) noexcept nogil:
    """64 random bits of (key, counter): SplitMix64's finaliser over a Weyl sequence (Steele, Lea, Flood 2014)."""
    cdef uint64_t z = key + counter * <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint32_t below(uint64_t n, uint64_t bits) noexcept nogil:
    """A number in [0, n) of the low 32 bits."""
    return <uint32_t>((<uint64_t><uint32_t>bits * n) >> 32)


cdef inline int32_t below12(int32_t n, uint64_t bits) noexcept nogil:
    """A number in [0, n) of the low 12 bits."""
    return <int32_t>((<uint32_t>(bits & 0xFFF) * <uint32_t>n) >> 12)
