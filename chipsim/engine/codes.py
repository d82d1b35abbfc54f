"""What each code of an engine's diagnostic means, for `chipsim explain F501`."""

CODES: dict[str, str] = {
    "F501": """\
A deadlock: packets wait for slots that only packets of the same circle could free. Routes that turn in a circle do this
when their FIFOs are full: rings, tori, and custom fabrics without virtual channels. More slots only make it rarer;
another routing or topology, or virtual channels, rule it out.""",
}
