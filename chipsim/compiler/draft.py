"""What the passes hand to each other: the network in the chip's arithmetic, then cut into pieces, then placed.

Every pass is a function Draft -> Draft; it returns a new Draft (dataclasses.replace) and never changes the one it got.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.avoid import Avoid
from chipsim.models.plasticity.rule import Plasticity
from chipsim.network.graph import Network, Population
from chipsim.network.windows import Windows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from chipsim.compiler.frame import Frame
    from chipsim.compiler.layout import RoutingTables
    from chipsim.compiler.partitioning.tally import Tally


@dataclass(frozen=True, eq=False)
class Options:
    """How to compile. `approximate` names what may be replaced by something the chip has.

    objective  energy, latency, cores, or None: as the partition pass chooses
    rates      population -> float64[size] spikes per tick, as measured; 1 for populations that are missing
    partitioner  "chipsim", or "mtkahypar" to try its partitions as well
    """

    approximate: frozenset[str] = frozenset()
    neurons_per_core: int | None = None
    seed: int = 0
    effort: str = "normal"              # fast, normal or best
    avoid: Avoid | None = None          # dead cores and links, pinned populations
    objective: str | None = None
    rates: dict[str, np.ndarray] = field(default_factory=dict)
    partitioner: str = "chipsim"


@dataclass(frozen=True, eq=False)
class Node:
    """A population with flat parameters in the names of its kernel `model`, and that kernel's options.

    circuits  int64[size] places that each neuron takes on its core; None: one
    """

    population: Population
    params: dict[str, np.ndarray]
    model: str = ""
    options: dict[str, object] = field(default_factory=dict)
    depth: int = 0
    circuits: np.ndarray | None = None

    @property
    def name(self) -> str:
        return self.population.name

    @property
    def size(self) -> int:
        return self.population.size

    @property
    def is_input(self) -> bool:
        return self.population.model == "input"


@dataclass(frozen=True, eq=False)
class Learning:
    """A connection that learns: the rule, and its weights in the rule's units, in the order of the matrix's values.

    stored   int16[512], what the synapse memory holds for the weight w at w + 256; None: it holds w / grid
    grid     unit of the weights in synapse memory; 0: it holds w itself
    """

    rule: Plasticity
    sign: str = "mixed"
    weight: np.ndarray | None = None
    stored: np.ndarray | None = None
    grid: float = 0.0


@dataclass(frozen=True, eq=False)
class Connection:
    """One matrix from a node to a node with one delay.

    weight   [post size, pre size]: CSR, (dense) ndarray or Windows; float64, after quantising int16 in the chip's units
    delay    ticks as the network means them; after `retime` as the chip counts them
    format   "dense" | "sparse" | "conv"
    bits     of a stored weight; bank_shift of the accumulator (0: none of its own)
    receptor  input of the target's kernel that the weights are summed in
    axon_delay  how much of the delay is the axon's, not the synapse's
    origin   where the projection was written, for messages
    late     bias vector that this path adds from tick `delay` on, part of the post node's bias; or None
    """

    pre: int
    post: int
    weight: csr_array | np.ndarray | Windows
    delay: int
    format: str
    name: str
    native: dict | None = None
    bits: int = 0
    bank_shift: int = 0
    receptor: int = 0
    learning: Learning | None = None
    axon_delay: int = 0
    origin: str = ""

    @property
    def is_dense(self) -> bool:
        return isinstance(self.weight, np.ndarray)

    @property
    def windows(self) -> Windows | None:
        """The matrix as a sliding kernel, where it is kept as one."""
        return self.weight if isinstance(self.weight, Windows) else None

    @property
    def n_synapses(self) -> int:
        return self.weight.size if self.is_dense else self.weight.nnz

    @property
    def fan_in(self) -> np.ndarray:
        """int64[post size]: synapses of each target."""
        return self.windows.fan_in if self.windows else np.diff(self.rows[0])

    def part(self, piece: Piece) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
        """(rows int64, indptr int64, indices int32, values): the piece's synapses, as rows of a CSR matrix; indices
        None: dense."""
        if self.windows:
            return np.arange(piece.size), *self.windows.expand(piece.indices)
        return piece.indices, *self.rows, self.weight.ravel() if self.is_dense else self.weight.data

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(indptr int64[post size + 1], indices int32[.] or None when dense) of a matrix that is no sliding kernel."""
        if self.is_dense:
            return np.arange(self.weight.shape[0] + 1, dtype=np.int64) * self.weight.shape[1], None
        return self.weight.indptr.astype(np.int64), self.weight.indices.astype(np.int32, copy=False)


@dataclass(frozen=True, eq=False)
class Piece:
    """Neurons of a node that sit on one core: [first, stop), or, when given, `units` (int64, ascending) within it."""

    node: int
    first: int
    stop: int
    units: np.ndarray | None = None

    @classmethod
    def of(cls, node: int, units: np.ndarray) -> Piece:
        """The piece of these neurons (int64, ascending)."""
        first, stop = int(units[0]), int(units[-1]) + 1
        return cls(node, first, stop, None if len(units) == stop - first else units)

    @property
    def size(self) -> int:
        return self.stop - self.first if self.units is None else len(self.units)

    @property
    def rows(self) -> slice | np.ndarray:
        """The neurons, as an index into arrays over the node."""
        return slice(self.first, self.stop) if self.units is None else self.units

    @property
    def indices(self) -> np.ndarray:
        return np.arange(self.first, self.stop) if self.units is None else self.units


@dataclass(frozen=True, eq=False)
class Draft:
    network: Network
    chip: ChipSpec
    options: Options
    nodes: tuple[Node, ...] = ()
    connections: tuple[Connection, ...] = ()
    late_bias: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)   # (node, tick) -> bias absent before it
    cores: tuple[tuple[Piece, ...], ...] = ()           # pieces of each core, in slot order
    tally: Tally | None = None                          # what the cores hold, where a pass has counted it
    places: np.ndarray | None = None                    # int32[cores] core numbers on the chip
    routing: RoutingTables | None = None                # of multicast chips; keys by unit of all nodes, node by node
    in_vain: tuple[tuple[int, np.ndarray], ...] = ()    # (core, such units int64[.]) whose packets hit no synapse there
    frame: Frame | None = None                          # what happens when, where layers run by a schedule
    approximations: tuple[dict, ...] = ()
    notes: tuple[str, ...] = ()
    merit: dict[str, object] = field(default_factory=dict)   # figures the last pass wants in the log

    def in_order(self) -> list[int]:
        """Nodes with neurons, so that one that another reaches without delay comes before it."""
        ready = {i for i, n in enumerate(self.nodes) if n.is_input}
        left = [i for i, n in enumerate(self.nodes) if not n.is_input]
        before = {i: {c.pre for c in self.connections if c.post == i and c.delay == 0} for i in left}
        order: list[int] = []
        while left:
            i = next((i for i in left if before[i] <= ready), left[0])
            left.remove(i)
            ready.add(i)
            order.append(i)
        return order
