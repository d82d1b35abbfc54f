"""What a layout has to be, found the slow way: the network run without cores, and what cores hold counted one by one.

Nothing here asks the compiler what it counted. From it come the passes that decide about numbers (lower, retime, prune,
quantise): they are the network "in the chip's own arithmetic". Everything after them, what stands where and how it is
stored, is held against dense matrices and plain loops.
"""
from __future__ import annotations

from collections import Counter

import numpy as np

from chipsim.compiler.compile import draft_of
from chipsim.compiler.lowering.lower import lower, prune
from chipsim.compiler.lowering.quantise import quantise
from chipsim.compiler.lowering.retime import retime
from chipsim.engine.topology import plan_fabric
from chipsim.models.draws import Draws
from chipsim.models.kernels import find_kernel


def in_chip_numbers(network, chip, **options):
    """The Draft whose nodes and connections have the chip's numbers, and no core yet."""
    draft = draft_of(network, chip, **options)
    for step in (lower, retime, prune, quantise):
        draft = step(draft)
    return draft


def matrix(c) -> np.ndarray:
    """[post, pre]: a connection's weights."""
    return c.weight if isinstance(c.weight, np.ndarray) else c.weight.tocsr().toarray()


def stored(c) -> np.ndarray:
    """bool[post, pre]: where a connection has synapses."""
    if isinstance(c.weight, np.ndarray):
        return np.ones(c.weight.shape, bool)
    rows, held = c.weight.tocsr(), np.zeros(c.weight.shape, bool)
    for i in range(held.shape[0]):
        held[i, rows.indices[rows.indptr[i] : rows.indptr[i + 1]]] = True
    return held


# ---- the network without cores ----

def run_uncompiled(draft, spikes: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Population -> payloads [ticks, size]; spikes [ticks, lines], lines of all inputs in their order."""
    nodes, ticks = draft.nodes, len(spikes)
    kernels = [None if n.is_input else find_kernel(n.model).bound(n.options) for n in nodes]
    longest = max((c.delay for c in draft.connections), default=0)
    sums = [None if k is None else np.zeros((ticks + longest + 1, max(1, len(k.receptors)), n.size), k.accumulator)
            for n, k in zip(nodes, kernels, strict=True)]
    for (i, until), bias in draft.late_bias.items():
        sums[i][: min(until, ticks), 0] -= bias.astype(sums[i].dtype)
    params = [None if k is None else {name: np.asarray(n.params[name]).astype(dtype)
                                      for name, dtype in k.params.items()} for n, k in zip(nodes, kernels, strict=True)]
    state = [None if k is None else {
        name: params[i][k.initial[name]].astype(dtype) if name in k.initial else np.zeros(nodes[i].size, dtype)
        for name, dtype in k.state.items()} for i, k in enumerate(kernels)]
    out = {n.name: np.zeros((ticks, n.size)) for n in nodes}
    dense = [matrix(c) for c in draft.connections]
    first_line = np.cumsum([0] + [n.size for n in nodes if n.is_input])
    for t in range(ticks):
        inputs = iter(first_line)
        for i in _ready_first(draft):
            if nodes[i].is_input:
                first = next(inputs)
                payload = spikes[t, first : first + nodes[i].size]
            else:
                x = sums[i][t]
                draws = (Draws(seed, t, i, 0),) if kernels[i].random else ()
                payload, _ = kernels[i].step(state[i], params[i], nodes[i].options,
                                             x if len(kernels[i].receptors) > 1 else x[0], *draws)
            out[nodes[i].name][t] = payload
            for c, w in zip(draft.connections, dense, strict=True):
                if c.pre == i:
                    dtype = sums[c.post].dtype
                    arrives = w.astype(dtype) @ np.asarray(payload).astype(dtype)
                    shifted = arrives << c.bank_shift if c.bank_shift > 0 else arrives >> -c.bank_shift \
                        if c.bank_shift else arrives
                    sums[c.post][t + c.delay, c.receptor] += shifted
    return out


def _ready_first(draft) -> list[int]:
    """Nodes, so that those that are heard in the same tick come first; inputs in their own order."""
    order = [i for i, n in enumerate(draft.nodes) if n.is_input]
    while len(order) < len(draft.nodes):
        left = [i for i in range(len(draft.nodes)) if i not in order]
        order.append(next(i for i in left if not any(
            c.post == i and c.delay == 0 and c.pre in left for c in draft.connections)))
    return order


# ---- what the layout stores ----

def synapses_of_draft(draft) -> Counter:
    """(pre, unit, post, unit, delay, receptor, weight) -> how many, synapses of weight zero left out."""
    found: Counter = Counter()
    for c in draft.connections:
        w = matrix(c)
        for post, pre in np.argwhere(w != 0).tolist():
            found[draft.nodes[c.pre].name, pre, draft.nodes[c.post].name, post, c.delay, c.receptor, c.bank_shift,
                  float(w[post, pre])] += 1
    return found


def synapses_of_layout(layout) -> Counter:
    """The same, read off the layout's tables."""
    who = {}
    for p in layout.populations:
        for unit, number in enumerate(layout.neurons_of(p.name).tolist()):
            assert number not in who, "two units with one number"
            who[number] = p.name, unit
    assert sorted(who) == list(range(layout.n_sources)), "the way back misses a neuron"
    found: Counter = Counter()
    for s in range(layout.n_sources):
        for axon in layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]:
            base = int(layout.core_start[layout.axon_core[axon]])
            for g in range(layout.axon_start[axon], layout.axon_start[axon + 1]):
                first = int(layout.segment_start[g])
                for slot, w in zip(layout.slots_of(g), layout.weight[first : first + layout.segment_size[g]],
                                   strict=True):
                    if w:
                        found[*who[s], *who[base + int(slot)], int(layout.segment_delay[g]),
                              int(layout.segment_receptor[g]), int(layout.bank_shift[layout.segment_bank[g]]),
                              float(w)] += 1
    return found


