"""What the framework models share: parameters and their checks, decay factors, threshold and reset.

Time is cut into ticks of `dt`; every model becomes the linear update of affine.py. Options of a population say what a
file format leaves open:

integrator   euler        x' = x + dt/tau (target - x)                        snnTorch, Norse, spyx
             exponential  exact for input that is constant over the tick       the differential equation itself, Nengo
             impulse      x' = e^(-dt/tau) x + input                           sinabs (norm_input=False)
             rockpool     i' = e^(-dt/tau) (i + input), v' = e^(-dt/tau) v + i'; r and w_in unused
reset        zero | value (v_reset) | subtract (v_threshold) | snntorch_subtract | multispike (subtract, several a tick)
compare      ">" | ">="   when a neuron at threshold fires
v_min        None | number | "-vth"   lower bound of the membrane after the reset
gain         weight of one tick's input on a neuron without time constant: 1 (frameworks), "dt" (the equation)

Without dt (None), times are in ticks.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chipsim.errors import Diagnostic, NetworkError

if TYPE_CHECKING:
    from chipsim.network.graph import Population

INTEGRATORS = ("euler", "exponential", "impulse", "rockpool")
RESETS = {"zero": 1, "value": 1, "subtract": 2, "snntorch_subtract": 3, "multispike": 4}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model; default None: it must be given."""

    unit: str
    default: float | None
    above: float | None = None      # exclusive
    low: float | None = None        # inclusive
    high: float | None = None
    integer: bool = False
    doc: str = ""

    def fault(self, value: object, shape: tuple[int, ...]) -> str:
        """What is wrong with a value for a population of this shape; "" if nothing."""
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            return f"is not a number: {value!r}"
        try:
            np.broadcast_to(array, shape)
        except ValueError:
            return f"has shape {_text(array.shape)}, its population {_text(shape)}"
        if not np.isfinite(array).all():
            return f"has {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite"
        for wrong, rule in ((self.above is not None and array <= self.above, f"above {self.above}"),
                            (self.low is not None and array < self.low, f"at least {self.low}"),
                            (self.high is not None and array > self.high, f"at most {self.high}"),
                            (self.integer and array != np.round(array), "whole numbers")):
            if np.any(wrong):
                return f"is {array[wrong].flat[0] if array.ndim else array:g}; it must be {rule} {self.unit}".rstrip()
        return ""


