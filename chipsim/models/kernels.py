"""The arithmetics a core can have: for each, parameters, state, and the plain NumPy step that is its meaning.

A kernel is a class with `name`, `params` and `state` (name -> dtype), `options`, and `step`. The compiled engine has
a twin of each `step`, equal bit for bit; tests/reference holds them against each other.
"""
from __future__ import annotations

from chipsim.models.neurons.affine import Affine
from chipsim.models.neurons.loihi_lif import LoihiLif

KERNELS = {k.name: k for k in (Affine, LoihiLif)}
