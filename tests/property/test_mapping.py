"""Mapping never breaks a limit and never changes the result, on networks and chips nobody chose."""
from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chipsim.chip import load_chip
from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.engine.run import A
from chipsim.errors import FitError
from chipsim.network import NetworkBuilder, Stimulus

RESOURCES = ("neurons", "axons_in", "axons_out", "synapse_bits", "neuron_configs")
UNLIMITED = load_chip("loihi", set=(
    "core.neurons=null", "core.axons_in=null", "core.axons_out=null", "core.neuron_configs=null",
    "core.synapse_memory.bits=null", "fabric.width=1", "fabric.height=1", "fabric.cores_per_router=1"))


@st.composite
def tiny_chips(draw):
    def limit(low, high, step=1):
        value = draw(st.one_of(st.none(), st.integers(low, high)))
        return "null" if value is None else value * step

    return load_chip("loihi", set=(
        f"core.neurons={draw(st.integers(1, 12))}", f"core.axons_in={limit(6, 40)}", f"core.axons_out={limit(4, 60)}",
        f"core.neuron_configs={limit(1, 3)}", f"core.synapse_memory.bits={limit(4, 60, 64)}",
        "fabric.width=8", "fabric.height=6", f"fabric.cores_per_router={draw(st.integers(1, 2))}",
        "fabric.io.router=[0, 0]"))


