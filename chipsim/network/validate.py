"""Check that a network makes sense, all of it at once, before anything is compiled."""
from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from math import prod

import numpy as np

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models import neurons
from chipsim.models.neurons.framework import option_faults
from chipsim.network.graph import Network, Population, Projection
from chipsim.network.linear import text

Locate = Callable[[tuple], dict]        # ("populations", name, "tau") -> file, line, column, width, text


def validate(network: Network, locate: Locate | None = None) -> Network:
    """The network itself, or NetworkError with every finding. `locate` gives positions in the file it came from."""
    if found := findings(network, locate):
        raise NetworkError(*found)
    return network


def findings(network: Network, locate: Locate | None = None, whole: bool = True) -> list[Diagnostic]:
    """All that is wrong; not `whole`: leave out what may only be missing because some parts could not be read."""
    found: list[Diagnostic] = []

    def report(code: str, path: tuple, message: str, help: str = "", origin: str = "") -> None:
        where = locate(path) if locate else {"file": origin or network.origin}
        found.append(Diagnostic(code, message, help=help, **where))

    populations = network.populations
    for p in populations.values():
        _check_population(p, report)
    for i, projection in enumerate(network.projections):
        _check_projection(i, projection, populations, report)
    for name in network.outputs:
        if name not in populations:
            report("N202", ("outputs",), f"output `{name}` is not a population", did_you_mean(name, populations))
    if not whole:
        return found
    fed = {q.post for q in network.projections}
    driven = {p.name for p in populations.values() if _drives_itself(p)}
    if not populations or not network.n_neurons:
        report("N201", (), "the network is empty: it has no neurons", "add a population with a neuron model")
    elif not network.inputs and not driven and not any(_has_bias(q) for q in network.projections):
        report("N203", ("populations",), "the network has no inputs and no neuron with a bias: nothing can ever spike",
               "add a population with `model: input`")
    else:
        for p in populations.values():
            if p.model != "input" and p.name not in fed | driven:
                report("N204", ("populations", p.name), f"population `{p.name}` receives nothing and has no bias",
                       "connect it, or remove it", p.origin)
    return found


def did_you_mean(name: str, known) -> str:
    """Help text for a name that is not known."""
    known = [str(k) for k in known]
    close = get_close_matches(name, known, 1)
    return (f"did you mean `{close[0]}`? " if close else "") + f"there are: {', '.join(known)}"


def _check_population(p: Population, report) -> None:
    path = ("populations", p.name)
    if not p.shape or min(p.shape) < 1:
        report("N211", path, f"population `{p.name}` has shape {text(p.shape)}", "sizes are 1 or more", p.origin)
        return
    if p.model == "input":
        return
    try:
        parameters = neurons.parameters_of(p.model, p.options)
    except NetworkError as error:
        for d in error.diagnostics:
            report(d.code, (*path, "program"), f"population `{p.name}`: {d.message}", d.help, p.origin)
        return
    if parameters is None:
        known = ["input", *neurons.framework_models, *neurons.chip_models]
        report("N205", (*path, "model"), f"population `{p.name}` has the unknown model `{p.model}`",
               did_you_mean(p.model, known), p.origin)
        return
    if type(p.axon_delay) is not int or p.axon_delay < 0:
        report("N212", (*path, "axon_delay"), f"population `{p.name}` has the axon delay {p.axon_delay}",
               "it is a whole number of ticks, 0 or more", p.origin)
    for name, fault, allowed in option_faults(p.options, neurons.options_of(p.model)):
        report("N217", (*path, name), f"option `{name}` of population `{p.name}` {fault}",
               did_you_mean(str(p.options[name]), tuple(map(str, allowed))), p.origin)
    for name in p.params.keys() - parameters.keys():
        report("N206", (*path, name), f"model `{p.model}` of population `{p.name}` has no parameter `{name}`",
               did_you_mean(name, parameters), p.origin)
    for name, parameter in parameters.items():
        value = p.params.get(name, parameter.default)
        if value is None:
            report("N207", path, f"population `{p.name}` ({p.model}) lacks the parameter `{name}`: {parameter.doc}",
                   f"give it in {parameter.unit}" if parameter.unit else "", p.origin)
        elif fault := parameter.fault(value, p.shape):
            report("N208", (*path, name), f"parameter `{name}` of population `{p.name}` {fault}", parameter.doc,
                   p.origin)


def _check_projection(i: int, q: Projection, populations: dict[str, Population], report) -> None:
    path, name = ("projections", i), q.name or f"{q.pre} -> {q.post}"
    missing = False
    for key, end in (("from", q.pre), ("to", q.post)):
        if end not in populations:
            report("N202", (*path, key), f"projection `{name}`: there is no population `{end}`",
                   did_you_mean(end, populations), q.origin)
            missing = True
    if missing:
        return
    if populations[q.post].model == "input":
        report("N209", (*path, "to"), f"projection `{name}` goes to the input population `{q.post}`",
               "inputs receive spikes from outside only; project to a neuron population", q.origin)
    if type(q.box) is not int or q.box < 1:
        report("N212", (*path, "box"), f"projection `{name}` has the box {q.box}", "a spike acts in 1 tick or more",
               q.origin)
    if q.delay < 0:
        report("N212", (*path, "delay"), f"projection `{name}` has the delay {q.delay}", "delays are 0 ticks or more",
               q.origin)
    if q.plasticity and (reward := q.plasticity.reward):
        if reward not in populations:
            report("N202", (*path, "plasticity"),
                   f"projection `{name}`: there is no population `{reward}` to reward it",
                   did_you_mean(reward, populations), q.origin)
        elif populations[reward].model != "input":
            report("N262", (*path, "plasticity"), f"projection `{name}` takes its reward from `{reward}`, which is no "
                   "input", "a reward comes from outside: name a population of `model: input`", q.origin)
    shape = populations[q.pre].shape
    for op in q.ops:
        if prod(op.in_shape) != prod(shape):
            report("N210", path, f"projection `{name}`: {type(op).__name__} takes {text(op.in_shape)} values but gets "
                                 f"{text(shape)}", "", q.origin)
            return
        shape = op.out_shape
        for part in ("weight", "scale", "bias"):
            values = getattr(op, part, None)
            values = getattr(values, "data", values) if not isinstance(values, np.ndarray) else values
            if values is not None and not (ok := np.isfinite(np.asarray(values, float))).all():
                report("N213", path, f"projection `{name}`: {part} of {type(op).__name__} has {np.sum(~ok)} values "
                                     "that are NaN or infinite", "look for divergence in training", q.origin)
    if prod(shape) != populations[q.post].size:
        report("N210", path, f"projection `{name}` gives {text(shape)} values, but population `{q.post}` has the shape "
                             f"{text(populations[q.post].shape)}", "", q.origin)


def _drives_itself(p: Population) -> bool:
    drives = ("v_leak", "bias_mant", "i_e", "i_offset", "lam")
    if p.model == "program" or p.options.get("noise", "none") != "none":
        return True
    return any(np.any(np.asarray(p.params.get(name, 0)) != 0) for name in drives)


def _has_bias(q: Projection) -> bool:
    return any(op.bias is not None and np.any(op.bias) for op in q.ops)
