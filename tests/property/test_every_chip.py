"""Random networks on every kind of chip, with little of everything: no limit is broken, nothing changes by the layout.

`uncompiled.py` says what is right: it runs the network without cores and counts by plain loops.
"""
from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.compiler.avoid import Avoid
from chipsim.engine import simulate
from chipsim.errors import ExpressError, FitError
from chipsim.network import NetworkBuilder, Stimulus

sys.path.insert(0, str(Path(__file__).parents[1]))
from uncompiled import broken_limits, in_chip_numbers, run_uncompiled, synapses_of_draft, synapses_of_layout

LINK = "{latency: 1 ns, cycle: 1 ns, credit: 1 ns, slots: 4, energy: 1 pJ}"
EXACT = [f"core.analog.mismatch.{k}=0" for k in ("threshold", "leak", "time_constant", "synapse")]
TINY = {         # chip -> settings; two numbers: a whole one between them is drawn, three: or no limit, the last a unit
    "loihi": {"core.neurons": (1, 30), "core.axons_in": (16, 110, 1), "core.axons_out": (6, 100, 1),
              "core.neuron_configs": (1, 4, 1), "core.synapse_memory.bits": (20, 300, 64), "fabric.width": (2, 5),
              "fabric.height": (2, 5), "fabric.cores_per_router": (1, 4), "core.axon_channels": (1, 4, 1),
              "core.synapse_memory.kernels": ["shared", "unrolled"], "system.chips": ["[1, 1]", "[2, 1]", "[1, 3]"],
              "core.neuron.profile": ["loihi", "lava", "nengo", "brian2loihi"], "fabric.io.router": ["[0, 0]"]},
    "loihi2": {"core.neurons": (1, 30), "core.axons_in": (16, 110, 1), "core.synapse_memory.bits": (20, 300, 64)},
    "truenorth": {"core.neurons": (8, 40), "core.axons_in": (8, 64), "fabric.width": (4, 9), "fabric.height": (4, 9),
                  "fabric.io.router": ["[0, 0]"], "core.targets_per_neuron": ["1", "1", "1", "null"]},
    "spinnaker": {"core.neurons": (2, 30), "core.synapse_memory.bits": (60, 600, 32),
                  "system.chips": ["[2, 2]", "[3, 1]"], "fabric.router_entries": ["1023", "60", "30"]},
    "spinnaker2": {"core.neurons": (2, 30), "core.synapse_memory.bits": (60, 600, 32)},
    "odin": {"core.neurons": (2, 30), "core.axons_in": (10, 60, 1), "fabric.width": ["4"], "fabric.height": ["3"],
             "core.delay.max": ["1", "8"], "fabric.channels.east_west": [LINK], "fabric.channels.north_south": [LINK]},
    "brainscales2": {"core.neurons": (8, 40), "core.axons_in": (8, 80), "core.analog.rows": (2, 12),
                     "core.delay.max": ["1", "8"], "fabric.cores_per_router": (6, 20)},
    "neurram": {"core.neurons": (2, 20), "core.axons_in": (10, 60), "core.delay.max": ["1", "8"],
                "core.resistive.device": ["ideal"]},
    "isaac": {"core.neurons": (2, 20), "core.axons_in": (10, 60), "core.delay.max": ["1", "8"]},
    "northpole": {"fabric.width": (1, 4), "fabric.height": (1, 4), "core.synapse_memory.bits": (5, 300, 64),
                  "core.weights.bits": ["8", "4", "2"], "core.delay.min": ["0", "1"], "core.delay.max": ["1", "8"],
                  "fabric.flit_bits": ["8", "32"]},
    "ideal": {"core.neurons": (2, 20, 1), "core.delay.min": ["0", "1"], "fabric.cores_per_router": ["40"]},
}
NO_DELAYS = ("odin", "brainscales2", "neurram", "isaac")


def tiny(kind, rng):
    found = EXACT[:] if kind == "brainscales2" else []
    for key, span in TINY[kind].items():
        if isinstance(span, list):
            value = rng.choice(span)
        elif len(span) == 3 and rng.random() < 0.4:
            value = "null"
        else:
            value = int(rng.integers(span[0], span[1] + 1)) * (span[2] if len(span) == 3 else 1)
        found.append(f"{key}={value}")
    return load_chip(kind, set=tuple(found))


