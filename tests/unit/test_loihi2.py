"""Loihi 2: programmed neurons in integers, graded spikes, and what its numbers are worth."""
from __future__ import annotations

import numpy as np
import pytest

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.errors import ExpressError
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.report.report import report

SIGMA_DELTA = """
total = total + x
error = total - sent
fired = abs(error) > threshold
sent = sent + (error if fired else 0)
emit = error if fired else 0
"""
SUM = "total = total + x\nemit = 0"


def sigma_delta(weight=3.0, arithmetic="integer"):
    net = NetworkBuilder("graded")
    net.add_input("in", 1)
    net.add_population("sigma", 1, "program", program=SIGMA_DELTA, threshold=5, arithmetic=arithmetic)
    net.add_population("sum", 4, "program", program=SUM, arithmetic=arithmetic)
    net.connect("in", "sigma", weights=1.0)
    net.connect("sigma", "sum", weights=np.array([[1.0], [-1.0], [weight], [0.0]]))
    return net.build(["sigma"])


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_payload_of_a_graded_spike_multiplies_the_synapse(engine):
    x = np.array([[3], [4], [0], [-20], [0], [0]])
    layout = compile(sigma_delta(), "loihi2")
    run = simulate(layout, Stimulus.from_dense(x), record=("sigma", "sum.total"), engine=engine)
    sent = run.values["sigma"].ravel()
    assert sent[sent != 0].tolist() == [7, -20]
    assert run.states["sum", "total"][-1].tolist() == [-13, 13, -39, 0]
    assert run.tick_ps.min() > 0


def test_a_program_of_real_numbers_is_refused_with_what_to_write():
    with pytest.raises(ExpressError) as refused:
        compile(sigma_delta(arithmetic="real"), "loihi2")
    assert "M236" in str(refused.value) and "arithmetic: integer" in str(refused.value)
    assert "`sigma` computes in real numbers; the cores of loihi2 compute integer" in str(refused.value)


def test_the_first_loihi_has_no_programs():
    with pytest.raises(ExpressError, match="M230"):
        compile(sigma_delta(), "loihi")


@pytest.mark.parametrize("weight, fits", [(255.0, True), (256.0, False), (257.0, False)])
def test_weights_are_eight_bits_and_a_power_of_two_for_all(weight, fits):
    if fits:
        compile(sigma_delta(weight), "loihi2")
    else:
        with pytest.raises(ExpressError, match=r"M243.*9 bits besides the sign; loihi2 stores 8"):
            compile(sigma_delta(weight), "loihi2")


def test_a_common_power_of_two_costs_no_bits():
    net = NetworkBuilder("even")
    net.add_input("in", 2)
    net.add_population("sum", 1, "program", program=SUM, arithmetic="integer")
    net.connect("in", "sum", weights=np.array([[128.0 * 200, 128.0]]))
    assert compile(net.build(["sum"]), "loihi2").weight.tolist() == [25600, 128]


def test_a_report_warns_when_most_of_its_energy_is_estimated():
    stimulus = Stimulus.from_dense(np.full((4, 1), 9))
    r = report(simulate(compile(sigma_delta(), "loihi2"), stimulus))
    assert r.sources.estimated_share == pytest.approx(1)
    assert any("rests on numbers of `loihi2` that nobody published" in note for note in r.notes)
    net = NetworkBuilder("published")
    net.add_population("n", 4, "loihi_lif", vth_mant=1, bias_mant=100)
    assert not any("nobody published" in note for note in report(simulate(compile(net.build()), ticks=5)).notes)


def test_cores_with_more_than_4096_neurons_have_wider_indices():
    from chipsim.compiler.partitioning.packing import axon_bits

    bits = [int(axon_bits("loihi", np.array([64]), dense=False, weight_bits=8, delay_bits=0, slots=n)[0])
            for n in (1024, 4096, 8192)]
    assert bits == [1216, 1344, 1408]                    # 64 (8 + 10, 12, 13) + 10 bits, in words of 64


def test_its_time_per_tick_is_shorter_than_the_first_loihis():
    net = NetworkBuilder("both")
    net.add_population("n", 100, "loihi_lif", vth_mant=10, bias_mant=100)
    net.connect("n", "n", weights=np.ones((100, 100)), delay=1)
    old, new = (simulate(compile(net.build(), load_chip(name)), ticks=20) for name in ("loihi", "loihi2"))
    assert np.array_equal(old.spikes["n"], new.spikes["n"]) and 2 < old.tick_ps.sum() / new.tick_ps.sum() < 10
