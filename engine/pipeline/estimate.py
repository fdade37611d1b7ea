"""What a run will need, said before it starts."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from ..raster.writer import BLOCK
from ..runtimes.base import PredictEach
from .work import Work

#: A run of fewer tiles is over before an estimate would have been of use; trying costs one or two calls.
_TILES_WORTH_TRYING = 40
#: Where the system does not say how much memory the process has now.
_PROCESS = 400 << 20
#: Strips that exist at a time: one being read, one that waits, one being computed, one being written.
_STRIPS = 4


def estimate_memory(work: Work) -> int:
    """Bytes that the process will take at most: what it has now, strips, blending, rows to be written, and tiles.

    The network's own working memory is known only where it has run already; about twelve full-size feature maps
    for each pixel of a batch are assumed.
    """
    plan, layers = work.plan, work.view.bands.layers
    width, tile = max(plan.columns.length, plan.tile), plan.tile
    strip = tile * width * (layers * np.dtype(work.view.dtype).itemsize + 1)
    blending = work.classes * 4 * (plan.rows.ramp * width + 4 * tile * tile * work.batch)
    writing = (work.classes + 2) * width * (tile + 2 * BLOCK)
    network = work.batch * tile * tile * 4 * (work.bands + 12 * 8)
    return resident_bytes() + _STRIPS * strip + blending + writing + network


def estimate_seconds(work: Work, predict_each: PredictEach, tiles: int) -> float | None:
    """Seconds for ``tiles`` tiles by trying one batch; None where there are too few to be worth it."""
    if tiles < _TILES_WORTH_TRYING:
        return None
    batch = np.zeros((work.batch, work.bands, work.plan.tile, work.plan.tile), work.view.dtype)
    start = time.perf_counter()
    next(predict_each([batch]))
    return (time.perf_counter() - start) * tiles / work.batch


def fit_memory(work: Work, limit: int | None) -> Work:
    """``work`` with so few tiles at once that a run keeps to a limit.

    Strips are as wide as the grid; so an image of very many columns, or one that only says that it has them, may need
    more with a single tile.

    Args:
        work: what is to be computed.
        limit: most bytes that the process may take; None for all memory of the machine.

    Raises:
        ParameterError: it needs more even with one tile at a time.
    """
    most = _machine_bytes() if limit is None else limit
    if most is None:
        return work
    while work.batch > 1 and estimate_memory(work) > most:
        work = replace(work, batch=work.batch // 2)
    needed, columns = estimate_memory(work), work.plan.columns.length
    if needed > most:
        what = "this machine has" if limit is None else "the limit is"
        raise ParameterError(
            f"An image of {columns} columns needs about {_said(needed)} of memory; {what} {_said(most)}.",
            f"Use a smaller --tile{'' if limit is None else ' or a higher --memory'}, or work on parts of it with "
            "--extent.",
        )
    return work


def _said(number: int) -> str:
    return f"{number / 1e9:.0f} GB" if number >= 10e9 else f"{number / 1e6:.0f} MB"


def _machine_bytes() -> int | None:
    """All memory of the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def resident_bytes() -> int:
    """Memory that the process has now; a usual value where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return _PROCESS
    return pages * 4096
