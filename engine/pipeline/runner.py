"""Read, infer, blend and write the tiles of an image: one loop for every task.

One thread reads strips ahead, the calling thread feeds the network, and a third one blends the results and writes them.

Another process or machine may compute a block of the tiles. It gives the weighted sums of its tiles from top to bottom,
which are final except in the ramps that it shares with its neighbours, where the sums of all of them have to be added.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..concurrency import ReadAhead, WriteBehind
from ..context import PROGRESS_INTERVAL, Cancellation, RunContext
from ..errors import ModelError
from ..protocol.messages import Progress, SummaryValue
from ..raster.bands import Mask
from ..raster.reader import Strip, read_strips
from ..runtimes.base import PredictionStream, PredictStream, Tiles
from ..tiling import Block, Floats, weight_tile
from .job import InferenceJob, PlannedRun
from .resume import RowJournal
from .run_outputs import OutputSink, RowAssembler


@dataclass(frozen=True)
class RunStatistics:
    """How many tiles were computed, and how long it took.

    Attributes:
        tiles: tiles in the plan.
        empty: tiles without a valid pixel, which are not computed.
        seconds: from the first strip to the last row written.
        inference: seconds of these in the network.
    """

    tiles: int
    empty: int
    seconds: float
    inference: float

    def summarize(self, run: PlannedRun) -> dict[str, SummaryValue]:
        """Return the part of a result's summary that every task has."""
        return {
            "model": run.model.card.name,
            "runtime": run.session.runtime,
            "device": run.session.device,
            "precision": run.session.precision,
            "tiles": self.tiles,
            "empty_tiles": self.empty,
            "inference_seconds": round(self.inference, 3),
            "stream_seconds": round(self.seconds, 3),
            "width": run.grid.width,
            "height": run.grid.height,
            "resolution": run.grid.resolution,
            **({} if run.fit is None else {"training_distance": round(run.fit.distance, 2)}),
        }

    def describe(self, run: PlannedRun, seconds: float) -> str:
        """Return a sentence on how many tiles were computed, where, and in how many ``seconds`` the task ended."""
        tiles = count_noun(self.tiles - self.empty, "tile")
        return f"{tiles} in {seconds:.1f} s on {run.session.device} with {run.session.runtime}"


