"""What is refused before it is cut up would not have fitted; what is said about it is all of it."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from scipy.sparse import csr_array
from test_mapping import networks, tiny_chips

from chipsim.chip import load_chip
from chipsim.compiler.compile import compile, draft_of
from chipsim.compiler.lowering.lower import lower, prune
from chipsim.compiler.lowering.quantise import quantise
from chipsim.compiler.lowering.retime import retime
from chipsim.compiler.partitioning import bounds
from chipsim.compiler.partitioning.partition import partition
from chipsim.errors import FitError
from chipsim.network import NetworkBuilder


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=tiny_chips(), network=networks())
def test_what_fits_is_never_refused(chip, network):
    lowered = prune(retime(lower(draft_of(network, chip, effort="fast"))))
    try:
        partition(quantise(lowered))
    except FitError:
        event("does not fit")
        return
    event("fits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MANY", 0)
        bounds.screen(lowered)                           # small networks pass otherwise


def ring(n, fan_in, near=False, kinds=1):
    """n neurons of some kinds that hear fan_in others: neighbours on a ring, or drawn from all."""
    rng = np.random.default_rng(0)
    steps = np.arange(1, fan_in + 1) if near else np.sort(rng.choice(n, (n, fan_in)), axis=1)
    pre = (np.arange(n)[:, None] + steps) % n if near else steps
    net = NetworkBuilder("ring", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("cells", n, "lif", tau=np.linspace(0.01, 0.02, kinds)[np.arange(n) % kinds], v_threshold=0.3)
    net.connect("in", "cells", "sparse", weights=csr_array(([1.0], ([0], [0])), shape=(n, 1)))
    weights = csr_array((np.ones(n * fan_in), pre.ravel(), np.arange(0, n * fan_in + 1, fan_in)), (n, n))
    weights.sum_duplicates()
    net.connect("cells", "cells", "sparse", weights=weights, delay=1)
    return net.build(["cells"])


def refused(network, *settings):
    with pytest.raises(FitError) as e:
        compile(network, load_chip("loihi", set=settings), effort="fast", objective="energy")
    return [d.message for d in e.value.diagnostics]


def test_every_resource_that_does_not_fit_is_said_at_once():
    said = refused(ring(60_000, 8, near=True, kinds=200), "core.neurons=100", "core.synapse_memory.bits=4096",
                   "core.axons_out=200", "core.axons_in=6", "core.neuron_configs=1")
    assert said[0] == ("population `cells` does not fit on loihi: neuron 0 alone needs 9 input axons, a core has 6 "
                       "(1.5 times as many)")
    assert said[1] == "network `ring` needs at least 2 813 cores, loihi has 128 (2 685 too many)"
    assert [m.partition("bound by ")[2].partition(" (")[0] for m in said[2:]] == [
        "bits of synapse memory", "neurons", "output axons", "neuron configurations"]
    assert "takes at least 2 813 cores of loihi" in said[2] and ": 4.7 times the cores its neurons fill)" in said[2]


def test_too_many_input_axons_show_in_a_sample_of_cores():
    (said,) = refused(ring(60_000, 20), "core.axons_in=200")
    assert said.startswith("network `ring` needs about ") and "200 input axons serve about " in said


def test_overlapping_inputs_pass_the_sample():
    layout = compile(ring(60_000, 20, near=True), load_chip("loihi", set=("core.axons_in=600",)), effort="fast")
    assert layout.n_cores <= 128
