"""What a chip is. The field is the documentation; SI units inside; the YAML file carries units, sources and provenance.

A ChipSpec is frozen and complete: `load.py` makes one from a chip file, `ChipSpec.from_dict` from a stored run, and
either way it has passed the ranges declared here and the rules of `rules.py`.
"""
from __future__ import annotations

from collections import Counter
from html import escape
from math import log
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from chipsim.chip.core import Core
from chipsim.chip.costs import Costs
from chipsim.chip.fabric import Fabric
from chipsim.chip.fields import Part, count, numbers_of, quantity
from chipsim.chip.rules import broken
from chipsim.errors import ChipError, Diagnostic

Kind = Literal["published", "measured", "derived", "estimated", "unstated"]


class Provenance(BaseModel):
    """Who says so: the number as written, its SI unit or what it counts, and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    value_text: str
    unit: str
    source: str = ""            # starts with a key of the chip's `sources`
    kind: Kind = "unstated"
    note: str = ""


class Tick(Part):
    """Tick of chips with time base `fixed_tick`."""

    period: float = quantity("s", gt=0, doc="length of a tick, whatever there is to do in it")
    late: Literal["stretch", "next_tick", "drop"] = Field(
        "stretch", description="what becomes of packets that a core has not dealt with when the period ends. stretch: "
        "the tick lasts until they are; next_tick: they act as many ticks later; drop: never")


class System(Part):
    """Several chips that work together: chips of a mesh or torus, side by side."""

    chips: tuple[Annotated[int, count("chips", ge=1, doc="chips in a row or column")], int] = Field(
        description="chips in a row and in a column; links between them are of class `interchip`")


class Continuous(Part):
    """Time of chips with time base `continuous`: a tick is the step in which neurons are integrated."""

    acceleration: int = count("times", ge=1, doc="how many times as fast as the network's own time the chip runs")
    step: float = quantity("s", gt=0, doc="hardware time of a tick where the network has no dt; else dt / acceleration")


class FrameSchedule(Part):
    """Time of chips with time base `static_schedule`: a tick is a frame, in which each layer (a population, with the
    projections onto it) is evaluated whole, one after the other, at times fixed by the compiler.

    `costs.matrix` is a cycle of a core's multipliers; a flit of the fabric is what crosses a link in a cycle of its
    channel, `fabric.packet_bits` an activation."""

    operations: dict[Annotated[int, count("bit", ge=1, le=32, doc="bits of a layer's weights")],
                     Annotated[int, count("operations", ge=1, doc="of a core in a cycle at that precision")]] = Field(
        min_length=1, description="bits of a layer's weights: multiplications and additions of a core in a cycle")
    fill: int = count("cycles", ge=0, doc="from a layer's last input to the first result, in which nothing is done")


class Source(BaseModel):
    """A publication, data set or program that numbers come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cite: str = Field(description="authors, title, where, year")
    url: str | None = Field(None, description="where to read it")


