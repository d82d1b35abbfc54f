"""Cut populations into pieces that fit a core under all of its limits at once, or say everything that does not fit.

Two ways: population by population in their own order (spread.py), or all neurons together for few packets (share.py).
Limits: neurons (sum), in-axons (union of sources), synapse bits (the chip's packing rule), out-axons (sum over neurons
of the cores they reach), distinct neuron configurations (demand.py).
"""
from __future__ import annotations

from chipsim.compiler.draft import Draft
from chipsim.compiler.lowering.lower import unroll
from chipsim.compiler.partitioning.bounds import MANY, cores_at_least
from chipsim.compiler.partitioning.demand import Demand, limits, limits_for
from chipsim.compiler.partitioning.layers import layers
from chipsim.compiler.partitioning.share import shared
from chipsim.compiler.partitioning.spread import spread
from chipsim.errors import Diagnostic, FitError, UsageError

OBJECTIVES = ("energy", "latency", "cores")
SMALL = 64      # cores up to which a network is laid out population by population unless told otherwise


def partition(draft: Draft) -> Draft:
    """Fill `cores`. FitError with one diagnostic per population and resource that does not fit.

    Objective `latency` cuts each population in its own order and shares cores only when the chip would run out of them.
    `energy` looks for the fewest packets per tick and `cores` for the fewest cores, whatever populations meet on a core
    (share.py). None: latency where that takes at most SMALL cores, energy otherwise. Where layers run by a schedule,
    latency spreads each over all cores that make it faster (layers.py).
    """
    options = draft.options
    asked = options.partitioner == "mtkahypar"
    if asked and not sharable(draft):
        raise UsageError(Diagnostic("U427", f"Mt-KaHyPar cannot cut `{draft.network.name}` for {draft.chip.name}: its "
                                    "populations keep to cores in their own order",
                                    help="leave the partitioner out; see `chipsim explain U427`"))
    if draft.chip.schedule is not None and not asked and options.objective in (None, "latency"):
        return layers(draft)
    by_packets = asked or options.objective in ("energy", "cores") or options.objective is None and _large(draft)
    if by_packets and sharable(draft):
        return shared(unroll(draft), limits_for(draft), limited=False)
    try:
        spread_out = spread(draft)
    except FitError as misfit:
        if any(d.code == "M201" for d in misfit.diagnostics):
            raise FitError(*misfit.diagnostics, *cores_at_least(Demand(draft), limits_for(draft))[1]) from None
        if not sharable(draft):
            raise
        try:                                            # it may do if any neurons may share a core
            return shared(unroll(draft), limits_for(draft), limited=True)
        except FitError:
            raise misfit from None
    if options.objective is None and len(spread_out.cores) > SMALL and sharable(draft):
        return shared(unroll(draft), limits_for(draft), limited=False)
    return spread_out


def sharable(draft: Draft) -> bool:
    """Populations can be mixed freely: on chips without limits there is one core, without delay order matters,
    neurons of several circuits stay in order, kernels kept whole want boxes of an image (tiles.py), and of layers that
    are evaluated whole only one is at work."""
    limited = any(v is not None for v in limits(draft.chip).values())
    whole = draft.chip.core.synapse_memory.kernels != "unrolled" and any(c.windows for c in draft.connections)
    apart = any(n.circuits is not None for n in draft.nodes) or whole
    return draft.chip.core.delay.min > 0 and draft.chip.schedule is None and limited and not apart


def _large(draft: Draft) -> bool:
    """More than SMALL cores for sure, or not worth finding out."""
    per_core, neurons = limits_for(draft)["neurons"], sum(n.size for n in draft.nodes if not n.is_input)
    return neurons >= MANY or per_core is not None and neurons > SMALL * per_core
