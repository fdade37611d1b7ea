"""Blocks of an image: the unit of work that another process or machine can do.

A block needs the image, the plan and the network, and nothing of other blocks. ``run_inference`` goes over the same
tiles in rows; both give the same, bit for bit (where the image is resampled, up to how GDAL rounds a mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..raster.bands import Mask
from ..raster.reader import reflect
from ..tiling.blend import Floats
from ..tiling.block import Block, compute_block
from .job import InferenceJob
from .tta import Predict


@dataclass(frozen=True)
class BlockResult:
    """What a block contributes to the whole.

    Attributes:
        block: the block.
        total: weighted sum of its tiles, (classes, rows, columns) over ``block.window``; to be added.
        valid: where the image has pixels, (rows, columns) over ``block.window``; None where everywhere.
    """

    block: Block
    total: Floats
    valid: Mask | None


def compute_image_block(work: InferenceJob, block: Block, predict: Predict) -> BlockResult:
    """Read a block of the image, run its tiles through the network and blend them.

    Args:
        work: image, plan and shape of the network.
        block: which tiles.
        predict: (N, bands, tile, tile) to probabilities (N, classes, tile, tile).

    Raises:
        SourceError: the image is damaged there.
        InferenceError: the network failed.
    """
    x0, y0, x1, y1 = block.input_window
    height, width, tile = y1 - y0, x1 - x0, work.plan.tile
    pixels = np.empty((work.view.bands.layers, max(height, tile), max(width, tile)), work.view.dtype)
    valid = work.view.read(x0, y0, x1, y1, pixels[:, :height, :width])
    reflect(pixels, height, width)
    total = compute_block(work.plan, block, _tiles(work, block, pixels, valid), predict, work.classes)
    left, top, right, bottom = block.window
    return BlockResult(block, total, None if valid is None else valid[top - y0 : bottom - y0, left - x0 : right - x0])


def _tiles(
    work: InferenceJob, block: Block, pixels: NDArray[Any], valid: Mask | None
) -> Callable[[int, int], NDArray[Any] | None]:
    """The function that gives the pixels of a tile of ``block``, or None for an empty tile."""
    plan, (x0, y0) = work.plan, block.input_window[:2]

    def read(row: int, column: int) -> NDArray[Any] | None:
        """The pixels of a tile, or None where it has no data."""
        (top, bottom), (left, right) = plan.rows.active_range(row), plan.columns.active_range(column)
        if valid is not None and not valid[top - y0 : bottom - y0, left - x0 : right - x0].any():
            return None
        y, x = plan.rows.starts[row] - y0, plan.columns.starts[column] - x0
        tile = np.empty((work.bands, plan.tile, plan.tile), work.view.dtype)
        tile[...] = pixels[:, y : y + plan.tile, x : x + plan.tile]
        return tile

    return read
