"""Compare two recordings.

Results of a network are equal to the last bit on the same kind of processor with the same libraries. On others, the
thinned copies of its rasters, and the numbers and sizes of features made from them, have to be close to the recorded
ones. Everything else has to be equal everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from recorded.reduce import coarse_values

#: Relative difference of numbers that are computed in the same way.
SAME = 1e-6
#: Relative and absolute difference of numbers that follow from probabilities with other last digits.
NEAR, NEAR_ABSOLUTE = 0.05, 3
#: Quantized units by which a probability may be off, and the share of pixels for which that holds.
UNITS, SHARE = 2, 0.999
#: Share of pixels of the same class.
SHARE_OF_CLASSES = 0.99


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Describe the differences of ``found`` from ``expected``; messages are not compared."""
    exact = expected["made_on"] == found["made_on"]
    lines = []
    names = [*expected["results"], *(name for name in found["results"] if name not in expected["results"])]
    for name in names:
        old, new = expected["results"].get(name), found["results"].get(name)
        network = isinstance(old, dict) and old.get("network", False)
        lines += _compare(old, new, name, near=network and not exact)
    return lines


def changed_sentences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Describe the messages that differ from the recorded ones."""
    lines = []
    for name, old in expected["sentences"].items():
        new = found["sentences"].get(name, [])
        lines += [f"{name}: {text!r} is gone" for text in old if text not in new]
        lines += [f"{name}: {text!r} is new" for text in new if text not in old]
    return lines


def _compare(old: Any, new: Any, where: str, *, near: bool) -> Iterator[str]:
    """Describe the differences of two JSON values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            place = f"{where}: {name}" if ": " not in where else f"{where}.{name}"
            if where.endswith(".progress") and name != "infer" and not (name in old and name in new):
                continue  # a short stage is reported only if it takes long enough
            if name not in old or name not in new:
                yield f"{place} is {'gone' if name in old else 'new'}"
            elif name == "coarse":
                yield from _compare_coarse(old, new, place) if near else ()
            elif name != "exact" or not near:
                yield from _compare(old[name], new[name], place, near=near)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where} has {len(new)} entries, not {len(old)}: {new!r}, not {old!r}"
            return
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _compare(*pair, f"{where}[{number}]", near=near)
    elif _is_number(old) and _is_number(new):
        relative, absolute = (NEAR, NEAR_ABSOLUTE) if near else (SAME, 1e-9)
        same = math.isclose(old, new, rel_tol=relative, abs_tol=absolute) or (math.isnan(old) and math.isnan(new))
        if not same:
            yield f"{where} is {new!r}, not {old!r}"
    elif old != new:
        yield f"{where} is {new!r}, not {old!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare_coarse(old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[str]:
    """Describe the difference of the thinned copies of two rasters, if there is one."""
    before, after = coarse_values(old["coarse"]), coarse_values(new["coarse"])
    if before.shape != after.shape:
        yield f"{where} has another size"
        return
    classes = "colours" in old
    share = float(np.mean(np.abs(before - after) <= (0 if classes else UNITS)))
    if share < (SHARE_OF_CLASSES if classes else SHARE):
        yield f"{where}: only {share:.2%} of the pixels are as recorded"
