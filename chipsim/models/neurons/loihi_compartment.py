"""Loihi's neuron with what `loihi_lif` leaves out: noise, a threshold that keeps its activity in bounds, dendrites.

    u, v            as in loihi_lif.py, and the same profiles; dendrite k has a u and a v of its own, from receptor dk
    noise           (r + 64 offset) 2^(exp - 7), r uniform in -127 .. 127, drawn every tick: onto the input of u
                    (`current`), onto u + bias (`voltage`), or onto the threshold (`threshold`)
    join            what the soma takes from its dendrites, instead of u alone
                      add   u + v1 + v2 + ...        max   max(u, v1, v2, ...)         min   min(u, v1, v2, ...)
                      or    u; a dendrite above dendrite_vth makes the soma spike, unless it rests
                      pass  u in a tick in which a dendrite is above dendrite_vth, else 0
                    with `or` and `pass` a dendrite above its threshold starts again from 0
    activity        a = (a (4096 - activity_decay) >> 12) + activity_impulse at a spike; then the threshold moves by
                    activity_gain ((a - activity_max)+ - (activity_min - a)+), within 0 .. 2^23 - 1

Noise as in nengo-loihi 1.1 (`NoiseState`). Joins and bounds of activity exist on the silicon (Davies et al. 2018:
dendritic trees, homeostasis), but their arithmetic is not published: it is what stands here. A dendrite takes the place
of a compartment on its core, and costs what the update of one costs.
"""
from __future__ import annotations

from functools import lru_cache

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, read
from chipsim.models.neurons.loihi_lif import PROFILES, decay, wrap
from chipsim.network.graph import Population

MOST = 2**23 - 1


def _register(default: float | None, low: int, high: int, doc: str, unit: str = "") -> Parameter:
    return Parameter(unit, default, low=low, high=high, integer=True, doc=doc)


parameters = {
    "du": _register(4095, 0, 4096, "decay of the current", "1/4096 per tick"),
    "dv": _register(0, 0, 4096, "decay of the voltage", "1/4096 per tick"),
    "vth_mant": _register(None, 0, 2**17 - 1, "threshold, at the start", "2^6"),
    "bias_mant": _register(0, -4096, 4095, "bias added every tick", "2^bias_exp"),
    "bias_exp": _register(0, 0, 7, "exponent of the bias"),
    "refract": _register(1, 1, 63, "1: may spike again in the next tick", "ticks"),
    "noise_exp": _register(7, 0, 15, "exponent of the noise"),
    "noise_offset": _register(0, -127, 127, "its mean, in units of 64"),
    "dendrite_du": _register(4095, 0, 4096, "decay of a dendrite's current", "1/4096 per tick"),
    "dendrite_dv": _register(0, 0, 4096, "decay of a dendrite's voltage", "1/4096 per tick"),
    "dendrite_vth": _register(0, 0, 2**17 - 1, "threshold of a dendrite, for or and pass", "2^6"),
    "activity_decay": _register(0, 0, 4096, "decay of the activity", "1/4096 per tick"),
    "activity_impulse": _register(0, 0, 2**16, "what a spike adds to the activity"),
    "activity_min": _register(0, 0, 2**23, "below it the threshold falls"),
    "activity_max": _register(0, 0, 2**23, "above it the threshold rises"),
    "activity_gain": _register(0, 0, 2**7, "of the threshold; 0: it stays"),
}
options = {"noise": ("none", "current", "voltage", "threshold"), "join": ("add", "max", "min", "or", "pass"),
           "dendrites": (0, 1, 2, 3, 4)}
spiking = True


