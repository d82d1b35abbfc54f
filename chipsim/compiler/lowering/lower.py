"""From the network's terms to matrices and kernel parameters: chains folded, models discretised, biases collected."""
from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from chipsim.compiler.draft import Connection, Draft, Node
from chipsim.compiler.lowering.learning import check_learning
from chipsim.errors import Diagnostic, ExpressError, gathered
from chipsim.models.kernels import Kernel, find_kernel
from chipsim.models.neurons import arithmetics, chip_models, framework_models
from chipsim.network.graph import Population, Projection
from chipsim.network.linear import Folded, Reshape, fold
from chipsim.network.spatial import windows_of
from chipsim.network.windows import Windows

# `quantise` fills them from `affine`
OF_AFFINE = ("loihi_lif", "affine_s1615", "analog_lif", "crossbar_lif", "odin_lif")


def lower(draft: Draft) -> Draft:
    """Nodes with float parameters of the affine kernel (or a chip's own integers), connections with one matrix each.

    Linear operators between populations become one matrix per delay; their biases go to the receiving node. A bias on a
    path with delay d is absent in the ticks before d, as in the frameworks; `late_bias` says so.
    """
    network = draft.network
    index = {name: i for i, name in enumerate(network.populations)}
    problems: list[Diagnostic] = []
    nodes, kernels = [], []
    for p in network.populations.values():
        with gathered(problems):
            nodes.append(_node(draft, p))
            kernels.append(_kernel(draft, nodes[-1]))
    if problems:
        raise ExpressError(*dict.fromkeys(problems))
    connections, late = [], {}
    for projection in network.projections:
        with gathered(problems):
            connections += _connections(draft, projection, index, nodes, kernels, late)
    if problems:
        raise ExpressError(*dict.fromkeys(problems))
    return replace(draft, nodes=tuple(nodes), connections=tuple(connections), late_bias=late,
                   merit={"connections": len(connections)})


def _connections(draft: Draft, projection: Projection, index: dict[str, int], nodes: list[Node], kernels: list,
                 late: dict) -> list[Connection]:
    """A projection as one matrix for each delay and receptor; its biases go to the receiving node and to `late`."""
    pre, post = index[projection.pre], index[projection.post]
    folded = _folded(draft, projection, nodes[pre].population.shape)
    name = projection.name or f"{projection.pre} -> {projection.post}"
    if folded.bias.any():
        _add_bias(nodes[post], folded.bias, name, projection.origin)
        at_once = [(projection.delay, folded.bias)] if projection.delay else []
        for d, part in at_once + list(folded.late_bias.items()):
            late[post, d] = late.get((post, d), 0) + part
    learning = check_learning(draft, projection, folded, nodes[post], kernels[post])
    delay = projection.delay + _axon_delay(draft, nodes[pre].population)
    return [Connection(pre, post, part, delay + d + k, folded.kind, name, projection.format, receptor=receptor,
                       learning=learning, origin=projection.origin)
            for (d, matrix), k in product(sorted(folded.maps.items()), range(projection.box))
            for receptor, part in _receptors(projection, name, kernels[post], matrix)]


def _axon_delay(draft: Draft, population: Population) -> int:
    """Ticks by which a population's spikes are late. ExpressError M237 if the chip's axons cannot hold them so long."""
    most = draft.chip.core.delay.axon_max or 0
    if population.axon_delay > most:
        raise ExpressError(Diagnostic(
            "M237", f"population `{population.name}` has an axon delay of {population.axon_delay} ticks; axons of "
            f"{draft.chip.name} " + (f"delay by at most {most}" if most else "do not delay"), file=population.origin,
            help="give the delay to its projections, where synapses have room for it"))
    return population.axon_delay


def _folded(draft: Draft, projection: Projection, in_shape: tuple[int, ...]) -> Folded:
    """The chain as matrices; a convolution or pooling as its windows, on any chip (see `unroll`)."""
    kept = windows_of(projection.ops) if projection.plasticity is None else None
    if kept is None:
        return fold(projection.ops, in_shape)
    (op,) = (op for op in projection.ops if not isinstance(op, Reshape))
    bias = op.bias_vector()
    is_conv = op.is_conv or draft.chip.core.synapse_memory.kernels != "unrolled"
    return Folded({0: kept}, np.zeros(kept.shape[0]) if bias is None else bias, "conv" if is_conv else "sparse")


def _node(draft: Draft, population: Population) -> Node:
    """The population in the first of its arithmetics that the chip's cores have."""
    if population.model == "input":
        return Node(population, {})
    have = draft.chip.core.neuron.models
    if population.model in chip_models:
        if population.model not in have:
            raise _no_such_model(draft, population)
        known = chip_models[population.model]
        params = {name: np.broadcast_to(np.asarray(population.params.get(name, p.default)), population.shape).ravel()
                  for name, p in known.items()}
        return Node(population, params, population.model)
    module = framework_models[population.model]
    forms = arithmetics(module)
    name = next((k for k in forms if k in have), "")
    own = next((k for k in OF_AFFINE if k in have), "truenorth" if draft.chip.core.crossbar else "")
    if not name and "affine" in forms and own:          # the framework's numbers first; `quantise` makes the chip's
        return Node(population, forms["affine"](population, draft.network.dt) | {"bias": np.zeros(population.size)},
                    own)
    if not name:
        raise _no_such_model(draft, population)
    options = module.kernel_options(population) if hasattr(module, "kernel_options") else {}
    if name == "program" and options["arithmetic"] not in draft.chip.core.neuron.programs:
        raise ExpressError(Diagnostic(
            "M236", f"the program of population `{population.name}` computes in {options['arithmetic']} numbers; the "
            f"cores of {draft.chip.name} compute " + " or ".join(draft.chip.core.neuron.programs),
            file=population.origin,
            help=f"write `arithmetic: {draft.chip.core.neuron.programs[0]}`, and scale its numbers"))
    params = forms[name](population, draft.network.dt)
    if "bias" in find_kernel(name).params and "bias" not in params:
        params = params | {"bias": np.zeros(population.size)}
    options = dict(find_kernel(name).options) | options
    places = find_kernel(name).bound(options).compartments
    return Node(population, params, name, options,
                circuits=None if places == 1 else np.full(population.size, places, np.int64))


