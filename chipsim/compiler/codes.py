"""What each code of a compiler's diagnostic means, for `chipsim explain M201`."""

CODES: dict[str, str] = {
    "M201": """\
A single neuron needs more of a resource than a core has: synapse memory, input axons, output axons. However the
population is cut, this neuron fits nowhere. The message has need and have. Fewer synapses per neuron (a smaller kernel,
pruning), fewer weight bits, or a chip with larger cores help.""",
    "M202": """\
How many cores a population takes, and which limit of a core decides that. Stands below M203: the populations that take
most cores come first, and there it pays to save.""",
    "M203": """\
The network as a whole needs more cores than the chip has. Make the populations listed below it smaller, or the mesh
larger: `--set fabric.width=16`.""",
    "M204": """\
A neuron of a bare graph breaks a limit of the core all by itself: more sources than in-axons, more synapses than
memory, or more cores to reach than out-axons. Give it fewer, or put relays between.""",
    "M206": """\
On a chip where a neuron has one target axon, relay neurons stand in between when it needs more: one for each, all on a
core, whose number of neurons is the limit. Weights of fewer bits, or fewer cores to reach, need fewer axons.""",
    "M230": """\
A population is of a model that this chip's cores do not compute; `core.neuron.models` of the chip file lists what they
do. Give the population in physical terms (`lif`, `cuba_lif`), which become `affine` or, rounded, `loihi_lif`; where the
chip has a model of its own only (`odin_lif`), write it in that; or take the chip it was written for.""",
    "M231": """\
A projection with a bias goes to a population whose model takes none from projections. Its own parameters have a
constant input: `bias_mant` and `bias_exp` of `loihi_lif`.""",
    "M232": """\
A loop of projections with less delay than the chip needs from spike to effect, usually one tick per projection.
Frameworks let feedback act in the same step, or one step later over two layers; hardware cannot. `--approximate delays`
gives the feedback the shortest delay there is, which changes the result; more delay in the network does not.""",
    "M233": """\
A projection needs a longer delay than the chip has. Besides its own delay a path that runs beside a longer one waits
for it: the ticks that layers take on the chip count, too.""",
    "M236": """\
A neuron's program computes in numbers that the chip's cores do not have, real numbers on a chip of integers mostly.
With `arithmetic: integer` it has whole numbers of 32 bits; scale weights, thresholds and constants so that rounding
does no harm.""",
    "M237": """\
A population's axon delay is longer than the chip's axons can hold a spike, or they cannot hold one at all. A delay of
its projections does the same; it takes memory at every synapse.""",
    "M240": """\
A population's neurons do what the chip's cannot: reset by subtraction, several spikes in a tick, a lower bound of the
voltage, emitting values. Where a replacement exists the help names it: `--approximate reset` makes it, and the report
says so. Without it nothing is replaced silently.""",
    "M241": """\
A decay factor per tick lies outside 0 to 1: the voltage or current would grow by itself. Mostly the time step is larger
than a time constant, or one of them is in the wrong unit.""",
    "M242": """\
A weight in the chip's own integers is not a whole number within the mantissa's range. Larger weights take an exponent:
`weight_exponent`.""",
    "M245": """\
A projection between populations in a crossbar chip's own terms has weights other than 1, or two of them put two
synapses where there is one bit: the same source, target, axon type and delay. There a synapse is a bit; the weight is
the target's own for the axon's type (`s0` to `s3`, receptors `g0` to `g3`). Populations in a framework's terms take any
weights, which the compiler cuts into bits.""",
    "M246": """\
Analogue circuits are calibrated by how far the threshold lies above rest: that distance becomes so many steps of the
converter. This population rests at its threshold or above, by its leak or its bias, and would fire for ever.""",
    "M247": """\
On this chip a source is exciting or inhibiting as a whole: one bit for all its synapses. Sources with weights of both
signs are given twice, as two lines or two neurons with the same input, one for each sign.""",
    "M248": """\
Layers that are multiplied whole have weights of one of the chip's precisions (`schedule.operations` of its file). A
projection of this one asks for another: `format: {weight_bits: 4}`.""",
    "M249": """\
Layers that are multiplied whole take activations of few bits (`fabric.packet_bits` of the chip file): spikes, or values
of the model `relu`, which rounds them. A population sends values of more bits to another one. As an output of the
network any value will do.""",
    "M250": """\
More cores are in use than there are places for them: dead cores and places given to others do not count. A larger chip,
fewer dead cores, or a denser partition.""",
    "M251": """\
Placement on this fabric needs a table of hops between all of its routers, and there are too many of them. Plain meshes
and tori of any size do without one.""",
    "M252": """\
A pin of the file given with `--avoid` cannot hold: the population does not exist, takes more cores than are given, or a
core is dead or given twice.""",
    "M253": """\
The fabric's routes are fixed, so a dead link can only be kept clear of by where the cores stand, and no placement was
found in which no packet needs it. Leave more room: fewer cores, or a larger chip.""",
    "U422": "Efforts are fast, normal and best.",
    "U427": """\
`--partitioner mtkahypar` tries the partition of Mt-KaHyPar as well as those of chipsim. It must be installed (the extra
`chipsim[mtkahypar]`), and it puts neurons of any populations on a core together, for few packets: not for objective
latency, and not where populations keep their own order: kernels that are shared, neurons of several circuits, chips
without delay or without limits.""",
    "U428": """\
A graph, rates, pins or a seed given from Python cannot be what is meant: `indices` beyond the neurons, arrays of other
lengths, a negative or infinite number of packets. Seeds are whole numbers from 0 to 2^40 - 1.""",
    "U450": """\
The file given with `--avoid` is wrong. It may have `cores`, `routers`, `links` (pairs of routers) and `pin` (cores of a
population); on a mesh a router is `[column, row]`.""",
    "M260": """\
A projection learns by a rule that the chip's cores do not have: no learning engine at all, a variable or trace it
lacks, an epoch too long, a coefficient that is no small number times a power of two. `chipsim chips NAME` shows the
engine.""",
    "M261": """\
A projection cannot learn as it stands. Synapses that learn have one weight each and one delay, and on a chip with
integer weights they are given in its own numbers: the rule counts in units of the stored weight.""",
    "U423": """\
Only weights and parameters of neurons can be renewed in a layout. This network has other populations, synapses or
delays than the one it was compiled from: compile it anew.""",
    "M255": """\
Compressed routing tables are checked key by key against the trees they stand for, and one of them sends a key
elsewhere. This is a fault of the compiler, never of the network; no layout is written.""",
    "M256": """\
Every source of a multicast chip has a key of 32 bits: row and column of its router, its core, its number there. On this
chip they take more. Fewer cores per router, or fuller cores, need fewer bits.""",
    "M257": """\
Routers with tables know a packet by its key alone. Two of this source's paths part and meet again at a router, which
would get the packet twice and could not tell which way each copy has to go. Routes in dimension order, and along a
tree, never do this.""",
    "M258": """\
A router has so many entries for keys and masks (`fabric.router_entries`), and this network's tables are longer, though
sources of a population on a core already share their routes. Fewer cores that hear each population, larger pieces on
fewer cores, or a spread over more chips make them shorter.""",
}
