"""One HDF5 form for layouts and runs: arrays as datasets, everything else as one JSON text, a kind and a version.

Arrays are stored contiguous and uncompressed when small, gzip otherwise is left out on purpose: a layout must load at
the speed of the disk. No pickle.
"""
from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, UsageError
from chipsim.files import DAMAGE, replacing

MAKER = {"layout": "compile", "run": "run"}            # the command that writes each kind


def save(path: str | os.PathLike, kind: str, version: int, facts: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write a file whole or not at all. `facts` must be JSON-able; array names may contain '/'."""
    import h5py

    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True) as h:
        h.attrs["chipsim_kind"] = kind
        h.attrs["chipsim_version"] = version
        h.create_dataset("facts", data=json.dumps(facts, default=plain))
        for name, array in arrays.items():
            h.create_dataset(f"arrays/{name}", data=array)


def load(path: str | os.PathLike, kind: str, version: int) -> tuple[dict, dict[str, np.ndarray]]:
    """(facts, arrays) of a file of this kind; UsageError when it is missing, another kind, or from a newer chipsim."""
    import h5py

    if not Path(path).is_file():
        raise UsageError(Diagnostic("U401", f"there is no file `{path}`", help="check the name and the folder"))
    with understood(path, kind), h5py.File(path, "r") as h:
        found = h.attrs.get("chipsim_kind")
        if found != kind:
            raise UsageError(Diagnostic("U402", f"`{path}` holds {'a ' + found if found else 'no chipsim data'}, "
                                        f"a {kind} is needed here",
                                        help=f"a {kind} comes from `chipsim {MAKER[kind]}`"))
        if int(h.attrs["chipsim_version"]) > version:
            raise UsageError(Diagnostic("U403", f"`{path}` was written by a newer chipsim (format "
                                        f"{h.attrs['chipsim_version']}, this one reads up to {version})",
                                        help="update chipsim, or make the file again"))
        facts = json.loads(h["facts"][()])
        arrays: dict[str, np.ndarray] = {}
        h["arrays"].visititems(lambda name, d: arrays.__setitem__(name, d[()]) if hasattr(d, "dtype") else None)
    return facts, arrays


@contextmanager
def understood(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """What is missing from a file, or is not of the form it should have, as a UsageError."""
    try:
        yield
    except DAMAGE as e:
        what = f"it has no {e}" if isinstance(e, KeyError) else e
        raise UsageError(Diagnostic("U404", f"`{path}` cannot be read as a {kind} file: {what}",
                                    help="it may be cut off or of another format; make it again")) from e


def kind_of(path: str | os.PathLike) -> str | None:
    """"layout", "run" or None, without reading the arrays."""
    import h5py

    try:
        with h5py.File(path, "r") as h:
            return h.attrs.get("chipsim_kind")
    except DAMAGE:
        return None


def plain(value: object) -> object:
    """NumPy scalars and arrays as JSON's own types."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def split(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays named `prefix/...`, without the prefix."""
    return {name[len(prefix) + 1 :]: a for name, a in arrays.items() if name.startswith(prefix + "/")}
