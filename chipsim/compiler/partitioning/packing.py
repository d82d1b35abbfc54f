"""How synapses take up a core's memory: one rule per chip family, exact to the bit.

`loihi` (nengo-loihi `block.py`, bits_per_axon): an axon's synapses stand in blocks of at most 64; a block takes
n (weight + delay + tag + index) + 4 + 6 bits, rounded up to 64. A dense row needs no index; a sparse one an index wide
enough for the core's compartments, in one of the sizes the format codes allow (wider on cores with more of them).

`arrays` (layers that are evaluated whole): an axon has a weight for each synapse, without index or gap. Activations of
a layer, a byte for each in-axon, take the place of the layer's before.

`rows` (SpiNNaker, sPyNNaker's static synapses): an axon has a row of three words, and a word for each synapse.
"""
from __future__ import annotations

import numpy as np

WEIGHT_BITS = (0, 1, 2, 3, 4, 5, 6, 8)
INDEX_BITS = (0, 6, 7, 8, 9, 10, 11, 12)
BLOCK, WORD, HEADER = 64, 64, 10
ROW_WORD, ROW_HEADER = 32, 96
ACTIVATION = 8


def code_bits(needed: int, sizes: tuple[int, ...]) -> int:
    """The smallest size a format code offers for `needed` bits (the largest one when none suffices)."""
    return next((s for s in sizes if s >= needed), sizes[-1])


def loihi_bits(n: np.ndarray, weight_bits: int, delay_bits: int, index_bits: int) -> np.ndarray:
    """Bits of an axon with n synapses, for each n of an int array."""
    per_synapse = code_bits(weight_bits, WEIGHT_BITS) + delay_bits
    if index_bits:
        per_synapse += max(index_bits, code_bits(index_bits, INDEX_BITS))

    def block(count: np.ndarray) -> np.ndarray:
        return -(-(count * per_synapse + HEADER) // WORD) * WORD

    full, rest = np.divmod(np.asarray(n, np.int64), BLOCK)
    return full * block(np.int64(BLOCK)) + np.where(rest > 0, block(rest), 0)


def axon_bits(packing: str, n: np.ndarray, *, dense: bool, weight_bits: int, delay_bits: int,
              slots: int | None) -> np.ndarray:
    """Bits that axons with n synapses each take on a core with `slots` neurons; 0 with packing `none`."""
    if packing == "none":
        return np.zeros_like(n)
    if packing == "arrays":
        return n * weight_bits
    if packing == "rows":
        return np.where(n > 0, n * ROW_WORD + ROW_HEADER, 0)
    index_bits = 0 if dense else max(1, int(np.ceil(np.log2(slots or 4096))))
    return loihi_bits(n, weight_bits, delay_bits, index_bits)