class Model:
    """What the populations of a network are, and the weights that go with them."""

    def __init__(self, kind, rng):
        self.kind, self.rng = kind, rng
        self.native = kind in ("loihi", "loihi2", "truenorth") and rng.random() < 0.35
        self.one = 1.0 if self.native else 1.0371           # no sum of it is a threshold, where rounding would decide

    def add(self, net, name, shape):
        rng, kind = self.rng, self.kind
        if self.native and kind == "truenorth":
            return net.add_population(name, shape, kind, s0=rng.integers(-3, 6), s1=-1, s2=2, alpha=rng.integers(
                1, 6, shape))
        if self.native:
            high = dict(du=4096, dv=4096, vth_mant=400, bias_mant=800, bias_exp=4, refract=5)
            return net.add_population(name, shape, "loihi_lif", **{
                k: rng.integers(1, most, shape if rng.random() < 0.5 else ()) for k, most in high.items()})
        tau = rng.choice([0.005, 0.01, 0.02], shape) if rng.random() < 0.4 else 0.01
        floor = dict(v_min=0.0) if kind == "odin" else {}
        if kind == "brainscales2" or kind in ("loihi", "spinnaker", "ideal") and rng.random() < 0.5:
            return net.add_population(name, shape, "cuba_lif", tau_mem=tau, tau_syn=0.005, v_threshold=0.3)
        if kind in ("truenorth", "odin") and rng.random() < 0.5:
            return net.add_population(name, shape, "integrate_fire", v_threshold=1.0, **floor)
        return net.add_population(name, shape, "lif", tau=tau, v_threshold=0.3, **floor)

    def weights(self, shape):
        rng = self.rng
        if self.native:
            bits = self.kind == "truenorth"
            return (rng.random(shape) < 0.3).astype(float) if bits else rng.integers(-256, 256, shape).astype(float)
        w = rng.normal(0.3, 1, shape)
        return np.abs(w) if self.kind == "odin" else w             # a source has one sign

    def how(self, n_biases=1):
        if self.native and self.kind == "truenorth":
            return dict(receptor=f"g{self.rng.integers(0, 4)}")
        if self.native:
            return dict(format=dict(weight_exponent=int(self.rng.choice([-3, -1, 0, 2])), sign="mixed",
                                    weight_bits=int(self.rng.choice([4, 6, 8]))))
        return dict(bias=self.rng.normal(0, 0.1, n_biases)) if self.kind == "ideal" and self.rng.random() < 0.3 else {}


def recurrent(model, rng):
    """Several inputs and populations, loops, self-connections, two projections between the same two, zero weights."""
    net, one_tick = NetworkBuilder("random", dt=1e-3), model.kind in NO_DELAYS
    lines = [net.add_input(f"in{i}", int(rng.integers(1, 9))) for i in range(rng.integers(1, 4))]
    names = [model.add(net, f"p{i}", (int(rng.integers(1, 40)),)) for i in range(rng.integers(1, 5))]
    size = {name: net.populations[name].size for name in lines + names}
    sign = {name: rng.choice([-1, 1], n) for name, n in size.items()}
    for post in names:
        if rng.random() < 0.9:
            net.connect(lines[0], post, "dense", weights=model.one, **model.how())
        for pre in lines + names:
            least = max(0, names.index(pre) - names.index(post) + 1) if pre in names else 0      # loops have time
            for _ in range(0 if rng.random() < 0.5 else rng.integers(1, 3)):
                w = model.weights((size[post], size[pre]))
                w = w * sign[pre] if model.kind == "odin" else w
                delay = least if one_tick else int(rng.integers(least, max(least + 1, 5)))
                if size[pre] == size[post] and rng.random() < 0.4:
                    net.connect(pre, post, "one_to_one", weights=model.one, delay=delay, **model.how())
                elif rng.random() < 0.4:
                    net.connect(pre, post, "dense", weights=w * (rng.random(w.shape) < 0.8), delay=delay, **model.how())
                else:
                    w = w * (rng.random(w.shape) < rng.choice([0.05, 0.2, 0.5]))
                    net.connect(pre, post, "sparse", weights=w, delay=delay, **model.how())
        if not any(q.post == post for q in net.projections):
            net.connect(lines[0], post, "dense", weights=model.one, **model.how())
    return net.build([names[-1]])


