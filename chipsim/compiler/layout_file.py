"""Layouts on disk (*.layout.h5): the same layout is the same file, byte for byte; arrays are mapped, not read.

How long each pass took stays out of the file.
"""
from __future__ import annotations

import os
from dataclasses import asdict, fields
from math import prod

import numpy as np

from chipsim import store
from chipsim.chip.spec import ChipSpec
from chipsim.compiler.frame import PARTS, Frame
from chipsim.compiler.layout import (
    SYNAPSE_FORMATS,
    Group,
    Layout,
    LayoutModel,
    LayoutPopulation,
    PlasticProjection,
    RoutingTables,
)
from chipsim.models.plasticity.rule import Plasticity

VERSION = 3
FACTS = ("network", "outputs", "dt", "limits", "approximations", "log", "notes")


def save_layout(layout: Layout, path: str | os.PathLike) -> None:
    """Write `path`, whole or not at all."""
    arrays = {f.name: getattr(layout, f.name) for f in fields(Layout)
              if isinstance(getattr(layout, f.name), np.ndarray)}
    arrays |= {f"params/{k}": v for k, v in layout.params.items()} | {f"usage/{k}": v for k, v in layout.usage.items()}
    facts = {name: getattr(layout, name) for name in FACTS}
    facts["log"] = [{k: v for k, v in entry.items() if k != "seconds"} for entry in layout.log]
    facts["chip"] = layout.chip.to_dict()
    facts["plastic"] = [dict(name=p.name, rule=p.rule.to_dict(), sign=p.sign, grid=p.grid) for p in layout.plastic]
    for i, p in enumerate(layout.plastic):
        arrays |= {f"plastic{i}/{f.name}": a for f in fields(p) if isinstance(a := getattr(p, f.name), np.ndarray)}
    if layout.routing is not None:
        arrays |= {f"routing/{f.name}": getattr(layout.routing, f.name) for f in fields(RoutingTables)}
    if layout.frame is not None:
        arrays |= {f"frame/{f.name}": getattr(layout.frame, f.name) for f in fields(Frame)}
    facts["populations"] = [asdict(p) for p in layout.populations]
    facts["models"] = [asdict(m) for m in layout.models]
    arrays["groups"] = np.array([(g.core, g.start, g.stop, g.population, g.first, g.model) for g in layout.groups],
                                np.int64).reshape(-1, 6)
    store.save(path, "layout", VERSION, facts, arrays)


def load_layout(path: str | os.PathLike) -> Layout:
    """Read what `save_layout` wrote. UsageError when it is missing or something else."""
    facts, arrays = store.load(path, "layout", VERSION, mapped=True)
    with store.understood(path, "layout"):
        groups = arrays.pop("groups")
        params, usage = store.split("params", arrays), store.split("usage", arrays)
        tables, frame = store.split("routing", arrays), store.split("frame", arrays)
        plastic = tuple(PlasticProjection(name=p["name"], rule=Plasticity.of(p["rule"]), sign=p["sign"],
                                          grid=p.get("grid", 0.0),
                                          **{"stored": None, **store.split(f"plastic{i}", arrays)})
                        for i, p in enumerate(facts.get("plastic", ())))
        rest = {name: array for name, array in arrays.items() if "/" not in name}
        if "segment_size" not in rest:                              # version 2: segments followed each other
            bounds = rest["segment_start"]
            rest |= {"segment_start": bounds[:-1], "segment_size": np.diff(bounds).astype(np.int32),
                     "segment_slot": np.zeros(len(bounds) - 1, np.int32)}
        layout = Layout(
            chip=ChipSpec.from_dict(facts["chip"]), params=params, usage=usage, plastic=plastic,
            routing=RoutingTables(**tables) if tables else None, frame=Frame(**frame) if frame else None,
            populations=tuple(LayoutPopulation(**{**p, "shape": tuple(p["shape"])}) for p in facts["populations"]),
            models=tuple(LayoutModel(**m) for m in facts["models"]),
            groups=tuple(Group(*map(int, row)) for row in groups),
            **{name: tuple(v) if isinstance(v := facts[name], list) else v for name in FACTS},
            **{"first_input": None, **rest})
        check(layout)
    return layout