# ---- what cores hold ----

def shares(c, chip) -> bool:
    """A convolution whose kernels the chip stores once."""
    return c.windows is not None and chip.core.synapse_memory.kernels == "shared"


def broken_limits(layout, draft, avoid=None) -> list[str]:
    """Every limit of the chip that the layout breaks, in words; none if it keeps them all."""
    chip, core = layout.chip, layout.chip.core
    need = {name: _COUNTS[name](layout, draft) for name in _COUNTS}
    have = dict(neurons=core.neurons, axons_in=core.axons_in, axons_out=core.axons_out,
                synapse_bits=core.synapse_memory.bits, neuron_configs=core.neuron_configs)
    wrong = [f"{name}: {max(need[name])} > {most}" for name, most in have.items()
             if most is not None and max(need[name], default=0) > most]
    wrong += [f"{name}: counted {need[name]}, reported {layout.usage[name].tolist()}" for name in have
              if layout.usage[name].tolist() != need[name]]
    places = layout.cores.tolist()
    if len(set(places)) != len(places) or not all(0 <= c < chip.n_cores for c in places):
        wrong.append(f"cores {places} of {chip.n_cores}")
    most_sent = np.diff(layout.out_start)[: layout.n_neurons].max(initial=0)
    if core.targets_per_neuron is not None and most_sent > core.targets_per_neuron:
        wrong.append(f"a neuron with {most_sent} target axons")
    held = [n.population.axon_delay for n in draft.nodes]
    delays = layout.segment_delay.tolist()
    if delays and not (core.delay.min <= min(delays) and max(delays) <= core.delay.max + max(held)):
        wrong.append(f"delays {min(delays)} to {max(delays)}")
    wrong += _two_axons_for_one_source(layout) if core.crossbar is None else _mixed_types(layout)
    if core.weights.sign == "source":
        wrong += _both_signs(layout)
    if layout.routing is not None:
        wrong += _lost_on_the_way(layout)
    if avoid is not None:
        wrong += [f"dead core {c}" for c in places if c in avoid.dead(chip.fabric)]
    return wrong


def _homes(layout) -> dict[str, np.ndarray]:
    """Population -> core (index into layout.cores) of each unit, by counting neurons."""
    return {p.name: np.searchsorted(layout.core_start, layout.neurons_of(p.name), side="right") - 1
            for p in layout.populations if not p.is_input}


def _neurons(layout, draft) -> list[int]:
    taken = np.zeros(layout.n_cores, np.int64)
    for node in draft.nodes:
        if not node.is_input:
            np.add.at(taken, _homes(layout)[node.name], 1 if node.circuits is None else node.circuits)
    for p in layout.populations[len(draft.nodes):]:                     # relays
        np.add.at(taken, _homes(layout)[p.name], 1)
    return taken.tolist()


