"""Families of spike-timing rules, each as a sum of products.

`impulse` is the height of the traces that stand for 1: fixed-point engines have traces of 0 to 127, so 16 leaves room
for eight spikes and four bits of decay. Amplitudes are changes of the weight in the rule's units; on a chip with fixed
point they end up as a small number times a power of two, or are refused. Times are in ticks. Traces count every pair
(all-to-all).

`coincident` says what a pair in one tick (one epoch) counts for:
  both     potentiation and depression: traces are read after the spikes of the tick, as Loihi does (Lava 0.10)
  plus     potentiation alone: the axon's spike comes first, as in Brian2
  neither  nothing, as in NEST
"""
from __future__ import annotations

from chipsim.errors import Diagnostic, NetworkError
from chipsim.models.plasticity.rule import Plasticity, Trace

COINCIDENT = ("both", "plus", "neither")


def pair(a_plus: float = 4, a_minus: float = 4, tau_plus: float = 10, tau_minus: float = 10, impulse: float = 16,
         t_epoch: int = 1, coincident: str = "both", **bounds: float) -> Plasticity:
    """Pair STDP (Song, Miller and Abbott 2000): at a spike of the neuron + a_plus x, of the axon - a_minus y."""
    return Plasticity(dw=_pair(a_plus, a_minus, impulse, coincident), x1=Trace(impulse, tau_plus),
                      y1=Trace(impulse, tau_minus), t_epoch=t_epoch, **bounds)


def multiplicative(a_plus: float = 4, a_minus: float = 4, tau_plus: float = 10, tau_minus: float = 10,
                   w_max: float = 256, impulse: float = 16, t_epoch: int = 1, coincident: str = "both",
                   **more: float) -> Plasticity:
    """Soft bounds (van Rossum, Bi and Turrigiano 2000): + a_plus x (1 - w / w_max), - a_minus y w / w_max."""
    plus, minus = a_plus / (impulse * w_max), a_minus / (impulse * w_max)
    room = f"(w - {w_max!r})"
    text = _both(-plus, minus, impulse, coincident, f"*{room}", "*w")
    if coincident == "plus":                    # the second change of a tick starts from the weight after the first
        text += f" + {plus * minus!r}*x0*y0*x1*(y1 - {impulse!r})*w"
    elif coincident == "neither":
        text += f" + {plus * minus!r}*x0*y0*(x1 - {impulse!r})*(y1 - {impulse!r})*{room}"
    return Plasticity(dw=text, x1=Trace(impulse, tau_plus), y1=Trace(impulse, tau_minus), t_epoch=t_epoch, **more)


def triplet(a2_plus: float = 4, a2_minus: float = 4, a3_plus: float = 4, a3_minus: float = 0, tau_plus: float = 10,
            tau_minus: float = 10, tau_x: float = 50, tau_y: float = 50, impulse: float = 16, t_epoch: int = 1,
            coincident: str = "both", **bounds: float) -> Plasticity:
    """Triplets (Pfister and Gerstner 2006): + x1 (a2_plus + a3_plus y2), - y1 (a2_minus + a3_minus x2).

    The slow traces x2 and y2 count without the spike of the moment: read after its impulse, less the impulse.
    """
    third = impulse * impulse
    slow = _both(a3_plus / third, a3_minus / third, impulse, coincident, f"*(y2 - {impulse!r})", f"*(x2 - {impulse!r})")
    return Plasticity(dw=f"{_pair(a2_plus, a2_minus, impulse, coincident)} + {slow}",
                      x1=Trace(impulse, tau_plus), x2=Trace(impulse, tau_x), y1=Trace(impulse, tau_minus),
                      y2=Trace(impulse, tau_y), t_epoch=t_epoch, **bounds)


def reward(reward: str, rate: float = 2**-6, a_plus: float = 8, a_minus: float = 8, tau_plus: float = 10,
           tau_minus: float = 10, tag_leak: float = 2**-4, tau_reward: float = 0, impulse: float = 16,
           t_epoch: int = 1, coincident: str = "both", **bounds: float) -> Plasticity:
    """Reward-modulated STDP (Izhikevich 2007): pair STDP charges the tag t, and dw = rate t r1.

    reward      input population whose events are the reward, by their payload; negative: punishment
    tag_leak    share of the tag that goes in every epoch
    tau_reward  decay of the reward; 0: it acts in its own epoch only
    """
    return Plasticity(dw=f"{rate!r}*u0*t*r1",
                      dt=f"{_pair(a_plus, a_minus, impulse, coincident)} - {tag_leak!r}*u0*t",
                      x1=Trace(impulse, tau_plus), y1=Trace(impulse, tau_minus), r1=Trace(1.0, tau_reward),
                      reward=reward, t_epoch=t_epoch, **bounds)


def homeostatic(target: float = 16, rate: float = 2**-8, tau: float = 100, every: int = 4, impulse: float = 16,
                t_epoch: int = 1, **bounds: float) -> Plasticity:
    """Synaptic scaling (Turrigiano 1998): dw = - rate w (y3 - target) in every 2^every-th epoch.

    y3 follows the neuron's rate: spikes per tick times impulse times tau.
    """
    return Plasticity(dw=f"-{rate!r}*u{every}*w*(y3 - {target!r})", y3=Trace(impulse, tau), t_epoch=t_epoch, **bounds)


def _pair(a_plus: float, a_minus: float, impulse: float, coincident: str) -> str:
    return _both(a_plus / impulse, a_minus / impulse, impulse, coincident)


def _both(plus: float, minus: float, impulse: float, coincident: str, up: str = "", down: str = "") -> str:
    """plus x1 up at the neuron's spike, - minus y1 down at the axon's; the pair of one tick taken out of the traces."""
    if coincident not in COINCIDENT:
        raise NetworkError(Diagnostic("N261", f"plasticity: coincident spikes cannot count `{coincident}`",
                                      help=f"one of {', '.join(COINCIDENT)}"))
    text = f"{plus!r}*x1*y0{up} - {minus!r}*y1*x0{down}"
    if coincident != "both":
        text += f" + {minus * impulse!r}*x0*y0{down}"
    if coincident == "neither":
        text += f" - {plus * impulse!r}*y0*x0{up}"
    return text


FAMILIES = {"pair": pair, "multiplicative": multiplicative, "triplet": triplet, "reward": reward,
            "homeostatic": homeostatic}
