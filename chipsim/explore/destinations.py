"""Where packets go: a destination of every node, or one that each packet draws by a number of its own."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.errors import Diagnostic, UsageError
from chipsim.explore.arrivals import CHUNK, GAMMA, mixed, splitmix64, stream, unit
from chipsim.figures import count

if TYPE_CHECKING:
    from chipsim.explore.traffic import Nodes, Traffic

STREAM_PERMUTATION = 1


def targets(traffic: Traffic, nodes: Nodes, seed: int) -> np.ndarray | None:
    """int64[n] destination of every node; None where each packet draws its own."""
    name, n = traffic.pattern, nodes.n
    node = np.arange(n)
    if name in ("uniform", "hotspot", "multicast"):
        return None
    if name == "permutation":
        return np.argsort(splitmix64(stream(seed, STREAM_PERMUTATION), 0, n), kind="stable")
    if name in ("bitcomp", "bitrev", "shuffle"):
        bits = n.bit_length() - 1
        if n != 1 << bits:
            raise _undefined(name, f"needs a power of two of nodes, the chip has {n}")
        if name == "bitcomp":
            return ~node & (n - 1)
        if name == "shuffle":
            return (node << 1 | node >> max(0, bits - 1)) & (n - 1)
        return sum((node >> b & 1) << (bits - 1 - b) for b in range(bits)) + 0 * node
    columns, rows, local = nodes.columns, nodes.rows, node % nodes.per_router
    if n != columns * rows * nodes.per_router:
        raise _undefined(name, f"needs every place taken: {n} cores on {columns}x{rows} routers of {nodes.per_router}")
    x, y = node // nodes.per_router % columns, node // nodes.per_router // columns
    if name == "transpose":
        if columns != rows:
            raise _undefined(name, f"needs as many columns as rows, the chip has {columns} and {rows}")
        x, y = y, x
    elif name == "tornado":
        x, y = (x + (columns + 1) // 2 - 1) % columns, (y + (rows + 1) // 2 - 1) % rows
    else:
        x, y = (x + 1) % columns, (y + 1) % rows
    return (x + columns * y) * nodes.per_router + local


def drawn_targets(traffic: Traffic, nodes: Nodes, draw: np.ndarray) -> np.ndarray:
    """int64[p] destinations from a number per packet; [p, fanout] of the pattern multicast."""
    n = nodes.n
    if traffic.pattern == "multicast":
        if traffic.fanout > n:
            raise UsageError(Diagnostic("F519", f"packets with {count(traffic.fanout, 'targets')} on a chip of "
                                        f"{count(n, 'nodes')}", help=f"at most {n}, each node once"))
        return distinct_targets(n, traffic.fanout, draw)
    if traffic.pattern == "uniform":
        return (draw % np.uint64(n)).astype(np.int64)
    hot = np.array([h[0] for h in traffic.hotspots], np.int64)
    share = np.cumsum([h[1] for h in traffic.hotspots])
    if not len(hot):
        raise UsageError(Diagnostic("F515", "the pattern `hotspot` without hotspots: `--hotspots` is missing",
                                    help="write them with their shares of all packets, as --hotspots 27:0.3,36:0.2"))
    if hot.min() < 0 or hot.max() >= n or share[-1] > 1 + 1e-9 or min(np.diff(share, prepend=0)) <= 0:
        written = ",".join(f"{a}:{s:g}" for a, s in traffic.hotspots)
        raise UsageError(Diagnostic("F515", f"hotspots `{written}`" if written else "which nodes are hot?",
                                    help=f"give nodes 0 to {n - 1} with shares that sum to at most 1: 27:0.3,36:0.2"))
    u = unit(draw)
    which = np.searchsorted(share, u, "right")
    to = hot[np.minimum(which, len(hot) - 1)]
    if share[-1] < 1 - 1e-9:
        rest = which == len(hot)
        to[rest] = np.minimum((u[rest] - share[-1]) / (1 - share[-1]) * n, n - 1).astype(np.int64)
    return to


def distinct_targets(n: int, fanout: int, draw: np.ndarray) -> np.ndarray:
    """int64[p, fanout] of n nodes: the first places of a shuffle (Fisher and Yates), each decided by a number of the
    sequence that the packet's own number seeds."""
    to = np.empty((len(draw), fanout), np.int64)
    some = max(1, CHUNK // n)                               # packets whose places are held at a time
    step = GAMMA * np.arange(1, fanout + 1, dtype=np.uint64)
    for first in range(0, len(draw), some):
        own = draw[first : first + some]
        rows, place = np.arange(len(own)), np.tile(np.arange(n), (len(own), 1))
        for i in range(fanout):
            j = i + (mixed(own + step[i]) % np.uint64(n - i)).astype(np.int64)
            to[first : first + some, i] = place[rows, j]
            place[rows, j] = place[:, i]
    return to


def _undefined(name: str, why: str) -> UsageError:
    return UsageError(Diagnostic("F512", f"pattern `{name}` {why}",
                                 help="uniform, permutation and hotspot are defined on every fabric"))
