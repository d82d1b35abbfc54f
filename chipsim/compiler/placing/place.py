"""Give every core of the draft a core of the chip, so that spike packets travel few and cheap hops.

The traffic between cores, with the host's port as a vertex that stands still, is placed on the chip's own fabric
(placement.py); then the heaviest link is made lighter at the price of a few hops (congestion.py), or, where routers
copy packets, their trees shorter (trees.py). A hop counts in units of an east-west hop's energy, so borders between
chips and dearer directions are crossed less. A pair of cores whose route crosses a dead link is as good as forbidden.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array, csr_array

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.avoid import Avoid
from chipsim.compiler.draft import Draft
from chipsim.compiler.partitioning.tally import tally_of
from chipsim.compiler.placing.congestion import Routes, relieve_links
from chipsim.compiler.placing.floorplan import Floorplan, hexagonal, mesh, tabulated, torus
from chipsim.compiler.placing.placement import place_graph
from chipsim.compiler.placing.trees import Nets, loads_of, nets_of, shorten_trees
from chipsim.engine.topology import KINDS, FabricPlan, host_router, plan_fabric
from chipsim.errors import Diagnostic, FitError

MOST_ROUTERS = 4096                 # with a table of routes [R,R]: 64 MB
FORBIDDEN = 1e4                     # hops that a route over a dead link counts


def place(draft: Draft) -> Draft:
    """Fill `places`. FitError when places are missing, a pin does not hold, or a dead link is in the way."""
    chip, options = draft.chip, draft.options
    avoid = options.avoid or Avoid()
    fabric, n = chip.fabric, len(draft.cores)
    alive = np.setdiff1d(np.arange(chip.n_cores), list(avoid.dead(fabric)))
    router = np.append(fabric.first_router + alive // fabric.cores_per_router, host_router(fabric))
    routes = Routes.of(fabric) if fabric.n_routers <= MOST_ROUTERS else None
    floorplan = _floorplan(chip, router, routes, avoid)
    pinned = _pinned(draft, avoid, alive)
    traffic = core_traffic(draft)
    sites = place_graph(traffic, floorplan, pinned=pinned, effort=options.effort, seed=options.seed)
    nets = nets_of(draft) if routes is not None and fabric.cast == "multicast" else None
    if nets is not None and not avoid.links:
        sites = shorten_trees(nets, sites, router, routes, _link_prices(chip), cells=floorplan.cells, pinned=pinned,
                              effort=options.effort, seed=options.seed)
    elif routes is not None and not avoid.links:
        sites = relieve_links(traffic, sites, router, routes, cells=floorplan.cells, price=_link_prices(chip),
                              pinned=pinned, effort=options.effort, seed=options.seed)
    sites = _in_order(sites, router, pinned)
    merit = _merit(draft, traffic, nets, router[sites], routes, avoid)
    return replace(draft, places=alive[sites[:n]].astype(np.int32), merit=merit)


def _in_order(sites: np.ndarray, router: np.ndarray, pinned: np.ndarray) -> np.ndarray:
    """The same routers, but on each the draft's cores take the lowest numbers in their own order."""
    free = np.flatnonzero(pinned < 0)
    if not len(free):
        return sites
    free = free[np.argsort(router[sites[free]], kind="stable")]
    open_sites = np.setdiff1d(np.arange(len(router)), pinned)
    open_sites = open_sites[np.argsort(router[open_sites], kind="stable")]
    on, count = np.unique(router[sites[free]], return_counts=True)
    first = np.searchsorted(router[open_sites], on)
    result = sites.copy()
    result[free] = np.concatenate([open_sites[f : f + n] for f, n in zip(first, count, strict=True)])
    return result


def core_traffic(draft: Draft) -> csr_array:
    """float64[C+1,C+1]: packets per tick from core to core at the rates measured, or one spike of
    every source where none are; the last one is the host's port."""
    n = len(draft.cores)
    home = [np.full(node.size, n) for node in draft.nodes]
    for c, pieces in enumerate(draft.cores):
        for p in pieces:
            home[p.node][p.rows] = c
    source, target, packets = [], [], []
    for c, reach in enumerate(tally_of(draft).heard):
        for pre, senders in reach:
            at = home[pre][senders]
            cores = np.arange(n + 1)
            if len(senders) < n // 8:                   # sorting them is less work than a count for every core
                cores, at = np.unique(at, return_inverse=True)
            rates = draft.options.rates.get(draft.nodes[pre].name)
            count = np.bincount(at, weights=None if rates is None else rates[senders], minlength=len(cores))
            sends = np.flatnonzero(count)
            source.append(cores[sends])
            target.append(np.full(len(sends), c))
            packets.append(count[sends])
    count, row, column = (np.concatenate(part) if part else np.zeros(0, int) for part in (packets, source, target))
    return coo_array((count.astype(float), (row, column)), shape=(n + 1, n + 1)).tocsr()


