"""Classes of a chip file's `fabric`: routers, channels, and what a packet does where it cannot go on."""
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chipsim.chip.fields import Part, count, quantity

MOST_ROUTERS = 1 << 16          # of a system: a next hop from each to each takes a byte, 4.3 GB
MOST_SLOTS = 1 << 28            # of all FIFOs together: 16 bytes each, 4.3 GB
MOST_FLITS = 1 << 16            # of a packet


class Channel(Part):
    """One direction of a link between two routers, or between a core and its router."""

    latency: float = quantity("s", ge=0, doc="grant of an output to the flit's next request: the hop without any wait")
    cycle: float = quantity("s", ge=0, doc="least time between two flits on the channel")
    credit: float = quantity("s", ge=0, doc="a flit leaves the FIFO at the far end to its slot being usable again")
    body_latency: float | None = quantity(
        "s", ge=0, default=None, doc="clockless: of the flits behind a packet's head; null: as the head's")
    slots: int = count("flits", ge=1, doc="FIFO slots at the far end, of each virtual channel")
    energy: float = quantity("J", ge=0, doc="one flit over the channel")


class Channels(Part):
    """Channels of the fabric by class; a topology needs those it has."""

    inject: Channel = Field(description="core to router")
    eject: Channel = Field(description="router to core; `slots` is the core's input FIFO")
    east_west: Channel | None = Field(None, description="between routers of a row; all links of a custom topology")
    north_south: Channel | None = Field(None, description="between routers of a column")
    diagonal: Channel | None = Field(None, description="the third direction of a hexagonal torus")
    tree: Channel | None = Field(None, description="between the levels of a tree")
    interchip: Channel | None = Field(None, description="between routers of different chips")


class Io(Part):
    """Where the host's spikes enter: a port of its own on one router."""

    router: tuple[Annotated[int, count("routers", ge=0, doc="column or row")], int] = Field(
        description="column and row of the router with the host's port, from [0, 0]; tree, custom: its number and 0")


class Clock(Part):
    """Routers that work in step: input-queued, with virtual channels and iSLIP allocators.

    `latency` of a channel is then its length in time, rounded up to whole cycles, and `slots` the flits each of its
    virtual channels holds.
    """

    period: float = quantity("s", gt=0, doc="one cycle")
    vcs: int = count("channels", ge=1, le=8, default=1, doc="virtual channels of every input")
    routing_delay: int = count("cycles", ge=0, le=1, default=0, doc="cycles of route computation; 0: looked ahead")
    credit_delay: int = count("cycles", ge=0, le=16, default=1, doc="cycles from a credit's arrival to its use")
    traversal: int = count("cycles", ge=1, le=16, default=1, doc="cycles of switch traversal")
    allocator: Literal["islip", "round_robin", "wavefront", "oldest"] = Field(
        "islip", description="of virtual channels and of the switch: outputs offer and inputs accept round robin; "
        "inputs choose and outputs pick round robin; diagonals of the requests in turn; round_robin with priority age")
    iterations: int = count("rounds", ge=1, le=8, default=1, doc="of islip, among those without a match")
    priority: Literal["none", "age"] = Field(
        "none", description="age: the packet offered first goes first, among virtual channels of an input that ask for "
        "one output, and in the allocators but for islip")
    reuse: Literal["at_once", "when_empty"] = Field(
        "at_once", description="when an output's virtual channel takes its next packet: as soon as the tail of the "
        "last has left, or when all its flits have left the far end")
    speculation: Literal["none", "switch"] = Field(
        "none", description="switch: heads ask for the switch while they ask for a virtual channel, and lose it when "
        "they do not get one")
    connection: Literal["flit", "packet"] = Field(
        "flit", description="how long the switch joins an input to an output: for a flit, or until the packet's tail "
        "has passed or a flit or a credit lacks")
    input_speedup: int = count("ports", ge=1, le=4, default=1, doc="ports of an input into the switch")
    output_speedup: int = count("ports", ge=1, le=4, default=1, doc="ports of the switch into an output")
    internal_speedup: int = count("steps", ge=1, le=4, default=1, doc="steps of a router in a cycle")
    crossbar: Literal["pipeline", "batches"] = Field(
        "pipeline", description="of several cycles: takes flits in every cycle, or only when it is empty")
    output_queue: int | None = count("flits", ge=1, default=None,
                                     doc="an output takes no more while so many wait to be sent; null: no limit")
    vc_use: Literal["any", "next_output"] = Field(
        "any", description="virtual channels a packet may take: any, or those kept for its output at the next router")

    @property
    def router_cycles(self) -> int:
        """Cycles a flit spends in a router without any wait: from its reception to its leaving on a channel."""
        steps = self.routing_delay + (1 if self.speculation == "switch" else 2)     # VC and switch allocation
        return steps // self.internal_speedup + self.traversal - 1


class Blocked(Part):
    """How long a packet stands at the head of a FIFO; without this, until it can go on."""

    wait: float = quantity("s", gt=0, doc="for its output; then it turns to the emergency route, or is dropped")
    emergency_wait: float | None = quantity(
        "s", gt=0, default=None, doc="for the emergency route, the two links round a blocked one of a hexagonal torus; "
        "then it is dropped; null: no emergency route")


class RoutingTable(Part):
    """Next hops, written down: by which way out each router sends packets for each target router.

    Routers and targets are given as `5`, `4-7` or `all`; on meshes and tori also as `x2y0`, or by two corners
    `x0y0-x3y1`. Ways out are `east`, `west`, `north`, `south` (`northeast`, `southwest`), `straight`, or the neighbour
    behind the link. Of several entries that hold, the first one counts.
    """

    default: str | None = Field(None, description="way out of packets without an entry; `straight`: on, in the "
                                "direction they came; null: all have one")
    routers: dict[str, dict[str, str]] = Field(description="routers: {targets: way out}; the first entry that holds "
                                               "counts")


