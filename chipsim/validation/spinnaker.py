"""SpiNNaker against the measured power of small networks on two boards (Ostrau et al. 2022, data of SNABSuite).

Every network is simulated for a shorter time than on the board, as power is a rate: `TICKS` of the chip's 1 ms, from
one tick to the next the same but for the Poisson input. The energies of `spinnaker` were fitted on the four-chip board;
`spinnaker48` has them unchanged, with the idle power of its own board, so that its rows are predictions. Besides the
board's power, which is mostly idle, each network has a row for the power above idle, where an error can be seen.

The cortical microcircuit of Potjans and Diesmann at full scale (microcircuit.py) ran on SpiNNaker twice: on 6 boards at
a twentieth of real time (van Albada et al., Frontiers in Neuroscience 12, 2018) and on 12 in real time (Rhodes et al.,
Philosophical Transactions A 378, 2020). Here it is simulated once, at timing `none`, and priced with the idle power of
either system; rates and energies are those of the time after the start has died down.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import Run
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.network.graph import Network
from chipsim.report.cost import price
from chipsim.report.report import report
from chipsim.validation.case import Case
from chipsim.validation.microcircuit import DT, NAMES, SIZES, microcircuit

TICKS = 200
SOURCE = "ostrau2022, SNABSuite results"
SILENT = dict(v_thresh=0.0, i_offset=1e-3)           # out of reach
EVERY_TICK = dict(v_thresh=-70.0, i_offset=1e-3, tau_refrac=0.0)    # below the resting potential
WEIGHT = 1.0                                         # of the ring buffer's unit: no target fires

Workload = tuple[Network, Stimulus | None]


def _net(name: str) -> NetworkBuilder:
    return NetworkBuilder(name, dt=1e-3)


def _alone(neuron: dict[str, float]) -> Workload:
    net = _net("neurons")
    net.add_population("neurons", 16_065, "lif_s1615", **neuron)
    return net.build(), None


def _from_input(n_lines: int, n_neurons: int, hz: float, **projection: object) -> Workload:
    """Poisson sources of `hz` each, or one that fires in every tick."""
    net = _net("input")
    net.add_input("in", n_lines)
    net.add_population("neurons", n_neurons, "lif_s1615", **SILENT)
    net.connect("in", "neurons", **{"weights": WEIGHT, **projection})
    spikes = np.random.Generator(np.random.Philox(key=1)).random((TICKS, n_lines)) < hz * 1e-3
    return net.build(), Stimulus.from_dense(spikes.astype(np.uint8))


def _between(n_sources: int, n_targets: int, **projection: object) -> Workload:
    net = _net("between")
    net.add_population("sources", n_sources, "lif_s1615", **EVERY_TICK)
    net.add_population("targets", n_targets, "lif_s1615", **SILENT)
    net.connect("sources", "targets", **{"weights": WEIGHT, "delay": 1, **projection})
    return net.build(), None


WORKLOADS = {
    "no spikes": lambda: _alone(SILENT),
    "all spike": lambda: _alone(EVERY_TICK),
    "input, all to all": lambda: _from_input(30, 12_000, 134_824 / 30 / 20.052),
    "input, one to one": lambda: _from_input(5_000, 5_000, 1_148_690 / 5_000 / 10.052, kind="one_to_one"),
    "input, random": lambda: _from_input(30, 12_000, 1_000, kind="random", probability=255 / 12_000),
    "one to all": lambda: _between(1, 15_810),
    "one to one": lambda: _between(7_905, 7_905, kind="one_to_one"),
    "random": lambda: _between(18, 15_810, kind="random", probability=0.5),
}


@cache
def power(workload: str, board: str) -> float:
    """W of the board, from the report of the simulated network."""
    network, stimulus = WORKLOADS[workload]()
    layout = compile(network, load_chip(board), effort="fast", objective="latency")
    run = simulate(layout, stimulus, ticks=TICKS, record=(), timing="exact")
    watts = report(run).energy.mean_power_W
    assert watts is not None                        # timing is exact
    return watts


@cache
def idle(board: str) -> float:
    """W of the board with one silent neuron, the least that can be simulated: 90 uW of 2.7 W."""
    net = _net("idle")
    net.add_population("neuron", 1, "lif_s1615", **SILENT)
    watts = report(simulate(compile(net.build(), load_chip(board)), ticks=TICKS, record=())).energy.mean_power_W
    assert watts is not None                        # timing is exact
    return watts


# workload: what the authors ran, W on 4 chips, W on 48 chips (mean of 20 runs)
NEURONS = "16 065 LIF neurons, {}"
MEASURED = {
    "no spikes": (NEURONS.format("silent"), 4.110, 24.537),
    "all spike": (NEURONS.format("each spiking every ms, no synapses"), 4.270, 24.678),
    "input, all to all": ("30 Poisson sources of 224 Hz to each of 12 000 neurons", 4.344, 24.700),
    "input, one to one": ("5 000 sources of 23 Hz to 5 000 neurons, one to one", 3.500, 23.915),
    "input, random": ("30 sources of 1 kHz, each to 255 of 12 000 neurons", 4.539, 24.716),
    "one to all": ("one neuron spiking every ms to 15 810 others", 4.212, 24.623),
    "one to one": ("7 905 neurons spiking every ms to 7 905 others, one to one", 4.917, 25.302),
    "random": ("18 neurons spiking every ms, each to half of 15 810 others", 5.460, 25.583),
}
RECORDED = {"no spikes": 4.116, "all spike": 4.282}                # W on 4 chips
IDLE = {"spinnaker": 2.671, "spinnaker48": 23.049}


# ---- the cortical microcircuit ----

SETTLING, MEASURED_TICKS = 2_000, 3_000             # ticks of 0.1 ms
RATES = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)       # Hz, means of long runs in NEST
SLOW = ("system.chips=[16, 18]", "tick.period=2 ms")
REAL_TIME = ("system.chips=[24, 24]", "tick.period=0.1 ms")


@cache
def circuit_run() -> Run:
    layout = microcircuit(load_chip("spinnaker48", set=SLOW))
    return simulate(layout, ticks=SETTLING + MEASURED_TICKS, timing="none", record="all")


def rate(population: str) -> float:
    run = circuit_run()
    spikes = int((run.spikes[population][0] >= SETTLING).sum())
    return spikes / SIZES[NAMES.index(population)] / (MEASURED_TICKS * DT)


def event_energy(system: tuple[str, ...]) -> float:
    """J per synaptic event, all boards' idle power included."""
    chip = load_chip("spinnaker48", set=system)
    assert chip.tick is not None                    # its time base is fixed_tick
    joules = price(circuit_run().counts[SETTLING:], chip, MEASURED_TICKS * chip.tick.period).per_sop_J
    assert joules is not None                       # there were events
    return joules


