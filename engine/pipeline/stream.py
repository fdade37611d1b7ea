"""The stream of a run: strips are read ahead, tiles go through the network, results are written behind.

Three threads work at the same time. The computing one (the caller's) only cuts tiles out and feeds the network, so
that the network never waits for a file, for blending or for compression. Cancellation is asked for between batches.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from ..events import Cancellation, Progress, Reporter
from ..raster.reader import Strip, read_strips
from ..runtimes.base import PredictEach, Results, Tiles
from ..threads import ReadAhead, WriteBehind
from .compute import Computed, compute_tiles
from .products import Product, RowAssembler
from .resume import RowLog
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


def run_stream(
    work: Work,
    predict_each: PredictEach,
    products: Sequence[Product],
    reporter: Reporter,
    cancellation: Cancellation,
    *,
    log: RowLog | None = None,
) -> Counts:
    """Compute all tiles and write all products.

    Args:
        work: pixels, tiles and the shape of the network.
        predict_each: the network, see ``Session.predict_each``; arrays it gives are not reused.
        products: what is written; their writers are left open.
        reporter: hears the progress.
        cancellation: ends the run between two batches.
        log: where finished rows are kept; what it has already is written from there.

    Raises:
        Cancelled: the run was cancelled.
        InferenceError: the network gave something of another shape, or no numbers.
        TerraSporeError: whatever reading and writing raise.
    """
    plan, first, empty = work.plan, 0, 0
    if log is not None:
        work = replace(work, batch=log.batch)
        first, empty = log.replay(plan, products, cancellation)
    assembler = RowAssembler(plan, work.classes, products, first, None if log is None else log.append)
    meter = _Meter(plan.count, first * plan.columns.count, empty, reporter)
    with (
        ReadAhead(_strips(work, first)) as strips,
        WriteBehind(partial(_assemble, assembler), depth=4) as put,
        closing(compute_tiles(work, strips, meter.timed(predict_each), cancellation)) as results,
    ):
        for computed in results:
            put(computed)
            if computed.strip.row >= first:
                meter.advance(len(computed.columns), sum(computed.empty))
    cancellation.check()
    if log is not None:
        log.commit()
    return meter.counts()


def _strips(work: Work, first: int) -> Iterator[Strip]:
    """The strips of the rows of tiles from ``first`` on, and of the one before, which adds to the first pixels."""
    if first < work.plan.rows.count:
        yield from read_strips(work.view, work.plan, max(0, first - 1))


def _assemble(assembler: RowAssembler, computed: Computed) -> None:
    results = iter(computed.probability if computed.probability is not None else ())
    for column, nothing in zip(computed.columns, computed.empty, strict=True):
        assembler.add(computed.strip.row, column, None if nothing else next(results), computed.strip.valid)


class _Meter:
    """Counts tiles and seconds and reports them now and then.

    Args:
        total: tiles of the plan.
        done: how many of them an earlier sitting has finished.
        empty: how many of these were empty.
        reporter: hears of the progress.
    """

    def __init__(self, total: int, done: int, empty: int, reporter: Reporter) -> None:
        self._total, self._done, self._empty, self._reporter = total, done, empty, reporter
        self._free = done  # tiles that cost this sitting nothing
        self._start = time.perf_counter()
        self._last = 0.0
        self._inference = 0.0
        if done:
            reporter.emit(Progress("infer", done, total))

    def timed(self, predict_each: PredictEach) -> PredictEach:
        """``predict_each``, of which the time is counted as the network's, but for that in which it is fed."""

        def each(batches: Iterable[Tiles | None]) -> Results:
            """The probabilities of the batches, one by one."""
            with closing(predict_each(self._fed(batches))) as results:
                start = time.perf_counter()
                for result in results:
                    self._inference += time.perf_counter() - start
                    yield result
                    start = time.perf_counter()

        return each

    def _fed(self, batches: Iterable[Tiles | None]) -> Iterator[Tiles | None]:
        start = time.perf_counter()
        for tiles in batches:
            self._inference -= time.perf_counter() - start
            yield tiles
            start = time.perf_counter()

    def advance(self, tiles: int, empty: int) -> None:
        """Count ``tiles``, of which ``empty`` cost nothing."""
        self._done += tiles
        self._empty += empty
        self._free += empty
        now = time.perf_counter()
        if now - self._last >= _PROGRESS_EVERY or self._done == self._total:
            self._last = now
            rate = (self._done - self._free) / max(now - self._start, 1e-9)
            eta = (self._total - self._done) / rate if rate else None
            self._reporter.emit(Progress("infer", self._done, self._total, rate=rate, eta=eta))

    def counts(self) -> Counts:
        """The figures of the whole run."""
        return Counts(self._total, self._empty, time.perf_counter() - self._start, self._inference)
