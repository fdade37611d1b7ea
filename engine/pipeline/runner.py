"""What is to be computed, as a value."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..concurrency import ReadAhead, WriteBehind
from ..context import Cancellation, RunContext
from ..errors import InferenceError
from ..protocol.messages import Progress
from ..raster.bands import Mask
from ..raster.reader import Strip, read_strips
from ..runtimes.base import PredictionStream, PredictStream, Tiles
from ..tiling.layout import TilePlan
from .job import InferenceJob
from .resume import RowJournal
from .sinks import OutputSink, RowAssembler


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
    work: InferenceJob, strips: Iterable[Strip], predict_stream: PredictStream, cancellation: Cancellation
) -> Generator[Computed, None, None]:
    """Compute the tiles of ``strips``, in their order.

    The network is always some batches ahead of what is given, so that it need not wait for whoever takes the results.

    Args:
        work: image, plan and shape of the network.
        strips: the pixels, one row of tiles after the other.
        predict_stream: the network, see ``Session.predict_stream``.
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

    with closing(predict_stream(batches())) as results:
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
    (y0, y1), (x0, x1) = plan.rows.active_range(row), plan.columns.active_range(column)
    top = plan.rows.starts[row]
    return not valid[y0 - top : y1 - top, x0:x1].any()


def _check(probability: NDArray[np.float32], count: int, work: InferenceJob) -> None:
    """Raise ``InferenceError`` where a result is not of the right shape, or holds something that is no number."""
    expected = (count, work.classes, work.plan.tile, work.plan.tile)
    if probability.shape != expected:
        raise InferenceError(f"The model gave an array of shape {probability.shape} where {expected} was expected.")
    # One sum finds a NaN or an infinity anywhere, at a tenth of the cost of looking at each value.
    if not np.isfinite(np.sum(probability)):
        raise InferenceError(
            "The model gave values that are not numbers.", "Try --precision float32 or another --runtime."
        )


def _jobs(work: InferenceJob, strip: Strip) -> Iterator[Job]:
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


def _cut(work: InferenceJob, job: Job) -> Tiles | None:
    """The pixels of the tiles that are not empty, (N, bands, tile, tile); None where all are."""
    full = [column for column, nothing in zip(job.columns, job.empty, strict=True) if not nothing]
    if not full:
        return None
    tiles = np.empty((len(full), work.bands, work.plan.tile, work.plan.tile), work.view.dtype)
    for place, column in enumerate(full):
        _cut_tile(job.strip.pixels, work.plan, column, tiles[place])
    return tiles


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


def run_inference(
    work: InferenceJob,
    predict_stream: PredictStream,
    products: Sequence[OutputSink],
    context: RunContext,
    *,
    log: RowJournal | None = None,
) -> Counts:
    """Compute all tiles and write all products.

    Args:
        work: pixels, tiles and the shape of the network.
        predict_stream: the network, see ``Session.predict_stream``; arrays it gives are not reused.
        products: what is written; their writers are left open.
        context: receives progress and messages; checked for cancellation.
        log: where finished rows are kept; what it has already is written from there.

    Raises:
        Cancelled: the run was cancelled.
        InferenceError: the network gave something of another shape, or no numbers.
        TerraSporeError: whatever reading and writing raise.
    """
    plan, first, empty = work.plan, 0, 0
    if log is not None:
        work = replace(work, batch=log.batch)
        first, empty = log.replay(plan, products, context.cancellation)
    assembler = RowAssembler(plan, work.classes, products, first, None if log is None else log.append)
    meter = ProgressTracker(plan.count, first * plan.columns.count, empty, context)
    with (
        ReadAhead(_strips(work, first)) as strips,
        WriteBehind(partial(_assemble, assembler), depth=4) as put,
        closing(compute_tiles(work, strips, meter.timed(predict_stream), context.cancellation)) as results,
    ):
        for computed in results:
            put(computed)
            if computed.strip.row >= first:
                meter.advance(len(computed.columns), sum(computed.empty))
    context.check_cancelled()
    if log is not None:
        log.commit()
    return meter.counts()


def _strips(work: InferenceJob, first: int) -> Iterator[Strip]:
    """The strips of the rows of tiles from ``first`` on, and of the one before, which adds to the first pixels."""
    if first < work.plan.rows.count:
        yield from read_strips(work.view, work.plan, max(0, first - 1))


def _assemble(assembler: RowAssembler, computed: Computed) -> None:
    results = iter(computed.probability if computed.probability is not None else ())
    for column, nothing in zip(computed.columns, computed.empty, strict=True):
        assembler.add(computed.strip.row, column, None if nothing else next(results), computed.strip.valid)


class ProgressTracker:
    """Counts tiles and seconds and reports them now and then.

    Args:
        total: tiles of the plan.
        done: how many of them an earlier sitting has finished.
        empty: how many of these were empty.
        reporter: hears of the progress.
    """

    def __init__(self, total: int, done: int, empty: int, context: RunContext) -> None:
        self._total, self._done, self._empty, self._context = total, done, empty, context
        self._free = done  # tiles that cost this sitting nothing
        self._start = self._context.clock()
        self._last = 0.0
        self._inference = 0.0
        if done:
            context.report(Progress("infer", done, total))

    def timed(self, predict_stream: PredictStream) -> PredictStream:
        """``predict_stream``, of which the time is counted as the network's, but for that in which it is fed."""

        def each(batches: Iterable[Tiles | None]) -> PredictionStream:
            """The probabilities of the batches, one by one."""
            with closing(predict_stream(self._fed(batches))) as results:
                start = self._context.clock()
                for result in results:
                    self._inference += self._context.clock() - start
                    yield result
                    start = self._context.clock()

        return each

    def _fed(self, batches: Iterable[Tiles | None]) -> Iterator[Tiles | None]:
        start = self._context.clock()
        for tiles in batches:
            self._inference -= self._context.clock() - start
            yield tiles
            start = self._context.clock()

    def advance(self, tiles: int, empty: int) -> None:
        """Count ``tiles``, of which ``empty`` cost nothing."""
        self._done += tiles
        self._empty += empty
        self._free += empty
        now = self._context.clock()
        if now - self._last >= _PROGRESS_EVERY or self._done == self._total:
            self._last = now
            rate = (self._done - self._free) / max(now - self._start, 1e-9)
            eta = (self._total - self._done) / rate if rate else None
            self._context.report(Progress("infer", self._done, self._total, rate=rate, eta=eta))

    def counts(self) -> Counts:
        """The figures of the whole run."""
        return Counts(self._total, self._empty, self._context.clock() - self._start, self._inference)
