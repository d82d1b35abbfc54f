"""Convolutions with kernels stored once per core: the same network, on fewer cores, within every limit."""
from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from test_mapping import used

from chipsim.chip import check_chip, load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import FitError
from chipsim.network import NetworkBuilder, Stimulus
from chipsim.network.linear import Reshape
from chipsim.network.spatial import AvgPool2d, Conv2d, windows_of

SOME = settings(max_examples=12, phases=[Phase.generate],             # shrinking a network takes minutes
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@st.composite
def images(draw):
    """Convolutions with strides, padding, dilation and groups, a residual or a pooling, and a dense layer."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels, side = int(rng.integers(1, 5)), int(rng.integers(4, 8))
    net = NetworkBuilder("images", dt=1e-3)
    net.add_input("in", (channels, side, side))
    pre = "in"
    for i in range(draw(st.integers(1, 2))):
        groups = channels if rng.random() < 0.3 else 1
        out, k = groups * int(rng.integers(1, 4)), int(rng.integers(1, 4))
        window = dict(stride=int(rng.integers(1, 3)), padding=int(rng.integers(0, 2)), groups=groups,
                      dilation=int(rng.integers(1, 3)) if k == 2 else 1)
        weights = rng.normal(0.1, 0.5, (out, channels // groups, k, k)) * (rng.random((out, 1, k, k)) < 0.8)
        reach = window["dilation"] * (k - 1) + 1
        new = (side + 2 * window["padding"] - reach) // window["stride"] + 1
        assume(new > 0)
        net.add_population(f"c{i}", (out, new, new), "lif", tau=0.01, v_threshold=0.3)
        bias = rng.normal(0, 0.05, out) if rng.random() < 0.5 else None
        net.connect(pre, f"c{i}", "conv2d", weights=weights, bias=bias, **window)
        if (channels, side) == (out, new):
            net.connect(pre, f"c{i}", "one_to_one", weights=0.4)
        pre, channels, side = f"c{i}", out, new
    net.add_population("out", 3, "lif", tau=0.01, v_threshold=0.3)
    net.connect(pre, "out", weights=rng.normal(0, 0.5, (3, channels * side * side)))
    return net.build(["out"])


def chip(kernels, channels, *more):
    return load_chip("loihi", set=(f"core.synapse_memory.kernels={kernels}", f"core.axon_channels={channels}", *more))


@SOME
@given(images(), st.integers(2, 30), st.integers(0, 2**32))
def test_shared_kernels_give_the_spikes_of_unrolled_ones(network, neurons, seed):
    lines = network.populations["in"].size
    stimulus = Stimulus.from_dense((np.random.default_rng(seed).random((12, 1, lines)) < 0.3).astype(float))
    small = (f"core.neurons={neurons}", "fabric.width=20", "fabric.height=20")
    shared = compile(network, chip("shared", 2, *small))
    unrolled = compile(network, chip("unrolled", "null", "core.neurons=4000"))
    plain = simulate(unrolled, stimulus, record="all", timing="none")
    synops = [A[f"synop_{kind}"] for kind in ("dense", "sparse", "conv")]
    for engine in ("compiled", "reference"):
        run = simulate(shared, stimulus, record="all", timing="none", engine=engine)
        for name in network.populations:
            np.testing.assert_equal(run.spikes[name], plain.spikes[name])
        assert (run.counts[:, synops].sum(1) == plain.counts[:, synops].sum(1)).all()


@SOME
@given(images(), st.integers(2, 40), st.integers(1, 3), st.integers(8, 60), st.integers(6, 60), st.integers(6, 60))
def test_no_limit_is_broken_counted_from_the_network_itself(network, neurons, bundle, bits, axons_in, axons_out):
    on = chip("shared", bundle, f"core.neurons={neurons}", f"core.synapse_memory.bits={64 * bits}",
              f"core.axons_in={axons_in}", f"core.axons_out={axons_out}", "fabric.width=20", "fabric.height=20")
    try:
        layout = compile(network, on)
    except FitError:
        return
    core = {}
    for g in layout.groups:
        for unit in layout.population_index[g.start : g.stop]:
            core[layout.populations[g.population].name, int(unit)] = g.core
    heard, senders, kernels, rows = defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(int)
    for k, q in enumerate(network.projections):
        matrix, image = windows_of(q.ops), network.populations[q.pre].shape
        op = q.ops[-1].matrix()
        dense = op if isinstance(op, np.ndarray) else op.toarray()
        for post, pre in zip(*np.nonzero(dense) if matrix or not isinstance(op, np.ndarray)
                             else map(np.ravel, np.indices(dense.shape)), strict=True):
            c = core[q.post, int(post)]
            axon = ("single", q.pre, int(pre))
            if matrix is not None:
                channel, pixel = divmod(int(pre), image[1] * image[2])
                if bundle > 1:                            # alone, a channel has the axon of its neuron
                    axon = ("bundle", q.pre, pixel, channel // bundle)
                kernels[c, k, channel].add(int(post) // int(np.prod(matrix.out_shape[1:])))
            else:
                rows[c, k, int(pre)] += 1
            heard[c].add(axon)
            if q.pre != "in":
                senders[core[q.pre, int(pre)]].add((c, axon))
    used = defaultdict(int)

    def store(c, n, bits_each):
        while n > 0:                                      # blocks of 64 synapses, a header of 10 bits, words of 64
            used[c] += -(-(min(n, 64) * bits_each + 10) // 64) * 64
            n -= 64

    longest = {q.post: 0 for q in network.projections}
    for s in range(len(layout.segment_delay)):
        longest["all"] = max(longest.get("all", 0), int(layout.segment_delay[s]))
    for (c, k, _), outs in kernels.items():
        weight = windows_of(network.projections[k].ops).weight
        store(c, len(outs) * weight.shape[2] * weight.shape[3], 8)
    for (c, k, _), n in rows.items():
        store(c, n, 8 if network.projections[k].post == "out" else 8 + next(
            size for size in (6, 7, 8, 9, 10, 11, 12) if 2**size >= neurons))
    for c in range(layout.n_cores):
        assert layout.core_start[c + 1] - layout.core_start[c] <= neurons
        assert len(heard[c]) == layout.usage["axons_in"][c] <= axons_in
        assert len(senders[c]) == layout.usage["axons_out"][c] <= axons_out
        assert layout.usage["synapse_bits"][c] <= 64 * bits
        if longest["all"] == 1:
            assert used[c] == layout.usage["synapse_bits"][c]


@SOME
@given(images(), st.integers(4, 40), st.integers(60, 300), st.integers(60, 300), st.integers(60, 300),
       st.sampled_from(["latency", "energy"]))
def test_unrolled_boxes_keep_every_limit(network, neurons, bits, axons_in, axons_out, objective):
    limit = dict(neurons=neurons, synapse_bits=64 * bits, axons_in=axons_in, axons_out=axons_out, neuron_configs=32)
    on = chip("unrolled", "null", f"core.neurons={neurons}", f"core.synapse_memory.bits={64 * bits}",
              f"core.axons_in={axons_in}", f"core.axons_out={axons_out}", "fabric.width=20", "fabric.height=20")
    try:
        layout = compile(network, on, objective=objective, effort="fast")
    except FitError:
        return
    need = used(layout, network)                          # two projections from one source may share a block there
    for resource, most in limit.items():
        assert max(need[resource]) <= layout.usage[resource].max() <= most, resource


@pytest.mark.parametrize("groups, stride, padding", [(1, 1, 1), (1, 2, 0), (2, 1, "same"), (4, 3, 2)])
def test_windows_count_and_divide_their_synapses_as_the_matrix_has_them(groups, stride, padding):
    rng = np.random.default_rng(groups)
    weight = rng.normal(size=(8, 4 // groups, 3, 2)) * (rng.random((8, 4 // groups, 3, 2)) < 0.8)
    for op in (Conv2d(weight, (4, 7, 6), stride, padding, 1, groups), AvgPool2d((4, 7, 6), (2, 3), stride)):
        kept, matrix = windows_of((op,)), op.matrix().toarray()
        assert (kept.fan_in == np.count_nonzero(matrix, axis=1)).all()
        assert (kept.fan_out == np.count_nonzero(matrix, axis=0)).all()
        for sign, part in ((1, np.maximum(matrix, 0)), (-1, np.minimum(matrix, 0))):
            assert (kept.of_sign(sign).tocsr().toarray() == part).all()
            assert kept.of_sign(sign).nnz == np.count_nonzero(part)


@pytest.mark.parametrize("groups, stride, padding", [(1, 1, 1), (1, 2, 0), (2, 1, "same"), (4, 3, 2)])
def test_what_a_box_of_neurons_hears_is_what_stands_in_its_rows(groups, stride, padding):
    rng = np.random.default_rng(1)
    op = Conv2d(rng.normal(size=(4, 4 // groups, 3, 2)), (4, 6, 7), stride=stride, padding=padding, groups=groups)
    kept, (deep, height, width) = windows_of((op,)), op.out_shape
    units = np.arange(deep * height * width).reshape(op.out_shape)
    for box in (units[1:3, :2, 1:], units, units[:, -1:, -1:], units[2:, 1:, :1]):
        rows = op.matrix()[box.ravel()]
        heard, synapses = kept.heard(box.ravel())
        assert np.array_equal(heard, np.unique(rows.indices))
        assert np.array_equal(synapses, np.unique(rows.indices, return_counts=True)[1])
    assert kept.heard(np.array([0, width + 1])) is None


def test_a_large_image_takes_the_cores_that_its_neurons_fill():
    net = NetworkBuilder("vgg block", dt=1e-3)
    net.add_input("in", (64, 16, 16))
    net.add_population("conv", (16, 16, 16), "lif", tau=0.01, v_threshold=0.3)
    net.connect("in", "conv", "conv2d", weights=np.random.default_rng(0).normal(size=(16, 64, 3, 3)), padding=1)
    network = net.build()
    layout = compile(network, "loihi")
    assert layout.n_cores == 4 and len(layout.target) < 0.8 * layout.segment_size.sum()
    assert compile(network, chip("unrolled", "null")).n_cores > 2 * 4


def test_channels_share_axons_by_pixel_where_the_image_comes_as_a_flat_population_too():
    net = NetworkBuilder("image", dt=1e-3)
    net.add_input("in", (4, 8, 8))
    net.add_population("conv", (8, 8, 8), "lif", tau=0.01, v_threshold=0.3)
    net.connect("in", "conv", "conv2d", weights=np.random.default_rng(0).normal(size=(8, 4, 3, 3)), padding=1)
    network = net.build(["conv"])
    (projection,) = network.projections
    flat = replace(network, populations=network.populations | {"in": replace(network.populations["in"], shape=(256,))},
                   projections=(replace(projection, ops=(Reshape((256,), (4, 8, 8)), *projection.ops)),))
    used = [compile(n, chip("shared", 2), effort="fast").usage["axons_in"].tolist() for n in (network, flat)]
    assert used[0] == used[1] == [128]


def test_a_crossbar_that_shares_kernels_is_refused():
    found = check_chip("truenorth", set=("core.synapse_memory.kernels=shared",))
    assert [d.message for d in found] == ["a crossbar has a bit for every axon and neuron, and no kernels"]
