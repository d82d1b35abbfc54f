"""SpiNNaker's current-based LIF with exponential synapses in s16.15 fixed point (the C code of sPyNNaker 7, closed
form).

Numbers are whole multiples of 2^-15 in 32 bits. In every tick of dt, with alpha = r_membrane (i_exc - i_inh +
i_offset) + v_rest:

    v = alpha - E (alpha - v),  E = e^(-dt/tau_m),           unless refractory; a product is rounded to nearest
    v >= v_thresh: spike;  v = v_reset, rest of ceil(tau_refrac / dt) ticks
    i = i D,  D = e^(-dt/tau_syn) in u0.32, truncated;       after the neuron, then
    i = i + init * input,  init = tau_syn / dt (1 - D),      input: the ring buffer of the next tick

A ring buffer has 16 bits and saturates at 65535; its value is shifted left by `shift` bits (one number per synapse
type, which the host chooses) to be an s16.15 current. Weights are whole numbers of 0 .. 32767 in the buffer's units.
A population of the model `iaf_exp` becomes one of these, its weights rounded to the buffers' units by the compiler.
Receptors: exc, inh; without a name, negative weights go to inh as positive numbers.
"""
from __future__ import annotations

import numpy as np

from chipsim.models.kernels import Kernel
from chipsim.models.neurons.framework import Parameter, positive, read, seconds, ticks_of
from chipsim.network.graph import Population

ONE = 1 << 15
parameters = {
    "tau_m": seconds(0.02, "time constant of the membrane"), "cm": positive("nF", 1.0, "capacitance"),
    "tau_syn_e": seconds(0.005, "decay of excitation"), "tau_syn_i": seconds(0.005, "decay of inhibition"),
    "v_rest": Parameter("mV", -65.0, doc="resting potential"), "v_reset": Parameter("mV", -65.0, doc="after a spike"),
    "v_thresh": Parameter("mV", -50.0, doc="threshold"), "i_offset": Parameter("nA", 0.0, doc="constant input"),
    "tau_refrac": Parameter("s", 0.0001, low=0, doc="rest after a spike"),
    "shift_e": Parameter("bit", 0, low=0, high=15, integer=True, doc="left shift of the excitatory ring buffer"),
    "shift_i": Parameter("bit", 0, low=0, high=15, integer=True, doc="left shift of the inhibitory ring buffer"),
}
options: dict[str, tuple] = {}
spiking = True


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two s16.15 numbers (int64 arrays), rounded to nearest."""
    return (a * b + (ONE >> 1)) >> 15


def buffered(sums: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The s16.15 current int64[n] of a ring buffer: its sum saturated at 16 bits, shifted left."""
    return np.minimum(sums.astype(np.int64), 0xFFFF) << shift


