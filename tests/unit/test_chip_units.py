"""Quantities: exact conversion, and no guessing about what a scalar means."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.chip.units import DIMENSIONS, QuantityError, format_quantity, parse_count, parse_quantity

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(value=FINITE, unit=st.sampled_from(sorted(DIMENSIONS)))
def test_formatted_quantities_read_back_as_the_same_float(value, unit):
    assert parse_quantity(format_quantity(value, unit), unit) == value


@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=4))
def test_a_prefix_is_the_same_as_its_power_of_ten(number):
    assert parse_quantity(f"{number} ns", "s") == float(f"{number}e-9")


@given(number=st.integers(-2**53, 2**53))
def test_counts_read_back(number):
    assert parse_count(str(number)) == parse_count(f"{number:_}") == number


@pytest.mark.parametrize("text, unit, value", [
    ("23.6 pJ", "J", 23.6e-12), ("23.6pJ", "J", 23.6e-12),
    ("+1e3 nJ", "J", 1e-6), (".5 us", "s", 5e-7), ("5. µs", "s", 5e-6),
    ("5 μs", "s", 5e-6), ("1_000 ns", "s", 1e-6),
    ("104.4 mW", "W", 0.1044), ("1 GHz", "Hz", 1e9), ("0.75 V", "V", 0.75),
    ("0 pJ", "J", 0.0), ("1 B", "bit", 8.0), ("1 KiB", "bit", 8192.0), ("0.5 ns", "s", 5e-10), ("-3 pJ", "J", -3e-12),
])
def test_quantities(text, unit, value):
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize("text, value", [
    ("1024", 1024), ("1_000", 1000), ("1e6", 10**6), ("-8", -8), ("0", 0), ("2.0", 2),
])
def test_counts(text, value):
    assert parse_count(text) == value


def test_bits_may_be_bytes():
    assert parse_count("128 KiB", "bit") == parse_count("1048576", "bit") == parse_count("1048576 bit", "bit") == 2**20


@pytest.mark.parametrize("text, code, message, hint", [
    ("4.1", "E106", "needs a unit of time", "4.1 ns"),
    ("1e-9", "E106", "needs a unit of time", "1 ns"),
    ("0", "E106", "even a zero", "0 ns"),
    ("3 pJ", "E106", "quantity of energy", "expected time"),
    ("3 NS", "E106", "unknown unit `NS`", "did you mean `ns`?"),
    ("3 ns/hop", "E106", "unknown unit `ns/hop`", ""),
    ("nan ns", "E107", "must be finite", ""),
    (".inf", "E107", "must be finite", ""),
    ("1e400 s", "E107", "too large", ""),
    ("1e99999999999999999999 s", "E107", "too large", ""),
    ("010 ns", "E116", "`010`", "decimal"),
    ("1:30", "E116", "`1:30`", "decimal"),
    ("4,1 ns", "E105", "must be a number", ""),
    ("three ns", "E105", "must be a number", ""),
    ("", "E105", "must be a number", ""),
])
def test_what_is_not_a_time_is_refused(text, code, message, hint):
    with pytest.raises(QuantityError, match=message) as caught:
        parse_quantity(text, "s")
    assert caught.value.code == code
    assert hint in caught.value.hint


@pytest.mark.parametrize("text, code, message", [
    ("1.5", "E105", "whole number"), ("many", "E105", "number"), ("true", "E105", "number"),
    ("0x10", "E116", "0x10"),
    ("010", "E116", "010"), ("3 pJ", "E106", "without the unit"),
    ("1e300", "E107", "too large"), (".nan", "E107", "finite"),
])
def test_what_is_not_a_count_is_refused(text, code, message):
    with pytest.raises(QuantityError, match=message) as caught:
        parse_count(text)
    assert caught.value.code == code
