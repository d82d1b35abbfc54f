"""What to compute: networks from NIR, YAML, HDF5 or Python, and the spikes that go into them."""
from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chipsim.network.build import NetworkBuilder
    from chipsim.network.graph import Network, Population, Projection
    from chipsim.network.stimulus import Stimulus

_HOME = {"Network": "graph", "Population": "graph", "Projection": "graph", "Stimulus": "stimulus",
         "NetworkBuilder": "build", "CODES": "codes"}
__all__ = ["Network", "NetworkBuilder", "Population", "Projection", "Stimulus", "load_network"]


def load_network(source: object, *, dialect: str | None = None, dt: float | None = None, time_unit: str | None = None,
                 reset: str | None = None, multispike: bool | None = None, v_min: float | str | None = None,
                 integrator: str | None = None, compare: str | None = None) -> Network:
    """Network from a .nir, .yaml/.yml or .h5 file, or from a nir.NIRGraph. A Network is returned as it is.

    dt  seconds per tick. The other options fill in what NIR leaves open (chipsim.network.dialect) and are refused for
    other formats, which say it themselves. Raises NetworkError.
    """
    from chipsim.errors import Diagnostic, NetworkError
    from chipsim.network.graph import Network
    if isinstance(source, Network):
        return source
    options: dict[str, Any] = {"dialect": dialect, "time_unit": time_unit, "reset": reset, "multispike": multispike,
                               "v_min": v_min, "integrator": integrator, "compare": compare}
    path = Path(source) if isinstance(source, str | os.PathLike) else Path("object.nir")
    suffix = path.suffix.lower()
    if suffix == ".nir":
        from chipsim.network.importers.nir import load_nir
        return load_nir(source, dt=dt, **options)
    if suffix not in (".yaml", ".yml", ".h5", ".hdf5"):
        raise NetworkError(Diagnostic("N241", f"cannot tell the format of a network by `{suffix}`", file=str(source),
                                      help="networks are .nir, .yaml or .h5 files"))
    if given := [k for k, v in options.items() if v is not None]:
        raise NetworkError(Diagnostic("N242", f"{', '.join(given)}: only NIR files leave this open", file=str(source),
                                      help="set it in the network file"))
    if suffix in (".h5", ".hdf5"):
        from chipsim.network.store import load
        return load(path, dt=dt)
    from chipsim.network.importers.yaml import load_yaml
    return load_yaml(path, dt=dt)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`; it has {', '.join(__all__)}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
