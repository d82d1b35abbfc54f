"""How many sources the rows of a matrix hear that some cores hear already: a sample of what growth would find."""
from libc.stdint cimport int32_t, int64_t


def unheard(const int64_t[::1] indptr, const int32_t[::1] indices, const unsigned char[::1] heard, int32_t[:, ::1] new):
    """Add to new[row, k] the row's sources that core k, of eight, does not hear: bit k of heard[source] is not set.

    indptr int64[rows + 1], indices int32[.]: a CSR matrix [post, pre]; heard uint8[pre]; new int32[rows, 8].
    """
    cdef int64_t r, e
    cdef int32_t k
    cdef int32_t[8] known
    cdef unsigned char bits
    with nogil:
        for r in range(indptr.shape[0] - 1):
            for k in range(8):
                known[k] = 0
            for e in range(indptr[r], indptr[r + 1]):
                bits = heard[indices[e]]
                if bits:
                    for k in range(8):
                        known[k] += bits >> k & 1
            for k in range(8):
                new[r, k] += <int32_t>(indptr[r + 1] - indptr[r]) - known[k]