def _text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def option_faults(
    options: dict[str, object], own: dict[str, tuple] | None = None
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Options that make no sense: name, what is wrong, what may be there. own: of a model that has not the usual
    ones."""
    if own is not None:
        return [(name, f"is {value!r}" if name in own else "is unknown", own[name] if name in own else tuple(own))
                for name, value in options.items()
                if not (isinstance(value, str) if own.get(name) is str else value in own.get(name, ()))]
    faults = []
    for name, value in options.items():
        allowed = {"integrator": INTEGRATORS, "reset": tuple(RESETS), "compare": (">", ">=")}.get(name, ())
        number = isinstance(value, int | float) and not isinstance(value, bool) and not np.isnan(value)
        if name == "v_min":
            ok, allowed = value is None or number or value == "-vth", ("a number", "-vth")
        elif name == "gain":
            ok, allowed = number or value == "dt", ("a number", "dt")
        else:
            ok = value in allowed
        if not ok:
            faults.append((name, f"is {value!r}" if allowed else "is unknown", allowed))
    return faults


def positive(unit: str, default: float, doc: str) -> Parameter:
    """A parameter above 0."""
    return Parameter(unit, default, above=0, doc=doc)


def seconds(default: float, doc: str) -> Parameter:
    """A time constant."""
    return positive("s", default, doc)


TAU = Parameter("s", None, above=0, doc="time constant")
R = Parameter("", 1.0, doc="resistance: weight of the input")
W_IN = Parameter("", 1.0, doc="weight of the input on the synaptic current")
V_LEAK = Parameter("", 0.0, doc="resting potential")
FIRING = {
    "v_threshold": Parameter("", 1.0, doc="threshold"),
    "v_reset": Parameter("", 0.0, doc="potential after a spike, with reset `value`"),
    "refractory": Parameter("s", 0.0, low=0, doc="rest after a spike"),
}


def read(population: Population, parameters: dict[str, Parameter]) -> dict[str, np.ndarray]:
    """Parameters as float64[size], defaults filled in. Raises NetworkError that names population and parameter."""
    values = {}
    for name, parameter in parameters.items():
        value = population.params.get(name, parameter.default)
        if value is None:
            _refuse(population, f"parameter `{name}` is missing", f"give it in {parameter.unit or 'trained units'}")
        if fault := parameter.fault(value, population.shape):
            _refuse(population, f"parameter `{name}` {fault}", parameter.doc)
        values[name] = np.broadcast_to(np.asarray(value, float), population.shape).ravel()
    return values


def decay(population: Population, tau: np.ndarray, dt: float | None, default: str = "euler"
          ) -> tuple[np.ndarray, np.ndarray]:
    """Factors (keep, gain) of x' = keep x + gain target over one tick, for the population's integrator."""
    dt = 1.0 if dt is None else dt
    integrator = population.options.get("integrator", default)
    if integrator == "euler":
        if np.any(dt >= 2 * tau):
            _refuse(population, f"Euler steps of {dt:g} s diverge with a time constant of {tau.min():g} s",
                    f"use dt < {tau.min():g} s, integrator `exponential`, or another time_unit if times are not in s")
        return 1 - dt / tau, dt / tau
    keep = np.exp(-dt / tau)
    if integrator == "exponential":
        return keep, -np.expm1(-dt / tau)
    if integrator in ("impulse", "rockpool"):
        return keep, np.ones_like(keep)
    _refuse(population, f"integrator `{integrator}` is unknown", f"use one of {', '.join(INTEGRATORS)}")


def ticks_of(dt: float | None) -> float:
    """Length of a tick in the unit of the time constants: without dt, times are in ticks."""
    return 1.0 if dt is None else dt


def rest_ticks(population: Population, refractory: np.ndarray, dt: float) -> np.ndarray:
    """int32 ticks in which v stands still after a spike; in convention `brian2` the spike's own tick is the first."""
    ticks = np.round(refractory / dt).astype(np.int32)
    return np.maximum(ticks - 1, 0).astype(np.int32) if population.options.get("convention") == "brian2" else ticks


def mixed(tau_syn: np.ndarray, tau_mem: np.ndarray, dt: float) -> np.ndarray:
    """(e^(-dt/tau_syn) - e^(-dt/tau_mem)) tau_syn / (tau_syn - tau_mem), also for time constants that are (nearly)
    equal.

    Without cancellation: m (1 - e^-y) / y dt / tau_mem with y = dt (1/tau_syn - 1/tau_mem).
    """
    y = dt * (1 / tau_syn - 1 / tau_mem)
    ratio = np.ones_like(y)
    np.divide(-np.expm1(-y), y, out=ratio, where=np.abs(y) > 1e-12)
    return np.exp(-dt / tau_mem) * ratio * dt / tau_mem


def input_gain(population: Population, dt: float | None) -> float:
    """Weight of one tick's input on a neuron without a time constant."""
    gain = population.options.get("gain", 1.0)
    return (1.0 if dt is None else dt) if gain == "dt" else float(gain)


def affine(population: Population, **given: np.ndarray | float) -> dict[str, np.ndarray]:
    """Parameters of the affine kernel [size] for a population that emits its value; what is not given is 0."""
    p = dict.fromkeys(("ai", "bi", "av", "bv", "bx", "cv", "v_reset"), 0.0) | {"vth": 1.0, "v_min": -np.inf} | given
    arrays = {k: np.array(np.broadcast_to(np.asarray(v, float), population.size)) for k, v in p.items()}
    v_min = population.options.get("v_min")
    if v_min is not None:
        arrays["v_min"][:] = -arrays["vth"] if v_min == "-vth" else float(v_min)
    for name, dtype in (("reset", np.uint8), ("ge", np.uint8), ("refractory", np.int32)):
        arrays[name] = np.zeros(population.size, dtype)
    return arrays


def firing(population: Population, values: dict[str, np.ndarray], dt: float | None, **given: np.ndarray | float
           ) -> dict[str, np.ndarray]:
    """As `affine`, for a population that spikes: adds threshold, reset, comparison and refractory ticks."""
    reset = population.options.get("reset", "zero")
    if reset not in RESETS:
        _refuse(population, f"reset `{reset}` is unknown", f"use one of {', '.join(RESETS)}")
    if reset == "multispike" and np.any(values["v_threshold"] <= 0):
        _refuse(population, "multispike needs thresholds above 0", "use another reset")
    arrays = affine(population, vth=values["v_threshold"], **given)
    if reset == "value":
        arrays["v_reset"][:] = values["v_reset"]
    arrays["reset"][:] = RESETS[reset]
    compare = population.options.get("compare", ">")
    if compare not in (">", ">="):
        _refuse(population, f"comparison `{compare}` is unknown", "use > or >=")
    arrays["ge"][:] = compare == ">="
    arrays["refractory"][:] = np.round(values["refractory"] / (1.0 if dt is None else dt))
    return arrays


def _refuse(population: Population, message: str, help: str) -> None:
    raise NetworkError(Diagnostic("N220", f"population `{population.name}` ({population.model}): {message}",
                                  file=population.origin, help=help))
