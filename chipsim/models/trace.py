"""A NumPy step as a list of elementwise instructions: run once on placeholders, it leaves behind what it computes.

`trace(kernel, options)` calls the step with lanes instead of arrays. A lane stands for one number per neuron and notes
every ufunc that is applied to it; Python's own control flow happens while tracing, so options may decide and loops of
fixed length are unrolled. What cannot be noted (a branch on data, an array of other size, an operation not in OPS)
makes the step untraceable, and the engine runs it as it is. The instructions are interpreted by
src_cython/chipsim/engine/program.pyx in blocks of neurons; each is one loop with the arithmetic of the ufunc, so the
results are the same to the bit.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.models.kernels import Kernel

# name -> what its operands are: f float64, i integers and booleans. The number of an operation is its place in this
# list.
OPS = {
    name: number
    for number, name in enumerate(
        (
            "load_f",
            "load_i4",
            "load_u1",
            "in_f",
            "in_i4",
            "store_f",
            "store_i4",
            "payload",
            "active",
            "word",
            "add_f",
            "sub_f",
            "mul_f",
            "div_f",
            "min_f",
            "max_f",
            "lt_f",
            "le_f",
            "eq_f",
            "ne_f",
            "neg_f",
            "abs_f",
            "floor_f",
            "rint_f",
            "sqrt_f",
            "exp_f",
            "sign_f",
            "add_i",
            "sub_i",
            "mul_i",
            "min_i",
            "max_i",
            "lt_i",
            "le_i",
            "eq_i",
            "ne_i",
            "and_i",
            "or_i",
            "xor_i",
            "shl_i",
            "shr_i",
            "neg_i",
            "abs_i",
            "sign_i",
            "wrap_i4",
            "i_to_f",
            "f_to_i",
            "where",
        )
    )
}
_BINARY = {"add": "add", "subtract": "sub", "multiply": "mul", "minimum": "min", "maximum": "max", "less": "lt",
           "less_equal": "le", "equal": "eq", "not_equal": "ne", "bitwise_and": "and", "bitwise_or": "or",
           "bitwise_xor": "xor", "logical_and": "and", "logical_or": "or", "left_shift": "shl", "right_shift": "shr"}
_UNARY = {"negative": "neg", "absolute": "abs", "floor": "floor", "rint": "rint", "sqrt": "sqrt", "sign": "sign"}
_COMPARES = ("lt", "le", "eq", "ne")
STATE, PARAMETER = 0, 1


class Untraceable(Exception):
    """The step does something that is no elementwise instruction."""


@dataclass(frozen=True, eq=False)
class Code:
    """
    instructions  int32[n, 5] operation, result, operands a, b, c (registers, or small numbers)
    constants     float64[k]  bits of the constants, in registers 0 .. k-1
    n_registers   in all
    """

    instructions: np.ndarray
    constants: np.ndarray
    n_registers: int


def trace(kernel: type[Kernel], options: dict) -> Code | None:
    """The instructions of a kernel's step with these options; None if it is untraceable."""
    t = _Trace()
    try:
        state = {
            name: _Variable(t, t.load(STATE, i, dtype), dtype) for i, (name, dtype) in enumerate(kernel.state.items())
        }
        params = {name: _Lane(t, t.load(PARAMETER, i, d), d) for i, (name, d) in enumerate(kernel.params.items())}
        incoming = [_Lane(t, t.emit("in_f" if kernel.accumulator == "f8" else "in_i4", i), kernel.accumulator)
                    for i in range(len(kernel.receptors))]
        x = incoming if len(incoming) > 1 else incoming[0]
        payload, active = kernel.step(state, params, options, x, *([_Words(t)] if kernel.random else []))
        for i, (name, dtype) in enumerate(kernel.state.items()):
            t.emit("store_f" if dtype == "f8" else "store_i4", t.cast(state[name], dtype).register, i, result=False)
        t.emit("payload", t.cast(payload, "f8").register, result=False)
        t.emit("active", t.cast(active, "b1").register, result=False)
    except Exception:                                         # the plain step will say what is wrong, if anything is
        return None
    return t.code()


