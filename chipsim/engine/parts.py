"""Runs in parts: what a long run keeps on disk as it goes, and how the parts become one run.

A run that is stored with `simulate(save=...)` begins a new part whenever what it holds outgrows `MOST_BYTES`, after
every so many ticks if asked to, and when it is interrupted. A part is a run of its own; beside the parts stands the
state of the engine after the last of them, so that the run can go on from there. Counts are integers and ticks follow
each other, so a run in parts is, put together, the run in one piece, bit for bit.
"""
from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from chipsim import store
from chipsim.engine.run import Run
from chipsim.engine.run_file import arrays_of, load_run, save_run
from chipsim.errors import Diagnostic, UsageError

MOST_BYTES = 1 << 26                        # of ticks, spikes and packets held in memory before they become a part
VERSION = 1

# How a field of the parts becomes that of the run.
PER_TICK = ("counts", "tick_ps", "busy_ps", "barrier_ps", "tick_limit", "learning_ps", "low_counts",
            "high_ps")
TOTAL = ("core_counts", "source_spikes", "link_packets", "soma_ps", "synapse_ps", "stall_ps", "latency",
         "link_queued_ps", "link_drops", "link_detours")
MOST = ("link_peak",)
SAME = ("layout_name", "chip", "timing", "links", "cores", "unit_source", "usage", "limits", "approximations")
LAST = ("weights", "meta")
OWN = ("ticks", "slowest", "populations", "samples")
GROWING = (*PER_TICK, "spikes", "values", "states", "packets", "lost")


class Parts:
    """The folder NAME.run.h5.parts beside the run's file.

    key    gives what the parts must have been made from to be gone on with: see `identity`
    every  ticks after which a part ends at the latest; 0: only where memory asks for it
    """

    def __init__(self, target: str | os.PathLike, key: Callable[[], str], every: int = 0):
        self.target, self.key, self.every = Path(target), key, every
        self.folder = self.target.with_name(self.target.name + ".parts")
        self.files: list[Path] = []
        self.done, self._key = 0, ""

    def resume(self, machine: Any) -> int:
        """Take the engine to where the parts end; the number of ticks done. 0 where there is nothing to resume."""
        if not (self.folder / "state.h5").is_file():
            self.discard()
            return 0
        facts, arrays = store.load(self.folder / "state.h5", "state", VERSION)
        if facts["key"] != self.key():
            raise UsageError(Diagnostic(
                "U438", f"`{self.folder}` holds the beginning of another run: network, chip, input or options differ",
                help="resume with the options it was begun with, or leave `--resume` out to begin anew"))
        machine.restore(arrays)
        self.files = [self.folder / name for name in facts["parts"]]
        self.done, self._key = int(facts["ticks"]), facts["key"]
        return self.done

    def due(self, done: int, machine: Any) -> bool:
        """Whether a part should end after `done` ticks."""
        if done == self.done:
            return False
        return bool(self.every and done - self.done >= self.every) or machine.held_bytes() > MOST_BYTES

    def left(self, done: int) -> int:
        """Ticks that may be run at once so that a part can end where `every` asks for it."""
        return self.every - (done - self.done) if self.every else 1 << 62

    def keep(self, part: Run, state: dict[str, np.ndarray], done: int) -> None:
        """Write the ticks since the last part, then the state after them: a crash between the two loses nothing."""
        if not self.files:
            self.discard()
            self.folder.mkdir(exist_ok=True)
            self._key = self.key()
        file = self.folder / f"{len(self.files):06}.run.h5"
        save_run(part, file)
        self.files.append(file)
        self.done = done
        store.save(self.folder / "state.h5", "state", VERSION,
                   dict(key=self._key, ticks=done, parts=[f.name for f in self.files]), state)

    def finish(self, last: Run, meta: dict) -> Run:
        """The whole run, stored; `last` are the ticks since the last part."""
        if not self.files:
            last.meta.update(meta)
            save_run(last, self.target)
            self.discard()
            return last
        save_run(last, self.folder / "last.run.h5")
        self.files.append(self.folder / "last.run.h5")
        join(self.files, self.target, meta)
        self.discard()
        return load_run(self.target, mapped=True)

    def discard(self) -> None:
        """Remove the folder of an earlier run; only what a run in parts has written there."""
        if self.folder.is_dir():
            for file in (*self.folder.glob("*.run.h5"), self.folder / "state.h5"):
                file.unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                shutil.rmtree(self.folder)


def identity(layout: Any, schedule: Any, timing: str, seed: int, learning: bool, recording: Any) -> str:
    """A digest of all that decides what a run does and records."""
    digest = sha256(repr((timing, seed, learning, recording.names, recording.packets, recording.every,
                          schedule.per_sample, schedule.reset_every, layout.chip.to_dict(), layout.network,
                          layout.populations, layout.outputs, layout.models, layout.groups,
                          [(p.name, p.rule, p.sign) for p in layout.plastic])).encode())
    for array in (*(getattr(layout, f.name) for f in fields(layout)), *layout.params.values(),
                  *(a for p in layout.plastic for a in vars(p).values()),
                  *vars(schedule).values(), recording.sources, *(ids for _, ids in recording.probes)):
        if isinstance(array, np.ndarray):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def join(files: list[Path], target: Path, meta: dict) -> None:
    """Store the run that parts make which follow each other, without ever holding it in memory."""
    whole, lengths = None, dict[str, int]()
    for file in files:
        part = load_run(file, mapped=True)
        whole = part if whole is None else _add(whole, part)
        for name, array in arrays_of(part).items():
            if name.partition("/")[0] in GROWING:
                lengths[name] = lengths.get(name, 0) + len(array)
    assert whole is not None
    valued = {name: whole.values[name] for name in whole.values}
    lengths |= {f"values/{name}": whole.ticks for name in valued}
    whole = replace(whole, meta=whole.meta | meta)
    save_run(whole, target, (_with_values(load_run(file, mapped=True), valued) for file in files), lengths)


def _add(whole: Run, part: Run) -> Run:
    """`part` follows `whole`; of arrays that grow with the ticks only those are kept that show shape and dtype."""
    populations = [dict(p) for p in whole.populations]
    for mine, theirs in zip(populations, part.populations, strict=True):
        for name in ("spikes", "packets", "synops", "updates", "effective", "late_packets", "lost_packets"):
            mine[name] += theirs[name]
        mine["counts"] = {action: n + theirs["counts"][action] for action, n in mine["counts"].items()}
    samples = whole.samples
    if samples is not None and "output_counts" in samples:
        tally = samples["output_counts"] + part.samples["output_counts"]
        samples = samples | dict(output_counts=tally, predicted=tally.argmax(1))
    slower = part.slowest and part.slowest["busy_ps"] > whole.slowest["busy_ps"]
    return replace(
        whole, ticks=whole.ticks + part.ticks, populations=tuple(populations), samples=samples,
        slowest=part.slowest if slower else whole.slowest, packets=whole.packets or part.packets,
        values=part.values | whole.values, **{name: getattr(part, name) for name in LAST},
        **{name: getattr(whole, name) + getattr(part, name) for name in TOTAL},
        **{name: np.maximum(getattr(whole, name), getattr(part, name)) for name in MOST})


def _with_values(run: Run, named: dict[str, np.ndarray]) -> Run:
    """A part in which a population sent only spikes has them as ones, where another has values."""
    values = dict(run.values)
    for name, example in named.items():
        if name not in values:
            tick, index = run.spikes[name]
            values[name] = np.zeros((run.ticks, *example.shape[1:]), example.dtype)
            values[name][tick - run.meta["first_tick"], index] = 1
    return replace(run, values=values)
