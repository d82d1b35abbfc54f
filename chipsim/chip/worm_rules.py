"""What must hold for packets of several flits, and for virtual channels without a clock; rules as in rules.py."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chipsim.chip.misfit import Misfit

if TYPE_CHECKING:
    from chipsim.chip.fabric import Fabric
    from chipsim.chip.spec import ChipSpec


def wormholes_can_be_moved(chip: ChipSpec) -> Iterator[Misfit]:
    """What the routers of engine/reference_wormhole.py do not do."""
    f = chip.fabric
    if f.clock is not None and f.vcs is not None:
        yield Misfit("fabric.vcs", "clocked routers have virtual channels of their own", "write `fabric.clock.vcs`")
    if f.clock is not None and f.arbitration == "mutex_tree":
        yield Misfit("fabric.arbitration", "mutexes are those of routers without a clock",
                     "leave it out; `fabric.clock` says how clocked routers allot")
    by_age = f.clock is not None and (f.clock.priority == "age" or f.clock.allocator == "oldest")
    if f.clock is not None and f.arbitration == "oldest" and not by_age:
        yield Misfit("fabric.arbitration", "`oldest` is for routers without a clock; those with one go by "
                     "`fabric.clock`, which has no ages", "write `fabric.clock.priority: age`, or leave `oldest` out")
    if f.clock is not None and f.flits > 1:
        yield Misfit("fabric.flit_bits", f"a packet of {f.flits} flits: clocked routers carry a spike in one",
                     "leave `flit_bits` out, or `clock`")
    if f.blocked is not None and (f.flits > 1 or f.n_vcs > 1):
        yield Misfit("fabric.blocked", "packets are turned aside and dropped whole, from one FIFO per channel",
                     "leave `blocked` out, or `flit_bits` and `vcs`")
    for name in type(f.channels).model_fields:
        channel = getattr(f.channels, name)
        if channel is not None and (channel.body_latency or 0) > channel.latency:
            yield Misfit(f"fabric.channels.{name}.body_latency", "the flits behind a head take longer than it",
                         "`latency` at most, which is the head's")
    if f.n_vcs <= f.escape_vcs:
        yield Misfit("fabric.routing", f"`minimal_adaptive` on a {f.topology} needs {f.escape_vcs + 1} virtual "
                     f"channels: {f.escape_vcs} in dimension order, to escape to, and one that goes any shortest way",
                     f"write `vcs: {f.escape_vcs + 1}`")
    if (f.escape_vcs or f.routing == "xy_yx") and f.cast == "multicast":
        yield Misfit("fabric.routing", "copies of a packet go where its tree says", "use `xy`, or `cast: unicast`")
    if f.cast == "multicast":
        yield from copies_fit(f, f.flits)


def copies_fit(f: Fabric, flits: int) -> Iterator[Misfit]:
    """Routers that copy packets of so many flits hold all of them."""
    for name in type(f.channels).model_fields if flits > 1 else ():
        channel = getattr(f.channels, name)
        if channel is not None and name != "eject" and channel.slots < flits:
            yield Misfit(f"fabric.channels.{name}.slots", f"{channel.slots} slots for packets of {flits} flits: "
                         "copies that hold one output and wait for another deadlock",
                         f"{flits} slots or more, or `cast: unicast`")
