"""The learner of a plastic projection: checks, arrays, and what Python sees of it (see plasticity.pxd)."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

import numpy as np

from chipsim.models.plasticity.learner import bounds
from chipsim.models.plasticity.rule import X_TRACES, Y_TRACES
from chipsim.models.plasticity.sum_of_products import DEPENDENCIES, FACTORS

from chipsim.engine.plasticity_rows cimport plastic_tick
from chipsim.engine.plasticity_traces cimport POST, PRE, REWARD, plastic_clear, plastic_spike

CHANGES = ("w", "t", "d", "x", "y", "tx", "ty", "late_x", "late_y")
NARROW = 30                     # bits of products and accumulators that int32 holds, with the last shift


cdef class Learner(Held):
    """As chipsim.models.plasticity.learner.Learner, with the same arguments; synapses in order of axon, then neuron.

    Speed: `python tools/bench.py engine`.
    """

    def __init__(self, rule, synapses, *, sign="mixed", precision=None, delay_max=62, seed=0, number=0, grid=0.0,
                 shared=None):
        cdef Plastic* p = &self.p
        n_pre, n_post = synapses.n_pre, synapses.n_post
        if (np.diff(synapses.pre.astype(np.int64) * n_post + synapses.post) <= 0).any():
            raise ValueError("plastic synapses must stand in the order of their axons, and of neurons for one axon")
        p.seed, p.number = <uint64_t>(int(seed) & 0xFFFFFFFFFFFFFFFF), number
        p.grid = grid
        p.n_pre, p.n_post, p.n_synapses = n_pre, n_post, len(synapses.pre)
        p.shared = NULL if shared is None else <const double*>self.hold("shared", shared, np.float64)
        self.hold_rule(rule, precision)
        for k, name in enumerate(("w", "t", "d")):
            p.low[k], p.high[k] = bounds(rule, sign, precision, delay_max, grid)[name]
        p.post = <const int32_t*>self.hold("post", synapses.post, np.int32)
        rows, columns = (np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=n))])
                         for ids, n in ((synapses.pre, n_pre), (synapses.post, n_post)))
        p.row_start = <const int64_t*>self.hold("rows", rows, np.int64)
        p.column_start = <const int64_t*>self.hold("columns", columns, np.int64)
        by_neuron = np.argsort(synapses.post, kind="stable")
        p.column = <const int32_t*>self.hold("column", synapses.pre[by_neuron], np.int32)
        p.column_synapse = <const int32_t*>self.hold("column_synapse", by_neuron, np.int32)
        p.run = <const uint8_t*>self.hold("run", self.rows_in_a_line(self.keep["post"]), np.uint8)
        stored = np.int16 if p.fixed else np.float64
        p.variable[0] = self.hold("w", np.clip(synapses.weight.astype(float), p.low[0], p.high[0]), stored)
        p.variable[1] = self.hold("t", np.zeros(p.n_synapses), stored)
        p.variable[2] = self.hold("d", np.array(synapses.delay, float), stored)
        p.x = <double*>self.hold("x", np.zeros((2, n_pre)), np.float64)
        p.y = <double*>self.hold("y", np.zeros((3, n_post)), np.float64)
        p.tx = <int32_t*>self.hold("tx", np.zeros(n_pre), np.int32)
        p.ty = <int32_t*>self.hold("ty", np.zeros(n_post), np.int32)
        p.heard_x = <int32_t*>self.hold("heard_x", np.zeros(n_pre), np.int32)
        p.heard_y = <int32_t*>self.hold("heard_y", np.zeros(n_post), np.int32)
        p.x_delay, p.y_delay = rule.x_delay, rule.y_delay
        p.late_x = <uint64_t*>self.hold("late_x", np.zeros(n_pre), np.uint64)
        p.late_y = <uint64_t*>self.hold("late_y", np.zeros(n_post), np.uint64)
        p.hx = <double*>self.hold("hx", np.zeros((p.te + 1, 2, n_pre)), np.float64)
        p.hy = <double*>self.hold("hy", np.zeros((p.te + 1, 3, n_post)), np.float64)
        p.place, p.updates = NULL, NULL
        self.hold_room()
        plastic_clear(p)
        self.look()

    cdef int hold_rule(self, rule, precision) except -1:
        """Products, factors and traces as structs."""
        cdef Plastic* p = &self.p
        cdef Product* q
        cdef int64_t k = 0, j = 0
        cdef bint fixed = precision is not None
        listed = [(t, product) for t, name in enumerate(("w", "t", "d")) for product in rule.products.get(name, ())]
        n_factors = sum(len(product.factors) for _, product in listed)
        p.products = <Product*>self.hold("products", np.zeros(len(listed) * sizeof(Product) + 1), np.uint8)
        p.factors = <Factor*>self.hold("factors", np.zeros(n_factors * sizeof(Factor) + 1), np.uint8)
        p.fixed, p.te, p.n_products, p.wide = fixed, rule.t_epoch, len(listed), False
        p.has_x0 = any(product.dependency == "x0" for _, product in listed)
        p.has_y0 = any(product.dependency == "y0" for _, product in listed)
        if fixed:
            p.trace_max, p.r_max = (1 << precision.trace_bits) - 1, (1 << precision.trace_bits) - 1
            p.r_min, p.fraction_bits = -(1 << precision.trace_bits), precision.fraction_bits
            p.largest = (1 << precision.accumulator_bits) - 1
        n_tables = 0
        for target, product in listed:
            q = &p.products[k]
            q.target, q.dependency = target, DEPENDENCIES.index(product.dependency)
            q.period, q.coefficient = product.period, product.coefficient
            q.first = q.row = q.own = j
            for f in product.factors:
                limit = float(1 << precision.width(f.name)) if fixed else np.inf
                p.factors[j].code, p.factors[j].sign, p.factors[j].offset = FACTORS.index(f.name), f.sign, f.offset
                p.factors[j].low, p.factors[j].high = -limit, limit - 1
                j += 1
                if f.name in ("x0", "x1", "x2", "r0", "r1"):
                    q.row = j
                if f.name not in ("w", "t", "d"):
                    q.own = j
            q.last, q.table, q.n_tables = j, n_tables, q.own - q.row
            if fixed:
                bits = precision.mantissa_bits + sum(precision.width(f.name) for f in product.factors)
                right, left = precision.shifts(product)
                q.coefficient, q.n_tables = precision.scale(product)[0], min(1, q.n_tables)
                q.right, q.left = min(right, 63), max(-63, min(left, precision.accumulator_bits + 2))
                q.saturates = bits - right + left >= precision.accumulator_bits
                p.wide = p.wide or max(bits, precision.accumulator_bits + 6) > NARROW
            n_tables += q.n_tables * (p.te if q.dependency == 0 else 1)
            k += 1
        self.keep["n_tables"] = n_tables
        for k in range(0 if p.wide else p.n_products):
            p.products[k].right, p.products[k].left = min(31, p.products[k].right), max(-31, p.products[k].left)
        for k, name in enumerate((*X_TRACES, *Y_TRACES)):
            trace = getattr(rule, name)
            whole = np.floor(trace.impulse) if fixed else trace.impulse
            p.keep[k], p.exists[k], p.whole[k] = trace.keep, trace.tau > 0, whole
            p.part[k] = np.round((trace.impulse - whole) * 256) / 256
        p.r_keep = np.exp(-rule.t_epoch / rule.r1.tau) if rule.r1.tau else 0.0
        p.r_impulse = rule.r1.impulse
        return 0

    cdef object axons(self):
        """int64[P]: the axon of each synapse."""
        return np.repeat(np.arange(self.p.n_pre), np.diff(self.keep["rows"]))

    cdef object rows_in_a_line(self, numbers):
        """bool[n_pre]: within the row, numbers [P] follow each other."""
        pre = self.axons()
        broken = (np.diff(pre) == 0) & (np.diff(numbers) != 1)
        return np.bincount(pre[1:][broken], minlength=self.p.n_pre) == 0

    cdef int hold_room(self) except -1:
        """Room for the end of an epoch."""
        cdef Plastic* p = &self.p
        kind = np.float64 if not p.fixed else np.int64 if p.wide else np.int32
        ticks = (p.te + 1, p.n_post)
        p.tables = self.hold("tables", np.zeros((self.keep.pop("n_tables"), p.n_post)), kind)
        p.due = self.hold("due", np.zeros(p.n_post), kind)
        p.filled = <uint8_t*>self.hold("filled", np.zeros((p.n_products, p.te + 1)), np.uint8)
        p.head = <double*>self.hold("head", np.zeros((p.n_products, p.te + 1)), np.float64)
        p.axons = self.hold("axons", np.zeros((p.n_products, p.n_pre)), kind)
        p.awake = <uint8_t*>self.hold("awake", np.zeros(p.n_pre), np.uint8)
        p.used = <int64_t*>self.hold("used", np.zeros(p.n_products), np.int64)
        p.visit = <uint8_t*>self.hold("visit", np.zeros(ticks), np.uint8)
        p.visits = <int32_t*>self.hold("visits", np.zeros(p.n_post * (p.te + 1) + 1), np.int32)
        p.n_visits = <int64_t*>self.hold("n_visits", np.zeros(p.te + 1), np.int64)
        return 0

    cdef int look(self) except -1:
        """Work out what follows from the variables and the spikes of the epoch."""
        cdef Plastic* p = &self.p
        below = -(p.largest + 2) >> p.fraction_bits if p.fixed else -np.inf
        p.wild = any((self.keep[name] < below).any() or not np.isfinite(self.keep[name]).all() for name in "wtd")
        for name in "xy":
            heard = np.flatnonzero(self.keep[f"t{name}"])
            self.keep[f"heard_{name}"][: len(heard)] = heard
        p.n_heard_x, p.n_heard_y = np.count_nonzero(self.keep["tx"]), np.count_nonzero(self.keep["ty"])
        return 0

    def tick(self, int64_t tick, pre, post, rewards=()):
        """As in the plain Learner; nothing is returned."""
        for unit in pre:
            plastic_spike(&self.p, PRE, unit, 1.0, tick)
        for unit in post:
            plastic_spike(&self.p, POST, unit, 1.0, tick)
        for payload in rewards:
            plastic_spike(&self.p, REWARD, 0, payload, tick)
        with nogil:
            plastic_tick(&self.p, tick)

    def reset(self):
        """Forget spikes, traces, tags and reward; weights and delays stay."""
        plastic_clear(&self.p)

    def connect(self, place, effective, weight, core, n_cores):
        """Where the engine keeps the weights: array `weight` at `place` [P]; count updates per core of the neuron.

        effective  int16[512], the stored weight of each w from -256 on; None in floating point
        """
        cdef Plastic* p = &self.p
        p.place = <const int64_t*>self.hold("place", place, np.int64)
        p.line = <const uint8_t*>self.hold("line", self.rows_in_a_line(self.keep["place"]), np.uint8)
        self.keep["weight"] = weight
        if p.fixed:
            p.effective = <const int16_t*>self.hold("effective", effective, np.int16)
            p.weight16 = <int16_t*><size_t>weight.ctypes.data
            weight[self.keep["place"]] = self.keep["effective"][self.keep["w"].astype(int) + 256]
        elif p.grid:
            p.weight16 = <int16_t*><size_t>weight.ctypes.data
            weight[self.keep["place"]] = np.rint(self.keep["w"] / p.grid)
        else:
            p.weight64 = <double*><size_t>weight.ctypes.data
            weight[self.keep["place"]] = self.keep["w"]
        p.core = <const int32_t*>self.hold("core", core, np.int32)
        p.updates = <int64_t*>self.hold("updates", np.zeros(n_cores), np.int64)
        pre = self.axons()
        parts, size = np.unique(pre * n_cores + self.keep["core"][self.keep["post"]], return_counts=True)
        starts = np.concatenate([[0], np.cumsum(np.bincount(parts // n_cores, minlength=p.n_pre))])
        p.part_start = <const int64_t*>self.hold("part_start", starts, np.int64)
        p.part_core = <const int32_t*>self.hold("part_core", parts % n_cores, np.int32)
        p.part_size = <const int32_t*>self.hold("part_size", size, np.int32)

    def snapshot(self):
        """All that changes, as name -> array; `restore` takes it back."""
        own = {name: self.keep[name].copy() for name in CHANGES}
        return own | {"reward": np.array([self.p.r0, self.p.r1, self.p.reward])}

    def restore(self, snapshot):
        """Go on from a `snapshot` of the same learner."""
        for name in CHANGES:
            self.keep[name][...] = snapshot[name]
        self.p.r0, self.p.r1, self.p.reward = map(float, snapshot["reward"])
        self.look()

    @property
    def variables(self):
        """w, t, d: float64[P]."""
        return {name: self.keep[name].astype(float) for name in ("w", "t", "d")}

    @property
    def updates(self):
        """int64[cores]: synapses updated; whoever reads them sets them to zero again."""
        return self.keep["updates"]

    @property
    def x(self):
        """float64[2, n_pre]"""
        return self.keep["x"]

    @property
    def y(self):
        """float64[3, n_post]"""
        return self.keep["y"]

    @property
    def r1(self):
        return self.p.r1
