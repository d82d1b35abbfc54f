"""Build a network in Python: populations, projections, and what to read out.

    net = NetworkBuilder("ring", dt=1e-3)
    net.add_input("in", 1)
    net.add_population("ring", 10, "lif", tau=0.02, v_threshold=0.5)
    net.connect("in", "ring", "dense", weights=np.ones((10, 1)))
    net.connect("ring", "ring", "random", probability=0.2, weights=0.1, seed=3, delay=1)
    network = net.build(outputs=["ring"])
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.plasticity.rule import Plasticity
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import Dense, LinearOp, Reshape, Scale, Sparse, check, text
from chipsim.network.spatial import Conv2d
from chipsim.network.validate import did_you_mean, validate

if TYPE_CHECKING:
    import networkx
    from scipy.sparse import csr_array

KINDS = ("dense", "sparse", "one_to_one", "conv2d", "random")
OPTIONS = ("integrator", "reset", "compare", "v_min", "gain", "convention", "program", "arithmetic",
           "noise", "join", "dendrites")
Shape = tuple[int, ...]


class NetworkBuilder:
    """Collects populations and projections; `build` checks them and gives the Network. dt in seconds per tick."""

    def __init__(self, name: str = "network", dt: float | None = None):
        self.name, self.dt = name, dt
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []

    def add_input(self, name: str, shape: int | Shape) -> str:
        """Lines that spikes come in on. Returns the name."""
        return self.add_population(name, shape, "input")

    def add_population(self, name: str, shape: int | Shape, model: str, *, origin: str = "", axon_delay: int = 0,
                       **params: Any) -> str:
        """Neurons of a model of chipsim.models.neurons. Returns the name.

        axon_delay  ticks by which all spikes of the population are late

        params  the model's parameters (number or array that broadcasts to shape, times in seconds) and the options
                integrator, reset, compare, v_min, gain (chipsim.models.neurons.framework), convention
        """
        if name in self.populations:
            raise NetworkError(Diagnostic("N214", f"there are two populations `{name}`", help="rename one"))
        options = {k: params.pop(k) for k in OPTIONS if k in params}
        arrays: dict[str, Any] = {k: _array(v) for k, v in params.items()}
        self.populations[name] = Population(name, _shape(shape), model, arrays, options, origin, axon_delay)
        return name

    def connect(self, pre: str, post: str, kind: str = "dense", *, weights: object = 1.0, bias: object = None,
                delay: int = 0, probability: float | None = None, seed: int = 0, format: dict | None = None,
                plasticity: Plasticity | dict | str | None = None, receptor: str = "", name: str = "", origin: str = "",
                box: int = 1, **window: Any) -> Projection:
        """Project `pre` onto `post`.

        kind      dense       weights [post, pre], or one number for all
                  sparse      SciPy matrix [post, pre], or a dense array whose zeros are no synapses
                  one_to_one  weights: number, or one per neuron
                  conv2d      weights [out, in / groups, kh, kw]; window: stride, padding, dilation, groups. With
                              kernel (kh, kw) instead: one number, or drawn by a callable (generator, n) -> array
                  random      every pair with `probability`, drawn with `seed`; weights: number, or one per synapse
                              drawn by a callable (generator, n) -> array
        bias      added to the target in every tick: one per neuron, or per output channel of a conv2d
        delay     ticks; see Projection.delay
        receptor  which input of the target's model, by name; see Projection.receptor
        box       ticks in a row in which a spike acts; see Projection.box
        format    a chip's own synapse format, for networks in a chip's integers
        plasticity  how the weights learn: a Plasticity, its fields as a dict, or the text of a rule for them
        """
        ends = []
        for end in (pre, post):
            if end not in self.populations:
                raise NetworkError(Diagnostic("N202", f"there is no population `{end}`",
                                              help=did_you_mean(end, self.populations)))
            ends.append(self.populations[end].shape)
        if kind not in KINDS:
            raise NetworkError(Diagnostic("N215", f"kind `{kind}` is unknown", help=did_you_mean(kind, KINDS)))
        check(kind == "conv2d" or not window, f"{', '.join(window)} only go with kind conv2d")
        check(kind == "random" or probability is None, "probability only goes with kind random")
        ops = _OPERATORS[kind](*ends, weights, bias, probability=probability, seed=seed, **window)
        learns = None if plasticity is None else Plasticity.of(plasticity)
        name = name or f"{pre} -> {post}"
        projection = Projection(pre, post, ops, delay, format, name, origin, receptor, learns, box)
        self.projections.append(projection)
        return projection

    def build(self, outputs: Iterable[str] | None = None) -> Network:
        """The network, checked. outputs: default, populations that project nowhere. Raises NetworkError."""
        return validate(self.draft(outputs))

    def draft(self, outputs: Iterable[str] | None = None, origin: str = "") -> Network:
        """The network, unchecked."""
        if outputs is None:
            sources = {q.pre for q in self.projections if q.pre != q.post}
            outputs = [p.name for p in self.populations.values() if p.model != "input" and p.name not in sources]
        return Network(self.name, dict(self.populations), tuple(self.projections), tuple(outputs), self.dt,
                       origin=origin)


def from_scipy(matrix: csr_array, *, model: str = "lif", name: str = "network", dt: float | None = None, delay: int = 1,
               input_weight: float = 1.0, **params: Any) -> Network:
    """One recurrent population with weights matrix[post, pre], each neuron with an input line of its own."""
    net = NetworkBuilder(name, dt)
    n = matrix.shape[0]
    check(matrix.shape == (n, n), f"a recurrent matrix is square, this one has shape {text(matrix.shape)}")
    net.add_input("input", n)
    net.add_population("neurons", n, model, **params)
    net.connect("input", "neurons", "one_to_one", weights=input_weight)
    net.connect("neurons", "neurons", "sparse", weights=matrix, delay=delay)
    return net.build(["neurons"])


def from_networkx(graph: networkx.DiGraph, *, model: str = "lif", name: str = "network", dt: float | None = None,
                  weight: str = "weight", delay: str = "delay", input_weight: float = 1.0, **params: Any) -> Network:
    """One neuron per node, in the graph's order; edges carry weights (default 1) and delays in ticks (default 1)."""
    from scipy.sparse import coo_array
    index = {node: i for i, node in enumerate(graph)}
    net = NetworkBuilder(name, dt)
    net.add_input("input", max(1, len(index)))
    net.add_population("neurons", max(1, len(index)), model, **params)
    net.connect("input", "neurons", "one_to_one", weights=input_weight)
    edges = [(index[v], index[u], d.get(weight, 1.0), int(d.get(delay, 1))) for u, v, d in graph.edges(data=True)]
    if not graph.is_directed():
        edges += [(u, v, w, d) for v, u, w, d in edges if u != v]
    for ticks in sorted({e[3] for e in edges}):
        post, pre, value, _ = zip(*(e for e in edges if e[3] == ticks), strict=True)
        matrix = coo_array((np.array(value, float), (post, pre)), shape=(len(index),) * 2)
        net.connect("neurons", "neurons", "sparse", weights=matrix, delay=ticks)
    return net.build(["neurons"])


