"""The run in the metric names of NeuroBench (Yik et al., Nature Communications 16, 1545, 2025), to compare with others.

They are properties of the network and its activity, not of the chip: a synaptic operation (SOP) counts what the chip
reads, zeros of dense rows too, an effective operation only a weight that is not zero met by a spike or value that is
not zero. `MembraneUpdates` is left out: a chip does not say whether a potential it wrote was the same as before.
"""
from __future__ import annotations

from dataclasses import dataclass

from chipsim.engine.run import Run
from chipsim.report.cost import ratio


@dataclass(frozen=True)
class NeuroBench:
    """NeuroBench's names and definitions; per sample where the run has samples, else over the run.

    Footprint             bytes of synapse memory in use, as the chip packs it; None where it has no packing
    ConnectionSparsity    share of stored weights that are zero
    ActivationSparsity    share of neuron-ticks without a spike or value
    Effective_MACs, Effective_ACs   operations of weights that are not zero: with values, and with spikes
    Dense                 all stored connections, every tick
    """

    Footprint: int | None
    ConnectionSparsity: float | None
    ActivationSparsity: float | None
    Effective_MACs: float
    Effective_ACs: float
    Dense: float


def neurobench_of(run: Run) -> NeuroBench | None:
    """None for a run that was stored before it counted what this takes."""
    if not run.populations or any("weights" not in p for p in run.populations):
        return None
    samples = int(run.samples["count"]) if run.samples else 1
    neurons = [p for p in run.populations if not p["is_input"]]
    weights, zeros = (sum(p[name] for p in run.populations) for name in ("weights", "zero_weights"))
    effective = {graded: sum(p["effective"] for p in run.populations if p["graded"] == graded)
                 for graded in (False, True)}
    bits = run.usage.get("synapse_bits")
    activations = sum(p["updates"] for p in neurons)
    silent = None if not activations else 1 - sum(p["spikes"] for p in neurons) / activations
    return NeuroBench(
        Footprint=None if bits is None else -(-int(bits.sum()) // 8),
        ConnectionSparsity=ratio(zeros, weights) if weights else None, ActivationSparsity=silent,
        Effective_MACs=effective[True] / samples, Effective_ACs=effective[False] / samples,
        Dense=weights * run.ticks / samples)
