"""What a network asks for when a projection learns: a rule, its traces, its epoch. Says nothing of any chip."""
from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.plasticity.sum_of_products import Product, parse

X_TRACES, Y_TRACES = ("x1", "x2"), ("y1", "y2", "y3")
MOST_DELAY = 63
TARGETS = {"dw": "w", "dt": "t", "dd": "d"}


@dataclass(frozen=True)
class Trace:
    """A sum that every spike raises by `impulse` and every tick multiplies by exp(-1 / tau).

    impulse  in the units of the rule; fixed-point engines hold 0 to 127 and round fractions at random
    tau      ticks; 0: the trace does not exist and reads 0
    """

    impulse: float = 0.0
    tau: float = 0.0

    @property
    def keep(self) -> float:
        return float(np.exp(-1 / self.tau)) if self.tau else 0.0


@dataclass(frozen=True)
class Plasticity:
    """A sum-of-products rule per variable (see sum_of_products.py), evaluated once per epoch.

    dw, dt, dd  change of weight, tag and delay; "" leaves the variable alone
    x1 ... y3   traces of the axon (pre) and the neuron (post)
    reward      input population whose events are the reward; r1 is its trace: an event of payload p adds p * impulse
    t_epoch     ticks
    x_delay, y_delay  ticks by which the synapse hears of the axon's and the neuron's spikes late, 0 to MOST_DELAY:
                axonal and dendritic delay
    w_min, w_max  bounds of the weight besides those of the chip
    """

    dw: str = ""
    dt: str = ""
    dd: str = ""
    x1: Trace = Trace()
    x2: Trace = Trace()
    y1: Trace = Trace()
    y2: Trace = Trace()
    y3: Trace = Trace()
    r1: Trace = Trace(impulse=1.0)
    reward: str = ""
    t_epoch: int = 1
    x_delay: int = 0
    y_delay: int = 0
    w_min: float = -np.inf
    w_max: float = np.inf

    def __post_init__(self):
        if not (self.dw or self.dt or self.dd):
            raise _refuse("no rule is given", "write `dw: 2^-2*x1*y0 - 2^-2*y1*x0`")
        if self.t_epoch < 1:
            raise _refuse(f"the epoch has {self.t_epoch} ticks", "an epoch has at least one")
        for name in ("x_delay", "y_delay"):
            if not 0 <= getattr(self, name) <= MOST_DELAY:
                raise _refuse(f"{name} is {getattr(self, name)}", f"ticks, 0 to {MOST_DELAY}")
        if not self.w_min <= self.w_max:
            raise _refuse(f"the weight's lower bound {self.w_min:g} is above the upper one, {self.w_max:g}")
        for name in (*X_TRACES, *Y_TRACES, "r1"):
            trace = getattr(self, name)
            if trace.tau < 0 or not np.isfinite([trace.tau, trace.impulse]).all():
                raise _refuse(f"trace {name} has the time constant {trace.tau:g} and the impulse {trace.impulse:g}",
                              "a time constant in ticks is above 0, or 0 for no trace")
        for name in self.used & {*X_TRACES, *Y_TRACES}:
            if not getattr(self, name).tau:
                raise _refuse(f"the rule reads trace {name}, which has no time constant",
                              f"write `{name}: {{impulse: 16, tau: 10}}`, tau in ticks")
        if self.used & {"r0", "r1"} and not self.reward:
            raise _refuse("the rule reads the reward, but no population is named that brings it",
                          "write `reward: NAME` of an input population")

    @cached_property
    def products(self) -> dict[str, tuple[Product, ...]]:
        """Parsed rules by the variable they change: w, t, d; only those there are."""
        return {TARGETS[key]: parse(text) for key in TARGETS if (text := getattr(self, key))}

    @property
    def used(self) -> set[str]:
        """Names of the variables that the rules read."""
        return {f.name for products in self.products.values() for p in products for f in p.factors}

    @classmethod
    def of(cls, value: Plasticity | dict | str) -> Plasticity:
        """From a rule's text, from keys as in a network file, or as it is. NetworkError (N260, N261) if it is wrong.

        {"rule": "pair", ...} calls the family of that name (chipsim.models.plasticity.FAMILIES) with the other keys.
        """
        if isinstance(value, Plasticity):
            return value
        if isinstance(value, str):
            return cls(dw=value)
        values = dict(value)
        if (family := values.pop("rule", None)) is not None:
            from chipsim.models.plasticity import FAMILIES

            if family not in FAMILIES:
                raise _refuse(f"there is no family of rules `{family}`",
                              f"one of {', '.join(FAMILIES)}; or write `dw: ...`")
            try:
                return FAMILIES[family](**values)
            except TypeError as e:
                raise _refuse(f"rule `{family}`: {str(e).partition('() ')[2] or e}") from None
        if unknown := sorted(values.keys() - {f.name for f in fields(cls)}):
            raise _refuse(f"a plasticity has no `{unknown[0]}`", ", ".join(f.name for f in fields(cls)))
        try:
            for name in (*X_TRACES, *Y_TRACES, "r1"):
                if isinstance(values.get(name), dict):
                    values[name] = Trace(**{k: float(v) for k, v in values[name].items()})
            return cls(**values)
        except (TypeError, ValueError, AttributeError) as e:
            raise _refuse(f"its values do not go together: {e}", "traces are {impulse: 16, tau: 10}") from None

    def to_dict(self) -> dict:
        """JSON-able; `Plasticity.of` gives an equal one back."""
        values = asdict(self)
        return {k: v for k, v in values.items() if v not in (-np.inf, np.inf)}


def _refuse(message: str, help: str = "") -> NetworkError:
    return NetworkError(Diagnostic("N261", f"plasticity: {message}", help=help))
