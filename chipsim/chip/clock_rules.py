"""What must hold for routers with a clock; rules as in rules.py."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chipsim.chip.misfit import Misfit

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec

TABLES = ("xy", "yx", "shortest", "table")              # a packet's next output follows from where it is
BY_CLASS = ("xy_yx", "xy_escape")                       # from its virtual channel, too


def clocked_routers_can_be_built(chip: ChipSpec) -> Iterator[Misfit]:
    """The engine keeps the state of a router in masks of 64 bits, one per port and virtual channel."""
    f, clock = chip.fabric, chip.fabric.clock
    if clock is None:
        return
    most = max(clock.vcs, clock.input_speedup, clock.output_speedup)
    if f.router_ports * most > 64:
        yield Misfit("fabric.cores_per_router",
                     f"a router has {f.router_ports} ports for links, {f.cores_per_router} cores and the host, with "
                     f"{most} virtual channels or switch ports each; the engine holds 64 in all",
                     "use fewer cores per router, fewer virtual channels or a smaller speedup")
    for name in type(f.channels).model_fields:
        channel = getattr(f.channels, name)
        if channel is not None and channel.latency > 200 * clock.period:
            cycles = channel.latency / clock.period
            yield Misfit(f"fabric.channels.{name}.latency", f"a channel of {cycles:.0f} cycles is longer than the "
                         "200 that clocked fabrics take", "use a slower clock or no clock")
    if f.cast == "multicast" and (f.topology == "torus" or f.routing not in TABLES or clock.vc_use == "next_output"):
        yield Misfit("fabric.cast", "clocked routers copy packets along trees of dimension order or a table, in any "
                     "virtual channel, and not on a torus, where channels belong to one target's way",
                     "use `cast: unicast`, or leave `clock` out")
    if f.blocked is not None:
        yield Misfit("fabric.blocked", "clocked routers wait for credits and never drop a packet",
                     "leave `blocked` out, or `clock`")
    if clock.vc_use == "next_output" and (clock.vcs < f.router_ports or clock.routing_delay or f.topology == "torus"
                                          or f.routing not in TABLES):
        yield Misfit("fabric.clock.vc_use", "virtual channels by the next output need one for each of the "
                     f"{f.router_ports} ports of a router, a routing delay of 0, and routes that depend on the place "
                     "only, not on a torus", "use `vc_use: any`")


def clocked_routes_do_not_deadlock(chip: ChipSpec) -> Iterator[Misfit]:
    """Virtual channels of two classes cut the rings of a torus."""
    f = chip.fabric
    if f.routing == "xy_escape" and f.clock is None:
        yield Misfit("fabric.routing", "only clocked routers know the routing `xy_escape`",
                     "write `clock: {period: ..., vcs: 2}`, or use `minimal_adaptive`")
    elif f.routing in BY_CLASS and (f.clock.vcs if f.clock else f.n_vcs) < 2:
        yield Misfit("fabric.routing", f"routing `{f.routing}` deadlocks without virtual channels of two classes",
                     "write `vcs: 2`, with a clock `clock: {period: ..., vcs: 2}`; or use `xy`")
    if f.clock is None:
        return
    if f.topology == "torus" and f.routing == "minimal_adaptive":
        yield Misfit("fabric.routing", "clocked routers have no virtual channels to escape to on a torus",
                     "use `xy`, a mesh, or leave `clock` out")
    if f.topology == "torus" and f.clock.vcs < 2:
        yield Misfit("fabric.clock.vcs", "a torus with one virtual channel deadlocks: its rings need two classes",
                     "use 2 or more")
    if f.topology == "hex_torus":
        yield Misfit("fabric.clock", "clocked routers have no virtual channels for the rings of a hexagonal torus",
                     "leave `clock` out, or use a torus")
    if f.routing == "table" and f.topology == "torus":
        yield Misfit("fabric.routing", "the virtual channels that cut the rings of a clocked torus are chosen for "
                     "dimension order, not for tables", "leave `clock` out, or use a mesh")
