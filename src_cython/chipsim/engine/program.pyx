"""Runs the instructions of a traced step (chipsim/models/trace.py) over blocks of neurons, one loop per instruction.

A block of 128 lanes of 8 bytes is 1 KiB a register: the registers of a step stay in the first-level cache, and the
price of looking up an instruction is shared by 128 neurons.
"""
from libc.math cimport fabs, floor, rint, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from chipsim.models.numerics import LARGEST, LN2_HIGH, LN2_LOW, LOG2E, SMALLEST, TAYLOR
from chipsim.models.trace import OPS

from chipsim.engine.draws cimport draw
from chipsim.engine.neurons cimport Model, Slice


cdef enum:
    BLOCK = 128


cdef enum:                      # as in OPS of chipsim/models/trace.py; checked below
    LOAD_F = 0
    LOAD_I4 = 1
    LOAD_U1 = 2
    IN_F = 3
    IN_I4 = 4
    STORE_F = 5
    STORE_I4 = 6
    PAYLOAD = 7
    ACTIVE = 8
    WORD = 9
    ADD_F = 10
    SUB_F = 11
    MUL_F = 12
    DIV_F = 13
    MIN_F = 14
    MAX_F = 15
    LT_F = 16
    LE_F = 17
    EQ_F = 18
    NE_F = 19
    NEG_F = 20
    ABS_F = 21
    FLOOR_F = 22
    RINT_F = 23
    SQRT_F = 24
    EXP_F = 25
    SIGN_F = 26
    ADD_I = 27
    SUB_I = 28
    MUL_I = 29
    MIN_I = 30
    MAX_I = 31
    LT_I = 32
    LE_I = 33
    EQ_I = 34
    NE_I = 35
    AND_I = 36
    OR_I = 37
    XOR_I = 38
    SHL_I = 39
    SHR_I = 40
    NEG_I = 41
    ABS_I = 42
    SIGN_I = 43
    WRAP_I4 = 44
    I_TO_F = 45
    F_TO_I = 46
    WHERE = 47


if list(OPS.values()) != list(range(WHERE + 1)) or list(OPS)[WHERE] != "where" or list(OPS)[SHR_I] != "shr_i":
    raise ImportError("the operations of chipsim/models/trace.py are others than these")

cdef double largest = LARGEST, smallest = SMALLEST, log2e = LOG2E, ln2_high = LN2_HIGH, ln2_low = LN2_LOW
cdef double[14] taylor = TAYLOR


cdef inline double power_of_two(double k) noexcept nogil:
    """2^k for whole k of the size of a double's exponent."""
    cdef uint64_t bits = <uint64_t>(<int64_t>k + 1023) << 52
    cdef double value
    memcpy(&value, &bits, sizeof(double))                   # not through a pointer: C lets the compiler lose that
    return value


cdef inline double exponential(double x) noexcept nogil:
    """Twin of chipsim.models.numerics.exp."""
    cdef double k, r, p, half
    cdef int c
    if x > largest:
        return 1e308 * 10
    if x < smallest:
        return 0.0
    if x != x:
        return x
    k = floor(x * log2e + 0.5)
    r = (x - k * ln2_high) - k * ln2_low
    p = taylor[13]
    for c in range(12, -1, -1):
        p = p * r + taylor[c]
    half = floor(k * 0.5)
    return p * power_of_two(half) * power_of_two(k - half)


cdef int64_t block_size() noexcept nogil:
    return BLOCK


cdef void run_program(const Model* m, const Slice* s) noexcept nogil:
    """Advance a slice of neurons by one tick; `m.program` is the traced step."""
    cdef int64_t first, n, k, i
    for k in range(m.program.n_constants):
        for i in range(BLOCK):
            m.program.registers[k * BLOCK + i] = m.program.constants[k]
    first = s.start
    while first < s.stop:
        n = s.stop - first if s.stop - first < BLOCK else BLOCK
        for k in range(m.program.n):
            instruction(m, s, m.program.code + 5 * k, first, n)
        first += n


