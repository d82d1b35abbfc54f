"""What a core has of everything, as the partitioner counts it."""
from __future__ import annotations

from dataclasses import dataclass

UNLIMITED = 1 << 60


@dataclass(frozen=True, kw_only=True)
class Capacities:
    """Limits of one core; leave out what is unlimited.

    neurons      sum over its neurons
    memory       sum over its synapses (bits, or whatever `synapse` counts in)
    axons_in     sources that its neurons hear: a union
    axons_out    sum over its neurons of the cores that each of them reaches
    configs      different neuron configurations: a union
    packing      (synapses per block, word, header): a block of synapses of one axon takes synapses x unit + header
                 bits, rounded up to a word; block 0: synapses stand one by one
    """

    neurons: int = UNLIMITED
    memory: int = UNLIMITED
    axons_in: int = UNLIMITED
    axons_out: int = UNLIMITED
    configs: int = UNLIMITED
    packing: tuple[int, int, int] = (0, 1, 0)
