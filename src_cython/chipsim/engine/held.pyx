"""Arrays behind pointers: what a compiled object points into, it keeps."""
import numpy as np


cdef class Held:

    def __cinit__(self, *args, **kwargs):
        self.keep = {}

    cdef void* hold(self, str name, array, dtype) except NULL:
        """Keep a contiguous array alive under a name and give its address."""
        self.keep[name] = np.ascontiguousarray(array, dtype)
        return <void*><size_t>self.keep[name].ctypes.data
