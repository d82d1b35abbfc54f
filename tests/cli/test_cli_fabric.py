"""`chipsim fabric` as a user meets it: forms, files, errors."""
from __future__ import annotations

import csv
import io
import json

import pytest

from chipsim.cli import main

QUICK = ["fabric", "loihi", "--packets", "2000"]


def out(capsys, *argv):
    assert main([str(a) for a in argv]) == 0
    return capsys.readouterr().out


def test_one_load_as_text_json_and_csv(capsys):
    text = out(capsys, *QUICK, "--rate", "0.05")
    assert text.startswith("loihi: 128 nodes, mesh 8x4, xy, handshakes fcfs; uniform, seed 0\n")
    for word in ("throughput", "p99.9", "flight", "serialisation", "blocking", "queueing", "fairness", "drain", "→E"):
        assert word in text
    point = json.loads(out(capsys, *QUICK, "--rate", "0.05", "--format", "json"))["point"]
    stats = point["stats"]
    assert sum(stats["parts_s"].values()) == pytest.approx(stats["mean_s"])
    assert stats["quantiles_s"]["p50"] <= stats["quantiles_s"]["p95"] <= stats["quantiles_s"]["p99"] <= stats["max_s"]
    row = next(csv.DictReader(io.StringIO(out(capsys, *QUICK, "--rate", "0.05", "--format", "csv"))))
    assert float(row["mean_s"]) == stats["mean_s"] and row["peak_link"] == stats["busiest"][0]["name"]


def test_traffic_shorter_than_a_packets_way_is_noted(capsys):
    assert "traffic ended sooner than a packet takes" in out(capsys, "fabric", "loihi", "--packets", "5")
    assert "note" not in out(capsys, *QUICK, "--rate", "0.01")


