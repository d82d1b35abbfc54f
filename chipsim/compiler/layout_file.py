"""Layouts on disk (*.layout.h5)."""
from __future__ import annotations

import os
from dataclasses import asdict, fields

import numpy as np

from chipsim import store
from chipsim.chip.spec import ChipSpec
from chipsim.compiler.layout import Group, Layout, LayoutPopulation

VERSION = 1
FACTS = ("network", "outputs", "dt", "model", "options", "limits", "approximations", "log", "notes")


def save_layout(layout: Layout, path: str | os.PathLike) -> None:
    """Write `path`, whole or not at all."""
    arrays = {f.name: getattr(layout, f.name) for f in fields(Layout)
              if isinstance(getattr(layout, f.name), np.ndarray)}
    arrays |= {f"params/{k}": v for k, v in layout.params.items()} | {f"usage/{k}": v for k, v in layout.usage.items()}
    facts = {name: getattr(layout, name) for name in FACTS}
    facts["chip"] = layout.chip.to_dict()
    facts["populations"] = [asdict(p) for p in layout.populations]
    arrays["groups"] = np.array([(g.core, g.start, g.stop, g.population, g.first) for g in layout.groups],
                                np.int64).reshape(-1, 5)
    store.save(path, "layout", VERSION, facts, arrays)


def load_layout(path: str | os.PathLike) -> Layout:
    """Read what `save_layout` wrote. UsageError when it is missing or something else."""
    facts, arrays = store.load(path, "layout", VERSION)
    groups = arrays.pop("groups")
    params, usage = store.split("params", arrays), store.split("usage", arrays)
    rest = {name: array for name, array in arrays.items() if "/" not in name}
    return Layout(
        chip=ChipSpec.from_dict(facts["chip"]), params=params, usage=usage,
        populations=tuple(LayoutPopulation(**{**p, "shape": tuple(p["shape"])}) for p in facts["populations"]),
        groups=tuple(Group(*map(int, row)) for row in groups),
        **{name: tuple(v) if isinstance(v := facts[name], list) else v for name in FACTS},
        **{"first_input": None, **rest})
