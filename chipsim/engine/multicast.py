"""Multicast trees: one packet per spike, copied by the routers where the paths to its targets part.

The tree of a source is the union of the fabric's own routes to its targets. A packet carries its place in the tree, a
node; a node has a branch per output, which leads to another node or to a delivery. Each target gets the spike once, and
every link of the tree carries it once.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.engine.topology import FabricPlan


@dataclass(frozen=True, eq=False)
class Trees:
    """S sources, M nodes, B branches; branches of a node stand together.

    root           int64[S] node at the source's router, -1 for a source without targets
    node_start     int64[M+1] into branches
    branch_channel int32[B]   link, or eject channel
    branch_child   int64[B]   node behind the link; -1 - k: delivery k of the source (its k-th out-axon)
    """

    root: np.ndarray
    node_start: np.ndarray
    branch_channel: np.ndarray
    branch_child: np.ndarray

    def owner(self) -> np.ndarray:
        """int64[M]: the source whose tree a node belongs to."""
        owner = np.full(len(self.node_start) - 1, -1, np.int64)
        owner[self.root[self.root >= 0]] = np.flatnonzero(self.root >= 0)
        parent = np.repeat(np.arange(len(owner)), np.diff(self.node_start))
        inner = np.flatnonzero(self.branch_child >= 0)
        while len(inner):                                 # a level of all trees at a time
            known = owner[parent[inner]] >= 0
            owner[self.branch_child[inner[known]]] = owner[parent[inner[known]]]
            inner = inner[~known]
        return owner

    def links(self, plan: FabricPlan, n_kinds: int) -> np.ndarray:
        """int64[S, n_kinds]: channels of each kind in a source's tree, injection included."""
        counts = np.zeros((len(self.root), n_kinds), np.int64)
        owner = np.repeat(self.owner(), np.diff(self.node_start))
        np.add.at(counts, (owner, plan.kind[self.branch_channel]), 1)
        counts[self.root >= 0, 0] = 1
        return counts

    def loads(self, plan: FabricPlan, endpoint: np.ndarray, spikes: np.ndarray) -> np.ndarray:
        """int64[K]: flits per channel after so many spikes of each source."""
        loads = np.zeros(plan.n_channels, np.int64)
        np.add.at(loads, self.branch_channel, spikes[np.repeat(self.owner(), np.diff(self.node_start))])
        has = self.root >= 0
        np.add.at(loads, plan.inject[endpoint[has]], spikes[has])
        return loads


def build_trees(plan: FabricPlan, endpoint: np.ndarray, out_start: np.ndarray, target: np.ndarray) -> Trees:
    """Trees of all sources.

    endpoint   int32[S] where a source injects
    out_start  int64[S+1], target int32[.]: cores its out-axons go to (each core once per source)
    """
    n_sources = len(endpoint)
    source = np.repeat(np.arange(n_sources), np.diff(out_start))
    delivery = np.arange(len(target)) - out_start[source]
    has = np.diff(out_start) > 0
    root = np.where(has, np.cumsum(has) - 1, -1)
    n_nodes = int(has.sum())
    node, here = root[source].copy(), plan.router[endpoint[source]].copy()
    there = plan.router[target]
    parents, channels, children = [], [], []
    moving = np.arange(len(source))
    while len(moving):
        home = here[moving] == there[moving]
        arrived = moving[home]
        parents.append(node[arrived])
        channels.append(plan.eject[target[arrived]])
        children.append(-1 - delivery[arrived])
        moving = moving[~home]
        channel = plan.out_channel[here[moving], plan.next_port[here[moving], there[moving]]]
        keys, first, inverse = np.unique(node[moving] * plan.n_channels + channel, return_index=True,
                                         return_inverse=True)
        parents.append(node[moving][first])
        channels.append(channel[first])
        children.append(n_nodes + np.arange(len(keys)))
        node[moving] = n_nodes + inverse
        n_nodes += len(keys)
        here[moving] = plan.to_router[channel]
    parent, channel, child = (np.concatenate(a) if a else np.zeros(0, np.int64) for a in (parents, channels, children))
    order = np.lexsort((channel, parent))
    starts = np.concatenate([[0], np.cumsum(np.bincount(parent, minlength=n_nodes))])
    return Trees(root.astype(np.int64), starts.astype(np.int64), channel[order].astype(np.int32),
                 child[order].astype(np.int64))
