"""Which neuron model has which native step, and how a model's arrays get to it."""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

import numpy as np

from chipsim.models.draws import Draws
from chipsim.models.trace import trace

from chipsim.engine.neurons_linear cimport affine
from chipsim.engine.neurons_loihi cimport loihi_lif
from chipsim.engine.neurons_s1615 cimport lif_s1615
from chipsim.engine.neurons_truenorth cimport truenorth
from chipsim.engine.program cimport block_size, run_program


cdef Step native(str name) noexcept:
    """The native step of a kernel; NULL if it has none."""
    if name == "affine":
        return affine
    if name == "loihi_lif":
        return loihi_lif
    if name == "lif_s1615":
        return lif_s1615
    if name == "truenorth":
        return truenorth
    return NULL


cdef class Soma:
    """Soma(kernel, options, params, state, seed): `state` is changed in place, so its arrays must be contiguous."""

    def __init__(self, kernel, dict options, dict params, dict state, seed=0):
        self.kernel, self.options = kernel, options
        self.params = {name: np.ascontiguousarray(params[name], dtype) for name, dtype in kernel.params.items()}
        self.state = {name: state[name] for name in kernel.state}
        values = [options[name] for name in kernel.options]
        numbers = np.array([v if isinstance(v, (int, float)) else 0 for v in values] or [0], np.float64)
        self.keep = [numbers]
        self.model.options = <double*><size_t>numbers.ctypes.data
        self.model.seed = seed & 0xFFFFFFFFFFFFFFFF
        self.model.step = native(kernel.name)
        if self.model.step == NULL and (code := trace(kernel, options)) is not None:
            self.hold_program(code)
        self.model.params = addresses(self.params.values())
        self.model.state = addresses(self.state.values())

    def twin(self):
        """The same model, parameters and state, with scratch memory of its own: for another thread."""
        return Soma(self.kernel, self.options, self.params, self.state, self.model.seed)

    cdef int hold_program(self, code) except -1:
        registers = np.zeros((code.n_registers + 1, block_size()))
        self.keep += [code.instructions, code.constants, registers]
        self.model.program.code = <const int32_t*><size_t>code.instructions.ctypes.data
        self.model.program.n = len(code.instructions)
        self.model.program.constants = <const double*><size_t>code.constants.ctypes.data
        self.model.program.n_constants = len(code.constants)
        self.model.program.registers = <double*><size_t>registers.ctypes.data
        self.model.step = run_program
        return 0

    def __dealloc__(self):
        free(self.model.params)
        free(self.model.state)

    cdef int plain(self, const Slice* s) except -1:
        """One tick of a slice by the kernel's NumPy step."""
        cdef int64_t receptors = len(self.kernel.receptors), k = s.stop - s.start
        if self.kernel.accumulator == "i4":
            sums = np.asarray(<int32_t[:receptors, :s.n]>s.sums)[:, s.start : s.stop]
        else:
            sums = np.asarray(<double[:receptors, :s.n]>s.sums)[:, s.start : s.stop]
        part = slice(s.start, s.stop)
        draws = (Draws(self.model.seed, s.tick, s.stream, s.first),) if self.kernel.random else ()
        payload, active = self.kernel.step({name: a[part] for name, a in self.state.items()},
                                           {name: a[part] for name, a in self.params.items()}, self.options,
                                           sums if receptors > 1 else sums[0], *draws)
        if k:
            np.asarray(<double[:k]>(s.payload + s.start))[:] = payload
            np.asarray(<uint8_t[:k]>(s.active + s.start))[:] = active
        return 0


cdef void** addresses(arrays) except NULL:
    """Of the data of each array, to be freed by the caller."""
    cdef void** at = <void**>calloc(len(arrays) + 1, sizeof(void*))
    if at == NULL:
        raise MemoryError("no memory left for a neuron model")
    for i, array in enumerate(arrays):
        at[i] = <void*><size_t>array.ctypes.data
    return at


def native_step(kernel, options=None):
    """What the compiled engine runs for a kernel, in the form of its NumPy step; None where it runs that step itself.

    The function takes (state, params, options, sums[, draws]) and returns (payload float64[n], active bool[n]).
    """
    if native(kernel.name) == NULL and trace(kernel, kernel.options if options is None else options) is None:
        return None

    def step(s, p, o, x, draws=None):
        dtype = np.int32 if kernel.accumulator == "i4" else np.float64
        sums = np.array(x, dtype).reshape(len(kernel.receptors), -1)
        n = sums.shape[1]
        state = {name: np.array(s[name], dt) for name, dt in kernel.state.items()}
        payload, active = advance(Soma(kernel, o, p, state, draws.seed if draws else 0), sums, n, draws)
        for name in state:
            s[name][:] = state[name]
        return payload, active

    return step


cdef advance(Soma soma, sums, int64_t n, draws):
    cdef Slice s
    payload, active = np.zeros(n), np.zeros(n, np.uint8)
    s.start, s.stop, s.n = 0, n, n
    s.sums = <void*><size_t>sums.ctypes.data
    s.payload, s.active = <double*><size_t>payload.ctypes.data, <uint8_t*><size_t>active.ctypes.data
    s.tick, s.stream, s.first = (draws.tick, draws.stream, draws.first) if draws else (0, 0, 0)
    soma.model.step(&soma.model, &s)
    return payload, active.astype(bool)
