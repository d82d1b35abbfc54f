"""Runs on disk (*.run.h5): counts, times and spikes, with the chip they came from; re-priced without running again."""
from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields

import numpy as np

from chipsim import store
from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import ACTIONS, Run
from chipsim.engine.stats import N_BINS

VERSION = 2                             # since 2: the action `matrix`, runs of several levels
FACTS = ("layout_name", "chip", "timing", "ticks", "slowest", "populations", "limits", "approximations", "meta")
WEIGHTS = ("pre", "post", "weight")
TABLES = ("links", "usage", "packets", "values", "lost")


def save_run(run: Run, path: str | os.PathLike, parts: Iterable[Run] = (),
             lengths: dict[str, int] | None = None) -> None:
    """Write `path`, whole or not at all.

    parts, lengths   arrays that are stored in parts (by the names of `arrays_of`), see store.save
    """
    facts = {name: getattr(run, name) for name in FACTS}
    facts["has_packets"] = run.packets is not None
    if run.samples is not None:
        facts["samples"] = {k: v for k, v in run.samples.items() if not isinstance(v, np.ndarray)}
    store.save(path, "run", VERSION, facts, arrays_of(run), map(arrays_of, parts), lengths)


def arrays_of(run: Run) -> dict[str, np.ndarray]:
    """All arrays of a run by the names they have in its file."""
    arrays = {f.name: getattr(run, f.name) for f in fields(Run) if isinstance(getattr(run, f.name), np.ndarray)}
    for table in TABLES:
        arrays |= {f"{table}/{name}": a for name, a in (getattr(run, table) or {}).items()}
    for name, (tick, index) in run.spikes.items():
        arrays |= {f"spikes/{name}/tick": tick, f"spikes/{name}/index": index}
    for name, parts in run.weights.items():
        arrays |= {f"weights/{name}/{part}": a for part, a in zip(WEIGHTS, parts, strict=True)}
    arrays |= {f"states/{population}/{variable}": a for (population, variable), a in run.states.items()}
    if run.samples is not None:
        arrays |= {f"samples/{k}": v for k, v in run.samples.items() if isinstance(v, np.ndarray)}
    return arrays


def load_run(path: str | os.PathLike, *, mapped: bool = False) -> Run:
    """Read what `save_run` wrote. UsageError when it is missing or something else.

    mapped  large arrays are mapped from the file: they cost memory only where they are looked at
    """
    facts, arrays = store.load(path, "run", VERSION, oldest=VERSION, mapped=mapped)
    with store.understood(path, "run"):
        tables = {table: store.split(table, arrays) for table in TABLES}
        spikes = store.split("spikes", arrays)
        learnt = store.split("weights", arrays)
        plastic = dict.fromkeys(key.rsplit("/", 1)[0] for key in learnt)
        names = dict.fromkeys(key.rsplit("/", 1)[0] for key in spikes)
        states = {tuple(key.rsplit("/", 1)): a for key, a in store.split("states", arrays).items()}
        samples = {**facts["samples"], **store.split("samples", arrays)} if "samples" in facts else None
        if not facts["has_packets"]:
            tables["packets"] = None
        tables["lost"] = tables["lost"] or None
        facts["populations"], facts["approximations"] = tuple(facts["populations"]), tuple(facts["approximations"])
        ticks, cores = facts["ticks"], len(arrays["cores"])
        for name, shape in (("counts", (ticks, len(ACTIONS))), ("core_counts", (cores, len(ACTIONS))),
                            ("tick_ps", (ticks,)), ("busy_ps", (ticks,)), ("barrier_ps", (ticks,)),
                            ("tick_limit", (ticks,)), ("soma_ps", (cores,)), ("synapse_ps", (cores,)),
                            ("stall_ps", (cores,)),
                            ("link_packets", (len(tables["links"]["kind"]),)), ("latency", (N_BINS,))):
            if arrays[name].shape != shape:
                raise ValueError(f"`{name}` has shape {arrays[name].shape}, not {shape}")
            if arrays[name].size and arrays[name].min() < 0:
                raise ValueError(f"`{name}` has numbers below 0")
        if ticks and arrays["tick_limit"].max() >> 24 >= len(LIMITS):
            raise ValueError("`tick_limit` names a server that there is not")
        return Run(**{name: facts[name] for name in FACTS}, **tables, states=states, samples=samples,
                   spikes={n: (spikes[f"{n}/tick"], spikes[f"{n}/index"]) for n in names},
                   weights={n: tuple(learnt[f"{n}/{part}"] for part in WEIGHTS) for n in plastic},
                   **{f.name: arrays[f.name] for f in fields(Run) if f.name in arrays})
