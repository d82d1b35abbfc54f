"""A network on several ranks: is its run, bit for bit, that of one process?"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips
from test_learning import PAIR, network, stimulus

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.ranks import simulate_ranks
from chipsim.errors import UsageError
from chipsim.network import NetworkBuilder, Stimulus


class Threads:
    """Ranks that are threads of this process."""

    def __init__(self, rank, size, meeting, given_):
        self.rank, self.size, self.meeting, self.given = rank, size, meeting, given_

    def share(self, array):
        self.given[self.rank] = np.array(array)
        self.meeting.wait(60)
        out = list(self.given)
        self.meeting.wait(60)
        return out


def on_ranks(size, *args, **options):
    meeting, shared, runs = threading.Barrier(size), [None] * size, [None] * size

    def one(rank):
        runs[rank] = simulate_ranks(*args, ranks=Threads(rank, size, meeting, shared), **options)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs


def two_layers(model, seed, **params):
    rng = np.random.default_rng(seed)
    net = NetworkBuilder("layers")
    net.add_input("in", 7)
    net.add_population("a", 30, model, **params)
    net.add_population("b", 12, model, **params)
    scale = 40 if model == "loihi_lif" else 1
    net.connect("in", "a", weights=np.round(rng.normal(scale, scale, (30, 7)), 3 if scale == 1 else 0))
    net.connect("a", "b", weights=np.round(rng.normal(0, scale, (12, 30)), 3 if scale == 1 else 0), delay=2)
    net.connect("b", "a", weights=np.round(rng.normal(0, scale, (30, 12)), 3 if scale == 1 else 0), delay=1)
    return net.build(["b"])


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(chip=chips(), seed=st.integers(0, 2**32), size=st.integers(1, 4))
def test_integer_networks_run_the_same_on_any_number_of_ranks(chip, seed, size):
    net = two_layers("loihi_lif", seed, du=2000, dv=300, vth_mant=60)
    layout = compile(net, chip, neurons_per_core=8 if chip.n_cores >= 6 else None)
    given_ = Stimulus.from_dense((np.random.default_rng(seed).random((25, 2, 7)) < 0.4).astype(float))
    options = dict(seed=seed % 9, record=("all", "a.v", "b.u"))
    one = simulate(layout, given_, timing="none", **options)
    for run in on_ranks(size, layout, given_, **options):
        assert_same_run(run, one)


def test_what_needs_one_process_is_refused():
    with pytest.raises(UsageError, match="it learns"):
        on_one = Threads(0, 1, threading.Barrier(1), [None])
        simulate_ranks(compile(network((PAIR, PAIR)), "loihi"), stimulus(1), ranks=on_one)


def test_floating_point_sums_are_added_up_in_the_same_order():
    chip = load_chip("ideal", set=("fabric.width=6", "core.neurons=8", "core.delay.min=1"))
    layout = compile(two_layers("lif", 5, tau=4.0, v_threshold=0.7), chip)
    assert layout.n_cores >= 5
    given_ = Stimulus.from_dense((np.random.default_rng(1).random((40, 7)) < 0.5).astype(float))
    one = simulate(layout, given_, record=("all", "a.v"))
    assert one.source_spikes[: layout.n_neurons].sum() > 50
    for run in on_ranks(3, layout, given_, record=("all", "a.v")):
        assert_same_run(run, one)


MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec: install an MPI, and mpi4py")
def test_ranks_of_mpi_agree_with_one_process(tmp_path):
    pytest.importorskip("mpi4py")
    script = tmp_path / "ranks.py"
    script.write_text(
        "import numpy as np\nfrom test_ranks import two_layers, simulate_ranks, simulate, compile, Stimulus\n"
        "from chipsim.engine.ranks import MpiRanks\n"
        "from test_engines_agree import assert_same_run\n"
        "layout = compile(two_layers('loihi_lif', 3, du=2000, dv=300, vth_mant=60), 'loihi', neurons_per_core=8)\n"
        "x = Stimulus.from_dense((np.random.default_rng(3).random((25, 7)) < 0.4).astype(float))\n"
        "run = simulate_ranks(layout, x, record=('all',))\n"
        "assert_same_run(run, simulate(layout, x, timing='none', record=('all',)))\n"
        "open(f'rank-{MpiRanks().rank}-of-{run.meta[\"ranks\"]}', 'w').close()\n")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([MPIEXEC, "-n", "2", sys.executable, str(script)], env=env, capture_output=True, text=True,
                          timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"rank-0-of-2", "rank-1-of-2"} <= set(os.listdir(tmp_path))
