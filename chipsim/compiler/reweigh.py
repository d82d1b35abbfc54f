"""New weights on an old layout: after more training, the same cores, axon tables and synapse memory."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

import numpy as np

from chipsim.compiler.allocate import allocate
from chipsim.compiler.compile import PASSES, draft_of
from chipsim.compiler.draft import Piece
from chipsim.compiler.layout import Layout
from chipsim.compiler.partitioning.partition import partition
from chipsim.compiler.placing.place import place
from chipsim.errors import Diagnostic, UsageError
from chipsim.network.graph import Network

RENEWED = ("weight", "params", "bank_shift", "first_input", "models", "usage", "approximations", "notes", "plastic")


def reweigh(layout: Layout, network: Network | str, *, approximate: Iterable[str] = (),
            rates: Mapping[str, np.ndarray] | None = None,
            progress: Callable[[str], None] | None = None) -> Layout:
    """The layout with the weights and parameters of `network`, which has the populations and synapses of the one it was
    compiled from; equal to compiling it with the same partition and placement. Everything but weights, neuron
    parameters and the account of their rounding is the old layout's own arrays. `rates`, as for compile, have to be
    those of the old one: ranges of converters and ring buffers depend on them. `progress` is called with the name of
    each pass as it begins.

    Raises UsageError U423 when the network has other populations, synapses or delays; ExpressError as compile does.
    """
    draft = draft_of(network, layout.chip, approximate=approximate, rates=rates)
    here = [(p.name, tuple(p.shape)) for p in layout.populations]
    there = [(p.name, tuple(p.shape)) for p in draft.network.populations.values()]
    if here != there:
        raise _other("populations: " + ", ".join(f"{name} {list(shape)}" for name, shape in there))
    for step in PASSES:
        if progress:
            progress(step.__name__)
        if step is partition:
            draft = replace(draft, cores=_pieces(layout), merit={"cores": layout.n_cores})
        elif step is place:
            draft = replace(draft, places=layout.cores)
        else:
            draft = step(draft)
    result = allocate(draft, ())
    for f in fields(Layout):
        old, new = getattr(layout, f.name), getattr(result, f.name)
        if f.name not in RENEWED and isinstance(old, np.ndarray) and not np.array_equal(old, new):
            raise _other(f"synapses or delays (`{f.name}` differs)")
    return replace(layout, **{name: getattr(result, name) for name in RENEWED})


def _pieces(layout: Layout) -> tuple[tuple[Piece, ...], ...]:
    """What stands on each core, in slot order."""
    cores: list[list[Piece]] = [[] for _ in range(layout.n_cores)]
    for g in layout.groups:
        units = layout.population_index[g.start : g.stop].astype(np.int64)
        cores[g.core].append(Piece.of(g.population, units))
    return tuple(map(tuple, cores))


def _other(what: str) -> UsageError:
    return UsageError(Diagnostic("U423", f"this is not the layout's network with other weights: it has other {what}",
                                 help="compile it anew; a weight that became zero counts as a synapse less"))
