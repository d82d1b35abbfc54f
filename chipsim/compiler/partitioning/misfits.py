"""The words for what does not fit: need, have, and what relieves it."""
from __future__ import annotations

from math import ceil, isqrt

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.draft import Draft
from chipsim.errors import Diagnostic
from chipsim.figures import exact

UNIT = {"neurons": "neurons", "axons_in": "input axons", "axons_out": "output axons",
        "synapse_bits": "bits of synapse memory", "neuron_configs": "neuron configurations"}
REMEDY = {
    "axons_in": "fewer sources per neuron: a smaller kernel, pruning, or a relay population",
    "axons_out": "fewer targets per neuron, or more neurons to a core, so that they spread over fewer of them",
    "synapse_bits": "fewer synapses or weight bits per neuron",
    "neurons": "fewer neurons",
    "neuron_configs": "fewer different time constants within the population",
}
KEY = {"neurons": "core.neurons", "axons_in": "core.axons_in", "axons_out": "core.axons_out",
       "synapse_bits": "core.synapse_memory.bits", "neuron_configs": "core.neuron_configs"}


def too_large(draft: Draft, i: int, unit: int, resource: str, need: int, have: int) -> Diagnostic:
    """M201: a neuron of node i asks more of a resource than a core has."""
    node, what = draft.nodes[i], UNIT[resource]
    remedy = REMEDY[resource]
    if resource == "neurons":                               # a neuron of several circuits
        what, remedy = "neuron circuits", "fewer synapses per neuron"
    return Diagnostic("M201", f"population `{node.name}` does not fit on {draft.chip.name}: neuron {unit} alone needs "
                      f"{exact(need)} {what}, a core has {exact(have)} ({need / have:.1f} times as many)",
                      file=node.population.origin, help=f"{remedy}; or larger cores: --set {KEY[resource]}={need}")


def too_few(draft: Draft, need: int, least: bool = False) -> Diagnostic:
    """M203: the chip has fewer cores than the network needs, or needs at the least."""
    have = draft.chip.n_cores
    return Diagnostic("M203", f"network `{draft.network.name}` needs {'at least ' * least}{exact(need)} cores, "
                      f"{draft.chip.name} has {exact(have)} ({exact(need - have)} too many)",
                      help=f"see the populations below; or more cores: {more_cores(draft.chip, need)}")


def takes(draft: Draft, i: int, cores: int, resource: str, need: int, have: int, *, own: int,
          least: bool = False) -> Diagnostic:
    """M202: how many cores node i takes, and which resource decides that.

    own    cores that its neurons would fill by their number
    least  `cores` are those it takes at the least
    """
    node, chip = draft.nodes[i], draft.chip
    more = f": {cores / own:.1f} times the cores its neurons fill" if cores > own else ""
    memory = chip.core.synapse_memory
    unrolled = memory.kernels == "unrolled" and memory.packing == "loihi" and any(
        c.post == i and c.format == "conv" for c in draft.connections)
    share = "share kernels: --set core.synapse_memory.kernels=shared; or "
    return Diagnostic(
        "M202", f"population `{node.name}` takes {'at least ' * least}{exact(cores)} core{'s' * (cores != 1)} of "
        f"{chip.name}, bound by {UNIT[resource]} ({exact(need)} needed, {exact(have)} per core{more})",
        file=node.population.origin, help=share * (unrolled and resource in ("synapse_bits", "axons_in"))
        + f"{REMEDY[resource]}; or larger cores ({KEY[resource]})")


def more_cores(chip: ChipSpec, need: int) -> str:
    """Options of the command line with which the chip, or a system of it, has so many cores, or that there are none."""
    f = chip.fabric
    part = "" if f.n_cores is None else f" --set fabric.n_cores={need}"         # not all places are cores
    if part and need <= f.n_places * f.cores_per_router:
        return part.strip()
    if f.channels.interchip is not None:
        chips = ceil(need / (f.n_places * f.cores_per_router // chip.n_chips))
        across = isqrt(chips - 1) + 1
        return f'--set system.chips="[{across}, {ceil(chips / across)}]"{part}'
    if f.topology == "tree":
        levels = next(n for n in range(1, 64) if (f.arity or 2) ** n * f.cores_per_router >= need)
        return f"--set fabric.levels={levels}{part}"
    if f.topology == "custom" or f.n_routers == 1 and f.channels.east_west is None:     # routers cannot become more
        each = ceil(need / f.n_places)
        if (f.router_ports - f.cores_per_router + each) * f.n_vcs > 64:         # chip/rules.py: routers_fit_the_engine
            return f"on another chip, since a router of {chip.name} joins no more than 64 ports"
        return f"--set fabric.cores_per_router={each}{part}"
    return f"--set fabric.width={ceil(need / (f.height * f.cores_per_router))}{part}"

