"""The linear primitives of NIR as chains of operators, with the shapes that exporters get wrong put right.

NIR 1.0.8 has no batch dimension; frameworks leave one in. What arrives at a node decides: a declared shape is
adjusted to it, and only what cannot be meant is refused.
"""
from __future__ import annotations

from math import prod

import numpy as np

from chipsim.network.importers.nir_graph import Graph, Node
from chipsim.network.linear import Delay, Dense, LinearOp, Reshape, Scale, Sparse, text
from chipsim.network.spatial import AvgPool2d, Conv1d, Conv2d, SumPool2d

LINEAR = ("Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay")
N_AXES = {"Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}       # of the input, channels first

Shape = tuple[int, ...]


def linear_ops(graph: Graph, node: Node, shape: Shape, ticks_per_unit: float) -> tuple[LinearOp, ...]:
    """The chain for a node that gets `shape`. Raises NetworkError that names the node."""
    with graph.naming(node):
        return _BUILD.get(node.type, _conv)(graph, node, shape, ticks_per_unit)


def squeeze(shape: Shape, n: int) -> Shape:
    """Drop leading dimensions of 1 until at most n are left."""
    while len(shape) > n and shape[0] == 1:
        shape = shape[1:]
    return shape


def declared_input(shape: Shape, consumer: Node | None) -> Shape:
    """The shape of an input without the batch dimension its exporter may have left in, judged by the node it feeds."""
    if consumer is None:
        return shape
    if consumer.type in N_AXES:
        return shape[max(0, len(shape) - N_AXES[consumer.type]):]
    if consumer.type in ("Affine", "Linear"):
        weight = np.shape(consumer.params.get("weight", ()))
        wanted = squeeze((*weight[:-2], *weight[-1:]), 1)
        while len(shape) > 1 and prod(shape) != prod(wanted):
            shape = shape[1:]
        return squeeze(shape, len(wanted))
    arrays = [np.shape(v) for k, v in consumer.params.items() if k not in ("metadata", "input_type", "output_type")
              and isinstance(v, np.ndarray)]
    wanted = max(arrays, key=len, default=())
    while len(shape) > 1 and wanted and prod(shape) != prod(wanted) and prod(shape[1:]) >= prod(wanted):
        shape = shape[1:]
    return squeeze(shape, max(1, len(squeeze(wanted, 1)))) if wanted else shape


def _affine(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    from scipy.sparse import block_diag, csr_array, eye_array, kron
    weight = np.asarray(node.params["weight"], float)
    bias = np.asarray(node.params["bias"], float) if node.type == "Affine" else None
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    n_out, n_in = weight.shape[-2:]
    stack = weight.shape[:-2]
    if not stack and prod(shape) == n_in:
        flat = bias if bias is None or np.shape(bias) == (n_out,) else np.broadcast_to(np.ravel(bias), (n_out,))
        return (*_reshape(shape, (n_in,)), Dense(weight, flat))
    if not stack and shape[-1] == n_in:
        matrix, lead = kron(eye_array(prod(shape[:-1])), csr_array(weight)), shape[:-1]
    elif stack and prod(shape) == prod(stack) * n_in:
        matrix, lead = block_diag(list(weight.reshape(-1, n_out, n_in))), stack
    else:
        raise graph.refuse(f"node `{node.name}` ({node.type}) takes {n_in} values (weight {text(weight.shape)}), but "
                           f"gets {text(shape)}", "check the node before it; flatten images before a linear layer")
    out = (*lead, n_out)
    spread = None if bias is None else np.broadcast_to(bias, out).ravel()
    return (Sparse(csr_array(matrix), spread, (*lead, n_in), out),)


def _scale(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    return (Scale(_fit(graph, node, "scale", shape)),)


def _delay(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    exact = _fit(graph, node, "delay", shape) * ticks
    if np.any(exact < 0):
        raise graph.refuse(f"node `{node.name}` (Delay) has the negative delay {exact.min() / ticks:g}",
                           "delays are 0 or more")
    rounded = np.round(exact).astype(int)
    if np.any(np.abs(exact - rounded) > 1e-6 * np.maximum(1, exact)):
        graph.notes.append(f"delays of `{node.name}` were rounded to ticks; the largest change is "
                           f"{np.abs(exact - rounded).max():.2g} ticks")
    return (Delay(rounded),)


def _flatten(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    declared = node.params.get("input_type")
    batch = declared is not None and np.size(declared) == len(shape) + 1
    start, end = (int(node.params.get(k, d)) for k, d in (("start_dim", 1), ("end_dim", -1)))
    start, end = (k - 1 if batch and k > 0 else k for k in (start, end))
    start, end = start % len(shape) if start < 0 else min(start, len(shape)), end % len(shape)
    return _reshape(shape, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]) if start < end else shape)


def _pool(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    make = SumPool2d if node.type == "SumPool2d" else AvgPool2d
    image = _image(graph, node, shape, 3)
    window = (_ints(node.params[k]) for k in ("kernel_size", "stride", "padding"))
    return (*_reshape(shape, image), make(image, *window))


def _conv(graph: Graph, node: Node, shape: Shape, ticks: float) -> tuple[LinearOp, ...]:
    p = node.params
    weight = np.asarray(p["weight"], float)
    groups = int(p.get("groups", 1))
    spatial = p.get("input_shape")
    if spatial is not None and len(shape) != weight.ndim - 1:
        given = (weight.shape[1] * groups, *np.atleast_1d(spatial).tolist())
        image = given if prod(given) == prod(shape) else shape
    else:
        image = shape
    image = _image(graph, node, image, weight.ndim - 1)
    if spatial is not None and tuple(np.atleast_1d(spatial).tolist()) != image[1:]:
        graph.notes.append(f"`{node.name}` declares input_shape {text(np.atleast_1d(spatial).tolist())} but gets "
                           f"{text(image)}; the latter counts")
    padding = p.get("padding", 0)
    options = {k: _ints(p.get(k, 1)) for k in ("stride", "dilation")}
    options |= {"padding": padding if isinstance(padding, str) else _ints(padding), "groups": groups,
                "bias": np.asarray(p["bias"], float) if p.get("bias") is not None else None}
    if weight.ndim == 3:
        options |= {k: int(np.ravel(options[k])[0]) for k in ("stride", "dilation")}
        if not isinstance(padding, str):
            options["padding"] = int(np.ravel(padding)[0])
        return (*_reshape(shape, image), *Conv1d(weight, image, **options))
    return (*_reshape(shape, image), Conv2d(weight, image, **options))


def _image(graph: Graph, node: Node, shape: Shape, n_axes: int) -> Shape:
    image = squeeze(shape, n_axes)
    if len(image) != n_axes:
        raise graph.refuse(f"node `{node.name}` ({node.type}) takes {n_axes} axes, channels first, but gets "
                           f"{text(shape)}", "give the input node the full shape, or remove the Flatten before it")
    return image


def _fit(graph: Graph, node: Node, key: str, shape: Shape) -> np.ndarray:
    """A parameter as an array of `shape`, from a scalar, the same shape, or that shape with a batch dimension of 1."""
    value = np.asarray(node.params[key], float)
    if value.size == prod(shape):
        return value.reshape(shape)
    try:
        return np.array(np.broadcast_to(value, shape))
    except ValueError:
        raise graph.refuse(f"node `{node.name}` ({node.type}): {key} has shape {text(value.shape)}, but the node gets "
                           f"{text(shape)}", "export the node with one value per element") from None


def _ints(value: object) -> tuple[int, ...] | int:
    return int(value) if np.ndim(value) == 0 else tuple(int(v) for v in value)


def _reshape(shape: Shape, wanted: Shape) -> tuple[LinearOp, ...]:
    return () if tuple(shape) == tuple(wanted) else (Reshape(tuple(shape), tuple(wanted)),)


_BUILD = {"Affine": _affine, "Linear": _affine, "Scale": _scale, "Delay": _delay, "Flatten": _flatten,
          "SumPool2d": _pool, "AvgPool2d": _pool}
