"""Files that are well formed and do not go together: what the command line says of each."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chipsim.cli import main
from chipsim.network import Stimulus

NETWORK = """\
name: small
dt: 1 ms
populations:
  in: {model: input, size: 3}
  a: {model: lif, size: 2, tau: 10 ms%s}
projections:
  - {from: in, to: a, weights: %s}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NETWORK % ("", "0.5"))
    Path("soft.yaml").write_text(NETWORK % (", reset: subtract", "0.5"))
    Path("nan.yaml").write_text(NETWORK % ("", ".nan"))
    Path("small.yaml").write_text("extends: loihi\nname: small\ncore: {axons_in: 2}\n")
    Stimulus.from_dense(np.ones((4, 2, 3)), labels=[0, 1]).save("in.h5")
    np.save("wide.npy", np.ones((4, 2, 5)))
    np.save("nan.npy", np.full((4, 3), np.nan))
    np.savez("labels.npz", x=np.ones((4, 2, 3)), labels=np.arange(7))
    Path("lines.csv").write_text("tick,line\n0,3\n")
    assert main(["compile", "net.yaml", "--chip", "loihi", "-o", "small.layout.h5", "--quiet"]) == 0
    return tmp_path


@pytest.mark.parametrize("line, exit_code, code, phrases", [
    ("run net.yaml --chip loihi --input wide.npy", 2, "S", ["5 lines", "`in`", "3"]),
    ("run small.layout.h5 --input wide.npy", 2, "S", ["5 lines", "`in`", "3"]),
    ("run net.yaml --chip loihi --input lines.csv", 2, "S", ["line"]),
    ("run net.yaml --chip loihi --input nan.npy", 2, "S304", ["12 values are NaN"]),
    ("run net.yaml --chip loihi --input labels.npz", 2, "S305", ["7 labels for 2 samples"]),
    ("run net.yaml --chip loihi --input in.h5 --ticks-per-sample 3", 2, "S308", ["samples of 3"]),
    ("run net.yaml --chip loihi --input in.h5 --samples 5:9", 2, "S309", ["samples 5:9", "the 2 there are, 0:2"]),
    ("run nan.yaml --chip loihi --input in.h5", 2, "N213", ["NaN"]),
    ("run soft.yaml --chip loihi --input in.h5", 3, "M240", ["`a` subtracts the threshold", "--approximate reset"]),
    ("run soft.yaml --chip loihi --input in.h5 --approximate resett", 2, "U420", ["`resett`", "reset"]),
    ("run net.yaml --chip small.yaml --input in.h5", 3, "M201", ["needs 3 input axons, a core has 2"]),
    ("run net.yaml --chip loihi --input in.h5 --reset zero", 2, "N242", ["reset"]),
    ("run small.layout.h5 --input in.h5 --chip ideal", 2, "U433", ["`small.layout.h5` is a layout", "--chip"]),
    ("run net.yaml --chip loihi --input net.yaml", 2, "S311", ["`.yaml`"]),
    ("run net.yaml --chip in.h5 --input in.h5", 2, "E1", ["in.h5"]),
    ("run in.h5 --chip loihi --ticks 3", 2, "N241", ["in.h5"]),
    ("report small.layout.h5", 2, "U4", ["layout"]),
    ("compile net.yaml --chip loihi --neurons-per-core 0", 2, "U432", ["--neurons-per-core"]),
    ("run net.yaml --chip loihi --input in.h5 --set core.neurons=-1", 2, "E1", ["core.neurons"]),
])
def test_what_does_not_go_together_is_said(here, capsys, line, exit_code, code, phrases):
    before = sorted(p.name for p in here.iterdir())
    assert main(line.split()) == exit_code
    out, err = capsys.readouterr()
    assert out == ""
    errors = err[err.index("error[") :]
    assert errors.startswith(f"error[{code}"), err
    for phrase in phrases:
        assert phrase in errors
    assert "Traceback" not in err
    assert sorted(p.name for p in here.iterdir()) == before
