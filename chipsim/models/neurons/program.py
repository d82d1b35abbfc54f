"""A neuron that the user programs: a few assignments, run for every neuron once per tick (as on Loihi 2's cores).

    error = x - prediction
    fired = abs(error) > threshold
    prediction = prediction + (error if fired else 0)
    emit = error if fired else 0

`x` is the summed input of the tick; what is read before it is assigned is state and lasts from tick to tick, from
`<name>_init` (0); what is never assigned is a parameter of the population; `emit` is what the neuron sends, 0 for
nothing, any other number as the payload of a graded spike, which multiplies the weights on its way. There are + - * /
** 2, << >> & | ^ ~, comparisons, and or not, `a if condition else b`, and the functions below; `random()` is uniform
in 0 .. 1.

Numbers are float64. With `arithmetic: integer` everything is a whole number: computed in 64 bits, kept and summed in
32, which wrap around; `/` and the functions of real numbers are not there, `random()` is a whole number of 0 .. 2^16 -
1.

The text is parsed, not executed as Python, and becomes instructions for blocks of neurons (chipsim/models/trace.py):
about 0.4 ns for an operation and neuron.
"""
from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read
from chipsim.models.numerics import exp
from chipsim.network.graph import Population

options = {"program": str, "arithmetic": ("real", "integer")}
spiking = True
REAL: dict[str, Callable] = {"floor": np.floor, "sqrt": np.sqrt, "exp": exp}
FUNCTIONS: dict[str, Callable] = {
    "abs": np.abs,
    "sign": np.sign,
    "min": np.minimum,
    "max": np.maximum,
    "where": np.where,
    "clip": lambda a, low, high: np.minimum(np.maximum(a, low), high),
} | REAL
ARGUMENTS = {"min": 2, "max": 2, "where": 3, "clip": 3, "random": 0}
BINARY = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.BitAnd: np.bitwise_and,
          ast.BitOr: np.bitwise_or, ast.BitXor: np.bitwise_xor, ast.LShift: np.left_shift, ast.RShift: np.right_shift}
COMPARE = {ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal, ast.Eq: np.equal,
           ast.NotEq: np.not_equal}
UNARY = {ast.USub: np.negative, ast.Not: np.logical_not, ast.Invert: np.invert}


class Program(Kernel):
    """Of no use until `bound` to options with a text."""

    name = "program"

    @classmethod
    def bound(cls, options: dict) -> type[Kernel]:
        return compiled(options["program"], options.get("arithmetic") == "integer")


kernel = Program


def kernel_options(population: Population) -> dict[str, object]:
    return {
        "program": population.options.get("program", ""),
        "arithmetic": population.options.get("arithmetic", "real"),
    }


def parameters_for(options: dict[str, object]) -> dict[str, Parameter]:
    """What a population with this program may have. Raises NetworkError that names the program's line."""
    integer = options.get("arithmetic") == "integer"
    bound = compiled(str(options.get("program", "")), integer)
    bits = dict(low=-(2**31), high=2**31 - 1, integer=True) if integer else {}
    return {
        name: Parameter("", None, doc="of the program", **bits)
        for name in bound.params
        if name not in bound.initial.values()
    } | {name: Parameter("", 0, doc="at the start", **bits) for name in bound.initial.values()}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Parameters of the bound kernel [size]; dt plays no part."""
    bound = Program.bound(population.options)
    values = read(population, parameters_for(population.options))
    return {name: values[name].astype(dtype) for name, dtype in bound.params.items()}


@lru_cache(maxsize=256)
def compiled(text: str, integer: bool) -> type[Kernel]:
    """The kernel of a program. Raises NetworkError N218 with the line that is at fault."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise _fault(text, getattr(error, "lineno", 0) or 1, f"is no program: {error.args[0]}") from None
    check = _Check(text, integer)
    for statement in body:
        check.statement(statement)
    if "emit" not in check.assigned:
        raise _fault(text, len(text.splitlines()) or 1, "ends, and nothing was assigned to `emit`",
                     "say what the neuron sends: `emit = 1 if v > threshold else 0`")
    state = tuple(name for name in check.read_first if name in check.assigned)
    known = tuple(name for name in check.read_first if name not in check.assigned)
    dtype = "i4" if integer else "f8"

    def step(s: dict, p: dict, o: dict, x: np.ndarray, draws=None) -> tuple[np.ndarray, np.ndarray]:
        lift = np.int64 if integer else np.float64
        values = {name: s[name].astype(lift) for name in state} | {name: p[name].astype(lift) for name in known}
        values["x"] = x.astype(lift)
        active = values["x"] != 0
        for name in state:
            active = active | (values[name] != 0)
        run = _Run(values, integer, draws)
        with np.errstate(all="ignore"):                  # infinities and wrap-around are what they are in the silicon
            for statement in body:
                run.statement(statement)
            for name in state:
                s[name][:] = (values[name] + lift(0)).astype(np.dtype(dtype))
            return (values["emit"] + np.zeros(len(x), lift)).astype(np.float64), active

    return type("BoundProgram", (Program,), {
        "params": {**dict.fromkeys(known, dtype), **{f"{name}_init": dtype for name in state}},
        "state": dict.fromkeys(state, dtype), "initial": {name: f"{name}_init" for name in state},
        "accumulator": dtype, "random": check.draws, "step": staticmethod(step)})


