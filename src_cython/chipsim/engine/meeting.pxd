"""A meeting of threads: none goes on before all have come. Nobody spins: who waits sleeps."""
from cpython.pythread cimport (PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock,
                               PyThread_release_lock, PyThread_type_lock, WAIT_LOCK)
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free


cdef struct Meeting:
    int64_t size, here
    PyThread_type_lock door             # guards `here`
    PyThread_type_lock* gate            # [size] locked; who waits takes its own


cdef inline int arrange(Meeting* m, int64_t size) noexcept:
    """-1 when memory is exhausted."""
    cdef int64_t k
    m.here, m.door, m.gate = 0, PyThread_allocate_lock(), <PyThread_type_lock*>calloc(size, sizeof(PyThread_type_lock))
    if m.door == NULL or m.gate == NULL:
        return -1
    for k in range(size):
        m.gate[k] = PyThread_allocate_lock()
        if m.gate[k] == NULL:
            return -1
        m.size = k + 1
        PyThread_acquire_lock(m.gate[k], WAIT_LOCK)
    return 0


cdef inline void dissolve(Meeting* m) noexcept:
    cdef int64_t k
    for k in range(m.size):
        PyThread_free_lock(m.gate[k])
    if m.door != NULL:
        PyThread_free_lock(m.door)
    free(m.gate)


cdef inline void meet(Meeting* m, int64_t k) noexcept nogil:
    """Participant k comes; returns when all have. The last to come opens the others' gates."""
    cdef int64_t i
    PyThread_acquire_lock(m.door, WAIT_LOCK)
    m.here += 1
    if m.here < m.size:
        PyThread_release_lock(m.door)
        PyThread_acquire_lock(m.gate[k], WAIT_LOCK)
        return
    m.here = 0
    PyThread_release_lock(m.door)
    for i in range(m.size):
        if i != k:
            PyThread_release_lock(m.gate[i])
