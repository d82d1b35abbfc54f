"""Spikes from outside: which input lines have an event in which tick, of one or many samples.

Lines are counted over all input populations, one behind the other in the order of `Network.inputs`. Samples are
independent: a network starts each from rest.
"""
from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, StimulusError
from chipsim.files import DAMAGE, load_numpy, replacing


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Events in order of sample, tick, line.

    ticks   per sample
    start   int64[n_samples * ticks + 1]: with f = s * ticks + t, tick t of sample s has events [start[f], start[f + 1])
    line    uint32[events]
    value   float64[events], payload of each event; None: all 1
    labels  int64[n_samples] or None
    origin  file or function it comes from
    listed  from a list of events, which does not tell how many silent lines and ticks follow its last
    """

    n_samples: int
    ticks: int
    n_lines: int
    start: np.ndarray
    line: np.ndarray
    value: np.ndarray | None = None
    labels: np.ndarray | None = None
    origin: str = ""
    listed: bool = False

    def __post_init__(self) -> None:
        if self.n_samples < 1 or self.ticks < 1:
            raise _error(self.origin, "S301", f"the stimulus has {self.n_samples} samples of {self.ticks} ticks",
                         "give at least one tick of one sample")
        start, line = np.asarray(self.start), np.asarray(self.line)
        if len(start) != self.n_samples * self.ticks + 1 or start[0] != 0 or start[-1] != len(line) \
                or np.any(np.diff(start) < 0):
            raise _error(self.origin, "S302", f"`start` does not divide {len(line)} events into {self.n_samples} "
                                              f"samples of {self.ticks} ticks", "write the file again")
        if len(line) and (int(line.max()) >= self.n_lines or int(line.min()) < 0):
            bad = int(line.max() if line.max() >= self.n_lines else line.min())
            raise _error(self.origin, "S303", f"an event is on line {bad}; there are lines 0 to {self.n_lines - 1}")
        if self.value is not None and not np.isfinite(self.value).all():
            raise _error(self.origin, "S304", f"{np.sum(~np.isfinite(self.value))} values are NaN or infinite")
        if self.labels is not None and np.shape(self.labels) != (self.n_samples,):
            raise _error(self.origin, "S305", f"there are {np.size(self.labels)} labels for {self.n_samples} samples",
                         "give one label per sample, or check --ticks-per-sample")

    @property
    def n_events(self) -> int:
        return len(self.line)

    @classmethod
    def from_dense(cls, x: np.ndarray, labels: np.ndarray | None = None, origin: str = "array") -> Stimulus:
        """From x[ticks, samples, lines] or x[ticks, lines]; further axes are lines. 0: no event; else the payload."""
        x = np.asarray(x)
        if x.dtype.kind not in "biuf" or x.ndim < 2:
            raise _error(origin, "S306", f"an array of shape {x.shape} and type {x.dtype} is no stimulus",
                         "give numbers as [ticks, samples, lines] or [ticks, lines]")
        x = x[:, None] if x.ndim == 2 else x.reshape(*x.shape[:2], -1)
        if not np.isfinite(x).all():
            raise _error(origin, "S304", f"{np.sum(~np.isfinite(x))} values are NaN or infinite")
        ticks, n_samples, n_lines = x.shape
        frames = x.transpose(1, 0, 2).reshape(n_samples * ticks, n_lines)
        frame, line = np.nonzero(frames)
        value = frames[frame, line].astype(float)
        return cls(n_samples, ticks, n_lines, _starts(frame, n_samples * ticks), line.astype(np.uint32),
                   None if np.all(value == 1) else value, _labels(labels), origin)

    @classmethod
    def from_events(cls, tick: np.ndarray, line: np.ndarray, value: np.ndarray | None = None, *,
                    n_lines: int | None = None, ticks: int | None = None, n_samples: int = 1,
                    labels: np.ndarray | None = None, origin: str = "events") -> Stimulus:
        """From events in any order; ticks count on from sample to sample; events of a line in a tick add up.

        ticks, n_lines  default: as many as the events need (one sample)
        """
        tick, line = np.asarray(tick, np.int64), np.asarray(line, np.int64)
        if tick.shape != line.shape or (value is not None and np.shape(value) != tick.shape):
            raise _error(origin, "S306", f"there are {tick.size} ticks for {line.size} lines", "one tick per event")
        if ticks is None:
            ticks = int(tick.max(initial=0)) + 1
        if n_lines is None:
            n_lines = int(line.max(initial=0)) + 1
        total = ticks * n_samples
        if tick.size and (tick.min() < 0 or tick.max() >= total):
            bad = tick.max() if tick.max() >= total else tick.min()
            raise _error(origin, "S307", f"an event is in tick {bad}; there are ticks 0 to {total - 1}")
        if line.size and (line.min() < 0 or line.max() >= n_lines):
            bad = line.max() if line.max() >= n_lines else line.min()
            raise _error(origin, "S303", f"an event is on line {bad}; there are lines 0 to {n_lines - 1}")
        key, index = np.unique(tick * n_lines + line, return_inverse=True)
        sums = np.bincount(index.ravel(), None if value is None else np.asarray(value, float), len(key)).astype(float)
        return cls(n_samples, ticks, n_lines, _starts(key // n_lines, total), (key % n_lines).astype(np.uint32),
                   None if np.all(sums == 1) else sums, _labels(labels), origin)

    @classmethod
    def load(cls, path: str | os.PathLike, ticks_per_sample: int | None = None, samples: int | slice | None = None
             ) -> Stimulus:
        """From .h5 (as saved), .npz (x and labels or y), .npy, or .csv (tick, line[, value]).

        ticks_per_sample  cuts one long recording into samples; a file that knows its own must agree
        samples           the first so many, or a slice
        """
        path = Path(path)
        if not path.is_file():
            raise _error(str(path), "S310", f"there is no file {path}", "check the path")
        readers = {".h5": _read_h5, ".hdf5": _read_h5, ".npz": _read_npz, ".npy": _read_npy, ".csv": _read_csv}
        if path.suffix.lower() not in readers:
            raise _error(str(path), "S311", f"cannot tell the format of a stimulus by `{path.suffix}`",
                         f"stimuli are {', '.join(readers)} files")
        stimulus = readers[path.suffix.lower()](path)
        if ticks_per_sample is not None:
            stimulus = stimulus.cut(ticks_per_sample)
        if samples is not None:
            chosen = range(stimulus.n_samples)[samples if isinstance(samples, slice) else slice(samples)]
            stimulus = stimulus.select(chosen)
        return stimulus

    def cut(self, ticks_per_sample: int) -> Stimulus:
        """One long recording as samples of so many ticks; nothing to do if the samples have that length already."""
        if ticks_per_sample == self.ticks:
            return self
        if self.listed and ticks_per_sample > 0 and (silent := -self.ticks % ticks_per_sample):
            start = np.concatenate([self.start, np.full(silent, self.start[-1])])
            return replace(self, ticks=self.ticks + silent, start=start).cut(ticks_per_sample)
        if ticks_per_sample < 1 or self.n_samples != 1 or self.ticks % ticks_per_sample:
            raise _error(self.origin, "S308", f"{self.n_samples} samples of {self.ticks} ticks cannot be cut into "
                                              f"samples of {ticks_per_sample}",
                         f"use --ticks-per-sample {self.ticks}, or a divisor of it for a single recording")
        labels = None if self.labels is None or len(self.labels) != self.ticks // ticks_per_sample else self.labels
        return replace(self, n_samples=self.ticks // ticks_per_sample, ticks=ticks_per_sample, labels=labels)

    def select(self, samples: int | slice | Iterable[int]) -> Stimulus:
        """Only these samples, in this order."""
        chosen = np.atleast_1d(np.arange(self.n_samples)[samples] if isinstance(samples, slice)
                               else np.asarray(samples if isinstance(samples, int) else list(samples), np.int64))
        if not chosen.size or chosen.min() < 0 or chosen.max() >= self.n_samples:
            asked = (f"{samples.start or 0}:{'' if samples.stop is None else samples.stop}"
                     if isinstance(samples, slice) else samples)
            raise _error(self.origin, "S309", f"samples {asked} are not among the {self.n_samples} there are, "
                                              f"0:{self.n_samples}")
        start = np.asarray(self.start)
        pieces = [slice(start[s * self.ticks], start[(s + 1) * self.ticks]) for s in chosen]
        counts = np.diff(start).reshape(self.n_samples, self.ticks)[chosen].ravel()
        return replace(self, n_samples=len(chosen), start=np.concatenate([[0], np.cumsum(counts)]),
                       line=np.concatenate([self.line[p] for p in pieces]),
                       value=None if self.value is None else np.concatenate([self.value[p] for p in pieces]),
                       labels=None if self.labels is None else self.labels[chosen])

    def dense(self) -> np.ndarray:
        """float64[ticks, samples, lines]"""
        frame = np.repeat(np.arange(self.n_samples * self.ticks), np.diff(self.start))
        x = np.zeros((self.n_samples * self.ticks, self.n_lines))
        x[frame, self.line] = 1.0 if self.value is None else self.value
        return x.reshape(self.n_samples, self.ticks, self.n_lines).transpose(1, 0, 2)

    def check_lines(self, needed: int, network: str = "the network") -> None:
        """Raise StimulusError unless there are as many lines as the network's inputs have, or fewer in a list."""
        if self.n_lines > needed or self.n_lines < needed and not self.listed:
            lines = f"{self.n_lines} line{'s' * (self.n_lines != 1)}"
            raise _error(self.origin, "S312", f"the stimulus has {lines}; {network} needs {needed}",
                         "check that it was made for this network, and for all its inputs in order")

    def save(self, path: str | os.PathLike) -> None:
        """Write .h5: events per tick, lines as uint16 where they fit, compressed."""
        import h5py
        small = np.uint16 if self.n_lines <= 1 << 16 else np.uint32
        per_tick = np.diff(self.start)
        packed = {"events_per_tick": per_tick.astype(np.uint16 if per_tick.max(initial=0) < 1 << 16 else np.uint32),
                  "line": self.line.astype(small)}
        packed |= {} if self.value is None else {"value": self.value}
        packed |= {} if self.labels is None else {"labels": np.asarray(self.labels, np.int64)}
        with replacing(path) as temporary, h5py.File(temporary, "w") as f:
            f.attrs.update(format="chipsim stimulus", version=1, n_samples=self.n_samples, ticks=self.ticks,
                           n_lines=self.n_lines)
            for name, array in packed.items():
                f.create_dataset(name, data=array, compression="gzip", compression_opts=9, shuffle=True)

    def __repr__(self) -> str:
        rate = self.n_events / (self.n_samples * self.ticks * max(1, self.n_lines))
        labelled = ", labelled" if self.labels is not None else ""
        return (f"<Stimulus {Path(self.origin).name}: {self.n_samples} samples x {self.ticks} ticks x {self.n_lines} "
                f"lines, {self.n_events} events ({rate:.3g} per line and tick){labelled}>")