cdef void instruction(const Model* m, const Slice* s, const int32_t* code, int64_t first, int64_t n) noexcept nogil:
    """One instruction on neurons [first, first + n)."""
    cdef int32_t op = code[0]
    cdef double* r = m.program.registers + code[1] * BLOCK
    cdef const double* a = m.program.registers + code[2] * BLOCK
    cdef const double* b = m.program.registers + code[3] * BLOCK
    cdef const double* c = m.program.registers + code[4] * BLOCK
    cdef int64_t* z = <int64_t*>r
    cdef const int64_t* x = <const int64_t*>a
    cdef const int64_t* y = <const int64_t*>b
    cdef const double* f
    cdef const int32_t* w
    cdef const uint8_t* u
    cdef uint32_t[4] words
    cdef int64_t i
    if op <= LOAD_U1:
        f = <const double*>(m.params[code[2]] if code[3] else m.state[code[2]]) + first
        w = <const int32_t*>(m.params[code[2]] if code[3] else m.state[code[2]]) + first
        u = <const uint8_t*>(m.params[code[2]] if code[3] else m.state[code[2]]) + first
        if op == LOAD_F:
            for i in range(n):
                r[i] = f[i]
        elif op == LOAD_I4:
            for i in range(n):
                z[i] = w[i]
        else:
            for i in range(n):
                z[i] = u[i]
    elif op == IN_F:
        f = <const double*>s.sums + code[2] * s.n + first
        for i in range(n):
            r[i] = f[i]
    elif op == IN_I4:
        w = <const int32_t*>s.sums + code[2] * s.n + first
        for i in range(n):
            z[i] = w[i]
    elif op == STORE_F:
        for i in range(n):
            (<double*>m.state[code[3]])[first + i] = a[i]
    elif op == STORE_I4:
        for i in range(n):
            (<int32_t*>m.state[code[3]])[first + i] = <int32_t>x[i]
    elif op == PAYLOAD:
        for i in range(n):
            s.payload[first + i] = a[i]
    elif op == ACTIVE:
        for i in range(n):
            s.active[first + i] = x[i] != 0
    elif op == WORD:
        for i in range(n):
            draw(words, m.seed, s.tick, s.first + <uint32_t>(first + i - s.start), s.stream, <uint32_t>code[2])
            z[i] = words[code[3]]
    elif op == ADD_F:
        for i in range(n):
            r[i] = a[i] + b[i]
    elif op == SUB_F:
        for i in range(n):
            r[i] = a[i] - b[i]
    elif op == MUL_F:
        for i in range(n):
            r[i] = a[i] * b[i]
    elif op == DIV_F:
        for i in range(n):
            r[i] = a[i] / b[i]
    elif op == MIN_F:
        for i in range(n):
            r[i] = a[i] if a[i] <= b[i] or a[i] != a[i] else b[i]
    elif op == MAX_F:
        for i in range(n):
            r[i] = a[i] if a[i] >= b[i] or a[i] != a[i] else b[i]
    elif op == LT_F:
        for i in range(n):
            z[i] = a[i] < b[i]
    elif op == LE_F:
        for i in range(n):
            z[i] = a[i] <= b[i]
    elif op == EQ_F:
        for i in range(n):
            z[i] = a[i] == b[i]
    elif op == NE_F:
        for i in range(n):
            z[i] = a[i] != b[i]
    elif op == NEG_F:
        for i in range(n):
            r[i] = -a[i]
    elif op == ABS_F:
        for i in range(n):
            r[i] = fabs(a[i])
    elif op == FLOOR_F:
        for i in range(n):
            r[i] = floor(a[i])
    elif op == RINT_F:
        for i in range(n):
            r[i] = rint(a[i])
    elif op == SQRT_F:
        for i in range(n):
            r[i] = sqrt(a[i])
    elif op == EXP_F:
        for i in range(n):
            r[i] = exponential(a[i])
    elif op == SIGN_F:
        for i in range(n):
            r[i] = a[i] if a[i] != a[i] else <double>((a[i] > 0) - (a[i] < 0))
    elif op == ADD_I:
        for i in range(n):
            z[i] = <int64_t>(<uint64_t>x[i] + <uint64_t>y[i])
    elif op == SUB_I:
        for i in range(n):
            z[i] = <int64_t>(<uint64_t>x[i] - <uint64_t>y[i])
    elif op == MUL_I:
        for i in range(n):
            z[i] = <int64_t>(<uint64_t>x[i] * <uint64_t>y[i])
    elif op == MIN_I:
        for i in range(n):
            z[i] = x[i] if x[i] < y[i] else y[i]
    elif op == MAX_I:
        for i in range(n):
            z[i] = x[i] if x[i] > y[i] else y[i]
    elif op == LT_I:
        for i in range(n):
            z[i] = x[i] < y[i]
    elif op == LE_I:
        for i in range(n):
            z[i] = x[i] <= y[i]
    elif op == EQ_I:
        for i in range(n):
            z[i] = x[i] == y[i]
    elif op == NE_I:
        for i in range(n):
            z[i] = x[i] != y[i]
    elif op == AND_I:
        for i in range(n):
            z[i] = x[i] & y[i]
    elif op == OR_I:
        for i in range(n):
            z[i] = x[i] | y[i]
    elif op == XOR_I:
        for i in range(n):
            z[i] = x[i] ^ y[i]
    elif op == SHL_I:
        for i in range(n):
            z[i] = <int64_t>(<uint64_t>x[i] << y[i]) if 0 <= y[i] < 64 else 0
    elif op == SHR_I:
        for i in range(n):
            z[i] = x[i] >> (y[i] if 0 <= y[i] < 64 else 63)
    elif op == NEG_I:
        for i in range(n):
            z[i] = <int64_t>(0 - <uint64_t>x[i])
    elif op == ABS_I:
        for i in range(n):
            z[i] = x[i] if x[i] >= 0 else <int64_t>(0 - <uint64_t>x[i])
    elif op == SIGN_I:
        for i in range(n):
            z[i] = (x[i] > 0) - (x[i] < 0)
    elif op == WRAP_I4:
        for i in range(n):
            z[i] = <int32_t>x[i]
    elif op == I_TO_F:
        for i in range(n):
            r[i] = <double>x[i]
    elif op == F_TO_I:
        for i in range(n):
            z[i] = <int64_t>a[i] if -9.2e18 < a[i] < 9.2e18 else -0x7FFFFFFFFFFFFFFF - 1
    elif op == WHERE:
        for i in range(n):
            r[i] = b[i] if x[i] else c[i]
