"""The stream of a run: strips are read ahead, tiles go through the network, results are written behind.

Three threads work at the same time. The computing one (the caller's) only cuts tiles out and calls the network, so
that the network never waits for a file, for blending or for compression. Cancellation is asked for between calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InferenceError
from ..events import Cancellation, Progress, Reporter
from ..raster.pixels import Mask
from ..raster.reader import Strip, read_strips
from ..tiling.plan import TilePlan
from .products import Product, RowAssembler
from .threads import ReadAhead, WriteBehind
from .tta import Predict
from .work import Work

#: Seconds between two progress events.
_PROGRESS_EVERY = 0.2


@dataclass(frozen=True)
class Counts:
    """How a run went.

    Attributes:
        tiles: tiles in the plan.
        empty: tiles without a valid pixel, which the network never saw.
        seconds: from the first strip to the last row written.
        inference: seconds of these in the network.
    """

    tiles: int
    empty: int
    seconds: float
    inference: float


@dataclass(frozen=True)
class _Computed:
    """Some tiles of one row, next to each other: ``probability`` has one entry for each that is not empty."""

    strip: Strip
    columns: Sequence[int]
    empty: Sequence[bool]
    probability: NDArray[np.float32] | None


def run_stream(
    work: Work,
    predict: Predict,
    products: Sequence[Product],
    reporter: Reporter,
    cancellation: Cancellation,
) -> Counts:
    """Compute all tiles and write all products.

    Args:
        work: pixels, tiles and the shape of the network.
        predict: the network, (N, bands, tile, tile) to (N, classes, tile, tile); arrays it returns are not reused.
        products: what is written; their writers are left open.
        reporter: hears the progress.
        cancellation: ends the run between two calls of the network.

    Raises:
        Cancelled: the run was cancelled.
        InferenceError: the network gave something of another shape, or no numbers.
        TerraSporeError: whatever reading and writing raise.
    """
    assembler = RowAssembler(work.plan, work.classes, products)
    meter = _Meter(work.plan.count, reporter)
    with (
        ReadAhead(read_strips(work.view, work.plan)) as strips,
        WriteBehind(partial(_assemble, assembler), depth=4) as put,
    ):
        for strip in strips:
            for computed in _compute_row(work, strip, predict, meter, cancellation):
                put(computed)
                meter.advance(len(computed.columns), sum(computed.empty))
    cancellation.check()
    return meter.counts()


def cut_tile(pixels: NDArray[Any], plan: TilePlan, column: int, out: NDArray[Any]) -> None:
    """Copy a tile of a strip (layers, tile, width) to ``out`` (bands, tile, tile); one layer fills all bands."""
    left = plan.columns.starts[column]
    out[...] = pixels[:, :, left : left + plan.tile]


def is_empty(valid: Mask | None, plan: TilePlan, row: int, column: int) -> bool:
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


def _compute_row(
    work: Work, strip: Strip, predict: Predict, meter: _Meter, cancellation: Cancellation
) -> Iterator[_Computed]:
    """The tiles of one strip in batches, from left to right."""
    plan = work.plan
    empty = [is_empty(strip.valid, plan, strip.row, column) for column in range(plan.columns.count)]
    for columns in _batches(empty, work.batch):
        cancellation.check()
        full = [column for column in columns if not empty[column]]
        probability = None
        if full:
            tiles = np.empty((len(full), work.bands, plan.tile, plan.tile), work.view.dtype)
            for place, column in enumerate(full):
                cut_tile(strip.pixels, plan, column, tiles[place])
            probability = checked(meter.timed(partial(predict, tiles)), len(full), work)
        yield _Computed(strip, columns, [empty[column] for column in columns], probability)


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


def checked(probability: NDArray[np.float32], count: int, work: Work) -> NDArray[np.float32]:
    """``probability`` as it is, if it has the right shape and holds numbers.

    Raises:
        InferenceError: it has not, or does not.
    """
    expected = (count, work.classes, work.plan.tile, work.plan.tile)
    if probability.shape != expected:
        raise InferenceError(f"The model gave an array of shape {probability.shape} where {expected} was expected.")
    # One sum finds a NaN or an infinity anywhere, at a tenth of the cost of looking at each value.
    if not np.isfinite(np.sum(probability)):
        raise InferenceError(
            "The model gave values that are not numbers.", "Try --precision float32 or another --runtime."
        )
    return probability


def _assemble(assembler: RowAssembler, computed: _Computed) -> None:
    results = iter(computed.probability if computed.probability is not None else ())
    for column, nothing in zip(computed.columns, computed.empty, strict=True):
        assembler.add(computed.strip.row, column, None if nothing else next(results), computed.strip.valid)


class _Meter:
    """Counts tiles and seconds and reports them now and then."""

    def __init__(self, total: int, reporter: Reporter) -> None:
        self._total, self._reporter = total, reporter
        self._start = time.perf_counter()
        self._last = 0.0
        self._done = self._empty = 0
        self._inference = 0.0

    def timed(self, call: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Call, and count the time as the network's."""
        start = time.perf_counter()
        result = call()
        self._inference += time.perf_counter() - start
        return result

    def advance(self, tiles: int, empty: int) -> None:
        """Count ``tiles``, of which ``empty`` cost nothing."""
        self._done += tiles
        self._empty += empty
        now = time.perf_counter()
        if now - self._last >= _PROGRESS_EVERY or self._done == self._total:
            self._last = now
            rate = (self._done - self._empty) / max(now - self._start, 1e-9)
            eta = (self._total - self._done) / rate if rate else None
            self._reporter.emit(Progress("infer", self._done, self._total, rate=rate, eta=eta))

    def counts(self) -> Counts:
        """The figures of the whole run."""
        return Counts(self._total, self._empty, time.perf_counter() - self._start, self._inference)
