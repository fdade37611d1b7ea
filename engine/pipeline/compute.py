"""From strips of pixels to probabilities of tiles: cut, batched, computed, checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InferenceError
from ..events import Cancellation
from ..raster.pixels import Mask
from ..raster.reader import Strip
from ..runtimes.base import PredictEach, Tiles
from ..tiling.plan import TilePlan
from .work import Work


@dataclass(frozen=True)
class Job:
    """Some tiles of one row, next to each other.

    Attributes:
        strip: the pixels of their row.
        columns: which tiles.
        empty: for each of them whether it has no valid pixel; those are not computed.
    """

    strip: Strip
    columns: Sequence[int]
    empty: Sequence[bool]


@dataclass(frozen=True)
class Computed(Job):
    """A job and what the network gave.

    Attributes:
        probability: (N, classes, tile, tile), one entry for each tile that is not empty; None where all are.
    """

    probability: NDArray[np.float32] | None


def compute_tiles(
    work: Work, strips: Iterable[Strip], predict_each: PredictEach, cancellation: Cancellation
) -> Generator[Computed, None, None]:
    """Compute the tiles of ``strips``, in their order.

    The network is always some batches ahead of what is given, so that it need not wait for whoever takes the results.

    Args:
        work: image, plan and shape of the network.
        strips: the pixels, one row of tiles after the other.
        predict_each: the network, see ``Session.predict_each``.
        cancellation: asked before each batch.

    Raises:
        Cancelled: the run was cancelled.
        InferenceError: the network gave something of another shape, or no numbers.
    """
    waiting: deque[Job] = deque()

    def batches() -> Iterator[Tiles | None]:
        """The tiles of all strips, in batches."""
        for strip in strips:
            for job in _jobs(work, strip):
                cancellation.check()
                waiting.append(job)
                yield _cut(work, job)

    with closing(predict_each(batches())) as results:
        for probability in results:
            job = waiting.popleft()
            if probability is not None:
                _check(probability, job.empty.count(False), work)
            yield Computed(job.strip, job.columns, job.empty, probability)


def _cut_tile(pixels: NDArray[Any], plan: TilePlan, column: int, out: NDArray[Any]) -> None:
    """Copy a tile of a strip (layers, tile, width) to ``out`` (bands, tile, tile); one layer fills all bands."""
    left = plan.columns.starts[column]
    out[...] = pixels[:, :, left : left + plan.tile]


def _is_empty(valid: Mask | None, plan: TilePlan, row: int, column: int) -> bool:
    """Whether no pixel is valid at which this tile counts.

    Args:
        valid: validity of the strip of the tile's row, (tile, width); None where all pixels are valid.
        plan: the tiles.
        row: the tile's row.
        column: its column.
    """
    if valid is None:
        return False
    (y0, y1), (x0, x1) = plan.rows.support(row), plan.columns.support(column)
    top = plan.rows.starts[row]
    return not valid[y0 - top : y1 - top, x0:x1].any()


def _check(probability: NDArray[np.float32], count: int, work: Work) -> None:
    """Raise ``InferenceError`` where a result is not of the right shape, or holds something that is no number."""
    expected = (count, work.classes, work.plan.tile, work.plan.tile)
    if probability.shape != expected:
        raise InferenceError(f"The model gave an array of shape {probability.shape} where {expected} was expected.")
    # One sum finds a NaN or an infinity anywhere, at a tenth of the cost of looking at each value.
    if not np.isfinite(np.sum(probability)):
        raise InferenceError(
            "The model gave values that are not numbers.", "Try --precision float32 or another --runtime."
        )


def _jobs(work: Work, strip: Strip) -> Iterator[Job]:
    """The tiles of one strip in batches, from left to right."""
    plan = work.plan
    empty = [_is_empty(strip.valid, plan, strip.row, column) for column in range(plan.columns.count)]
    for columns in _batches(empty, work.batch):
        yield Job(strip, columns, [empty[column] for column in columns])


def _batches(empty: Sequence[bool], size: int) -> Iterator[list[int]]:
    """Runs of neighbouring columns with at most ``size`` that are not empty."""
    columns: list[int] = []
    full = 0
    for column, nothing in enumerate(empty):
        if full == size and not nothing:
            yield columns
            columns, full = [], 0
        columns.append(column)
        full += not nothing
    if columns:
        yield columns


def _cut(work: Work, job: Job) -> Tiles | None:
    """The pixels of the tiles that are not empty, (N, bands, tile, tile); None where all are."""
    full = [column for column, nothing in zip(job.columns, job.empty, strict=True) if not nothing]
    if not full:
        return None
    tiles = np.empty((len(full), work.bands, work.plan.tile, work.plan.tile), work.view.dtype)
    for place, column in enumerate(full):
        _cut_tile(job.strip.pixels, work.plan, column, tiles[place])
    return tiles
