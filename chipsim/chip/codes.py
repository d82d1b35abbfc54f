"""What each code of a chip diagnostic means, for `chipsim explain E103`."""

CODES: dict[str, str] = {
    "E101": """\
A mapping, a list or a single value stands where another of the three is meant. `core: 1024`
gives one value for a whole group of keys; `resets: zero` gives one value where a list is meant:
`[zero]`. A number may be written short (`energy: 23.6 pJ`) or long (`energy: {value: 23.6 pJ,
source: "davies2018, table 2"}`).""",
    "E102": """\
A key is given twice in one mapping. YAML readers keep the last one silently; here it is an
error. Remove one of the two. A key that comes in by a merge key (`<<: *name`) may be given
again and is replaced.""",
    "E103": """\
A key that no chip has. Often a spelling mistake, or the right key in the wrong mapping. All
keys, with units and meanings, are in the reference page on chip files; `chipsim schema` prints
them as a JSON Schema that editors complete and check against.""",
    "E104": """\
A key is missing. Nothing about a chip is assumed silently: a cost has both `energy` and `time`,
and a limit that does not exist is written as `null`. A chip that `extends` another takes all
but its `name` from it.""",
    "E105": """\
The value is not of the kind meant: words where a number is meant, a fraction where a whole
number is meant, or nothing at all. Numbers are read as in YAML 1.2: `1e-12`, `1_000` and `4.1`
are numbers; `no` and `off` are words.""",
    "E106": """\
The unit of a quantity is missing, unknown, or of another dimension. Physical numbers carry
their unit: `23.6 pJ`, `4.1 ns`, `30 mW`; zeros too: `0 pJ`. Units are s, J, W, Hz, V, bit and
B, with the prefixes a f p n u (or µ) m k M G T, and Ki Mi Gi for bit and B. Upper and lower
case matter: `mW` is not `MW`. Counts are plain.""",
    "E107": """\
The number is outside the range it can have: a negative cost, a mesh without routers, a NaN or
an infinity. The limit stands in the message. A limit that does not exist is written as `null`,
not as infinity.""",
    "E108": """\
The value is none of the choices for this key. The message lists them all.""",
    "E109": """\
Two or more numbers contradict one another, though each is possible: more cores than the mesh
has places for, a host port outside the mesh, a least delay above the greatest, a barrier that
gets shorter with more tiles, a channel that takes no time on a chip that has time.""",
    "E110": """\
The file cannot be read: it does not exist, is a directory, is closed to you, or is not UTF-8
text.""",
    "E111": """\
The file is not YAML, or not one YAML document: an unclosed bracket or quote, a tab in the
indentation, a line indented differently from its neighbours, an empty file. Line and column say
where reading stopped; the mistake is there or shortly before.""",
    "E112": """\
A `source` starts with a word that is no key of the table `sources`. Write the publication into
the table once and refer to it by its key, with the place after a comma:
    sources: {davies2018: {cite: "Davies et al., IEEE Micro 38(1), 2018"}}
    energy:  {value: 23.6 pJ, source: "davies2018, table 2"}""",
    "E113": """\
`extends` names a chip that cannot be found, or chips that extend one another in a circle. The
value is a name that `chipsim chips` lists, or a path that counts from the folder of the file.""",
    "E114": """\
There is no shipped chip of this name. `chipsim chips` lists them. A file of your own is named
by its path, ending in `.yaml`.""",
    "E115": """\
A change on the command line is not of the form `key.path=value`, for example
    --set core.neurons=2048 --set costs.static.power="104.4 mW"
Its value is checked as if it stood in the file. `extends` cannot be changed this way.""",
    "E116": """\
The number is written in a way that YAML readers disagree about: `010` is eight for YAML 1.1 and
ten for YAML 1.2, `1:30` is ninety or a text, `0x1F` and `0o17` a number or a text. Write plain
decimal numbers.""",
    "E117": """\
The chip description stored in a layout or run file does not hold: the file was changed by hand,
or written by a version of chipsim with other keys. Make it again from the chip file.""",
    "E119": """\
The fabric is larger than the engine holds: 65 536 routers (a table has the next hop from each to each), 2^28 slots of
all FIFOs together, packets of 65 536 flits. Cores do not count: a router has dozens, and only those in use take
memory.""",
    "E118": """\
A routing table (`fabric.table`) does not bring every packet to its target. Packets are followed from every router with
cores, and from the host's port, to every router with cores: a router has no entry for one, the way out is not there, a
default of `straight` would split packets for one target that come from several sides, or routers send it round in a
circle. Names of routers and ways out that do not exist are found here, too.""",
}
