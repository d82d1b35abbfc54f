"""Float parameters to Loihi's registers, with an account of the error made.

Everything of a node is scaled by one factor K: v_chip = K v. K is as large as the threshold and bias registers, the
21-bit input accumulator and some headroom of the 23-bit membrane allow, so that the smallest-scaled projection still
fills its mantissa with exponent >= 0 (a negative exponent would lose bits below 2^6). Weights are mantissa * 2^exponent
in units of 2^6, one exponent per projection; with mixed signs the lowest mantissa bit is lost (Davies 2018; nengo-loihi
`discretize_weights`).
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.chip.core import Neuron
from chipsim.chip.spec import ChipSpec
from chipsim.compiler.draft import Connection, Draft, Learning, Node
from chipsim.compiler.lowering.analog import analog
from chipsim.compiler.lowering.crossbar import to_crossbar
from chipsim.compiler.lowering.learning import ends
from chipsim.compiler.lowering.odin import odin_registers
from chipsim.compiler.lowering.quantise_s1615 import ring_buffers
from chipsim.compiler.lowering.resistive import resistive
from chipsim.compiler.lowering.windows import Windows
from chipsim.errors import Diagnostic, ExpressError
from chipsim.models.kernels import find_kernel
from chipsim.models.neurons.loihi_lif import PROFILES

UNIT = 64                                               # weights and thresholds count in 2^6
HEADROOM = 2**21                                        # largest threshold: leaves 2 bits of the membrane's 23
BLOCK = 1 << 20
MANTISSA = 254                                          # 8 bits, mixed sign: even numbers up to 254


def quantise(draft: Draft) -> Draft:
    """Nodes and connections in the chip's integers; nothing to do on chips that compute in floating point."""
    if draft.chip.core.crossbar is not None:
        return to_crossbar(draft)
    neuron = draft.chip.core.neuron
    integer = {
        i
        for i, node in enumerate(draft.nodes)
        if node.model and find_kernel(node.model).bound(node.options).accumulator == "i4"
    }
    if integer and len(integer) < sum(not node.is_input for node in draft.nodes):
        raise ExpressError(_mixed(draft, integer))
    if draft.chip.core.analog is not None:
        return analog(draft)
    if draft.chip.core.resistive is not None:
        return resistive(draft)
    if not integer:
        return replace(draft, connections=tuple(map(float_weights, draft.connections)), merit={"arithmetic": "float64"})
    options = dict(PROFILES[neuron.profile or "loihi"])
    report, problems = list(draft.approximations), []
    nodes, connections = list(draft.nodes), list(draft.connections)
    for i, node in enumerate(nodes):
        incoming = [k for k, c in enumerate(connections) if c.post == i]
        if i in integer and find_kernel(node.model).by_sign == "magnitude" and node.population.model != node.model:
            nodes[i], buffered = ring_buffers(draft, node, [connections[k] for k in incoming], report, problems)
            for k, connection in zip(incoming, buffered, strict=True):
                connections[k] = connection
            continue
        if node.model == "odin_lif" and "vth" in node.params:
            nodes[i], stored = odin_registers(draft, node, [connections[k] for k in incoming], report, problems)
            for k, connection in zip(incoming, stored, strict=True):
                connections[k] = connection
            continue
        if node.model and node.model != "loihi_lif" and find_kernel(node.model).mantissas:
            nodes[i] = replace(node, options=node.options | options)
            for k in incoming:
                connections[k] = native_weights(connections[k], neuron.profile or "loihi")
            continue
        if node.model != "loihi_lif":
            for k in incoming:
                connections[k] = _whole(connections[k], draft.chip)
                if (learning := connections[k].learning) is not None:
                    raw = np.clip(_values(connections[k].weight), -256, 255)
                    connections[k] = replace(connections[k], weight=_with_values(connections[k].weight, raw),
                                             learning=fixed_weights(learning, raw, 0, 9, "mixed", "loihi"))
            continue
        if "vth_mant" in node.params:
            nodes[i] = replace(node, params=_native(node), options=options)
            for k in incoming:
                connections[k] = native_weights(connections[k], neuron.profile or "loihi")
            continue
        problems += _inexpressible(draft, node, report)
        params, gain = _dynamics(node, neuron, options, report)
        scaled = {k: _scaled(connections[k], gain) for k in incoming}
        scale = _scale(node, neuron, scaled.values())
        nodes[i] = replace(node, params=_registers(node, neuron, params, scale, gain, report), options=options)
        for k, weight in scaled.items():
            connections[k] = _weights(connections[k], weight, scale, draft, report)
    if draft.chip.core.weights.sign == "source":
        problems += _of_both_signs(draft, connections)
    if problems:
        raise ExpressError(*problems)
    snr = [a["snr_dB"] for a in report if "snr_dB" in a]
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), approximations=tuple(report),
                   late_bias={},
                   merit={"worst_weight_snr_dB": round(min(snr), 1)} if snr else {})


