"""Which weights of a run are kept beside the best and the last ones: bests of further figures, an archive of checks."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...engine.errors import ParameterError


def is_better_high(name: str) -> bool:
    """Whether a higher value of the figure ``name`` is better."""
    return not name.endswith("loss")


def score(name: str, figures: Mapping[str, float]) -> float:
    """The figure ``name`` as a number of which higher is better; minus infinity where it is undefined.

    Raises:
        ParameterError: a check has no such figure.
    """
    if name not in figures:
        raise ParameterError(f"A check has no figure {name!r}; it has: {', '.join(figures)}.")
    value = figures[name] if is_better_high(name) else -figures[name]
    return -math.inf if math.isnan(value) else value


def new_bests(names: Sequence[str], figures: Mapping[str, float], bests: Mapping[str, float]) -> dict[str, float]:
    """Those of the figures ``names`` that are better than in ``bests`` (or the first ones), with their values."""
    return {
        name: figures[name]
        for name in names
        if score(name, figures) > -math.inf and (name not in bests or score(name, figures) > score(name, bests))
    }


def archived(folder: Path) -> list[Path]:
    """The weights in an archive, oldest first."""
    found = {int(match[1]): path for path in folder.glob("*.ckpt") if (match := re.match(r"step_(\d+)$", path.stem))}
    return [found[step] for step in sorted(found)]


def prune(folder: Path, count: int) -> None:
    """Delete all but the latest ``count`` weights of an archive; -1 keeps all."""
    if count >= 0:
        for path in archived(folder)[: -count or None]:
            path.unlink()
