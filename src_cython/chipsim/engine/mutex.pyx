"""Mutexes of all outputs of a fabric; what one does is in mutex.pxd."""
from libc.stdint cimport int64_t, uint8_t

import numpy as np


cdef Mutexes* make_mutexes(Held owner, int64_t n, int64_t width) except NULL:
    """Of n outputs with `width` inputs each, kept by `owner`."""
    cdef int64_t k
    cdef int64_t* released = <int64_t*>owner.hold("mutex_released", np.zeros(n * width), np.int64)
    cdef uint8_t* last = <uint8_t*>owner.hold("mutex_last", np.ones(n * width), np.uint8)
    cdef Mutexes* mutexes = <Mutexes*>owner.hold("mutexes", np.zeros(n * sizeof(Mutexes)), np.uint8)
    for k in range(n):
        mutexes[k] = Mutexes(released + k * width, last + k * width, width)
    return mutexes