CIRCUIT = "77 169 neurons, 299 million synapses, constant background current; 0.3 s after 0.2 s"
CONSTANT = ("0.3 s of one draw of the network, driven by a constant current; the published rates are means of long runs"
            " driven by Poisson spikes")
BILL = ("boards at their measured idle power of 23.05 W and our energies per action. The published figures come to "
        "{their} W over the events of this run, ours to {our} W: {missing} W a board are missing. The published power "
        "was taken at the mains; no source has it apart. Constants of the makers' own tool have {tool}: the next row")
MAINS = ("the boards' idle power as the makers' tool has it (SpiNNMachine: 26.84 W, in a box 5.04 W more; a frame "
         "117 W), in place of the measured one: {tool}. Nothing of it was fitted here; that these boards stood so is "
         "assumed")
BOXED = "3.8 W more for an idle board and 5.0 W for the box around it"
RACKED = "3.8 W more for an idle board and 117 W for the frame of a rack"
FULL = dict(workload=CIRCUIT, basis="predicted", full=True)


def _circuit_cases() -> list[Case]:
    cases = [Case(name=f"microcircuit, rate of {name}", unit="Hz", published=hz, tolerance=0.2, note=CONSTANT,
                  source="potjans2014, microcircuit of NEST", measure=lambda name=name: rate(name), **FULL)
             for name, hz in zip(NAMES, RATES, strict=True)]
    for what, system, published, source, bill, watts, tool in (
            ("6 boards, 20 times slower than real time", SLOW, 4.4e-6, "vanalbada2018",
             dict(their=206, our=143, missing=10.5), 26.84 + 5.04, BOXED),
            ("12 boards, real time", REAL_TIME, 0.601e-6, "rhodes2020",
             dict(their=564, our=378, missing=15.5), 26.84 + 117 / 12, RACKED)):
        at_mains = (*system, f"costs.static.power={watts / 48:.6f} W")
        name = f"microcircuit, energy per synaptic event, {what}"
        cases += [Case(name=name, unit="J", published=published, tolerance=0.25, source=source,
                       note=BILL.format(tool=tool, **bill), measure=lambda system=system: event_energy(system), **FULL),
                  Case(name=f"{name}, at the mains", unit="J", published=published, tolerance=0.25,
                       source=f"{source}; spinnmachine", note=MAINS.format(tool=tool),
                       measure=lambda system=at_mains: event_energy(system), **FULL)]
    return cases


def _cases() -> list[Case]:
    cases = []
    for board, chips, tolerance, basis in (("spinnaker", 4, 0.10, "fitted"), ("spinnaker48", 48, 0.15, "predicted")):
        cases.append(Case(name=f"idle, {chips} chips", workload=f"one silent neuron; {TICKS} ticks", unit="W",
                          published=IDLE[board], tolerance=0.001, source=SOURCE, basis="restated",
                          note="the board was booted, nothing loaded", measure=lambda board=board: idle(board)))
        for name, (what, *watts) in MEASURED.items():
            published = watts[chips == 48]
            common = dict(unit="W", source=SOURCE, basis=basis, workload=f"{what}; {TICKS} ticks")
            cases.append(Case(name=f"{name}, {chips} chips", published=published, tolerance=tolerance,
                              measure=lambda name=name, board=board: power(name, board), **common))
            cases.append(Case(name=f"{name}, {chips} chips, above idle", published=round(published - IDLE[board], 3),
                              tolerance=tolerance, note="difference of two measured figures",
                              measure=lambda name=name, board=board: power(name, board) - load_chip(board).static_power,
                              **common))
        for name, published in RECORDED.items() if chips == 4 else ():
            cases.append(Case(name=f"{name}, recorded, {chips} chips", workload=f"{MEASURED[name][0]}; {TICKS} ticks",
                              unit="W", published=published, tolerance=tolerance, source=SOURCE, basis="predicted",
                              note="the chip file has no cost for recording",
                              measure=lambda name=name, board=board: power(name, board)))
    return cases


CASES = (*_cases(), *_circuit_cases())
