"""What a run will need, said before it starts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from ..raster.writer import BLOCK
from .tta import Predict
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


def estimate_seconds(work: Work, predict: Predict, tiles: int) -> float | None:
    """Seconds for ``tiles`` tiles by trying one; None where there are too few to be worth it."""
    if tiles < _TILES_WORTH_TRYING:
        return None
    batch = np.zeros((work.batch, work.bands, work.plan.tile, work.plan.tile), work.view.dtype)
    if work.batch > 1:  # a session was tried with one tile; the first call with more also compiles and allocates
        predict(batch)
    start = time.perf_counter()
    predict(batch)
    return (time.perf_counter() - start) * tiles / work.batch


def check_memory(work: Work) -> None:
    """Raise ``ParameterError`` where a run would need more memory than the machine has.

    Strips are as wide as the grid, so this is an image of very many columns, or one that only says that it has them.
    """
    needed, there = estimate_memory(work), _machine_bytes()
    if there is not None and needed > there:
        columns = work.plan.columns.length
        raise ParameterError(
            f"An image of {columns} columns needs about {needed / 1e9:.0f} GB of memory; this machine has "
            f"{there / 1e9:.0f} GB.",
            "Use a smaller --tile, or work on parts of it with --extent.",
        )


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
