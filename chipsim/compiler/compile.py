"""compile: a Network and a ChipSpec become a Layout, by passes that are plain functions in one list.

A pass takes a Draft and returns one; put your own into `passes` to change, leave out or add any of them.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.allocate import allocate
from chipsim.compiler.avoid import Avoid, load_avoid
from chipsim.compiler.draft import Draft, Options
from chipsim.compiler.layout import Layout
from chipsim.compiler.lower import lower, prune, retime
from chipsim.compiler.partition import partition
from chipsim.compiler.place import place
from chipsim.compiler.quantise import quantise
from chipsim.errors import Diagnostic, UsageError
from chipsim.network.graph import Network

Pass = Callable[[Draft], Draft]
PASSES: tuple[Pass, ...] = (lower, retime, prune, quantise, partition, place)
EFFORTS = ("fast", "normal", "best")
REPLACEABLE = {
    "reset": "reset by subtraction becomes reset to zero",
    "multispike": "several spikes in a tick become one",
    "v_min": "a lower bound of the voltage is dropped",
    "current": "input to voltage and current becomes input to the current",
    "bias": "a bias through the synaptic current becomes a constant on the voltage",
    "delays": "feedback faster than the chip gets the chip's shortest delay",
}


def compile(network: Network | str, chip: ChipSpec | str = "loihi", *, approximate: Iterable[str] = (),
            neurons_per_core: int | None = None, seed: int = 0, effort: str = "normal",
            avoid: Avoid | str | None = None, passes: Sequence[Pass] = PASSES,
            progress: Callable[[str], None] | None = None) -> Layout:
    """Lay a network out on a chip.

    network           a Network, or a file that load_network reads
    chip              a ChipSpec, or a name or file that load_chip reads
    approximate       what may be replaced where the chip cannot do it; see REPLACEABLE. Everything else the chip
                      cannot express is an error
    neurons_per_core  at most so many neurons of a population on one core (default: as many as fit)
    effort            fast, normal or best: how long to look for a better mapping
    avoid             dead cores and links, pinned populations: an Avoid, or a file that load_avoid reads
    progress          called with the name of each pass as it begins

    Raises ExpressError, FitError (both exit code 3), UsageError.
    """
    draft = draft_of(network, chip, approximate=approximate, neurons_per_core=neurons_per_core, seed=seed,
                     effort=effort, avoid=avoid)
    log = []
    for step in passes:
        if progress:
            progress(step.__name__)
        began = time.perf_counter()
        draft = step(draft)
        log.append({"pass": step.__name__, "seconds": time.perf_counter() - began, **draft.merit})
    return allocate(draft, tuple(log))


def draft_of(network: Network | str, chip: ChipSpec | str, *, approximate: Iterable[str] = (),
             neurons_per_core: int | None = None, seed: int = 0, effort: str = "normal",
             avoid: Avoid | str | None = None) -> Draft:
    """What the first pass gets, from the arguments of `compile`."""
    if isinstance(chip, str):
        from chipsim.chip import load_chip

        chip = load_chip(chip)
    if not isinstance(network, Network):
        from chipsim.network import load_network

        network = load_network(network)
    wanted = frozenset([approximate] if isinstance(approximate, str) else approximate)
    if unknown := sorted(wanted - set(REPLACEABLE)):
        raise UsageError(Diagnostic("U420", f"nothing called `{unknown[0]}` can be approximated",
                                    help="one of " + ", ".join(f"{k} ({v})" for k, v in REPLACEABLE.items())))
    if neurons_per_core is not None and neurons_per_core < 1:
        raise UsageError(Diagnostic("U421", "a core holds at least one neuron, "
                                    f"got neurons_per_core={neurons_per_core}"))
    if effort not in EFFORTS:
        raise UsageError(Diagnostic("U422", f"there is no effort `{effort}`", help="fast, normal or best"))
    if avoid is not None and not isinstance(avoid, Avoid):
        avoid = load_avoid(avoid, chip.fabric)
    return Draft(network, chip, Options(wanted, neurons_per_core, seed, effort, avoid))