def _floorplan(chip: ChipSpec, router: np.ndarray, routes: Routes | None, avoid: Avoid) -> Floorplan:
    """One site per entry of `router`."""
    fabric = chip.fabric
    price = _prices(chip)
    if fabric.topology in ("tree", "custom"):
        cells = np.stack([router, np.zeros_like(router)], axis=1)
    else:
        cells = np.stack([router % fabric.grid[0], router // fabric.grid[0]], axis=1)
    regular = fabric.routing != "table" and not avoid.links
    plain = fabric.chips is None and regular
    if fabric.topology == "mesh" and regular:
        return mesh(cells, hop=tuple(
            np.where(np.arange(1, side + 1) % own == 0, price["interchip"], price[kind]) for side, own, kind in zip(
                fabric.grid, (fabric.width, fabric.height), ("east_west", "north_south"), strict=True)))
    if fabric.topology == "torus" and plain:
        return torus(cells, fabric.grid, hop=(price["east_west"], price["north_south"]))
    if fabric.topology == "hex_torus" and (plain or routes is None):
        return hexagonal(cells, fabric.grid)
    if routes is None:
        raise FitError(Diagnostic("M251", f"{chip.name} has {fabric.n_routers} routers; placement on a "
                                  f"{fabric.topology} with borders or dead links takes at most {MOST_ROUTERS}",
                                  help="a mesh without dead links, or a smaller system"))
    plan, cost = plan_fabric(fabric, np.zeros(0, int), host=False), _link_prices(chip)
    cost[_dead(plan, avoid)] = FORBIDDEN
    used, at = np.unique(router, return_inverse=True)
    hops = _path_costs(routes, used, cost)
    return tabulated((hops + hops.T) / 2, cells, at)     # by router, not by core: on SpiNNaker a 324th


def _dead(plan: FabricPlan, avoid: Avoid) -> np.ndarray:
    """bool[K]: channels of dead links."""
    dead = np.zeros(plan.n_channels, bool)
    for pair in avoid.links:
        for a, b in (pair, pair[::-1]):
            dead |= (plan.from_router == a) & (plan.to_router == b)
    return dead


def _prices(chip: ChipSpec) -> dict[str, float]:
    """Price of a hop by kind of channel, in east-west hops; 1 where energies are not known."""
    energy = {kind: getattr(getattr(chip.fabric.channels, kind, None), "energy", 0.0) for kind in KINDS}
    unit = energy["east_west"] or energy["tree"]
    return {kind: e / unit if e and unit else 1.0 for kind, e in energy.items()}


def _link_prices(chip: ChipSpec) -> np.ndarray:
    """float64[K]: price of every link."""
    price = _prices(chip)
    return np.array([price[KINDS[k]] for k in plan_fabric(chip.fabric, np.zeros(0, int), host=False).kind])


def _path_costs(routes: Routes, used: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """float64[n,n]: what the links on the way between routers cost."""
    there = np.tile(used, len(used))
    here = np.repeat(used, len(used))
    total, moving = np.zeros(len(here)), np.flatnonzero(here != there)
    while len(moving):
        link = routes.link[here[moving], there[moving]]
        total[moving] += cost[link]
        here[moving] = routes.towards[link]
        moving = moving[here[moving] != there[moving]]
    return total.reshape(len(used), len(used))


def _pinned(draft: Draft, avoid: Avoid, alive: np.ndarray) -> np.ndarray:
    """int[C+1]: site of the cores that are given, and of the host's port, which is the last site."""
    pinned = np.append(np.full(len(draft.cores), -1), len(alive))
    names = [node.name for node in draft.nodes]
    wrong = []
    for name, cores in avoid.pin:
        if name not in names:
            wrong.append(Diagnostic("M252", f"there is no population `{name}` to pin",
                                    help="one of " + ", ".join(names)))
            continue
        own = [c for c, pieces in enumerate(draft.cores) if any(names[p.node] == name for p in pieces)]
        if len(cores) < len(own):
            wrong.append(Diagnostic("M252", f"population `{name}` takes {len(own)} cores, {len(cores)} are given to "
                                    "pin it to", help="give as many, or leave the pin out"))
        for c, core in zip(own, cores, strict=False):
            site = int(np.searchsorted(alive, core))
            if site == len(alive) or alive[site] != core:
                wrong.append(Diagnostic("M252", f"population `{name}` is pinned to core {core}, which is dead"))
            elif pinned[c] not in (-1, site) or site in pinned[:-1][np.arange(len(draft.cores)) != c]:
                wrong.append(Diagnostic("M252", f"two pins meet: population `{name}` on core {core}",
                                        help="populations on one core go together; give every core once"))
            else:
                pinned[c] = site
    if wrong:
        raise FitError(*wrong)
    return pinned


def _merit(draft: Draft, traffic: csr_array, nets: Nets | None, router: np.ndarray, routes: Routes | None,
           avoid: Avoid) -> dict[str, object]:
    """Figures for the log: hops of a packet, or links of a spike's tree; packets on the heaviest link when every source
    spikes once."""
    if routes is None:
        return {"routers": len(np.unique(router[:-1]))}
    if nets is None:
        e = traffic.tocoo()
        load, sent = routes.loads(router[e.row], router[e.col], e.data), e.data.sum()
    else:
        load, sent = loads_of(nets, router, routes), nets.packets.sum()
    if avoid.links:
        plan = plan_fabric(draft.chip.fabric, np.zeros(0, int), host=False)
        for k in np.flatnonzero(_dead(plan, avoid) & (load > 0)):
            raise FitError(Diagnostic(
                "M253", "no placement was found that keeps clear of the dead link between routers "
                f"{plan.from_router[k]} and {plan.to_router[k]}; the fabric's routes are fixed",
                help="fewer cores, a larger chip, or `--effort best`"))
    return {"routers": len(np.unique(router[:-1])),
            "hops_per_packet" if nets is None else "links_per_spike": float(load.sum() / max(sent, 1.0)),
            "heaviest_link": float(load.max(initial=0))}
