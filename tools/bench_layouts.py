"""Chips full to the brim, for the benchmarks: layouts written down directly, as there is nothing to compile.

Every neuron of a `crowd` spikes now and then by itself, each with a period of its own; weights are as often positive as
negative and small beside the threshold, so that the rate does not depend on what they do.
"""
from __future__ import annotations

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.layout import SYNAPSE_FORMATS, Group, Layout, LayoutModel, LayoutPopulation
from chipsim.models.neurons.loihi_lif import PROFILES

KEEP, BIAS = dict(du=4095, dv=0, refract=1), 64
SETTLED = 400                           # ticks after which as many neurons spike in every tick, at 1 %


def crowd(chip: ChipSpec, neurons: int, axons: int, synapses: int, activity: float = 0.01, near: int | None = None,
          seed: int = 1) -> Layout:
    """Loihi's neurons on all cores of a chip: `neurons` and `axons` to a core, `synapses` random ones to an axon.

    activity  mean share of the neurons that spike in a tick
    near      an axon's source is at most so many routers away along each axis of a mesh; None: anywhere
    """
    rng, cores = np.random.default_rng(seed), chip.n_cores
    n, n_axons = cores * neurons, cores * axons
    own = np.repeat(np.arange(cores), axons)
    source = _near(rng, chip, own, near) * neurons + rng.integers(0, neurons, n_axons)
    order = np.argsort(source, kind="stable").astype(np.int32)
    period = rng.integers(round(0.5 / activity), round(1.5 / activity) + 1, n)
    params = {name: np.full(n, value, np.int32) for name, value in KEEP.items()}
    params |= dict(bias=np.full(n, BIAS, np.int32), vth=(BIAS * period - BIAS // 2).astype(np.int32))
    gap = neurons // synapses                                  # a row's targets ascend, one in each stretch of the core
    rows = np.arange(0, gap * synapses, gap, dtype=np.uint16)
    target, weight = np.empty((n_axons, synapses), np.uint16), np.empty((n_axons, synapses), np.int16)
    for part in np.array_split(np.arange(n_axons), max(1, n_axons * synapses >> 24)):
        some = slice(part[0], part[-1] + 1)
        target[some] = rows + rng.integers(0, gap, (len(part), synapses), np.uint16)
        weight[some] = rng.integers(0, 2, (len(part), synapses), np.int16) * 2 - 1
    return Layout(
        chip=chip, network="crowd", populations=(LayoutPopulation("all", (n,), False, 0, 0),), outputs=("all",),
        dt=None, cores=np.arange(cores, dtype=np.int32), core_start=np.arange(cores + 1, dtype=np.int64) * neurons,
        groups=tuple(Group(c, c * neurons, (c + 1) * neurons, 0, c * neurons) for c in range(cores)),
        models=(LayoutModel("loihi_lif", dict(PROFILES["loihi"])),), params=params,
        population_index=np.arange(n, dtype=np.int32),
        out_start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]).astype(np.int64), out_axon=order,
        axon_core=own.astype(np.int32), axon_start=np.arange(n_axons + 1, dtype=np.int64),
        segment_delay=np.ones(n_axons, np.int32), segment_bank=np.zeros(n_axons, np.uint8),
        segment_receptor=np.zeros(n_axons, np.uint8),
        segment_format=np.full(n_axons, SYNAPSE_FORMATS.index("sparse"), np.uint8),
        segment_start=np.arange(n_axons, dtype=np.int64) * synapses, segment_size=np.full(n_axons, synapses, np.int32),
        segment_slot=np.zeros(n_axons, np.int32), target=target.ravel(), weight=weight.ravel(),
        bank_shift=np.zeros(1, np.int32), first_input=None)


def _near(rng: np.random.Generator, chip: ChipSpec, core: np.ndarray, near: int | None) -> np.ndarray:
    """A random core for each of `core`, at most `near` routers away along each axis."""
    if near is None:
        return rng.integers(0, chip.n_cores, len(core))
    f = chip.fabric
    y, x = np.divmod(core // f.cores_per_router, f.width)
    x, y = (np.clip(at + rng.integers(-near, near + 1, len(core)), 0, size - 1)
            for at, size in ((x, f.width), (y, f.height)))
    return (y * f.width + x) * f.cores_per_router + rng.integers(0, f.cores_per_router, len(core))
