"""A plain evaluator of networks: every population in turn, every tick, with matrices. For tests of importers only."""
from __future__ import annotations

import numpy as np

from chipsim.models.neurons import framework_models
from chipsim.models.neurons.affine import Affine
from chipsim.network.graph import Network
from chipsim.network.linear import fold


def evaluate(network: Network, x: np.ndarray, states: bool = False) -> dict[str, np.ndarray]:
    """What every population emits: name -> float64[T, B, size], for inputs x[T, B, lines] of all input populations.

    `states` adds "name.v", the membrane after each tick.
    """
    ticks, batch = x.shape[:2]
    maps = [(q, fold(q.ops, network.populations[q.pre].shape)) for q in network.projections]
    prompt = {(q.pre, q.post) for q, f in maps if min(f.maps, default=1) + q.delay == 0}
    order: list[str] = []
    while len(order) < len(network.populations):
        order.append(next(n for n in network.populations
                          if n not in order and all(a in order for a, b in prompt if b == n)))
    emitted = {n: np.zeros((ticks, batch, p.size)) for n, p in network.populations.items()}
    voltages = {f"{n}.v": np.zeros_like(e) for n, e in emitted.items()}
    first = 0
    for name in network.inputs:
        size = network.populations[name].size
        emitted[name][:] = x[:, :, first : first + size]
        first += size
    assert first == x.shape[2]
    params = {n: framework_models[p.model].discretise(p, network.dt) | {"bias": np.zeros(p.size)}
              for n, p in network.populations.items() if p.model != "input"}
    state = {n: {"i": np.zeros((batch, p.size)), "v": np.zeros((batch, p.size)),
                 "wait": np.zeros((batch, p.size), np.int32)} for n, p in network.populations.items()}
    for t in range(ticks):
        for name in order:
            if name not in params:
                continue
            a = np.zeros((batch, network.populations[name].size))
            for q, f in maps:
                if q.post != name:
                    continue
                for d, m in f.maps.items():
                    if t >= d + q.delay:
                        a += (m @ emitted[q.pre][t - d - q.delay].T).T
                if t >= q.delay:
                    a += f.bias - sum(late for d, late in f.late_bias.items() if t - q.delay < d)
            emitted[name][t] = Affine.step(state[name], params[name], {}, a)[0]
            voltages[f"{name}.v"][t] = state[name]["v"]
    return emitted | voltages if states else emitted
