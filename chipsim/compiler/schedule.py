"""The schedule of a frame, on chips that run layer after layer without packets (time base `static_schedule`).

A layer is a population with all projections onto it. Every core that holds a piece of it multiplies all of that, sparse
matrices with their zeros and convolutions window by window, whatever its inputs are; meanwhile the activations it needs
from other cores come in over the mesh, copied where ways part, and neurons are updated. The three run side by side, so
that a layer takes the longest of them, after a start in which the farthest input and the pipeline of a core go by.
Layers follow one another, and so do frames. Nothing waits for anything by chance: the busiest link's time is a bound
that a schedule can meet, since wires are the only thing that activations share.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Piece
from chipsim.compiler.frame import Frame
from chipsim.compiler.partitioning.demand import Demand
from chipsim.engine.multicast import build_trees
from chipsim.engine.topology import FabricPlan, picoseconds, plan_fabric, walk


def schedule(draft: Draft) -> Draft:
    """Fill `frame`; nothing to do on chips without a static schedule."""
    chip = draft.chip
    if chip.schedule is None:
        return draft
    order = np.argsort(draft.places, kind="stable")                 # cores as the layout numbers them
    held: list[list[tuple[int, Piece]]] = [[] for _ in draft.nodes]
    home = [np.full(node.size, len(order)) for node in draft.nodes]
    for c, k in enumerate(order):
        for p in draft.cores[k]:
            held[p.node].append((c, p))
            home[p.node][p.rows] = c
    fabric, demand = plan_fabric(chip.fabric, np.sort(draft.places)), Demand(draft)
    cycle_ps, update_ps = picoseconds(chip.costs.matrix.time), picoseconds(chip.costs.neuron_active.time)
    per_flit = max(1, (chip.fabric.flit_bits or 0) // chip.fabric.packet_bits)
    layers = draft.in_order()
    work = np.zeros((len(layers), len(order)), np.int64)            # multiplications
    neurons, cycles, flits = np.zeros_like(work), np.zeros_like(work), np.zeros(fabric.n_channels, np.int64)
    bits, start, move = (np.zeros(len(layers), np.int64) for _ in range(3))
    for row, i in enumerate(layers):
        reached: dict[int, list[tuple[int, np.ndarray]]] = {}
        for c, p in held[i]:
            neurons[row, c] += p.size
            for connection in demand.incoming[i]:
                units, _ = demand.heard(connection, p)
                reached.setdefault(connection.pre, []).append((c, units))
                work[row, c] += _products(connection, p, len(units))
        bits[row] = max((c.bits for c in demand.incoming[i]), default=min(chip.schedule.operations))
        cycles[row] = -(-2 * work[row] // chip.schedule.operations[int(bits[row])])
        loads, way_ps = _moved(fabric, home, reached)
        flits += -(-loads // per_flit)
        move[row] = int((-(-loads // per_flit) * fabric.cycle).max(initial=0))
        start[row] = chip.schedule.fill * cycle_ps + way_ps
    parts = np.stack([cycles.max(axis=1) * cycle_ps, move, neurons.max(axis=1) * update_ps, start], axis=1)
    frame = Frame(np.array(layers, np.int32), bits.astype(np.int32), (neurons > 0).sum(axis=1).astype(np.int32),
                  2 * work.sum(axis=1), cycles.sum(axis=1), parts, cycles.sum(axis=0), flits)
    return replace(draft, frame=frame, merit={"frame_s": frame.length_ps * 1e-12, "layers": len(layers)})


def _products(c: Connection, piece: Piece, n_heard: int) -> int:
    """Multiplications for a piece that hears so many units: all of them by all of its neurons, but in a convolution
    those of the windows, and with one source for each neuron that one."""
    fan_in = c.fan_in[piece.rows]
    return int(fan_in.sum()) if c.windows or fan_in.max(initial=0) <= 1 else n_heard * piece.size


def _moved(fabric: FabricPlan, home: list[np.ndarray],
           reached: dict[int, list[tuple[int, np.ndarray]]]) -> tuple[np.ndarray, int]:
    """(activations int64[K] over each channel, ps of the longest way) of one layer's inputs.

    home     per node, core of each unit; the host's port for inputs
    reached  source node -> cores, and its units that each needs
    """
    endpoint, start, target, count = [], [0], [], []
    for node, cores in reached.items():
        for at, to, n in _alike(home[node], cores, len(fabric.cores)):
            endpoint.append(at)
            target.append(to)
            start.append(start[-1] + len(to))
            count.append(n)
    if not endpoint:
        return np.zeros(fabric.n_channels, np.int64), 0
    source, targets = np.array(endpoint), np.concatenate(target)
    loads = build_trees(fabric, source, np.array(start), targets).loads(fabric, source, np.array(count))
    pairs = np.unique(np.repeat(source, np.diff(start)) * fabric.n_channels + targets)
    source, targets = np.divmod(pairs, fabric.n_channels)
    way = fabric.latency[fabric.inject[source]] + fabric.latency[fabric.eject[targets]]
    for channel, moving in walk(fabric, source, targets):
        way[moving] += fabric.latency[channel]
    return loads, int(way.max())


def _alike(home: np.ndarray, cores: list[tuple[int, np.ndarray]],
           n_cores: int) -> Iterator[tuple[int, np.ndarray, int]]:
    """(core, other cores that need them, how many) of units that stand on one core and are needed by the same ones."""
    needed = np.zeros((len(home), -(-(n_cores + 1) // 8)), np.uint8)
    for c, units in cores:
        needed[units, c >> 3] |= np.uint8(1 << (c & 7))
    needed[np.arange(len(home)), home >> 3] &= ~(np.uint8(1) << (home & 7).astype(np.uint8))     # it is there already
    words = np.zeros((len(home), -(-needed.shape[1] // 8) * 8), np.uint8)
    words[:, : needed.shape[1]] = needed
    kind = home.astype(np.int64)
    for word in words.view(np.uint64).T:                    # word by word: rows as a whole sort ten times as slowly
        if word.any():
            values, code = np.unique(word, return_inverse=True)
            kind = np.unique(kind * len(values) + code, return_inverse=True)[1]
    _, first, count = np.unique(kind, return_index=True, return_counts=True)
    for unit, n in zip(first, count, strict=True):
        if needed[unit].any():
            yield int(home[unit]), np.flatnonzero(np.unpackbits(needed[unit], bitorder="little")), int(n)
