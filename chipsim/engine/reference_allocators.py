"""Allocators of clocked routers, plainly: who of those that ask gets which output.

One class serves virtual channels and the switch. Requests are wants[input][output] = rank, less is more urgent; a
match gives an input one output and an output one input. Pointers move past a winner, and only when a match is made.

islip        every output offers itself to the next input after its pointer, an input takes the next offer after its
             own; `iterations` times among those without a match, pointers moving in the first (McKeown 1999). No ranks
round_robin  every input asks for the next output after its pointer, an output takes the next input; ranks go first
wavefront    all requests on a diagonal of the matrix are served at once, then the next diagonal, from one that moves on
             with every allocation (Tamir and Chi 1993); ranks one after the other

As BookSim 2's `islip`, `separable_input_first` and `wavefront` do, with its round-robin arbiters.
"""
from __future__ import annotations

Rank = tuple[int, ...]
Wants = dict[int, dict[int, Rank]]


class Allocator:
    """Pointers of one allocator of one router."""

    def __init__(self, kind: str, n_inputs: int, n_outputs: int, iterations: int = 1):
        self.kind, self.iterations = kind, iterations
        self.accept, self.grant = [0] * n_inputs, [0] * n_outputs       # next output of an input, input of an output
        self.diagonal = 0

    def match(self, wants: Wants) -> dict[int, int]:
        """Input -> output."""
        wants = {i: outputs for i, outputs in wants.items() if outputs}
        if not wants:
            return {}
        return {"islip": self.islip, "round_robin": self.round_robin, "wavefront": self.wavefront}[self.kind](wants)

    def islip(self, wants: Wants) -> dict[int, int]:
        matched: dict[int, int] = {}
        for iteration in range(self.iterations):
            asked: dict[int, list[int]] = {}
            for i, outputs in wants.items():
                for o in outputs:
                    if i not in matched and o not in matched.values():
                        asked.setdefault(o, []).append(i)
            offers: dict[int, list[int]] = {}
            for o, inputs in asked.items():
                offers.setdefault(following(inputs, self.grant[o], len(self.accept)), []).append(o)
            for i, outputs in offers.items():
                matched[i] = following(outputs, self.accept[i], len(self.grant))
                if iteration == 0:
                    self.moved(i, matched[i])
        return matched

    def round_robin(self, wants: Wants) -> dict[int, int]:
        asked: dict[int, dict[int, Rank]] = {}
        for i, ranks in wants.items():
            first = [o for o in ranks if ranks[o] == min(ranks.values())]
            o = following(first, self.accept[i], len(self.grant))
            asked.setdefault(o, {})[i] = ranks[o][:2]
        matched = {}
        for o, ranks in asked.items():
            first = [i for i in ranks if ranks[i] == min(ranks.values())]
            i = following(first, self.grant[o], len(self.accept))
            matched[i] = o
            self.moved(i, o)
        return matched

    def wavefront(self, wants: Wants) -> dict[int, int]:
        matched: dict[int, int] = {}
        square = max(len(self.accept), len(self.grant))
        for rank in sorted({rank for ranks in wants.values() for rank in ranks.values()}):
            for p in range(square):
                for o in range(square):
                    i = (self.diagonal + p - o) % square
                    if wants.get(i, {}).get(o) == rank and i not in matched and o not in matched.values():
                        matched[i] = o
        self.diagonal = (self.diagonal + 1) % square
        return matched

    def moved(self, i: int, o: int) -> None:
        self.grant[o], self.accept[i] = (i + 1) % len(self.accept), (o + 1) % len(self.grant)


def following(places: list[int], pointer: int, n: int) -> int:
    """The first of them at or cyclically after the pointer."""
    return min(places, key=lambda k: (k - pointer) % n)
