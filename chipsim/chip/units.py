"""Quantities as people write them: `23.6 pJ`, `4.1 ns`, `128 KiB`; SI floats inside.

Conversion is exact: the decimal text is shifted by the prefix's power of ten and rounded once, so `23.6 pJ` is the same
float as `23.6e-12`. Prefixes and symbols follow the SI brochure (BIPM 2019, table 7) and IEC 80000-13 for `Ki Mi Gi`.
"""
from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite

PREFIXES = {"a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9,
            "T": 12}
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

# symbol -> (base unit, how many base units it is)
SYMBOLS = {"s": ("s", 1), "J": ("J", 1), "W": ("W", 1), "Hz": ("Hz", 1), "V": ("V", 1), "bit": ("bit", 1),
           "B": ("bit", 8)}
DIMENSIONS = {"s": "time", "J": "energy", "W": "power", "Hz": "frequency", "V": "voltage", "bit": "information"}
TYPICAL = {"s": "ns", "J": "pJ", "W": "mW", "Hz": "MHz", "V": "mV", "bit": "bit"}

NUMBER = r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
_QUANTITY = re.compile(rf"(?P<number>{NUMBER})\s*(?P<symbol>[^\W\d_]\S*|)")
_NOT_FINITE = re.compile(r"[-+]?\.?(nan|inf|infinity)\b.*", re.IGNORECASE)
_TRAP = re.compile(r"[-+]?(0[0-9_]+(?![0-9_]*[.eE])|0[xob][0-9a-f_]+|[0-9]+(:[0-5]?[0-9])+)\b.*", re.IGNORECASE)


class QuantityError(ValueError):
    """Text that is not the quantity meant. `code` as in `codes.py`; `hint` says what to write instead."""

    def __init__(self, code: str, message: str, hint: str = ""):
        super().__init__(message)
        self.code, self.hint = code, hint


def _all_symbols() -> dict[str, tuple[str, Decimal]]:
    out = {p + s: (base, Decimal(n).scaleb(e)) for s, (base, n) in SYMBOLS.items() for p, e in PREFIXES.items()}
    return out | {p + s: ("bit", Decimal(n * SYMBOLS[s][1])) for s in ("bit", "B") for p, n in BINARY.items()}


_SYMBOLS = _all_symbols()


def parse_quantity(text: str, unit: str) -> float:
    """Value of `text` in the SI unit `unit` (a key of `DIMENSIONS`). Raises QuantityError."""
    number, symbol = _split(text)
    meant = f"{DIMENSIONS[unit]}, for example `{_example(number, unit)}`"
    if not symbol:
        zero = "even a zero has one" if not number else ""
        raise QuantityError("E106", f"needs a unit of {DIMENSIONS[unit]}" + (f": {zero}" if zero else ""),
                            f"write `{_example(number, unit)}`")
    if symbol not in _SYMBOLS:
        raise QuantityError("E106", f"has the unknown unit `{symbol}`", _near(symbol, unit) or f"expected {meant}")
    base, factor = _SYMBOLS[symbol]
    if base != unit:
        raise QuantityError("E106", f"is a quantity of {DIMENSIONS[base]} (`{symbol}`)", f"expected {meant}")
    return _finite(number, factor)


def parse_count(text: str, unit: str = "") -> int:
    """A whole number; fields in `bit` may also be written with a unit (`128 KiB`). Raises QuantityError."""
    number, symbol = _split(text)
    factor = Decimal(1)
    if symbol:
        base, factor = _SYMBOLS.get(symbol, ("", factor))
        if unit != "bit" or base != "bit":
            what = f"number of {unit}" if unit else "number"
            raise QuantityError("E106", f"is a plain {what}, without the unit `{symbol}`", f"write `{_plain(number)}`")
    value = _finite(number, factor)
    if not value.is_integer():
        raise QuantityError("E105", f"must be a whole number, not {text}")
    if abs(value) > 2**53:
        raise QuantityError("E107", f"is too large for a count: {text}")
    return int(value)


def format_quantity(value: float, unit: str) -> str:
    """Shortest text that `parse_quantity` reads back as the same float, with the prefix that suits its size."""
    number = Decimal(repr(float(value)))
    size = number.adjusted() if number else 0
    exponent = max((e for e in PREFIXES.values() if e <= size), default=-18)
    prefix = next(p for p, e in PREFIXES.items() if e == exponent)
    return f"{_plain(number.scaleb(-exponent))} {prefix}{unit}"


def _split(text: str) -> tuple[Decimal, str]:
    """Number and unit symbol of a scalar, refusing what YAML readers disagree about."""
    text = text.strip()
    if _NOT_FINITE.fullmatch(text):
        raise QuantityError("E107", f"must be finite, not {text}")
    if trap := _TRAP.fullmatch(text):
        raise QuantityError("E116", f"is written `{trap[1]}`, which YAML readers take for different numbers",
                            "write it in plain decimal, without leading zeros")
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise QuantityError("E105", f"must be a number, not `{text}`")
    try:
        return Decimal(match["number"].replace("_", "")), match["symbol"]
    except ArithmeticError:
        raise QuantityError("E107", "is too large or too small for a floating-point number") from None


def _finite(number: Decimal, factor: Decimal) -> float:
    try:
        value = float(number * factor)
    except ArithmeticError:
        value = float("inf")
    if not isfinite(value):
        raise QuantityError("E107", "is too large for a floating-point number")
    return value


def _example(number: Decimal, unit: str) -> str:
    """The number with the unit it was probably meant in: `4.1` -> `4.1 ns`, `2.36e-11` -> `23.6 ps`."""
    if number and abs(number) < Decimal("1e-6"):
        return format_quantity(float(number), unit)
    return f"{_plain(number)} {TYPICAL[unit]}"


def _near(symbol: str, unit: str) -> str:
    known = [s for s, (base, _) in _SYMBOLS.items() if base == unit]
    near = [s for s in known if s.lower() == symbol.lower()] or get_close_matches(symbol, known, 1, 0.6)
    return "did you mean " + " or ".join(f"`{s}`" for s in near) + "?" if near else ""


def _plain(number: Decimal) -> str:
    """Decimal text without trailing zeros; in scientific notation only where plain digits would be long."""
    number = number.normalize()
    return f"{number:f}" if -7 < number.adjusted() < 16 else str(number)
