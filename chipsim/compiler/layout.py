"""The network on the chip: core and slot of each neuron, axon tables, synapse memory, weights in the chip's numbers.

Sources are numbered neurons first (0 .. n_neurons-1, ordered by core, then slot), then input lines. A source's spike
becomes one packet per out-axon entry; a packet names an in-axon of its target core; an in-axon owns a run of segments,
a segment a run of synapses that share delay, accumulator bank and receptor. Segments whose synapses differ by nothing
but a shift of all slots may share the stored run (kernels of a convolution). Everything the engine needs is one of
these arrays.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.frame import Frame
from chipsim.errors import Diagnostic, UsageError
from chipsim.models.kernels import Kernel, find_kernel
from chipsim.models.plasticity.rule import Plasticity

SYNAPSE_FORMATS = ("dense", "sparse", "conv")


@dataclass(frozen=True, eq=False)
class Group:
    """A run of slots on one core that hold neurons of one population, and where their parameters stand."""

    core: int          # index into Layout.cores
    start: int         # neuron numbers [start, stop)
    stop: int
    population: int    # index into Layout.populations
    first: int         # index within the population of neuron `start`
    model: int = 0     # index into Layout.models


@dataclass(frozen=True)
class LayoutModel:
    """A neuron model in use: the kernel, and its options, one value for all neurons of the model."""

    name: str
    options: dict[str, object]

    @property
    def kernel(self) -> type[Kernel]:
        found = find_kernel(self.name)
        if found is None:
            raise UsageError(Diagnostic("U416", f"the layout needs the neuron model `{self.name}`, not known here",
                                        help="register the model first (chipsim.models.neurons.register)"))
        return found.bound(self.options)


@dataclass(frozen=True, eq=False)
class LayoutPopulation:
    """What stays of a population: enough to find the way back from a neuron number, and to label a report."""

    name: str
    shape: tuple[int, ...]
    is_input: bool
    start: int         # first source number when contiguous over its groups; inputs: first line
    depth: int         # ticks from the input's tick to this population's answer to it (pipeline depth)


@dataclass(frozen=True, eq=False)
class PlasticProjection:
    """Synapses of a projection that learn, ordered by axon, then neuron (P synapses).

    pre, post   int32[P]  unit numbers in their populations, of sizes n_pre and n_post
    place       int64[P]  index into Layout.weight
    weight      float64[P] in the rule's units
    stored      int16[512] what Layout.weight holds for the weight w at w + 256; None: it holds w / grid
    grid        unit of the weights in synapse memory; 0: it holds w itself
    pre_source  int64[n_pre], post_source int64[n_post], reward_source int64[.]: source numbers
    """

    name: str
    rule: Plasticity
    sign: str
    pre: np.ndarray
    post: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    stored: np.ndarray | None
    pre_source: np.ndarray
    post_source: np.ndarray
    reward_source: np.ndarray
    grid: float = 0.0

    def held(self, weight: np.ndarray) -> np.ndarray:
        """What Layout.weight holds for weights [P] in the rule's units."""
        if self.grid:
            return np.rint(weight / self.grid).astype(np.int16)
        return weight if self.stored is None else self.stored[weight.astype(np.int64) + 256]


@dataclass(frozen=True, eq=False)
class RoutingTables:
    """What the routers of a multicast chip are loaded with: entries tried in order, the first with packet & mask == key
    counts; a packet without one goes straight on.

    start       int64[R+1] into the entries of each router
    key, mask   uint32[T];  ports uint64[T]: bit p for port p of the router, numbered as in FabricPlan
    plain       int64[R] entries that a router would need with one for each source
    source_key  uint32[S] what packets of each source carry; all ones where it sends none
    """

    start: np.ndarray
    key: np.ndarray
    mask: np.ndarray
    ports: np.ndarray
    plain: np.ndarray
    source_key: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """int64[R]: entries of each router."""
        return np.diff(self.start)

    def look_up(self, router: int, key: int) -> int | None:
        """Ports, as bits, by which a router sends a key; None: straight on."""
        own = slice(self.start[router], self.start[router + 1])
        hit = np.flatnonzero((self.mask[own] & np.uint32(key)) == self.key[own])
        return int(self.ports[own][hit[0]]) if len(hit) else None


