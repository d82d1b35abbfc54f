"""simulate: a Layout and a stimulus become a Run."""
from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.engine.account import account_of
from chipsim.engine.deadlock import refuse_cycles
from chipsim.engine.parts import Parts, identity
from chipsim.engine.plan import plan
from chipsim.engine.probes import check_memory, recording_of
from chipsim.engine.run import Run
from chipsim.engine.run_file import save_run
from chipsim.engine.schedule import schedule_of
from chipsim.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    from chipsim.engine.compiled import CompiledEngine
    from chipsim.engine.reference import ReferenceEngine
    from chipsim.network.stimulus import Stimulus

TIMINGS = ("none", "analytic", "exact")
SECONDS_PER_CALL = 0.2                      # of wall time between two looks at the keyboard and the progress line


def simulate(layout: Layout, stimulus: Stimulus | None = None, *, ticks: int | None = None, timing: str = "exact",
             engine: str = "compiled", seed: int = 0, samples: slice | Iterable[int] | None = None,
             record: Iterable[str] = ("outputs",), record_every: int = 1, record_packets: bool | range = False,
             threads: int = 1, learning: bool = True, weights: dict[str, tuple] | None = None,
             check_routes: bool = True, progress: Callable[[int, int, dict], None] | None = None,
             save: str | os.PathLike | None = None, checkpoint_every: int = 0, resume: bool = False,
             meta: dict[str, Any] | None = None) -> Run:
    """Run a layout, spike by spike and packet by packet.

    stimulus  events on the input lines; None: no input, and `ticks` says how long
    ticks     length of the run; default: the stimulus. With several samples: ticks per sample
    timing    "none": function and counts; "analytic": exact loads, no queues; "exact": every packet, every hop
    engine    "compiled", or "reference", the plain one that defines the meaning (slow)
    samples   which samples of the stimulus to run
    record    "outputs", "all", population names, "population.variable" to probe a state, or "projection.w" to probe
              what it learns, "projection.w[0:8]" of the synapses onto some neurons (probes.py)
    record_every   states and weights are kept after every so many ticks of the run
    record_packets   keep one record per packet in Run.packets: of all ticks, or of those in a range
    threads   for neurons and synapses where that is faster, and for the mesh; the result is the same, bit for bit,
              for any number
    learning  False: plastic synapses keep their weights, and learning costs nothing
    weights   start from the weights that another run has learnt (Run.weights)
    check_routes     refuse a custom topology whose routes can deadlock; False: run, and report a deadlock if it comes
    progress  called as progress(ticks done, ticks in all, {"synops": n}) a few times a second
    save      store the run in this file. A run too long for memory is written in parts as it goes, beside the file, and
              its large arrays are mapped from there; interrupted, it can be resumed (chipsim/engine/parts.py)
    checkpoint_every   ticks after which such a part ends at the latest
    meta      more to keep in Run.meta
    resume    go on where an interrupted run into the same file ended; from the start where there is none

    Samples are separated: all neuron state is reset and nothing is in flight when one begins (what was learnt
    stays), and each runs on for the depth of the outputs (the ticks that spikes need from layer to layer). Raises
    StimulusError, UsageError, ChipError for routes that can deadlock, SimulationError for a deadlock that came.
    """
    if timing not in TIMINGS:
        raise UsageError(Diagnostic("U410", f"timing `{timing}` does not exist", help=f"one of {', '.join(TIMINGS)}"))
    if engine not in ("compiled", "reference"):
        raise UsageError(Diagnostic("U411", f"engine `{engine}` does not exist", help="one of compiled, reference"))
    if layout.chip.time_base == "untimed":
        timing = "none"
    if samples is not None:
        if stimulus is None:
            raise UsageError(Diagnostic("U412", "samples are asked for, but there is no stimulus", help="give --input"))
        stimulus = stimulus.select(samples)
    schedule = schedule_of(layout, stimulus, ticks)
    if weights is not None:
        layout = layout.with_weights(weights)
    lowered = plan(layout, learning)
    moved = "none" if layout.frame is not None else timing                 # a schedule leaves no packets to follow
    if check_routes and moved == "exact":
        refuse_cycles(layout.chip.fabric, lowered.fabric)
    wanted = record_packets if isinstance(record_packets, range) else range(schedule.ticks * record_packets)
    recording = recording_of(layout, record, wanted, record_every)
    machine: Any = _engine(engine)(lowered, recording, moved, threads, seed)         # parts only of the compiled one
    parts = None
    if save is not None and engine == "compiled":
        parts = Parts(save, lambda: identity(layout, schedule, timing, seed, learning, recording), checkpoint_every)
    elif resume or checkpoint_every:
        raise UsageError(Diagnostic("U439", "a run can be resumed where it is stored, by the compiled engine",
                                    help="give the file it is stored in, and leave the reference engine out"))

    if parts is None:
        check_memory(recording, schedule)

    def account(first: int) -> Run:
        out = machine.take() if parts else machine.outcome()
        return account_of(layout, lowered, out, schedule, timing, recording, first)

    began, done, step = time.perf_counter(), parts.resume(machine) if parts and resume else 0, 1
    resumed = done
    with _interruptible() as interrupted:
        while done < schedule.ticks:
            n = min(step, schedule.ticks - done, parts.left(done) if parts else schedule.ticks)
            before = time.perf_counter()
            machine.advance(n, schedule.start[done : done + n + 1], schedule.line, schedule.value, schedule.reset_every)
            took = time.perf_counter() - before
            done += n
            if progress:
                progress(done, schedule.ticks, {})
            step = int(np.clip(n * SECONDS_PER_CALL / max(took, 1e-6), 1, 8 * step))
            if parts and done < schedule.ticks and (interrupted or parts.due(done, machine)):
                parts.keep(account(parts.done), machine.snapshot(), done)
            if interrupted and done < schedule.ticks:
                raise KeyboardInterrupt(f"after {done} of {schedule.ticks} ticks"
                                        + ("; `--resume` goes on from there" if parts else ""))
    told = dict(meta or {}, record_every=record_every, engine=engine, seed=seed, threads=threads,
                wall_s=time.perf_counter() - began, resumed=resumed, seconds=machine.seconds,
                stimulus=stimulus.origin if stimulus is not None else "", fabric=machine.one_pass())
    began = time.perf_counter()
    run = account(parts.done if parts else 0)
    if parts:
        run = parts.finish(run, told)
    else:
        run.meta.update(told)
        if save is not None:
            save_run(run, save)
    run.meta["seconds"]["save" if save is not None else "account"] = time.perf_counter() - began
    return run


@contextmanager
def _interruptible() -> Iterator[list]:
    """Ctrl-C ends the loop between two calls of the engine, when what it holds is whole; a second one ends it at once.

    Gives a list that is empty until then.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _engine(name: str) -> type[CompiledEngine] | type[ReferenceEngine]:
    if name == "compiled":
        from chipsim.engine.compiled import CompiledEngine

        return CompiledEngine
    from chipsim.engine.reference import ReferenceEngine

    return ReferenceEngine
