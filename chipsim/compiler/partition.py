"""Cut populations into pieces that fit a core under all of its limits at once, or say everything that does not fit.

Two ways: population by population in their own order (`spread`), or all neurons together for few packets (share.py).
Limits: neurons (sum), in-axons (union of sources), synapse bits (the chip's packing rule), out-axons (sum over neurons
of the cores they reach), distinct neuron configurations.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.draft import Connection, Draft, Node, Piece
from chipsim.compiler.learning import tag_bits
from chipsim.compiler.packing import axon_bits
from chipsim.errors import Diagnostic, FitError
from chipsim.figures import exact

OBJECTIVES = ("energy", "latency", "cores")
RESOURCES = ("neurons", "axons_in", "axons_out", "synapse_bits", "neuron_configs")
UNIT = {"neurons": "neurons", "axons_in": "input axons", "axons_out": "output axons",
        "synapse_bits": "bits of synapse memory", "neuron_configs": "neuron configurations"}
REMEDY = {
    "axons_in": "fewer sources per neuron: a smaller kernel, pruning, or a relay population",
    "axons_out": "fewer targets per neuron, or larger cores, so that they spread over fewer of them",
    "synapse_bits": "fewer synapses or weight bits per neuron",
    "neurons": "a chip with larger cores",
    "neuron_configs": "fewer different time constants within the population",
}


def limits(chip: ChipSpec) -> dict[str, int | None]:
    """What one core has of each resource; None: unlimited."""
    core = chip.core
    return dict(neurons=core.neurons, axons_in=core.axons_in, axons_out=core.axons_out,
                synapse_bits=core.synapse_memory.bits, neuron_configs=core.neuron_configs)


def partition(draft: Draft) -> Draft:
    """Fill `cores`. FitError with one diagnostic per population and resource that does not fit.

    Objective `latency` cuts each population in its own order and shares cores only when the chip would run out of them.
    `energy` looks for the fewest packets per tick and `cores` for the fewest cores, whatever populations meet on a core
    (share.py). None: latency where that takes at most SMALL cores, energy otherwise.
    """
    from chipsim.compiler.share import shared

    options = draft.options
    _bounds(draft)
    if options.objective in ("energy", "cores") and sharable(draft):
        return shared(draft, limits_for(draft), limited=False)
    try:
        spread_out = spread(draft)
    except FitError as misfit:
        if not sharable(draft) or any(d.code == "M201" for d in misfit.diagnostics):
            raise
        try:                                            # it may do if any neurons may share a core
            return shared(draft, limits_for(draft), limited=True)
        except FitError:
            raise misfit from None
    if options.objective is None and len(spread_out.cores) > SMALL and sharable(draft):
        return shared(draft, limits_for(draft), limited=False)
    return spread_out


def sharable(draft: Draft) -> bool:
    """Populations can be mixed freely: on chips without limits there is one core, and without delay order matters."""
    return draft.chip.core.delay.min > 0 and any(v is not None for v in limits(draft.chip).values())


def limits_for(draft: Draft) -> dict[str, int | None]:
    cap = limits(draft.chip)
    if draft.options.neurons_per_core is not None:
        cap = cap | {"neurons": min(draft.options.neurons_per_core, cap["neurons"] or 1 << 62)}
    return cap


def _bounds(draft: Draft) -> None:
    """Refuse large networks at once that have more neurons than the whole chip holds: cutting them takes a while."""
    per_core, sizes = limits_for(draft)["neurons"], [n.size for n in draft.nodes if not n.is_input]
    if per_core is None or sum(sizes) <= per_core * draft.chip.n_cores or sum(sizes) < MANY:
        return
    need = -(-sum(sizes) // per_core)
    rows = [Diagnostic("M202", f"population `{n.name}` takes at least {exact(-(-n.size // per_core))} cores of "
                       f"{draft.chip.name}, bound by neurons ({exact(n.size)} needed, {exact(per_core)} per core)",
                       file=n.population.origin, help=REMEDY["neurons"])
            for n in sorted((n for n in draft.nodes if not n.is_input), key=lambda n: -n.size)]
    raise FitError(_too_few(draft, need), *rows)


def _too_few(draft: Draft, need: int) -> Diagnostic:
    return Diagnostic("M203", f"network `{draft.network.name}` needs {need} cores, {draft.chip.name} has "
                      f"{draft.chip.n_cores} ({need - draft.chip.n_cores} too many)",
                      help="see the populations below; or a larger mesh: --set fabric.width=...")


def spread(draft: Draft) -> Draft:
    """Each population in its own order, on cores of its own unless the chip would run out of them."""
    chip, cap = draft.chip, limits_for(draft)
    demand = Demand(draft)
    misfits: list[Diagnostic] = []
    pieces: list[Piece] = []
    for i in _order(draft):
        pieces += _cut(draft, demand, i, cap, misfits)
    if misfits:
        raise FitError(*misfits)
    if all(v is None for v in cap.values()):
        return replace(draft, cores=(tuple(pieces),), merit={"cores": 1})
    pieces = _spread_outputs(draft, demand, pieces, cap, misfits)
    if misfits:
        raise FitError(*misfits)
    cores = [(p,) for p in pieces]
    if len(cores) > chip.n_cores:
        cores = _share(demand, cores, cap)
    if len(cores) > chip.n_cores:
        raise FitError(*_too_many(draft, demand, cores, cap))
    return replace(draft, cores=tuple(cores), merit={"cores": len(cores), "of": chip.n_cores, "objective": "latency"})


def _order(draft: Draft) -> list[int]:
    """Nodes with neurons, so that one that another reaches without delay comes before it."""
    ready = {i for i, n in enumerate(draft.nodes) if n.is_input}
    left = [i for i, n in enumerate(draft.nodes) if not n.is_input]
    before = {i: {c.pre for c in draft.connections if c.post == i and c.delay == 0} for i in left}
    order: list[int] = []
    while left:
        i = next((i for i in left if before[i] <= ready), left[0])
        left.remove(i)
        ready.add(i)
        order.append(i)
    return order


class Demand:
    """What neurons [first, stop) of a node need of a core."""

    def __init__(self, draft: Draft):
        self.draft, chip = draft, draft.chip
        self.packing, self.slots = chip.core.synapse_memory.packing, chip.core.neurons
        self.incoming = [[c for c in draft.connections if c.post == i] for i in range(len(draft.nodes))]
        self.outgoing = [[c for c in draft.connections if c.pre == i] for i in range(len(draft.nodes))]
        self.delay_bits = [int(np.ceil(np.log2(1 + max((c.delay - chip.core.delay.min for c in cs), default=0))))
                           for cs in self.incoming]
        self.configs = _config_codes(draft.nodes)

    def sources(self, piece: Piece) -> dict[int, np.ndarray]:
        """Source node -> its units that reach the piece."""
        found: dict[int, list] = {}
        for c in self.incoming[piece.node]:
            units = np.arange(c.weight.shape[1]) if c.is_dense else np.unique(_sources(c, piece))
            found.setdefault(c.pre, []).append(units)
        return {pre: np.unique(np.concatenate(parts)) for pre, parts in found.items()}

    def synapse_bits(self, piece: Piece) -> int:
        total = 0
        for c in self.incoming[piece.node]:
            if c.is_dense:
                n = np.full(c.weight.shape[1], piece.size)
            else:
                n = np.bincount(_sources(c, piece))
            total += int(axon_bits(self.packing, n[n > 0], dense=c.is_dense, weight_bits=c.bits,
                                   delay_bits=self.delay_bits[piece.node] + tag_bits(c), slots=self.slots).sum())
        return total

    def of(self, pieces: tuple[Piece, ...], resource: str) -> int:
        if resource == "neurons":
            return sum(p.size for p in pieces)
        if resource == "synapse_bits":
            return sum(self.synapse_bits(p) for p in pieces)
        if resource == "neuron_configs":
            return len(np.unique(np.concatenate([self.configs[p.node][p.rows] for p in pieces])))
        parts: dict[int, list] = {}
        for p in pieces:
            for pre, units in self.sources(p).items():
                parts.setdefault(pre, []).append(units)
        return sum(len(np.unique(np.concatenate(units))) for units in parts.values())


def _sources(c: Connection, piece: Piece) -> np.ndarray:
    """Units that the piece hears over a sparse connection, once per synapse."""
    if piece.units is not None:
        return c.weight[piece.units].indices
    return c.weight.indices[c.weight.indptr[piece.first] : c.weight.indptr[piece.stop]]


def _config_codes(nodes: tuple[Node, ...]) -> list[np.ndarray | None]:
    """Per node, int64[size]: equal where decays and refractory period are, Loihi's compartment configurations."""
    rows = [np.stack([np.broadcast_to(n.params.get(name, 0), n.size) for name in ("du", "dv", "refract")], axis=1)
            for n in nodes if not n.is_input]
    if not rows:
        return [None] * len(nodes)
    codes = np.unique(np.concatenate(rows), axis=0, return_inverse=True)[1].ravel()
    parts = iter(np.split(codes, np.cumsum([len(r) for r in rows])[:-1]))
    return [None if n.is_input else next(parts) for n in nodes]