@dataclass(frozen=True, eq=False)
class Layout:
    chip: ChipSpec
    network: str                       # name of the network
    populations: tuple[LayoutPopulation, ...]
    outputs: tuple[str, ...]
    dt: float | None

    # where (C cores in use)
    cores: np.ndarray                  # int32[C]   core number on the chip (core = router * cores_per_router + port)
    core_start: np.ndarray             # int64[C+1] neuron numbers of core c: [core_start[c], core_start[c+1])
    groups: tuple[Group, ...]          # in evaluation order

    # neurons (N)
    models: tuple[LayoutModel, ...]    # in use; they share one accumulator dtype
    params: dict[str, np.ndarray]      # [N] each, of all models; 0 where a neuron's model has no such parameter
    population_index: np.ndarray       # int32[N] index within its population (flat)

    # axons and synapses (S = N + lines sources, A in-axons, G segments, W stored synapses)
    out_start: np.ndarray              # int64[S+1]
    out_axon: np.ndarray               # int32[.]   in-axon per out-axon entry
    axon_core: np.ndarray              # int32[A]   index into cores
    axon_start: np.ndarray             # int64[A+1] into segments
    segment_delay: np.ndarray          # int32[G]   ticks from the tick of the spike to the tick it acts in
    segment_bank: np.ndarray           # uint8[G]   0: accumulator itself; b > 0: bank b, see bank_shift
    segment_receptor: np.ndarray       # uint8[G]   input of the target's model, see Kernel.receptors
    segment_format: np.ndarray         # uint8[G]   index into SYNAPSE_FORMATS: what an operation on it costs
    segment_start: np.ndarray          # int64[G]   first of its stored synapses
    segment_size: np.ndarray           # int32[G]   how many
    segment_slot: np.ndarray           # int32[G]   added to their targets: segments can share what is stored
    target: np.ndarray                 # uint16|uint32[W] slot on the target core, counted from segment_slot
    weight: np.ndarray                 # int16|float32|float64[W], the chip's number whatever the width
    bank_shift: np.ndarray             # int32[B]   arithmetic shift applied to a bank's sum (negative: right)
    first_input: np.ndarray | None     # float64[d, N] added to the accumulators of ticks 0..d-1, or None

    plastic: tuple[PlasticProjection, ...] = ()                    # what learns
    routing: RoutingTables | None = None                           # tables of multicast routers, where there are any

    frame: Frame | None = None                                     # what happens when, where layers run by a schedule

    # account of the compilation
    usage: dict[str, np.ndarray] = field(default_factory=dict)     # resource -> [C] in use
    limits: dict[str, int | None] = field(default_factory=dict)    # resource -> per core
    approximations: tuple[dict, ...] = ()                          # what was rounded, replaced, dropped; with its size
    log: tuple[dict, ...] = ()                                     # pass, seconds, figures of merit
    notes: tuple[str, ...] = ()

    @property
    def in_use(self) -> dict[str, np.ndarray]:
        """`usage`, and `router_entries` of the routers that have any."""
        if self.routing is None:
            return self.usage
        return self.usage | {"router_entries": self.routing.used[self.routing.used > 0]}

    @cached_property
    def kernels(self) -> tuple[type[Kernel], ...]:
        """Of each of `models`."""
        return tuple(m.kernel for m in self.models)

    @property
    def n_receptors(self) -> int:
        """Inputs that are summed apart for each neuron."""
        return max((len(k.receptors) for k in self.kernels), default=1)

    @property
    def accumulator(self) -> str:
        """dtype of the summed inputs: "i4" or "f8"."""
        return self.kernels[0].accumulator

    @property
    def n_neurons(self) -> int:
        return int(self.core_start[-1])

    @property
    def n_sources(self) -> int:
        return len(self.out_start) - 1

    @property
    def n_lines(self) -> int:
        return self.n_sources - self.n_neurons

    @property
    def n_cores(self) -> int:
        return len(self.cores)

    def __repr__(self) -> str:
        use = ", ".join(f"{name} {int(used.max())}" + (f" of {self.limits[name]}" if self.limits.get(name) else "")
                        for name, used in self.usage.items() if len(used))
        return (f"<Layout {self.network} on {self.chip.name}: {self.n_neurons} neurons on {self.n_cores} of "
                f"{self.chip.n_cores} cores, {len(self.axon_core)} in-axons, {len(self.target)} synapses; "
                f"fullest: {use}>")

    def _repr_html_(self) -> str:
        from chipsim.report.html import layout_html

        return layout_html(self)

    def with_weights(self, weights: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Layout:
        """The same layout with the weights that a run has learnt (Run.weights).

        Raises UsageError (U418) if they are another network's, or if this one does not learn.
        """
        if not self.plastic:
            raise UsageError(Diagnostic("U418", f"no projection of `{self.network}` learns, so that none takes weights",
                                        help="give a projection its `plasticity`, or leave the weights out"))
        plastic, memory = [], self.weight.copy()
        for p in self.plastic:
            known = p.name in weights
            if not known or not all(map(np.array_equal, weights[p.name][:2], (p.pre, p.post))):
                raise UsageError(Diagnostic(
                    "U418", f"the learnt weights are not those of projection `{p.name}`: "
                    + (f"there are weights of {', '.join(weights) or 'none'}" if not known else "other synapses"),
                    help="take them from a run of the same network"))
            weight = weights[p.name][2]
            memory[p.place] = p.held(weight)
            plastic.append(replace(p, weight=np.asarray(weight, float)))
        return replace(self, weight=memory, plastic=tuple(plastic))

    def slots_of(self, segment: int) -> np.ndarray:
        """int64[.]: slots on the target core that a segment's synapses act on, in the order they are stored."""
        first, n = self.segment_start[segment], self.segment_size[segment]
        return self.target[first : first + n].astype(np.int64) + self.segment_slot[segment]

    def neurons_of(self, population: str) -> np.ndarray:
        """Neuron (or source) numbers of a population's units, in the population's own flat order."""
        for i, p in enumerate(self.populations):
            if p.name != population:
                continue
            size = int(np.prod(p.shape))
            if p.is_input:
                return np.arange(p.start, p.start + size)
            out = np.empty(size, np.int64)
            for g in self.groups:
                if g.population == i:
                    out[self.population_index[g.start : g.stop]] = np.arange(g.start, g.stop)
            return out
        raise KeyError(f"no population `{population}`; there are {', '.join(p.name for p in self.populations)}")
