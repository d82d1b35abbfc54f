"""Networks written by hand, in YAML. The format is in docs/reference/network-file.md.

    dt: 1 ms
    populations:
      in:  {model: input, size: 64}
      out: {model: lif, size: 10, tau: 20 ms, v_threshold: 1.0}
    projections:
      - {from: in, to: out, kind: dense, weights: weights.npy}

Every finding of a file is reported at once, with line and column.
"""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.files import load_numpy
from chipsim.models.neurons import parameters_of
from chipsim.network.build import KINDS, OPTIONS, NetworkBuilder
from chipsim.network.graph import Network
from chipsim.network.importers.yaml_document import Document, read
from chipsim.network.validate import did_you_mean, findings

TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
TOP = ("name", "dt", "populations", "projections", "outputs")
PROJECTION = ("from", "to", "kind", "weights", "bias", "delay", "probability", "seed", "kernel", "stride", "padding",
              "dilation", "groups", "format", "receptor", "name", "plasticity", "box")
RANDOM = {"normal": ("mean", "std"), "uniform": ("low", "high"), "integers": ("low", "high")}


def load_yaml(path: Path, dt: float | None = None) -> Network:
    """Network from a YAML file; dt in seconds replaces the file's. Raises NetworkError with every finding."""
    document = read(Path(path))
    top = document.value
    if not isinstance(top, dict) or not top:
        raise NetworkError(Diagnostic("N201", "the network is empty", file=str(path),
                                      help="write `populations:` and `projections:`"))
    _known(document, (), top, TOP)
    step = dt if dt is not None else _time(document, ("dt",), top["dt"]) if top.get("dt") is not None else None
    if step is not None and step <= 0:
        document.report("N208", ("dt",), f"dt is {step:g} s", "the length of a tick is above 0")
    net = NetworkBuilder(str(top.get("name") or path.stem), step)
    populations = _mapping(document, ("populations",), top.get("populations"))
    for name, entry in populations.items():
        _population(document, net, name, entry)
    projections = top.get("projections") or []
    if not isinstance(projections, list):
        document.report("N252", ("projections",), "projections are a list", "write one `- {from: a, to: b}` per line")
        projections = []
    for i, entry in enumerate(projections):
        _projection(document, net, i, entry, populations)
    outputs = top.get("outputs")
    if outputs is not None and not (isinstance(outputs, list) and all(isinstance(o, str) for o in outputs)):
        document.report("N252", ("outputs",), "outputs are a list of populations", "write `outputs: [name]`")
        outputs = None
    network = net.draft(outputs, origin=str(path))
    found = document.findings + findings(network, document.locate, whole=not document.findings)
    if found:
        raise NetworkError(*sorted(found, key=lambda d: (d.line, d.column)))
    return network


def _population(document: Document, net: NetworkBuilder, name: str, entry: object) -> None:
    path = ("populations", name)
    entry = dict(_mapping(document, path, entry))
    size, shape, model = (entry.pop(k, None) for k in ("size", "shape", "model"))
    if (size is None) == (shape is None):
        document.report("N253", path, f"population `{name}` needs either `size` or `shape`", "write `size: 64`")
        return
    dims = shape if shape is not None else [size]
    if not (isinstance(dims, list) and dims and all(type(n) is int and n > 0 for n in dims)):
        document.report("N211", (*path, "size" if shape is None else "shape"),
                        f"population `{name}` has the {'size' if shape is None else 'shape'} {dims if shape else size}",
                        "sizes are whole numbers above 0; a shape is a list such as [2, 34, 34]")
        return
    if not isinstance(model, str):
        document.report("N205", path, f"population `{name}` needs a `model`", "write `model: input` or `model: lif`")
        return
    known = parameters_of(model) or {}
    values = {}
    for key, value in entry.items():
        if key in ("name", "origin"):                    # the builder's own words, no model's parameters
            document.report("N206", (*path, key), f"population `{name}` has no `{key}`", did_you_mean(key, known))
        elif value is None and key != "v_min":
            document.report("N207", (*path, key), f"parameter `{key}` of population `{name}` has no value")
        elif key not in OPTIONS and isinstance(value, str) and value.endswith(".npy"):
            values[key] = _file(document, (*path, key), value)
        elif key in known and known[key].unit == "s":
            values[key] = _time(document, (*path, key), value)
        else:
            values[key] = value
    values = {k: v for k, v in values.items() if v is not None}
    line = document.locate(path)["line"]
    net.add_population(name, dims, model, origin=f"{document.path}:{line}", **values)


