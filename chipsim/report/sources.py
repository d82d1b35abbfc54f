"""Who says so: the numbers of the chip files that a report rests on, by source and by how well they are known."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chipsim.chip.spec import ChipSpec, Provenance
from chipsim.report.cost import Energy, cost_path, ratio

KINDS = ("published", "measured", "derived", "estimated", "unstated")
UNNAMED = ("estimated", "unstated")                     # kinds that no publication stands behind


@dataclass(frozen=True)
class Number:
    """A number of a chip file that a report used.

    value     as written, with its unit
    energy_J  joules of the report that it priced; None for times, whose effect is not a product
    share     of the report's energy
    """

    path: str
    value: str
    kind: str
    source: str
    note: str
    energy_J: float | None
    share: float | None


@dataclass(frozen=True)
class Sources:
    """How many numbers came from which source and are of which kind, and every number, dearest first."""

    by_source: dict[str, int]
    by_kind: dict[str, int]
    estimated_share: float | None
    numbers: tuple[Number, ...]


def sources_of(energy: Energy, priced_by: ChipSpec, simulated: ChipSpec, timed: bool) -> Sources:
    """Numbers with an energy come from the chip that prices, times from the chip that was simulated."""
    joules: dict[str, float] = {}
    for component in energy.by_component.values():
        for action, done in component.actions.items():
            joules[f"{cost_path(action)}.energy"] = done.energy_J
    if energy.static_J is not None:
        joules["costs.static.power"] = energy.static_J
    numbers = [_number(path, priced_by, joule, energy.total_J) for path, joule in joules.items()
               if path in priced_by.provenance]
    numbers += [_number(path, priced_by, None, 0.0) for path in priced_by.provenance
                if priced_by.voltage is not None and path.startswith(("voltage", "costs.voltage."))]
    numbers += [_number(path, priced_by, None, 0.0) for path in priced_by.provenance if path.startswith("core.dvfs.")]
    if timed:
        used = {path.removesuffix("energy") for path in joules} - {"costs.static.power"}
        used |= {"tick.period", "continuous.", "schedule."}
        used |= {"fabric.flit_bits", "fabric.packet_bits"} if simulated.schedule else set()
        numbers += [_number(path, simulated, None, 0.0) for path in simulated.provenance
                    if not path.endswith(".energy") and any(path.startswith(prefix) for prefix in used)]
    numbers.sort(key=lambda n: (-(n.energy_J or 0.0), n.energy_J is None, n.path))
    kinds = Counter(n.kind for n in numbers)
    guessed = [n.energy_J or 0.0 for n in numbers if n.kind in UNNAMED]
    return Sources(
        by_source=dict(Counter(source_key(n) for n in numbers).most_common()),
        by_kind={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        estimated_share=sum(guessed) / energy.total_J if energy.total_J else None,
        numbers=tuple(numbers),
    )


def source_key(number: Number) -> str:
    """The key that a source starts with ("davies2018, table 2" -> "davies2018"); what has none is named by its kind."""
    if number.kind in UNNAMED or not number.source:
        return number.kind
    return number.source.partition(",")[0].partition(":")[0].strip()


def written(p: Provenance) -> str:
    """A number as its file has it, with what it counts where the file has it plain: "23.6 pJ", "1024 neurons"."""
    if p.value_text[-1:].isalpha() or not p.unit:
        return p.value_text
    return f"{p.value_text} {p.unit.removesuffix('s') if p.value_text == '1' else p.unit}"


def _number(path: str, chip: ChipSpec, joule: float | None, total: float) -> Number:
    p = chip.provenance[path]
    return Number(path, written(p), p.kind, p.source, p.note, joule, None if joule is None else ratio(joule, total))
