"""A run in parts, interrupted or not: is it, put together, the run in one piece?"""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_engines_agree import assert_same_run, chips
from test_learning import PAIR, network, stimulus

from chipsim.compiler import compile
from chipsim.engine import parts, simulate
from chipsim.engine.run import Run
from chipsim.engine.run_file import load_run, save_run
from chipsim.errors import UsageError

ALL = ("all", "a.v", "second.w")


class Stop(Exception):
    """Raised by a progress function: the run ends as in a crash."""


def crash_after(ticks):
    def progress(done, of, figures):
        if done >= ticks:
            raise Stop
    return progress


@settings(max_examples=6, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(chip=chips(), seed=st.integers(0, 2**32), every=st.integers(3, 40),
       timing=st.sampled_from(["exact", "analytic"]))
def test_parts_of_any_length_make_the_whole_run(tmp_path_factory, chip, seed, every, timing):
    file = tmp_path_factory.mktemp("parts") / "net.run.h5"
    layout = compile(network((PAIR, PAIR), seed), chip, neurons_per_core=6 if chip.n_cores >= 4 else None)
    options = dict(seed=seed, record=ALL, timing=timing, record_packets=range(3, 20))
    whole = simulate(layout, stimulus(seed), **options)
    assert_same_run(simulate(layout, stimulus(seed), save=file, checkpoint_every=every, **options), whole)
    assert_same_run(load_run(file), whole)
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("crash", [1, 17, 45])
def test_a_run_resumed_after_a_crash_is_the_run_without_one(tmp_path, crash):
    file, layout = tmp_path / "net.run.h5", compile(network((PAIR, PAIR)), "loihi")
    with pytest.raises(Stop):
        simulate(layout, stimulus(1), record=ALL, save=file, checkpoint_every=10, progress=crash_after(crash))
    assert not file.exists()
    done = simulate(layout, stimulus(1), record=ALL, save=file, checkpoint_every=7, resume=True)
    assert done.meta["resumed"] == crash // 10 * 10
    assert_same_run(done, simulate(layout, stimulus(1), record=ALL))


def test_values_of_a_population_that_emits_them_only_later_are_whole(tmp_path):
    """Ones, in the parts in which every payload was one."""
    from chipsim.network import NetworkBuilder, Stimulus

    net = NetworkBuilder("graded")
    net.add_input("in", 2)
    net.add_population("a", 2, "lif", tau=5.0, v_threshold=0.5)
    net.connect("in", "a", "one_to_one", weights=1.0)
    x = np.ones((40, 2))
    x[20:] = 3.0
    layout = compile(net.build(["a"]), "ideal")
    options = dict(record=("all",))
    whole = simulate(layout, Stimulus.from_dense(x), **options)
    assert_same_run(simulate(layout, Stimulus.from_dense(x), save=tmp_path / "r.run.h5", checkpoint_every=7,
                             **options), whole)
    assert set(whole.values) == {"in"}


def test_memory_alone_ends_a_part(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "MOST_BYTES", 2000)
    monkeypatch.setattr(sys.modules["chipsim.engine.simulate"], "SECONDS_PER_CALL", 1e-9)
    file, layout, kept = tmp_path / "net.run.h5", compile(network((PAIR, PAIR)), "loihi"), []
    monkeypatch.setattr(parts, "save_run", lambda run, path, *rest: (kept.append(path), save_run(run, path, *rest)))
    run = simulate(layout, stimulus(1), save=file)
    assert len(kept) > 3
    assert_same_run(run, simulate(layout, stimulus(1)))


def test_another_run_is_not_gone_on_with(tmp_path):
    file, layout = tmp_path / "net.run.h5", compile(network((PAIR, PAIR)), "loihi")
    with pytest.raises(Stop):
        simulate(layout, stimulus(1), save=file, checkpoint_every=10, progress=crash_after(25))
    for other in (dict(seed=5), dict(timing="none"), dict(record="all"), dict(learning=False)):
        with pytest.raises(UsageError, match="U438"):
            simulate(layout, stimulus(1), save=file, resume=True, **other)
    with pytest.raises(UsageError, match="U438"):
        simulate(layout, stimulus(2), save=file, resume=True)


def test_another_rule_of_learning_is_not_gone_on_with(tmp_path):
    file, changed = tmp_path / "net.run.h5", network((replace(PAIR, dw="2^-3*x1*y0 - 2^-2*y1*x0"), PAIR))
    with pytest.raises(Stop):
        simulate(compile(network((PAIR, PAIR)), "loihi"), stimulus(1), save=file, checkpoint_every=10,
                 progress=crash_after(25))
    with pytest.raises(UsageError, match="U438"):
        simulate(compile(changed, "loihi"), stimulus(1), save=file, resume=True)


def test_every_field_of_a_run_says_how_parts_of_it_join():
    listed = [*parts.GROWING, *parts.TOTAL, *parts.MOST, *parts.SAME, *parts.LAST, *parts.OWN]
    assert sorted(listed) == sorted(f.name for f in fields(Run))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal")
def test_ctrl_c_keeps_what_was_done_and_resume_finishes_it(tmp_path):
    (tmp_path / "spin.yaml").write_text(
        "name: spin\npopulations:\n  a: {size: 400, model: loihi_lif, vth_mant: 100, bias_mant: 300}\n"
        "projections:\n  - {from: a, to: a, kind: random, probability: 0.2, weights: 1, delay: 1}\noutputs: [a]\n")
    command = [sys.executable, "-m", "chipsim", "run", "spin.yaml", "--chip", "loihi", "--ticks", "300000"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in run.stderr:
        if line.startswith("compiled"):
            break
    time.sleep(1.0)
    run.send_signal(signal.SIGINT)
    said = run.stderr.read()
    assert run.wait() == 130, said
    assert "`--resume` goes on from there" in said
    assert (tmp_path / "spin.run.h5.parts" / "state.h5").is_file()
