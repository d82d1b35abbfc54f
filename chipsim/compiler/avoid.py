"""What to keep clear of on one particular chip (`--avoid dead.yaml`), and where populations have to go.

    cores: [3, 17]                    # dead cores, by number
    routers: [[2, 1]]                 # all cores on a router; [column, row], or its number on trees and custom fabrics
    links: [[[0, 0], [1, 0]]]         # both directions between two neighbouring routers
    pin: {conv1: [8, 9, 10]}          # cores of a population, in this order
"""
from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import yaml

from chipsim.chip.fabric import Fabric
from chipsim.errors import Diagnostic, UsageError

KEYS = ("cores", "routers", "links", "pin")


@dataclass(frozen=True)
class Avoid:
    """Dead cores and links of a chip, and given cores.

    cores    core numbers;  routers  router numbers
    links    pairs of router numbers, either way
    pin      population name -> core numbers
    """

    cores: frozenset[int] = frozenset()
    routers: frozenset[int] = frozenset()
    links: tuple[tuple[int, int], ...] = ()
    pin: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def dead(self, fabric: Fabric) -> frozenset[int]:
        """All dead cores."""
        per, first = fabric.cores_per_router, fabric.first_router
        return self.cores | {(r - first) * per + k for r in self.routers for k in range(per)}


def load_avoid(path: str | PathLike, fabric: Fabric) -> Avoid:
    """Read a file of the form above for a chip of this fabric. UsageError U450 with every mistake in it."""
    file = Path(path)
    try:
        found = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise UsageError(Diagnostic("U450", f"`{file}` cannot be read: {getattr(error, 'problem', error)}",
                                    file=str(file), line=line,
                                    help="a mapping with cores, routers, links, pin")) from None
    wrong: list[str] = []
    found = {} if found is None else found
    if not isinstance(found, dict):
        found, wrong = {}, ["it is not a mapping"]
    wrong += [f"there is no key `{key}`" for key in found if key not in KEYS]
    cores = [_core(c, fabric, wrong) for c in _list(found, "cores", wrong)]
    routers = [_router(r, fabric, wrong) for r in _list(found, "routers", wrong)]
    links = []
    for pair in _list(found, "links", wrong):
        if not isinstance(pair, list) or len(pair) != 2:
            wrong.append(f"link {pair} is not a pair of routers")
        else:
            links.append((_router(pair[0], fabric, wrong), _router(pair[1], fabric, wrong)))
    pin = found.get("pin") or {}
    if not isinstance(pin, dict):
        pin = {}
        wrong.append("`pin` is not a mapping from a population to cores")
    pins = tuple((str(name), tuple(_core(c, fabric, wrong) for c in _list(pin, name, wrong))) for name in pin)
    if wrong:
        help = "cores: [3], routers: [[2, 1]], links: [[[0, 0], [1, 0]]], pin: {conv1: [8]}"
        raise UsageError(*(Diagnostic("U450", f"`{file.name}`: {what}", file=str(file), help=help) for what in wrong))
    return Avoid(frozenset(cores), frozenset(routers), tuple(links), pins)


def _list(mapping: dict, key: str, wrong: list[str]) -> list:
    values = mapping.get(key)
    if values is None or isinstance(values, list):
        return values or []
    wrong.append(f"`{key}` is not a list")
    return []


def _core(core: object, fabric: Fabric, wrong: list[str]) -> int:
    n = fabric.n_cores or fabric.n_places * fabric.cores_per_router
    if isinstance(core, int) and not isinstance(core, bool) and 0 <= core < n:
        return core
    wrong.append(f"there is no core {core}; cores go from 0 to {n - 1}")
    return 0


def _router(router: object, fabric: Fabric, wrong: list[str]) -> int:
    width, height = fabric.grid
    if fabric.topology in ("tree", "custom"):
        if isinstance(router, int) and 0 <= router < fabric.n_routers:
            return router
    elif (isinstance(router, list) and len(router) == 2 and all(isinstance(k, int) for k in router)
          and 0 <= router[0] < width and 0 <= router[1] < height):
        return router[0] + width * router[1]
    wrong.append(f"there is no router {router}")
    return 0
