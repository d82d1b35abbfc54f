"""What a chip computes: the kernels of its cores, one file per neuron model, and the random numbers they draw."""
from __future__ import annotations

CODES = {
    "M234": "A chip file names a neuron model that chipsim does not have. Models are files of chipsim/models/neurons; "
            "your own is made known with `chipsim.models.neurons.register`.",
    "M235": "A projection names a receptor (an input of its target's model) that the model does not have.",
    "M243": "Models with integer inputs take whole-number weights, as they are: of 16 bits at most, and of no more "
            "than the chip stores, besides one power of two that all weights of a projection share.",
    "M244": "The neurons of a layout sum their inputs either as integers or in floating point, not some so, some so.",
}
