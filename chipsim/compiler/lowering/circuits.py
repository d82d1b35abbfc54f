"""Parameters of analogue circuits for the neurons of a network, and what circuits cannot be calibrated to.

A neuron's threshold above rest becomes so many LSB of potential (core.analog.threshold - leak); noise is in LSB, too.
"""
from __future__ import annotations

import numpy as np

from chipsim.compiler.draft import Draft, Node
from chipsim.errors import Diagnostic
from chipsim.figures import si
from chipsim.models.neurons.framework import mixed, rest_ticks


def circuits_of(draft: Draft, node: Node, report: list[dict], problems: list[Diagnostic]) -> dict[str, np.ndarray]:
    """Parameters [size] of `analog_lif`, with `lsb`, one LSB in the network's units of potential.

    The node has those of `affine` or of `iaf_exp`. What circuits cannot do goes to `problems`, or, where it is allowed
    to be replaced, to `report`.
    """
    return _Calibration(draft, node, report, problems).circuit()


class _Calibration:
    def __init__(self, draft: Draft, node: Node, report: list[dict], problems: list[Diagnostic]):
        self.draft, self.node, self.report, self.problems = draft, node, report, problems
        self.chip = draft.chip.core.analog
        time = draft.chip.continuous
        self.faster = time.acceleration
        self.step = draft.network.dt / time.acceleration if draft.network.dt else time.step      # s of hardware time

    def circuit(self) -> dict[str, np.ndarray]:
        chip, step = self.chip, self.step
        m = self.of_affine() if "av" in self.node.params else self.of_currents()
        rest, resting = m.pop("rest"), m.pop("refractory")
        if (resting * step > chip.refractory.max).any():
            self.cannot("calibration", f"rests {_time(resting.max() * step)} after a spike; the chip has at most "
                        f"{_time(chip.refractory.max)}", f"a rest of {_time(chip.refractory.max)}")
            resting = np.minimum(resting, int(chip.refractory.max / step))
        lsb = (m["vth"] - rest) / (chip.threshold - chip.leak)
        if (lsb <= 0).any():
            self.problems.append(Diagnostic(
                "M246", f"population `{self.node.name}` rests at or above its threshold",
                file=self.node.population.origin,
                help="circuits are calibrated by the threshold's distance from rest; lower v_leak or the bias"))
            lsb = np.ones(self.node.size)
        reset = chip.leak + (m["v_reset"] - rest) / lsb
        if ((reset < chip.potential_min) | (reset > chip.potential_max)).any():
            self.cannot("calibration", f"resets to {reset.min():.0f} to {reset.max():.0f} LSB; circuits reset to "
                        f"{chip.potential_min} to {chip.potential_max}", "the nearest potential")
        within = np.clip(reset, chip.potential_min, chip.potential_max)
        return m | {"cv": (1 - m["av"]) * rest, "v0": rest, "v_reset": rest + (within - chip.leak) * lsb, "lsb": lsb,
                    "noise": chip.noise * lsb * np.sqrt(1 - m["av"]**2),
                    "refractory": np.maximum(resting, int(chip.refractory.min / step)).astype(np.int32)}

    def of_affine(self) -> dict[str, np.ndarray]:
        """Frameworks' neurons: one synaptic current, or none."""
        p, step = self.node.params, self.step
        for kind, present, what, instead in (
            ("readout", (p["reset"] == 0).any(), "emits its value every tick; the chip sends spikes", None),
            ("reset", np.isin(p["reset"], (2, 3)).any(), "subtracts the threshold on a spike; circuits reset to a "
             "potential", "reset to a potential"),
            ("multispike", (p["reset"] == 4).any(), "fires several spikes a tick; circuits fire one", "one a tick"),
            ("v_min", np.isfinite(p["v_min"]).any(), "bounds its voltage from below", "no lower bound"),
        ):
            if present:
                self.cannot(kind, what, instead)
        av = np.where(p["av"] > 0, np.exp(-step / self.reached("tau_mem", _tau(p["av"], step))), 0.0)
        through = p["bx"] + p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12)      # of a constant input, per tick
        rest = (p["cv"] + through * p["bias"]) / np.maximum(1 - p["av"], 1e-9)
        if (p["bi"] * p["bv"] != 0).any():
            a = np.exp(-step / self.reached("tau_syn", _tau(p["ai"], step)))
            gain, direct = p["bi"] * p["bv"] * (1 - a) / np.maximum(1 - p["ai"], 1e-12), p["bx"]
        else:
            shortest = self.chip.tau_syn.min
            self.cannot("synapse", "takes its input at once; circuits have synaptic currents",
                        f"a current of time constant {_time(shortest)}, of the same charge")
            a = np.full(self.node.size, np.exp(-step / shortest))
            gain, direct = p["bx"] * (1 - a), np.zeros(self.node.size)
        return {"ae": a, "ai": a.copy(), "ge": gain, "gi": gain.copy(), "he": direct, "hi": direct.copy(), "av": av,
                "vth": p["vth"], "v_reset": p["v_reset"], "rest": rest, "refractory": p["refractory"]}

    def of_currents(self) -> dict[str, np.ndarray]:
        """`iaf_exp`: exciting and inhibiting currents, each with its own time constant."""
        p, step = self.node.params, self.step
        tau = self.reached("tau_mem", p["tau"] / self.faster)
        exc, inh = (self.reached("tau_syn", p[name] / self.faster) for name in ("tau_exc", "tau_inh"))
        if "v_init" in self.node.population.params:
            self.report.append(dict(what=f"population `{self.node.name}` starts away from rest", kind="v_init",
                                    size="start at rest"))
        nothing = np.zeros(self.node.size)
        return {"ae": np.exp(-step / exc), "ai": np.exp(-step / inh), "ge": p["r"] * mixed(exc, tau, step),
                "gi": p["r"] * mixed(inh, tau, step), "he": nothing, "hi": nothing.copy(), "av": np.exp(-step / tau),
                "vth": p["v_threshold"], "v_reset": p["v_reset"], "rest": p["v_leak"] + p["r"] * p["i_e"],
                "refractory": rest_ticks(self.node.population, p["refractory"], step * self.faster)}

    def reached(self, name: str, tau: np.ndarray) -> np.ndarray:
        """Time constants [size] in s of hardware time, or the nearest that calibration reaches."""
        span = getattr(self.chip, name)
        near = np.clip(tau, span.min, span.max)
        worst = int(np.argmax(np.abs(np.log(np.maximum(tau, 1e-30) / near))))
        if abs(tau[worst] / near[worst] - 1) > 1e-6:
            self.cannot("calibration", f"has {name} of {_time(tau[worst])} in the chip's time; circuits are calibrated "
                        f"to {_time(span.min)} to {_time(span.max)}", f"{name} of {_time(near[worst])}")
        return near

    def cannot(self, kind: str, what: str, instead: str | None) -> None:
        """Something to be refused (M240), or, where `kind` may be approximated, to be reported."""
        what = f"population `{self.node.name}` {what}"
        if instead and kind in self.draft.options.approximate:
            self.report.append(dict(what=what, kind=kind, size=instead))
            return
        help = f"--approximate {kind}: {instead}" if instead else "read a population's spikes, or run on `ideal`"
        self.problems.append(Diagnostic("M240", f"{what} ({self.draft.chip.name})", file=self.node.population.origin,
                                        help=help))


def _tau(keep: np.ndarray, step: float) -> np.ndarray:
    """Time constants [n] in s from factors per step."""
    with np.errstate(divide="ignore"):
        return np.where(keep >= 1, np.inf, -step / np.log(np.clip(keep, 1e-300, 1 - 1e-16)))


def _time(seconds: float) -> str:
    return si(float(seconds), "s") if np.isfinite(seconds) else "no end"
