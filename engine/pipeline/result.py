"""What the results of all tasks say about a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..protocol.messages import SummaryValue
from .plan import InferenceRun
from .runner import RunStatistics


def summarize_run(run: InferenceRun, statistics: RunStatistics) -> dict[str, SummaryValue]:
    """Return the part of a result's summary that every task has."""
    return {
        "model": run.model.card.name,
        "runtime": run.session.runtime,
        "device": run.session.device,
        "precision": run.session.precision,
        "tiles": statistics.tiles,
        "empty_tiles": statistics.empty,
        "inference_seconds": round(statistics.inference, 3),
        "stream_seconds": round(statistics.seconds, 3),
        "width": run.grid.width,
        "height": run.grid.height,
        "resolution": run.grid.resolution,
    }


def describe_run(run: InferenceRun, statistics: RunStatistics, seconds: float) -> str:
    """Return a sentence on how many tiles were computed, where, and in what time."""
    tiles = count_noun(statistics.tiles - statistics.empty, "tile")
    return f"{tiles} in {seconds:.1f} s on {run.session.device} with {run.session.runtime}. {run.reason}"


def count_noun(count: SummaryValue, noun: str) -> str:
    """Return ``1 line``, ``2 lines``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def list_outputs(paths: Mapping[str, Path | None]) -> dict[str, str]:
    """Return the outputs that were written, by role."""
    return {role: str(path) for role, path in paths.items() if path is not None}
