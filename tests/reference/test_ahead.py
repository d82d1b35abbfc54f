"""Function a chunk of ticks ahead of the mesh: do they go on side by side, and is the run that of one thread?"""
from __future__ import annotations

import threading

import numpy as np
import pytest
from test_engines_agree import assert_same_run
from test_learning import PAIR, network
from test_ranks import two_layers

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.compiled import CompiledEngine
from chipsim.engine.pace import Pace
from chipsim.engine.plan import plan
from chipsim.engine.probes import recording_of
from chipsim.engine.schedule import schedule_of
from chipsim.network import Stimulus

PATIENCE = 60.0                             # seconds: only a failure takes so long


@pytest.fixture(autouse=True)
def ahead(monkeypatch):
    """Chunks of a few ticks, function always ahead."""
    monkeypatch.setattr(Pace, "choose", lambda self: True)
    monkeypatch.setattr("chipsim.engine.compiled.TICKS", (2, 5))


@pytest.fixture
def engine():
    layout = compile(two_layers("loihi_lif", 3, du=2000, dv=300, vth_mant=60), "loihi", neurons_per_core=8)
    return CompiledEngine(plan(layout), recording_of(layout, ()), "exact", 2), schedule_of(layout, None, 12)


def test_function_of_the_next_chunk_goes_on_while_the_mesh_does_this_one(engine, monkeypatch):
    machine, schedule = engine
    begun, met, spikes, time = [threading.Event() for _ in range(schedule.ticks + 1)], [], machine.spikes, machine.time
    begun[schedule.ticks].set()                                    # after the last chunk there is none to wait for

    def known(*chunk):
        begun[machine.function.tick].set()
        return spikes(*chunk)

    def waiting(chunk):
        met.append(begun[chunk.first_tick + len(chunk.active)].wait(PATIENCE))
        time(chunk)

    monkeypatch.setattr(machine, "spikes", known)
    monkeypatch.setattr(machine, "time", waiting)
    machine.advance(schedule.ticks, schedule.start, schedule.line, None)
    assert len(met) > 2 and all(met)


def test_of_two_failures_that_of_the_earlier_chunk_is_reported(engine, monkeypatch):
    machine, schedule = engine
    spikes = machine.spikes

    def fails_in_the_second(n, *rest):
        if machine.function.tick:
            raise MemoryError("function of the second chunk")
        return spikes(n, *rest)

    def mesh(chunk):
        raise MemoryError("mesh of the first chunk")

    monkeypatch.setattr(machine, "spikes", fails_in_the_second)
    monkeypatch.setattr(machine, "time", mesh)
    with pytest.raises(MemoryError, match="mesh of the first"):
        machine.advance(12, schedule.start, schedule.line, None)


@pytest.mark.parametrize("timing", ["analytic", "exact"])
def test_chips_that_learn_run_the_same_with_function_ahead(timing):
    layout = compile(network((PAIR, PAIR)), "loihi", neurons_per_core=3)
    lines = layout.n_sources - layout.n_neurons
    given_ = Stimulus.from_dense((np.random.default_rng(4).random((40, 2, lines)) < 0.4).astype(float))
    options = dict(timing=timing, record=("all",), record_packets=timing == "exact")
    one = simulate(layout, given_, **options)
    assert one.source_spikes[: layout.n_neurons].sum() > 50
    assert_same_run(simulate(layout, given_, threads=2, **options), one)
