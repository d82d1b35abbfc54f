"""Who goes first at an output of a clockless router.

fcfs         the earliest claim
round_robin  the next input after the last winner
oldest       the packet made first;  of equal claims, in all three, the next input after the last winner
mutex_tree   a tree of two-input mutexes, see MutexTree
"""
from __future__ import annotations

from typing import NamedTuple

POLICIES = ("fcfs", "round_robin", "oldest", "mutex_tree")


class Claim(NamedTuple):
    """On an output: since when, when its packet was made, and the input it comes from."""

    since: int
    made: int
    input: int


class Arbiter:
    """Of one output, for inputs numbered 0 to n - 1."""

    def __init__(self, policy: str, n: int):
        self.policy, self.n, self.last = policy, n, -1
        self.mutexes = MutexTree(n)

    def winner(self, claims: list[Claim]) -> int:
        """Place in the list of the claim that gets the output; all of them are in the past."""
        if self.policy == "mutex_tree":
            first = self.mutexes.winner({c.input: c.since for c in claims})
            return next(i for i, c in enumerate(claims) if c.input == first)
        rank = {"fcfs": lambda c: c.since, "round_robin": lambda c: 0, "oldest": lambda c: c.made}[self.policy]
        return min(range(len(claims)), key=lambda i: (rank(claims[i]), (claims[i].input - self.last - 1) % self.n))

    def won(self, i: int, until: int) -> None:
        """Input i is granted the output, whose cycle lasts `until`."""
        self.last = i
        self.mutexes.won(i, until)


class MutexTree:
    """Mutexes of one output, for n inputs. Nodes as in a heap: 1 is the root, the children of k are 2k and 2k + 1.

    The inputs are the leaves, in order, in neighbouring pairs; each mutex passes one of its two sides on to the mutex
    above, the root to the output. A mutex goes to the side that claimed first since it was last released. It is
    released when the output's cycle is over after a grant that went through it; if both sides claim then, it goes to
    the side that has waited. So between two it is first come, first served; under load every mutex alternates, and an
    input that shares few of them gets more than its share. The compiled twin is mutex.pxd.
    """

    def __init__(self, n: int):
        self.width = leaves(n)
        self.released = [0] * self.width        # time from which on a mutex is free for whoever claims
        self.last = [1] * self.width            # side that had it last; at the start the lower one goes first

    def winner(self, claims: dict[int, int]) -> int:
        """The input that gets the output; claims: input -> time since which it has claimed, all in the past."""
        level = {self.width + i: (at, i) for i, at in claims.items()}
        while 1 not in level:
            sides: dict[int, list[tuple[int, int, int]]] = {}
            for node, (at, i) in level.items():
                sides.setdefault(node >> 1, []).append((at, node & 1, i))
            level = {k: (min(at for at, _, _ in both), self._first(k, both)) for k, both in sides.items()}
        return level[1][1]

    def _first(self, k: int, both: list[tuple[int, int, int]]) -> int:
        """The input that mutex k passes on, of the (time, side, input) of its sides that claim."""
        return min(both, key=lambda c: (max(c[0], self.released[k]), c[1] == self.last[k]))[2]

    def won(self, i: int, until: int) -> None:
        """Input i is granted the output, whose cycle lasts `until`."""
        node = self.width + i
        while node > 1:
            self.released[node >> 1], self.last[node >> 1] = until, node & 1
            node >>= 1


def leaves(n: int) -> int:
    """Places for n inputs: the next power of two, at least 2."""
    return 1 << max(1, (n - 1).bit_length())
