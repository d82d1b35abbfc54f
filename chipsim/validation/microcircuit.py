"""The cortical microcircuit of Potjans and Diesmann (Cerebral Cortex 24(3), 2014), laid out on a chip row by row.

77 169 neurons and about 300 million synapses under 1 mm2 of cortex: four layers, each with an excitatory and an
inhibitory population. Numbers, probabilities and parameters are those of the paper's table 5, at steps of 0.1 ms; the
background is a constant current of the Poisson input's mean. A network of matrices would take tens of gigabytes, so the
Layout is made directly: every core draws the synapses of its neurons and writes its rows.

Two things differ from the paper. A source's synapses on one core share their delay, as one row of one delay; the
distribution of delays over rows is the paper's. And the number of synapses between two populations is divided evenly
among the target's cores, where the paper divides it at random.
"""
from __future__ import annotations

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.layout import SYNAPSE_FORMATS, Group, Layout, LayoutModel, LayoutPopulation
from chipsim.compiler.partitioning.demand import limits
from chipsim.compiler.partitioning.packing import axon_bits
from chipsim.models.neurons import iaf_exp, lif_s1615
from chipsim.models.neurons.framework import read
from chipsim.network.graph import Population

NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)        # background synapses per neuron, 8 Hz each
PROBABILITY = np.array((                                           # row: target, column: source
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000),
    (0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443)))
DT = 1e-4
BACKGROUND_HZ = 8.0
TAU, TAU_SYN, CAPACITANCE = 10e-3, 0.5e-3, 250.0                   # s, s, pF
WEIGHT, SPREAD, INHIBITION = 87.8, 0.1, -4.0                       # pA for a PSP of 0.15 mV; std / mean; of the weight
DELAY, DELAY_SPREAD = (1.5e-3, 0.75e-3), 0.5                       # s, excitatory and inhibitory; std / mean
START, START_SPREAD = -58.0, 10.0                                  # mV
SHIFTS = (3, 5)                                                  # of the ring buffers, which hold 8 and 33 nA a tick


def microcircuit(chip: ChipSpec, scale: float = 1.0, seed: int = 1) -> Layout:
    """The circuit on a chip with ring buffers (`lif_s1615`), a population's neurons in order, core after core.

    scale  of the number of neurons of each population; the probabilities stay, so that in-degrees shrink with it
    """
    sizes = [max(1, round(n * scale)) for n in SIZES]
    per_core = chip.core.neurons or max(sizes)
    pieces = [(q, at, min(at + per_core, n)) for q, n in enumerate(sizes) for at in range(0, n, per_core)]
    first = np.concatenate([[0], np.cumsum(sizes)])
    draw = np.random.Generator(np.random.Philox(key=seed))
    registers, unit = _registers(sizes, scale, draw)
    rows = [_core_rows(draw, sizes, q, stop - start, unit) for q, start, stop in pieces]
    source, size, delay = (np.concatenate([r[i] for r in rows]) for i in (0, 1, 2))
    target, weight = (np.concatenate([r[i] for r in rows]) for i in (3, 4))
    n_axons = np.array([len(r[0]) for r in rows])
    bits = np.array([axon_bits(chip.core.synapse_memory.packing, r[1].astype(np.int64), dense=False, weight_bits=16,
                               delay_bits=0, slots=None).sum() for r in rows])
    del rows
    n, core_start = int(first[-1]), np.array([first[q] + start for q, start, _ in pieces] + [first[-1]], np.int64)
    reach = np.bincount(source, minlength=n)
    inhibits = (np.searchsorted(first, source, side="right") - 1) % 2
    return Layout(
        chip=chip, network="microcircuit", dt=DT, outputs=NAMES,
        populations=tuple(LayoutPopulation(name, (m,), False, int(at), 0)
                          for name, m, at in zip(NAMES, sizes, first[:-1], strict=True)),
        cores=np.arange(len(pieces), dtype=np.int32), core_start=core_start,
        groups=tuple(Group(c, int(first[q] + start), int(first[q] + stop), q, start)
                     for c, (q, start, stop) in enumerate(pieces)),
        models=(LayoutModel("lif_s1615", {}),), params=registers,
        population_index=np.concatenate([np.arange(m) for m in sizes]).astype(np.int32),
        out_start=np.concatenate([[0], np.cumsum(reach)]).astype(np.int64),
        out_axon=np.argsort(source, kind="stable").astype(np.int32),
        axon_core=np.repeat(np.arange(len(pieces), dtype=np.int32), n_axons),
        axon_start=np.arange(len(source) + 1, dtype=np.int64), segment_delay=delay,
        segment_bank=np.zeros(len(source), np.uint8), segment_receptor=inhibits.astype(np.uint8),
        segment_format=np.full(len(source), SYNAPSE_FORMATS.index("sparse"), np.uint8),
        segment_start=np.cumsum(size, dtype=np.int64) - size, segment_size=size,
        segment_slot=np.zeros(len(source), np.int32), target=target, weight=weight,
        bank_shift=np.zeros(1, np.int32), first_input=None, limits=limits(chip),
        usage={"neurons": np.diff(core_start), "axons_in": n_axons, "synapse_bits": bits,
               "axons_out": np.add.reduceat(reach, core_start[:-1]), "neuron_configs": np.ones(len(pieces), np.int64)})