def check(layout: Layout) -> None:
    """ValueError unless every table points into the next one: the compiled engine follows them without looking."""
    n, n_cores, synapses = layout.n_neurons, layout.n_cores, len(layout.target)
    n_axons, n_segments, delay = len(layout.axon_core), len(layout.segment_delay), layout.chip.core.delay
    for name, rows, end in (("core_start", n_cores, n), ("out_start", layout.n_sources, len(layout.out_axon)),
                            ("axon_start", n_axons, n_segments)):
        start = getattr(layout, name)
        if len(start) != rows + 1 or start[0] != 0 or start[-1] != end or (np.diff(start) < 0).any():
            raise ValueError(f"`{name}` does not divide {end} entries into {rows} parts")
    params = [(f"params.{name}", n, None) for name in layout.params]
    for name, rows, stop in (("out_axon", len(layout.out_axon), n_axons), ("axon_core", n_axons, n_cores),
                             ("segment_format", n_segments, len(SYNAPSE_FORMATS)), ("weight", synapses, None),
                             ("segment_delay", n_segments, delay.max + (delay.axon_max or 0) + 1),
                             ("segment_bank", n_segments, len(layout.bank_shift)),
                             ("segment_receptor", n_segments, layout.n_receptors), ("segment_start", n_segments, None),
                             ("segment_size", n_segments, None), ("segment_slot", n_segments, None),
                             ("population_index", n, None), ("cores", n_cores, layout.chip.n_cores), *params):
        array = layout.params[name[7:]] if name.startswith("params.") else getattr(layout, name)
        if len(array) != rows or stop is not None and rows and not 0 <= array.min() <= array.max() < stop:
            raise ValueError(f"`{name}` does not hold {rows} numbers" + (f" below {stop}" if stop else ""))
    for name in ("segment_start", "segment_size", "segment_slot"):
        if (getattr(layout, name) < 0).any():
            raise ValueError(f"`{name}` holds a number below 0")
    if (layout.segment_start + layout.segment_size > synapses).any():
        raise ValueError(f"`segment_start` and `segment_size` name synapses beyond {synapses}")
    _check_targets(layout, np.repeat(np.asarray(layout.axon_core), np.diff(layout.axon_start)))
    for p in layout.plastic:
        for name, stop in (("pre", len(p.pre_source)), ("post", len(p.post_source)), ("place", synapses)):
            array = getattr(p, name)
            if len(array) != len(p.weight) or len(array) and not 0 <= array.min() <= array.max() < stop:
                raise ValueError(f"`{name}` of the plastic projection `{p.name}` does not hold {len(p.weight)} numbers "
                                 f"below {stop}")
        sources = np.concatenate([p.pre_source, p.post_source, p.reward_source])
        if len(sources) and not 0 <= sources.min() <= sources.max() < layout.n_sources or (p.post_source >= n).any():
            raise ValueError(f"the plastic projection `{p.name}` names sources that are not there")
        if p.stored is not None and (len(p.stored) != 512 or np.abs(p.weight + 0.5).max(initial=0) > 256):
            raise ValueError(f"the plastic projection `{p.name}` has weights that its table does not hold")
    if (t := layout.routing) is not None and (
            len(t.source_key) != layout.n_sources or len(t.start) != len(t.plain) + 1
            or t.start[0] != 0 or t.start[-1] != len(t.key) or (np.diff(t.start) < 0).any()
            or not len(t.key) == len(t.mask) == len(t.ports)):
        raise ValueError("`routing` holds tables of another layout")
    if (f := layout.frame) is not None and not (
            len(f.cycles) == n_cores and f.parts_ps.shape == (len(f.population), len(PARTS))
            and len(f.bits) == len(f.cores) == len(f.operations) == len(f.layer_cycles) == len(f.population) > 0
            and 0 <= f.population.min() <= f.population.max() < len(layout.populations)):
        raise ValueError("`frame` holds the schedule of another layout")
    _check_groups(layout)


def _check_groups(layout: Layout) -> None:
    """ValueError unless groups cover the neurons of each core, and every unit of a population has one number."""
    rows = np.array([(g.start, g.stop, g.core, g.population, g.model) for g in layout.groups], np.int64).reshape(-1, 5)
    start, stop, core, population, model = rows[np.argsort(rows[:, 0], kind="stable")].T
    n, at = layout.n_neurons, np.asarray(layout.core_start)
    if (np.append(start, n) != np.append(0, stop)).any() or (stop < start).any():
        raise ValueError(f"`groups` do not cover {n} neurons")
    for name, column, most in (("cores", core, layout.n_cores), ("populations", population, len(layout.populations)),
                               ("models", model, len(layout.models))):
        if len(column) and not 0 <= column.min() <= column.max() < most:
            raise ValueError(f"`groups` name {name} that are not there")
    if (start < at[core]).any() or (stop > at[core + 1]).any():
        raise ValueError("`groups` name other cores than `core_start`")
    size = np.array([0 if p.is_input else prod(p.shape) for p in layout.populations], np.int64)
    index, of = np.asarray(layout.population_index, np.int64), np.repeat(population, stop - start)
    if (index < 0).any() or (index >= size[of]).any() or (
            np.bincount((np.cumsum(size) - size)[of] + index, minlength=size.sum()) != 1).any():
        raise ValueError("`population_index` does not have every unit of every population once")
    if any(p.is_input and not n <= p.start <= layout.n_sources - prod(p.shape) for p in layout.populations):
        raise ValueError("an input has lines that are not there")


def _check_targets(layout: Layout, core: np.ndarray) -> None:
    """ValueError if a segment reaches beyond the end of its core; core: of each segment."""
    filled = np.flatnonzero(layout.segment_size)
    if not len(filled):
        return
    stop = layout.segment_start[filled] + layout.segment_size[filled]
    runs, first = np.unique(layout.segment_start[filled], return_index=True)
    run = np.searchsorted(runs, layout.segment_start[filled])
    if (stop != stop[first][run]).any() or (runs[1:] < stop[first][:-1]).any():
        raise ValueError("`segment_size` lets stored runs overlap: segments share a run as a whole or not at all")
    furthest = np.maximum.reduceat(layout.target[: stop.max()], runs)[run]
    if (furthest.astype(np.int64) + layout.segment_slot[filled] >= np.diff(layout.core_start)[core[filled]]).any():
        raise ValueError("`target` and `segment_slot` name slots beyond the end of a core")