def _inexpressible(draft: Draft, node: Node, report: list[dict]) -> list[Diagnostic]:
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


def _dynamics(node: Node, neuron: Neuron, options: dict, report: list[dict]) -> tuple[dict, np.ndarray]:
    """Decay registers, and the factor float64[n] from a weight to what it adds to u."""
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
    return dict(du=du.astype(np.int32), dv=dv.astype(np.int32)), gain


def _scaled(c: Connection, gain: np.ndarray):
    if c.is_dense:
        return c.weight * gain[:, None]
    same = len(gain) and (gain == gain[0]).all()
    if c.windows and not same:                           # neurons that share a kernel, but not their time constants
        return _scaled(replace(c, weight=c.weight.tocsr()), gain)
    return _with_values(c.weight, c.weight.data * (gain[0] if same else np.repeat(gain, np.diff(c.weight.indptr))))


def _values(weight) -> np.ndarray:
    return weight.ravel() if isinstance(weight, np.ndarray) else weight.data


def _offsets(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """Threshold and constant input per tick, float64[n], of the voltage counted from its reset value."""
    p = node.params
    vth = np.where(p["ge"] > 0, np.nextafter(p["vth"], -np.inf), p["vth"]) - p["v_reset"]
    uses_current = (p["bi"] * p["bv"] != 0).any()
    through = p["bx"] if not uses_current else p["bv"] * p["bi"] / np.maximum(1 - p["ai"], 1e-12)
    return vth, p["cv"] + through * p["bias"] + (p["av"] - 1) * p["v_reset"]


def _scale(node: Node, neuron: Neuron, weights) -> float:
    vth, constant = _offsets(node)
    peaks = [m for w in weights if (m := np.abs(_values(w)).max(initial=0)) > 0]
    limits = [HEADROOM / vth.max(), ((1 << neuron.threshold_mantissa_bits) - 1) * UNIT / vth.max()]
    if constant.any():
        largest = ((1 << (neuron.bias_mantissa_bits)) - 1) << ((1 << neuron.bias_exponent_bits) - 1)
        limits.append(largest / np.abs(constant).max())
    if peaks:
        limits.append(MANTISSA * UNIT / min(peaks))
        limits.append(MANTISSA * UNIT * 2.0**7 / max(peaks))
    return min(limits)


def _registers(node: Node, neuron: Neuron, params: dict, scale: float, gain: np.ndarray, report: list[dict]) -> dict:
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
    refract = node.params["refractory"] + 1
    if (refract > (neuron.refractory_max or np.inf)).any():
        report.append(dict(what=f"refractory period of `{node.name}`", kind="saturation",
                           size=f"{refract.max()} ticks cut to {neuron.refractory_max}"))
        refract = np.minimum(refract, neuron.refractory_max)
    return dict(**params, vth=(mantissa * UNIT).astype(np.int32), bias=stored.astype(np.int32),
                refract=refract.astype(np.int32))


def _weights(c: Connection, weight, scale: float, draft: Draft, report: list[dict]) -> Connection:
    limits = draft.chip.core.weights
    values, factor = _values(weight), scale / UNIT
    peak = max(values.max(initial=0), -values.min(initial=0)) * factor
    exponent = int(np.ceil(np.log2(peak / MANTISSA) - 1e-9)) if peak > 0 else 0
    exponent = int(np.clip(exponent, max(limits.exponent_min, 0), limits.exponent_max))
    step = 2.0 ** (exponent + 1)
    stored, noise, power, zeroed, saturated = np.empty(len(values), np.int16), 0.0, 0.0, 0, 0
    for first in range(0, len(values), BLOCK):           # so that the temporaries stay small
        part = slice(first, first + BLOCK)
        exact = values[part] * factor
        rounded = np.clip(np.round(exact / step), -127, 127) * step
        stored[part] = rounded
        noise += float(((rounded - exact) ** 2).sum())
        power += float((exact**2).sum())
        zeroed += np.count_nonzero((rounded == 0) & (exact != 0))
        saturated += np.count_nonzero(np.abs(exact) > 127.5 * step)
    report.append(dict(
        what=f"weights of `{c.name}`", kind="rounding", bits=8, exponent=exponent,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=zeroed / max(1, len(values)), saturated=saturated / max(1, len(values)),
        size=f"8 bits, exponent {exponent}"))
    return replace(c, weight=_with_values(weight, stored), bits=8)


def _with_values(weight, values: np.ndarray):
    if isinstance(weight, np.ndarray):
        return values.reshape(weight.shape)
    if isinstance(weight, Windows):
        return weight.with_data(values)
    return type(weight)((values, weight.indices, weight.indptr), shape=weight.shape)


def _mixed(draft: Draft, integer: set[int]) -> Diagnostic:
    names = ", ".join(f"`{n.name}` ({n.model})" for i, n in enumerate(draft.nodes) if i in integer)
    return Diagnostic("M244", f"{names} sum integers, the others floating-point numbers; a layout sums one kind",
                      help="use models of one kind of arithmetic in a network")


def _of_both_signs(draft: Draft, connections: list[Connection]) -> list[Diagnostic]:
    """M247 for every population with sources that excite some neurons and inhibit others."""
    found = []
    for i, node in enumerate(draft.nodes):
        signs = [np.zeros(node.size, bool) for _ in range(2)]
        for c in (c for c in connections if c.pre == i):
            for sign, seen in zip((1, -1), signs, strict=True):
                seen[ends(c)[1][np.sign(_values(c.weight)) == sign]] = True
        if n := int((signs[0] & signs[1]).sum()):
            found.append(Diagnostic(
                "M247", f"{n} of the {node.size} sources of `{node.name}` excite some neurons and inhibit others; on "
                f"{draft.chip.name} all synapses of a source have one sign", file=node.population.origin,
                help="give such a source twice, once for each sign"))
    return found


def _whole(c: Connection, chip: ChipSpec) -> Connection:
    """Weights that a model takes as they are: whole numbers of 16 bits, mantissas of the chip's with one exponent."""
    raw = _values(c.weight)
    outside = (raw != np.round(raw)) | (np.abs(raw) >= 2**15)
    if outside.any():
        raise ExpressError(Diagnostic("M243", f"projection `{c.name}` has the weight {raw[outside][0]:g}; its target "
                                      "takes whole numbers from -32767 to 32767",
                                      help="give the weights in the model's integers"))
    limits, size = chip.core.weights, np.abs(raw).astype(np.int64)
    common = int(np.bitwise_or.reduce(size, initial=0))
    exponent = min((common & -common).bit_length() - 1, limits.exponent_max) if common else 0
    bits = int(size.max(initial=0) >> max(exponent, 0)).bit_length()
    if limits.bits is not None and bits > limits.bits:
        raise ExpressError(Diagnostic("M243", f"projection `{c.name}` has weights of {bits} bits besides the sign; "
                                      f"{chip.name} stores {limits.bits}, times one power of two for all",
                                      help="round the weights, or give large ones a projection of their own"))
    bits += bool((raw < 0).any())
    return replace(c, weight=_with_values(c.weight, raw.astype(np.int16)), bits=bits)


# ---- networks given in Loihi's own numbers ----

def _native(node: Node) -> dict:
    p = node.params
    registers = dict(du=p["du"], dv=p["dv"], vth=p["vth_mant"].astype(np.int64) << 6,
                     bias=p["bias_mant"].astype(np.int64) << p["bias_exp"].astype(np.int64), refract=p["refract"])
    return {name: values.astype(np.int32) for name, values in registers.items()}


def native_weights(c: Connection, profile: str) -> Connection:
    """A connection's integer mantissas as what the accumulator receives, int16 in units of 2^6; see `effective`."""
    native = c.native or {}
    exponent, bits = int(native.get("weight_exponent", 0)), int(native.get("weight_bits", 8))
    sign = str(native.get("sign", "mixed"))
    raw = _values(c.weight)
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[sign]
    outside = (raw != np.round(raw)) | (raw < low) | (raw > high)
    if outside.any():
        raise ExpressError(Diagnostic("M242", f"projection `{c.name}` has the weight {raw[outside][0]:g}; a "
                                      f"{sign}-sign mantissa is a whole number from {low} to {high}",
                                      help="use weight_exponent for the scale"))
    stored = effective(raw.astype(np.int64), exponent, bits, sign, profile)
    shift = exponent if profile == "lava" and exponent < 0 else 0
    return replace(c, weight=_with_values(c.weight, stored.astype(np.int16)), bits=bits, bank_shift=shift,
                   learning=fixed_weights(c.learning, raw, exponent, bits, sign, profile))


def effective(mantissa: np.ndarray, exponent: int, bits: int, sign: str, profile: str) -> np.ndarray:
    """int64 weights in units of 2^6, by the profile's truncation rule.

    loihi, brian2loihi   mantissa truncated toward zero to its stored bits; shifted by the exponent, floor
    nengo                mantissa rounded to its stored bits, saturated; with a negative exponent rounded once more to
                         what is left of the 8 bits and a sign
    lava                 floor to the stored bits; a negative exponent is left to the sum over a tick
    """
    mixed = sign == "mixed"
    if profile == "nengo":
        lost = 8 - bits + mixed
        largest = (1 << max(0, 8 - lost)) - 1
        stored = np.clip(np.round(mantissa / (1 << lost)), -largest, largest).astype(np.int64) << lost
        if exponent >= 0:
            stored = stored << exponent
        else:
            range_ = 2 ** (8 + exponent)
            stored = np.clip(np.round(stored * 2.0**exponent), -range_, range_ - 1).astype(np.int64)
    else:
        lost = 8 - (bits - mixed)
        if profile == "lava":
            stored = -((-mantissa >> lost) << lost) if sign == "inhibitory" else (mantissa >> lost) << lost
        else:
            stored = np.sign(mantissa) * ((np.abs(mantissa) >> lost) << lost)
        if exponent >= 0:
            stored = stored << exponent
        elif profile != "lava":
            stored = stored >> -exponent
    return np.clip(stored, -(2**15 - 1), 2**15 - 1)


# ---- weights that learn ----

def fixed_weights(learning: Learning | None, mantissa: np.ndarray, exponent: int, bits: int, sign: str, profile: str
                  ) -> Learning | None:
    """The rule works on mantissas; a table says what the synapse memory holds for each."""
    if learning is None:
        return None
    table = effective(np.arange(-256, 256), exponent, bits, sign, profile)
    return replace(learning, sign=sign, weight=mantissa.astype(np.float64), stored=table.astype(np.int16))


def float_weights(c: Connection) -> Connection:
    if c.learning is None:
        return c
    sign = str((c.native or {}).get("sign", "mixed"))
    return replace(c, learning=replace(c.learning, sign=sign, weight=_values(c.weight).astype(np.float64)))
