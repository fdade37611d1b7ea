"""Blocks of an image: the unit of work that another process or machine can do.

A block needs the image, the plan and the network, and nothing of other blocks. ``run_inference`` computes the same
tiles in rows; both results are identical (where the image is resampled, up to how GDAL rounds a mean).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..raster.bands import Mask
from ..raster.reader import reflect
from ..tiling.blend import Block, Floats, compute_block
from .plan import InferenceJob
from .predict import Predict


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


def compute_image_block(job: InferenceJob, block: Block, predict: Predict) -> BlockResult:
    """Read a block of the image, compute its tiles and blend them.

    Args:
        job: image, plan and shape of the network.
        block: which tiles.
        predict: (N, bands, tile, tile) to probabilities (N, classes, tile, tile).

    Raises:
        SourceError: the image is damaged there.
        InferenceError: the network failed.
    """
    plan, tile = job.plan, job.plan.tile
    x0, y0, x1, y1 = block.input_window
    height, width = y1 - y0, x1 - x0
    pixels = np.empty((job.view.bands.layers, max(height, tile), max(width, tile)), job.view.dtype)
    valid = job.view.read(x0, y0, x1, y1, pixels[:, :height, :width])
    reflect(pixels, height, width)

    def read_tile(row: int, column: int) -> NDArray[Any] | None:
        """Return the pixels of a tile, or None where it has no valid pixel."""
        (top, bottom), (left, right) = plan.rows.active_range(row), plan.columns.active_range(column)
        if valid is not None and not valid[top - y0 : bottom - y0, left - x0 : right - x0].any():
            return None
        y, x = plan.rows.starts[row] - y0, plan.columns.starts[column] - x0
        return np.array(np.broadcast_to(pixels[:, y : y + tile, x : x + tile], (job.bands, tile, tile)))

    total = compute_block(plan, block, read_tile, predict, job.classes)
    left, top, right, bottom = block.window
    return BlockResult(block, total, None if valid is None else valid[top - y0 : bottom - y0, left - x0 : right - x0])
