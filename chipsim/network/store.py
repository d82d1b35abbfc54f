"""Networks in HDF5: /populations/<number>/<parameter>, /projections/<number>/<operator>/<field>; the rest as JSON."""
from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.files import DAMAGE, replacing
from chipsim.models.plasticity.rule import Plasticity
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Delay, Dense, LinearOp, Reshape, Scale, Sparse
from chipsim.network.spatial import AvgPool2d, Conv2d, SumPool2d
from chipsim.network.validate import validate

FORMAT = "chipsim network"
OPERATORS = {op.__name__: op for op in (Dense, Sparse, Scale, Reshape, Delay, Conv2d, SumPool2d, AvgPool2d)}


def save(network: Network, path: str | os.PathLike) -> None:
    """Write a network; the file appears when it is complete."""
    import h5py
    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True) as f:
        f.attrs.update(format=FORMAT, version=1, network=json.dumps({
            "name": network.name, "outputs": network.outputs, "dt": network.dt, "dialect": network.dialect,
            "notes": network.notes, "origin": network.origin}))
        populations = f.create_group("populations", track_order=True)
        for i, p in enumerate(network.populations.values()):
            group = populations.create_group(f"{i:04}")
            group.attrs["population"] = json.dumps({"name": p.name, "shape": p.shape, "model": p.model,
                                                    "options": p.options, "origin": p.origin,
                                                    "axon_delay": p.axon_delay})
            for name, value in p.params.items():
                group[name] = np.asarray(value)
        projections = f.create_group("projections")
        for i, q in enumerate(network.projections):
            group = projections.create_group(f"{i:04}")
            group.attrs["projection"] = json.dumps({"pre": q.pre, "post": q.post, "delay": q.delay, "format": q.format,
                                                    "name": q.name, "origin": q.origin, "receptor": q.receptor,
                                                    "box": q.box,
                                                    "plasticity": q.plasticity and q.plasticity.to_dict()})
            for k, op in enumerate(q.ops):
                _save_op(group.create_group(f"{k:02}"), op)


def load(path: Path, dt: float | None = None) -> Network:
    """Read a network; dt in seconds replaces the file's. Raises NetworkError."""
    import h5py
    if not path.is_file():
        raise NetworkError(Diagnostic("N241", f"there is no file {path}", file=str(path), help="check the path"))
    try:
        with h5py.File(path, "r") as f:
            if f.attrs.get("format") != FORMAT:
                raise NetworkError(Diagnostic("N241", "this HDF5 file is no network", file=str(path),
                                              help="networks are written by Network.save; NIR files end in .nir"))
            top = json.loads(f.attrs["network"])
            populations = {}
            for _, group in sorted(f["populations"].items()):
                about = _tuples(json.loads(group.attrs["population"]))
                populations[about["name"]] = Population(params={k: v[()] for k, v in group.items()}, **about)
            projections = []
            for _, group in sorted(f["projections"].items()):
                ops = tuple(_load_op(g) for _, g in sorted(group.items()))
                about = json.loads(group.attrs["projection"])
                rule = about.pop("plasticity", None)
                projections.append(Projection(ops=ops, plasticity=rule and Plasticity.of(rule), **about))
            top["dt"] = dt if dt is not None else top["dt"]
            network = Network(populations=populations, projections=tuple(projections), **_tuples(top))
    except DAMAGE as e:
        raise NetworkError(Diagnostic("N241", "not a network: not an HDF5 file, or a damaged one", file=str(path),
                                      help="write it again with Network.save")) from e
    return validate(network)


def _save_op(group, op: LinearOp) -> None:
    plain: dict[str, object] = {"type": type(op).__name__}
    for f in fields(op):
        value = getattr(op, f.name)
        if isinstance(value, np.ndarray):
            group.create_dataset(f.name, data=value, compression="gzip" if value.size > 64 else None)
        elif hasattr(value, "tocsr"):
            matrix = value.tocsr()
            sparse = group.create_group(f.name)
            sparse.attrs["shape"] = matrix.shape
            for part in ("data", "indices", "indptr"):
                array = getattr(matrix, part)
                sparse.create_dataset(part, data=array, compression="gzip" if array.size > 64 else None)
        else:
            plain[f.name] = value
    group.attrs["operator"] = json.dumps(plain, default=int)


def _load_op(group) -> LinearOp:
    from scipy.sparse import csr_array
    plain = _tuples(json.loads(group.attrs["operator"]))
    for name, item in group.items():
        if hasattr(item, "keys"):
            matrix = csr_array(tuple(item[k][()] for k in ("data", "indices", "indptr")), tuple(item.attrs["shape"]))
            matrix.check_format(full_check=True)            # SciPy's loops follow the indices without looking
            plain[name] = matrix
        else:
            plain[name] = item[()]
    return OPERATORS[plain.pop("type")](**plain)


def _tuples(values: dict) -> dict:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