def _fault(text: str, line: int, message: str, help: str = "") -> NetworkError:
    lines = text.splitlines()
    shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return NetworkError(Diagnostic("N218", f"line {line} of the program {message}" + (f": `{shown}`" if shown else ""),
                                   help=help))


class _Check:
    """Walks a program once, before anything is computed: is every part known, which names are what."""

    def __init__(self, text: str, integer: bool):
        self.text, self.integer, self.draws = text, integer, False
        self.assigned: set[str] = set()
        self.read_first: dict[str, None] = {}

    def fault(self, node: ast.AST, message: str, help: str = "") -> NetworkError:
        return _fault(self.text, node.lineno, message, help)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.expression(ast.copy_location(ast.BinOp(ast.copy_location(ast.Name(node.target.id), node), node.op,
                                                        node.value), node))
            target = node.target
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self.expression(node.value)
            target = node.targets[0]
        else:
            raise self.fault(node, "is no assignment to one name", "a choice is written `v = a if condition else b`")
        if target.id in ("x", "random", *FUNCTIONS):
            raise self.fault(node, f"assigns to `{target.id}`, which is given", "use another name")
        self.assigned.add(target.id)

    def expression(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            if node.id != "x" and node.id not in self.assigned:
                self.read_first[node.id] = None
            return
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, bool | int | float) or self.integer and isinstance(node.value, float):
                raise self.fault(node, f"has {node.value!r}, no {'whole ' if self.integer else ''}number")
            if isinstance(node.value, int) and abs(node.value) >= 2**63:
                raise self.fault(node, f"has {node.value}, which is too large for 64 bits")
            return
        if isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.BinOp):
            square = isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value == 2
            if type(node.op) not in BINARY and not square or self.integer and isinstance(node.op, ast.Div):
                raise self.fault(
                    node, "has an operator that there is not", "powers: ** 2 alone; with integers: no /, but >>"
                )
            if not self.integer and isinstance(node.op, ast.LShift | ast.RShift | ast.BitXor):
                raise self.fault(node, "works on bits of real numbers", "use `arithmetic: integer`")
        elif not (isinstance(node, ast.BoolOp | ast.IfExp) or isinstance(node, ast.UnaryOp) and type(node.op) in UNARY
                  or isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARE):
            raise self.fault(node, "has a part that no program can have",
                             "arithmetic, one comparison at a time, and, or, not, `a if condition else b`")
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr) and not (isinstance(node, ast.Call) and part is node.func):
                self.expression(part)

    def call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        known = sorted({"random", *FUNCTIONS} - (set(REAL) if self.integer else set()))
        if name not in known or node.keywords:
            raise self.fault(node, "calls what there is not", "functions are " + ", ".join(known))
        if len(node.args) != (need := ARGUMENTS.get(name, 1)):
            raise self.fault(node, f"calls {name} with {len(node.args)} values; it takes {need}")
        self.draws |= name == "random"


class _Run:
    """Computes a checked program on arrays, or on the lanes that trace.py puts in their place."""

    def __init__(self, values: dict, integer: bool, draws):
        self.values, self.integer, self.draws, self.block = values, integer, draws, 0

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.AugAssign):
            old = self.values[node.target.id]
            self.values[node.target.id] = self.binary(node.op, old, self.of(node.value))
        else:
            self.values[node.targets[0].id] = self.of(node.value)

    def of(self, node: ast.expr):
        if isinstance(node, ast.Name):
            return self.values[node.id]
        if isinstance(node, ast.Constant):
            return np.int64(node.value) if self.integer else np.float64(node.value)
        if isinstance(node, ast.BinOp):
            left = self.of(node.left)
            return left * left if isinstance(node.op, ast.Pow) else self.binary(node.op, left, self.of(node.right))
        if isinstance(node, ast.UnaryOp):
            value = self.of(node.operand)
            return UNARY[type(node.op)](value if isinstance(node.op, ast.Not) else _number(value))
        if isinstance(node, ast.Compare):
            return COMPARE[type(node.ops[0])](self.of(node.left), self.of(node.comparators[0]))
        if isinstance(node, ast.IfExp):
            return np.where(*map(self.of, (node.test, node.body, node.orelse)))
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            result = self.of(node.values[0])
            for part in node.values[1:]:
                result = join(result, self.of(part))
            return result
        if node.func.id == "random":
            word = self.draws.words(len(self.values["x"]), self.block)[0]
            self.block += 1
            return word >> 16 if self.integer else word * 2.0**-32
        return FUNCTIONS[node.func.id](*map(self.of, node.args))

    def binary(self, op: ast.operator, a, b):
        return BINARY[type(op)](_number(a), _number(b))


def _number(value):
    """A truth counts as 0 or 1."""
    return value + np.int64(0) if getattr(value, "dtype", getattr(value, "kind", "")) in (np.bool_, "b1") else value
