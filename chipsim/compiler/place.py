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
    order = []
    rows = range(fabric.height)
    if fabric.io.router[1] > fabric.height // 2:
        rows = rows[::-1]
    for turn, y in enumerate(rows):
        xs = range(fabric.width)
        order += [x + fabric.width * y for x in (xs if turn % 2 == 0 else xs[::-1])]
    cores = (np.array(order)[:, None] * fabric.cores_per_router + np.arange(fabric.cores_per_router)).ravel()
    cores = cores[cores < draft.chip.n_cores]
    places = cores[: len(draft.cores)].astype(np.int32)
    return replace(draft, places=places, merit={"routers": len(np.unique(places // fabric.cores_per_router))})