def count_noun(count: int, noun: str) -> str:
    """Return ``1 line``, ``2 lines``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def run_inference(
    job: InferenceJob,
    predict_stream: PredictStream,
    sinks: Sequence[OutputSink],
    context: RunContext,
    *,
    journal: RowJournal | None = None,
) -> RunStatistics:
    """Compute all tiles and write the rows of all sinks.

    Args:
        job: pixels, tiles and the shape of the network.
        predict_stream: the network, see ``Session.predict_stream``; arrays that it returns are not reused.
        sinks: receive the rows; their files stay open.
        context: receives progress; checked for cancellation.
        journal: stores finished rows. Rows that it holds already are written from it, and its batch size replaces that
            of the job, because the last bits can depend on the batch.

    Raises:
        Cancelled: the run was cancelled.
        ModelError: the network returned something of another shape, or values that are not finite.
        TerraSporeError: reading or writing failed.
    """
    first_tile_row = empty_count = 0
    if journal is not None:
        job = replace(job, batch=journal.batch)
        first_tile_row, empty_count = journal.replay(job.plan, sinks, context.cancellation)
    assembler = RowAssembler(job.plan, job.classes, sinks, first_tile_row, None if journal is None else journal.append)
    progress = ProgressTracker(job.plan.count, first_tile_row * job.plan.columns.count, empty_count, context)
    # The row of tiles before the first one is computed once more, because it overlaps the first pixels.
    is_finished = first_tile_row >= job.plan.rows.count
    strips = iter(()) if is_finished else read_strips(job.view, job.plan, max(0, first_tile_row - 1))

    def assemble(batch: TileBatch) -> None:
        results = iter(() if batch.probability is None else batch.probability)
        for column, is_empty in zip(batch.columns, batch.empty, strict=True):
            assembler.add(batch.strip.row, column, None if is_empty else next(results), batch.strip.valid)

    with (
        ReadAhead(strips) as strips_ahead,
        WriteBehind(assemble, depth=4) as send_to_writer,
        closing(compute_tiles(job, strips_ahead, progress.timed(predict_stream), context.cancellation)) as batches,
    ):
        for batch in batches:
            send_to_writer(batch)
            if batch.strip.row >= first_tile_row:
                progress.advance(len(batch.columns), sum(batch.empty))
    context.check_cancelled()
    if journal is not None:
        journal.commit()
    return progress.statistics()


@dataclass(frozen=True)
class TileBatch:
    """Neighbouring tiles of one row, which the network computes in one call.

    Attributes:
        strip: the pixels of their row.
        columns: which tiles.
        empty: for each of them whether it has no valid pixel; those are not computed.
        probability: (N, classes, tile, tile), one entry for each tile that is not empty; None where all are, and
            before they were computed.
    """

    strip: Strip
    columns: Sequence[int]
    empty: Sequence[bool]
    probability: NDArray[np.float32] | None = None


def compute_tiles(
    job: InferenceJob, strips: Iterable[Strip], predict_stream: PredictStream, cancellation: Cancellation
) -> Generator[TileBatch, None, None]:
    """Compute the tiles of ``strips``, in their order.

    The network receives some batches before the first result is taken, so that it does not wait for the caller.

    Args:
        job: image, plan and shape of the network.
        strips: the pixels, one row of tiles after the other.
        predict_stream: the network, see ``Session.predict_stream``.
        cancellation: checked before each batch.

    Raises:
        Cancelled: the run was cancelled.
        ModelError: the network returned something of another shape, or values that are not finite.
    """
    pending: deque[TileBatch] = deque()

    def cut_batches() -> Iterator[Tiles | None]:
        for strip in strips:
            for batch in _split_strip(job, strip):
                cancellation.check()
                pending.append(batch)
                yield _cut_tiles(job, batch)

    with closing(predict_stream(cut_batches(), job.batch)) as results:
        for probability in results:
            batch = pending.popleft()
            if probability is not None:
                _check_probability(probability, batch.empty.count(False), job)
            yield replace(batch, probability=probability)


def _split_strip(job: InferenceJob, strip: Strip) -> Iterator[TileBatch]:
    """Split a strip into batches, from left to right, each with at most ``job.batch`` tiles that are not empty."""
    rows, columns = job.plan.rows, job.plan.columns
    top = rows.starts[strip.row]
    y0, y1 = rows.active_range(strip.row)
    batch: list[int] = []
    flags: list[bool] = []
    for column in strip.columns:
        x0, x1 = (x - strip.left for x in columns.active_range(column))
        is_empty = strip.valid is not None and not strip.valid[y0 - top : y1 - top, x0:x1].any()
        if not is_empty and flags.count(False) == job.batch:
            yield TileBatch(strip, batch, flags)
            batch, flags = [], []
        batch.append(column)
        flags.append(is_empty)
    yield TileBatch(strip, batch, flags)


def _cut_tiles(job: InferenceJob, batch: TileBatch) -> Tiles | None:
    """Copy the tiles that are not empty to an array (N, bands, tile, tile); None where all are empty."""
    columns = [column for column, is_empty in zip(batch.columns, batch.empty, strict=True) if not is_empty]
    if not columns:
        return None
    tile = job.plan.tile
    tiles: NDArray[Any] = np.empty((len(columns), job.bands, tile, tile), job.view.spec.dtype)
    for index, column in enumerate(columns):
        left = job.plan.columns.starts[column] - batch.strip.left
        tiles[index] = batch.strip.pixels[:, :, left : left + tile]  # a single layer is broadcast to all bands
    return tiles


def _check_probability(probability: NDArray[np.float32], count: int, job: InferenceJob) -> None:
    """Raise ``ModelError`` where a result has the wrong shape or a value that is not finite."""
    expected = (count, job.classes, job.plan.tile, job.plan.tile)
    if probability.shape != expected:
        raise ModelError(f"The model gave an array of shape {probability.shape} where {expected} was expected.")
    # One sum finds a NaN or an infinity anywhere, at a tenth of the cost of looking at each value.
    if not np.isfinite(np.sum(probability)):
        raise ModelError("The model gave values that are not numbers.", "Try --precision float32 or another --runtime.")


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


class ProgressTracker:
    """Counts tiles, measures the time in the network, and reports progress.

    Args:
        total: tiles of the plan.
        done: how many of them were computed before the run was resumed.
        empty: how many of these were empty.
        context: receives the progress.
    """

    def __init__(self, total: int, done: int, empty: int, context: RunContext) -> None:
        self._total, self._done, self._empty, self._context = total, done, empty, context
        self._uncomputed = done  # tiles that took no time in this run
        self._start = context.clock()
        self._last = 0.0
        self._inference = 0.0
        if done:
            context.report(Progress("infer", done, total))

    def timed(self, predict_stream: PredictStream) -> PredictStream:
        """Return ``predict_stream`` with its time counted as inference, except the time to read its batches."""
        clock = self._context.clock

        def read_batches(batches: Iterable[Tiles | None]) -> Iterator[Tiles | None]:
            start = clock()
            for tiles in batches:
                self._inference -= clock() - start
                yield tiles
                start = clock()

        def timed_stream(batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
            with closing(predict_stream(read_batches(batches), batch)) as results:
                start = clock()
                for result in results:
                    self._inference += clock() - start
                    yield result
                    start = clock()

        return timed_stream

    def advance(self, tiles: int, empty: int, *, is_computed: bool = True) -> None:
        """Count ``tiles`` finished tiles, of which ``empty`` were not computed; none where not ``is_computed``."""
        self._done += tiles
        self._empty += empty
        self._uncomputed += empty if is_computed else tiles
        now = self._context.clock()
        if now - self._last >= PROGRESS_INTERVAL or self._done == self._total:
            self._last = now
            rate = (self._done - self._uncomputed) / max(now - self._start, 1e-9)
            eta = (self._total - self._done) / rate if rate else None
            self._context.report(Progress("infer", self._done, self._total, rate=rate, eta=eta))

    def statistics(self) -> RunStatistics:
        """The statistics of the whole run."""
        return RunStatistics(self._total, self._empty, self._context.clock() - self._start, self._inference)
