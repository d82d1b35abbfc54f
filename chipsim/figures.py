"""Numbers as people write them: engineering prefixes, a unit on everything, at most four significant digits."""
from __future__ import annotations

PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


def significant(value: float, digits: int = 3) -> str:
    """`value` with that many significant digits, trailing zeros kept, never in exponent form: 0.940, 12.9, 1 720."""
    if value == 0:
        return "0"
    decimals = digits - 1 - _exponent(value, digits)
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.replace(",", " ")


def exact(value: int) -> str:
    """A whole number, its digits in groups of three: "12 345"."""
    return f"{value:,}".replace(",", " ")


def si(value: float | None, unit: str, digits: int = 3) -> str:
    """`value` in SI with a prefix: si(9.4e-7, "J") -> "940 nJ". None is "-"."""
    if value is None:
        return "-"
    if value == 0:
        return f"0 {unit}"
    power = min(max(_exponent(value, digits) // 3 * 3, -18), 15)
    return f"{significant(value / 10.0**power, digits)} {PREFIXES[power]}{unit}"


def count(value: float, noun: str = "", digits: int = 3) -> str:
    """A number of things: exact below 10 000, then with a prefix: "7 200 ticks", "2.10 M packets"."""
    if abs(value) >= 10_000:
        return f"{si(value, '', digits).rstrip()} {noun}".rstrip()
    return f"{value:,.0f}".replace(",", " ") + (f" {noun.removesuffix('s') if value == 1 else noun}" if noun else "")


def percent(share: float | None) -> str:
    """A share of one: "54.7 %", "< 0.1 %" for what would round to nothing, "-" for None."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def _exponent(value: float, digits: int) -> int:
    """Power of ten of the leading digit once `value` is rounded to that many digits (999.96 counts as 1000)."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])