def _axons_in(layout, draft) -> list[int]:
    """In-axons of each core: one for each source, or for so many channels of a pixel where these share one."""
    together = layout.chip.core.axon_channels or 1
    bundled = {c.pre: c.weight.in_shape for c in draft.connections if shares(c, layout.chip)} if together > 1 else {}
    home, found = _homes(layout), [set() for _ in range(layout.n_cores)]
    single = [set() for _ in range(layout.n_cores)]
    for c in draft.connections:
        post = draft.nodes[c.post].name
        if post not in home:
            continue
        for to, pre in np.argwhere(stored(c)).tolist():
            core = home[post][to]
            if shares(c, layout.chip) and c.pre in bundled:
                _, height, width = bundled[c.pre]
                channel, pixel = divmod(pre, height * width)
                found[core].add((c.pre, pixel, channel // together))
            else:
                single[core].add((c.pre, pre))
    if layout.chip.core.crossbar is not None:                           # every type and delay is an axon of its own
        return np.bincount(layout.axon_core, minlength=layout.n_cores).tolist()
    return [len(a) + len(b) for a, b in zip(found, single, strict=True)]


def _axons_out(layout, draft) -> list[int]:
    """Out-axons of each core: one for each core that a neuron reaches; channels of a pixel on one core share them."""
    together, home = layout.chip.core.axon_channels or 1, _homes(layout)
    if together == 1 or not any(shares(c, layout.chip) for c in draft.connections):
        sent = np.diff(layout.out_start)[: layout.n_neurons]
        return [int(sent[a:b].sum()) for a, b in zip(layout.core_start, layout.core_start[1:], strict=False)]
    found = [set() for _ in range(layout.n_cores)]
    image = {c.pre: c.weight.in_shape for c in draft.connections if shares(c, layout.chip)}
    for c in draft.connections:
        pre, post = draft.nodes[c.pre].name, draft.nodes[c.post].name
        for to, unit in np.argwhere(stored(c)).tolist() if pre in home else ():
            at = c.pre, unit
            if shares(c, layout.chip):
                channel, pixel = divmod(unit, image[c.pre][1] * image[c.pre][2])
                at = c.pre, "pixel", pixel, channel // together
            found[home[pre][unit]].add((home[post][to], *at))
    return [len(each) for each in found]


def _neuron_configs(layout, draft) -> list[int]:
    kinds = [layout.params.get(k, np.zeros(layout.n_neurons)) for k in ("du", "dv", "refract")]
    return [len(set(zip(*(k[layout.core_start[c] : layout.core_start[c + 1]].tolist() for k in kinds), strict=True)))
            for c in range(layout.n_cores)]


def _synapse_bits(layout, draft) -> list[int]:
    """Loihi: blocks of at most 64 synapses of an axon, a header of 10 bits, words of 64. Rows: three words and one for
    each synapse of an axon. A kernel that is shared stands once for each channel that reads it."""
    chip, home = layout.chip, _homes(layout)
    used = np.zeros(layout.n_cores, np.int64)
    packing = chip.core.synapse_memory.packing
    if packing == "none":
        return used.tolist()
    if packing == "arrays":
        return _array_bits(layout, draft)
    longest = {}
    for c in draft.connections:
        longest[c.post] = max(longest.get(c.post, 0), c.delay - c.axon_delay - chip.core.delay.min)
    slots = next(size for size in (6, 7, 8, 9, 10, 11, 12) if 2**size >= min(chip.core.neurons or 4096, 4096))
    for c in draft.connections:
        own = home[draft.nodes[c.post].name]
        weight_bits = next(b for b in (0, 1, 2, 3, 4, 5, 6, 8) if b >= min(c.bits, 8))
        bits = weight_bits + longest[c.post].bit_length() + (0 if c.is_dense or shares(c, chip) else slots)
        for core in range(layout.n_cores):
            held = stored(c)[own == core]
            if shares(c, chip):
                out, kernel = c.weight.out_shape, c.weight.weight.shape[2] * c.weight.weight.shape[3]
                channel = np.flatnonzero(own == core) // (out[1] * out[2])
                heard = held.reshape(len(held), c.weight.in_shape[0], np.prod(c.weight.in_shape[1:])).any(axis=2)
                lists = [len(set(channel[heard[:, k]].tolist())) * kernel for k in range(heard.shape[1])]
            else:
                lists = held.sum(axis=0).tolist()
            for n in lists:
                if packing == "rows":
                    used[core] += 32 * n + 96 if n else 0
                else:
                    used[core] += sum(-(-(min(64, n - k) * bits + 10) // 64) * 64 for k in range(0, n, 64))
    return used.tolist()


def _array_bits(layout, draft) -> list[int]:
    """Weights side by side, of a distributed kernel each piece's share, and a byte for every unit that the layer with
    most of them hears."""
    home, used = _homes(layout), np.zeros(layout.n_cores, np.int64)
    heard = [[set() for _ in draft.nodes] for _ in used]
    for c in draft.connections:
        for to, pre in np.argwhere(stored(c)).tolist():
            core = home[draft.nodes[c.post].name][to]
            heard[core][c.post].add((c.pre, pre))
            used[core] += c.bits if c.windows is None else 0
        for g in layout.groups:
            if c.windows is not None and g.population == c.post:
                used[g.core] += -(-c.weight.data.size * c.bits * (g.stop - g.start) // draft.nodes[c.post].size)
    return [int(n) + 8 * max(map(len, each)) for n, each in zip(used, heard, strict=True)]


_COUNTS = dict(neurons=_neurons, axons_in=_axons_in, axons_out=_axons_out, synapse_bits=_synapse_bits,
               neuron_configs=_neuron_configs)


def _two_axons_for_one_source(layout) -> list[str]:
    wrong = []
    for s in range(layout.n_sources):
        cores = layout.axon_core[layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]].tolist()
        if len(set(cores)) != len(cores):
            wrong.append(f"source {s} has two in-axons on a core")
    return wrong


def _mixed_types(layout) -> list[str]:
    """An in-axon of a crossbar has one type and one delay, and hears one source."""
    one = (np.diff(layout.axon_start) == 1).all() and len(set(layout.out_axon.tolist())) == len(layout.out_axon)
    one &= all(len(set(layout.slots_of(g).tolist())) == n for g, n in enumerate(layout.segment_size.tolist()))
    return [] if one and (layout.weight == 1).all() else ["in-axons of a crossbar are not of one kind"]


def _both_signs(layout) -> list[str]:
    signs: dict[int, set] = {}
    for (name, unit, *_, w) in synapses_of_layout(layout):
        signs.setdefault((name, unit), set()).add(w > 0)
    return [f"source {who} has both signs" for who, s in signs.items() if len(s) > 1]


def _lost_on_the_way(layout) -> list[str]:
    """Follow every key through the routers' tables: it comes to the cores of its out-axons, once each, no other."""
    tables, fabric = layout.routing, layout.chip.fabric
    plan = plan_fabric(fabric, layout.cores)
    most = fabric.router_entries
    wrong = [f"router {r} has {n} entries of {most}" for r, n in enumerate(tables.used.tolist()) if n > most]
    n_cores = layout.n_cores
    home = np.append(np.repeat(np.arange(n_cores), np.diff(layout.core_start)), np.full(layout.n_lines, n_cores))
    keys = [int(k) for s, k in enumerate(tables.source_key) if layout.out_start[s] < layout.out_start[s + 1]]
    if len(set(keys)) != len(keys):
        wrong.append("two sources with one key")
    for s in range(layout.n_sources):
        want = sorted(layout.axon_core[layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]].tolist())
        if want:
            got = _delivered(plan, tables, int(plan.router[home[s]]), int(tables.source_key[s]))
            if sorted(got) != want:
                wrong.append(f"source {s} reaches cores {sorted(got)}, should {want}")
    return wrong


def _delivered(plan, tables, router: int, key: int) -> list[int]:
    """Cores (indices) that a packet with a key comes to from a router."""
    at_port = {(int(plan.router[c]), int(plan.out_port[plan.eject[c]])): c for c in range(len(plan.router) - 1)}
    waiting, found, steps = [(router, -1)], [], 0
    while waiting and steps < 10_000:
        router, came = waiting.pop()
        steps += 1
        own = slice(int(tables.start[router]), int(tables.start[router + 1]))
        hit = [int(p) for k, m, p in zip(tables.key[own], tables.mask[own], tables.ports[own], strict=True)
               if key & int(m) == int(k)]
        for port in [came] if not hit else [p for p in range(64) if hit[0] >> p & 1]:
            link = int(plan.out_channel[router, port])
            if link >= 0:
                waiting.append((int(plan.to_router[link]), port))
            else:
                found.append(at_port[router, port])
    return found