def _error(origin: str, code: str, message: str, help: str = "") -> StimulusError:
    return StimulusError(Diagnostic(code, message, file=origin, help=help))


def _starts(frame: np.ndarray, n_frames: int) -> np.ndarray:
    """Index of the first event of each frame, from the sorted frame numbers of events."""
    return np.concatenate([[0], np.cumsum(np.bincount(frame, minlength=n_frames))]).astype(np.int64)


def _labels(labels: object) -> np.ndarray | None:
    return None if labels is None else np.asarray(labels).astype(np.int64)


def _read_h5(path: Path) -> Stimulus:
    import h5py
    try:
        with h5py.File(path, "r") as f:
            if f.attrs.get("format") != "chipsim stimulus":
                raise _error(str(path), "S313", "this HDF5 file is no stimulus", "write one with Stimulus.save")
            data = {k: f[k][()] for k in f}
            n_samples, ticks, n_lines = (int(f.attrs[k]) for k in ("n_samples", "ticks", "n_lines"))
            start = np.concatenate([[0], np.cumsum(data["events_per_tick"], dtype=np.int64)])
            line = data["line"].astype(np.uint32)
            return Stimulus(n_samples, ticks, n_lines, start, line, data.get("value"), data.get("labels"), str(path))
    except DAMAGE as e:
        raise _error(str(path), "S313", "not a stimulus: not an HDF5 file, or a damaged one",
                     "write one with Stimulus.save") from e


