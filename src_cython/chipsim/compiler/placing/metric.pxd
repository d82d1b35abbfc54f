"""Hops between two sites, for kernels: by coordinates or by a table. Twin of floorplan.Floorplan.hops."""
from libc.stdint cimport int32_t, uint32_t, uint64_t


cdef packed struct Spot:
    float x, y              # coordinates, in hops
    int32_t a, b            # hops from s to t, if there is a table: table[s.a + t.b]
    int32_t column, row     # cell of the floorplan
    int32_t site            # index of the site, -1 for what stands elsewhere


cdef struct Metric:
    float period_x, period_y        # length of a ring of columns or rows; infinite where the mesh has edges
    const float* table              # NULL: coordinates


cdef inline float hops(const Metric* m, const Spot* s, const Spot* t) noexcept nogil:
    cdef float dx, dy, round
    if m.table != NULL:
        return m.table[s.a + t.b]
    dx = s.x - t.x
    dy = s.y - t.y
    dx = -dx if dx < 0 else dx
    dy = -dy if dy < 0 else dy
    round = m.period_x - dx
    dx = round if round < dx else dx
    round = m.period_y - dy
    dy = round if round < dy else dy
    return dx + dy


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