def _no_such_model(draft: Draft, population: Population) -> ExpressError:
    models = draft.chip.core.neuron.models
    linear = draft.chip.core.crossbar or {"affine", *OF_AFFINE} & set(models)
    own = ("give the population in physical terms (model lif or cuba_lif)" if linear else
           "write the population in the chip's own terms (" + ", ".join(models) + "; `chipsim models`)")
    return ExpressError(
        Diagnostic(
            "M230",
            f"population `{population.name}` is of model `{population.model}`; the cores of {draft.chip.name} compute "
            + ", ".join(f"`{m}`" for m in models),
            file=population.origin, help=f"{own}, or choose a chip that has the model",
        )
    )


def _kernel(draft: Draft, node: Node) -> type[Kernel] | None:
    if node.is_input:
        return None
    kernel = find_kernel(node.model)
    if kernel is None:
        raise ExpressError(
            Diagnostic(
                "M234",
                f"{draft.chip.name} computes the neuron model `{node.model}`, which has no kernel",
                help="core.neuron.models of the chip names kernels; see docs/howto/add-a-neuron-model.md",
            )
        )
    return kernel.bound(node.options)


def _receptors(projection: Projection, name: str, kernel: type[Kernel], matrix) -> list[tuple[int, object]]:
    """The matrix by receptor of the target: whole, or cut by the sign of the weights."""
    if projection.receptor:
        if projection.receptor not in kernel.receptors:
            raise ExpressError(
                Diagnostic(
                    "M235",
                    f"projection `{name}` goes to the receptor `{projection.receptor}`, which `{kernel.name}` does not "
                    "have",
                    file=projection.origin,
                    help="there are " + ", ".join(f"`{r}`" for r in kernel.receptors if r),
                )
            )
        return [(kernel.receptors.index(projection.receptor), matrix)]
    if not kernel.by_sign:
        return [(0, matrix)]
    if isinstance(matrix, Windows):
        return _signs_of_windows(matrix, kernel)
    negative = matrix.minimum(0) if hasattr(matrix, "minimum") else np.minimum(matrix, 0)
    positive = matrix.maximum(0) if hasattr(matrix, "maximum") else np.maximum(matrix, 0)
    if kernel.by_sign == "magnitude":
        negative = -negative
        if isinstance(matrix, np.ndarray) and (matrix > 0).any() and (matrix < 0).any():    # each synapse goes one way
            positive, negative = csr_array(positive), csr_array(negative)
    parts = []
    for receptor, part in enumerate((positive, negative)):
        if hasattr(part, "tocsr"):
            part = part.tocsr()
            part.eliminate_zeros()
        if (part != 0).sum() or (receptor == 0 and not (negative != 0).sum()):
            parts.append((receptor, part))
    return parts


def _signs_of_windows(matrix: Windows, kernel: type[Kernel]) -> list[tuple[int, Windows]]:
    positive, negative = matrix.of_sign(1), matrix.of_sign(-1)
    if kernel.by_sign == "magnitude":
        negative = negative.with_data(-negative.data)
    return [(receptor, part) for receptor, part in enumerate((positive, negative))
            if part.nnz or receptor == 0 and not negative.nnz]


def _add_bias(node: Node, bias: np.ndarray, name: str, origin: str) -> None:
    if "bias" not in node.params:
        raise ExpressError(
            Diagnostic(
                "M231",
                f"projection `{name}` has a bias, but the model of population `{node.name}` "
                f"(`{node.model}`) takes none from projections", file=origin,
                help="put it into the population's own parameters: bias_mant and bias_exp, or i_e",
            )
        )
    node.params["bias"][:] += bias


def unroll(draft: Draft) -> Draft:
    """Convolutions written out synapse by synapse."""
    return replace(draft, connections=tuple(
        replace(c, weight=c.windows.tocsr()) if c.windows else c for c in draft.connections))


def prune(draft: Draft) -> Draft:
    """Drop synapses of weight zero where they are stored one by one; a dense row keeps its zeros, as on the chip."""
    dropped, connections = 0, []
    for c in draft.connections:
        sparse = not c.is_dense and c.windows is None       # windows leave their zeros out by themselves
        if sparse and c.learning is None and not c.weight.data.all():      # a weight that learns may leave zero
            before = c.weight.nnz
            weight = c.weight.copy()
            weight.eliminate_zeros()
            dropped += before - weight.nnz
            c = replace(c, weight=weight)
        connections.append(c)
    return replace(draft, connections=tuple(connections), merit={"zero_synapses_dropped": dropped})
