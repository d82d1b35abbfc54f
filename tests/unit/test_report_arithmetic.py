"""Counts × costs, against sums done by hand on tests/synthetic_run.py."""
from __future__ import annotations

from math import isfinite

import numpy as np
import pytest
import synthetic_run as paper

import chipsim
from chipsim.chip import load_chip
from chipsim.engine.run import ACTIONS
from chipsim.report import report
from chipsim.report.cost import COMPONENTS, cost_path
from chipsim.report.sources import source_key

pJ, ps = 1e-12, 1e-12


@pytest.fixture(scope="module")
def r():
    return report(paper.run())


def test_each_component_is_counts_times_costs(r):
    got = {name: c.energy_J / pJ for name, c in r.energy.by_component.items()}
    assert got == pytest.approx({
        "synapse": 20 * 7 + 5 * 8 + 6 * 5,
        "neuron": 30 * 1 + 10 * 2 + 4 * 3,
        "learning": 3 * 14 + 2 * 15 + 1 * 16,
        "network": 4 * 4 + 6 * 10 + 6 * 11 + 8 * 12 + 1 * 13,
        "host": 2 * 6,
        "reset": 4 * 100,
        "barrier": 4 * 50,
        "static": 1e-3 * 1.0e-6 / pJ,                   # 1 mW for 1 µs
    })


def test_total_is_the_sum_of_the_components_and_shares_add_up_to_one(r):
    assert r.energy.total_J == pytest.approx((paper.TOTAL_PJ + 1000) * pJ)
    assert r.energy.dynamic_J == pytest.approx(paper.TOTAL_PJ * pJ)
    assert r.energy.static_J == pytest.approx(1000 * pJ)
    assert sum(c.share for c in r.energy.by_component.values()) == pytest.approx(1)


def test_energy_per_operation_and_per_inference(r):
    total = r.energy.total_J
    assert r.energy.n_sops == 25
    assert r.energy.per_sop_J == pytest.approx(total / 25)
    assert r.energy.per_inference_J == pytest.approx(total / 2)
    assert r.energy.mean_power_W == pytest.approx(total / 1e-6)
    assert r.energy.by_component["synapse"].per_sop_J == pytest.approx(210 * pJ / 25)


def test_every_action_belongs_to_exactly_one_component_and_has_a_price():
    listed = [a for actions in COMPONENTS.values() for a in actions]
    assert sorted(listed) == sorted(ACTIONS)
    provenance = load_chip("loihi").provenance
    # Loihi's barrier has a time only, its mesh no such links, its synapses are in the core and go one by one.
    absent = ("barrier", "hop_diagonal", "hop_tree", "hop_interchip", "row_fetch", "matrix")
    priced = [a for a in ACTIONS if a not in absent]
    assert [a for a in priced if f"{cost_path(a)}.energy" not in provenance] == []


def test_another_cost_table_prices_the_same_run_without_touching_its_times(r):
    double = report(paper.run(), costs=paper.chip("double", 2.0))
    assert double.energy.total_J == pytest.approx(2 * r.energy.total_J)
    assert double.latency == r.latency
    assert (double.chip, double.costs) == ("paper", "double")
    assert any("priced by `double`" in note and "`paper`" in note for note in double.notes)
    assert r.notes == ()


def test_costs_may_be_given_by_name():
    r = report(paper.run(), costs="loihi-calibrated")
    assert r.energy.by_component["neuron"].actions["spike"].each_J == pytest.approx(69.3e-12)


def test_latencies_of_ticks_and_inferences(r):
    tick, inference = r.latency.tick, r.latency.inference
    assert r.latency.total_s == pytest.approx(1.0e-6)
    assert (tick.mean_s, tick.p50_s, tick.max_s) == pytest.approx((250e3 * ps, 100e3 * ps, 500e3 * ps))
    assert tick.p99_s == pytest.approx(500e3 * ps)
    assert (inference.mean_s, inference.p50_s, inference.max_s) == pytest.approx((0.5e-6, 0.4e-6, 0.6e-6))
    assert r.latency.inferences_per_s == pytest.approx(2e6)
    assert r.latency.barrier_share == pytest.approx(0.4)


def test_what_set_the_pace_is_named(r):
    assert r.latency.set_by == {"barrier": 1, "core 0 (soma)": 1, "link (3,1)→E": 1, "core 17 (synapse)": 1}
    slowest = r.latency.slowest_tick
    assert (slowest.tick, slowest.set_by) == (3, "core 17 (synapse)")
    assert sum(slowest.parts_s.values()) == pytest.approx(slowest.length_s) == pytest.approx(500e3 * ps)


def test_the_host_port_can_set_the_pace():
    host = len(paper.run().cores)
    r = report(paper.run(tick_limit=np.full(4, 1 << 24 | host, np.int32)))
    assert r.latency.set_by == {"host port": 4}


