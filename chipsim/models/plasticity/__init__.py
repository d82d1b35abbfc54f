"""Learning rules: `sum_of_products` is the language all of them are expressed in; one file per family of rules.

FAMILIES   name -> function that gives a Plasticity from the family's own parameters
"""
from __future__ import annotations

from chipsim.models.plasticity.rule import Plasticity, Trace
from chipsim.models.plasticity.stdp import FAMILIES

__all__ = ["FAMILIES", "Plasticity", "Trace"]
