"""Compute the tiles of one block, which another process or machine may do.

A block gives the weighted sum of its tiles from top to bottom. They are final except in the ramps that it shares with
its neighbours, where the sums of all of them have to be added.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..concurrency import ReadAhead
from ..context import Cancellation
from ..raster.bands import Mask
from ..raster.reader import read_strips
from ..runtimes.base import PredictStream
from ..tiling import Block, Floats, weight_tile
from .job import InferenceJob
from .runner import TileBatch, compute_tiles


@dataclass(frozen=True)
class BlockRows:
    """Rows of a block that no later tile of the block changes.

    Attributes:
        row: the row of tiles that completed them.
        top: their first row in the grid.
        total: weighted sum of the block's tiles, (classes, rows, columns of the block's window).
        valid: (rows, columns) where the image has pixels; None where everywhere.
        empty: tiles of the row without a valid pixel, which were not computed.
    """

    row: int
    top: int
    total: Floats
    valid: Mask | None
    empty: int


def compute_block_rows(
    job: InferenceJob, block: Block, predict_stream: PredictStream, cancellation: Cancellation
) -> Generator[BlockRows, None, None]:
    """Read a block of the image, compute its tiles and add them up; one ``BlockRows`` for each row of tiles.

    The last rows include the ramp that the block shares with the one below.

    Args:
        job: image, plan and shape of the network.
        block: the tiles.
        predict_stream: the network, see ``Session.predict_stream``.
        cancellation: checked before each batch.

    Raises:
        Cancelled: the run was cancelled.
        SourceError: the image is damaged there.
        ModelError: the network returned something of another shape, or values that are not finite.
    """
    left, _, right, _ = block.window
    ramp = job.plan.rows.ramp
    total: Floats = np.zeros((job.classes, 0, right - left), np.float32)
    below, empty = total, 0
    with (
        ReadAhead(read_strips(job.view, job.plan, block=block)) as strips,
        closing(compute_tiles(job, strips, predict_stream, cancellation)) as batches,
    ):
        for batch in batches:
            row = batch.strip.row
            y0, y1 = job.plan.rows.active_range(row)
            if batch.columns[0] == block.columns[0]:
                total, empty = np.zeros((job.classes, y1 - y0, right - left), np.float32), 0
                total[:, : below.shape[1]] += below
            _add_tiles(job, batch, total, left)
            empty += sum(batch.empty)
            if batch.columns[-1] != block.columns[-1]:
                continue
            end = y1 if row == block.rows[-1] else y1 - ramp
            below = total[:, end - y0 :].copy()
            offset, first = job.plan.rows.starts[row], left - batch.strip.left
            valid = batch.strip.valid
            visible = None if valid is None else valid[y0 - offset : end - offset, first : first + right - left]
            yield BlockRows(row, y0, total[:, : end - y0], visible, empty)


def _add_tiles(job: InferenceJob, batch: TileBatch, total: Floats, left: int) -> None:
    """Add the weighted tiles of ``batch`` to the sums of their row, whose first column in the grid is ``left``."""
    results = iter(() if batch.probability is None else batch.probability)
    for column, is_empty in zip(batch.columns, batch.empty, strict=True):
        if not is_empty:
            x0, x1 = job.plan.columns.active_range(column)
            total[:, :, x0 - left : x1 - left] += weight_tile(next(results), job.plan, batch.strip.row, column)