def test_traffic(r):
    t = r.traffic
    assert (t.packets, t.packets_from_host) == (6, 2)
    assert t.mean_hops == pytest.approx(9 / 6)
    assert t.busiest_link.name == "(3,1)→E"
    assert t.busiest_link.utilisation == pytest.approx(8 * 2_000 / 1_000_000)
    assert (t.longest_queue.name, t.longest_queue.peak, t.longest_queue.slots) == ("router→core 17", 5, 8)
    assert t.longest_queue.mean == pytest.approx(0.25)
    assert t.latency.p50_s == pytest.approx(5e-9, rel=0.04)      # bins are 3 % wide
    assert t.latency.p95_s == pytest.approx(20e-9, rel=0.04)


def test_links_of_cores_are_named():
    for flits, name in (([9, 0, 0], "host→router"), ([0, 9, 0], "router→core 17")):
        assert report(paper.run(link_packets=np.array(flits))).traffic.busiest_link.name == name


def test_accuracy_needs_labels(r):
    assert (r.inference.correct, r.inference.accuracy) == (1, 0.5)
    unlabelled = report(paper.run(labelled=False)).inference
    assert (unlabelled.samples, unlabelled.correct, unlabelled.accuracy) == (2, None, None)


def test_utilisation_of_cores(r):
    neurons, memory = r.utilisation["neurons"], r.utilisation["synapse_memory"]
    assert (neurons.max, neurons.mean, neurons.limit, neurons.max_share) == (512, 384, 1024, 0.5)
    assert (memory.limit, memory.max_share) == (None, None)


def test_without_times_nothing_about_time_is_claimed():
    r = report(paper.run("none"))
    assert r.latency is None
    assert r.traffic.latency is None
    assert r.traffic.busiest_link.utilisation is None
    assert r.energy.static_J is None and "static" not in r.energy.by_component
    assert r.energy.mean_power_W is None
    assert r.energy.total_J == pytest.approx(paper.TOTAL_PJ * pJ)
    assert any("static energy is not in the total" in note for note in r.notes)


def test_without_synaptic_operations_there_is_no_energy_per_operation():
    r = report(paper.run(counts=np.zeros((4, len(ACTIONS)), np.int64)))
    assert r.energy.per_sop_J is None
    assert r.energy.total_J == pytest.approx(1000 * pJ)
    assert r.traffic.mean_hops is None


def test_populations_are_priced_where_their_actions_were_counted():
    entry = dict(name="out", size=10, spikes=4, packets=4, synops=15)
    counted = report(paper.run(populations=({**entry, "counts": {"spike": 4, "synop_dense": 15}},)))
    assert counted.populations["out"].energy_J == pytest.approx((4 * 3 + 15 * 7) * pJ)
    assert report(paper.run(populations=(entry,))).populations["out"].energy_J is None


def test_sources_account_for_the_energy_and_name_the_estimates():
    run = paper.run(chip=load_chip("loihi").to_dict())
    r = report(run)
    used = {n.path: n for n in r.sources.numbers}
    assert sum(n.energy_J or 0 for n in r.sources.numbers) == pytest.approx(r.energy.total_J)
    assert used["costs.synop_dense.energy"].source.startswith("davies2018")
    assert used["costs.static.power"].kind == "measured"
    assert used["costs.spike.energy"].kind == "estimated"
    assert "costs.synop_conv.energy" not in used                  # nothing of it was done
    assert "fabric.channels.east_west.latency" in used            # a time that mattered
    assert not any(path.startswith("core.") for path in used)
    assert sum(r.sources.by_source.values()) == sum(r.sources.by_kind.values()) == len(used)
    assert r.sources.by_source["davies2018"] > 5
    assert source_key(used["costs.spike.energy"]) == "estimated"


def test_times_rest_on_the_simulated_chip_and_energies_on_the_pricing_one():
    run = paper.run(chip=load_chip("loihi").to_dict())
    used = {n.path: n for n in report(run, costs="loihi-calibrated").sources.numbers}
    assert used["costs.synop_dense.energy"].source.startswith("boyle2025")
    assert used["costs.synop_dense.time"].source.startswith("davies2018")


def test_no_number_of_a_report_is_nan_or_infinite():
    def numbers(value):
        for v in value.values() if isinstance(value, dict) else value:
            if isinstance(v, dict | list):
                yield from numbers(v)
            elif isinstance(v, float):
                yield v

    for run in (paper.run(), paper.run("none"), paper.run(counts=np.zeros((4, len(ACTIONS)), np.int64))):
        found = list(numbers(report(run).to_dict()))
        assert found and all(isfinite(v) for v in found)


def test_report_can_be_called_from_the_package_under_its_own_name():
    assert chipsim.report(paper.run()) == report(paper.run())
    assert chipsim.Report is type(report(paper.run()))