class _Trace:
    def __init__(self):
        self.rows: list[tuple[str, int, tuple[int, ...]]] = []
        self.constants: dict[tuple[str, bytes], int] = {}
        self.values = 0

    def emit(self, op: str, *operands: int, result: bool = True) -> int:
        self.rows.append((op, self.values if result else -1, operands))
        self.values += result
        return self.values - 1

    def load(self, space: int, index: int, dtype: str) -> int:
        return self.emit({"f8": "load_f", "i4": "load_i4", "u1": "load_u1"}[dtype], index, space)

    def constant(self, value: float, kind: str) -> int:
        bits = np.array(value, np.float64 if kind == "f8" else np.int64).tobytes()
        return self.constants.setdefault((kind[0], bits), -2 - len(self.constants))

    def lane(self, value: object, like: str = "") -> _Lane:
        """A lane or a number as a lane; `like`: the kind of the other operand, which Python's numbers take on."""
        if isinstance(value, _Lane):
            return value
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "biuf":
            raise Untraceable(type(value).__name__)
        number, kind = array.item(), {"b": "b1", "f": "f8"}.get(array.dtype.kind, "i8")
        if not isinstance(value, np.generic | np.ndarray) and kind == "i8" and like in ("f8", "i4"):
            kind = like
        return _Lane(self, self.constant(number, kind), kind)

    def cast(self, value: object, kind: str) -> _Lane:
        lane = self.lane(value, kind)
        if (
            lane.kind == kind
            or (kind in ("i8", "i4") and lane.kind in ("b1", "u1"))
            or (kind == "i8" and lane.kind == "i4")
        ):
            return _Lane(self, lane.register, kind)
        if kind == "f8":
            return _Lane(self, self.emit("i_to_f", lane.register), "f8")
        if kind == "b1":
            zero = self.constant(0, lane.kind)
            return _Lane(self, self.emit("ne_f" if lane.kind == "f8" else "ne_i", lane.register, zero), "b1")
        if lane.kind == "f8":
            lane = _Lane(self, self.emit("f_to_i", lane.register), "i8")
        return _Lane(self, self.emit("wrap_i4", lane.register) if kind == "i4" else lane.register, kind)

    def apply(self, op: str, kind: str, *lanes: _Lane) -> _Lane:
        """An operation on lanes of one kind."""
        number = f"{op}_{'f' if kind == 'f8' else 'i'}"
        if number not in OPS or kind == "u1" and op not in _COMPARES:
            raise Untraceable(f"{op} of {kind}")
        register = self.emit(number, *(lane.register for lane in lanes))
        if op in _COMPARES:
            return _Lane(self, register, "b1")
        if kind == "i4" and op in ("add", "sub", "mul", "neg", "abs", "shl"):
            register = self.emit("wrap_i4", register)
        return _Lane(self, register, kind)

    def code(self) -> Code:
        """Registers for values: constants first, then each value in one that is free again after its last use."""
        last: dict[int, int] = {}
        for at, (op, _, operands) in enumerate(self.rows):
            for k in _registers_of(op, operands):
                last[operands[k]] = at
        place = {name: -2 - name for name in self.constants.values()}
        free, top, rows = [], len(self.constants), []
        for at, (op, result, operands) in enumerate(self.rows):
            regs = _registers_of(op, operands)
            if result >= 0 and result not in last:
                continue                                      # nobody reads it
            numbers = [place[v] if k in regs else v for k, v in enumerate(operands)]
            free += {place[operands[k]] for k in regs if operands[k] >= 0 and last[operands[k]] == at}
            if result >= 0:
                if not free:
                    free, top = [top], top + 1
                place[result] = free.pop()
            rows.append([OPS[op], place.get(result, -1), *numbers, *[0] * (3 - len(numbers))])
        bits = np.frombuffer(b"".join(b for _, b in self.constants), np.float64).copy()
        return Code(np.array(rows, np.int32), bits, top)


def _registers_of(op: str, operands: tuple[int, ...]) -> tuple[int, ...]:
    """Which operands are registers; the others are numbers of arrays."""
    if op.startswith(("load", "in_", "word")):
        return ()
    return (0,) if op.startswith("store") else tuple(range(len(operands)))


