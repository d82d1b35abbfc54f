"""Sliding kernels written out as rows of a CSR matrix."""
from libc.stdint cimport int16_t, int32_t, int64_t

import numpy as np

ctypedef fused Weight:
    int16_t
    double


def expand_windows(const Weight[:, :, :, ::1] weight, used, const int32_t[:, ::1] source, rows, columns, in_shape,
                   out_shape, const int64_t[::1] units, const int64_t[::1] indptr):
    """(indices int32, values) of a convolution's matrix in these rows, each row by input channel, row and column.

    weight   [out, in per group, kh, kw];  source [out, in per group]: input channel
    used     bool, like weight: where there is a synapse
    rows     (stride, padding before, dilation) of the vertical axis;  columns: of the horizontal one
    indptr   where each unit's synapses begin, and end
    """
    cdef int64_t height = in_shape[1], width = in_shape[2], tall = out_shape[1], wide = out_shape[2]
    cdef int64_t sy = rows[0], by = rows[1], dy = rows[2], sx = columns[0], bx = columns[1], dx = columns[2]
    indices, values = np.empty(indptr[units.shape[0]], np.int32), np.empty(indptr[units.shape[0]],
                                                                           np.asarray(weight).dtype)
    cdef const unsigned char[:, :, :, ::1] there = used.view(np.uint8)
    cdef int32_t[::1] index = indices
    cdef Weight[::1] value = values
    cdef int64_t i, o, c, ky, kx, y, x, at
    with nogil:
        for i in range(units.shape[0]):
            at = indptr[i]
            o = units[i] // (tall * wide)
            for c in range(weight.shape[1]):
                for ky in range(weight.shape[2]):
                    y = units[i] // wide % tall * sy - by + ky * dy
                    if y < 0 or y >= height:
                        continue
                    for kx in range(weight.shape[3]):
                        x = units[i] % wide * sx - bx + kx * dx
                        if 0 <= x < width and there[o, c, ky, kx]:
                            index[at] = <int32_t>((source[o, c] * height + y) * width + x)
                            value[at] = weight[o, c, ky, kx]
                            at += 1
    return indices, values
