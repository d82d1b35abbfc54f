"""The learning engine, defined plainly: traces, epochs, and the update of weight, tag and delay of every synapse.

During an epoch only spikes are noted: the last tick of the epoch in which an axon or a neuron spiked, and an impulse on
its traces for each spike but the last. At the epoch's end the traces are followed through its ticks,

    h[0] = trace;   h[k] = round(h[k-1] exp(-1/tau));   plus the impulse in the tick of the last spike

and each product of the rule is evaluated where its dependency holds, with the traces of the tick it refers to: x0 the
axon's spike, y0 the neuron's, uK the epoch's end. All variables are read as they were before the update.

Fixed point (Lava 0.10 `LearningDense`, bit-approximate model of Loihi): traces have 7 bits, the accumulator 15 bits and
a sign with 7 bits of fraction; a product of mantissa and factors loses what its widths exceed the accumulator by, is
shifted by its exponent and saturates; sums saturate; the result is rounded at random to a whole number. Floating point
does the same without rounding. The compiled twin is src_cython/chipsim/engine/plasticity.pyx.
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from chipsim.models.draws import short_draws
from chipsim.models.plasticity.rule import X_TRACES, Y_TRACES, Plasticity
from chipsim.models.plasticity.sum_of_products import Factor, Product

# Streams of random numbers of a learner. A table float64[ticks, STREAMS] in their place gives every unit and synapse
# the same number, as Lava does; rows are then those of the tick in which the number is used.
X_DECAY, X_IMPULSE, X_EXTRA, Y_DECAY, Y_IMPULSE, Y_EXTRA, R_DECAY, W_ROUND, T_ROUND, D_ROUND = range(10)
STREAMS = 10
FIRST_BLOCK = 1 << 16                   # of stream 0, in the counter (tick, index, learner, block); neurons draw below
LARGEST_STORED = 2**15 - 1              # of a weight of 16 bits, in units of its grid
WEIGHT_RANGE = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}
VARIABLE_BITS = {"w": 9, "t": 9, "d": 9, "x0": 1, "y0": 1, "r0": 1}


@dataclass(frozen=True)
class Precision:
    """Bits of a fixed-point learning engine, signs not counted."""

    trace_bits: int = 7
    mantissa_bits: int = 3
    accumulator_bits: int = 15
    fraction_bits: int = 7

    def width(self, name: str) -> int:
        return VARIABLE_BITS.get(name, self.trace_bits)

    def scale(self, product: Product) -> tuple[int, int] | None:
        """(mantissa, exponent) as the engine stores them; None where the coefficient is not a multiple it has."""
        m, e, limit = product.mantissa, product.exponent, 1 << self.mantissa_bits
        while m != int(m) and e > -64:
            m, e = m * 2, e - 1
        while abs(m) > limit - 1 and m % 2 == 0:
            m, e = m / 2, e + 1
        return (int(m), e) if m == int(m) and -limit <= m < limit else None

    def shifts(self, product: Product) -> tuple[int, int]:
        """(right, left): bits lost by what the widths exceed the accumulator by, then the exponent in the fraction."""
        widths = sum(self.width(f.name) for f in product.factors)
        _, exponent = self.scale(product) or (0, 0)
        return max(0, widths + self.mantissa_bits + 1 - self.accumulator_bits), exponent + self.fraction_bits


@dataclass(frozen=True, eq=False)
class Synapses:
    """Of one projection: P plastic synapses from n_pre axons to n_post neurons.

    pre, post  int32[P]; weight float64[P] in the rule's units (whole numbers in fixed point); delay int32[P]
    """

    n_pre: int
    n_post: int
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


def bounds(rule: Plasticity, sign: str, precision: Precision | None, delay_max: int, grid: float = 0.0
           ) -> dict[str, tuple[float, float]]:
    """(lowest, highest) value of w, t and d; whole numbers in fixed point, where a tag has at most 16 bits."""
    if precision is None:
        most = LARGEST_STORED * grid if grid else np.inf
        low, high = {"mixed": (-most, most), "excitatory": (0.0, most), "inhibitory": (-most, 0.0)}[sign]
        return {"w": (max(low, rule.w_min), min(high, rule.w_max)), "t": (-np.inf, np.inf), "d": (0, delay_max)}
    low, high = WEIGHT_RANGE[sign]
    tag = 1 << min(precision.accumulator_bits - precision.fraction_bits, 14)
    return {"w": (np.ceil(max(low, rule.w_min)), np.floor(min(high, rule.w_max))), "t": (-tag - 1, tag - 1),
            "d": (0, delay_max)}


class Learner:
    """State of one plastic projection. `precision` None: floating point, in which weights may be rounded to multiples
    of `grid`, which the chip's memory holds (0: it holds them as they are).

    x float64[2, n_pre], y float64[3, n_post], r1, and variables w, t, d float64[P] may be read at any time; within an
    epoch the traces hold what they were at its start, and the impulses of all spikes but the last.
    """

    def __init__(self, rule: Plasticity, synapses: Synapses, *, sign: str = "mixed", precision: Precision | None = None,
                 delay_max: int = 62, seed: int = 0, number: int = 0, grid: float = 0.0,
                 shared: np.ndarray | None = None):
        self.rule, self.synapses, self.precision, self.grid = rule, synapses, precision, grid
        self.seed, self.number, self.shared = seed, number, shared
        self.x_traces, self.y_traces = [[getattr(rule, n) for n in names] for names in (X_TRACES, Y_TRACES)]
        self.bounds = bounds(rule, sign, precision, delay_max, grid)
        self.variables = {"w": np.clip(synapses.weight.astype(float), *self.bounds["w"]),
                          "t": np.zeros(len(synapses.pre)), "d": synapses.delay.astype(float)}
        self.reset()

    def reset(self) -> None:
        """Forget spikes, traces, tags and reward; weights and delays stay."""
        self.x, self.y = np.zeros((2, self.synapses.n_pre)), np.zeros((3, self.synapses.n_post))
        self.tx, self.ty = np.zeros(self.synapses.n_pre, np.int64), np.zeros(self.synapses.n_post, np.int64)
        self.r0, self.r1, self.reward = 0.0, 0.0, 0.0
        self.variables["t"][:] = 0
        self.late = [deque([[]] * delay) for delay in (self.rule.x_delay, self.rule.y_delay)]

    def tick(self, tick: int, pre: np.ndarray, post: np.ndarray, rewards: np.ndarray = ()) -> np.ndarray | None:
        """Note who spiked in this tick (unit numbers), as late as the rule says, and payloads of reward events; at the
        end of an epoch, learn.

        Returns None, or bool[P] at the end of an epoch: the synapses for which a product was due.
        """
        k = tick % self.rule.t_epoch + 1
        for units, late, last, value, traces, stream in ((pre, self.late[0], self.tx, self.x, self.x_traces, X_EXTRA),
                                                         (post, self.late[1], self.ty, self.y, self.y_traces, Y_EXTRA)):
            late.append(units)
            units = np.asarray(late.popleft(), np.int64)
            again = units[last[units] > 0]
            for a, trace in enumerate(traces):
                value[a, again] = self.raised(value[a, again], trace.impulse, stream, a * len(last) + again, tick)
            last[units] = k
        for payload in rewards:
            self.reward += payload * self.rule.r1.impulse
            self.r0 = 1.0
        return self.learn(tick) if k == self.rule.t_epoch else None

    def learn(self, tick: int) -> np.ndarray:
        s, te = self.synapses, self.rule.t_epoch
        hx = self.history(self.x, self.tx, self.x_traces, X_DECAY, tick)
        hy = self.history(self.y, self.ty, self.y_traces, Y_DECAY, tick)
        self.x, self.y = hx[-1].copy(), hy[-1].copy()
        self.follow_reward(tick)
        epoch = (tick + 1) // te
        x0, y0 = self.tx[s.pre] > 0, self.ty[s.post] > 0
        when = {"x0": self.tx[s.pre], "y0": self.ty[s.post], "u": np.full(len(s.pre), te)}
        read = {**self.variables, "x0": x0, "y0": y0, "r0": self.r0, "r1": self.r1}
        updated = np.zeros(len(s.pre), bool)
        new = {}
        for variable, products in self.rule.products.items():
            terms = []
            for p in products:
                due = {"x0": x0, "y0": y0, "u": np.full(len(s.pre), epoch % p.period == 0)}[p.dependency]
                updated |= due
                at = when[p.dependency]
                factors = [self.factor(f, hx[at, int(f.name[1]) - 1, s.pre] if f.name in X_TRACES else
                                       hy[at, int(f.name[1]) - 1, s.post] if f.name in Y_TRACES else read[f.name])
                           for f in p.factors]
                terms.append((p, due, factors))
            add = self.added if self.precision is None else self.added_fixed
            new[variable] = np.clip(add(variable, terms, tick), *self.bounds[variable])
            if variable == "w" and self.grid:
                new["w"] = np.rint(new["w"] / self.grid) * self.grid
        self.variables |= new
        self.tx[:], self.ty[:], self.r0, self.reward = 0, 0, 0.0, 0.0
        return updated

    def history(self, value: np.ndarray, last: np.ndarray, traces: list, stream: int, tick: int) -> np.ndarray:
        """float64[t_epoch + 1, traces, units]: the traces at the epoch's start and after each of its ticks."""
        te, n = self.rule.t_epoch, len(last)
        h = np.zeros((te + 1, *value.shape))
        h[0] = value
        for k in range(1, te + 1):
            now = tick - te + k
            for a, trace in enumerate(traces):
                if not trace.tau:
                    continue
                h[k, a] = self.rounded(trace.keep * h[k - 1, a], stream, a * n + np.arange(n), now, tick)
                spiked = np.flatnonzero(last == k)
                h[k, a, spiked] = self.raised(h[k, a, spiked], trace.impulse, stream + 1, a * n + spiked, now, tick)
        return h

    def follow_reward(self, tick: int) -> None:
        trace = self.rule.r1
        kept = np.exp(-self.rule.t_epoch / trace.tau) * self.r1 if trace.tau else 0.0
        self.r1 = float(self.rounded(kept, R_DECAY, np.array(0), tick, tick)) + self.reward
        if self.precision:
            limit = 1 << self.precision.trace_bits
            self.r1 = float(np.clip(np.floor(self.r1 + 0.5), -limit, limit - 1))

    def rounded(self, value: np.ndarray, stream: int, index: np.ndarray, tick: int, used: int) -> np.ndarray:
        """Rounded at random to a whole number, in fixed point."""
        if self.precision is None:
            return value
        return np.floor(value) + (self.draw(stream, index, tick, used) < value - np.floor(value))

    def raised(self, value: np.ndarray, impulse: float, stream: int, index: np.ndarray, tick: int,
               used: int | None = None) -> np.ndarray:
        """A trace after one impulse; fixed point has fractions of 1/256, rounded at random, and saturates."""
        if self.precision is None:
            return value + impulse
        whole = np.floor(impulse)
        fraction = np.round((impulse - whole) * 256) / 256
        up = self.draw(stream, index, tick, tick if used is None else used) < fraction
        return np.clip(value + whole + up, 0, (1 << self.precision.trace_bits) - 1)

    def draw(self, stream: int, index: np.ndarray, tick: int, used: int) -> np.ndarray:
        """float64 in [0, 1) per index."""
        if self.shared is not None:
            return np.broadcast_to(self.shared[used, stream], np.shape(index))
        return short_draws(index, tick, self.number, FIRST_BLOCK + stream, self.seed)

    def factor(self, f: Factor, value: np.ndarray | float) -> np.ndarray:
        value = np.asarray(value, float) + f.offset
        if f.sign:
            value = np.sign(value)
        if self.precision:
            limit = 1 << self.precision.width(f.name)
            value = np.clip(value, -limit, limit - 1)
        return value

    def added(self, variable: str, terms: list, tick: int) -> np.ndarray:
        result = self.variables[variable]
        for p, due, factors in terms:
            value = 1.0
            for f in factors:
                value = value * f
            result = np.where(due, result + p.coefficient * value, result)
        return result

    def added_fixed(self, variable: str, terms: list, tick: int) -> np.ndarray:
        bits = self.precision
        largest = (1 << bits.accumulator_bits) - 1
        acc = self.variables[variable].astype(np.int64) << bits.fraction_bits
        for p, due, factors in terms:
            value = due.astype(np.int64) * bits.scale(p)[0]
            for f in factors:
                value = value * f.astype(np.int64)
            right, left = bits.shifts(p)
            value = value >> right
            value = value << left if left >= 0 else value >> -left
            total = np.clip(acc + np.clip(value, -largest - 2, largest), -largest - 2, largest)
            acc = np.where(due, total, acc)                 # where nothing is due nothing happens, not even saturation
        stream = {"w": W_ROUND, "t": T_ROUND, "d": D_ROUND}[variable]
        return self.rounded(acc / 2.0**bits.fraction_bits, stream, np.arange(len(acc)), tick, tick)
