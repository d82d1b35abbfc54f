"""Weights in Loihi's mantissas and exponents, whole numbers as they are, and weights that learn.

Weights are mantissa * 2^exponent in units of 2^6, one exponent per projection; with mixed signs the lowest mantissa bit
is lost (Davies 2018; nengo-loihi `discretize_weights`).
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.compiler.draft import Connection, Draft, Learning
from chipsim.compiler.lowering.registers import MANTISSA, UNIT
from chipsim.errors import Diagnostic, ExpressError
from chipsim.models.kernels import find_kernel
from chipsim.network.windows import Windows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 1 << 20


def scaled(c: Connection, gain: np.ndarray) -> tuple[Connection, float]:
    """The connection with weights that count in one unit for all of its neurons, and that unit: what weight times gain
    adds to u. gain: float64[post]."""
    if len(gain) and (gain == gain[0]).all():
        return c, float(gain[0])                         # large matrices are not copied
    if c.windows:                                        # neurons that share a kernel, but not their time constants
        c = replace(c, weight=c.weight.tocsr())
    by_row = c.weight * gain[:, None] if c.is_dense else c.weight.data * np.repeat(gain, np.diff(c.weight.indptr))
    return replace(c, weight=with_values(c.weight, by_row)), 1.0


def peak_of(c: Connection) -> float:
    """The largest magnitude of its weights."""
    each = values_of(c.weight)
    return float(max(each.max(initial=0), -each.min(initial=0)))


def values_of(weight: csr_array | np.ndarray | Windows) -> np.ndarray:
    """The stored weights of a matrix, flat."""
    return weight.ravel() if isinstance(weight, np.ndarray) else weight.data


def with_values(weight: csr_array | np.ndarray | Windows, values: np.ndarray) -> csr_array | np.ndarray | Windows:
    """The matrix with other weights in the same places."""
    if isinstance(weight, np.ndarray):
        return values.reshape(weight.shape)
    if isinstance(weight, Windows):
        return weight.with_data(values)
    return type(weight)((values, weight.indices, weight.indptr), shape=weight.shape)


def weight_bits(draft: Draft, c: Connection) -> int:
    """Bits of a stored weight of the connection, before it is quantised, where a core's memory depends on them."""
    node = draft.nodes[c.post]
    if draft.chip.schedule is not None:
        return layer_bits(draft, c.post)
    if draft.chip.core.synapse_memory.packing != "loihi" or not node.model:
        return 0
    kernel = find_kernel(node.model).bound(node.options)
    if kernel.accumulator != "i4":
        return 0
    if kernel.mantissas:
        trained = node.model == "loihi_lif" and "vth_mant" not in node.params
        return 8 if trained or c.native is None else int(c.native.get("weight_bits", 8))
    return _whole_bits(values_of(c.weight), draft.chip)


def layer_bits(draft: Draft, post: int) -> int:
    """Bits of the weights of a layer that is multiplied whole: the most that a projection onto it asks for."""
    own = draft.chip.core.weights.bits or 0
    asked = [int((c.native or {}).get("weight_bits", own)) for c in draft.connections if c.post == post]
    return max(asked, default=own)