def _shape(shape: int | Iterable[int]) -> Shape:
    return tuple(int(n) for n in np.atleast_1d(np.asarray(shape)))


def _array(value: object) -> object:
    """Numbers as an array; anything else as it is, for `validate` to name."""
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        return value


def _numbers(weights: object, what: str) -> np.ndarray:
    try:
        return np.asarray(weights, float)
    except (TypeError, ValueError):
        raise NetworkError(Diagnostic("N210", f"{what} are not an array of numbers: {str(weights)[:40]!r}")) from None


def _vector(bias: object, n: int) -> np.ndarray | None:
    if bias is None:
        return None
    bias = _numbers(bias, "biases")
    check(bias.size in (1, n), f"bias has shape {text(bias.shape)}, need ({n},)")
    return np.array(np.broadcast_to(bias.ravel(), (n,)))


def _dense(pre: Shape, post: Shape, weights: Any, bias: object, **_: Any) -> tuple[LinearOp, ...]:
    full = (prod(post), prod(pre))
    weights = _numbers(weights, "weights")
    check(weights.shape in ((), full), f"dense weights have shape {text(weights.shape)}, need {text(full)}",
          "rows are the target's neurons, columns the source's")
    flat = (Reshape(pre, (full[1],)),) if len(pre) > 1 else ()
    return (*flat, Dense(np.array(np.broadcast_to(weights, full)), _vector(bias, full[0])))


