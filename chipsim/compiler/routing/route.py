"""Routing tables of multicast chips: what each router is loaded with, so that every spike finds all of its targets.

A packet carries a key and no address. A router sends it where the first entry says whose key equals the packet's under
the entry's mask; without one it goes straight on (default route), as on SpiNNaker (Furber et al. 2014).

1. sources of a core that go to the same cores share a block of keys (keys.py)   2. a tree per block: the union of the
fabric's routes to its targets; an entry at every router where it begins, turns, forks or ends   3. shorter tables of
the same meaning, and the proof by every block at every router (tcam.pyx)   4. where they do not fit, the sources of a
population on a core go wherever one of them does, as in sPyNNaker, at last all those of a core; packets that arrive in
vain are simulated.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chipsim.compiler.draft import Draft
from chipsim.compiler.layout import RoutingTables
from chipsim.compiler.routing.keys import ALL, Classes, Senders, allot
from chipsim.compiler.routing.routes import tree_rows
from chipsim.compiler.routing.tcam import first_wrong, minimise
from chipsim.engine.topology import FabricPlan, plan_fabric
from chipsim.errors import Diagnostic, FitError
from chipsim.figures import exact, percent

SHARING = ((ALL, False), (64, False), (8, False), (1, False), (1, True))     # in turn, as for Senders.classes
HOPELESS = 2                            # times as many prefixes as a router has entries: masks do not save that table
SHOWN = 4                               # routers that a message names


@dataclass(frozen=True, eq=False)
class Rows:
    """What a packet of each class does at each router that it visits, router by router, keys ascending.

    first int64[R+1]; owner int32[M] class; ports uint64[M]; passes bool[M]: the default route does it
    """

    first: np.ndarray
    owner: np.ndarray
    ports: np.ndarray
    passes: np.ndarray


def route(draft: Draft) -> Draft:
    """Fill `routing`, on chips whose routers hold tables. FitError when one of them is too long."""
    limit = draft.chip.fabric.router_entries
    if limit is None:
        return draft
    plan, senders = plan_fabric(draft.chip.fabric, draft.places), Senders(draft)
    for most, coarse in SHARING:
        classes = senders.classes(most, coarse)
        if most > 1 and too_many(draft, plan, classes, limit):
            continue
        tables = tables_of(draft, plan, classes)
        used = tables.used
        if used.max(initial=0) <= limit:
            break
    else:
        raise FitError(*overfull(draft, plan, used, limit))
    vain = int((classes.size * np.diff(classes.start)).sum() - senders.n_targets.sum())
    changes = draft.approximations
    if vain:
        more = percent(vain / senders.n_targets.sum())
        changes += ({"what": f"routes of {exact(classes.shared)} groups of sources", "kind": f"shared, to fit into "
                     f"{exact(limit)} entries of a router", "size": f"{more} more deliveries, in vain"},)
    merit = {"entries": int(used.max(initial=0)), "entries_available": limit, "routers": int((used > 0).sum()),
             "compression": float(tables.plain.sum() / max(1, used.sum()))}
    return replace(draft, routing=tables, approximations=changes, merit=merit,
                   in_vain=in_vain(senders, classes) if vain else ())


def tables_of(draft: Draft, plan: FabricPlan, classes: Classes) -> RoutingTables:
    """Keys, and tables for the classes; they are proven where they fit."""
    fabric = draft.chip.fabric
    keys = allot(classes, fabric, draft.places)
    order = np.argsort(keys.base)
    rows = rows_of(plan, classes, order, fabric.topology not in ("tree", "custom"))
    owner = order[rows.owner]
    routes, number = np.unique(rows.ports, return_inverse=True)
    blocks = (rows.first, keys.base[owner], keys.bits[owner], number.astype(np.int32), rows.passes.view(np.uint8))
    start, key, mask, to = minimise(*blocks, HOPELESS * fabric.router_entries)
    fits = np.diff(start).max(initial=0) <= fabric.router_entries
    if fits and (wrong := first_wrong(*blocks, start, key, mask, to)) >= 0:
        router = int(np.searchsorted(rows.first, wrong, "right")) - 1
        raise FitError(Diagnostic("M255", f"the table of router {router} sends key 0x{keys.base[owner[wrong]]:08x} "
                                  "elsewhere than its tree", help="a fault of the compiler: please report it"))
    needed = np.where(rows.passes, 0, classes.size[owner])
    plain = np.bincount(np.repeat(np.arange(plan.n_routers), np.diff(rows.first)), needed, plan.n_routers)
    return RoutingTables(start, key, mask, routes[to] if len(to) else np.zeros(0, np.uint64), plain.astype(np.int64),
                         keys.source)


def rows_of(plan: FabricPlan, classes: Classes, order: np.ndarray, straight: bool) -> Rows:
    """The trees of all classes, classes counted in `order`."""
    size = np.diff(classes.start)[order]
    start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    target = classes.target[np.repeat(classes.start[order] - start[:-1], size) + np.arange(start[-1])]
    found = tree_rows(plan, plan.router[classes.home[order]].astype(np.int32), start, target, straight)
    if len(found) == 2:
        raise FitError(Diagnostic("M257", f"routes of one source part and meet again at router {found[1]}; tables by "
                                  "key cannot tell the two apart", help="routes in dimension order, or along a tree"))
    return Rows(*found)


def too_many(draft: Draft, plan: FabricPlan, classes: Classes, limit: int) -> bool:
    """Some router needs more entries for its own sources than it has, whatever their keys: one per different route.

    Looked at where most classes are at home, to be spared all trees of a network whose neurons are all different.
    """
    at = plan.router[classes.home]
    own = np.flatnonzero(at == np.argmax(np.bincount(at, minlength=plan.n_routers)))
    if len(own) <= limit:
        return False
    rows = rows_of(plan, classes, own, False)
    here = slice(rows.first[at[own[0]]], rows.first[at[own[0]] + 1])
    return len(np.unique(rows.ports[here])) > limit


def in_vain(senders: Senders, classes: Classes) -> tuple[tuple[int, np.ndarray], ...]:
    """(core, sources int64[.]) that send there because another of their class does."""
    by_class = np.argsort(classes.of, kind="stable")[np.count_nonzero(classes.of < 0):]
    begin = np.concatenate([[0], np.cumsum(classes.size)])
    owner = np.repeat(np.arange(len(classes.size)), np.diff(classes.start))
    order = np.argsort(classes.target, kind="stable")
    by_core = np.split(owner[order], np.searchsorted(classes.target[order], np.arange(1, len(senders.heard))))
    hears = np.zeros(len(classes.of), bool)
    found = []
    for c, units in senders.by_core():
        hears[units] = True
        sent = np.concatenate([by_class[begin[k] : begin[k + 1]] for k in by_core[c]] or [np.zeros(0, np.int64)])
        if len(more := np.sort(sent[~hears[sent]])):
            found.append((c, more))
        hears[units] = False
    return tuple(found)


def overfull(draft: Draft, plan: FabricPlan, used: np.ndarray, limit: int) -> list[Diagnostic]:
    """M258 for the routers whose tables are longest."""
    worst = np.argsort(-used, kind="stable")[:SHOWN]
    width = plan.columns
    found = [Diagnostic("M258", f"the routing table of router ({r % width},{r // width}) needs {exact(used[r])} "
                        f"entries, {draft.chip.name} has {exact(limit)} ({used[r] / limit:.1f} times as many)",
                        help="fewer cores that hear each population; larger pieces on fewer cores, or more chips")
             for r in worst.tolist() if used[r] > limit]
    more = int((used > limit).sum()) - len(found)
    if more > 0:
        found.append(Diagnostic("M258", f"the tables of {more} more routers are too long"))
    return found
