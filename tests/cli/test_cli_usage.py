"""What goes wrong on a command line: code, message, remedy, exit code; never a traceback."""
from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic_run as paper

from chipsim import cli
from chipsim.cli import completion, main
from chipsim.engine.run_file import save_run
from chipsim.errors import FitError, SimulationError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder with a stored run, a network's and an input's name in it (never read), as the current one."""
    monkeypatch.chdir(tmp_path)
    save_run(paper.run(), "toy.run.h5")
    for name in ("net.nir", "input.npz"):
        Path(name).write_bytes(b"not what it says")
    return tmp_path


BAD = {
    "unknown command": ("rum", "U431", "did you mean `run`?"),
    "option before the command": ("-v run net.nir", "U431", "options come after the command: chipsim run -v"),
    "unknown model": ("models lift", "U437", "did you mean `lif`?"),
    "unknown option": ("run net.nir --imput x", "U432", "did you mean `--input`?"),
    "abbreviated option": ("run net.nir --in x", "U432", "no option `--in`"),
    "no network": ("run", "U432", "required: NETWORK|LAYOUT"),
    "one argument too many": ("report toy.run.h5 more", "U432", "takes no argument `more`"),
    "option without value": ("run net.nir --input", "U432", "expected one argument"),
    "words for a number": ("run net.nir --ticks many", "U432", "`many` is not a whole number"),
    "zero threads": ("run net.nir --threads 0", "U432", "1 is the least"),
    "NaN time step": ("run net.nir --dt nan", "U432", "`nan` is not finite"),
    "backward samples": ("run net.nir --samples 9:3", "U432", "holds nothing"),
    "samples in words": ("run net.nir --samples all", "U432", "such as 0:10"),
    "unknown timing": ("run net.nir --timing rough", "U432", "--timing"),
    "unknown bound": ("run net.nir --v-min vth", "U432", "`vth` is not a number"),
    "no input": ("run net.nir --chip loihi", "U433", "`--input FILE` is missing"),
    "no chip": ("run net.nir --ticks 5", "U433", "loihi"),
    "a timeline of no ticks": ("run net.nir --input input.npz --trace x.pftrace", "U433", "--trace-ticks A:B"),
    "a timeline without times": ("run net.nir --ticks 9 --trace x --trace-ticks 1 --timing none", "U433", "times"),
    "a rule without a comparison": ("report toy.run.h5 --fail-if energy", "R502", "is not a threshold"),
    "a rule on no figure": ("run net.nir --ticks 9 --fail-if energy.per_inferense>1", "R503", "per_inference`?"),
    "costs of another kind": ("report toy.run.h5 --costs truenorth", "R504", "chipsim compare NETWORK --chips paper,"),
    "output and no output": ("run net.nir --input input.npz -o x.run.h5 --no-save", "U433", "exclude"),
    "no such network": ("run ned.nir --input input.npz", "U434", "did you mean `net.nir`?"),
    "no such input": ("run net.nir --input input.npy", "U434", "did you mean `input.npz`?"),
    "no such folder": ("run net.nir --input gone/input.npz", "U434", "no folder `gone`"),
    "folder as network": ("run . --input input.npz", "U434", "is a folder"),
    "output into nowhere": ("run net.nir --input input.npz -o gone/x.run.h5", "U434", "no folder `gone`"),
    "a run as network": ("compile toy.run.h5 --chip loihi", "U434", "chipsim report toy.run.h5"),
    "a layout by another name": ("compile net.nir --chip loihi -o net.h5", "U434", "net.layout.h5"),
    "a network as run": ("report net.nir", "U434", "not a stored run"),
    "no such run": ("report toy.runh5", "U434", "did you mean `toy.run.h5`?"),
    "no such cost table": ("report toy.run.h5 --costs lohi", "E114", "did you mean `loihi`?"),
    "sources as JSON": ("report toy.run.h5 --sources --format json", "U433", "`--sources` is text"),
    "no such chip": ("chips lohi", "E114", "did you mean `loihi`?"),
    "override without chip": ("chips --set core.neurons=1", "U433", "CHIP"),
    "override of what is not there": ("chips loihi --set core.neuron=1", "E1", "core.neuron"),
    "no such code": ("explain E9", "U435", "no error code `E9`"),
}


@pytest.mark.parametrize("line, code, phrase", BAD.values(), ids=BAD.keys())
def test_bad_usage_is_answered_with_code_and_remedy(there, capsys, line, code, phrase):
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error[{code}"), err
    assert phrase in err
    assert "Traceback" not in err
    assert sorted(p.name for p in there.iterdir()) == ["input.npz", "net.nir", "toy.run.h5"]


def test_a_file_that_is_no_run_is_named(there, capsys):
    Path("fake.run.h5").write_text("text")
    assert main(["report", "fake.run.h5"]) == 2
    assert "fake.run.h5" in capsys.readouterr().err


@pytest.mark.parametrize("failure, code", [
    (FitError("too many", code="M201"), 3), (SimulationError("stuck", code="S100"), 1), (KeyboardInterrupt(), 130),
    (RuntimeError("surprise"), 1), (MemoryError(), 1),
])
def test_failures_have_exit_codes_and_no_traceback(monkeypatch, capsys, failure, code):
    def fail(argv):
        raise failure

    monkeypatch.setattr(cli, "_command", fail)
    assert main(["chips"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_too_little_memory_is_no_fault(monkeypatch, capsys):
    def fail(argv):
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr(cli, "_command", fail)
    assert main(["fabric", "loihi"]) == 1
    said = capsys.readouterr().err
    assert "error[U442]" in said and "74.5 GiB" in said and "fault" not in said


def test_verbose_shows_where_a_fault_is(monkeypatch, capsys):
    def fail(argv):
        raise RuntimeError("surprise")

    monkeypatch.setattr(cli, "_command", fail)
    main(["chips"])
    assert "`-v`" in capsys.readouterr().err
    main(["chips", "-v"])
    assert "Traceback" in capsys.readouterr().err


def test_report_of_a_stored_run(there, capsys):
    assert main(["report", "toy.run.h5"]) == 0
    out, err = capsys.readouterr()
    assert "toy → paper" in out and err == ""


def test_report_as_json_priced_elsewhere(there, capsys):
    assert main(["report", "toy.run.h5", "--costs", "loihi-calibrated", "--format", "json"]) == 0
    priced = json.loads(capsys.readouterr().out)
    assert (priced["chip"], priced["costs"]) == ("paper", "loihi-calibrated")
    assert priced["energy"]["by_component"]["synapse"]["energy_J"] == pytest.approx((20 * 35.5 + 5 * 33.6) * 1e-12)


def test_report_as_csv_and_sources(there, capsys):
    assert main(["report", "toy.run.h5", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("component,action,count")
    assert main(["report", "toy.run.h5", "--sources"]) == 0
    assert "costs.synop_dense.energy" in capsys.readouterr().out


def test_chips_lists_what_ships_and_one_chip_shows_every_number(capsys):
    assert main(["chips"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {"loihi", "loihi-calibrated", "ideal"}
    assert main(["chips", "loihi"]) == 0
    out = capsys.readouterr().out
    assert "costs.synop_dense.energy" in out and "23.6 pJ" in out and "davies2018" in out
    assert main(["chips", "loihi", "--set", "core.neurons=2048", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["core"]["neurons"] == 2048
    assert main(["chips", "--format", "json"]) == 0
    assert any(entry["name"] == "loihi" for entry in json.loads(capsys.readouterr().out))


def test_schema_is_json(capsys):
    assert main(["schema"]) == 0
    assert "fabric" in json.dumps(json.loads(capsys.readouterr().out))


def test_explain_lists_and_explains(capsys):
    assert main(["explain"]) == 0
    listed = capsys.readouterr().out
    assert {"E103", "U433"} <= {line.split()[0] for line in listed.splitlines()}
    assert main(["explain", "u433"]) == 0
    assert "compile the network again" in capsys.readouterr().out


def test_every_code_in_the_source_is_explained():
    from chipsim.cli.explain import all_codes

    source = "".join(file.read_text("utf-8") for file in (ROOT / "chipsim").rglob("*.py"))
    used = set(re.findall(r'"([EMNSUR]\d\d\d)"', source)) - {"E100"}     # E100: a message without a code of its own
    assert len(used) > 60
    assert used <= set(all_codes())


def test_explanations_fit_the_screen_and_keep_their_examples(capsys):
    from chipsim.cli.explain import all_codes

    for code, text in all_codes().items():
        examples = [line for line in text.splitlines() if line.startswith("    ")]
        assert main(["explain", code]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"{code}\n") and max(map(len, shown.split("\n"))) <= 100
        assert all(line in shown for line in examples)


def complete(shell_words: str, tmp_path) -> set[str]:
    """What bash offers after these words, the last of them unfinished."""
    words = shell_words.split(" ")
    (tmp_path / "script").write_text(completion.script())
    code = (f'source {tmp_path}/script; COMP_WORDS=({" ".join(f"{w!r}" for w in words)}); '
            f'COMP_CWORD={len(words) - 1}; _chipsim; printf "%s\\n" "${{COMPREPLY[@]}}"')
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("words, offered", [
    ("chipsim r", {"run", "report"}), ("chipsim run net.nir --tim", {"--timing", "--time-unit"}),
    ("chipsim run net.nir --timing a", {"analytic"}),
    ("chipsim run net.nir --chip lo", {"loihi", "loihi-calibrated", "loihi2"}),
    ("chipsim report x.run.h5 --format h", {"html"}), ("chipsim completion ", {"bash", "zsh"}),
    ("chipsim explain E10", {f"E10{i}" for i in range(1, 10)}), ("chipsim run n", set()),
])
def test_completion_offers_what_the_command_takes(words, offered, tmp_path):
    assert complete(words, tmp_path) == offered


def test_completion_for_zsh_is_the_same_script_behind_its_adapter(capsys):
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == "autoload -U +X bashcompinit && bashcompinit\n" + completion.script()


def test_check_finds_all_errors_of_all_files(tmp_path, capsys):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("extends: loihi\nname: good\n")
    bad.write_text("extends: loihi\nname: bad\ncosts:\n  spike: {energy: 3 ns}\ncore: {neurons: -4}\n")
    assert main(["check", str(good)]) == 0
    assert "right" in capsys.readouterr().err
    assert main(["check", str(good), str(bad)]) == 2
    out, err = capsys.readouterr()
    assert out.count("error[E1") == 2 and "bad.yaml:4:" in out and "2 errors in 2 files" in err
    assert main(["check", str(bad), "--format", "json"]) == 2
    findings = json.loads(capsys.readouterr().out)
    assert [f["line"] for f in findings] == [4, 5]
    assert set(findings[0]) >= {"code", "message", "file", "line", "column", "width", "help", "severity"}


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(f"{sys.executable} -m chipsim schema | head -1", shell=True, capture_output=True, text=True,
                          cwd=ROOT)
    assert done.stderr == "" and done.stdout == "{\n"


def test_output_survives_a_plain_encoding(there):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "chipsim", "report", "toy.run.h5"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and "toy -> paper" in done.stdout


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_only_on_a_terminal_that_wants_it(there, monkeypatch, no_color):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert main(["report", "toy.run.h5"]) == 0
    assert ("\x1b[" in screen.getvalue()) == (not no_color)
