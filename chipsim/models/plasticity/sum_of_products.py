"""Learning rules as text, in the form of Loihi's learning engine: `dw = 2^-2*x1*y0 - 2^-2*y1*x0`.

    rule       product {+ or - product}
    product    numbers, powers of two `2^-3`, one dependency, factors; joined by `*`, in any order
    dependency x0 | y0 | uK        the product counts where the synapse's axon (x0) or neuron (y0) spiked in the epoch,
                                   or in every 2^K-th epoch (uK); further x0 and y0 of a product are factors 0 or 1
    factor     x1 x2               traces of the axon          y1 y2 y3    traces of the neuron
               r0 r1               reward: an event in the epoch, the reward trace
               w d t               weight, delay and tag before the epoch's update
               (f + 5) (f - 5)     with a constant             sgn(f - 5)  its sign: -1, 0 or 1

Grammar and meaning follow Davies et al. 2018 (sum-of-products rules, table 1) and Lava 0.10 `LearningRule`. A
dependency also says *when* a trace is read: with x0 at the axon's (last) spike of the epoch, with y0 at the neuron's,
with uK at the epoch's end.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from chipsim.errors import Diagnostic, NetworkError

FACTORS = ("w", "d", "t", "x1", "x2", "y1", "y2", "y3", "r1", "x0", "y0", "r0")
DEPENDENCIES = ("x0", "y0", "u")
TOKEN = re.compile(r"\s*(2\^\s*-?\d+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|[a-z]+\d*|[-+*()])")


@dataclass(frozen=True)
class Factor:
    """(name + offset), or the sign of it."""

    name: str
    offset: float = 0
    sign: bool = False


@dataclass(frozen=True)
class Product:
    """mantissa * 2^exponent * the factors, where the dependency holds; `period` in epochs for dependency u."""

    mantissa: float
    exponent: int
    dependency: str
    period: int
    factors: tuple[Factor, ...]

    @property
    def coefficient(self) -> float:
        return self.mantissa * 2.0**self.exponent


def parse(text: str) -> tuple[Product, ...]:
    """The products of a rule; factors that a row of synapses shares come first. NetworkError (N260) if it is wrong."""
    tokens, at = [], 0
    body = re.sub(r"^\s*d[wdt]\s*=", lambda m: " " * len(m[0]), text.rstrip())
    while at < len(body):
        match = TOKEN.match(body, at)
        if not match:
            raise _wrong(text, at, f"`{body[at:].strip()[:12]}` is not understood")
        tokens.append((match[1].replace(" ", ""), match.start(1)))
        at = match.end()
    products, at = [], 0
    while at < len(tokens):
        sign = 1
        while at < len(tokens) and tokens[at][0] in "+-":
            sign = -sign if tokens[at][0] == "-" else sign
            at += 1
        product, at = _product(text, tokens, at, sign)
        products.append(product)
        if at < len(tokens) and tokens[at][0] not in "+-":
            raise _wrong(text, tokens[at][1], f"`*`, `+` or `-` is missing before `{tokens[at][0]}`")
    return tuple(products)


def _product(text: str, tokens: list, at: int, sign: int) -> tuple[Product, int]:
    mantissa, exponent, dependency, period, factors = float(sign), 0, "", 1, []
    first = tokens[at][1] if at < len(tokens) else len(text)
    while True:
        if at >= len(tokens):
            raise _wrong(text, len(text), "the rule ends where a product should stand")
        token, place = tokens[at]
        if token.startswith("2^"):
            exponent += int(token[2:])
            at += 1
        elif token[0].isdigit() or token[0] == ".":
            mantissa *= float(token)
            at += 1
        elif token in ("x0", "y0") and not dependency:
            dependency, at = token, at + 1
        elif re.fullmatch(r"u\d+", token):
            if dependency == "u":
                raise _wrong(text, place, f"`{token}` is a second epoch in one product")
            if dependency:
                factors.append(Factor(dependency))
            dependency, period, at = "u", 1 << min(int(token[1:]), 30), at + 1
        else:
            factor, at = _factor(text, tokens, at)
            factors.append(factor)
        if at >= len(tokens) or tokens[at][0] != "*":
            break
        at += 1
    if not dependency:
        raise _wrong(text, first, "a product says when it counts: it lacks x0, y0 or u0")
    factors.sort(key=lambda f: _ORDER[f.name])
    return Product(mantissa, exponent, dependency, period, tuple(factors)), at


# Axon, reward, neuron, synapse: what is common to a row of synapses comes first.
_ORDER = {name: i for i, name in enumerate(("x0", "x1", "x2", "r0", "r1", "y0", "y1", "y2", "y3", "d", "t", "w"))}


def _factor(text: str, tokens: list, at: int) -> tuple[Factor, int]:
    token, place = tokens[at]
    sign = token == "sgn"
    at += sign
    if at < len(tokens) and tokens[at][0] == "(":
        inner, offset = at + 1, 0.0
        name, place = tokens[inner] if inner < len(tokens) else ("", len(text))
        at = inner + 1
        while at + 1 < len(tokens) and tokens[at][0] in "+-" and tokens[at + 1][0][0].isdigit():
            offset += float(tokens[at + 1][0]) * (-1 if tokens[at][0] == "-" else 1)
            at += 2
        if at >= len(tokens) or tokens[at][0] != ")":
            raise _wrong(text, tokens[at][1] if at < len(tokens) else len(text),
                         "a bracket holds one factor and numbers, as in (w - 5); `)` is missing")
        at += 1
    elif sign:
        raise _wrong(text, place, "sgn takes a bracket: sgn(w - 5)")
    else:
        name, offset, at = token, 0.0, at + 1
    if name not in FACTORS:
        raise _wrong(text, place, f"there is no variable `{name}`")
    return Factor(name, offset, sign), at


def _wrong(text: str, at: int, message: str) -> NetworkError:
    return NetworkError(Diagnostic(
        "N260", f"plasticity: character {at + 1} of the rule: {message}\n    {text}\n    {' ' * at}^",
        help=f"products such as 2^-2*x1*y0, with a dependency x0, y0 or u0 and factors {', '.join(FACTORS[:9])}"))
