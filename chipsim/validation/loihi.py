"""Intel Loihi: its makers' table of energies and times (Davies et al. 2018, table 2), a trace of silicon, a benchmark.

The table is what `loihi` prices with, so most of it is restated: a case measures a figure from outside, as one would on
a board, by the difference between two runs that differ in one thing. Power on a board is compared for the keyword
spotter of Blouw et al. 2019, whose ticks per inference and spikes nobody published.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.avoid import Avoid
from chipsim.engine import simulate
from chipsim.engine.run import SYNOPS, A, Run
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.network.graph import Network
from chipsim.report.report import Report, report
from chipsim.validation.case import Case, golden
from chipsim.validation.loihi_keywords import KEYWORDS

TABLE = "davies2018, table 2"
PS = 1e-12
SILENT = dict(vth_mant=2**17 - 1)                 # a threshold out of reach
EVERY_TICK = dict(vth_mant=0, bias_mant=1)        # v = 1 > 0 in each tick
BUSY = dict(vth_mant=2**17 - 1, bias_mant=1, dv=4095)


@cache
def chip():
    return load_chip("loihi")


def account(network: Network, ticks: int = 10, **pins: tuple[int, ...]) -> tuple[Run, Report]:
    """Run a network whose populations are pinned to cores."""
    layout = compile(network, chip(), avoid=Avoid(pin=tuple(pins.items())), effort="fast")
    run = simulate(layout, ticks=ticks, record=(), record_packets=True)
    return run, report(run)


def slope(few: float, many: float, n_few: float, n_many: float) -> float:
    return (many - few) / (n_many - n_few)


@cache
def fan_out(targets: int) -> tuple[Run, Report]:
    """32 neurons that spike in every tick, each with synapses to `targets` neurons of one core, all of them busy."""
    net = NetworkBuilder(f"fan-out {targets}")
    net.add_population("sources", 32, "loihi_lif", **EVERY_TICK)
    net.add_population("targets", 1000, "loihi_lif", **BUSY)
    net.connect("sources", "targets", "sparse", weights=np.outer(np.arange(1000) < targets, np.ones(32)), delay=1)
    return account(net.build(), sources=(0,), targets=(1,))


def synop_energy() -> float:
    few, many = fan_out(100)[1].energy, fan_out(1000)[1].energy
    return slope(few.dynamic_J, many.dynamic_J, few.n_sops, many.n_sops)


def synop_time() -> float:
    """From the length of the ticks, all with the same packets; the synapse server is what takes longest in both."""
    (few, _), (many, _) = fan_out(100), fan_out(1000)
    synops = [int(run.counts[1:, [A[s] for s in SYNOPS]].sum()) for run in (few, many)]
    return slope(int(few.tick_ps[1:].sum()) * PS, int(many.tick_ps[1:].sum()) * PS, *synops)


@cache
def resting(n: int, busy: bool) -> tuple[Run, Report]:
    """n neurons on one core that do nothing, or update in every tick."""
    net = NetworkBuilder(f"{n} neurons")
    net.add_input("silence", 1)
    net.add_population("neurons", n, "loihi_lif", **(BUSY if busy else SILENT))
    net.connect("silence", "neurons", "dense", weights=1)
    return account(net.build(), neurons=(0,))


def update_energy(busy: bool) -> float:
    return slope(resting(24, busy)[1].energy.dynamic_J, resting(1024, busy)[1].energy.dynamic_J, 240, 10240)


def update_time(busy: bool) -> float:
    few, many = (int(resting(n, busy)[0].tick_ps.sum()) * PS for n in (24, 1024))
    return slope(few, many, 240, 10240)


@cache
def one_packet(core: int) -> tuple[float, float]:
    """(J, s) that a packet takes from core 0 to another, alone in the mesh; the difference to a run without it."""
    joules = []
    for params in (EVERY_TICK, BUSY):
        net = NetworkBuilder("one packet")
        net.add_population("source", 1, "loihi_lif", **params)
        net.add_population("target", 1, "loihi_lif", **BUSY)
        net.connect("source", "target", "dense", weights=1, delay=1)
        run, bill = account(net.build(), 2, source=(0,), target=(core,))
        joules.append(bill.energy.dynamic_J - bill.energy.by_component["synapse"].energy_J)
        if params is EVERY_TICK:
            sent, spikes = run.packets, int(run.counts[:, A["spike"]].sum())
    return (joules[0] - joules[1]) / spikes, float(np.min(sent["arrived_ps"] - sent["entered_ps"])) * PS


def core_at(column: int, row: int) -> int:
    f = chip().fabric
    return (row * f.width + column) * f.cores_per_router


def hop(which: int, column: int, row: int) -> float:
    """Energy (which = 0) or time (1) per link from tile (0, 0) to the tile at the far end of a row or column."""
    return (one_packet(core_at(column, row))[which] - one_packet(1)[which]) / (column + row)


def barrier(tiles: int) -> float:
    """What a tick lasts beyond the one idle update on each tile."""
    net = NetworkBuilder(f"{tiles} tiles")
    net.add_input("silence", 1)
    names = [f"n{i}" for i in range(tiles)]
    for name in names:
        net.add_population(name, 1, "loihi_lif", **SILENT)
        net.connect("silence", name, "dense", weights=1)
    run, _ = account(net.build(outputs=names), **{name: (4 * i,) for i, name in enumerate(names)})
    return float(run.tick_ps[0] - run.soma_ps.max() / run.ticks) * PS


@cache
def learning(n: int) -> tuple[Run, Report]:
    """n neurons that spike in every tick, each with plastic synapses to 100 others that do; pairwise STDP."""
    net = NetworkBuilder(f"stdp {n}")
    net.add_population("pre", n, "loihi_lif", **EVERY_TICK)
    net.add_population("post", 100, "loihi_lif", **EVERY_TICK)
    net.connect("pre", "post", "dense", weights=64, delay=1, plasticity=dict(
        dw="2^-4*x1*y0 - 2^-4*y1*x0", x1=dict(impulse=16, tau=10), y1=dict(impulse=16, tau=10)))
    return account(net.build(), pre=(0,), post=(1,))


def update_of(which: str) -> float:
    few, many = learning(20), learning(60)
    updates = [int(run.counts[:, A["learn_update"]].sum()) for run, _ in (few, many)]
    if which == "J":
        bills = [bill.energy.by_component["learning"].energy_J for _, bill in (few, many)]
        return slope(*bills, *updates)
    return slope(*(int(run.learning_ps.sum()) * PS for run, _ in (few, many)), *updates)


def silicon_trace() -> float:
    """Ticks in which voltage or spike differ from the probe of one neuron on a Loihi 2 chip."""
    with np.load(golden("loihi", "loihi_hw_lif_trace.npz")) as z:
        trace = dict(z)
    net = NetworkBuilder("one neuron")
    net.add_input("in", 1)
    net.add_population("lif", 1, "loihi_lif", du=trace["du"], dv=trace["dv"], vth_mant=trace["vth_mant"])
    net.connect("in", "lif", "dense", weights=float(trace["weight"]), format=dict(sign="excitatory"))
    stimulus = Stimulus.from_dense(trace["input"][:, None].astype(np.uint8))
    run = simulate(compile(net.build(), chip()), stimulus, ticks=len(trace["input"]), record=("lif", "lif.v"),
                   timing="none")
    spikes = np.zeros(run.ticks, bool)
    spikes[run.spikes["lif"][0]] = True
    lag = int(np.flatnonzero(trace["spikes"])[0] - np.flatnonzero(spikes)[0])
    n = run.ticks - lag
    voltage = np.where(spikes[:n], 128, run.states["lif", "v"][:n, 0])     # there the probe shows refractory 1 << 7
    return float(np.sum((voltage != trace["v_hw"][lag:]) | (spikes[:n] != trace["spikes"][lag:])))


def _table(name: str, workload: str, unit: str, published: float, measure, note: str = "") -> Case:
    return Case(name=name, workload=workload, unit=unit, published=published, tolerance=0.01, source=TABLE,
                basis="restated", measure=measure, note=note)


FAN = "32 neurons that spike in every tick, each with 100, then 1000 synapses on another core; the slope"
RESTING = "24, then 1024 neurons of one core over 10 ticks, {}; the slope"
PLASTIC = "20, then 60 neurons, each with 100 plastic synapses (pairwise STDP), all spiking in every tick; the slope"
CASES = (
    _table("energy of a synaptic operation", FAN, "J", 23.6e-12, synop_energy, "the table says that it is the least"),
    _table("time of a synaptic operation", FAN + " of the tick's length", "s", 3.5e-9, synop_time,
           "the table says that it is the most"),
    _table("energy of an active update", RESTING.format("all with a bias"), "J", 81e-12, lambda: update_energy(True)),
    _table("time of an active update", RESTING.format("all with a bias"), "s", 8.4e-9, lambda: update_time(True)),
    _table("energy of an inactive update", RESTING.format("at rest"), "J", 52e-12, lambda: update_energy(False)),
    _table("time of an inactive update", RESTING.format("at rest"), "s", 5.3e-9, lambda: update_time(False)),
    _table("energy of a spike within a tile", "one packet between two cores of a tile; with and without", "J", 1.7e-12,
           lambda: one_packet(1)[0]),
    _table("time of a spike within a tile", "one packet between two cores of a tile, alone", "s", 2.1e-9,
           lambda: one_packet(1)[1]),
    _table("energy of a hop east-west", "one packet over seven links of a row; per link", "J", 3.0e-12,
           lambda: hop(0, 7, 0)),
    _table("time of a hop east-west", "one packet over seven links of a row; per link", "s", 4.1e-9,
           lambda: hop(1, 7, 0)),
    _table("energy of a hop north-south", "one packet over three links of a column; per link", "J", 4.0e-12,
           lambda: hop(0, 0, 3)),
    _table("time of a hop north-south", "one packet over three links of a column; per link", "s", 6.5e-9,
           lambda: hop(1, 0, 3)),
    _table("barrier of 1 tile", "a tick with one idle neuron", "s", 113e-9, lambda: barrier(1)),
    _table("barrier of 32 tiles", "a tick with one idle neuron on each of 32 tiles", "s", 465e-9, lambda: barrier(32)),
    _table("energy of an STDP update", PLASTIC, "J", 120e-12, lambda: update_of("J")),
    _table("time of an STDP update", PLASTIC, "s", 6.1e-9, lambda: update_of("s")),
    Case(name="silicon trace of a neuron",
         workload="one neuron of a Loihi 2 chip over 1000 ticks: ticks in which voltage or spike differ",
         unit="ticks", published=0, tolerance=0, basis="predicted", measure=silicon_trace,
         source="NIR, Nat. Commun. 2024, lif_lava_loihi_fixed.csv"),
    *KEYWORDS,
)
