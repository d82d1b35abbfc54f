"""A second look at a placement on a fabric whose routers copy packets: shorter trees instead of shorter distances.

What a spike costs there is the links of its tree, each once; two targets beside each other cost hardly more than one.
Swaps anneal packets x price of the trees' links, from the placement by distances on; trees are those of the fabric's
own routes. Sources of a core with the same targets are one net.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.draft import Draft
from chipsim.compiler.placing.congestion import Routes, near
from chipsim.compiler.placing.tree_swaps import shorten, tree_loads
from chipsim.compiler.routing.keys import ALL, Senders

MOST_PINS = 1 << 21                 # beyond, the sources of a core are one net
MOVES = {"fast": 0, "normal": 300, "best": 1500}            # per core
STEPS = {"fast": 0.0, "normal": 4e8, "best": 4e9}           # along links: a second is 4e8 to 6e8 of them
HOT, COLD = 0.1, 0.004              # temperatures, in packets x price of what one core has to do with


@dataclass(frozen=True, eq=False)
class Nets:
    """N nets. start int64[N+1], pin int32[.]: cores of the draft (their number: the host), the source first; packets
    float32[N] in a tick."""

    start: np.ndarray
    pin: np.ndarray
    packets: np.ndarray

    def pins(self) -> tuple[np.ndarray, np.ndarray]:
        """(net, vertex) of every pin."""
        return np.repeat(np.arange(len(self.packets)), np.diff(self.start)), self.pin


def nets_of(draft: Draft) -> Nets:
    """What the sources of the draft send, at the rates measured, or one spike of each where none are."""
    senders = Senders(draft)
    classes = senders.classes(ALL)
    if len(classes.target) > MOST_PINS:
        classes = senders.classes(1, True)
    rate = np.concatenate([np.ones(node.size) if (r := draft.options.rates.get(node.name)) is None else r
                           for node in draft.nodes] or [np.zeros(0)])
    sends = classes.of >= 0
    packets = np.bincount(classes.of[sends], rate[sends], len(classes.size))
    start = classes.start + np.arange(len(classes.start))
    pin = np.insert(classes.target, classes.start[:-1], classes.home).astype(np.int32)
    return Nets(start, pin, packets.astype(np.float32))


def shorten_trees(nets: Nets, sites: np.ndarray, router: np.ndarray, routes: Routes, price: np.ndarray, *,
                  cells: np.ndarray, pinned: np.ndarray, effort: str = "normal", seed: int = 0) -> np.ndarray:
    """Sites with shorter trees; the ones given where none are found.

    sites    int[n] of each vertex;  router int[S], cells int[S,2] of each site;  price float[K] of each link
    pinned   int[n]: site that a vertex has to keep, -1: free
    """
    net, vertex = nets.pins()
    n, n_sites = len(sites), len(router)
    pairs = np.unique(vertex.astype(np.int64) * max(1, len(nets.packets)) + net)
    of_vertex, of = np.divmod(pairs, max(1, len(nets.packets)))
    fixed = pinned >= 0
    degree = np.bincount(of_vertex, minlength=n)
    movers = np.flatnonzero(~fixed & (degree > 0)).astype(np.int32)
    if not len(movers) or not MOVES[effort] or not price.any() or not nets.packets.any():
        return sites
    site = np.concatenate([sites, np.setdiff1d(np.arange(n_sites), sites)]).astype(np.int32)
    at = np.full(n_sites, -1, np.int32)
    at[site] = np.arange(len(site))
    at[sites[fixed]] = -1
    of_start = np.concatenate([[0], np.cumsum(np.bincount(of_vertex, minlength=len(site)))]).astype(np.int64)
    # a move measures the trees of two cores; a tree takes a step for every link on the way to every pin
    hops = routes.hops(router[sites[nets.pin[nets.start[net]]]], router[sites[vertex]])
    steps = np.bincount(net, hops + 1, len(nets.packets))
    each = 2 * np.bincount(of_vertex, steps[of], n)[movers].mean()
    moves = int(min(MOVES[effort] * len(movers), STEPS[effort] / each))
    unit = float(nets.packets[of].sum() / len(movers) * price.mean())
    room = len(nets.packets)
    before, after = shorten(
        nets.start, nets.pin, nets.packets, of_start, of.astype(np.int32), router.astype(np.int32), site, at, movers,
        near(cells), routes.link, routes.towards, price.astype(np.float32), np.full(len(price), -1, np.int64),
        np.zeros(room), np.full(room, -1, np.int64), np.zeros(room, np.int32), np.zeros(room), HOT * unit,
        COLD * unit, moves, seed)
    return site[:n].astype(np.int64) if after < before else sites


def loads_of(nets: Nets, router: np.ndarray, routes: Routes) -> np.ndarray:
    """float64[K]: packets over each link; router int[n] of each vertex."""
    load = np.zeros(len(routes.towards))
    tree_loads(nets.start, nets.pin, nets.packets, router.astype(np.int32), routes.link, routes.towards, load)
    return load