MANY = 50_000   # neurons from which on it is worth asking first whether they fit at all
SMALL = 64      # cores up to which a network is laid out population by population unless told otherwise
LOCAL = ("neurons", "axons_in", "synapse_bits", "neuron_configs")


def _cut(draft: Draft, demand: Demand, i: int, cap: dict, misfits: list) -> list[Piece]:
    """Pieces of node i, each as long as the limits let it be."""
    node, pieces, first = draft.nodes[i], [], 0
    bound = [r for r in LOCAL if cap[r] is not None]
    while first < node.size:
        def fits(stop: int, first=first) -> bool:
            return all(demand.of((Piece(i, first, stop),), r) <= cap[r] for r in bound)

        if not fits(first + 1):
            piece = Piece(i, first, first + 1)
            for r in bound:
                if (need := demand.of((piece,), r)) > cap[r]:
                    misfits.append(_misfit(draft, i, f"neuron {first} alone needs", r, need, cap[r]))
            return pieces
        low, high = first + 1, min(node.size, first + (cap["neurons"] or node.size))
        while low < high:                               # demand grows with the piece: the last stop that fits
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(middle) else (low, middle - 1)
        pieces.append(Piece(i, first, low))
        first = low
    return pieces


def _misfit(draft: Draft, i: int, what: str, resource: str, need: int, have: int) -> Diagnostic:
    node = draft.nodes[i]
    return Diagnostic("M201", f"population `{node.name}` does not fit on {draft.chip.name}: {what} {exact(need)} "
                      f"{UNIT[resource]}, a core has {exact(have)} ({need / have:.1f} times as many)",
                      file=node.population.origin, help=REMEDY[resource])


