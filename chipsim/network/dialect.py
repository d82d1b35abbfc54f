"""What a NIR file leaves open, and how each framework fills it in.

NIR stores equations, not steps: neither time step, nor integrator, nor reset rule, nor how many spikes a neuron may
send in one step (Pedersen et al. 2024, Nature Communications 15:8122, methods). A dialect is one framework's choice,
read from its source: snnTorch 1.0; Norse 1.1 (LIFBox); sinabs 2.0 (from_nir: IAF bounded below by -v_threshold, which
a network trained in sinabs is not by default; LIF with norm_input=False); rockpool 3.1 (LIFTorch). `exact` is the
file's own equation, integrated exactly for input that is constant over a tick.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.neurons.framework import INTEGRATORS
from chipsim.network.validate import did_you_mean

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
RESETS = ("zero", "value", "subtract", "node")
NOT_SAID = ("NIR does not say which framework's steps are meant; the equations are integrated exactly (dialect "
            "`exact`)")


@dataclass(frozen=True)
class Dialect:
    """One way to turn a NIR neuron into steps. dt None: time constants are in ticks."""

    name: str
    dt: float | None
    integrator: str
    reset: str                      # zero | value | subtract
    multispike: bool = False
    v_min: float | str | None = None        # of IF neurons
    v_min_leaky: float | str | None = None
    gain: float | str = 1.0
    time_unit: str = "s"
    compare: str = ">"

    def options(self, model: str, params: dict[str, np.ndarray]) -> dict[str, object]:
        """Options of a population of this model, in the terms of chipsim.models.neurons.framework."""
        reset = "multispike" if self.multispike else self.reset
        if reset == "value" and not np.any(params.get("v_reset", 0)):
            reset = "zero"
        if reset == "subtract" and self.name == "snntorch":
            reset = "snntorch_subtract"
        if model in ("threshold", "relay"):
            return {}
        leaky = model not in ("integrate_fire", "integrator")
        options: dict[str, object] = {"integrator": self.integrator} if leaky else {"gain": self.gain}
        if "v_threshold" in params:
            options |= {"reset": reset, "compare": self.compare}
            v_min = self.v_min_leaky if leaky else self.v_min
            if v_min is not None:
                options["v_min"] = v_min
        return options


DIALECTS = {d.name: d for d in (
    Dialect("exact", 1e-4, "exponential", "value", gain="dt"),
    Dialect("snntorch", 1e-4, "euler", "zero"),
    Dialect("norse", 1e-4, "euler", "zero"),
    Dialect("sinabs", None, "impulse", "subtract", multispike=True, v_min="-vth"),
    Dialect("rockpool", 1e-4, "rockpool", "subtract", multispike=True),
)}


def choose(name: str, *, dt: float | None = None, time_unit: str | None = None, reset: str | None = None,
           multispike: bool | None = None, v_min: float | str | None = None, integrator: str | None = None,
           compare: str | None = None) -> Dialect:
    """The dialect `name` with overrides. A given reset means one spike a tick, unless multispike is given as well.

    v_min  number, "-vth", or "none" for no lower bound
    """
    def known(value, names, what):
        if value is not None and value not in names:
            raise NetworkError(Diagnostic("N230", f"{what} `{value}` is unknown", help=did_you_mean(str(value), names)))

    known(name, DIALECTS, "NIR dialect")
    known(time_unit, TIME_UNITS, "time unit")
    known(reset, RESETS, "reset")
    known(integrator, INTEGRATORS, "integrator")
    known(compare, (">", ">="), "comparison")
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise NetworkError(Diagnostic("N230", f"dt is {dt}", help="give the length of a tick in seconds, above 0"))
    if multispike and reset not in (None, "subtract"):
        raise NetworkError(Diagnostic("N230", f"multispike does not go with reset `{reset}`: several spikes a tick are "
                                              "subtracted from the membrane", help="use reset `subtract` or one spike"))
    changes: dict[str, object] = {}
    if reset is not None:
        changes |= {"reset": "value" if reset == "node" else reset, "multispike": False}
    if multispike is not None:
        changes |= {"multispike": multispike}
    if v_min is not None:
        if v_min not in ("none", "-vth") and not (isinstance(v_min, int | float) and not np.isnan(v_min)):
            raise NetworkError(Diagnostic("N230", f"v_min `{v_min}` is no bound", help="give a number, -vth or none"))
        v_min = None if v_min == "none" else v_min
        changes |= {"v_min": v_min, "v_min_leaky": v_min}
    rest = {"dt": dt, "time_unit": time_unit, "integrator": integrator, "compare": compare}
    changes |= {k: v for k, v in rest.items() if v is not None}
    return replace(DIALECTS[name], **changes)