class LifS1615(Kernel):
    name = "lif_s1615"
    params = {"exp_tc": "i4", "r_membrane": "i4", "v_rest": "i4", "v_reset": "i4", "v_thresh": "i4", "i_offset": "i4",
              "decay_e": "i4", "decay_i": "i4", "init_e": "i4", "init_i": "i4", "shift_e": "i4", "shift_i": "i4",
              "refractory": "i4", "v_init": "i4"}
    state = {"v": "i4", "i_exc": "i4", "i_inh": "i4", "wait": "i4"}
    initial = {"v": "v_init"}
    accumulator = "i4"
    receptors = ("exc", "inh")
    by_sign = "magnitude"

    @staticmethod
    def step(s: dict, p: dict, o: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = {name: p[name].astype(np.int64) for name in LifS1615.params}
        v, i_exc, i_inh = (s[name].astype(np.int64) for name in ("v", "i_exc", "i_inh"))
        active = (v != p["v_rest"]) | (i_exc != 0) | (i_inh != 0) | (x[0] != 0) | (x[1] != 0) | (p["i_offset"] != 0)
        free = s["wait"] <= 0
        alpha = product(i_exc - i_inh + p["i_offset"], p["r_membrane"]) + p["v_rest"]
        v = np.where(free, alpha - product(p["exp_tc"], alpha - v), v)
        spikes = free & (v >= p["v_thresh"])
        s["v"][:] = np.where(spikes, p["v_reset"], v)
        s["wait"][:] = np.where(spikes, p["refractory"], np.maximum(s["wait"].astype(np.int64) - 1, 0))
        for receptor, name, i in ((0, "e", i_exc), (1, "i", i_inh)):
            buffer = buffered(x[receptor], p[f"shift_{name}"])
            keep = p[f"decay_{name}"] & 0xFFFFFFFF  # u0.32 in the bits of an int32
            s["i_exc" if name == "e" else "i_inh"][:] = (
                ((i * keep) >> 32) + product(buffer, p[f"init_{name}"])
            ).astype(np.int32)
        return spikes.astype(np.float64), active


kernel = LifS1615


def fixed(value: np.ndarray) -> np.ndarray:
    """int32 s16.15 nearest to a number, saturated."""
    return np.clip(np.round(np.asarray(value) * ONE), -(2**31), 2**31 - 1).astype(np.int32)


def discretise(population: Population, dt: float | None) -> dict[str, np.ndarray]:
    """Registers of the kernel [size] for ticks of dt seconds."""
    p = read(population, parameters)
    dt = ticks_of(dt)
    decays = {name: np.exp(-dt / p[f"tau_syn_{name}"]) for name in "ei"}
    return {"exp_tc": fixed(np.exp(-dt / p["tau_m"])), "r_membrane": fixed(p["tau_m"] * 1e3 / p["cm"]),
            **{name: fixed(p[name]) for name in ("v_rest", "v_reset", "v_thresh", "i_offset")},
            **{f"decay_{k}": np.floor(d * 2.0**32).astype(np.uint32).view(np.int32) for k, d in decays.items()},
            **{f"init_{k}": fixed(p[f"tau_syn_{k}"] / dt * (1 - d)) for k, d in decays.items()},
            **{f"shift_{k}": p[f"shift_{k}"].astype(np.int32) for k in "ei"},
            "v_init": fixed(p["v_rest"]), "refractory": np.ceil(p["tau_refrac"] / dt - 1e-9).astype(np.int32)}


def registers(population: Population, values: dict[str, np.ndarray], dt: float | None
              ) -> tuple[dict[str, np.ndarray], float]:
    """Registers [size] but for the shifts, of a population of the model `iaf_exp` with these parameters.

    Also the factor from the network's currents to the chip's. Potentials are multiplied by a power of two that brings
    thresholds and resting potentials below 2^8 of the 2^16 there are, the resistance by one that brings it to 32 .. 64
    (sPyNNaker's own 20 MOhm is of that size), currents by the quotient, so that neither overflows nor loses bits. i_e
    is constant, and joins the resting potential.
    """
    p, dt = values, ticks_of(dt)
    rest = p["v_leak"] + p["r"] * p["i_e"]
    start = p["v_init"] if "v_init" in population.params else p["v_leak"]
    peak = max(float(np.abs(a).max(initial=0)) for a in (p["v_threshold"], p["v_reset"], rest, start))
    scale = 2.0 ** (8 - np.ceil(np.log2(peak))) if peak > 0 else 1.0
    decays = {"e": np.exp(-dt / p["tau_exc"]), "i": np.exp(-dt / p["tau_inh"])}
    gain = {"e": p["tau_exc"] / dt * (1 - decays["e"]), "i": p["tau_inh"] / dt * (1 - decays["i"])}
    potentials = {"v_rest": rest, "v_reset": p["v_reset"], "v_thresh": p["v_threshold"], "v_init": start}
    largest = float(np.abs(p["r"]).max(initial=0))
    stretch = 2.0 ** (6 - np.ceil(np.log2(largest))) if largest > 0 else 1.0
    return {"exp_tc": fixed(np.exp(-dt / p["tau"])), "r_membrane": fixed(p["r"] * stretch),
            **{name: fixed(value * scale) for name, value in potentials.items()},
            "i_offset": np.zeros(population.size, np.int32),
            **{f"decay_{k}": np.floor(d * 2.0**32).astype(np.uint32).view(np.int32) for k, d in decays.items()},
            **{f"init_{k}": fixed(g) for k, g in gain.items()},
            "refractory": np.round(p["refractory"] / dt).astype(np.int32)}, scale / stretch
