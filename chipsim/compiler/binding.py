"""Which limit of a core binds each population, and what would relieve it."""
from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.compiler.layout import Layout
from chipsim.compiler.partitioning.misfits import KEY, REMEDY, UNIT

NEARLY = 0.9        # of a limit: a core that is as full has no room to speak of
SOMEWHAT = 0.5      # of a limit, on several cores: two of them together would not fit


def binding(layout: Layout) -> list[dict[str, Any]]:
    """A row for each population with neurons, JSON-able: population, cores it stands on, the resource (None: no limit
    binds) of which its fullest core has the least left, `full` of 1, and the remedy."""
    shares = {name: used / limit for name, used in layout.usage.items() if (limit := layout.limits.get(name))}
    rows = []
    for i, p in enumerate(layout.populations):
        cores = np.unique([g.core for g in layout.groups if g.population == i])
        if p.is_input or not len(cores):
            continue
        fullest = {name: float(share[cores].max()) for name, share in shares.items()}
        name = max(fullest, key=lambda name: fullest[name], default=None)
        full = fullest.get(name, 0.0)
        if full < (SOMEWHAT if len(cores) > 1 else NEARLY):
            name = None
        remedy = None if name is None else f"{REMEDY[name]}; or larger cores ({KEY[name]})"
        rows.append({"population": p.name, "cores": len(cores), "resource": name, "full": full,
                     "unit": UNIT.get(name), "remedy": remedy})
    return rows