def _registers(sizes: list[int], scale: float, draw: np.random.Generator
               ) -> tuple[dict[str, np.ndarray], tuple[float, float]]:
    """Parameters of the kernel [n], and the ring buffers' units in pA, excitatory and inhibitory."""
    parts, factor = [], 1.0
    for m, external in zip(sizes, EXTERNAL, strict=True):
        params = dict(tau=TAU, tau_exc=TAU_SYN, tau_inh=TAU_SYN, r=TAU * 1e3 / CAPACITANCE, v_leak=-65.0, v_reset=-65.0,
                      v_threshold=-50.0, refractory=2e-3, v_init=draw.normal(START, START_SPREAD, m),
                      i_e=WEIGHT * external * BACKGROUND_HZ * TAU_SYN)
        population = Population("", (m,), "iaf_exp", {k: np.asarray(v) for k, v in params.items()})
        part, factor = lif_s1615.registers(population, read(population, iaf_exp.parameters), DT)
        shifts = {f"shift_{k}": np.full(m, shift, np.int32) for k, shift in zip("ei", SHIFTS, strict=True)}
        parts.append(part | shifts)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined, tuple(2.0**shift / lif_s1615.ONE / factor for shift in SHIFTS)


def _core_rows(draw: np.random.Generator, sizes: list[int], q: int, n: int, unit: tuple[float, float]
               ) -> tuple[np.ndarray, ...]:
    """Rows of a core with n neurons of population q.

    (source int32[rows], synapses int32[rows], delay int32[rows], target uint16[synapses], weight int16[synapses])
    """
    sources, counts, delays, weights, at = [], [], [], [], 0
    for p, m in enumerate(sizes):
        kind, chance = p % 2, PROBABILITY[q, p]
        total = np.log1p(-chance) / np.log1p(-1.0 / (m * sizes[q])) if chance and m * sizes[q] > 1 else 0.0
        here = np.bincount(draw.integers(0, m, round(total * n / sizes[q])), minlength=m)
        there = np.flatnonzero(here)
        sources.append((at + there).astype(np.int32))
        counts.append(here[there].astype(np.int32))
        mean = DELAY[kind] / DT
        delays.append(np.maximum(np.rint(draw.normal(mean, DELAY_SPREAD * mean, len(there))), 1).astype(np.int32))
        mean = abs(INHIBITION if kind else 2.0 if (NAMES[q], NAMES[p]) == ("L23E", "L4E") else 1.0) * WEIGHT
        drawn = draw.standard_normal(int(here.sum()), np.float32) * (SPREAD * mean / unit[kind]) + mean / unit[kind]
        weights.append(np.clip(np.rint(drawn), 0, 2**15 - 1).astype(np.int16))
        at += m
    weight = np.concatenate(weights)
    return (np.concatenate(sources), np.concatenate(counts), np.concatenate(delays),
            draw.integers(0, n, len(weight), np.uint16), weight)
