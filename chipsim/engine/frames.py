"""Runs on chips with a static schedule: every tick is a frame, and every frame is alike.

An engine computes what spikes; packets there are none. What cores multiply, what crosses the links and how long that
takes is the layout's schedule (compiler/frame.py), times the number of ticks.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.frame import PARTS, Frame
from chipsim.engine.outcome import LIMIT_LAYER, LIMITS
from chipsim.engine.run import HOPS, A, Run
from chipsim.engine.topology import KINDS, picoseconds

PACKETS = [A[name] for name in ("axon_out", "host_spike", "axon_in", "row_fetch")]      # what no frame has
CROSSED = [A[name] for name in HOPS]                                                    # in the order of KINDS


def framed(run: Run, frame: Frame, timing: str) -> Run:
    """A run that an engine made without times, as the schedule says that it went.

    Counts and lengths of a tick are the frame's; a reset between samples adds what the chip file says. `slowest` is a
    frame, `tick_limit` its longest layer, and rows of `populations` have their layer: bits, cores, operations, cycles,
    parts_ps and length_ps of a frame.
    """
    ticks, costs = run.ticks, run.chip["costs"]
    counts, core_counts = run.counts.copy(), run.core_counts.copy()
    counts[:, PACKETS] = core_counts[:, PACKETS] = core_counts[:, CROSSED] = 0
    counts[:, CROSSED] = np.bincount(run.links["kind"], frame.flits, len(KINDS)).astype(np.int64)
    counts[:, A["matrix"]] = frame.cycles.sum()
    core_counts[:, A["matrix"]] = ticks * frame.cycles
    times = {}
    if timing != "none":
        lengths = frame.length_ps + (counts[:, A["reset"]] > 0) * picoseconds(costs["reset"]["time"])
        longest = int(frame.population[frame.layer_ps.argmax()])
        limit = np.full(ticks, LIMIT_LAYER << 24 | longest, np.int32)
        slowest = dict(limit=LIMITS[LIMIT_LAYER], length_ps=frame.length_ps, parts_ps=frame.shares_ps,
                       tick=run.meta["first_tick"], busy_ps=frame.length_ps)
        times = dict(tick_ps=lengths, busy_ps=lengths.copy(), tick_limit=limit, slowest=slowest,
                     synapse_ps=ticks * frame.cycles * picoseconds(costs["matrix"]["time"]))
    return replace(run, timing=timing, counts=counts, core_counts=core_counts, link_packets=ticks * frame.flits,
                   populations=_layers(run, frame), **times)


def _layers(run: Run, frame: Frame) -> tuple[dict, ...]:
    """Rows of populations without packets, with their layers."""
    rows = [dict(p, packets=0, counts={name: 0 if A[name] in (*PACKETS, *CROSSED) else n
                                       for name, n in p["counts"].items()}) for p in run.populations]
    for i, population in enumerate(frame.population):
        cycles = int(frame.layer_cycles[i])
        rows[population]["counts"]["matrix"] = run.ticks * cycles
        rows[population]["layer"] = dict(
            order=i, bits=int(frame.bits[i]), cores=int(frame.cores[i]), operations=int(frame.operations[i]),
            cycles=cycles, length_ps=int(frame.layer_ps[i]),
            parts_ps=dict(zip(PARTS, frame.parts_ps[i].tolist(), strict=True)))
    return tuple(rows)
