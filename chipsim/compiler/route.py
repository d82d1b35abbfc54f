"""Routing tables of multicast chips: trees, entries of key and mask, compression that is proven, and a deadlock check.

A packet carries a key and no address. A router sends it where the first entry says whose key equals the packet's under
the entry's mask; without one it goes straight on (default route), as on SpiNNaker (Furber et al. 2014).

1. a tree per source: the union of the fabric's routes to its targets   2. an entry per router where a tree turns, forks
or ends   3. compression: entries with the same route merge into a wider one, as in ordered covering (Mundy, Heathcote
and Garside 2016), but only where no other key is caught, so that their order does not matter   4. proof: every key is
followed from its source to all targets.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.compiler.congestion import Routes
from chipsim.errors import Diagnostic, FitError


@dataclass(frozen=True, eq=False)
class Table:
    """Entries of one router, tried in order: route of the first with packet & mask == key.

    key, mask  uint32[n];  links  tuple per entry: links to send on;  here  bool[n]: also deliver to the router's core
    """

    key: np.ndarray
    mask: np.ndarray
    links: tuple[tuple[int, ...], ...]
    here: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    def look_up(self, key: int) -> tuple[tuple[int, ...], bool] | None:
        """(links, deliver here) of a packet, or None: straight on."""
        hit = np.flatnonzero((self.mask & np.uint32(key)) == self.key)
        return (self.links[hit[0]], bool(self.here[hit[0]])) if len(hit) else None


def tree(routes: Routes, source: int, targets: np.ndarray) -> dict[int, tuple[tuple[int, ...], bool]]:
    """Router -> (links to send on, deliver here): the union of the routes from router `source` to the targets.

    Paths of one source that have parted may meet again (tables of adaptive routing do that); then the link found first
    is kept, so that each router gets a packet once.
    """
    reached: dict[int, set[int]] = {source: set()}
    wanted = {int(t) for t in targets}
    for target in sorted(wanted):
        path, here = [], source
        while here != target:
            link = int(routes.link[here, target])
            path.append((here, link))
            here = int(routes.towards[link])
        joined = max(i for i, at in enumerate([source] + [int(routes.towards[k]) for _, k in path]) if at in reached)
        for router, link in path[joined:]:
            reached[router].add(link)
            reached.setdefault(int(routes.towards[link]), set())
    return {router: (tuple(sorted(links)), router in wanted) for router, links in reached.items()}


def tables(routes: Routes, onward: np.ndarray, keys: np.ndarray, sources: np.ndarray,
           targets: list[np.ndarray]) -> dict[int, Table]:
    """Router -> table, an entry per source and router unless the packet only passes straight through.

    onward  int32[K]: the link in the same direction at the end of each link, -1 where there is none
    keys    uint32[S] of each source, all different;  sources int[S] its router;  targets routers per source
    """
    rows: dict[int, list] = {}
    for key, source, goals in zip(keys, sources, targets, strict=True):
        came_by: dict[int, int] = {}
        found = tree(routes, int(source), goals)
        for links, _ in found.values():
            came_by |= {int(routes.towards[k]): k for k in links}
        for router, (links, here) in found.items():
            passes = router in came_by and links == (int(onward[came_by[router]]),) and not here
            if not passes and (links or here):
                rows.setdefault(router, []).append((int(key), links, here))
    return {router: Table(np.array([k for k, _, _ in entries], np.uint32),
                          np.full(len(entries), 0xFFFFFFFF, np.uint32), tuple(links for _, links, _ in entries),
                          np.array([here for _, _, here in entries]))
            for router, entries in rows.items()}


def compress(table: Table, passing: np.ndarray) -> Table:
    """A table of the same meaning with fewer entries, for all of its keys and those `passing` without an entry.

    Entries of the same route are merged greedily, the largest group of keys first, when the merged key and mask catches
    none of the keys of other routes nor a passing one; so the order of the result does not matter.
    """
    groups: dict[tuple, list[int]] = {}
    for i in range(len(table)):
        groups.setdefault((table.links[i], bool(table.here[i])), []).append(i)
    result = []
    for (links, here), own in groups.items():
        others = np.concatenate([np.delete(table.key, own), np.asarray(passing, np.uint32)])
        left = np.sort(table.key[own])
        while len(left):
            key, mask, covered = _widest(left, others)
            result.append((key, mask, links, here))
            left = left[~covered]
    result.sort(key=lambda entry: (-int(entry[1]), int(entry[0])))
    return Table(np.array([r[0] for r in result], np.uint32), np.array([r[1] for r in result], np.uint32),
                 tuple(r[2] for r in result), np.array([r[3] for r in result], bool))


def _widest(own: np.ndarray, others: np.ndarray) -> tuple[np.uint32, np.uint32, np.ndarray]:
    """Key and mask that catch the first of `own`, as many more as greedy widening finds, and none of `others`."""
    key, mask = own[0], np.uint32(0xFFFFFFFF)
    for candidate in own[1:]:
        wider = mask & ~(key ^ candidate)
        if not ((others & wider) == (key & wider)).any():
            mask = wider
    key = key & mask
    return key, mask, (own & mask) == key


def prove(routes: Routes, onward: np.ndarray, found: dict[int, Table], keys: np.ndarray, sources: np.ndarray,
          targets: list[np.ndarray]) -> None:
    """Follow every key through the tables; FitError M255 for the first that misses a target, strays or comes twice."""
    for key, source, goals in zip(keys, sources, targets, strict=True):
        delivered: list[int] = []
        waiting, seen = [(int(source), -1)], set()
        while waiting:
            router, came_by = waiting.pop()
            if router in seen:
                raise _unproven(key, source, f"comes to router {router} twice")
            seen.add(router)
            entry = found[router].look_up(int(key)) if router in found else None
            if entry is None:
                links = (int(onward[came_by]),) if came_by >= 0 and onward[came_by] >= 0 else ()
                if not links:
                    raise _unproven(key, source, f"is lost at router {router}")
            else:
                links = entry[0]
                delivered += [router] * entry[1]
            waiting += [(int(routes.towards[k]), k) for k in links]
        wanted = sorted({int(g) for g in goals})
        if sorted(delivered) != wanted:
            raise _unproven(key, source, f"reaches routers {sorted(delivered)}, wanted {wanted}")


def _unproven(key: int, source: int, what: str) -> FitError:
    return FitError(Diagnostic("M255", f"routing tables: key 0x{int(key):08x} from router {int(source)} {what}",
                               help="keys of different sources must differ; routes must not lead in a circle"))


def onward_links(routes: Routes, router_of_link: np.ndarray, port: np.ndarray) -> np.ndarray:
    """int32[K]: the link of the same port at the router that each link leads to, -1 where there is none."""
    by = {(int(r), int(p)): k for k, (r, p) in enumerate(zip(router_of_link, port, strict=True))}
    return np.array([by.get((int(t), int(p)), -1) for t, p in zip(routes.towards, port, strict=True)], np.int32)


def channel_dependencies(routes: Routes) -> np.ndarray:
    """int64[D,2]: pairs of links (k, l) of which some route takes l right behind k (Dally and Seitz 1987)."""
    n_links, n = len(routes.towards), len(routes.link)
    pairs = set()
    for target in range(n):
        first = routes.link[:, target]
        away = np.flatnonzero(first >= 0)
        following = first[routes.towards[first[away]]]
        ahead = following >= 0
        pairs.update((first[away][ahead].astype(np.int64) * n_links + following[ahead]).tolist())
    codes = np.array(sorted(pairs), np.int64)
    return np.stack(np.divmod(codes, n_links), axis=1) if len(codes) else np.zeros((0, 2), np.int64)


def deadlock(routes: Routes) -> list[int] | None:
    """Links of a cycle in which each waits for the next, or None: routes without one cannot deadlock."""
    pairs = channel_dependencies(routes)
    following: dict[int, list[int]] = {}
    for link, behind in pairs.tolist():
        following.setdefault(link, []).append(behind)
    state: dict[int, int] = {}                                  # 1: on the path, 2: no cycle behind it
    for start in following:
        path, branches = [], []
        if start not in state:
            path, branches = [start], [iter(following[start])]
            state[start] = 1
        while path:
            link = next(branches[-1], None)
            if link is None:
                state[path.pop()] = 2
                branches.pop()
            elif state.get(link) == 1:
                return path[path.index(link):]
            elif link not in state:
                state[link] = 1
                path.append(link)
                branches.append(iter(following.get(link, ())))
    return None
