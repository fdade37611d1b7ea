"""Estimate the time and the memory of a run, and limit its batch to the memory that there is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from ..errors import ParameterError
from ..raster.writer import BLOCK
from ..runtimes.base import PredictStream
from .job import InferenceJob

#: Runs with fewer tiles are not timed: they are over soon, and timing costs a call of the network.
_TILES_WORTH_TIMING = 40
#: Where Linux keeps the memory limit of the process's control group: version 2 and version 1.
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
#: Strips in memory at a time: one is read, one waits, one is computed, and one is written.
_STRIPS = 4


def estimate_seconds(
    job: InferenceJob, predict_stream: PredictStream, tiles: int, clock: Callable[[], float]
) -> float | None:
    """Estimate the seconds for ``tiles`` tiles by computing one batch; None for few tiles."""
    if tiles < _TILES_WORTH_TIMING:
        return None
    tile = job.plan.tile
    batch = np.zeros((job.batch, job.bands, tile, tile), job.view.spec.dtype)
    start = clock()
    next(predict_stream([batch], job.batch))
    return (clock() - start) * tiles / job.batch


def estimate_memory(job: InferenceJob) -> int:
    """Estimate the peak memory of the process in bytes: its present size, strips, blending, rows to write, and tiles.

    The working memory of the network is known only where it ran already; about twelve full-size feature maps of eight
    channels for each pixel of a batch are assumed.
    """
    plan, layers = job.plan, job.view.spec.layers
    width, tile = max(plan.columns.length, plan.tile), plan.tile
    strip = tile * width * (layers * np.dtype(job.view.spec.dtype).itemsize + 1)
    blending = job.classes * 4 * (plan.rows.ramp * width + 4 * tile * tile * job.batch)
    writing = (job.classes + 2) * width * (tile + 2 * BLOCK)
    network = job.batch * tile * tile * 4 * (job.bands + 12 * 8)
    return int(psutil.Process().memory_info().rss) + _STRIPS * strip + blending + writing + network


def limit_batch(job: InferenceJob, limit: int | None) -> InferenceJob:
    """Reduce the batch of ``job`` until the estimated memory is within a limit.

    Strips are as wide as the grid, so an image with very many columns, or a file that claims them, can need more than
    the limit even for a single tile.

    Args:
        job: what is computed.
        limit: most bytes that the process may take; None for all memory of the machine.

    Raises:
        ParameterError: even one tile at a time needs more.
    """
    most = usable_memory() if limit is None else limit
    while job.batch > 1 and estimate_memory(job) > most:
        job = replace(job, batch=job.batch // 2)
    needed = estimate_memory(job)
    if needed > most:
        bound = "this machine has" if limit is None else "the limit is"
        raise ParameterError(
            f"An image of {job.plan.columns.length} columns needs about {_format_bytes(needed)} of memory; "
            f"{bound} {_format_bytes(most)}.",
            f"Use a smaller --tile{'' if limit is None else ' or a higher --memory'}, or work on parts of it with "
            "--extent.",
        )
    return job


def usable_memory() -> int:
    """Memory of the machine in bytes, or of the control group (container) that the process is limited to."""
    limits = [int(psutil.virtual_memory().total)]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no control group, or "max": no limit
            limits.append(int(path.read_text(encoding="ascii")))
    return min(limits)


def _format_bytes(count: int) -> str:
    return f"{count / 1e9:.0f} GB" if count >= 10e9 else f"{count / 1e6:.0f} MB"