class ChipSpec(Part):
    """A chip: fabric, cores, memories, the model it computes, its time base, what each action costs and who says so.

    All numbers are in SI units (s, J, W) or plain counts. `provenance` has an entry for every number, under its dotted
    path: `chip.provenance["costs.synop_dense.energy"].source`. Raises pydantic.ValidationError on wrong values.
    """

    name: str = Field(description="name of the chip on the command line and in reports", min_length=1)
    title: str = Field(description="name of the chip in words")
    year: int | None = Field(None, description="year of publication")
    status: Literal["silicon", "model", "hypothetical"] = Field(
        description="silicon: it was made; model: somebody else's design study; hypothetical: nobody's chip yet")
    description: str = Field("", description="what the file describes, and what it leaves out")
    sources: dict[str, Source] = Field(
        default_factory=dict, description="key: publication; every `source` starts with one of these keys")
    time_base: Literal["barrier", "fixed_tick", "continuous", "static_schedule", "untimed"] = Field(
        description="barrier: a tick ends when all cores are done and have met; fixed_tick: after a fixed period; "
        "continuous: neurons live in time of their own, spikes act when they arrive; static_schedule: layers are "
        "evaluated whole, by a schedule made at compile time; untimed: no time at all")
    voltage: float | None = quantity("V", gt=0, default=None, doc="supply voltage; null: the one its costs hold at")
    tick: Tick | None = Field(None, description="of chips with time base `fixed_tick`; null: no fixed tick")
    system: System | None = Field(None, description="several chips; null: one chip")
    continuous: Continuous | None = Field(None, description="of chips with time base `continuous`; null: on others")
    schedule: FrameSchedule | None = Field(
        None, description="of chips with time base `static_schedule`; null: on others")
    fabric: Fabric
    core: Core
    costs: Costs
    provenance: dict[str, Provenance] = Field(default_factory=dict, json_schema_extra={"computed": True})

    @field_validator("fabric")
    @classmethod
    def _of_all_chips(cls, fabric: Fabric, info: ValidationInfo) -> Fabric:
        system = info.data.get("system")
        return fabric.model_copy(update={"chips": system.chips if system else None})

    @model_validator(mode="after")
    def _whole(self) -> ChipSpec:
        if misfits := broken(self):
            raise ValueError("; ".join(m.message for m in misfits))
        stated = self.provenance
        complete = {path: stated.get(path) or Provenance(value_text=text, unit=unit)
                    for path, text, unit in numbers_of(self)}
        stated.clear()
        stated.update(complete)
        return self

    @property
    def n_routers(self) -> int:
        """Routers of the whole system."""
        return self.fabric.n_routers

    @property
    def dynamic_scale(self) -> float:
        """What the supply voltage makes of the energy of an action."""
        law = self.costs.voltage
        return (self.voltage / law.nominal) ** 2 if law and self.voltage else 1.0

    @property
    def static_power(self) -> float:
        """Watts of the whole system when it does nothing, at its supply voltage."""
        law, power = self.costs.voltage, self.costs.static.power
        if law and self.voltage and power:
            power *= (self.voltage / law.nominal) ** (log(law.static_at_max / power) / log(law.max / law.nominal))
        return self.n_chips * power

    @property
    def n_chips(self) -> int:
        """Chips of the whole system."""
        return self.system.chips[0] * self.system.chips[1] if self.system else 1

    @property
    def n_cores(self) -> int:
        """Cores of the whole system."""
        return self.fabric.n_cores or self.fabric.n_places * self.fabric.cores_per_router

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: plain SI numbers, provenance beside them. `ChipSpec.from_dict` gives back an equal chip."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ChipSpec:
        """The chip that `to_dict` wrote, also after a detour through JSON text. Raises ChipError if it did not."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = [(".".join(map(str, e["loc"])) or "as a whole", e["msg"]) for e in error.errors(include_url=False)]
            raise ChipError(*(Diagnostic("E117", f"stored chip: {at}: {what}") for at, what in wrong)) from None

    def kinds(self) -> dict[str, int]:
        """How many numbers are published, measured, derived, estimated, unstated."""
        return dict(Counter(p.kind for p in self.provenance.values()).most_common())

    def __repr__(self) -> str:
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.kinds().items())
        return (f"<ChipSpec {self.name}: {self.n_cores} cores on a {self.fabric.width}x{self.fabric.height} "
                f"{self.fabric.topology}, {' '.join(self.core.neuron.models)}, {self.time_base}; numbers: {kinds}>")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(path)}</code></td><td>{escape(p.value_text)}</td><td>{escape(p.kind)}</td>"
            f"<td>{escape(p.source)}</td><td>{escape(p.note)}</td></tr>" for path, p in self.provenance.items())
        return (f"<b>{escape(self.title)}</b><br>{escape(repr(self)[1:-1])}"
                f"<details><summary>{len(self.provenance)} numbers and their sources</summary><table>"
                f"<tr><th>number</th><th>value</th><th>provenance</th><th>source</th><th>note</th></tr>{rows}</table></details>")
