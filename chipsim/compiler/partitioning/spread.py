"""Cut each population in its own order, on cores of its own unless the chip would run out of them."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Draft, Piece
from chipsim.compiler.partitioning.demand import LOCAL, RESOURCES, Demand, alone, limits_for
from chipsim.compiler.partitioning.misfits import takes, too_few, too_large
from chipsim.compiler.partitioning.tally import tally
from chipsim.compiler.partitioning.tiles import tileable, tiles
from chipsim.errors import Diagnostic, FitError

MANY = 64       # cores from which on what is left over of images shares cores
TRIES = 16      # cores whose union with another is counted before that one gets a core of its own
ADDED = ("neurons", "synapse_bits", "axons_out")        # what two cores together need of it is the sum
UNITED = ("axons_in", "neuron_configs")                 # at most the sum


def spread(draft: Draft) -> Draft:
    """Each population in its own order, on cores of its own unless the chip would run out of them."""
    chip, cap = draft.chip, limits_for(draft)
    demand = Demand(draft)
    misfits: list[Diagnostic] = []
    pieces: list[Piece] = []
    for i in draft.in_order():
        boxes = tiles(demand, i, cap) if tileable(demand, i, cap) else []
        pieces += boxes or _cut(draft, demand, i, cap, misfits)
    if misfits:
        raise FitError(*misfits)
    if all(v is None for v in cap.values()):
        return replace(draft, cores=(tuple(pieces),), merit={"cores": 1})
    pieces = _spread_outputs(draft, demand, pieces, cap, misfits)
    if misfits:
        raise FitError(*misfits)
    cores = [(p,) for p in pieces]
    images = any(c.windows for c in draft.connections)
    if images and draft.options.objective != "latency" and len(cores) > MANY:
        small = {core for core in cores if 2 * demand.of(core, "neurons") <= (cap["neurons"] or 0)}
        cores = [core for core in cores if core not in small] + _share(demand, cores, cap, small)
    if len(cores) > chip.n_cores:
        cores = _share(demand, cores, cap, set(cores))
    if len(cores) > chip.n_cores:
        raise FitError(*too_many(draft, demand, cores, cap))
    merit = {"cores": len(cores), "of": chip.n_cores, "objective": draft.options.objective or "latency"}
    return replace(draft, cores=tuple(cores), merit=merit)


def _cut(draft: Draft, demand: Demand, i: int, cap: dict, misfits: list) -> list[Piece]:
    """Pieces of node i, each as long as the limits let it be."""
    node, pieces, first, length = draft.nodes[i], [], 0, 1
    while first < node.size:
        def fits(stop: int, first=first) -> bool:
            return _fits(demand, (Piece(i, first, stop),), cap)

        if not fits(first + 1):
            misfits += alone(demand, i, first, cap)
            return pieces
        # demand grows with the piece: the last stop that fits, sought from the length of the piece before
        most = min(node.size, first + (cap["neurons"] or node.size))
        low, high, step = first + 1, most, 1
        middle = min(most, first + length)
        while low < high:
            if fits(middle):
                low, middle = middle, min(high, middle + step)
            else:
                high, middle = middle - 1, max(low, middle - step)
            step *= 2
            if low < high and not low < middle <= high:
                middle = (low + high + 1) // 2
        pieces.append(Piece(i, first, low))
        first, length = low, low - first
    return pieces


def _fits(demand: Demand, pieces: tuple[Piece, ...], cap: dict) -> bool:
    """Do the pieces keep all limits but that of out-axons on a core of their own? Synapses are looked at last."""
    if any(cap[r] is not None and demand.of(pieces, r) > cap[r] for r in ("neurons", "neuron_configs")):
        return False
    if cap["axons_in"] is None and cap["synapse_bits"] is None:
        return True
    found = demand.reach(pieces)
    return (cap["synapse_bits"] is None or found.bits <= cap["synapse_bits"]) and (
        cap["axons_in"] is None or demand.axons_in(pieces, found) <= cap["axons_in"])


def _spread_outputs(draft: Draft, demand: Demand, pieces: list[Piece], cap: dict, misfits: list) -> list[Piece]:
    """Halve pieces that make more packets than their core has out-axons, until none does."""
    if cap["axons_out"] is None:
        return pieces
    while True:
        need = tally(demand, tuple((p,) for p in pieces)).usage["axons_out"]
        if (need <= cap["axons_out"]).all():
            return pieces
        result = []
        for p, n in zip(pieces, need, strict=True):
            if n <= cap["axons_out"]:
                result.append(p)
            elif p.size == 1:
                misfits.append(too_large(draft, p.node, p.first, "axons_out", int(n), cap["axons_out"]))
                return pieces
            else:
                result += _halves(p)
        pieces = result


def _halves(p: Piece) -> list[Piece]:
    """Two pieces, the lower half of the neurons and the upper."""
    units, middle = p.indices, p.size // 2
    return [Piece.of(p.node, part) for part in (units[:middle], units[middle:])]


def _share(demand: Demand, cores: list[tuple[Piece, ...]], cap: dict, some: set) -> list[tuple[Piece, ...]]:
    """Put `some` of the cores together, each onto the first that still has room for it; those that are left.

    In-axons and configurations of two cores are at most their sum; where that is too much, the union is counted, of
    TRIES cores at most.
    """
    order = sorted((c for c in cores if c in some), key=lambda c: -demand.of(c, "neurons"))
    need = tally(demand, tuple(order)).usage
    used = {r: np.zeros(len(order), np.int64) for r in RESOURCES}
    shared: list[tuple[Piece, ...]] = []
    for i, core in enumerate(order):
        n, tries = len(shared), 0
        sums = {r: used[r][:n] + need[r][i] for r in RESOURCES}
        room = np.ones(n, bool)
        for r in ADDED:
            room &= cap[r] is None or sums[r] <= cap[r]
        for k in np.flatnonzero(room):
            union = shared[k] + core
            unsure = [r for r in UNITED if cap[r] is not None and sums[r][k] > cap[r]]
            if unsure and tries == TRIES:
                continue
            tries += bool(unsure)
            exactly = {r: demand.of(union, r) for r in unsure}
            if all(exactly[r] <= cap[r] for r in unsure):
                shared[k] = union
                for r in RESOURCES:
                    used[r][k] = exactly.get(r, sums[r][k])
                break
        else:
            shared.append(core)
            for r in RESOURCES:
                used[r][n] = need[r][i]
    return [_joined(core) for core in shared]


def _joined(core: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The core with one piece of each population: what is stored for two of them is stored for both."""
    units: dict[int, list] = {}
    for p in core:
        units.setdefault(p.node, []).append(p.indices)
    return core if len(units) == len(core) else tuple(
        Piece.of(node, np.sort(np.concatenate(parts))) for node, parts in units.items())


def too_many(draft: Draft, demand: Demand, cores: list, cap: dict) -> list[Diagnostic]:
    """The network as a whole needs more cores than there are: what each population takes, and which limit binds."""
    rows = []
    for i, node in enumerate(draft.nodes):
        own = [p for core in cores for p in core if p.node == i]
        if not own:
            continue
        whole = (Piece(i, 0, node.size),)
        need = tally(demand, tuple((p,) for p in own)).usage
        use = {r: int(need[r].max()) / cap[r] for r in LOCAL if cap[r]}
        binding = max(use, key=use.get)
        total = int(need[binding].sum()) if binding in ADDED else demand.of(whole, binding)
        by_number = -(-demand.of(whole, "neurons") // cap["neurons"]) if cap["neurons"] else 1
        rows.append((len(own), takes(draft, i, len(own), binding, total, cap[binding], own=by_number)))
    rows.sort(key=lambda r: -r[0])
    head = too_few(draft, len(cores))
    return [head, *(d for _, d in rows)]
