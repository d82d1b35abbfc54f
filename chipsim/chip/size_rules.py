"""How large a fabric may be to be simulated: what would never end or fit no memory is refused; rules as in rules.py."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chipsim.chip.fabric import MOST_FLITS, MOST_ROUTERS, MOST_SLOTS
from chipsim.chip.misfit import Misfit
from chipsim.figures import exact

if TYPE_CHECKING:
    from chipsim.chip.fabric import Fabric
    from chipsim.chip.spec import ChipSpec


def fabrics_fit_in_memory(chip: ChipSpec) -> Iterator[Misfit]:
    """Next hops from each router to each, and slots of all FIFOs, cores in use or not."""
    f = chip.fabric
    if f.topology == "tree" and (f.arity is None or f.levels is None):
        return
    n = f.n_routers
    if n > MOST_ROUTERS:
        path, product = _routers(f)
        yield Misfit(path, f"a fabric of {product} routers; the engine holds {exact(MOST_ROUTERS)}, with a next hop "
                     "from each to each", "fewer routers, with more `cores_per_router`", "E119")
        return
    each = {name: channel.slots for name in type(f.channels).model_fields
            if (channel := getattr(f.channels, name, None)) is not None}
    slots = {name: of_one * f.n_vcs * n * (f.cores_per_router if name in ("inject", "eject") else 2)
             for name, of_one in each.items()}
    widest = max(slots, key=lambda name: slots[name])
    if slots[widest] > MOST_SLOTS:
        yield Misfit(f"fabric.channels.{widest}.slots", f"the FIFOs of the `{widest}` channels have "
                     f"{exact(slots[widest])} slots in all; the engine holds {exact(MOST_SLOTS)}",
                     f"{exact(each[widest] * MOST_SLOTS // slots[widest])} slots or less", "E119")


def packets_have_an_end(chip: ChipSpec) -> Iterator[Misfit]:
    if (flits := chip.fabric.flits) > MOST_FLITS:
        yield Misfit("fabric.packet_bits", f"a packet of {exact(flits)} flits; the engine moves {exact(MOST_FLITS)} at "
                     "most, one by one", "wider flits (`flit_bits`), or shorter packets", "E119")


def _routers(f: Fabric) -> tuple[str, str]:
    """The key to look at, and how many routers it makes."""
    if f.topology == "tree":
        return "fabric.levels", f"{exact(f.arity or 0)}^{f.levels} and more"
    if f.chips and f.chips != (1, 1):
        return "system.chips", f"{f.chips[0]}x{f.chips[1]} chips with {exact(f.width)} x {exact(f.height)}"
    return f"fabric.{'width' if f.width >= f.height else 'height'}", f"{exact(f.width)} x {exact(f.height)}"
