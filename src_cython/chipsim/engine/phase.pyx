"""The learning phase (see phase.pxd): spikes go to the learners they concern, epochs end, what is done is counted."""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

import numpy as np

from chipsim.engine.plasticity cimport Learner, Plastic
from chipsim.engine.plasticity_rows cimport plastic_tick
from chipsim.engine.plasticity_traces cimport plastic_clear, plastic_spike
from chipsim.engine.plasticity import Learner as CompiledLearner


cdef void phase_spike(const Phase* p, uint32_t source, double payload, int64_t tick) noexcept nogil:
    cdef int64_t k
    for k in range(p.role_start[source], p.role_start[source + 1]):
        plastic_spike(p.plastic[p.role_learner[k]], p.role[k], p.role_unit[k], payload, tick)


cdef void phase_clear(const Phase* p) noexcept nogil:
    cdef int64_t k
    for k in range(p.n_learners):
        plastic_clear(p.plastic[k])


cdef void phase_tick(const Phase* p, int64_t tick, int64_t* counts, int64_t* ps, int32_t* core) noexcept nogil:
    """End the epochs that end in this tick; count what the phase does (3), how long it lasts, and for which core."""
    cdef int64_t i, k, c, took
    cdef int64_t* work
    cdef Plastic* q
    memset(p.work, 0, 3 * p.n_cores * sizeof(int64_t))
    for i in range(p.n_learners):
        q = p.plastic[i]
        memset(q.updates, 0, p.n_cores * sizeof(int64_t))
        plastic_tick(q, tick)
        if (tick + 1) % q.te:
            continue
        for c in range(p.n_cores):
            work = p.work + 3 * c
            work[0] += p.fixed[(i * p.n_cores + c) * 2]
            work[1] += p.fixed[(i * p.n_cores + c) * 2 + 1]
            work[2] += q.updates[c]
    ps[0], core[0] = 0, 0
    for c in range(p.n_cores):
        took = 0
        for k in range(3):
            i = p.work[3 * c + k]
            p.core_work[3 * c + k] += i
            counts[k] += i
            took += i * p.cost[k]
        if took > ps[0]:
            ps[0], core[0] = took, <int32_t>c


cdef class Learners(Held):
    """Learners(plan, seed, weight, n_cores): those of a LearningPlan; None: there are none.

    weight  the stored weights, which they change
    """

    def __init__(self, p, seed, weight, int64_t n_cores):
        cdef int64_t i
        cdef Learner learner
        self.each = []
        self.phase.n_cores = n_cores
        if p is None:
            return
        self.each = p.learners(CompiledLearner, seed)
        self.phase.n_learners = len(self.each)
        self.phase.plastic = <Plastic**>self.hold("plastic", np.zeros(len(self.each)), np.int64)
        for i, (projection, core) in enumerate(zip(p.projections, p.core, strict=True)):
            learner = self.each[i]
            learner.connect(projection.place, projection.stored, weight, core, n_cores)
            self.phase.plastic[i] = &learner.p
        self.phase.role_start = <const int64_t*>self.hold("role_start", p.role_start, np.int64)
        self.phase.role_learner = <const int32_t*>self.hold("role_learner", p.role_learner, np.int32)
        self.phase.role = <const int32_t*>self.hold("role", p.role, np.int32)
        self.phase.role_unit = <const int32_t*>self.hold("role_unit", p.role_unit, np.int32)
        self.phase.fixed = <const int64_t*>self.hold("fixed", p.fixed, np.int64)
        self.phase.work = <int64_t*>self.hold("work", np.zeros((n_cores, 3)), np.int64)
        self.phase.core_work = <int64_t*>self.hold("core_work", np.zeros((n_cores, 3)), np.int64)
        for i in range(3):
            self.phase.cost[i] = p.ps[i]

    def per_core(self):
        """int64[C, 3] traces advanced, synapses read, synapses updated since the start or the last `forget`."""
        return self.keep["core_work"].copy() if self.each else np.zeros((self.phase.n_cores, 3), np.int64)

    def forget(self):
        """Count anew."""
        if self.each:
            self.keep["core_work"][...] = 0

    def snapshot(self):
        """All that learning changes but the weights, as name -> array."""
        return {f"learner.{i}.{name}": a for i, learner in enumerate(self.each)
                for name, a in learner.snapshot().items()}

    def restore(self, snapshot):
        """Go on from a `snapshot`."""
        for i, learner in enumerate(self.each):
            mark = f"learner.{i}."
            learner.restore({name[len(mark):]: a for name, a in snapshot.items() if name.startswith(mark)})