@st.composite
def networks(draw):
    """Layers, loops, shared sources, one to three time constants a population; dense, sparse and convolved."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = NetworkBuilder("random", dt=1e-3)
    lines = int(rng.integers(1, 9))
    net.add_input("in", lines)
    names = ["in"]
    for i in range(draw(st.integers(1, 3))):
        n = int(rng.integers(1, 20))
        tau = rng.choice([0.005, 0.01, 0.02], n) if rng.random() < 0.5 else 0.01
        if rng.random() < 0.5:
            net.add_population(f"p{i}", n, "lif", tau=tau, v_threshold=0.3)
        else:
            net.add_population(f"p{i}", n, "cuba_lif", tau_mem=tau, tau_syn=0.005, v_threshold=0.3)
        names.append(f"p{i}")
    sizes = {name: net.populations[name].size for name in names}
    for post in names[1:]:
        for pre in names:
            if pre != "in" and rng.random() < 0.5 or pre == "in" and post != "p0" and rng.random() < 0.5:
                continue
            weights = rng.normal(0.3, 1, (sizes[post], sizes[pre]))
            kind = "dense" if rng.random() < 0.5 else "sparse"
            if kind == "sparse":
                weights *= rng.random(weights.shape) < 0.4
            net.connect(pre, post, kind, weights=weights, delay=int(rng.integers(1, 6)))
    for name in names[1:]:
        if not any(q.post == name for q in net.projections):
            net.connect("in", name, weights=1.0, delay=1)
    return net.build([names[-1]])


def used(layout, network):
    """What each core holds, read off the tables one entry at a time; resource -> list over cores."""
    chip, n_cores = layout.chip, layout.n_cores
    population = np.full(layout.n_neurons, -1)
    for g in layout.groups:
        population[g.start : g.stop] = g.population
    assert (population >= 0).all()
    found = {r: [0] * n_cores for r in RESOURCES}
    for c in range(n_cores):
        neurons = range(layout.core_start[c], layout.core_start[c + 1])
        found["neurons"][c] = len(neurons)
        found["neuron_configs"][c] = len({tuple(int(layout.params[k][n]) for k in ("du", "dv", "refract"))
                                          for n in neurons})
        found["axons_out"][c] = sum(int(layout.out_start[n + 1] - layout.out_start[n]) for n in neurons)
    sources = [set() for _ in range(n_cores)]
    for s in range(layout.n_sources):
        for axon in layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]:
            core = layout.axon_core[axon]
            assert s not in sources[core], "two in-axons of one core for one source"
            sources[core].add(s)
            found["axons_in"][core] += 1
    assert sum(found["axons_in"]) == len(layout.axon_core)
    pre = np.full(layout.n_sources, -1)
    for i, p in enumerate(layout.populations):
        pre[layout.neurons_of(p.name)] = i
    sender = np.full(len(layout.axon_core), -1)
    for s in range(layout.n_sources):
        sender[layout.out_axon[layout.out_start[s] : layout.out_start[s + 1]]] = pre[s]
    names = [p.name for p in layout.populations]
    dense = {(names.index(q.pre), names.index(q.post)): all(op.is_dense for op in q.ops) for q in network.projections}
    lists, longest = {}, {}                          # (axon, population, delay) -> synapses; population -> delay
    for axon, core in enumerate(layout.axon_core):
        for g in range(layout.axon_start[axon], layout.axon_start[axon + 1]):
            delay = int(layout.segment_delay[g])
            for slot in layout.slots_of(g):
                assert layout.core_start[core] + slot < layout.core_start[core + 1]
                p = int(population[layout.core_start[core] + slot])
                lists[axon, p, delay] = lists.get((axon, p, delay), 0) + 1
                longest[p] = max(longest.get(p, 0), delay)
    for (axon, p, _), n in lists.items():
        bits = 8 + (longest[p] - chip.core.delay.min).bit_length()
        if not dense[sender[axon], p]:               # an index in the smallest size the format has for all slots
            bits += next(size for size in (6, 7, 8, 9, 10, 11, 12) if 2**size >= chip.core.neurons)
        while n > 0:                                 # blocks of at most 64 synapses, a header of 10 bits, words of 64
            found["synapse_bits"][layout.axon_core[axon]] += -(-(min(n, 64) * bits + 10) // 64) * 64
            n -= 64
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=tiny_chips(), network=networks(), per_core=st.one_of(st.none(), st.integers(1, 5)), seed=st.integers(0, 9),
       objective=st.sampled_from([None, "energy", "latency", "cores"]))
def test_no_core_holds_more_than_it_can_and_nothing_changes_by_it(chip, network, per_core, seed, objective):
    try:
        layout = compile(network, chip, neurons_per_core=per_core, objective=objective, effort="fast", seed=seed)
    except FitError as e:
        event("does not fit")
        assert {d.code for d in e.diagnostics} <= {"M201", "M202", "M203"} and all(d.help for d in e.diagnostics)
        return
    event("fits")
    cap = dict(neurons=chip.core.neurons, axons_in=chip.core.axons_in, axons_out=chip.core.axons_out,
               synapse_bits=chip.core.synapse_memory.bits, neuron_configs=chip.core.neuron_configs)
    need = used(layout, network)
    for resource, most in cap.items():
        assert most is None or max(need[resource]) <= most, resource
        assert need[resource] == layout.usage[resource].tolist(), resource
    assert len(set(layout.cores.tolist())) == layout.n_cores <= chip.n_cores and layout.cores.max() < chip.n_cores
    if per_core is not None and layout.n_cores == len(layout.groups):
        assert max(need["neurons"]) <= per_core

    one = compile(network, UNLIMITED)
    assert one.n_cores == 1
    lines = network.populations["in"].size
    x = np.random.default_rng(seed).random((12, 2, lines)) < 0.6
    stimulus = Stimulus.from_dense(x.astype(float))
    many, alone = (simulate(each, stimulus, timing="none", record="all") for each in (layout, one))
    for name in network.populations:
        np.testing.assert_equal(many.spikes[name], alone.spikes[name])
    assert many.counts[:, A["neuron_active"]].tolist() == alone.counts[:, A["neuron_active"]].tolist()
    synops = [A[f"synop_{kind}"] for kind in ("dense", "sparse", "conv")]
    assert np.array_equal(many.counts[:, synops].sum(0), alone.counts[:, synops].sum(0))
