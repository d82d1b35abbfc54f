"""Read a NIR graph, from HDF5 or from `nir` objects, as plain nodes and edges with nested graphs dissolved.

File format: /node/type, /node/edges (pairs of names), /node/nodes/<name>/{type, parameters}; see nir 1.0.8
serialization.py. We parse it ourselves: `nir.read` refuses files that frameworks did write (batch dimension left in
the input, scalar parameters, edges to a name that became `name.input`).
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.files import DAMAGE
from chipsim.network.validate import did_you_mean


@dataclass
class Node:
    """A primitive: its NIR type and parameters (arrays, numbers, strings)."""

    name: str
    type: str
    params: dict[str, object] = field(default_factory=dict)


@dataclass
class Graph:
    """Flat graph: names of nested nodes are joined by `.`; order of nodes and edges is that of the file."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    metadata: dict[str, object]
    origin: str
    notes: list[str] = field(default_factory=list)

    def refuse(self, message: str, help: str = "", code: str = "N240") -> NetworkError:
        return NetworkError(Diagnostic(code, message, file=self.origin, help=help))


    @contextmanager
    def naming(self, node: Node) -> Iterator[None]:
        """Whatever goes wrong inside is said of this node."""
        where = f"node `{node.name}` ({node.type})"
        try:
            yield
        except NetworkError as e:
            first = e.diagnostics[0]
            if first.file:
                raise
            raise self.refuse(f"{where}: {first.message}", first.help, first.code) from e
        except KeyError as e:
            raise self.refuse(f"{where} lacks the parameter {e}", "export the network again") from e
        except (TypeError, ValueError, IndexError, OverflowError) as e:
            raise self.refuse(f"{where}: a parameter has the wrong kind or shape ({e})", "export it again") from e


def read_graph(source: object) -> Graph:
    """Graph from the path of a .nir file or a `nir.NIRGraph`. Raises NetworkError."""
    if isinstance(source, str | os.PathLike):
        tree, origin = _from_file(Path(source)), str(source)
    else:
        tree, origin = _from_object(source), f"{type(source).__module__.split('.')[0]}.{type(source).__name__}"
    metadata = tree.get("metadata")
    graph = Graph({}, [], metadata if isinstance(metadata, dict) else {}, origin)
    _flatten(tree, "", graph)
    _connect(graph)
    return graph


def _from_file(path: Path) -> dict:
    import h5py

    def fail(message: str, help: str = "export the network with nir.write(path, graph)") -> NetworkError:
        return NetworkError(Diagnostic("N241", message, file=str(path), help=help))

    if not path.is_file():
        raise fail(f"there is no file {path}", "check the path")
    try:
        with h5py.File(path, "r") as f:
            if not isinstance(f.get("node/nodes"), h5py.Group):
                raise fail("not a NIR graph: HDF5 without /node/nodes")
            return _tree(f["node"])
    except DAMAGE as e:
        raise fail("not a NIR graph: not an HDF5 file, or a damaged one") from e


def _tree(group) -> dict:
    import h5py
    return {k: _tree(v) if isinstance(v, h5py.Group) else _plain(v[()]) for k, v in group.items()}


def _plain(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def _from_object(graph: object) -> dict:
    if not hasattr(graph, "nodes") or not hasattr(graph, "edges"):
        raise NetworkError(Diagnostic("N242", f"cannot make a network of a {type(graph).__name__}",
                                      help="give a path (.nir, .yaml, .h5) or a nir.NIRGraph"))
    nodes = {}
    for name, node in graph.nodes.items():
        if hasattr(node, "nodes"):
            nodes[name] = _from_object(node)
            continue
        nodes[name] = vars(node) | {"type": type(node).__name__}
        for key in ("input_type", "output_type"):
            shapes = vars(node).get(key) or {}
            nodes[name][key] = next(iter(shapes.values()), None)
        if nodes[name]["type"] in ("Input", "Output"):
            nodes[name]["shape"] = nodes[name]["input_type" if nodes[name]["type"] == "Input" else "output_type"]
    return {"type": "NIRGraph", "nodes": nodes, "edges": graph.edges, "metadata": getattr(graph, "metadata", {})}


def _flatten(tree: dict, prefix: str, graph: Graph) -> None:
    """Add the nodes and edges of a (sub)graph; edges keep the names they have, joined with the prefix."""
    nodes = tree.get("nodes", {})
    if not isinstance(nodes, dict) or not all(isinstance(n, dict) for n in nodes.values()):
        place = f"nested graph `{prefix[:-1]}`" if prefix else "the graph"
        raise graph.refuse(f"{place} has something else than nodes among its nodes", "export the network again")
    for name, node in nodes.items():
        kind = node.get("type")
        if isinstance(kind, str) and kind == "NIRGraph":
            _flatten(node, f"{prefix}{name}.", graph)
        else:
            graph.nodes[prefix + name] = Node(prefix + name, str(kind), {k: v for k, v in node.items() if k != "type"})
    graph.edges += [(prefix + str(_plain(a)), prefix + str(_plain(b))) for a, b in _pairs(tree.get("edges", ()), graph)]


def _pairs(edges: object, graph: Graph) -> list:
    pairs = list(edges) if np.iterable(edges) else [()]
    if any(np.ndim(e) != 1 or len(e) != 2 for e in pairs):
        raise graph.refuse("an edge does not have two ends", "edges are pairs of node names")
    return pairs


def _connect(graph: Graph) -> None:
    """Let edges that name a nested graph end at its input or begin at its output; refuse names that do not exist."""
    def resolve(name: str, port: str, edge: tuple[str, str]) -> str:
        if name in graph.nodes:
            return name
        ports = [n for n in graph.nodes.values() if n.type == port and n.name.rpartition(".")[0] == name]
        if len(ports) == 1:
            return ports[0].name
        inside = [n for n in graph.nodes if n.startswith(f"{name}.")]
        if inside:
            raise graph.refuse(f"edge {edge[0]} -> {edge[1]} names the nested graph `{name}`, which has {len(ports)} "
                               f"nodes of type {port}", f"name one of its nodes: {', '.join(inside)}")
        prefix = name.rpartition(".")[0]
        near = [n for n in graph.nodes if n.rpartition(".")[0] == prefix]
        place = f"nested graph `{prefix}`" if prefix else "graph"
        raise graph.refuse(f"edge {edge[0]} -> {edge[1]} names node `{name}`, which the {place} does not have",
                           did_you_mean(name, near) + "; rename the node, or export again with a newer framework")

    edges = [(resolve(a, "Output", (a, b)), resolve(b, "Input", (a, b))) for a, b in graph.edges]
    graph.edges = list(dict.fromkeys(edges))
    if len(graph.edges) < len(edges):
        graph.notes.append(f"{len(edges) - len(graph.edges)} duplicate edges were dropped")
