"""What must hold for layers that run by a compiled schedule (time base `static_schedule`); rules as in rules.py."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chipsim.chip.misfit import Misfit

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec

NOT_THERE = ("matrix", "dvfs", "learning", "analog", "resistive", "crossbar")       # parts of `core` moved by events


def schedules_can_be_made(chip: ChipSpec) -> Iterator[Misfit]:
    static, plan = chip.time_base == "static_schedule", chip.schedule
    if static and plan is None:
        yield Misfit("schedule", "`time_base: static_schedule` needs `schedule`, which is null",
                     "write `schedule: {operations: {8: 2048}, fill: 8}` with the chip's own numbers")
    if not static and plan is not None:
        yield Misfit("schedule", f"`schedule` is for `time_base: static_schedule`, not `{chip.time_base}`",
                     "leave it out")
    if not static or plan is None:
        return
    if chip.costs.matrix is None or chip.costs.matrix.time < 1e-12:
        yield Misfit("costs.matrix", "a static schedule counts in cycles of the multipliers, and `costs.matrix` has no "
                     "time for one", "write `matrix: {energy: 0 pJ, time: 2.5 ns}` with the chip's own numbers")
    if chip.core.weights.bits not in plan.operations:
        yield Misfit("core.weights", f"weights of {chip.core.weights.bits} bits are not among the precisions of "
                     "`schedule.operations`", "one of " + ", ".join(map(str, sorted(plan.operations))))
    if chip.costs.barrier is not None:
        yield Misfit("costs.barrier", "a frame does not end with a barrier", "write `barrier: null`")
    if chip.fabric.blocked is not None:
        yield Misfit("fabric.blocked", "activations move by a schedule, and never block", "leave `blocked` out")
    for name in NOT_THERE:
        if getattr(chip.core, name) is not None:
            yield Misfit(f"core.{name}", f"`core.{name}` belongs to cores that react to spikes; on a static schedule "
                         "they evaluate whole layers", f"leave `{name}` out")
