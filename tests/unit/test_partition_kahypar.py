"""Mt-KaHyPar as one more start of the partition: refused where it is not there, cut to the limits, kept if better."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.cli import main
from chipsim.compiler import Capacities, compile, partition_graph
from chipsim.compiler.partitioning import share
from chipsim.compiler.partitioning.group import graph_of
from chipsim.compiler.partitioning.kahypar import blocks
from chipsim.errors import UsageError

installed = pytest.mark.skipif(importlib.util.find_spec("mtkahypar") is None, reason="mtkahypar is not installed")
DIGITS = ["examples/digits.nir", "--chip", "loihi", "--nir-dialect", "snntorch"]


def graph(n, fan, seed):
    """(indptr, indices): about `fan` targets within a ring's neighbourhood for each of n neurons in shuffled order."""
    rng = np.random.default_rng(seed)
    name = rng.permutation(n)
    rows = [np.unique(name[(np.argsort(name)[v] + rng.integers(1, 2 * fan, fan)) % n]) for v in range(n)]
    return np.concatenate([[0], np.cumsum([len(r) for r in rows])]), np.concatenate(rows).astype(np.int32)


def stand_in(choose):
    """A library of Mt-KaHyPar's form whose blocks are choose(number of vertices, number of blocks, nets, costs)."""

    class Whole:
        def __init__(self, setting, n, n_nets, nets, weights, costs):
            assert len(nets) == len(costs) == n_nets and len(weights) == n
            self.n, self.nets, self.costs = n, nets, costs

        def partition(self, setting):
            return SimpleNamespace(get_partition=lambda: choose(self.n, setting.k, self.nets, self.costs))

    class Setting:
        def set_partitioning_parameters(self, k, spare, objective):
            self.k = k

        def set_individual_target_block_weights(self, most):
            assert len(most) == self.k

    return SimpleNamespace(
        initialize=lambda threads, warn: SimpleNamespace(context_from_preset=lambda preset: Setting(),
                                                         create_hypergraph=Whole),
        PresetType=SimpleNamespace(DETERMINISTIC=0), Objective=SimpleNamespace(KM1=0), set_seed=lambda seed: None)


def test_without_the_library_the_extra_is_named(monkeypatch, capsys, request):
    monkeypatch.setitem(sys.modules, "mtkahypar", None)
    monkeypatch.chdir(request.config.rootpath)
    assert main(["compile", *DIGITS, "--partitioner", "mtkahypar"]) == 2
    error = capsys.readouterr().err
    assert "error[U427]: Mt-KaHyPar is not installed" in error and "pip install 'chipsim[mtkahypar]'" in error


def test_a_partitioner_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match=r"U427.*no partitioner `metis`"):
        partition_graph(*graph(20, 3, 0), Capacities(neurons=4), partitioner="metis")


def test_populations_in_their_own_order_leave_it_nothing_to_cut(monkeypatch, request):
    monkeypatch.setitem(sys.modules, "mtkahypar", stand_in(None))
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(UsageError, match=r"U427.*objective latency"):
        compile("examples/digits.nir", "loihi", partitioner="mtkahypar", objective="latency")
    with pytest.raises(UsageError, match=r"U427.*for ideal"):
        compile("examples/digits.nir", "ideal", partitioner="mtkahypar")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_whatever_the_library_says_every_limit_holds(seed, data):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    indptr, indices = graph(n, int(rng.integers(1, min(n, 6))), seed)
    fan_in = int(np.bincount(indices, minlength=n).max())
    limits = dict(neurons=int(rng.integers(2, 20)), memory=fan_in + int(rng.integers(0, 30)),
                  axons_in=fan_in + int(rng.integers(0, 20)))
    limits = {k: v for k, v in limits.items() if data.draw(st.booleans(), k)}
    same = np.zeros(n, np.int32)
    whole = graph_of(indptr, indices, np.ones(n), same, np.arange(n, dtype=np.int32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "mtkahypar", stand_in(lambda n, k, nets, costs: rng.integers(0, k, n).tolist()))
        cores = blocks(whole, Capacities(**limits), 4, 0)
    source = np.repeat(np.arange(n), np.diff(indptr))
    heard = np.unique(cores[indices].astype(np.int64) * n + source) // n
    for name, used in dict(neurons=np.bincount(cores), memory=np.bincount(cores[indices]),
                           axons_in=np.bincount(heard)).items():
        assert used.max() <= limits.get(name, used.max()), name


def test_a_net_is_a_source_with_its_targets_and_costs_its_rate(monkeypatch):
    told = []

    def choose(n, k, nets, costs):
        told.extend(zip(map(sorted, nets), costs, strict=True))
        return [0] * n

    monkeypatch.setitem(sys.modules, "mtkahypar", stand_in(choose))
    indptr, indices = np.array([0, 2, 4, 5, 5]), np.array([1, 2, 1, 3, 2], np.int32)      # 2 hears only itself
    alone = np.arange(4, dtype=np.int32)
    blocks(graph_of(indptr, indices, np.array([3.0, 2.0, 1.0, 1.0]), np.zeros(4, np.int32), alone),
           Capacities(neurons=4), 2, 0)
    assert sorted(told) == [([0, 1, 2], 3), ([1, 3], 2)]


def test_a_worse_partition_is_not_kept(monkeypatch):
    monkeypatch.setitem(sys.modules, "mtkahypar", stand_in(lambda n, k, nets, costs: (np.arange(n) % k).tolist()))
    indptr, indices = graph(90, 4, 1)
    limits = Capacities(neurons=30, axons_in=45)
    assert np.array_equal(partition_graph(indptr, indices, limits, effort="fast", partitioner="mtkahypar"),
                          partition_graph(indptr, indices, limits, effort="fast"))


def test_where_no_mixture_fits_the_layout_says_that_it_was_not_used(monkeypatch, request):
    monkeypatch.setitem(sys.modules, "mtkahypar", stand_in(None))
    monkeypatch.setattr(share, "ATTEMPTS", 0)
    monkeypatch.chdir(request.config.rootpath)
    layout = compile("examples/digits.nir", "loihi", partitioner="mtkahypar")
    assert any("Mt-KaHyPar's neither" in note for note in layout.notes)
    assert not any("Mt-KaHyPar" in note for note in compile("examples/digits.nir", "loihi", objective="energy").notes)


@installed
def test_the_layout_says_what_was_tried(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    layout = compile("examples/digits.nir", "loihi", partitioner="mtkahypar", neurons_per_core=20, effort="fast")
    step = next(p for p in layout.log if p["pass"] == "partition")
    assert step["partitioner"].startswith("mtkahypar 1.") and step["kept"] == "layers"      # nothing is better there


@installed
def test_threads_do_not_change_the_cores(request):
    code = ("import os, sys\nfrom tests.unit.test_partition_kahypar import *\n"
            "os.sched_getaffinity = lambda process: range(int(sys.argv[1]))\n"
            "indptr, indices = graph(2000, 12, 0)\n"
            "zeros, alone = np.zeros(2000, np.int32), np.arange(2000, dtype=np.int32)\n"
            "whole = graph_of(indptr, indices, np.ones(2000), zeros, alone)\n"
            "print(blocks(whole, Capacities(neurons=100), 21, 0).tolist())")
    one, three = (subprocess.run([sys.executable, "-c", code, threads], cwd=request.config.rootpath, check=True,
                                 capture_output=True, text=True).stdout for threads in "13")
    assert one == three and len(one) > 4000
