"""What a layout lost of the network it was compiled from, in text: per layer by rounding, and in spikes on samples."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chipsim.figures import count, percent
from chipsim.report.text import table

EXACT_DB = 300.0    # signal-to-noise ratio that the quantiser notes where nothing was rounded


def quantisation(approximations: Iterable[dict[str, Any]]) -> str:
    """A row per projection and per population, of the figures that the quantiser noted."""
    def cell(a: dict[str, Any], name: str, form: Callable[[Any], str]) -> str:
        return form(a[name]) if name in a else "-"

    rows = [(a["what"].replace("`", ""), cell(a, "bits", str), cell(a, "exponent", str),
             cell(a, "lsb" if "lsb" in a else "scale", "{:.4g}".format),
             cell(a, "snr_dB", lambda x: "exact" if x >= EXACT_DB else f"{x:.1f}"), cell(a, "saturated", percent),
             cell(a, "zeroed", percent), cell(a, "threshold_error", "{:.2g}".format))
            for a in approximations if {"snr_dB", "threshold_error", "lsb"} & a.keys()]
    head = ("quantised", "bits", "exponent", "scale", "SNR dB", "saturated", "zeroed", "threshold error")
    return table(head, rows, "<>>>>>>>") if rows else "nothing was quantised"


def accuracy(found: dict[str, Any]) -> str:
    """What compiler.accuracy.check_accuracy found."""
    rows = [(p["population"], count(p["spikes_float"]), count(p["spikes_chip"]),
             "-" if p["count_error"] is None else percent(p["count_error"])) for p in found["populations"]]
    text = table(("against floating point", "spikes", "on the chip", "count error"), rows, "<>>>")
    if (outputs := found["outputs"]) is None:
        return text
    text += f"\n\nsame output in {percent(outputs['agreement'])} of {count(found['samples'], 'samples')}"
    if "accuracy_float" in outputs:
        text += (f"; right {percent(outputs['accuracy_float'])} in floating point, "
                 f"{percent(outputs['accuracy_chip'])} on the chip")
    return text
