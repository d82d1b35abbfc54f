"""What a run keeps on the way: spikes, states of neurons, weights of synapses that learn.

`record` names it: `outputs`, `all` or a population for spikes; `cells.v` for a state variable of a population;
`features.w` for the weights of a projection, `features.w[3]` or `features.w[0:8]` for those of the synapses onto some
neurons only. States and weights are kept after every N-th tick.
"""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from chipsim.compiler.layout import Layout, PlasticProjection
from chipsim.engine.outcome import Recording
from chipsim.errors import Diagnostic, UsageError
from chipsim.figures import count, exact

if TYPE_CHECKING:
    from chipsim.engine.schedule import Schedule

WEIGHTS = re.compile(r"w(?:\[(\d+)(?::(\d+))?\])?")
MOST_BYTES = 1 << 32                    # of states and weights kept in memory by a run that is not stored


def recording_of(layout: Layout, record: Iterable[str], packets: range = range(0), every: int = 1) -> Recording:
    """What `simulate(record=...)` names. Raises UsageError (U415)."""
    if every < 1:
        raise UsageError(Diagnostic("U415", f"states are kept after every {every} ticks", help="1 or more"))
    sources = np.zeros(layout.n_sources, bool)
    states, weights = [], []
    learning, names = {p.name: i for i, p in enumerate(layout.plastic)}, [p.name for p in layout.populations]
    for name in [record] if isinstance(record, str) else record:
        if name == "all":
            sources[:] = True
        elif name == "outputs":
            for output in layout.outputs:
                sources[layout.neurons_of(output)] = True
        elif name in names:
            sources[layout.neurons_of(name)] = True
        else:
            whose, _, variable = name.rpartition(".")
            if whose in names and variable in states_of(layout, whose):
                states.append((whose, variable))
            elif whose in learning and WEIGHTS.fullmatch(variable):
                weights.append((whose, variable))
            else:
                raise _unknown(layout, name)
    return Recording(
        sources, tuple((variable, layout.neurons_of(p)) for p, variable in states), tuple(states + weights), packets,
        tuple((learning[p], synapses_onto(layout.plastic[learning[p]], variable)) for p, variable in weights), every)


def synapses_onto(projection: PlasticProjection, variable: str) -> np.ndarray:
    """int64[m]: synapses that `w`, `w[3]` or `w[0:8]` means. UsageError (U415) for neurons that there are not."""
    found = WEIGHTS.fullmatch(variable)
    assert found
    n = len(projection.post_source)
    first, stop = int(found[1] or 0), n if found[1] is None else int(found[2] or int(found[1]) + 1)
    if not first < stop <= n:
        raise UsageError(Diagnostic("U415", f"`{projection.name}.{variable}`: no such neurons, the projection reaches "
                                    f"{count(n, 'neurons')}", help=f"0 to {n - 1}, or A:B with B at most {n}"))
    return np.flatnonzero((projection.post >= first) & (projection.post < stop))


def states_of(layout: Layout, population: str) -> dict[str, str]:
    """State variables of a population: name -> dtype."""
    return next((layout.kernels[g.model].state for g in layout.groups
                 if layout.populations[g.population].name == population), {})


def check_memory(recording: Recording, schedule: Schedule) -> None:
    """UsageError (U419) where states and weights would not fit the memory of a run that is not stored in parts."""
    per_sample = 8 * sum(len(ids) for _, ids in (*recording.probes, *recording.weights))
    samples = schedule.ticks // recording.every
    if per_sample * samples > MOST_BYTES:
        raise UsageError(Diagnostic(
            "U419", f"what is recorded takes {exact(per_sample * samples >> 20)} MB: {exact(per_sample // 8)} numbers "
            f"{exact(samples)} times; a run in memory keeps {exact(MOST_BYTES >> 20)} MB",
            help="store the run (`save`, `-o`), which keeps it on disk, record less often, or fewer of them"))


def _unknown(layout: Layout, name: str) -> UsageError:
    names = [p.name for p in layout.populations]
    plastic = [p.name for p in layout.plastic]
    weights = f"weights: {', '.join(f'{p}.w' for p in plastic)}; " if plastic else ""
    known = f"populations: {', '.join(names)}; variables: {', '.join(states_of(layout, names[-1]))}, as in " \
        f"`{names[-1]}.v`; {weights}or outputs, all"
    fixed = name.rpartition(".")[2].startswith("w") and not plastic
    return UsageError(Diagnostic("U415", f"`{name}` cannot be recorded"
                                 + (": no projection learns, so that no weight ever changes" if fixed else ""),
                                 help=known))