class _Lane(np.lib.mixins.NDArrayOperatorsMixin):
    """One value per neuron, of kind f8, i8, i4, u1 or b1."""

    def __init__(self, trace: _Trace, register: int, kind: str):
        self.trace, self.register, self.kind = trace, register, kind

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise Untraceable("a branch on data")

    def copy(self) -> _Lane:
        return _Lane(self.trace, self.register, self.kind)

    def astype(self, dtype: object) -> _Lane:
        kind = np.dtype(dtype).str[1:]
        if kind not in ("f8", "i8", "i4", "b1"):
            raise Untraceable(f"astype {kind}")
        return self.trace.cast(self, kind)

    def exp(self) -> _Lane:
        return self.trace.apply("exp", "f8", self.trace.cast(self, "f8"))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **extra):
        if method != "__call__" or extra:
            raise Untraceable(ufunc.__name__)
        result = self._ufunc(ufunc.__name__, inputs)
        if out is None:
            return result
        out[0][:] = result
        return out[0]

    def _ufunc(self, name: str, inputs: tuple) -> _Lane:
        t = self.trace
        swapped = {"greater": "less", "greater_equal": "less_equal"}
        if name in swapped:
            name, inputs = swapped[name], inputs[::-1]
        if name == "power" and inputs[1] == 2 and not isinstance(inputs[1], _Lane):
            name, inputs = "multiply", (inputs[0], inputs[0])
        if name == "square":
            name, inputs = "multiply", (inputs[0], inputs[0])
        likes = [i.kind for i in inputs if isinstance(i, _Lane)]
        lanes = [t.lane(i, likes[0]) for i in inputs]
        if name in _UNARY:
            return t.apply(_UNARY[name], lanes[0].kind, lanes[0])
        if name in ("invert", "logical_not"):
            lane = t.cast(lanes[0], "b1") if name == "logical_not" else lanes[0]
            return t.apply("xor", lane.kind, lane, t.lane(np.bool_(True) if lane.kind == "b1" else np.int64(-1)))
        if name in ("divide", "true_divide"):
            return t.apply("div", "f8", *(t.cast(lane, "f8") for lane in lanes))
        if name not in _BINARY:
            raise Untraceable(name)
        if name.startswith("logical"):
            lanes = [t.cast(lane, "b1") for lane in lanes]
        kinds = {lane.kind for lane in lanes}
        kind = next(k for k in ("f8", "i8", "i4", "u1", "b1") if k in kinds)
        if kind == "b1" and name in ("add", "multiply"):      # of booleans NumPy makes these or and and
            name = {"add": "bitwise_or", "multiply": "bitwise_and"}[name]
        if kind == "b1" and name == "subtract":
            raise Untraceable("subtract of booleans")
        return t.apply(_BINARY[name], kind, *(t.cast(lane, kind) if kind != "u1" else lane for lane in lanes))

    def __array_function__(self, function, types, args, kwargs):
        t = self.trace
        if kwargs:
            raise Untraceable(function.__name__)
        if function is np.where and len(args) == 3:
            kinds = [a.kind for a in args[1:] if isinstance(a, _Lane)]
            likes = [t.lane(a, kinds[0] if kinds else "") for a in args[1:]]
            kind = next(k for k in ("f8", "i8", "i4", "b1") if k in {lane.kind for lane in likes})
            pair = [t.cast(lane, kind) for lane in likes]
            return _Lane(t, t.emit("where", t.cast(args[0], "b1").register, *(p.register for p in pair)), kind)
        if function is np.clip:
            return np.minimum(np.maximum(args[0], args[1]), args[2])
        raise Untraceable(function.__name__)


class _Variable(_Lane):
    """A state variable: `s["v"][:] = value` gives it a new value."""

    def __init__(self, trace: _Trace, register: int, kind: str):
        super().__init__(trace, register, kind)

    def __setitem__(self, index: object, value: object) -> None:
        if index != slice(None):
            raise Untraceable("a part of an array")
        self.register = self.trace.cast(value, self.kind).register


class _Words:
    """In place of Draws."""

    def __init__(self, trace: _Trace):
        self.trace = trace

    def words(self, n: int, block: int) -> list[_Lane]:
        return [_Lane(self.trace, self.trace.emit("word", int(block), w), "i8") for w in range(4)]
