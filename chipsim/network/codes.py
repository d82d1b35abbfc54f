"""What each code of a network or stimulus diagnostic means, for `chipsim explain N202`."""

CODES: dict[str, str] = {
    "N201": "The network has no neurons. Only inputs, or nothing at all, was found in the file.",
    "N202": "A projection or an output names a population that does not exist. Names are compared letter by letter.",
    "N203": """\
Nothing can ever spike: there is no input, and no neuron has a resting potential or a bias of its own. Add a
population with `model: input`.""",
    "N204": """\
A population receives no projection and has neither `v_leak` nor a bias, so it stays silent for ever. Usually a
projection was forgotten, or an edge was lost in the export. Connect the population, or remove it.""",
    "N205": "A population's model is missing or unknown. The page on network files lists the models.",
    "N206": """\
A key that does not exist: of the file, of a projection, or a parameter that the population's model does not have.
Often a spelling mistake.""",
    "N207": "A parameter without a default is missing, or has no value. Time constants have no default.",
    "N208": """\
A parameter's value makes no sense: not a number, NaN, outside its range, or an array that does not broadcast to the
population's shape. Times are numbers of seconds or carry a unit: `20 ms`.""",
    "N209": "A projection goes to an input population. Inputs get their spikes from outside only.",
    "N210": """\
Shapes do not fit: what an operator or a population takes is not what arrives. The message has both shapes. Rows of a
weight matrix are the target's neurons, columns the source's; images are (channels, height, width).""",
    "N211": "A size or shape is not made of whole numbers above 0.",
    "N212": "A delay or seed is not a whole number of 0 or more. Delays of projections are in ticks.",
    "N213": "Weights or biases are NaN or infinite; training has diverged, most likely.",
    "N214": "Two populations have one name.",
    "N215": "The kind of a projection, or of random weights, is unknown.",
    "N216": "Weights cannot be read: rows of different lengths, a law without its numbers, options that do not belong.",
    "N217": "An option of a population is unknown: integrator, reset, compare, v_min, gain, or what the model "
            "says.",
    "N218": "The program of a neuron has a fault in the line that is shown. A program is a list of assignments to "
            "names; docs/howto/program-a-neuron.md says what may stand in them.",
    "N220": """\
A model cannot be cut into ticks as asked: a parameter is missing or out of range, Euler steps would diverge (dt is
twice a time constant or more), or dt is so much longer than tau_syn that the synaptic current is lost.""",
    "N230": """\
An option for what NIR leaves open is unknown, or two of them contradict each other. Dialects are exact, snntorch,
norse, sinabs and rockpool; the page on NIR says what each means.""",
    "N240": """\
A NIR graph cannot be understood. The message names the node or the edge: a name that does not exist, a primitive that
NIR 1.0.8 does not have, a parameter that is missing or has the wrong shape. Old exporters wrote nested graphs whose
edges name nodes that were renamed; such files are refused rather than guessed at.""",
    "N241": "A file does not exist, is damaged, or is not of the format its name promises.",
    "N242": "A network cannot be made of this object, or with these options for this format.",
    "N243": "Linear nodes form a loop without a neuron, so that a value would depend on itself within one step.",
    "N250": "The file is not YAML, or is nested without end.",
    "N251": "A key is given twice in one mapping. YAML readers keep the last one silently; here it is an error.",
    "N252": "A mapping, a list or a single value stands where another of the three is meant.",
    "N253": "A population needs exactly one of `size` (a number) and `shape` (a list of numbers).",
    "N254": "A projection lacks `from` or `to`.",
    "N260": """\
The text of a learning rule is not a sum of products. A product is made of numbers, powers of two (2^-3), one dependency
that says when it counts (x0: the axon spiked in the epoch, y0: the neuron did, u0: every epoch), and factors: the
traces x1 x2 of the axon, y1 y2 y3 of the neuron, reward r1, weight w, tag t, delay d; (w - 5) and sgn(w - 5) also.""",
    "N261": "A plasticity lacks what its rule reads, or has values that do not go together.",
    "N262": "The reward of a learning rule comes from outside: it is the name of an input population.",
    "S301": "A stimulus has no ticks or no samples.",
    "S302": "The file's table of events per tick does not go with its events. Write it again.",
    "S303": "An event is on a line that does not exist. Lines count from 0, over all inputs of the network.",
    "S304": "Values of events are NaN or infinite.",
    "S305": "There is not one label per sample.",
    "S306": "Arrays do not have the form of a stimulus: [ticks, samples, lines], or one tick per event.",
    "S307": "An event is in a tick that does not exist.",
    "S308": """\
The recording cannot be cut into samples of the length asked for. A file that knows its samples keeps their length; one
long recording is cut into samples if its length is a multiple of theirs.""",
    "S309": "A sample was chosen that does not exist.",
    "S310": "The stimulus file does not exist.",
    "S311": "A stimulus is an .h5, .npz, .npy or .csv file.",
    "S312": "The stimulus was made for a network with another number of input lines.",
    "S313": "The file is damaged, or does not hold what its name promises.",
    "S314": "A row of a .csv file is no event. Rows are tick,line or tick,line,value; one header row is allowed.",
    "S315": "Values to be encoded as spikes are outside 0..1.",
    "S316": "Encoders need rates and periods above 0, thresholds above 0, two units or more, and finite numbers.",
}