def _projection(document: Document, net: NetworkBuilder, i: int, entry: object, populations: dict) -> None:
    path = ("projections", i)
    entry = dict(_mapping(document, path, entry))
    _known(document, path, entry, PROJECTION)
    ok = True
    for key in ("from", "to"):
        if key not in entry:
            document.report("N254", path, f"a projection lacks `{key}`", "write `{from: a, to: b}`")
        elif str(entry[key]) not in populations:
            document.report("N202", (*path, key), f"there is no population `{entry[key]}`",
                            did_you_mean(str(entry[key]), populations))
        ok = ok and str(entry.get(key)) in net.populations
    kind = entry.get("kind", "dense")
    if kind not in KINDS:
        document.report("N215", (*path, "kind"), f"kind `{kind}` is unknown", did_you_mean(str(kind), KINDS))
        return
    delay, seed = entry.get("delay", 0), entry.get("seed", 0)
    for key, value in (("delay", delay), ("seed", seed)):
        if type(value) is not int or value < 0:
            document.report("N212", (*path, key), f"{key} is {value}", "it is a whole number, 0 or more")
            ok = False
    if not ok:
        return
    options = {k: entry[k] for k in ("probability", "kernel", "stride", "padding", "dilation", "groups", "format",
                                   "plasticity", "box")
               if k in entry}
    sizes = [net.populations[str(entry[k])].size for k in ("to", "from")]
    weights = _weights(document, (*path, "weights"), entry.get("weights", 1.0), kind, sizes, seed)
    bias = entry.get("bias")
    if isinstance(bias, str):
        bias = _file(document, (*path, "bias"), bias)
    if weights is None:
        return
    origin = f"{document.path}:{document.locate(path)['line']}"
    try:
        net.connect(str(entry["from"]), str(entry["to"]), kind, weights=weights, bias=bias, delay=delay, seed=seed,
                    receptor=str(entry.get("receptor", "")), name=str(entry.get("name", "")), origin=origin, **options)
    except NetworkError as e:
        for d in e.diagnostics:
            parts = ("plasticity", "kernel", "weights", "bias", "probability", "stride", "padding")
            part = next((k for k in parts if k in d.message), "")
            message = f"projection {entry['from']} -> {entry['to']}: {d.message}"
            document.report(d.code, (*path, part), message, d.help)
    except (TypeError, ValueError) as e:
        document.report("N216", path, f"projection {entry['from']} -> {entry['to']}: {e}", "compare docs: network file")


def _weights(document: Document, path: tuple, weights: object, kind: str, sizes: list[int], seed: int) -> object:
    """Numbers as they are, a file's array, or drawn numbers; None (and a finding) if there are none."""
    if isinstance(weights, str):
        return _file(document, path, weights)
    if isinstance(weights, int | float):
        return weights
    if isinstance(weights, list):
        try:
            return np.array(weights, float)
        except (TypeError, ValueError):
            document.report("N216", path, "weights are not rows of numbers of one length",
                            "rows are the target's neurons")
            return None
    spec = dict(_mapping(document, path, weights))
    law = spec.pop("random", None)
    if law not in RANDOM:
        document.report("N215", (*path, "random"), f"weights `random: {law}` are unknown",
                        did_you_mean(str(law), RANDOM))
        return None
    _known(document, path, spec, (*RANDOM[law], "seed"))
    numbers = [spec.get(k) for k in RANDOM[law]]
    if not all(isinstance(n, int | float) for n in numbers) or (law == "normal") * numbers[-1] < 0:
        document.report("N216", path, f"`random: {law}` needs the numbers {' and '.join(RANDOM[law])}",
                        f"write {{random: {law}, {RANDOM[law][0]}: 0, {RANDOM[law][1]}: 1}}")
        return None
    if law != "normal" and numbers[0] >= numbers[1]:
        document.report("N216", path, f"low {numbers[0]} is not below high {numbers[1]}", "high is never drawn")
        return None
    draw = {"normal": lambda g, n: g.normal(*numbers, n), "uniform": lambda g, n: g.uniform(*numbers, n),
            "integers": lambda g, n: g.integers(*map(int, numbers), n)}[law]
    weight_seed = spec.get("seed", seed)

    def drawn(_: object, n: int) -> np.ndarray:
        return np.asarray(draw(np.random.Generator(np.random.Philox(key=[weight_seed, 1])), n), float)

    if kind in ("random", "conv2d"):
        return drawn
    return drawn(None, sizes[0]) if kind == "one_to_one" else drawn(None, sizes[0] * sizes[1]).reshape(sizes)


def _file(document: Document, path: tuple, name: str) -> np.ndarray | None:
    file = document.path.parent / name
    try:
        array = load_numpy(file)
    except FileNotFoundError:
        document.report("N241", path, f"there is no file {name}", f"it is looked for in {document.path.parent or '.'}")
        return None
    except ValueError:
        document.report("N241", path, f"{name} is not a .npy file of numbers", "write it with numpy.save")
        return None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        document.report("N241", path, f"{name} does not hold one array of numbers", "write it with numpy.save")
        return None
    return array


def _time(document: Document, path: tuple, value: object) -> object:
    """Seconds from a number (s), a text such as `20 ms`, or a list of these."""
    if isinstance(value, list):
        return [_time(document, (*path, i), v) for i, v in enumerate(value)]
    match = re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\S+)\s*", value) if isinstance(value, str) else None
    if match and match[2] in TIMES:
        try:
            return float(match[1]) * TIMES[match[2]]
        except ValueError:
            match = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    document.report("N208", path, f"`{value}` is not a time", "write a number of seconds, or a unit: 20 ms")
    return 1.0


def _mapping(document: Document, path: tuple, value: object) -> dict:
    if isinstance(value, dict):
        return value
    if value is not None or path != ("populations",):
        document.report("N252", path, f"`{path[-1]}` is not a mapping", "write `key: value` pairs")
    return {}


def _known(document: Document, path: tuple, entry: dict, known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            document.report("N206", (*path, key), f"there is no `{key}` here", did_you_mean(str(key), known))