def image(model, rng):
    """Convolutions: groups, strides, dilation, twice the same window, a loop on top; perhaps a dense readout."""
    net, pre, late = NetworkBuilder("image", dt=1e-3), "in0", model.kind not in NO_DELAYS
    side = int(rng.integers(4, 8))
    net.add_input(pre, (int(rng.integers(1, 5)), side, side))
    for i in range(rng.integers(1, 3)):
        channels, side, _ = net.populations[pre].shape
        groups, kernel, stride, pad = (int(n) for n in (rng.choice([1, channels]), rng.integers(1, min(4, side + 1)),
                                                        rng.integers(1, 3), rng.integers(0, 2)))
        dilation = 1 if 2 * kernel > side else int(rng.integers(1, 3))
        window = dict(stride=stride, padding=pad, dilation=dilation, groups=groups)
        out = groups * int(rng.integers(1, 4)), *[(side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1] * 2
        post = model.add(net, f"p{i}", out)
        for _ in range(1 + (rng.random() < 0.3)):
            w = model.weights((out[0], channels // groups, kernel, kernel)) * (rng.random((kernel, kernel)) < 0.8)
            net.connect(pre, post, "conv2d", weights=w, delay=late * int(rng.integers(0, 3)), **window,
                        **model.how(out[0]))
        if rng.random() < 0.3:
            n = int(np.prod(out))
            w = model.weights((n, n)) * (rng.random((n, n)) < 0.05)
            net.connect(post, post, "sparse", weights=w, delay=1 + late, **model.how())
        pre = post
    if rng.random() < 0.5:
        net.connect(pre, model.add(net, "out", (3,)), "dense",
                    weights=model.weights((3, net.populations[pre].size)), **model.how())
    return net.build()


def case(kind, seed):
    """(network, chip, options of compile), drawn."""
    rng = np.random.default_rng(seed)
    chip, model = tiny(kind, rng), Model(kind, rng)
    network = image(model, rng) if rng.random() < 0.3 else recurrent(model, rng)
    options = dict(objective=rng.choice([None, "energy", "latency", "cores"]), seed=int(rng.integers(0, 5)),
                   effort=str(rng.choice(["fast", "normal"], p=[0.9, 0.1])))
    if rng.random() < 0.2:
        options["neurons_per_core"] = int(rng.integers(2, 9))
    if rng.random() < 0.3:
        options["rates"] = {name: rng.random(p.size) for name, p in network.populations.items()}
    if rng.random() < 0.3:
        dead = rng.choice(chip.n_cores, chip.n_cores // 6, replace=False)
        alive = rng.permutation(np.setdiff1d(np.arange(chip.n_cores), dead))
        pin = (("p0", tuple(alive.tolist())),) if rng.random() < 0.5 else ()
        options["avoid"] = Avoid(cores=frozenset(dead.tolist()), pin=pin)
    return network, chip, options


def assert_sound(network, chip, options, seed):
    """Compile, count, run; False if the network is refused by name."""
    replaced = dict(approximate=("bias", "synapse", "calibration"))
    try:
        layout = compile(network, chip, **replaced, **options)
    except (FitError, ExpressError) as refused:
        assert all(d.code.startswith("M2") and d.help for d in refused.diagnostics)
        event(refused.diagnostics[0].code)
        return False
    draft = in_chip_numbers(network, chip, **replaced, **{k: v for k, v in options.items() if k == "rates"})
    assert broken_limits(layout, draft, options.get("avoid")) == []
    if chip.core.crossbar is None:
        assert synapses_of_layout(layout) == synapses_of_draft(draft)
    n_lines = sum(network.populations[name].size for name in network.inputs)
    on = np.random.default_rng(seed).random((14, n_lines)) < 0.5
    want = run_uncompiled(draft, on.astype(float), seed=3)
    run = simulate(layout, Stimulus.from_dense(on[:, None].astype(float)), timing="none", record="all", seed=3)
    depth = {p.name: p.depth for p in layout.populations}
    for node in draft.nodes:
        later = depth[node.name] - node.depth                   # behind relays
        got = np.zeros((14 + max(depth.values()), node.size), bool)
        got[run.spikes[node.name]] = True
        assert np.array_equal(got[later:14], want[node.name][: 14 - later] != 0), node.name
    again = compile(network, chip, **replaced, **options)
    for name in (f.name for f in fields(layout) if isinstance(getattr(layout, f.name), np.ndarray)):
        assert np.array_equal(getattr(again, name), getattr(layout, name)), name
    event("fits on one core" if layout.n_cores == 1 else "relays" if max(depth.values()) > max(
        n.depth for n in draft.nodes) else "fits on several cores")
    return True


@pytest.mark.parametrize("kind", TINY)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_the_layout_keeps_all_limits_and_computes_what_the_network_does(kind, seed):
    assert_sound(*case(kind, seed), seed)
