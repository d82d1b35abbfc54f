"""The arithmetics a core can have: for each, parameters, state, and the plain NumPy step that is its meaning.

A kernel lives in the module of chipsim/models/neurons/ that has its name, as the attribute `kernel`. The compiled
engine has a native twin of some steps, equal bit for bit (tests/property holds them against each other); the others it
runs as they are, once per tick and group.
"""
from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np


class Kernel:
    """What the engines need to know of a neuron's arithmetic; subclasses override what differs.

    name         of the kernel and of its module
    params       name -> dtype of what each neuron has, constant over a run
    state        name -> dtype of what changes
    initial      state -> parameter it starts from at a reset; the others start at 0
    accumulator  dtype of the summed input: "i4" or "f8"
    receptors    names of the inputs a synapse can go to; the weights to each are summed apart
    by_sign      where projections that name no receptor go: "" all to the first one; "signed" negative weights to the
                 second one; "magnitude" there as positive numbers
    options      name -> number; one value for all neurons of a model in a layout
    random       the step draws random numbers: it gets a chipsim.models.draws.Draws as its last argument
    mantissas    integer weights are mantissas, with an exponent and a sign mode per projection (Projection.format)
    compartments places on a core that a neuron takes, each with the cost of an update
    """

    name: str
    params: dict[str, str] = {}
    state: dict[str, str] = {}
    initial: dict[str, str] = {}
    accumulator = "f8"
    receptors: tuple[str, ...] = ("",)
    by_sign = ""
    options: dict[str, object] = {}
    random = False
    mantissas = False
    compartments = 1

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance neurons by one tick in place; return (payload float64[n] or int64[n], active bool[n]).

        s, p, o  state and parameters [n] by name, options
        x        summed weights of the tick: [n], or [receptors, n] for kernels with several
        A payload of 0 sends nothing. `active`: the neuron had state, input or bias, so that its update costs energy.
        """
        raise AssertionError("every kernel has a step")

    @classmethod
    def bound(cls, options: dict) -> type[Kernel]:
        """The kernel as the options of a model make it: itself, unless options decide on parameters or state."""
        return cls

    @staticmethod
    def emits_values(p: dict) -> bool:
        """These neurons emit a value every tick instead of spikes."""
        return False


REGISTERED: dict[str, type[Kernel]] = {}


def find_kernel(name: str) -> type[Kernel] | None:
    """The kernel of that name, or None."""
    if name in REGISTERED:
        return REGISTERED[name]
    if not name.isidentifier() or find_spec(f"chipsim.models.neurons.{name}") is None:
        return None
    return getattr(import_module(f"chipsim.models.neurons.{name}"), "kernel", None)
