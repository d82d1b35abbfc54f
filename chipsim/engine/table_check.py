"""Written routes held against their fabric when a chip is loaded: do all packets arrive, and can they always?"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from chipsim.chip.misfit import Misfit
from chipsim.engine.deadlock import cycle_of, cyclic
from chipsim.engine.next_hops import follow, read_entries
from chipsim.engine.topology import TOPOLOGIES, plan_fabric

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec


def table_misfits(chip: ChipSpec) -> Iterator[Misfit]:
    """All that is wrong with `fabric.table`.

    A cycle of channels is left alone where blocked packets are dropped, and where there is no time.
    """
    fabric = chip.fabric
    links, n_routers, _ = TOPOLOGIES[fabric.topology](fabric)
    _, wrong = follow(fabric, n_routers, links)
    yield from wrong
    if wrong or fabric.blocked or chip.time_base == "untimed":
        return
    plan = plan_fabric(fabric, np.arange(chip.n_cores))
    if cycle := cycle_of(plan):
        entries, _ = read_entries(fabric, n_routers, links)
        router, port = int(plan.from_router[cycle[0]]), int(plan.out_port[cycle[0]])
        uses = np.flatnonzero((plan.next_port[router] == port) & (entries.entry[router] >= 0))
        found = cyclic(plan, cycle)
        path = entries.path(router, int(uses[0])) if len(uses) else "fabric.table.routers"
        yield Misfit(path, found.message, found.help, found.code)
