"""A framework's neurons in Loihi's registers: decays, thresholds, biases, and what its compartments cannot do.

Everything of a node is scaled by one factor K: v_chip = K v. K is as large as the threshold and bias registers, the
21-bit input accumulator and some headroom of the 23-bit membrane allow, so that the smallest-scaled projection still
fills its mantissa with exponent >= 0 (a negative exponent would lose bits below 2^6; Davies 2018).
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from chipsim.chip.core import Neuron
from chipsim.compiler.draft import Draft, Node
from chipsim.errors import Diagnostic
from chipsim.models.neurons.loihi_lif import PROFILES

UNIT = 64                                               # weights and thresholds count in 2^6
HEADROOM = 2**21                                        # largest threshold: leaves 2 bits of the membrane's 23
MANTISSA = 254                                          # 8 bits, mixed sign: even numbers up to 254


def inexpressible(draft: Draft, node: Node, report: list[dict]) -> list[Diagnostic]:
    """What the neuron does that Loihi's cannot; allowed replacements go to the report instead."""
    p, found = node.params, []
    has_current = (p["bi"] * p["bv"] != 0).any()
    for kind, present, cannot, instead in (
        ("readout", (p["reset"] == 0).any(), "emits its value every tick; the chip sends spikes", None),
        ("reset", np.isin(p["reset"], (2, 3)).any(), "subtracts the threshold on a spike; the chip resets to zero",
         "reset to zero"),
        ("multispike", (p["reset"] == 4).any(), "fires several spikes a tick; the chip fires one and resets to zero",
         "one spike a tick, reset to zero"),
        ("v_min", np.isfinite(p["v_min"]).any(), "bounds its voltage from below", "no lower bound but the register's"),
        ("current", has_current and (p["bx"] != 0).any(), "adds its input to the voltage and to the current",
         "input to the current alone"),
        ("bias", has_current and (p["bias"] != 0).any(), "has a bias that charges the synaptic current; the chip adds "
         "it to the voltage", "a constant bias of the same steady state"),
        ("v_reset", (p["v_reset"] != 0).any(), "starts away from its reset potential", "start at the reset potential"),
    ):
        if not present:
            continue
        # a different start, nothing else, is not worth a refusal
        if kind == "v_reset" or instead is not None and kind in draft.options.approximate:
            report.append(dict(what=f"population `{node.name}` {cannot}", kind=kind, size=instead))
        else:
            help = (f"--approximate {kind}: {instead}" if instead else
                    "read the voltage of a spiking population, or run on `ideal`")
            found.append(Diagnostic("M240", f"population `{node.name}` {cannot} ({draft.chip.name})",
                                    file=node.population.origin, help=help))
    for name in ("ai", "av"):
        if ((p[name] < 0) | (p[name] > 1)).any():
            found.append(Diagnostic(
                "M241", f"population `{node.name}` decays by {p[name].max():g} per tick; the chip has factors 0 to 1",
                file=node.population.origin, help="check dt and time constants"))
    return found


def dynamics(node: Node, neuron: Neuron, options: dict, report: list[dict]) -> tuple[dict, np.ndarray]:
    """Registers of decay and rest, and the factor float64[n] from a weight to what it adds to u."""
    p, one = node.params, 1 << (neuron.decay_bits or 12)
    uses_current = (p["bi"] * p["bv"] != 0).any()
    gain = p["bi"] * p["bv"] if uses_current else p["bx"]
    keep_u = p["ai"] if uses_current else np.zeros_like(p["ai"])
    du = np.clip(np.round((1 - keep_u) * one) - options["ds"], 0, one - 1 if options["ds"] else one)
    dv = np.clip(np.round((1 - p["av"]) * one) - options["dm"], 0, one - 1)
    error = max(np.abs((1 - keep_u) - (du + options["ds"]) / one).max(initial=0),
                np.abs((1 - p["av"]) - (dv + options["dm"]) / one).max(initial=0))
    if error > 1e-12:
        report.append(dict(what=f"decays of `{node.name}`", kind="rounding", size=f"at most {error:.2g} per tick"))
    refract = p["refractory"] + 1
    if (refract > (neuron.refractory_max or np.inf)).any():
        report.append(dict(what=f"refractory period of `{node.name}`", kind="saturation",
                           size=f"{refract.max()} ticks cut to {neuron.refractory_max}"))
        refract = np.minimum(refract, neuron.refractory_max)
    return dict(du=du.astype(np.int32), dv=dv.astype(np.int32), refract=refract.astype(np.int32)), gain


