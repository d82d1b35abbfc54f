"""What the chip's arithmetic costs: a layout's outputs beside those of the same network in floating point."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.compiler.compile import compile
from chipsim.compiler.layout import Layout

if TYPE_CHECKING:
    from chipsim.network.graph import Network
    from chipsim.network.stimulus import Stimulus


def check_accuracy(layout: Layout, network: Network, stimulus: Stimulus, *, seed: int = 0) -> dict[str, Any]:
    """Run both on the samples and compare spike counts. JSON-able:

    samples      how many
    populations  per population: spikes float and on the chip, and `count_error`: sum over neurons of the difference of
                 their spike counts, per spike in floating point (None: it never spikes)
    outputs      None without samples to tell apart; `agreement`: share of samples with the same first output (the
                 neuron that spikes most); `count_error` as above, counted sample by sample; with labels `accuracy` of
                 both

    Raises ExpressError where the network is in a chip's own integers and has no floating-point form.
    """
    from chipsim.engine import simulate

    exact = compile(network, "ideal")
    plain, chip = (simulate(each, stimulus, timing="none", seed=seed) for each in (exact, layout))
    populations = []
    for p in layout.populations:
        if not p.is_input and p.name in network.populations:            # relays are the chip's own
            there = plain.source_spikes[exact.neurons_of(p.name)]
            here = chip.source_spikes[layout.neurons_of(p.name)]
            populations.append({"population": p.name, "spikes_float": int(there.sum()), "spikes_chip": int(here.sum()),
                                "count_error": _error(there, here)})
    outputs = None
    if plain.samples and chip.samples and "predicted" in plain.samples:
        outputs = {"agreement": float(np.mean(plain.samples["predicted"] == chip.samples["predicted"])),
                   "count_error": _error(plain.samples["output_counts"], chip.samples["output_counts"])}
        if "labels" in plain.samples:
            for name, run in (("float", plain), ("chip", chip)):
                outputs[f"accuracy_{name}"] = float(np.mean(run.samples["predicted"] == run.samples["labels"]))
    return {"samples": stimulus.n_samples, "populations": populations, "outputs": outputs}


def _error(there: np.ndarray, here: np.ndarray) -> float | None:
    spikes = there.sum()
    return float(np.abs(there - here).sum() / spikes) if spikes else None
