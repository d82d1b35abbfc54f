"""Energy = counts × costs.

The engine counts actions; a chip's cost table has a joule for each; this is the product, by component and action. Any
cost table prices any run, because a count says nothing of any chip.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.chip.spec import ChipSpec
from chipsim.engine.run import ACTIONS, HOPS, SYNOPS, A, Run

SOP_DEFINITION = (
    "one stored synapse processed by a synapse server for one arriving spike (zero weights of dense rows included)"
)

# What the parts of a chip do. `static` (power × time) is the one component without actions.
COMPONENTS = {
    "synapse": ("synop_dense", "synop_sparse", "synop_conv", "axon_in", "row_fetch", "matrix"),
    "neuron": ("neuron_idle", "neuron_active", "spike"),
    "learning": ("learn_trace", "learn_read", "learn_update"),
    "network": ("axon_out", *HOPS),
    "host": ("host_spike",),
    "reset": ("reset",),
    "barrier": ("barrier",),
}


@dataclass(frozen=True)
class Action:
    """How often something was done, and what it took."""

    count: int
    each_J: float
    energy_J: float


@dataclass(frozen=True)
class Component:
    """A part of the chip: joules, share of the total, joules per synaptic operation (None without any)."""

    energy_J: float
    share: float | None
    per_sop_J: float | None
    actions: dict[str, Action]


@dataclass(frozen=True)
class Energy:
    """Where the joules went. `static_J` is None when the run has no times; `total_J` is then dynamic energy alone."""

    total_J: float
    dynamic_J: float
    static_J: float | None
    n_sops: int
    per_sop_J: float | None
    dynamic_per_sop_J: float | None
    per_inference_J: float | None
    mean_power_W: float | None
    by_component: dict[str, Component]


def cost_path(action: str) -> str:
    """Where a chip file says what an action takes, as a path in `ChipSpec.provenance` without its last step."""
    if action.startswith("hop_"):
        return f"fabric.channels.{action.removeprefix('hop_')}"
    return f"costs.{action}"


def joules(action: str, chip: ChipSpec) -> float:
    """Energy of one action on that chip, at its supply voltage."""
    part = getattr(chip.fabric.channels, action.removeprefix("hop_")) if action.startswith("hop_") \
        else getattr(chip.costs, action)
    return 0.0 if part is None else part.energy * chip.dynamic_scale


def mean_joules(run: Run, chip: ChipSpec) -> dict[str, float]:
    """Energy of one action on that chip, in the mean over the operating points that a run's cores worked at."""
    counts, low = run.counts.sum(axis=0), run.low_counts.sum(axis=0)
    return {a: joules(a, chip) * _eased(int(counts[A[a]]), int(low[A[a]]), chip) for a in ACTIONS if a != "barrier"}


def _eased(count: int, low: int, chip: ChipSpec) -> float:
    """What operating points make of the energy of an action that was done `low` of `count` times at the lower one."""
    dvfs = chip.core.dvfs
    return 1.0 - low / count * (1.0 - dvfs.low.cycle / dvfs.high.cycle) if dvfs and low else 1.0


def awake_energy(chip: ChipSpec, time_s: float, high_s: float | None) -> float:
    """Joules that cores at the upper operating point draw more than at the lower, besides their work.

    high_s  summed over cores; None: the run knows of no lower point, so that all were at the upper one all the time
    """
    dvfs = chip.core.dvfs
    if dvfs is None:
        return 0.0
    return (dvfs.high.asleep - dvfs.low.asleep) * (chip.n_cores * time_s if high_s is None else high_s)


def price(counts: np.ndarray, chip: ChipSpec, time_s: float | None, n_inferences: int = 0,
          low_counts: np.ndarray | None = None, high_s: float | None = None) -> Energy:
    """Price action counts (int64[..., ACTIONS], summed over leading axes) with a chip's costs.

    time_s      length of the run, for static power; None where the run has no times
    low_counts  of the counts, what was done at the lower operating point, and
    high_s      seconds of work at the upper one, summed over cores; None where the run has none
    """
    totals = np.asarray(counts).reshape(-1, len(ACTIONS)).sum(axis=0)
    low = np.zeros_like(totals) if low_counts is None else np.asarray(low_counts).reshape(-1, len(ACTIONS)).sum(axis=0)
    by_action = {
        name: {a: _act(int(totals[A[a]]), joules(a, chip) * _eased(int(totals[A[a]]), int(low[A[a]]), chip))
               for a in actions if totals[A[a]]}
        for name, actions in COMPONENTS.items()
    }
    spent = {name: sum(a.energy_J for a in actions.values()) for name, actions in by_action.items()}
    dynamic = sum(spent.values())
    static = None if time_s is None else chip.static_power * time_s + awake_energy(chip, time_s, high_s)
    total = dynamic + (static or 0.0)
    if static is not None:
        spent["static"], by_action["static"] = static, {}
    n_sops = int(sum(totals[A[s]] for s in SYNOPS))
    return Energy(
        total_J=total, dynamic_J=dynamic, static_J=static, n_sops=n_sops,
        per_sop_J=ratio(total, n_sops), dynamic_per_sop_J=ratio(dynamic, n_sops),
        per_inference_J=ratio(total, n_inferences), mean_power_W=ratio(total, time_s) if static is not None else None,
        by_component={
            name: Component(joule, ratio(joule, total), ratio(joule, n_sops), by_action[name])
            for name, joule in spent.items()
        },
    )


def ratio(part: float, whole: float | None) -> float | None:
    """part / whole, or None where there is nothing to divide by."""
    return part / whole if whole else None


def _act(n: int, each: float) -> Action:
    return Action(n, each, n * each)
