"""compile: a Network and a ChipSpec become a Layout, by passes that are plain functions in one list.

A pass takes a Draft and returns one; put your own into `passes` to change, leave out or add any of them.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.allocate import allocate
from chipsim.compiler.arguments import MOST_SPIKES, checked_seed, fault_of
from chipsim.compiler.avoid import Avoid, load_avoid
from chipsim.compiler.draft import Draft, Options
from chipsim.compiler.layout import Layout
from chipsim.compiler.lowering.lower import lower, prune
from chipsim.compiler.lowering.mismatch import mismatch
from chipsim.compiler.lowering.quantise import quantise
from chipsim.compiler.lowering.relay import relay
from chipsim.compiler.lowering.retime import retime
from chipsim.compiler.partitioning.bounds import screen
from chipsim.compiler.partitioning.kahypar import check_partitioner
from chipsim.compiler.partitioning.partition import OBJECTIVES, partition
from chipsim.compiler.placing.place import place
from chipsim.compiler.routing.route import route
from chipsim.compiler.schedule import schedule
from chipsim.errors import Diagnostic, UsageError
from chipsim.network.graph import Network

if TYPE_CHECKING:
    from chipsim.engine.run import Run

Pass = Callable[[Draft], Draft]
PASSES: tuple[Pass, ...] = (lower, retime, prune, screen, quantise, partition, relay, place, route, mismatch, schedule)
EFFORTS = ("fast", "normal", "best")
REPLACEABLE = {
    "reset": "reset by subtraction becomes reset to zero",
    "multispike": "several spikes in a tick become one",
    "v_min": "a lower bound of the voltage is dropped",
    "current": "input to voltage and current becomes input to the current",
    "bias": "a bias through the synaptic current becomes a constant on the voltage",
    "synapse": "input that acts at once becomes a synaptic current as short as the chip has, of the same charge",
    "calibration": "time constants and resets that circuits cannot be calibrated to go to the nearest they can",
    "delays": "feedback faster than the chip gets the chip's shortest delay",
}


def compile(network: Network | str, chip: ChipSpec | str = "loihi", *, approximate: Iterable[str] = (),
            neurons_per_core: int | None = None, seed: int = 0, objective: str | None = None,
            effort: str = "normal", partitioner: str = "chipsim", rates: Mapping[str, np.ndarray] | None = None,
            avoid: Avoid | str | None = None, passes: Sequence[Pass] = PASSES,
            progress: Callable[[str], None] | None = None) -> Layout:
    """Lay a network out on a chip.

    network           a Network, or a file that load_network reads
    chip              a ChipSpec, or a name or file that load_chip reads
    approximate       what may be replaced where the chip cannot do it; see REPLACEABLE. Everything else the chip
                      cannot express is an error
    neurons_per_core  at most so many neurons of a population on one core (default: as many as fit)
    objective         what the partition is for. energy: few packets per tick, populations share cores; cores: few
                      cores; latency: each population on cores of its own, in its own order. None: latency where that
                      takes at most 64 cores, energy otherwise
    effort            fast, normal or best: how long to look for a better mapping
    partitioner       "mtkahypar": cores are filled for few packets, and Mt-KaHyPar's partition, refined, is tried as
                      well as chipsim's own (an extra: chipsim[mtkahypar])
    rates             population -> spikes per tick of its neurons, as `rates_of(run)` measures them (default: 1, and
                      for the range of a crossbar's converters 0.2)
    avoid             dead cores and links, pinned populations: an Avoid, or a file that load_avoid reads
    progress          called with the name of each pass as it begins

    Raises ExpressError, FitError (both exit code 3), UsageError.
    """
    draft = draft_of(network, chip, approximate=approximate, neurons_per_core=neurons_per_core, seed=seed,
                     objective=objective, effort=effort, partitioner=partitioner, rates=rates,
                     avoid=avoid)
    log = []
    for step in passes:
        if progress:
            progress(step.__name__)
        began, before = time.perf_counter(), draft.merit
        draft = step(draft)
        merit = {} if draft.merit is before else draft.merit
        log.append({"pass": step.__name__, "seconds": time.perf_counter() - began, **merit})
    return allocate(draft, tuple(log))


def draft_of(network: Network | str, chip: ChipSpec | str, *, approximate: Iterable[str] = (),
             neurons_per_core: int | None = None, seed: int = 0, objective: str | None = None,
             effort: str = "normal", partitioner: str = "chipsim", rates: Mapping[str, np.ndarray] | None = None,
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
        near = get_close_matches(unknown[0], REPLACEABLE, 1)
        raise UsageError(Diagnostic("U420", f"nothing called `{unknown[0]}` can be approximated",
                                    help=(f"did you mean `{near[0]}`? " if near else "") + "one of "
                                    + ", ".join(f"{k} ({v})" for k, v in REPLACEABLE.items())))
    if neurons_per_core is not None and neurons_per_core < 1:
        raise UsageError(Diagnostic("U421", "a core holds at least one neuron, "
                                    f"got neurons_per_core={neurons_per_core}"))
    if objective not in (None, *OBJECTIVES):
        raise UsageError(Diagnostic("U426", f"there is no objective `{objective}`", help=", ".join(OBJECTIVES)))
    if effort not in EFFORTS:
        raise UsageError(Diagnostic("U422", f"there is no effort `{effort}`", help="fast, normal or best"))
    check_partitioner(partitioner)
    if partitioner == "mtkahypar" and objective == "latency":
        raise UsageError(Diagnostic("U427", "partitioner `mtkahypar` looks for few packets, objective latency keeps "
                                    "each population in its own order", help="objective energy or cores"))
    if avoid is not None and not isinstance(avoid, Avoid):
        avoid = load_avoid(avoid, chip.fabric)
    measured = _checked_rates(network, rates or {})
    return Draft(network, chip, Options(wanted, neurons_per_core, checked_seed(seed), effort, avoid, objective,
                                        measured, partitioner))


def rates_of(run: Run) -> dict[str, np.ndarray]:
    """Population -> float64[size]: spikes per tick of its neurons or lines in a run (runs stored without them: their
    mean). Relays, which the compiler made, are left out."""
    names = {p["name"] for p in run.populations}
    found, first = {}, 0
    for p in run.populations:
        own = run.unit_source[first : first + p["size"]]
        first += p["size"]
        spikes = run.source_spikes[own] if len(own) else np.full(p["size"], p["spikes"] / max(1, p["size"]))
        if p["name"].removesuffix(".relays") in names - {p["name"]}:
            continue
        found[p["name"]] = spikes / max(1, run.ticks)
    return found


def _checked_rates(network: Network, rates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    checked = {}
    for name, values in rates.items():
        population = network.populations.get(name)
        if population is None or np.size(values) != population.size:
            have = "no such population" if population is None else f"{population.size} neurons"
            raise UsageError(Diagnostic("U424", f"rates of {np.size(values)} neurons for `{name}`: the network has "
                                        f"{have}", help="measure the rates with a run of this network"))
        checked[name] = np.asarray(values, np.float64).ravel()
        if (fault := fault_of(checked[name], MOST_SPIKES)) is not None:
            raise UsageError(Diagnostic("U424", f"a rate of {checked[name][fault]} spikes per tick, of neuron {fault} "
                                        f"of `{name}`", help="measure the rates with a run of this network"))
    return checked
