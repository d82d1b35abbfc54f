"""Give every group of pieces a core of the chip.

First form: in order of the layers along a serpentine over the routers, starting at the host port, so that layers that
talk are neighbours and no hop is longer than it must be for a chain.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.compiler.draft import Draft


def place(draft: Draft) -> Draft:
    fabric = draft.chip.fabric
    width, height = fabric.grid
    order = list(range(fabric.n_places))
    if fabric.topology not in ("tree", "custom"):
        rows = range(height) if fabric.io.router[1] <= height // 2 else range(height)[::-1]
        order = [x + width * y for turn, y in enumerate(rows)
                 for x in (range(width) if turn % 2 == 0 else range(width)[::-1])]
    cores = (np.array(order)[:, None] * fabric.cores_per_router + np.arange(fabric.cores_per_router)).ravel()
    cores = cores[cores < draft.chip.n_cores]
    places = cores[: len(draft.cores)].astype(np.int32)
    return replace(draft, places=places, merit={"routers": len(np.unique(places // fabric.cores_per_router))})