def _out_axons(demand: Demand, pieces: list[Piece]) -> list[np.ndarray]:
    """Per node, int64[size]: how many pieces each of its units reaches."""
    reach = [np.zeros(n.size, np.int64) for n in demand.draft.nodes]
    for p in pieces:
        for pre, units in demand.sources(p).items():
            reach[pre][units] += 1
    return reach


def _spread_outputs(draft: Draft, demand: Demand, pieces: list[Piece], cap: dict, misfits: list) -> list[Piece]:
    """Halve pieces that make more packets than their core has out-axons, until none does."""
    if cap["axons_out"] is None:
        return pieces
    while True:
        reach = _out_axons(demand, pieces)
        result, changed = [], False
        for p in pieces:
            need = int(reach[p.node][p.first : p.stop].sum())
            if need <= cap["axons_out"]:
                result.append(p)
            elif p.stop - p.first == 1:
                misfits.append(_misfit(draft, p.node, f"neuron {p.first} alone needs", "axons_out", need,
                                       cap["axons_out"]))
                return pieces
            else:
                middle = (p.first + p.stop) // 2
                result += [Piece(p.node, p.first, middle), Piece(p.node, middle, p.stop)]
                changed = True
        pieces = result
        if not changed:
            return pieces


def _share(demand: Demand, cores: list[tuple[Piece, ...]], cap: dict) -> list[tuple[Piece, ...]]:
    """Put pieces together, each onto the first core that still has room for it."""
    reach = _out_axons(demand, [p for core in cores for p in core])
    shared: list[tuple[Piece, ...]] = []
    for core in sorted(cores, key=lambda c: -demand.of(c, "neurons")):
        for k, other in enumerate(shared):
            union = other + core
            if all(cap[r] is None or demand.of(union, r) <= cap[r] for r in LOCAL) and (
                    cap["axons_out"] is None
                    or sum(int(reach[p.node][p.rows].sum()) for p in union) <= cap["axons_out"]):
                shared[k] = union
                break
        else:
            shared.append(core)
    return shared


def _too_many(draft: Draft, demand: Demand, cores: list, cap: dict) -> list[Diagnostic]:
    """The network as a whole needs more cores than there are: what each population takes, and which limit binds."""
    rows = []
    for i, node in enumerate(draft.nodes):
        own = [p for core in cores for p in core if p.node == i]
        if not own:
            continue
        whole = (Piece(i, 0, node.size),)
        use = {r: max(demand.of((p,), r) / cap[r] for p in own) for r in LOCAL if cap[r]}
        binding = max(use, key=use.get)
        total = demand.of(whole, binding)
        rows.append((len(own), Diagnostic(
            "M202", f"population `{node.name}` takes {len(own)} cores of {draft.chip.name}, bound by {UNIT[binding]} "
            f"({exact(total)} needed, {exact(cap[binding])} per core)", file=node.population.origin,
            help=REMEDY[binding])))
    rows.sort(key=lambda r: -r[0])
    head = _too_few(draft, len(cores))
    return [head, *(d for _, d in rows)]
