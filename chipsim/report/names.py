"""What integer ids are called: channels of the mesh, and what set the length of a tick."""
from __future__ import annotations

from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import Run
from chipsim.engine.topology import EAST_WEST, EJECT, INJECT


def link_name(run: Run, link: int) -> str:
    """A channel as people point at it: "(3,1)→E", "core 17→router", "router→core 17", "host→router"."""
    here, there, kind, core = (int(run.links[k][link]) for k in ("from_router", "to_router", "kind", "core"))
    if kind == INJECT:
        return "host→router" if core < 0 else f"core {core}→router"
    if kind == EJECT:
        return f"router→core {core}"
    fabric = run.chip["fabric"]
    width = fabric["width"] * (fabric["chips"] or (1, 1))[0]
    if fabric["topology"] in ("tree", "custom"):
        return f"router {here}→router {there}"
    step = {1: "E", -1: "W"} if kind == EAST_WEST else {width: "N", -width: "S"}
    return f"({here % width},{here // width})→{step.get(there - here, f'({there % width},{there // width})')}"


def set_by(run: Run, limit: int) -> str:
    """What a code of `Run.tick_limit` says: "core 17 (synapse)", "host port", "link (3,1)→E", or "barrier" alone."""
    what, index = LIMITS[limit >> 24], limit & 0xFFFFFF
    if what == "none":
        return "barrier"
    if what == "link":
        return f"link {link_name(run, index)}"
    return f"core {run.cores[index]} ({what})" if index < len(run.cores) else "host port"