def mantissas(c: Connection, gain: float, scale: float, draft: Draft, report: list[dict]) -> Connection:
    """Weights x gain x scale as mantissas of 8 bits with one exponent, int16 in units of 2^6; of mixed sign the lowest
    bit is lost (sign modes of Davies et al. 2018)."""
    limits = draft.chip.core.weights
    values, factor = values_of(c.weight), scale / UNIT
    peak = peak_of(c) * abs(gain) * factor
    exponent = int(np.ceil(np.log2(peak / MANTISSA) - 1e-9)) if peak > 0 else 0
    exponent = int(np.clip(exponent, max(limits.exponent_min, 0), limits.exponent_max))
    mixed = bool(values.min(initial=0) < 0 < values.max(initial=0))      # one sign: it takes no bit of the mantissa
    step, most = 2.0 ** (exponent + mixed), 127 if mixed else 255
    stored, noise, power, zeroed, saturated = np.empty(len(values), np.int16), 0.0, 0.0, 0, 0
    for first in range(0, len(values), BLOCK):           # so that the temporaries stay small
        part = slice(first, first + BLOCK)
        exact = values[part] * gain * factor
        rounded = np.clip(np.round(exact / step), -most, most) * step
        stored[part] = rounded
        noise += float(((rounded - exact) ** 2).sum())
        power += float((exact**2).sum())
        zeroed += np.count_nonzero((rounded == 0) & (exact != 0))
        saturated += np.count_nonzero(np.abs(exact) > (most + 0.5) * step)
    report.append(dict(
        what=f"weights of `{c.name}`", kind="rounding", bits=8, exponent=exponent,
        snr_dB=float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else 300.0,
        zeroed=zeroed / max(1, len(values)), saturated=saturated / max(1, len(values)),
        size=f"8 bits{'' if mixed else ' of one sign'}, exponent {exponent}"))
    return replace(c, weight=with_values(c.weight, stored), bits=8)


def whole_weights(c: Connection, chip: ChipSpec) -> Connection:
    """Weights that a model takes as they are: whole numbers of 16 bits, mantissas of the chip's with one exponent."""
    raw = values_of(c.weight)
    outside = (raw != np.round(raw)) | (np.abs(raw) >= 2**15)
    if outside.any():
        raise ExpressError(Diagnostic("M243", f"projection `{c.name}` has the weight {raw[outside][0]:g}; its target "
                                      "takes whole numbers from -32767 to 32767", file=c.origin,
                                      help="give the weights in the model's integers"))
    limits, sign = chip.core.weights, bool((raw < 0).any())
    bits = _whole_bits(raw, chip)
    if limits.bits is not None and bits - sign > limits.bits:
        raise ExpressError(Diagnostic("M243", f"projection `{c.name}` has weights of {bits - sign} bits besides the "
                                      f"sign; {chip.name} stores {limits.bits}, times one power of two for all",
                                      file=c.origin,
                                      help="round the weights, or give large ones a projection of their own"))
    return replace(c, weight=with_values(c.weight, raw.astype(np.int16)), bits=bits)


def _whole_bits(raw: np.ndarray, chip: ChipSpec) -> int:
    """Bits of whole numbers, with the sign if there is one, besides a power of two that all have in common."""
    size = np.abs(raw).astype(np.int64)
    common = int(np.bitwise_or.reduce(size, initial=0))
    exponent = min((common & -common).bit_length() - 1, chip.core.weights.exponent_max) if common else 0
    return int(size.max(initial=0) >> max(exponent, 0)).bit_length() + bool((raw < 0).any())


# ---- networks given in Loihi's own numbers ----

def native_weights(c: Connection, profile: str) -> Connection:
    """A connection's integer mantissas as what the accumulator receives, int16 in units of 2^6; see `effective`."""
    native = c.native or {}
    exponent, bits = int(native.get("weight_exponent", 0)), int(native.get("weight_bits", 8))
    sign = str(native.get("sign", "mixed"))
    raw = values_of(c.weight)
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[sign]
    outside = (raw != np.round(raw)) | (raw < low) | (raw > high)
    if outside.any():
        raise ExpressError(Diagnostic("M242", f"projection `{c.name}` has the weight {raw[outside][0]:g}; a "
                                      f"{sign}-sign mantissa is a whole number from {low} to {high}",
                                      file=c.origin, help="use weight_exponent for the scale"))
    stored = effective(raw.astype(np.int64), exponent, bits, sign, profile)
    shift = exponent if profile == "lava" and exponent < 0 else 0
    return replace(c, weight=with_values(c.weight, stored.astype(np.int16)), bits=bits, bank_shift=shift,
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
    return replace(c, learning=replace(c.learning, sign=sign, weight=values_of(c.weight).astype(np.float64)))