def test_a_curve_with_its_saturation(capsys, tmp_path):
    picture = tmp_path / "c.svg"
    argv = ["fabric", "loihi", "--packets", "12000", "--traffic", "tornado", "--curve", "0.02:0.08:0.02",
            "--saturation"]
    text = out(capsys, *argv, "--plot", picture)
    assert text.count("saturated") >= 1 and "\nsaturation  0.0" in text and picture.read_text().startswith("<?xml")
    body = json.loads(out(capsys, *argv, "--format", "json"))
    assert [p["rate"] for p in body["curve"]] == [0.02, 0.04, 0.06, 0.08]
    assert 0.04 < body["saturation"]["rate"] < body["saturation"]["bound"]
    assert out(capsys, *argv, "--format", "json") == json.dumps(body, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("more", [[], ["--set", "fabric.clock.period=1 ns"]], ids=["handshakes", "clocked"])
def test_copies_of_the_routers_compare_with_a_packet_per_target(capsys, tmp_path, more):
    argv = ["fabric", "loihi", "--traffic", "multicast", "--fanout", "6", "--packets", "500", *more]
    rate, found, flits = ["--rate", "0.005"], {}, {}
    for cast in ("multicast", "unicast"):
        own = [*argv, "--set", f"fabric.cast={cast}"]
        text = out(capsys, *own, *rate, "--links", tmp_path / "links.csv", "--save-packets", tmp_path / "p.csv")
        assert "multicast to 6 targets" in text and "each target once" in text and "flits over them" in text
        flits[cast] = [int(row["flits"]) for row in csv.DictReader((tmp_path / "links.csv").open())]
        numbers = [row["packet_id"] for row in csv.DictReader((tmp_path / "p.csv").open())]
        found[cast] = json.loads(out(capsys, *own, *rate, "--format", "json"))["point"]["stats"]
        row = next(csv.DictReader(io.StringIO(out(capsys, *own, *rate, "--format", "csv"))))
        assert row["once"] == "1" and row["copied"] == str(int(cast == "multicast"))
        assert len(numbers) / len(set(numbers)) == (6 if cast == "multicast" else 1)
        curve = json.loads(out(capsys, *own, "--curve", "0.002:0.004:0.002", "--format", "json"))["curve"]
        assert [p["rate"] for p in curve] == [0.002, 0.004] and all(p["stats"]["once"] for p in curve)
    assert all(a <= b for a, b in zip(*flits.values(), strict=True))
    assert found["multicast"]["deliveries"] == found["unicast"]["deliveries"]
    assert found["multicast"]["link_flits"] < found["unicast"]["link_flits"]


def test_a_saved_list_is_a_trace_that_gives_the_same_times(capsys, tmp_path):
    first, again, links = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "links.csv"
    out(capsys, *QUICK, "--process", "ticks", "--rate", "0.02", "--save-packets", first, "--links", links,
        "--plot", tmp_path / "run.png")
    out(capsys, "fabric", "loihi", "--trace", first, "--save-packets", again)
    assert first.read_text() == again.read_text()
    rows = list(csv.DictReader(first.open()))
    assert all(int(r["done_ps"]) - int(r["ready_ps"]) == sum(int(r[f"{p}_ps"]) for p in
               ("queueing", "blocking", "serialisation", "flight")) for r in rows)
    loads = list(csv.DictReader(links.open()))
    hops = sum(int(r["hops"]) for r in rows)
    assert sum(int(r["flits"]) for r in loads if min(int(r["from_router"]), int(r["to_router"])) >= 0) == hops
    assert (tmp_path / "run.png").stat().st_size > 10_000


@pytest.mark.parametrize(("argv", "said"), [
    (["--traffic", "zigzag"], "U432"), (["--curve", "0.1:0.05:0.01"], "U432"), (["--hotspots", "3"], "U432"),
    (["--time", "3 parsecs"], "U432"), (["--time", "0"], "U432"), (["--rate", "2"], "F513"),
    (["--traffic", "transpose"], "F512"), (["--size", "2", "--set", "fabric.blocked.wait=50 ns"], "F516"),
    (["--trace", "no.csv"], "U434"),
    (["--burst", "5"], "U433"), (["--hotspots", "3:0.5"], "U433"), (["--curve", "auto", "--links", "x.csv"], "U433"),
    (["--packets", "5", "--time", "9"], "U433"), (["--saturation", "--plot", "x.png"], "U433"),
    (["--traffic", "multicast", "--fanout", "0"], "U432"), (["--traffic", "multicast", "--fanout", "129"], "F519"),
    (["--traffic", "multicast"], "U433"), (["--fanout", "3"], "U433"), (["--trace", "x.csv", "--fanout", "3"], "U433"),
    (["--traffic", "multicast", "--fanout", "3", "--size", "17", "--set", "fabric.cast=multicast"], "E109"),
    (["--traffic", "hotspot"], "U433"),
    (["--plot", "x.docx"], "U434"), (["--rate", "1e-9", "--time", "10"], "F513"),
])
def test_what_makes_no_sense_is_answered(capsys, argv, said):
    assert main(["fabric", "loihi", *argv]) == 2
    assert f"error[{said}]" in capsys.readouterr().err


def test_a_missing_option_is_named_and_one_flit_is_no_flits(capsys):
    assert main(["fabric", "loihi", "--traffic", "hotspot"]) == 2
    assert "`--hotspots` is missing" in capsys.readouterr().err
    assert main(["fabric", "loihi", "--rate", "3"]) == 2
    assert "packets of 1 flit per node" in capsys.readouterr().err


@pytest.mark.parametrize(("topology", "code", "severity"), [
    ("topology: torus", 0, "warning"),
    ("{topology: custom, routing: shortest, width: 1, height: 1, routers: 4, cores_per_router: 1, "
     "links: ['0-1', '1-2', '2-3', '3-0', '0-2']}", 0, ""),
    ("{topology: custom, routing: shortest, width: 1, height: 1, routers: 5, cores_per_router: 1, "
     "links: ['0-1', '1-2', '2-3', '3-4', '4-0']}", 2, "error"),
])
def test_check_names_the_cycle_of_routes(capsys, tmp_path, topology, code, severity):
    """Routes of one or two hops that share no direction round a ring, as with a chord in a ring of four, have none."""
    file = tmp_path / "c.yaml"
    fabric = topology if topology.startswith("{") else "{" + topology + "}"
    file.write_text(f"extends: loihi\nname: c\nfabric: {fabric}\n")
    assert main(["check", str(file)]) == code
    said = capsys.readouterr().out
    assert (f"{severity}[F502]" in said) if severity else "F502" not in said


def test_a_torus_without_a_clock_is_warned_of_and_its_deadlock_named(capsys):
    torus = ["fabric", "loihi", "--set", "fabric.topology=torus"]
    assert main([*torus, "--packets", "500", "--rate", "0.005"]) == 0
    assert "warning[F502]" in capsys.readouterr().err
    assert main([*torus, "--rate", "0.5"]) == 1
    err = capsys.readouterr().err
    assert "error[F501]" in err and "(0,0)→E" in err
