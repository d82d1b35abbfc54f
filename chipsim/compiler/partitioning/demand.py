"""What neurons need of a core, and what a core has."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.draft import Connection, Draft, Node, Piece
from chipsim.compiler.lowering.learning import tag_bits
from chipsim.compiler.partitioning.misfits import too_large
from chipsim.compiler.partitioning.packing import ACTIVATION, axon_bits
from chipsim.compiler.partitioning.synapses import heard
from chipsim.errors import Diagnostic

BUNDLES = 1 << 20           # more than an image has channels
RESOURCES = ("neurons", "axons_in", "axons_out", "synapse_bits", "neuron_configs")
LOCAL = ("neurons", "axons_in", "synapse_bits", "neuron_configs")      # what a piece needs whatever else is where


def limits(chip: ChipSpec) -> dict[str, int | None]:
    """What one core has of each resource; None: unlimited."""
    core = chip.core
    return dict(neurons=core.neurons, axons_in=core.axons_in, axons_out=core.axons_out,
                synapse_bits=core.synapse_memory.bits, neuron_configs=core.neuron_configs)


def limits_for(draft: Draft) -> dict[str, int | None]:
    """As `limits`, with what the options ask for."""
    cap = limits(draft.chip)
    if draft.chip.core.targets_per_neuron is not None:      # what a core sends is made by relays: relay.py
        cap = cap | {"axons_out": None}
    if draft.options.neurons_per_core is not None:
        cap = cap | {"neurons": min(draft.options.neurons_per_core, cap["neurons"] or 1 << 62)}
    return cap


class Demand:
    """What neurons [first, stop) of a node need of a core."""

    def __init__(self, draft: Draft):
        self.draft, chip = draft, draft.chip
        self.packing, self.slots = chip.core.synapse_memory.packing, chip.core.neurons
        self.kernels = chip.core.synapse_memory.kernels
        self.incoming = [[c for c in draft.connections if c.post == i] for i in range(len(draft.nodes))]
        self.outgoing = [[c for c in draft.connections if c.pre == i] for i in range(len(draft.nodes))]
        longest = [max((c.delay - c.axon_delay - chip.core.delay.min for c in cs), default=0) for cs in self.incoming]
        self.delay_bits = [int(np.ceil(np.log2(1 + ticks))) for ticks in longest]
        self.configs = _config_codes(draft.nodes)
        self.bundle = 1 if self.kernels == "unrolled" else chip.core.axon_channels or 1
        self.pixels = {c.pre: prod(c.windows.in_shape[1:]) for c in draft.connections if c.windows}
        self.zeros = [np.zeros(n.size, np.int32) for n in draft.nodes]          # room for counting

    def heard(self, c: Connection, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        """(units int32[k] of the connection's source that the piece hears, each once; synapses from each int32[k])."""
        if c.is_dense:
            n = c.weight.shape[1]
            return np.arange(n, dtype=np.int32), np.full(n, piece.size, np.int32)
        if c.windows and (box := c.windows.heard(piece.indices)) is not None:
            return box
        rows, indptr, indices, _ = c.part(piece)
        return heard(indptr, indices, rows, self.zeros[c.pre])

    def bits(self, c: Connection, piece: Piece, synapses: np.ndarray) -> int:
        """Synapse memory of a piece over one connection, which has `synapses` from each source; a kernel that is shared
        stands there once for each channel it reads, one that is distributed in part."""
        if c.windows and self.kernels == "distributed":
            return self.part_of_kernels(c, piece.size)
        once = c.windows is not None and self.kernels == "shared"
        if once:
            channels = c.windows.channels(piece.indices)
            synapses = channels[channels > 0] * c.windows.weight.shape[2] * c.windows.weight.shape[3]
        return int(axon_bits(self.packing, synapses, dense=c.is_dense or once, weight_bits=c.bits,
                             delay_bits=self.delay_bits[piece.node] + tag_bits(c), slots=self.slots).sum())

    def part_of_kernels(self, c: Connection, neurons: int) -> int:
        """Bits that so many neurons' part of a convolution's kernels takes, where every kernel stands on the chip
        once."""
        return -(-c.windows.weight.size * c.bits * neurons // self.draft.nodes[c.post].size)

    def activations(self, heard: int) -> int:
        """Bits that the activations of a layer take on a core that hears so many sources for it."""
        return ACTIVATION * heard if self.packing == "arrays" else 0

    def circuits(self, piece: Piece) -> int:
        """Places for neurons that the piece takes."""
        taken = self.draft.nodes[piece.node].circuits
        return piece.size if taken is None else int(taken[piece.rows].sum())

    def bundles(self, pre: int, units: np.ndarray) -> np.ndarray:
        """int64[.]: which axon of a pixel each unit of an image belongs to, where channels share axons."""
        channel, pixel = np.divmod(units.astype(np.int64), self.pixels[pre])
        return pixel * BUNDLES + channel // self.bundle

    def reach(self, pieces: tuple[Piece, ...]) -> Reach:
        """What the pieces hear of a core of their own."""
        single: dict[int, list] = {}
        bundled: dict[int, list] = {}
        layers: dict[int, dict[int, list]] = {p.node: {} for p in pieces}
        bits = 0
        for p in pieces:
            for c in self.incoming[p.node]:
                units, n = self.heard(c, p)
                layers[p.node].setdefault(c.pre, []).append(units)
                (bundled if c.windows and self.bundle > 1 else single).setdefault(c.pre, []).append(units)
                bits += self.bits(c, p, n)
        if self.packing == "arrays":                        # one layer runs at a time
            bits += self.activations(max(sum(map(len, _united(layer).values())) for layer in layers.values()))
        return Reach(_united(single), _united(bundled), bits)

    def of(self, pieces: tuple[Piece, ...], resource: str) -> int:
        if resource == "neurons":
            return sum(self.circuits(p) for p in pieces)
        if resource == "neuron_configs":
            return len(np.unique(np.concatenate([self.configs[p.node][p.rows] for p in pieces])))
        found = self.reach(pieces)
        return found.bits if resource == "synapse_bits" else self.axons_in(pieces, found)

    def axons_in(self, pieces: tuple[Piece, ...], found: Reach) -> int:
        """In-axons of pieces that hear `found`: one for each source, or for the channels of a pixel that share it; on a
        crossbar one for each axon type and delay."""
        if self.draft.chip.core.crossbar is None:
            return sum(map(len, found.single.values())) + sum(
                len(np.unique(self.bundles(pre, units))) for pre, units in found.bundled.items())
        return sum(len(units) for _, units in self.by_type(pieces))

    def by_type(self, pieces: tuple[Piece, ...]) -> list[tuple[int, np.ndarray]]:
        """On a crossbar: (source node, its units, each once) for every axon type and delay that the pieces hear."""
        lists: dict[tuple, list] = {}
        for p in pieces:
            for c in self.incoming[p.node]:
                lists.setdefault((c.pre, c.receptor, c.delay), []).append(self.heard(c, p)[0])
        return [(pre, np.unique(np.concatenate(parts))) for (pre, *_), parts in lists.items()]


@dataclass(frozen=True)
class Reach:
    """single, bundled: source node -> its units, each once, that take an axon each or share one with the channels of
    their pixel; bits of synapse memory."""

    single: dict[int, np.ndarray]
    bundled: dict[int, np.ndarray]
    bits: int

    def senders(self) -> list[tuple[int, np.ndarray]]:
        """(source node, its units that reach the core, each once)."""
        both: dict[int, list] = {}
        for part in (self.single, self.bundled):
            for pre, units in part.items():
                both.setdefault(pre, []).append(units)
        return list(_united(both).items())


def _united(parts: dict[int, list]) -> dict[int, np.ndarray]:
    return {pre: own[0] if len(own) == 1 else _merged(own) for pre, own in parts.items()}


def _merged(parts: list[np.ndarray]) -> np.ndarray:
    """The units of several ascending lists, each once."""
    both = np.sort(np.concatenate(parts), kind="stable")    # merges runs: a tenth of the time of np.unique
    return both[np.flatnonzero(np.diff(both, prepend=-1))]


def _config_codes(nodes: tuple[Node, ...]) -> list[np.ndarray | None]:
    """Per node, int64[size]: equal where decays and refractory period are, Loihi's compartment configurations."""
    kinds, of = [], []
    for n in nodes:
        if n.is_input:
            continue
        columns = [np.broadcast_to(n.params.get(name, 0), n.size) for name in ("du", "dv", "refract")]
        if all((column == column[0]).all() for column in columns):          # as nearly always: nothing to sort
            found, own = np.array([[column[0] for column in columns]]), np.zeros(n.size, np.int64)
        else:
            found, own = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        kinds.append(found)
        of.append(own.ravel())
    if not kinds:
        return [None] * len(nodes)
    codes = np.unique(np.concatenate(kinds), axis=0, return_inverse=True)[1].ravel()
    parts = iter(np.split(codes, np.cumsum([len(k) for k in kinds])[:-1]))
    own_of = iter(of)
    return [None if n.is_input else next(parts)[next(own_of)] for n in nodes]


def alone(demand: Demand, i: int, unit: int, cap: dict[str, int | None]) -> list[Diagnostic]:
    """M201 for every resource of which one neuron of node i needs more than a core has."""
    piece = (Piece(i, unit, unit + 1),)
    need = {r: demand.of(piece, r) for r in LOCAL if cap[r] is not None}
    return [too_large(demand.draft, i, unit, r, n, cap[r]) for r, n in need.items() if n > cap[r]]
