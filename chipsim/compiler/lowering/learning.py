"""Which projections learn, whether the chip's learning engine has their rules, and where their synapses are."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from chipsim.compiler.draft import Connection, Draft, Learning, Node
from chipsim.compiler.layout import PlasticProjection
from chipsim.errors import Diagnostic, ExpressError
from chipsim.models.plasticity.learner import VARIABLE_BITS, Precision
from chipsim.models.plasticity.rule import X_TRACES, Y_TRACES, Plasticity

if TYPE_CHECKING:
    from chipsim.chip import core
    from chipsim.models.kernels import Kernel
    from chipsim.network.graph import Projection
    from chipsim.network.linear import Folded

TARGETS = {"w": "weight", "t": "tag", "d": "delay"}
EXACT_BITS = 52                         # a product of factors is worked out in double precision


def precision_of(engine: core.Learning) -> Precision | None:
    """The arithmetic of a chip's learning engine; None: floating point."""
    if engine.trace_bits is None:
        return None
    return Precision(**{f.name: getattr(engine, f.name) for f in fields(Precision)})


def check_learning(draft: Draft, projection: Projection, folded: Folded, post: Node,
                   kernel: type[Kernel]) -> Learning | None:
    """The projection's rule, if it has one. ExpressError (M260, M261) with everything the chip cannot do."""
    rule = projection.plasticity
    if rule is None:
        return None
    chip, engine = draft.chip, draft.chip.core.learning
    name = projection.name or f"{projection.pre} -> {projection.post}"

    def refusal(code: str, message: str, help: str) -> Diagnostic:
        return Diagnostic(code, f"projection `{name}` {message}", file=projection.origin, help=help)

    if engine is None:
        raise ExpressError(refusal("M260", f"learns; the cores of {chip.name} do not",
                                   "choose a chip with `core.learning`, or leave `plasticity` out"))
    found = []
    for variable in rule.products:
        if TARGETS[variable] not in engine.targets:
            found.append(refusal("M260", f"changes its synapses' {TARGETS[variable]} (`d{variable}`); {chip.name} "
                                 f"changes {' and '.join(engine.targets)}", "leave that rule out"))
    traces = {"r0": "r1"}
    for variable in sorted({traces.get(v, v) for v in rule.used} - set(VARIABLE_BITS) - set(engine.traces)):
        found.append(refusal("M260", f"reads trace {variable}; {chip.name} has {', '.join(engine.traces)}",
                             "express the rule by these"))
    asked = {p.dependency for products in rule.products.values() for p in products}
    for dependency in sorted(asked - set(engine.dependencies)):
        found.append(refusal("M260", f"has a product that counts by {dependency}; {chip.name} evaluates rules by "
                             f"{' and '.join(engine.dependencies)}", "express the rule by these"))
    if engine.epoch_max is not None and rule.t_epoch > engine.epoch_max:
        found.append(refusal("M260", f"has an epoch of {rule.t_epoch} ticks; {chip.name} has at most "
                             f"{engine.epoch_max}", "shorten t_epoch"))
    if (late := max(rule.x_delay, rule.y_delay)) > engine.delay_max:
        found.append(refusal("M260", f"hears of spikes {late} ticks late; {chip.name} has at most {engine.delay_max}",
                             "leave out x_delay and y_delay"))
    if (precision := precision_of(engine)) is not None:
        found += _imprecise(rule, precision, chip.name, refusal)
    if folded.kind == "conv" or len(folded.maps) != 1 or projection.box > 1:
        found.append(refusal("M261", "learns, but shares its weights or has several delays",
                             "give it as `dense`, `sparse`, `one_to_one` or `random`, with one delay"))
    if kernel.by_sign == "magnitude" and not np.isfinite(rule.w_max):
        found.append(refusal("M260", f"has no largest weight; {chip.name} scales its ring buffers by it",
                             "give w_max, in the network's own unit"))
    negative = folded.kind != "conv" and any((m < 0).sum() for m in folded.maps.values())
    if kernel.by_sign and not projection.receptor and (negative or kernel.by_sign != "magnitude"):
        found.append(refusal("M261", f"learns, but goes to inputs of `{post.name}` that are told apart by the sign of "
                             "the weight", "name one of its receptors"))
    if post.model == "loihi_lif" and "vth_mant" not in post.params:
        found.append(refusal("M261", f"learns in the weight units of {chip.name}, but `{post.name}` is in trained "
                             "units", "give the population as `loihi_lif`, its incoming weights as whole numbers"))
    if any(q is not projection and q.plasticity and (q.name or f"{q.pre} -> {q.post}") == name
           for q in draft.network.projections):
        found.append(refusal("M261", "shares its name with another that learns", "give each a `name`"))
    if found:
        raise ExpressError(*found)
    return Learning(rule)


def _imprecise(rule: Plasticity, precision: Precision, chip: str, refusal: Callable[..., Diagnostic]
               ) -> list[Diagnostic]:
    """What fixed point does not have: coefficients, widths, fractions, impulses."""
    found = []
    for products in rule.products.values():
        for p in products:
            limit = 1 << precision.mantissa_bits
            if precision.scale(p) is None:
                found.append(refusal("M260", f"has the factor {p.coefficient:g} in its rule; {chip} has -{limit} to "
                                     f"{limit - 1} times a power of two", "round it"))
            elif sum(precision.width(f.name) for f in p.factors) + precision.mantissa_bits > EXACT_BITS:
                found.append(refusal("M260", f"multiplies {len(p.factors)} factors in one product, more than the "
                                     "engine's arithmetic holds", "use fewer"))
            if any(f.offset != int(f.offset) for f in p.factors):
                found.append(refusal("M260", f"adds a fraction to a factor; {chip} adds whole numbers", "round it"))
    for name in (*X_TRACES, *Y_TRACES):
        trace, most = getattr(rule, name), (1 << precision.trace_bits) - 1
        if trace.tau and not 0 <= trace.impulse <= most:
            found.append(refusal("M260", f"raises trace {name} by {trace.impulse:g}; {chip} has 0 to {most}",
                                 "scale the rule"))
    return found


def tag_bits(c: Connection) -> int:
    """Bits of a synapse for its tag."""
    return VARIABLE_BITS["t"] if c.learning and "t" in c.learning.rule.products else 0


def plastic_projections(draft: Draft, number: list[np.ndarray], place: list[np.ndarray]
                        ) -> tuple[PlasticProjection, ...]:
    """What learns, in the layout's numbers. place: per connection int64[n], where its synapses are in Layout.weight."""
    index = {node.name: i for i, node in enumerate(draft.nodes)}
    found = []
    for c, where in zip(draft.connections, place, strict=True):
        if c.learning is None or c.learning.weight is None:
            continue
        post, pre = ends(c)
        order = np.lexsort((post, pre))
        reward = c.learning.rule.reward
        found.append(PlasticProjection(
            c.name, c.learning.rule, c.learning.sign, pre[order].astype(np.int32), post[order].astype(np.int32),
            where[order], c.learning.weight[order], c.learning.stored, number[c.pre], number[c.post],
            number[index[reward]] if reward else np.zeros(0, np.int64), c.learning.grid))
    return tuple(found)


def ends(c: Connection) -> tuple[np.ndarray, np.ndarray]:
    """(post, pre) units of a connection's synapses, int64[n], in the order of its matrix's values."""
    if c.is_dense:
        post, pre = np.divmod(np.arange(c.weight.size), c.weight.shape[1])
        return post, pre
    return np.repeat(np.arange(c.weight.shape[0]), np.diff(c.weight.indptr)), c.weight.indices.astype(np.int64)