def _read_npz(path: Path) -> Stimulus:
    arrays = _numpy(path)
    if "x" not in arrays:
        raise _error(str(path), "S313", f"there is no array `x`; there are {', '.join(arrays) or 'none'}",
                     "save with np.savez(path, x=[ticks, samples, lines], labels=[samples])")
    return Stimulus.from_dense(arrays["x"], arrays.get("labels", arrays.get("y")), str(path))


def _read_npy(path: Path) -> Stimulus:
    return Stimulus.from_dense(_numpy(path)["x"], None, str(path))


def _numpy(path: Path) -> dict[str, np.ndarray]:
    try:
        loaded = load_numpy(path)
    except ValueError as e:
        raise _error(str(path), "S313", "not a NumPy file of numbers, or a damaged one", "save with np.savez") from e
    return loaded if isinstance(loaded, dict) else {"x": loaded}


def _read_csv(path: Path) -> Stimulus:
    """Rows tick, line and perhaps value; one header row is allowed."""
    rows: list[list[float]] = []
    with open(path, newline="", encoding="utf-8", errors="replace") as f:
        for number, row in enumerate(csv.reader(f), 1):
            try:
                cells = [float(cell) for cell in row]
                ok = len(cells) in (2, 3) and len(cells) == len(rows[0] if rows else cells) \
                    and bool(np.isfinite(cells).all()) and all(c == int(c) for c in cells[:2])
            except ValueError:
                ok = False
                if number == 1:
                    continue
            if row and not ok:
                raise StimulusError(Diagnostic("S314", f"row {number} is no event: {','.join(row)[:60]}",
                                               file=str(path), line=number, column=1,
                                               help="rows are tick,line or tick,line,value, all of them alike"))
            rows += [cells] if row else []
    if not rows:
        raise _error(str(path), "S314", "there is no event", "rows are tick,line or tick,line,value")
    tick, line, *value = np.array(rows).T
    return replace(Stimulus.from_events(tick, line, *value, origin=str(path)), listed=True)
