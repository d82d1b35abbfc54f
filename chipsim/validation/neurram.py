"""NeuRRAM against the energy and time of a multiplication at eight precisions (Wan et al. 2022, extended data fig. 12).

Published are operations per second and per joule with all 48 cores busy; one multiplication of 256 x 128 weights is
65 536 operations. Inputs of several bits come one bit of their magnitude after the other (`core.matrix.phases`), spikes
are one; `neurram` has one energy and one time for such a phase, the means over this table, so that a row tests how far
one number per phase carries. What the digits of the tutorials lose on these crossbars nobody measured on the silicon:
it stands in the how-to of crossbars.
"""
from __future__ import annotations

from functools import cache

import numpy as np

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report import report
from chipsim.validation.case import Case

SOURCE = "wan2022, extended data fig. 12, digitised by CiMLoop"
OPERATIONS = 256 * 128 * 2
# Bits of output and input, sign included: operations per second on 48 cores in T, operations per joule in T.
PUBLISHED = {(3, 1): (2.122, 43.08), (4, 2): (1.793, 40.33), (5, 3): (1.165, 23.09), (6, 4): (0.744, 15.95),
             (7, 5): (0.525, 11.03), (8, 6): (0.418, 8.26), (9, 7): (0.344, 7.75), (10, 8): (0.264, 6.44)}


@cache
def multiplication(output: int, phases: int) -> tuple[float, float]:
    """(J, s) of one: what it adds to a tick in which it takes place."""
    chip = load_chip("neurram", set=(f"core.matrix.phases={phases}", f"core.resistive.converter_bits={output}"))
    net = NetworkBuilder("array", dt=1e-3)
    net.add_input("in", 256)
    net.add_population("out", 128, "lif", tau=1e-2, v_threshold=1e6)
    net.connect("in", "out", weights=np.random.default_rng(0).normal(size=(128, 256)))
    spikes = np.zeros((4, 256), np.uint8)
    spikes[1, ::2] = 1                                               # multiplied in tick 2
    run = simulate(compile(net.build(["out"]), chip), Stimulus.from_dense(spikes), record=())
    seconds = (int(run.busy_ps[2]) - int(run.busy_ps[3])) * 1e-12
    return report(run).energy.total_J, seconds


def cases() -> tuple[Case, ...]:
    rows = []
    for (output, inputs), (per_second, per_joule) in PUBLISHED.items():
        phases = max(1, inputs - 1)
        what = f"256 x 128 weights, {inputs} bit in, {output} bit out"
        note = "the published figure is 11 % off the sum of its published parts" if inputs == 6 else ""
        rows += [Case(name=f"energy, {inputs} bit in, {output} out", workload=what, unit="J", tolerance=0.1,
                      published=OPERATIONS / per_joule / 1e12, source=SOURCE, basis="fitted", note=note,
                      measure=lambda o=output, p=phases: multiplication(o, p)[0]),
                 Case(name=f"time, {inputs} bit in, {output} out", workload=what, unit="s", tolerance=0.15,
                      published=48 * OPERATIONS / per_second / 1e12, source=SOURCE, basis="fitted",
                      measure=lambda o=output, p=phases: multiplication(o, p)[1])]
    return tuple(rows)


CASES = cases()
