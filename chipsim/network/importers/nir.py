"""NIR graphs as networks: every primitive of nir 1.0.8, in the step semantics of a dialect.

1. dissolve nested graphs (nir_graph.py)   2. cut the loops: an edge that closes one delivers the previous step's value,
as in every framework   3. infer shapes along the edges (nir_ops.py)   4. every path of linear nodes from one neuron or
input to the next becomes a projection; a bias that several paths pass is kept on one of them.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from chipsim.models.neurons import parameters_of
from chipsim.network.dialect import NOT_SAID, TIME_UNITS, Dialect, choose
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.importers.nir_graph import Graph, Node, read_graph
from chipsim.network.importers.nir_ops import LINEAR, declared_input, linear_ops, squeeze
from chipsim.network.linear import Delay, LinearOp, Reshape, text
from chipsim.network.validate import did_you_mean, validate

NEURONS = {"I": "integrator", "LI": "leaky", "IF": "integrate_fire", "LIF": "lif", "CubaLI": "cuba_leaky",
           "CubaLIF": "cuba_lif", "Threshold": "threshold"}
Edge = tuple[str, str]


def load_nir(source: object, *, dialect: str | None = None, name: str | None = None, **overrides: object) -> Network:
    """Network from a .nir path or a nir.NIRGraph.

    dialect    exact (default), snntorch, norse, sinabs, rockpool; see chipsim.network.dialect. Without one, the graph's
               metadata may name it (`dialect`, and `dt` in seconds).
    overrides  dt, time_unit, reset, multispike, v_min, integrator, compare

    Raises NetworkError that names the node.
    """
    graph = read_graph(source)
    if dialect is None and "dialect" in graph.metadata:
        dialect = str(graph.metadata["dialect"])
        if overrides.get("dt") is None and "dt" in graph.metadata:
            overrides["dt"] = float(graph.metadata["dt"])
        graph.notes.append(f"dialect `{dialect}` is what the file's metadata says")
    chosen = choose(dialect or "exact", **overrides)
    given = {k for k, v in overrides.items() if v is not None}
    importer = _Importer(graph, chosen)
    graph.notes += importer.assumptions(given, dialect is not None)
    network = Network(name or Path(graph.origin).stem, importer.populations, tuple(importer.projections),
                      tuple(importer.outputs), chosen.dt, chosen.name, tuple(graph.notes), graph.origin)
    return validate(network)


class _Importer:
    def __init__(self, graph: Graph, dialect: Dialect):
        self.graph, self.dialect = graph, dialect
        self.unit = TIME_UNITS[dialect.time_unit] if dialect.dt else 1.0         # seconds, or ticks, per unit of time
        self.sources: dict[str, list[str]] = {k: [] for k in graph.nodes}
        self.targets: dict[str, list[str]] = {k: [] for k in graph.nodes}
        for a, b in graph.edges:
            self.sources[b].append(a)
            self.targets[a].append(b)
        for node in graph.nodes.values():
            self._check_type(node)
        self.stops = {k for k, n in graph.nodes.items() if n.type in NEURONS
                      or (n.type == "Input" and not self.sources[k]) or (n.type == "Output" and not self.targets[k])}
        order, loops = self._loops(graph.edges, self._roots())
        late = [(a, b) for a, b in graph.edges if self._always_late(graph.nodes[a])]
        self.cut = self._loops([e for e in graph.edges if e not in set(late)], order)[1] if late else loops

        self.populations: dict[str, Population] = {}
        self.ops: dict[str, tuple[LinearOp, ...]] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for name in order:
            before = [shapes[a] for a in self.sources[name] if (a, name) not in loops]
            with graph.naming(graph.nodes[name]):
                shapes[name] = self._shape(graph.nodes[name], before)
        inputs = [k for k in graph.nodes if k in self.populations and graph.nodes[k].type == "Input"]
        self.populations = {k: self.populations[k] for k in (*inputs, *order) if k in self.populations}
        self.projections: list[Projection] = []
        self.outputs: list[str] = []
        for name in graph.nodes:
            if name in self.stops:
                self._collect(graph.nodes[name], shapes[name])
        if not self.outputs:
            self.outputs = [k for k in self.populations if not self.targets[k] and graph.nodes[k].type in NEURONS]
            graph.notes.append(f"the graph has no Output; read out: {', '.join(self.outputs) or 'nothing'}")

    def assumptions(self, given: set[str], dialect_given: bool) -> list[str]:
        """What the file did not say and the dialect decided, one sentence each."""
        d, notes = self.dialect, []
        neurons = [p for p in self.populations.values() if p.params]
        if not dialect_given:
            notes.append(NOT_SAID)
        if d.dt is None:
            notes.append("time constants are in ticks, as sinabs writes them")
        elif "dt" not in given:
            notes.append(f"NIR stores no time step; dt = {d.dt:g} s is assumed")
        if d.dt and "time_unit" not in given:
            notes.append("NIR stores no unit of time; seconds are assumed, as frameworks write them")
        if "reset" not in given and any("v_threshold" in p.params for p in neurons):
            notes.append(f"NIR stores no reset rule; reset is `{'multispike' if d.multispike else d.reset}`")
        if d.reset == "zero" or d.multispike:
            ignored = [p.name for p in neurons if np.any(p.params.get("v_reset", 0))]
            if ignored:
                notes.append(f"v_reset of {', '.join(ignored)} is not used by this reset rule")
        if d.integrator == "rockpool" and neurons:
            notes.append("r and w_in are not used, as in rockpool")
        for p in neurons:
            taus = [np.max(v) for k, v in p.params.items() if k.startswith("tau")]
            if d.dt and taus and max(taus) > 1e4 * d.dt:
                notes.append(f"time constants of `{p.name}` are up to {max(taus) / d.dt:.3g} ticks: check dt and the "
                             "unit of time")
        return notes

    def _check_type(self, node: Node) -> None:
        if node.type not in NEURONS and node.type not in LINEAR and node.type not in ("Input", "Output"):
            known = [*NEURONS, *LINEAR, "Input", "Output", "NIRGraph"]
            raise self.graph.refuse(f"node `{node.name}` has the type {node.type}, which NIR 1.0.8 does not have",
                                    did_you_mean(node.type, known) + "; replace the layer before exporting")

    def _always_late(self, node: Node) -> bool:
        if node.type != "Delay":
            return False
        with self.graph.naming(node):
            return bool(np.min(node.params["delay"]) * self._ticks_per_unit() >= 0.5)

    def _ticks_per_unit(self) -> float:
        return self.unit / (self.dialect.dt or 1.0)

    def _roots(self) -> list[str]:
        """Where a search through the graph begins: at inputs; then neurons, so that loops are entered at neurons."""
        rank = {"Input": 0} | dict.fromkeys(NEURONS, 1)
        return sorted(self.graph.nodes, key=lambda k: rank.get(self.graph.nodes[k].type, 2))

    def _loops(self, edges: Iterable[Edge], roots: list[str]) -> tuple[list[str], set[Edge]]:
        """Depth-first search: nodes in topological order, and the edges that close a loop and are left out of it."""
        after: dict[str, list[str]] = {k: [] for k in self.graph.nodes}
        for a, b in edges:
            after[a].append(b)
        done: list[str] = []
        state: dict[str, int] = {}
        cut: set[Edge] = set()
        for root in roots:
            if root in state:
                continue
            state[root] = 1
            stack = [(root, iter(after[root]))]
            while stack:
                name, rest = stack[-1]
                for b in rest:
                    if state.get(b) == 1:
                        cut.add((name, b))
                    elif b not in state:
                        state[b] = 1
                        stack.append((b, iter(after[b])))
                        break
                else:
                    state[name] = 2
                    done.append(name)
                    stack.pop()
        return done[::-1], cut

    def _shape(self, node: Node, incoming: list[tuple[int, ...]]) -> tuple[int, ...]:
        """Shape of what a node emits; adds its population, or its operators."""
        graph, name = self.graph, node.name
        shape = incoming[0] if incoming else None
        for other in incoming:
            if prod(other) != prod(shape):
                raise graph.refuse(f"node `{name}` ({node.type}) sums inputs of different shapes: {text(shape)} and "
                                   f"{text(other)}", "check the nodes before it")
        origin = f"{graph.origin}: node {name}"
        if node.type in NEURONS:
            self.populations[name] = self._population(node, shape, origin)
            return self.populations[name].shape
        declared = node.params.get("shape")
        if node.type == "Input" and name in self.stops:
            if declared is None:
                raise graph.refuse(f"input `{name}` has no shape", "export the network again")
            shape = tuple(int(n) for n in np.atleast_1d(declared))
            real = declared_input(shape, next((n for n in map(graph.nodes.get, self._beyond(name))), None))
            if real != shape:
                graph.notes.append(f"input `{name}` is declared as {text(shape)}; without the batch dimension it is "
                                   f"{text(real)}")
            self.populations[name] = Population(name, real, "input", origin=origin)
            return real
        if shape is None:
            raise graph.refuse(f"node `{name}` ({node.type}) receives nothing", "connect it, or remove it")
        if node.type in ("Input", "Output"):
            if declared is not None and prod(np.atleast_1d(declared).tolist()) != prod(shape):
                graph.notes.append(f"`{name}` declares the shape {text(np.atleast_1d(declared).tolist())} but gets "
                                   f"{text(shape)}; the latter counts")
            self.ops[name] = ()
            return shape
        self.ops[name] = linear_ops(graph, node, shape, self._ticks_per_unit())
        return self.ops[name][-1].out_shape if self.ops[name] else shape

    def _beyond(self, name: str) -> Iterator[str]:
        """Nodes that `name` feeds, looking through the ports of nested graphs."""
        for b in self.targets[name]:
            if self.graph.nodes[b].type in ("Input", "Output") and b not in self.stops:
                yield from self._beyond(b)
            elif self.graph.nodes[b].type != "Flatten":
                yield b

    def _population(self, node: Node, shape: tuple[int, ...] | None, origin: str) -> Population:
        graph, model = self.graph, NEURONS[node.type]
        known = parameters_of(model)
        params = {k: np.asarray(node.params[k], float) for k in known if node.params.get(k) is not None}
        if missing := [k for k in known if k not in params and k not in ("v_reset", "w_in", "refractory")]:
            raise graph.refuse(f"node `{node.name}` ({node.type}) lacks the parameter {', '.join(missing)}",
                               "export the network again with a newer version of the framework")
        try:
            own = np.broadcast_shapes(*(v.shape for v in params.values()))
        except ValueError:
            shapes = ", ".join(f"{k} {text(v.shape)}" for k, v in params.items())
            raise graph.refuse(f"node `{node.name}` ({node.type}): parameters have different shapes: {shapes}",
                               "give every parameter the shape of the neurons") from None
        if shape is None:
            shape = squeeze(own, 1) or (1,)
        elif prod(own) == prod(shape):
            shape = squeeze(own, len(shape)) if len(own) >= len(shape) else shape
        for k, v in params.items():
            fits = v.reshape(shape) if v.size == prod(shape) else v.reshape(()) if v.size == 1 else v
            try:
                np.broadcast_to(fits, shape)
            except ValueError:
                raise graph.refuse(f"node `{node.name}` ({node.type}): {k} has the shape {text(v.shape)}, but the node "
                                   f"gets {text(shape)}", "check the node before it") from None
            params[k] = fits * self.unit if known[k].unit == "s" else fits
        return Population(node.name, shape, model, params, self.dialect.options(model, params), origin)

    def _collect(self, node: Node, shape: tuple[int, ...]) -> None:
        """Projections onto a neuron or an output."""
        paths = list(self._paths(node.name, ()))
        if node.type == "Output":
            if len(paths) == 1:
                source, chain, edges = paths[0]
                plain = all(isinstance(op, Reshape) for k in chain for op in self.ops[k]) and not set(edges) & self.cut
                if plain and self.graph.nodes[source].type in NEURONS:
                    self.outputs.append(source)
                    return
            self.outputs.append(node.name)
            origin = f"{self.graph.origin}: node {node.name}"
            self.populations[node.name] = Population(node.name, shape, "relay", origin=origin)
        for source, chain, edges in paths:
            ops: list[LinearOp] = []
            first = True                                  # whether this path is the one that brings the node's bias
            for name, edge in zip(chain, edges, strict=False):
                first = first and edge == self._bearer(name)
                ops += self.ops[name] if first else [_without_bias(op) for op in self.ops[name]]
            kept, delay = _lift_delays(ops, sum(e in self.cut for e in edges))
            origin = f"{self.graph.origin}: node {chain[-1] if chain else node.name}"
            name = " -> ".join((source, *chain, node.name))
            self.projections.append(Projection(source, node.name, kept, delay, name=name, origin=origin))

    def _bearer(self, name: str) -> Edge:
        """Of the edges into a linear node, the one whose path brings its bias: never one that closes a loop."""
        edges = [(a, name) for a in self.sources[name]]
        return next((e for e in edges if e not in self.cut), edges[0])

    def _paths(self, name: str, seen: tuple[str, ...]) -> Iterator[tuple[str, list[str], list[Edge]]]:
        """Every way from a neuron or input to `name`: source, linear nodes on the way, edges."""
        if name in seen:
            raise self.graph.refuse(f"nodes {', '.join(seen[seen.index(name):])} form a loop without a neuron",
                                    "put a neuron or remove an edge", "N243")
        for a in self.sources[name]:
            if a in self.stops:
                yield a, [], [(a, name)]
            else:
                for source, chain, edges in self._paths(a, (*seen, name)):
                    yield source, [*chain, a], [*edges, (a, name)]


def _without_bias(op: LinearOp) -> LinearOp:
    return op if op.bias is None else replace(op, bias=None)


def _lift_delays(ops: list[LinearOp], delay: int) -> tuple[tuple[LinearOp, ...], int]:
    """Make the part of a Delay that all elements share a delay of the projection, unless a bias comes behind it."""
    kept: list[LinearOp] = []
    for i, op in enumerate(ops):
        if isinstance(op, Delay) and all(o.bias is None for o in ops[i:]):
            common = int(op.ticks.min())
            delay += common
            if np.all(op.ticks == common):
                continue
            op = Delay(op.ticks - common)
        kept.append(op)
    return tuple(kept), delay