def configured(draft: Draft, node: Node) -> Node:
    """The node with the registers that tell its compartments' configurations apart, which no weight decides."""
    if node.model != "loihi_lif" or "vth_mant" in node.params:
        return node
    neuron = draft.chip.core.neuron
    return replace(node, params=dynamics(node, neuron, dict(PROFILES[neuron.profile or "loihi"]), [])[0])


def _offsets(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Threshold and constant input per tick, float64[n], of the voltage counted from its reset value."""
    p = node.params
    vth = np.where(p["ge"] > 0, np.nextafter(p["vth"], -np.inf), p["vth"]) - p["v_reset"]
    uses_current = (p["bi"] * p["bv"] != 0).any()
    through = p["bx"] if not uses_current else p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12)
    return vth, p["cv"] + through * p["bias"] + (p["av"] - 1) * p["v_reset"]


def scale_of(node: Node, neuron: Neuron, peaks: Iterable[float]) -> float:
    """K of the node; peaks: the largest magnitude that each of its connections adds to u."""
    vth, constant = _offsets(node)
    peaks = [peak for peak in peaks if peak > 0]
    limits = [HEADROOM / vth.max(), ((1 << neuron.threshold_mantissa_bits) - 1) * UNIT / vth.max()]
    if constant.any():
        largest = ((1 << (neuron.bias_mantissa_bits)) - 1) << ((1 << neuron.bias_exponent_bits) - 1)
        limits.append(largest / np.abs(constant).max())
    if peaks:
        limits.append(MANTISSA * UNIT / min(peaks))
        limits.append(MANTISSA * UNIT * 2.0**7 / max(peaks))
    return min(limits)


def registers(node: Node, neuron: Neuron, params: dict, scale: float, report: list[dict]) -> dict:
    """All registers of `loihi_lif`, int32[n]; params: those of `dynamics`."""
    vth, constant = _offsets(node)
    mantissa = np.maximum(np.round(vth * scale / UNIT), 0)
    error = np.abs(mantissa * UNIT / scale / vth - 1).max(initial=0)
    report.append(dict(what=f"thresholds of `{node.name}`", kind="rounding", size=f"at most {error:.2g} relative",
                       threshold_error=float(error), scale=float(scale)))
    bias = np.round(constant * scale).astype(np.int64)
    exponent = np.maximum(0, np.ceil(np.log2((np.abs(bias) + 1) / (1 << neuron.bias_mantissa_bits)))).astype(np.int64)
    stored = np.round(bias / 2.0**exponent).astype(np.int64) << exponent
    if constant.any():
        error = np.abs(stored / scale - constant).max() / vth.min()
        report.append(dict(what=f"biases of `{node.name}`", kind="rounding",
                           size=f"at most {error:.2g} of a threshold"))
    return dict(**params, vth=(mantissa * UNIT).astype(np.int32), bias=stored.astype(np.int32))


def native_registers(node: Node) -> dict:
    p = node.params
    registers = dict(du=p["du"], dv=p["dv"], vth=p["vth_mant"].astype(np.int64) << 6,
                     bias=p["bias_mant"].astype(np.int64) << p["bias_exp"].astype(np.int64), refract=p["refract"])
    return {name: values.astype(np.int32) for name, values in registers.items()}
