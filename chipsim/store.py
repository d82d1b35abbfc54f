"""One HDF5 form for layouts and runs: arrays as datasets, everything else as one JSON text, a kind and a version.

Arrays are stored contiguous and uncompressed when small, gzip otherwise is left out on purpose: a layout must load at
the speed of the disk. No pickle.
"""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.errors import Diagnostic, UsageError
from chipsim.files import DAMAGE, replacing

MAPPED = 1 << 16                                       # bytes from which on mapping is cheaper than reading
MAKER = {"layout": "compile", "run": "run", "state": "run"}            # the command that writes each kind


def save(path: str | os.PathLike, kind: str, version: int, facts: dict, arrays: Mapping[str, np.ndarray],
         parts: Iterable[Mapping[str, np.ndarray]] = (), lengths: Mapping[str, int] | None = None) -> None:
    """Write a file whole or not at all. `facts` must be JSON-able; array names may contain '/'.

    lengths  of arrays that come in parts, along their first axis; they stand in `arrays` as examples of dtype and shape
    parts    these, one after the other, so that the whole need never be in memory; a part may lack some
    """
    import h5py

    lengths, at = lengths or {}, dict.fromkeys(lengths or {}, 0)
    aligned = dict(alignment_threshold=MAPPED, alignment_interval=64)
    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True, **aligned) as h:
        h.attrs["chipsim_kind"] = kind
        h.attrs["chipsim_version"] = version
        h.create_dataset("facts", data=json.dumps(facts, default=plain))
        for name, array in arrays.items():
            if name in lengths:
                h.create_dataset(f"arrays/{name}", (lengths[name], *array.shape[1:]), array.dtype)
            else:
                h.create_dataset(f"arrays/{name}", data=array)
        for part in parts:
            for name in lengths.keys() & part.keys():
                h[f"arrays/{name}"][at[name] : at[name] + len(part[name])] = part[name]
                at[name] += len(part[name])


def load(path: str | os.PathLike, kind: str, version: int, *, oldest: int = 1,
         mapped: bool = False) -> tuple[dict, dict[str, np.ndarray]]:
    """(facts, arrays) of a file of this kind; UsageError when it is missing, another kind, or of another chipsim.

    oldest  formats from this to `version` can be read
    mapped  large arrays are mapped from the file, copied on write: they cost memory only where they are looked at
    """
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
        if int(h.attrs["chipsim_version"]) < oldest:
            raise UsageError(Diagnostic("U403", f"`{path}` was written by an older chipsim (format "
                                        f"{h.attrs['chipsim_version']}, this one reads from {oldest} on)",
                                        help=f"make it again with `chipsim {MAKER[kind]}`"))
        facts = json.loads(h["facts"][()])
        arrays: dict[str, np.ndarray] = {}
        h["arrays"].visititems(
            lambda name, d: arrays.update({name: _array(path, d, mapped)} if hasattr(d, "dtype") else {}))
    return facts, arrays


def _array(path: str | os.PathLike, d: Any, mapped: bool) -> np.ndarray:
    """A dataset, read; or mapped where it stands in one piece and pays."""
    if not mapped or d.nbytes < MAPPED or d.chunks is not None or (offset := d.id.get_offset()) is None:
        return d[()]
    if offset % d.dtype.itemsize or not d.dtype.isnative:
        return d[()]
    return np.memmap(path, d.dtype, "c", offset, d.shape).view(np.ndarray)


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
    """"layout", "run" or None, without reading the arrays. A file that is no HDF5, or damaged, goes by its name."""
    import h5py

    try:
        with h5py.File(path, "r") as h:
            return h.attrs.get("chipsim_kind")
    except DAMAGE:
        return next((kind for kind in ("layout", "run") if str(path).endswith(f".{kind}.h5")), None)


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
