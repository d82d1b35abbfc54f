"""Float parameters to analogue circuits: weights of few bits, time constants that calibration reaches, circuits merged.

A neuron's threshold above rest becomes so many LSB of potential (core.analog.threshold - leak); noise and deviations
are in LSB, too. All weights onto a population share one scale, that with the least squared error: the largest rather
saturate than the small ones vanish. A source that excites some neurons and inhibits others takes two rows of synapses,
one per sign; a neuron with more rows than a circuit's column has merges circuits.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.errors import Diagnostic, ExpressError

SCALES = np.linspace(0.3, 1.0, 36)          # of the largest weight, that the largest stored one may stand for


def analog(draft: Draft) -> Draft:
    """Nodes with parameters of `analog_lif` and their circuits, connections with the weights that the chip can hold."""
    report, problems = list(draft.approximations), []
    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        if node.is_input:
            continue
        incoming = [k for k, c in enumerate(connections) if c.post == i]
        params = _circuit(draft, node, report, problems)
        scale = _scale([connections[k] for k in incoming], draft.chip.core.weights.bits)
        for k in incoming:
            connections[k] = _stored(connections[k], scale, draft.chip.core.weights.bits, report)
        rows = _rows([c for c in connections if c.post == i], connections)
        circuits = np.maximum(-(-rows // draft.chip.core.analog.rows), 1)
        nodes[i] = replace(node, params=params, circuits=circuits)
        if circuits.max() > 1:
            report.append(dict(what=f"neurons of `{node.name}`", kind="merged circuits",
                               size=f"up to {circuits.max()} circuits for {rows.max()} synapses"))
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={}, merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def step_s(draft: Draft) -> float:
    """Hardware time of a tick."""
    c = draft.chip.continuous
    return draft.network.dt / c.acceleration if draft.network.dt else c.step


def _circuit(draft: Draft, node: Node, report: list[dict], problems: list[Diagnostic]) -> dict[str, np.ndarray]:
    """Parameters of analog_lif for those of affine; what circuits cannot do goes to `report` or `problems`."""
    p, chip, n = node.params, draft.chip.core.analog, node.size
    step = step_s(draft)

    def cannot(kind: str, what: str, instead: str | None) -> None:
        what = f"population `{node.name}` {what}"
        if instead and kind in draft.options.approximate:
            report.append(dict(what=what, kind=kind, size=instead))
        else:
            problems.append(Diagnostic("M240", f"{what} ({draft.chip.name})", file=node.population.origin, help=
                                       f"--approximate {kind}: {instead}" if instead else "read the spikes of a "
                                       "population instead, or run on `ideal`"))

    def reached(name: str, tau: np.ndarray) -> np.ndarray:
        """Time constants [n] in s, or the nearest that calibration reaches."""
        span = getattr(chip, name)
        near = np.clip(tau, span.min, span.max)
        worst = int(np.argmax(np.abs(np.log(np.maximum(tau, 1e-30) / near))))
        if abs(tau[worst] / near[worst] - 1) > 1e-6:
            cannot("calibration", f"has {name} of {_time(tau[worst])} in the chip's time; circuits are calibrated to "
                   f"{_time(span.min)} to {_time(span.max)}", f"{name} of {_time(near[worst])}")
        return near

    for kind, present, what, instead in (
        ("readout", (p["reset"] == 0).any(), "emits its value every tick; the chip sends spikes", None),
        ("reset", np.isin(p["reset"], (2, 3)).any(), "subtracts the threshold on a spike; circuits reset to a "
         "potential", "reset to a potential"),
        ("multispike", (p["reset"] == 4).any(), "fires several spikes a tick; circuits fire one", "one spike a tick"),
        ("v_min", np.isfinite(p["v_min"]).any(), "bounds its voltage from below", "no lower bound"),
    ):
        if present:
            cannot(kind, what, instead)
    tau_mem = reached("tau_mem", _tau(p["av"], step))
    av = np.where(p["av"] > 0, np.exp(-step / tau_mem), 0.0)
    rest = (p["cv"] + _through(p) * p["bias"]) / np.maximum(1 - p["av"], 1e-9)
    if (p["bi"] * p["bv"] != 0).any():
        a = np.exp(-step / reached("tau_syn", _tau(p["ai"], step)))
        gain = p["bi"] * p["bv"] * (1 - a) / np.maximum(1 - p["ai"], 1e-12)
        direct = p["bx"]
    else:
        cannot("synapse", "takes its input at once; circuits have synaptic currents",
               f"a current of time constant {_time(chip.tau_syn.min)}, of the same charge")
        a = np.full(n, np.exp(-step / chip.tau_syn.min))
        gain, direct = p["bx"] * (1 - a), np.zeros(n)
    rest_ticks = p["refractory"]
    if (rest_ticks * step > chip.refractory.max).any():
        cannot("calibration", f"rests {_time(rest_ticks.max() * step)} after a spike; the chip has at most "
               f"{_time(chip.refractory.max)}", f"a rest of {_time(chip.refractory.max)}")
        rest_ticks = np.minimum(rest_ticks, int(chip.refractory.max / step))
    rest_ticks = np.maximum(rest_ticks, int(chip.refractory.min / step)).astype(np.int32)
    lsb = (p["vth"] - rest) / (chip.threshold - chip.leak)
    if (lsb <= 0).any():
        problems.append(Diagnostic("M246", f"population `{node.name}` rests at or above its threshold",
                                   file=node.population.origin, help="circuits are calibrated by the threshold's "
                                   "distance from rest; lower v_leak or the bias"))
        lsb = np.ones(n)
    reset = chip.leak + (p["v_reset"] - rest) / lsb
    if ((reset < chip.potential_min) | (reset > chip.potential_max)).any():
        cannot("calibration", f"resets to {reset.min():.0f} to {reset.max():.0f} LSB; circuits reset to "
               f"{chip.potential_min} to {chip.potential_max}", "the nearest potential")
    v_reset = rest + (np.clip(reset, chip.potential_min, chip.potential_max) - chip.leak) * lsb
    return {"ae": a, "ai": a.copy(), "av": av, "ge": gain, "gi": gain.copy(), "he": direct, "hi": direct.copy(),
            "cv": (1 - av) * rest, "vth": p["vth"], "v_reset": v_reset, "v0": rest,
            "noise": chip.noise * lsb * np.sqrt(1 - av**2), "refractory": rest_ticks, "lsb": lsb}


def _tau(keep: np.ndarray, step: float) -> np.ndarray:
    """Time constants [n] in s from factors per step."""
    with np.errstate(divide="ignore"):
        return np.where(keep >= 1, np.inf, -step / np.log(np.clip(keep, 1e-300, 1 - 1e-16)))


def _through(p: dict[str, np.ndarray]) -> np.ndarray:
    """What a constant input of 1 adds to the potential in every tick, once currents are settled."""
    return p["bx"] + p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12)


def _time(seconds: float) -> str:
    from chipsim.figures import si

    return si(float(seconds), "s") if np.isfinite(seconds) else "no end"


def _values(c: Connection) -> np.ndarray:
    return c.weight.ravel() if c.is_dense else c.weight.data


def _scale(incoming: list[Connection], bits: int) -> float:
    """Weight of a synapse that stores 1: of all scales tried, that with the least squared error."""
    exact = np.abs(np.concatenate([_values(c) for c in incoming] or [np.zeros(0)]))
    peak, largest = exact.max(initial=0), (1 << bits) - 1
    if peak == 0:
        return 1.0
    scales = SCALES * peak / largest
    errors = [((np.minimum(np.round(exact / s), largest) * s - exact) ** 2).sum() for s in scales]
    return float(scales[int(np.argmin(errors))])


def _stored(c: Connection, scale: float, bits: int, report: list[dict]) -> Connection:
    """The connection with the weights that its synapses come to; those that store 0 are left out."""
    exact, largest = _values(c), (1 << bits) - 1
    level = np.minimum(np.round(np.abs(exact) / scale), largest)
    stored = np.sign(exact) * level * scale
    noise, power = float(((stored - exact) ** 2).sum()), float((exact**2).sum())
    report.append(dict(
        what=f"{('exciting', 'inhibiting')[c.receptor]} weights of `{c.name}`", kind="rounding", bits=bits, scale=scale,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=float(np.mean((stored == 0) & (exact != 0))) if exact.size else 0.0,
        saturated=float(np.mean(np.abs(exact) > (largest + 0.5) * scale)) if exact.size else 0.0,
        size=f"{bits} bits and the sign of a row"))
    matrix = csr_array(stored.reshape(c.weight.shape)) if c.is_dense else c.weight.copy()
    if not c.is_dense:
        matrix.data = stored
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return replace(c, weight=matrix, bits=bits)


def _rows(incoming: list[Connection], connections: list[Connection]) -> np.ndarray:
    """int64[post]: rows of synapses that each neuron needs, two for a source that has both signs somewhere."""
    rows = 0
    for pre in {c.pre for c in incoming}:
        own = [c for c in incoming if c.pre == pre]
        heard = sum((abs(c.weight) for c in own[1:]), abs(own[0].weight))
        signs = [np.zeros(heard.shape[1], bool) for _ in range(2)]
        for c in connections:
            if c.pre == pre and isinstance(c.weight, csr_array):
                for sign, seen in zip((1, -1), signs, strict=True):
                    seen[c.weight.indices[np.sign(c.weight.data) == sign]] = True
        rows = rows + (heard != 0).astype(np.int64) @ (signs[0].astype(np.int64) + signs[1])
    return np.asarray(rows, np.int64)
