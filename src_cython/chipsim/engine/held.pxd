cdef class Held:
    cdef dict keep                                  # name -> array
    cdef void* hold(self, str name, array, dtype) except NULL