class LoihiCompartment(Kernel):
    """Of use when `bound` to its number of dendrites."""

    name = "loihi_compartment"
    params = {"du": "i4", "dv": "i4", "vth": "i4", "drive": "i4", "refract": "i4", "dendrite_vth": "i4",
              **dict.fromkeys(("noise_exp", "noise_offset", "dendrite_du", "dendrite_dv", "activity_decay",
                               "activity_impulse", "activity_min", "activity_max", "activity_gain"), "i4")}
    state = {"u": "i4", "v": "i4", "wait": "i4", "threshold": "i4", "activity": "i4"}
    initial = {"threshold": "vth"}
    accumulator = "i4"
    options = PROFILES["loihi"] | {"noise": "none", "join": "add", "dendrites": 0}
    mantissas = True

    @classmethod
    def bound(cls, options: dict) -> type[Kernel]:
        return _bound(int(options["dendrites"]), options["noise"] != "none")

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray, draws=None) -> tuple[np.ndarray, np.ndarray]:
        rows = [x[k] for k in range(o["dendrites"] + 1)] if o["dendrites"] else [x]
        active = (s["u"] != 0) | (s["v"] != 0) | (rows[0] != 0) | (p["drive"] != 0)
        noise = {"current": 0, "voltage": 0, "threshold": 0}
        if draws is not None:
            noise[o["noise"]] = drawn(p, draws.words(len(s["u"]), 0)[0])
            active = active | True
        u = current(s["u"], p["du"], o, (rows[0].astype(np.int64) << 6) + noise["current"])
        joined, above = u, False
        for k, row in enumerate(rows[1:], 1):
            active = active | (s[f"u{k}"] != 0) | (s[f"v{k}"] != 0) | (row != 0)
            uk = current(s[f"u{k}"], p["dendrite_du"], o, row.astype(np.int64) << 6)
            vk = np.clip(decay(s[f"v{k}"], p["dendrite_dv"] + o["dm"]) + uk, o["vmin"], o["vmax"])
            fired = vk > p["dendrite_vth"]
            if o["join"] == "add":
                joined = joined + vk
            elif o["join"] in ("max", "min"):
                joined = {"max": np.maximum, "min": np.minimum}[o["join"]](joined, vk)
            else:
                above, vk = above | fired, np.where(fired, 0, vk)
            s[f"u{k}"][:], s[f"v{k}"][:] = uk, vk
        if o["join"] == "pass" and o["dendrites"]:
            joined = np.where(above, joined, 0)
        total = wrap(joined + p["drive"] + noise["voltage"], o["sum_wrap"])
        v = np.clip(decay(s["v"], p["dv"] + o["dm"]) + total, o["vmin"], o["vmax"])
        free = s["wait"] == 0
        v = np.where(free, v, 0)
        spikes = v > s["threshold"] + noise["threshold"]
        if o["join"] == "or" and o["dendrites"]:
            spikes = spikes | (above & free)
        activity = ((s["activity"].astype(np.int64) * (4096 - p["activity_decay"])) >> 12)
        activity = np.minimum(activity + np.where(spikes, p["activity_impulse"], 0), MOST)
        excess = np.maximum(activity - p["activity_max"], 0) - np.maximum(p["activity_min"] - activity, 0)
        s["u"][:] = u
        s["v"][:] = np.where(spikes, 0, v)
        s["wait"][:] = np.maximum(np.where(spikes, p["refract"], s["wait"]) - 1, 0)
        s["activity"][:] = activity
        s["threshold"][:] = np.minimum(np.maximum(s["threshold"] + p["activity_gain"] * excess, 0), MOST)
        return spikes.astype(np.int64), active


def current(u: np.ndarray, du: np.ndarray, o: dict, q: np.ndarray) -> np.ndarray:
    """The current after a tick with input q, by the profile's wraps."""
    return wrap(decay(u, du + o["ds"]) + wrap(q, o["q_wrap"]), o["u_wrap"])


def drawn(p: dict, word: np.ndarray) -> np.ndarray:
    """int64[n] noise from words of 32 random bits."""
    r = ((word * 255) >> 32) - 127 + 64 * p["noise_offset"].astype(np.int64)
    up, down = np.maximum(p["noise_exp"] - 7, 0), np.maximum(7 - p["noise_exp"], 0)
    return (r << up) >> down


@lru_cache
def _bound(dendrites: int, random: bool) -> type[Kernel]:
    own = {f"{name}{k}": "i4" for k in range(1, dendrites + 1) for name in ("u", "v")}
    return type("BoundLoihiCompartment", (LoihiCompartment,), {
        "state": LoihiCompartment.state | own, "random": random, "compartments": 1 + dendrites,
        "receptors": ("soma", *(f"d{k}" for k in range(1, dendrites + 1))) if dendrites else ("",)})


kernel = LoihiCompartment


def kernel_options(population: Population) -> dict[str, object]:
    return {name: population.options.get(name, LoihiCompartment.options[name]) for name in options}


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers of the kernel [size]; dt plays no part."""
    p = {name: value.astype(np.int64) for name, value in read(population, parameters).items()}
    p["vth"], p["drive"] = p.pop("vth_mant") << 6, p.pop("bias_mant") << p.pop("bias_exp")
    p["dendrite_vth"] = p["dendrite_vth"] << 6
    return {name: p[name].astype(np.int32) for name in LoihiCompartment.params}