class Fabric(Part):
    """Routers, the channels between them, and the cores on them."""

    topology: Literal["mesh", "torus", "hex_torus", "tree", "custom"] = Field(description="how routers are joined")
    width: int = count("routers", ge=1, le=MOST_ROUTERS, doc="routers in a row of a chip; 1 for tree and custom")
    height: int = count("routers", ge=1, le=MOST_ROUTERS, doc="routers in a column of a chip; 1 for tree and custom")
    cores_per_router: int = count("cores", ge=1, doc="cores on each router")
    n_cores: int | None = count("cores", ge=1, default=None,
                                doc="cores in all, where the last routers have fewer; null: every place is taken")
    arity: int | None = count("children", ge=2, default=None, doc="tree: children of a router")
    levels: int | None = count("levels", ge=1, le=16, default=None,
                               doc="tree: levels below the root; cores sit on the last")
    routers: int | None = count("routers", ge=1, le=MOST_ROUTERS, default=None, doc="custom: number of routers")
    links: tuple[str, ...] = Field((), description="custom: two-way links, each written `3-4` for routers 3 and 4")
    routing: Literal["xy", "yx", "west_first", "north_last", "negative_first", "odd_even", "minimal_adaptive", "xy_yx",
                     "xy_escape", "shortest", "table"] = Field(
        "xy", description="dimension order, a turn model (adaptive, on a mesh), any shortest way (with virtual "
        "channels in dimension order to escape to), on a mesh with two virtual channels either order by lot, on a "
        "clocked one `xy` with channel 0 to escape to; fewest hops (tree, custom); or as `table` says")
    table: RoutingTable | None = Field(None, description="routing `table`: the next hops; null: with any other")
    cast: Literal["unicast", "multicast"] = Field(
        "unicast", description="one packet per target core, or one per spike that the routers copy where paths part")
    router_entries: int | None = count("entries", ge=1, default=None, doc="multicast: entries of key and mask in the "
                                       "routing table of a router; null: no limit, and no tables are made")
    arbitration: Literal["fcfs", "round_robin", "oldest", "mutex_tree"] = Field(
        "fcfs", description="clockless: who goes first at an output; equal claims in port order after the last winner; "
        "mutex_tree: mutexes between neighbouring ports, in a tree, each first come, first served")
    blocked: Blocked | None = Field(
        None, description="clockless: when a packet that cannot go on turns aside or is dropped; null: it waits")
    packet_bits: int = count("bit", ge=1, default=32, doc="length of a spike packet")
    flit_bits: int | None = count("bit", ge=1, default=None, doc="clockless: width of a flit; packets that are longer "
                                  "cross channels flit by flit (wormholes); null: a packet is one flit")
    vcs: int | None = count("channels", ge=1, le=8, default=None, doc="clockless: virtual channels of every channel; "
                            "null: one; `clock` has its own")
    clock: Clock | None = Field(None, description="clocked routers; null: handshakes, no clock")
    channels: Channels
    io: Io
    chips: tuple[int, int] | None = Field(                          # `system.chips`, for functions of a fabric alone
        None, json_schema_extra={"computed": True})

    @property
    def n_vcs(self) -> int:
        """Virtual channels of every channel, with or without a clock."""
        return self.clock.vcs if self.clock else self.vcs or 1

    @property
    def dateline(self) -> bool:
        """Virtual channels without a clock cut the rings of its routes."""
        rings = self.topology in ("torus", "hex_torus") and self.routing in ("xy", "yx", "minimal_adaptive")
        return rings and self.clock is None and self.n_vcs > 1

    @property
    def escape_vcs(self) -> int:
        """Virtual channels of a link in dimension order, where all others may take any shortest way; 0: none."""
        if self.routing != "minimal_adaptive":
            return 0
        return 2 if self.topology == "torus" else 1

    @property
    def flits(self) -> int:
        """Flits of a spike packet."""
        return -(-self.packet_bits // (self.flit_bits or self.packet_bits))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Routers joined by each link of a custom topology; ValueError where one is not written `3-4`."""
        return tuple((int(a), int(b)) for a, _, b in (link.partition("-") for link in self.links))

    @property
    def grid(self) -> tuple[int, int]:
        """Routers in a row and in a column of the whole system, all chips together."""
        across, down = self.chips or (1, 1)
        return self.width * across, self.height * down

    @property
    def router_ports(self) -> int:
        """Most ports of a router: links, cores and the host."""
        if self.topology == "custom":
            ends = [end for pair in self.pairs for end in pair]
            links = max((ends.count(end) for end in set(ends)), default=0)
        else:
            links = 1 + (self.arity or 0) if self.topology == "tree" else 6 if self.topology == "hex_torus" else 4
        return links + self.cores_per_router + 1

    @property
    def first_router(self) -> int:
        """Router of core 0: the first leaf of a tree, else router 0."""
        return (self.n_places - 1) // ((self.arity or 0) - 1) if self.topology == "tree" else 0

    @property
    def n_routers(self) -> int:
        """Routers of the whole system."""
        if self.topology == "tree":
            return self.first_router + self.n_places
        return (self.routers or 0) if self.topology == "custom" else self.grid[0] * self.grid[1]

    @property
    def n_places(self) -> int:
        """Routers that have cores: the leaves of a tree, else all."""
        return (self.arity or 0) ** (self.levels or 0) if self.topology == "tree" else self.n_routers
