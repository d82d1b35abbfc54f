"""What each code of an engine's diagnostic means, for `chipsim explain F501`."""

CODES: dict[str, str] = {
    "F501": """\
A deadlock: packets wait for slots that only packets of the same circle could free. Routes that turn in a circle do this
when their FIFOs are full: rings, tori, and custom fabrics without virtual channels. More slots only make it rarer;
another routing or topology, or virtual channels, rule it out.""",
    "F503": """\
In continuous time, and with `late: next_tick`, a spike acts when its packet has been dealt with. This one takes longer
than the engine looks ahead: the chip is flooded: events are made faster than routers and synapse drivers take them.""",
    "F502": """\
The routes of a table or a custom topology have a cyclic channel dependency: a packet behind each of the named links may
need the next one, and behind the last the first. Once all their FIFOs are full nothing moves again, so such routes are
refused before a run, and those that the chip file writes down when it is loaded. Leave out a link so that the rest is a
tree, describe a mesh, or write other routes. A torus without a clock has such rings, too, but is only warned of: few
packets do not fill them.""",
}
