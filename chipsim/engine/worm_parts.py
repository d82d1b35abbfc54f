"""What a clockless fabric with virtual channels (VCs) and packets of several flits is made of, plainly.

How the parts work together is reference_wormhole.py; the compiled twin of these is worms.pxd.
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from chipsim.engine.arbiter import Arbiter
from chipsim.engine.reference_servers import Packet


@dataclass
class Way:
    """An output that a packet takes, or may take; of a multicast packet one of several."""

    channel: int
    leads: int                                               # multicast: tree node behind it, or -1 - delivery
    vc: int = -1                                             # that it holds there, from its head's grant on
    sent: int = 0                                            # flits
    ready_at: int = 0                                        # the next one may claim from here on, if it is there
    escape: bool = False                                     # it is the one of several that goes in dimension order
    y_first: bool = False                                    # xy_yx: the packet goes y first


@dataclass
class Flit:
    packet: Packet
    number: int                                              # within the packet
    tail: bool
    leads: int
    vc: int = -1
    arrival: int = 0
    ways: list[Way] = field(default_factory=list)            # of a head


@dataclass
class Fifo:
    """A virtual channel: the sender's bookkeeping and the FIFO at the far end."""

    held: int = 0                                            # slots taken whose return is not yet known
    credits: list[int] = field(default_factory=list)         # times at which slots taken become usable again
    taken: bool = False                                      # by a packet whose tail has not been sent yet
    queue: deque[Flit] = field(default_factory=deque)
    ways: list[Way] = field(default_factory=list)            # of the packet in front
    left: int = 0                                            # flits of it that have left by all its ways
    ready_at: int = 0                                        # the head of the next packet may claim from here on


@dataclass
class Output:
    """A channel, as its sender sees it."""

    arbiter: Arbiter
    fifos: list[Fifo]
    free_at: int = 0
    last_arrival: int = -(1 << 62)


@dataclass
class Source:
    """An endpoint that sends its packets one after the other, flit by flit."""

    packet: int = 0                                          # being sent, or waited for
    sent: int = 0                                            # flits of it
    vc: int = -1
    entry: int = 0                                           # when the last packet's head entered


@dataclass
class Core:
    """The synapse server behind an eject channel."""

    order: deque[int] = field(default_factory=deque)         # VCs, by the arrival of heads that have not been taken
    vc: int = -1                                             # of the packet being taken
    busy_until: int = 0
