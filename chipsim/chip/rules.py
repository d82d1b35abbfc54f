"""What must hold between the numbers of a chip. Each rule stands alone, so that all broken ones are found at once."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from chipsim.chip.clock_rules import clocked_routers_can_be_built, clocked_routes_do_not_deadlock
from chipsim.chip.core_rules import CORE_RULES
from chipsim.chip.misfit import Misfit
from chipsim.chip.schedule_rules import schedules_can_be_made
from chipsim.chip.size_rules import fabrics_fit_in_memory, packets_have_an_end
from chipsim.chip.units import format_quantity
from chipsim.chip.worm_rules import wormholes_can_be_moved

if TYPE_CHECKING:
    from chipsim.chip.spec import ChipSpec


def broken(chip: ChipSpec, *, partial: bool = False) -> list[Misfit]:
    """Rules that `chip` breaks. A `partial` chip may lack fields; rules that need those are passed over."""
    found: list[Misfit] = []
    for rule in RULES:
        with suppress(AttributeError) if partial else nullcontext():
            found += rule(chip)
    if not found:                                           # routes are followed where there is nothing else to mend
        with suppress(AttributeError) if partial else nullcontext():
            found += tables_lead_to_their_targets(chip)
    return found


def unused(chip: ChipSpec) -> Iterator[Misfit]:
    """Costs that are written down for parts that the chip does not have: no errors, but perhaps not what was meant."""
    scheduled = chip.time_base == "static_schedule"
    for name, part, there in (("matrix", "core.matrix", chip.core.matrix is not None or scheduled),
                              *((name, "core.learning", chip.core.learning is not None)
                                for name in ("learn_trace", "learn_read", "learn_update"))):
        if getattr(chip.costs, name) is not None and not there:
            yield Misfit(f"costs.{name}", f"`costs.{name}` is never used: the chip has no `{part}`",
                         f"describe `{part}`, or write `{name}: null`")


def cores_have_places(chip: ChipSpec) -> Iterator[Misfit]:
    f = chip.fabric
    if f.topology == "tree" and (f.arity is None or f.levels is None):
        return
    places = f.n_places * f.cores_per_router
    if f.n_cores and f.n_cores > places:
        yield Misfit("fabric.n_cores",
                     f"mesh too small for its cores: {f.n_cores} cores, but {f.grid[0]}x{f.grid[1]} routers with "
                     f"{f.cores_per_router} each have places for {places}",
                     "enlarge `width`, `height` or `cores_per_router`, or leave `n_cores` out")


def host_is_on_the_mesh(chip: ChipSpec) -> Iterator[Misfit]:
    f = chip.fabric
    if f.topology == "tree" and (f.arity is None or f.levels is None):
        return
    x, y = f.io.router
    if f.topology in ("tree", "custom"):
        if not 0 <= x < f.n_routers:
            yield Misfit("fabric.io.router", f"the host's port is at router {x}, of {f.n_routers}",
                         f"routers go from 0 to {f.n_routers - 1}")
    elif not (0 <= x < f.width and 0 <= y < f.height):
        yield Misfit("fabric.io.router",
                     f"the host's port is at router [{x}, {y}], outside the {f.width}x{f.height} mesh",
                     f"columns go from 0 to {f.width - 1}, rows from 0 to {f.height - 1}")


CLASSES = {"mesh": ("east_west", "north_south"), "torus": ("east_west", "north_south"),
           "hex_torus": ("east_west", "north_south", "diagonal"), "tree": ("tree",), "custom": ("east_west",)}
ROUTINGS = {"mesh": ("xy", "yx", "west_first", "north_last", "negative_first", "odd_even", "minimal_adaptive", "xy_yx",
                     "xy_escape", "table"),
            "torus": ("xy", "yx", "minimal_adaptive", "table"), "hex_torus": ("xy", "table"),
            "tree": ("shortest", "table"), "custom": ("shortest", "table")}


def topology_has_what_it_needs(chip: ChipSpec) -> Iterator[Misfit]:
    f = chip.fabric
    needed = CLASSES[f.topology] + (("interchip",) if f.grid != (f.width, f.height) else ())
    if f.topology == "mesh":                                # a row or a column of one router has no links
        needed = tuple(name for name, n in zip(needed, (*f.grid, 2), strict=False) if n > 1)
    for name in needed:
        if getattr(f.channels, name) is None:
            yield Misfit("fabric.channels", f"a {f.topology} has channels of class `{name}`, which are not described",
                         f"write `{name}: {{latency: ..., cycle: ..., credit: ..., slots: ..., energy: ...}}`")
    if f.routing not in ROUTINGS[f.topology]:
        yield Misfit("fabric.routing", f"routing `{f.routing}` does not exist on a {f.topology}",
                     "use " + " or ".join(ROUTINGS[f.topology]))
    if (f.routing == "table") != (f.table is not None):
        yield Misfit("fabric.table" if f.table else "fabric.routing",
                     "`fabric.table` and `fabric.routing: table` belong together; one is there without the other",
                     "write both: `table: {default: straight, routers: {0: {1-3: east}}}`")
    if f.router_entries is not None and f.cast != "multicast":
        yield Misfit("fabric.router_entries", "routers look packets up by key where they copy them: `cast: multicast`",
                     "use `cast: multicast`, or leave `router_entries` out")
    if f.topology == "tree" and (f.arity is None or f.levels is None):
        yield Misfit("fabric.topology", "a tree needs `arity` and `levels`", "write `arity: 4` and `levels: 2`")
        return
    if f.topology == "custom" and f.routers is None:
        yield Misfit("fabric.topology", "a custom topology needs the number of its routers", "write `routers: 12`")
    if f.topology == "custom" and f.routers is not None:
        for link in f.links:
            a, _, b = link.partition("-")
            if not (a.isdigit() and b.isdigit()) or max(int(a), int(b)) >= f.routers or int(a) == int(b):
                yield Misfit("fabric.links", f"link `{link}` does not join two of the {f.routers} routers",
                             f"write two different routers from 0 to {f.routers - 1}, as in `0-1`")
    if f.topology in ("tree", "custom") and (f.width, f.height) != (1, 1):
        yield Misfit("fabric.width", f"a {f.topology} has no width or height", "leave them at 1")


def custom_fabrics_hang_together(chip: ChipSpec) -> Iterator[Misfit]:
    f = chip.fabric
    if f.topology != "custom" or not f.routers:
        return
    beside: list[list[int]] = [[] for _ in range(f.routers)]
    with suppress(ValueError, IndexError):                  # links that join nothing are another rule's
        for a, b in f.pairs:
            beside[a].append(b)
            beside[b].append(a)
        reached, around = {0}, [0]
        while around:
            new = set(beside[around.pop()]) - reached
            reached |= new
            around += new
        if len(reached) < f.routers:
            cut = next(r for r in range(f.routers) if r not in reached)
            yield Misfit("fabric.links", f"no path leads from router 0 to router {cut}", "join all routers by links")


def blocked_packets_have_a_way_out(chip: ChipSpec) -> Iterator[Misfit]:
    f = chip.fabric
    if f.blocked is None:
        return
    if f.blocked.emergency_wait is not None and f.topology != "hex_torus":
        yield Misfit("fabric.blocked.emergency_wait", f"a {f.topology} has no triangles, and so no emergency routes",
                     "leave `emergency_wait` out: packets are dropped after `wait`")


def tables_lead_to_their_targets(chip: ChipSpec) -> Iterator[Misfit]:
    """Written routes bring every packet home, and cannot deadlock where blocked packets wait."""
    if chip.fabric.routing == "table":
        from chipsim.engine.table_check import table_misfits

        yield from table_misfits(chip)


def routers_fit_the_engine(chip: ChipSpec) -> Iterator[Misfit]:
    """The engine keeps the inputs of a router in masks of 64 bits; with a clock see clock_rules."""
    f = chip.fabric
    if f.clock is None and f.router_ports * f.n_vcs > 64:
        each = f", with {f.n_vcs} virtual channels each" if f.n_vcs > 1 else ""
        yield Misfit("fabric.cores_per_router", f"a router has {f.router_ports} ports for its links, "
                     f"{f.cores_per_router} cores and the host{each}; the engine holds 64 in all",
                     "use fewer cores per router")


def time_passes_between_spike_and_effect(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.time_base not in ("untimed", "static_schedule") and chip.core.delay.min < 1:
        yield Misfit("core.delay.min", f"a spike cannot act in the tick it is sent on a chip with time base "
                     f"`{chip.time_base}`", "use 1 or more; 0 is for `time_base: untimed`")


def channels_take_time(chip: ChipSpec) -> Iterator[Misfit]:
    """The engine counts integer picoseconds; a step without delay would let an event cause itself."""
    if chip.time_base == "untimed":
        return
    f, channels = chip.fabric, chip.fabric.channels
    parts = [(f"channels.{name}", getattr(channels, name, None), ("latency", "body_latency", "cycle", "credit"))
             for name in type(channels).model_fields]
    for name, part, sides in [*parts, ("blocked", getattr(f, "blocked", None), ("wait", "emergency_wait"))]:
        for side in sides:
            value = getattr(part, side, None)
            if value is not None and value < 1e-12:
                path = f"fabric.{name}.{side}"
                yield Misfit(path, f"`{path}` is {format_quantity(value, 's')}; the finest time step is 1 ps",
                             "use 1 ps or more; zero is for `time_base: untimed`")
            elif value is not None and value > 1000:
                yield Misfit(f"fabric.{name}.{side}", f"`fabric.{name}.{side}` is {format_quantity(value, 's')}; "
                             "times are 64-bit numbers of ps", "use 1000 s or less")


def barrier_chips_have_a_barrier(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.time_base == "barrier" and chip.costs.barrier is None:
        yield Misfit("costs.barrier", "`time_base: barrier` needs `costs.barrier`, which is null",
                     "write `barrier: {energy: 0 pJ, tiles: {1: 113 ns, 32: 465 ns}}` with the chip's own numbers")


def fixed_ticks_have_a_period(chip: ChipSpec) -> Iterator[Misfit]:
    fixed = chip.time_base == "fixed_tick"
    if fixed and chip.tick is None:
        yield Misfit("tick", "`time_base: fixed_tick` needs `tick`, which is null",
                     "write `tick: {period: 1 ms}` with the chip's own period")
    if not fixed and chip.tick is not None:
        yield Misfit("tick", f"`tick` is for `time_base: fixed_tick`, not `{chip.time_base}`", "leave `tick` out")
    if fixed and chip.costs.barrier is not None:
        yield Misfit("costs.barrier", "ticks of a fixed period do not end with a barrier", "write `barrier: null`")
    if chip.tick is not None and chip.tick.period < 1e-12:
        yield Misfit("tick.period", f"`tick.period` is {format_quantity(chip.tick.period, 's')}; the finest time step "
                     "is 1 ps", "use 1 ps or more")


def voltages_are_known(chip: ChipSpec) -> Iterator[Misfit]:
    law = chip.costs.voltage
    if law is None:
        if chip.voltage is not None:
            yield Misfit("voltage", "`voltage` needs `costs.voltage`, which is null: what another voltage changes is "
                         "not known", "leave `voltage` out, or write `costs.voltage`")
        return
    if not law.min <= law.nominal < law.max:
        yield Misfit("costs.voltage.nominal", f"`costs.voltage.nominal` is {format_quantity(law.nominal, 'V')}, not "
                     f"between {format_quantity(law.min, 'V')} and {format_quantity(law.max, 'V')}",
                     "the nominal voltage lies between the lowest and the highest, below the latter")
    if chip.voltage is not None and not law.min <= chip.voltage <= law.max:
        yield Misfit("voltage", f"`voltage` is {format_quantity(chip.voltage, 'V')}; the chip works from "
                     f"{format_quantity(law.min, 'V')} to {format_quantity(law.max, 'V')}", "stay within that range")


def systems_are_grids(chip: ChipSpec) -> Iterator[Misfit]:
    if chip.system is not None and chip.n_chips > 1 and chip.fabric.topology in ("tree", "custom"):
        yield Misfit("system.chips", f"chips with a {chip.fabric.topology} fabric cannot be put side by side",
                     "use a mesh or a torus, or leave `system` out")


def continuous_chips_have_a_step(chip: ChipSpec) -> Iterator[Misfit]:
    flows = chip.time_base == "continuous"
    if flows and chip.continuous is None:
        yield Misfit("continuous", "`time_base: continuous` needs `continuous`, which is null",
                     "write `continuous: {acceleration: 1000, step: 0.1 us}` with the chip's own numbers")
    if not flows and chip.continuous is not None:
        yield Misfit("continuous", f"`continuous` is for `time_base: continuous`, not `{chip.time_base}`",
                     "leave it out")
    if flows and chip.costs.barrier is not None:
        yield Misfit("costs.barrier", "in continuous time there is no barrier", "write `barrier: null`")


def more_tiles_do_not_meet_sooner(chip: ChipSpec) -> Iterator[Misfit]:
    points = chip.costs.barrier.tiles.items() if chip.costs.barrier else ()
    for (few, short), (many, long) in pairwise(sorted(points)):
        if long < short:
            yield Misfit(f"costs.barrier.tiles.{many}",
                         f"a barrier of {many} tiles takes {format_quantity(long, 's')}, less than one of {few} tiles, "
                         f"which takes {format_quantity(short, 's')}", "barrier times ascend with the number of tiles")


RULES = (fabrics_fit_in_memory, packets_have_an_end, topology_has_what_it_needs, custom_fabrics_hang_together,
         blocked_packets_have_a_way_out, wormholes_can_be_moved, routers_fit_the_engine, clocked_routers_can_be_built,
         clocked_routes_do_not_deadlock, cores_have_places, host_is_on_the_mesh,
         time_passes_between_spike_and_effect, channels_take_time, barrier_chips_have_a_barrier,
         fixed_ticks_have_a_period, systems_are_grids, voltages_are_known, continuous_chips_have_a_step,
         schedules_can_be_made, more_tiles_do_not_meet_sooner, *CORE_RULES)
