"""Neuron models: one file per model.

framework_models   what frameworks and NIR know; parameters in seconds and trained units. Each is a module with
                   `parameters`, `spiking` and `discretise(population, dt)`, which gives the parameters of the
                   floating-point kernel (affine.py), or of the file's own `kernel`. A new file with a `discretise`
                   is a new model. What may differ: `arithmetics` (kernel name -> discretise) where there are several,
                   `options` (name -> allowed values), `kernel_options(population)`.
chip_models        models that are one chip's own arithmetic, in that chip's integers: name -> parameters
"""
from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

from chipsim.models.kernels import REGISTERED
from chipsim.models.neurons.framework import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from chipsim.network.graph import Population

chip_models: dict[str, dict[str, Parameter]] = {
    "loihi_lif": {
        "du": Parameter("1/4096 per tick", 4095, low=0, high=4096, integer=True, doc="decay of the current"),
        "dv": Parameter("1/4096 per tick", 0, low=0, high=4096, integer=True, doc="decay of the voltage"),
        "vth_mant": Parameter("2^6", None, low=0, integer=True, doc="threshold"),
        "bias_mant": Parameter("2^bias_exp", 0, integer=True, doc="bias added every tick"),
        "bias_exp": Parameter("", 0, low=0, integer=True, doc="exponent of the bias"),
        "refract": Parameter("ticks", 1, low=1, integer=True, doc="1: may spike again in the next tick"),
    },
}


@cache
def _framework_models() -> dict[str, ModuleType]:
    modules = (import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__))
    return {m.__name__.rpartition(".")[2]: m for m in modules if hasattr(m, "discretise")}


def arithmetics(module: ModuleType) -> dict[str, Callable[[Population, float | None], dict[str, np.ndarray]]]:
    """Kernels that can compute a framework model, the preferred one first -> function (population, dt) ->
    parameters."""
    if hasattr(module, "arithmetics"):
        return module.arithmetics
    return {module.kernel.name if hasattr(module, "kernel") else "affine": module.discretise}


def register(module: ModuleType) -> None:
    """Make a model known that is not in this package: a module with the same attributes, under its own name."""
    name = module.__name__.rpartition(".")[2]
    _framework_models()[name] = module
    if hasattr(module, "kernel"):
        REGISTERED[module.kernel.name] = module.kernel


def options_of(model: str) -> dict[str, tuple] | None:
    """Options of a model and their values; None: the usual ones of framework.py."""
    return getattr(_framework_models().get(model), "options", None)


def parameters_of(model: str, options: dict[str, object] | None = None) -> dict[str, Parameter] | None:
    """Parameters a population of this model may have; None for an unknown model. Options decide where a model says
    so."""
    if model in chip_models:
        return chip_models[model]
    module = _framework_models().get(model)
    if hasattr(module, "parameters_for"):
        return module.parameters_for(options) if options else {}
    return module.parameters if module else None


def __getattr__(name: str) -> object:
    if name == "framework_models":              # found when first asked for: importing a kernel should not import all
        return _framework_models()
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
