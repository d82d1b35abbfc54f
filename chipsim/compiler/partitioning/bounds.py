"""What a large network needs of a chip at the least, from counts alone: what cannot fit is said before anything is cut.

Neurons, configurations, synapse memory and out-axons have lower bounds. In-axons are a union, which has none that is
cheap and tells much; there a sample of cores is filled, and what is far from fitting is refused.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Piece
from chipsim.compiler.lowering.registers import configured
from chipsim.compiler.lowering.weights import weight_bits
from chipsim.compiler.partitioning.demand import Demand, limits_for
from chipsim.compiler.partitioning.misfits import REMEDY, more_cores, takes, too_few, too_large
from chipsim.compiler.partitioning.sample import unheard
from chipsim.errors import Diagnostic, FitError
from chipsim.figures import exact

MANY = 50_000           # neurons from which on it is worth asking first whether they fit at all
MANY_SYNAPSES = 10_000_000
ROUNDS = 3              # in which a sampled core is filled
TRIES = 16              # neurons that do not fit before a round ends
FAR = 3                 # a sample that needs so many times the chip's cores is believed


def screen(draft: Draft) -> Draft:
    """Refuse what shows not to fit before it is quantised and cut up: FitError with everything, per population and
    resource. Small networks pass: they are cut up in less time than it takes to guess."""
    size = sum(n.size for n in draft.nodes if not n.is_input)
    if size < MANY and sum(c.n_synapses for c in draft.connections) < MANY_SYNAPSES:
        return draft
    as_stored = replace(draft, nodes=tuple(configured(draft, n) for n in draft.nodes),
                        connections=tuple(replace(c, bits=weight_bits(draft, c)) for c in draft.connections))
    return replace(draft, merit={"cores_at_least": refuse_misfits(as_stored)})


def refuse_misfits(draft: Draft) -> int:
    """Cores that the network takes at the least. FitError if they, or a core, are not enough."""
    cap, demand, core = limits_for(draft), Demand(draft), draft.chip.core
    counts = _counts(demand)
    most, too_many = cores_at_least(demand, cap, counts)
    misfits = too_large_alone(demand, cap, counts[0]) + too_many
    vanishing = core.crossbar is not None or core.analog is not None    # there a small weight is no synapse
    neurons = sum(demand.of((_whole(draft, i),), "neurons") for i in _nodes(draft))
    if misfits and (not vanishing or cap["neurons"] and neurons > cap["neurons"] * draft.chip.n_cores):
        raise FitError(*misfits)
    if cap["axons_in"] and not vanishing and not any(c.windows for c in draft.connections):
        held, n_cores = _sampled(demand, _nodes(draft), cap), draft.chip.n_cores
        if neurons > FAR * held * n_cores:
            raise FitError(Diagnostic(
                "M203", f"network `{draft.network.name}` needs about {exact(neurons // held)} cores, "
                f"{draft.chip.name} has {exact(n_cores)}: {exact(cap['axons_in'])} input axons serve about "
                f"{exact(held)} of its neurons, in a sample of 8 cores",
                help=f"{REMEDY['axons_in']}; or more cores: {more_cores(draft.chip, neurons // held)}"))
    return most


def cores_at_least(demand: Demand, cap: dict, counts: tuple | None = None) -> tuple[int, list[Diagnostic]]:
    """Cores that the network takes at the least, and, if the chip has fewer, M203 with M202 for every population and
    resource. counts: those of the connections, where they are known."""
    draft = demand.draft
    nodes, n_cores = _nodes(draft), draft.chip.n_cores
    fan_out, bits = counts or _counts(demand)
    need = {name: np.zeros(len(draft.nodes), np.int64) for name in ("neurons", "neuron_configs", "synapse_bits",
                                                                   "axons_out")}
    for i in nodes:
        need["neurons"][i] = demand.of((_whole(draft, i),), "neurons")
        need["neuron_configs"][i] = len(np.unique(demand.configs[i]))
        need["synapse_bits"][i] = bits[i]
        need["axons_out"][i] = 0 if fan_out[i] is None else _packets(fan_out[i], cap["neurons"]).sum()
    total = {name: int(each.sum()) for name, each in need.items()}
    total["neuron_configs"] = len(np.unique(np.concatenate([demand.configs[i] for i in nodes])))
    cores = {name: -(-total[name] // cap[name]) for name in need if cap[name]}
    most = max(cores.values(), default=0)
    if most <= n_cores:
        return most, []
    rows = []
    for name, i in ((name, i) for name in cores if cores[name] > n_cores for i in nodes if need[name][i]):
        own = -(-int(need["neurons"][i]) // cap["neurons"]) if cap["neurons"] else 1
        fewest = -(-int(need[name][i]) // cap[name])
        rows.append((fewest, takes(draft, i, fewest, name, int(need[name][i]), cap[name], own=own, least=True)))
    return most, [too_few(draft, most, least=True), *(d for _, d in sorted(rows, key=lambda row: -row[0]))]


def _nodes(draft: Draft) -> list[int]:
    return [i for i, n in enumerate(draft.nodes) if not n.is_input]


def _whole(draft: Draft, i: int) -> Piece:
    return Piece(i, 0, draft.nodes[i].size)


def _counts(demand: Demand) -> tuple[list[np.ndarray | None], np.ndarray]:
    """Per node: targets of each unit (None: not counted, kernels are shared), the fewest bits that its synapses
    take."""
    nodes = demand.draft.nodes
    fan_out: list[np.ndarray | None] = [np.zeros(n.size, np.int64) for n in nodes]
    bits = np.zeros(len(nodes), np.int64)
    for post in range(len(nodes)):
        whole = _whole(demand.draft, post)
        reached: dict[int, np.ndarray] = {}
        for c in demand.incoming[post]:
            if c.windows and demand.kernels != "unrolled":
                bits[post] += demand.bits(c, whole, np.zeros(0, np.int64))
                fan_out[c.pre] = None
                continue
            units, synapses = _heard(demand, c, whole)
            bits[post] += demand.bits(c, whole, synapses)
            once = reached.setdefault(c.pre, np.zeros(nodes[c.pre].size, np.int64))
            once[units] = np.maximum(once[units], synapses)
        for pre, targets in reached.items():
            if fan_out[pre] is not None:
                fan_out[pre] += targets
    return fan_out, bits


def _heard(demand: Demand, c: Connection, whole: Piece) -> tuple[np.ndarray, np.ndarray]:
    """As `Demand.heard` of the whole population; windows are not written out for it."""
    if not c.windows:
        return demand.heard(c, whole)
    units = np.flatnonzero(c.windows.fan_out)
    return units, c.windows.fan_out[units]


def _packets(fan_out: np.ndarray, per_core: int | None) -> np.ndarray:
    """int64[.]: out-axons that neurons with so many targets need at the least."""
    return -(-fan_out // per_core) if per_core else (fan_out > 0).astype(np.int64)


def too_large_alone(demand: Demand, cap: dict, fan_out: list[np.ndarray | None] | None = None) -> list[Diagnostic]:
    """M201 per population and resource for the neuron that needs most of it, if that is too much.

    fan_out  per node, int64[size] targets of each neuron, where they are known
    """
    misfits = []
    for i, node in enumerate(demand.draft.nodes):
        if node.is_input:
            continue
        fan_in = sum((c.fan_in for c in demand.incoming[i]), np.zeros(node.size, np.int64))
        worst = int(np.argmax(fan_in))
        need = {name: (worst, demand.of((Piece(i, worst, worst + 1),), name))
                for name in ("axons_in", "synapse_bits") if cap[name] is not None}
        if cap["axons_out"] is not None and fan_out and fan_out[i] is not None:
            widest = int(np.argmax(fan_out[i]))
            need["axons_out"] = widest, int(_packets(fan_out[i][widest : widest + 1], cap["neurons"])[0])
        misfits += [too_large(demand.draft, i, unit, name, n, cap[name])
                    for name, (unit, n) in need.items() if n > cap[name]]
    return misfits


def _sampled(demand: Demand, nodes: list[int], cap: dict) -> int:
    """Neurons on the median one of eight cores, each filled from a neuron drawn by lot with those that ask for the
    fewest new in-axons."""
    draft = demand.draft
    sizes = np.array([draft.nodes[i].size for i in nodes])
    first = np.cumsum(sizes) - sizes
    rng = np.random.Generator(np.random.Philox(draft.options.seed))
    members = [[int(v)] for v in rng.integers(0, sizes.sum(), 8)]
    heard = [np.zeros(n.size, np.uint8) for n in draft.nodes]
    axons = [0] * 8
    for k, own in enumerate(members):
        axons[k] = _hear(demand, nodes, first, heard, k, own[0], 1 << 62)
    per_core = min(cap["neurons"] or 1 << 62, int(sizes.sum()))
    for turn in range(1, ROUNDS + 1):
        new = np.zeros((int(sizes.sum()), 8), np.int32)
        for at, i in zip(first, nodes, strict=True):
            part = new[at : at + draft.nodes[i].size]
            for c in demand.incoming[i]:
                if c.is_dense:
                    part += np.array([c.weight.shape[1] - np.count_nonzero(heard[c.pre] >> k & 1) for k in range(8)],
                                     np.int32)
                else:
                    unheard(*c.rows, heard[c.pre], part)
        for k, own in enumerate(members):
            asked = new[:, k]
            asked[own] = np.iinfo(np.int32).max
            few = min(len(asked) - 1, per_core)
            near = np.argpartition(asked, few)[: few + 1]
            refused = 0
            for v in near[np.argsort(asked[near], kind="stable")].tolist():
                if asked[v] == np.iinfo(np.int32).max or len(own) >= per_core or refused == TRIES:
                    break
                taken = _hear(demand, nodes, first, heard, k, v, cap["axons_in"] * turn // ROUNDS - axons[k])
                if taken < 0:
                    refused += 1
                else:
                    axons[k] += taken
                    own.append(v)
    return max(1, int(np.median([len(own) for own in members])))


def _hear(demand: Demand, nodes: list[int], first: np.ndarray, heard: list[np.ndarray], k: int, v: int,
          room: int) -> int:
    """Core k hears what neuron v hears; in-axons that it takes for that, -1 if they are more than there is room for."""
    at = int(np.searchsorted(first, v, side="right")) - 1
    row = v - int(first[at])
    reads = []
    for c in demand.incoming[nodes[at]]:
        indptr, indices = c.rows
        units = np.arange(c.weight.shape[1]) if c.is_dense else indices[indptr[row] : indptr[row + 1]]
        reads.append((heard[c.pre], units[heard[c.pre][units] >> k & 1 == 0]))
    taken = sum(len(units) for _, units in reads)
    if taken > room:
        return -1
    for sources, units in reads:
        sources[units] |= np.uint8(1 << k)
    return taken
