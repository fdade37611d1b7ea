"""Vectorize roads while their rows are still being computed: lines and areas are traced while the network runs."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..concurrency import run_in_background, start_thread
from ..context import Cancellation, Reporter, RunContext
from ..fs.spool import RowSpool, UInt8Array
from ..protocol.messages import Event, Progress
from ..protocol.options import RoadOptions
from ..raster.writer import read_back_georeferencing
from ..vector.io.formats import VectorTarget
from .job import PlannedRun

if TYPE_CHECKING:
    from ..vector.roads.extract import RoadSummary


class DeferredReporter:
    """Holds messages back until it is released; progress is dropped until then, and passed on afterwards.

    Args:
        reporter: receives the events. The caller of ``release`` does not use it any more.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._held: list[Event] | None = []

    def emit(self, event: Event) -> None:
        """Hold ``event`` back, drop it, or pass it on."""
        with self._lock:
            if self._held is None:
                self._reporter.emit(event)
            elif not isinstance(event, Progress):
                self._held.append(event)

    def release(self) -> None:
        """Pass on the held events, and every later one."""
        with self._lock:
            for event in self._held or ():
                self._reporter.emit(event)
            self._held = None


@dataclass(frozen=True)
class StreamingRoads:
    """Roads that background threads make of rows; see ``stream_roads``.

    Attributes:
        spool: the rows.
        summary: the result.
        reporter: of the threads.
    """

    spool: RowSpool
    summary: Future[RoadSummary]
    reporter: DeferredReporter

    def append(self, rows: UInt8Array) -> None:
        """Append the next rows of quantized probabilities (bands, rows, width), of which the first band is used.

        Raises:
            TerraSporeError: the rows cannot be stored, or vectorizing has already failed.
        """
        if self.summary.done():
            self.summary.result()
        self.spool.append(rows[0])

    def finish(self) -> RoadSummary:
        """Wait for the roads and report from now on.

        Raises:
            TerraSporeError: the roads could not be made.
        """
        self.reporter.release()
        return self.summary.result()


@contextmanager
def stream_roads(
    run: PlannedRun,
    options: RoadOptions,
    target: VectorTarget,
    *,
    spool: Path,
    preloader: Preloader,
    context: RunContext,
) -> Iterator[StreamingRoads]:
    """Make roads of rows in background threads, which are cancelled at the end of the block.

    Args:
        run: what computes the rows.
        options: of the roads.
        target: the vector file.
        spool: name of a temporary file for the rows; it does not exist yet.
        preloader: loads the libraries.
        context: receives the events after ``finish`` was called; checked for cancellation.
    """
    georeferencing, name, nodata_cause = read_back_georeferencing(run.grid), run.job.view.spec.name, run.nodata_cause
    target = replace(target, metadata={**run.tags, "THRESHOLD": f"{options.threshold:g}"})
    reporter = DeferredReporter(context.reporter)

    def vectorize(cancellation: Cancellation) -> RoadSummary:
        preloader.wait(cancellation)
        from ..raster.probability import QuantizedRaster
        from ..vector.io.formats import check_vector_output
        from ..vector.roads.extract import vectorize_probability

        check_vector_output(target.path)
        raster = QuantizedRaster(rows.shape, *georeferencing, nodata_cause, read_stored=rows.read)
        background = replace(context, reporter=reporter, cancellation=cancellation)
        return vectorize_probability(lambda: nullcontext(raster), target, options, name=name, context=background)

    with (
        RowSpool(spool, (run.grid.height, run.grid.width), target.path) as rows,
        run_in_background(vectorize, context.cancellation) as summary,
    ):
        try:
            yield StreamingRoads(rows, summary, reporter)
        finally:
            rows.abort()  # ends the waiting for rows before the threads are joined


#: Seconds between two checks whether the run was cancelled.
_POLL = 0.05


class Preloader:
    """Imports the libraries for roads and warms up their kernels: a second on an idle machine, more on a busy one."""

    def __init__(self) -> None:
        self._loaded = threading.Event()

    def start(self) -> None:
        """Start to load in a daemon thread."""
        start_thread(threading.Thread(target=self._load, name="preload", daemon=True))

    def wait(self, cancellation: Cancellation) -> None:
        """Wait until loading has ended. Where it failed, the caller's own import raises the error again.

        Raises:
            Cancelled: the run was cancelled.
        """
        while not self._loaded.wait(_POLL):
            cancellation.check()

    def _load(self) -> None:
        try:
            with suppress(ImportError, MemoryError):
                importlib.import_module("..vector.roads.extract", __package__)
                from ..vector.roads.warmup import warm_up_kernels

                warm_up_kernels()
        finally:
            self._loaded.set()
