"""Which checkpoints of a run are kept besides the best and the last: bests of further metrics, and an archive."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...engine.errors import ParameterError


def score(name: str, metrics: Mapping[str, float]) -> float:
    """Value of the metric ``name``, negated for losses so that higher is better; minus infinity where undefined.

    Raises:
        ParameterError: a validation has no such metric.
    """
    if name not in metrics:
        raise ParameterError(f"A validation has no metric {name!r}; it has: {', '.join(metrics)}.")
    value = -metrics[name] if name.endswith("loss") else metrics[name]
    return -math.inf if math.isnan(value) else value


def new_bests(names: Sequence[str], metrics: Mapping[str, float], bests: Mapping[str, float]) -> dict[str, float]:
    """Those of the metrics ``names``, with their values, that are better than in ``bests`` or not yet there."""
    return {
        name: metrics[name]
        for name in names
        if score(name, metrics) > -math.inf and (name not in bests or score(name, metrics) > score(name, bests))
    }


def archived_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints ``step_<number>.ckpt`` of an archive, oldest first."""
    found = {int(match[1]): path for path in folder.glob("*.ckpt") if (match := re.match(r"step_(\d+)$", path.stem))}
    return [found[step] for step in sorted(found)]


def prune_archive(folder: Path, count: int) -> None:
    """Delete all but the latest ``count`` checkpoints of an archive; -1 keeps all."""
    if count >= 0:
        for path in archived_checkpoints(folder)[: -count or None]:
            with suppress(OSError):  # another program has it open; it is removed after a later step
                path.unlink()
