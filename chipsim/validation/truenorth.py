"""IBM TrueNorth against the published power of the whole chip (Akopyan et al. 2015, Merolla et al. 2014).

The makers' benchmark networks: all 4096 cores with 256 neurons, every neuron's target a random axon of a random core,
crossbars with a given number of random synapses per axon, neurons that fire at a given mean rate. Such a network is
laid out already, so the Layout is written down directly. The energies of a spike and of a synaptic event, static power
and its voltage law were fitted on these powers.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.chip.spec import ChipSpec
from chipsim.compiler.layout import Group, Layout, LayoutModel, LayoutPopulation
from chipsim.engine import simulate
from chipsim.report.report import Report, report
from chipsim.validation.case import Case

POOL = 1 << 16                          # different random rows; 1 M axons draw theirs from them
RANDOM_BITS = 3                         # of the threshold


def random_network(chip: ChipSpec, hz: float, synapses: int, seed: int = 1) -> Layout:
    """All cores of a crossbar chip full of neurons that fire at `hz`, each axon with `synapses` random synapses.

    A neuron gains `lam` a tick and loses its threshold at a spike, a random number of 3 bits included, so its mean rate
    is lam / mean threshold. Axons of even number excite by 1, odd ones inhibit by 1: on average input changes nothing.
    The rows of the crossbars are drawn from POOL random ones.
    """
    rng = np.random.default_rng(seed)
    core = chip.core
    cores, size, rows = chip.n_cores, core.neurons or 0, core.axons_in or 0
    n = cores * size
    lam = 0 if hz == 0 else 20 if hz < 100 else 200
    ticks_per_spike = 1 / (hz * chip.tick.period) if hz and chip.tick else np.inf
    alpha = round(lam * ticks_per_spike - (2**RANDOM_BITS - 1) / 2) if hz else 2**18 - 1
    of_all = dict(s0=1, s1=-1, lam=lam, alpha=alpha, beta=2**18 - 1, tm=RANDOM_BITS if hz else 0, gamma=1)
    model = LayoutModel("truenorth", {})
    params = {name: np.full(n, of_all.get(name, 0), dtype) for name, dtype in model.kernel.params.items()}
    params["v0"] = rng.integers(0, alpha + 4 if hz else 1, n, dtype=np.int32)
    pool = np.sort(rng.permuted(np.tile(np.arange(size, dtype=np.uint16), (POOL, 1)), axis=1)[:, :synapses], axis=1)
    axons = cores * rows
    population = LayoutPopulation("neurons", (n,), False, 0, 0)
    return Layout(
        chip=chip, network=f"{hz:g} Hz x {synapses} synapses", populations=(population,), outputs=("neurons",), dt=None,
        cores=np.arange(cores, dtype=np.int32), core_start=np.arange(cores + 1, dtype=np.int64) * size,
        groups=tuple(Group(c, c * size, (c + 1) * size, 0, c * size) for c in range(cores)), models=(model,),
        params=params, population_index=np.arange(n, dtype=np.int32),
        out_start=np.arange(n + 1, dtype=np.int64), out_axon=rng.permutation(axons)[:n].astype(np.int32),
        axon_core=np.repeat(np.arange(cores, dtype=np.int32), rows), axon_start=np.arange(axons + 1, dtype=np.int64),
        segment_delay=np.ones(axons, np.int32), segment_bank=np.zeros(axons, np.uint8),
        segment_receptor=(np.arange(axons) % 2).astype(np.uint8), segment_format=np.zeros(axons, np.uint8),
        segment_start=rng.integers(0, POOL, axons) * synapses, segment_size=np.full(axons, synapses, np.int32),
        segment_slot=np.zeros(axons, np.int32), target=pool.ravel(), weight=np.ones(pool.size, np.int16),
        bank_shift=np.zeros(1, np.int32), first_input=None)


@cache
def account(volts: float, hz: float, synapses: int, ticks: int) -> Report:
    """Every packet at every hop."""
    chip = load_chip("truenorth", set=(f"voltage={volts} V",))
    return report(simulate(random_network(chip, hz, synapses), ticks=ticks, record=()))


def power(volts: float, hz: float, synapses: int, ticks: int) -> float:
    return account(volts, hz, synapses, ticks).energy.mean_power_W or 0.0


def mean_hops() -> float:
    return account(0.8, 20.07, 128, 10).traffic.mean_hops or 0.0


def sops_per_second() -> float:
    bill = account(0.75, 20, 128, 10)
    return bill.energy.n_sops / bill.latency.total_s if bill.latency else 0.0


def _power(volts: float, hz: float, synapses: int, published: float, source: str, ticks: int = 10,
           full: bool = False) -> Case:
    what = f"{hz:g} Hz x {synapses} synapses at {volts:g} V" if hz else f"no spikes, at {volts:g} V"
    return Case(name=f"power, {what}", workload=f"all 4096 cores, random crossbars and targets, {ticks} ticks of 1 ms",
                unit="W", published=published, tolerance=0.08, source=source, basis="fitted", full=full,
                measure=lambda: power(volts, hz, synapses, ticks))


FIGURE = "akopyan2015, fig. 17"
CASES = (
    _power(0.70, 0, 0, 42e-3, "akopyan2015, lowest corner"),
    _power(0.80, 11.58, 128, 68e-3, FIGURE),
    _power(0.80, 20.07, 128, 71e-3, FIGURE),
    _power(0.80, 95.93, 128, 94e-3, FIGURE, ticks=4),
    _power(0.75, 20, 128, 65e-3, "akopyan2015, headline"),
    _power(0.775, 20, 128, 72e-3, "merolla2014, headline"),
    _power(0.75, 216, 256, 145e-3, "akopyan2015, peak: 58 GSOPS at 400 GSOPS/W", ticks=3),
    _power(1.05, 200, 256, 323e-3, "akopyan2015, highest corner", ticks=3),
    Case(name="mean hops", workload="as above, 20.07 Hz x 128 synapses", unit="hops", published=42.7, tolerance=0.01,
         source="akopyan2015: 21.3 cores away along each dimension", basis="predicted", measure=mean_hops),
    Case(name="synaptic operations per second", workload="as above, 20 Hz x 128 synapses at 0.75 V", unit="Hz",
         published=2.684e9, tolerance=0.01, source="2^20 neurons x 20 Hz x 128 synapses", basis="predicted",
         measure=sops_per_second, note="the headline 46 GSOPS/W does not follow from its own 65 mW: that is 41.3"),
)
