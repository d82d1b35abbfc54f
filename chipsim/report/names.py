"""What integer ids are called: channels of the mesh, and what set the length of a tick."""
from __future__ import annotations

from chipsim.engine.outcome import LIMITS
from chipsim.engine.run import Run
from chipsim.engine.topology import channel_name


def link_name(run: Run, link: int) -> str:
    """A channel as people point at it: "(3,1)→E", "core 17→router", "router→core 17", "host→router"."""
    here, there, kind, core = (int(run.links[k][link]) for k in ("from_router", "to_router", "kind", "core"))
    fabric = run.chip["fabric"]
    return channel_name(kind, here, there, core, fabric["width"] * (fabric["chips"] or (1, 1))[0])


def set_by(run: Run, limit: int) -> str:
    """What a code of `Run.tick_limit` says: "core 17 (synapse)", "host port", "link (3,1)→E", "layer fc1", or
    "barrier" alone ("nothing" where ticks have a fixed period)."""
    what, index = LIMITS[limit >> 24], limit & 0xFFFFFF
    if what == "none":
        return "barrier" if run.chip["time_base"] == "barrier" else "nothing"
    if what == "layer":
        return f"layer {run.populations[index]['name']}"
    if what == "link":
        return f"link {link_name(run, index)}"
    return f"core {run.cores[index]} ({what})" if index < len(run.cores) else "host port"