def _sparse(pre: Shape, post: Shape, weights: Any, bias: object, **_: Any) -> tuple[LinearOp, ...]:
    from scipy.sparse import csr_array, issparse
    full = (prod(post), prod(pre))
    if not issparse(weights):
        weights = _numbers(weights, "weights")
    check(weights.shape == full, f"sparse weights have shape {text(weights.shape)}, need {text(full)}",
          "rows are the target's neurons, columns the source's")
    return (Sparse(csr_array(weights, dtype=float), _vector(bias, full[0]), pre, post),)


def _one_to_one(pre: Shape, post: Shape, weights: Any, bias: object, **_: Any) -> tuple[LinearOp, ...]:
    check(prod(pre) == prod(post), f"one_to_one needs populations of one size, these have {text(pre)} and {text(post)}")
    weights = _numbers(weights, "weights")
    if weights.size == prod(pre):
        weights = weights.reshape(pre)
    check(weights.shape in ((), pre), f"one_to_one weights have shape {text(weights.shape)}, need {text(pre)}")
    return (Scale(np.array(np.broadcast_to(weights, pre)), _vector(bias, prod(post))),)


def _conv2d(pre: Shape, post: Shape, weights: Any, bias: object, probability: None = None, seed: int = 0,
            kernel: Any = None, **window: Any) -> tuple[LinearOp, ...]:
    known = ("kernel", "stride", "padding", "dilation", "groups")
    for key in window:
        check(key in known, f"conv2d has no `{key}`", did_you_mean(key, known))
    if kernel is not None:
        weights = _kernel(pre, post, weights, np.asarray(kernel), window.get("groups", 1), seed)
    check(not callable(weights), "weights of a conv2d are drawn for a kernel of some size", "add `kernel: [3, 3]`")
    bias = None if bias is None else _numbers(bias, "biases")
    return (Conv2d(_numbers(weights, "weights"), pre, bias=bias, **window),)


def _kernel(pre: Shape, post: Shape, weights: Any, size: np.ndarray, groups: Any, seed: int) -> np.ndarray:
    check(size.dtype.kind == "i" and size.shape in ((), (2,)) and size.min() > 0, f"kernel is {size.tolist()}",
          "write `kernel: 3`, or `[3, 3]` for height and width")
    check(len(pre) == len(post) == 3 and isinstance(groups, int) and groups > 0 and pre[0] % groups == 0,
          f"a kernel with {groups} groups cannot lead from {text(pre)} to {text(post)}",
          "populations of (channels, height, width), channels of the source divisible by groups")
    shape = (post[0], pre[0] // groups, *map(int, np.broadcast_to(size, 2)))
    if callable(weights):
        return weights(np.random.Generator(np.random.Philox(key=seed)), prod(shape)).reshape(shape)
    check(np.ndim(weights) == 0, f"weights of shape {text(np.shape(weights))} have a kernel of their own",
          "leave `kernel` out, or give one number or a law")
    return np.full(shape, _numbers(weights, "weights"))


def _random(pre: Shape, post: Shape, weights: Any, bias: object, probability: float | None, seed: int, **_: Any
            ) -> tuple[LinearOp, ...]:
    from scipy.sparse import coo_array
    if probability is None or not 0 <= probability <= 1:
        raise NetworkError(Diagnostic("N210", f"probability is {probability}", help="give a number in 0..1"))
    n_post, n_pre = prod(post), prod(pre)
    generator = np.random.Generator(np.random.Philox(key=seed))
    n = int(generator.binomial(n_post * n_pre, probability))
    pairs = np.sort(generator.choice(n_post * n_pre, n, replace=False, shuffle=False))
    values = weights(generator, n) if callable(weights) else _numbers(weights, "weights")
    check(np.ndim(values) == 0 or np.shape(values) == (n,), "weights of random projections are one number, or drawn")
    values = np.array(np.broadcast_to(values, (n,)), float)
    matrix = coo_array((values, (pairs // n_pre, pairs % n_pre)), (n_post, n_pre))
    return (Sparse(matrix.tocsr(), _vector(bias, n_post), pre, post),)


_OPERATORS: dict[str, Callable[..., tuple[LinearOp, ...]]] = {
    "dense": _dense, "sparse": _sparse, "one_to_one": _one_to_one, "conv2d": _conv2d, "random": _random,
}
