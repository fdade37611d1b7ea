"""Vectorize roads while their rows are still being computed: lines and areas are traced while the network runs."""

from __future__ import annotations

import importlib
import threading
from concurrent.futures import Future
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
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


class StreamingRoads:
    """Makes roads of rows in background threads; a context manager, which cancels them at its end.

    Args:
        run: what computes the rows.
        options: of the roads.
        target: the vector file.
        spool: name of a temporary file for the rows; it does not exist yet.
        preloader: loads the libraries.
        context: receives the events after ``finish`` was called; checked for cancellation.
    """

    def __init__(
        self,
        run: PlannedRun,
        options: RoadOptions,
        target: VectorTarget,
        *,
        spool: Path,
        preloader: Preloader,
        context: RunContext,
    ) -> None:
        self._options, self._preloader, self._context = options, preloader, context
        self._target = replace(target, metadata={**run.tags, "THRESHOLD": f"{options.threshold:g}"})
        self._name = run.job.view.spec.name
        self._georeferencing = read_back_georeferencing(run.grid)
        self._nodata_cause = run.nodata_cause
        self._reporter = DeferredReporter(context.reporter)
        self._spool = RowSpool(spool, (run.grid.height, run.grid.width), target.path)
        self._stack = ExitStack()
        self._summary: Future[RoadSummary]

    def __enter__(self) -> StreamingRoads:
        """Start the threads."""
        with ExitStack() as stack:
            stack.enter_context(self._spool)
            self._summary = stack.enter_context(run_in_background(self._vectorize, self._context.cancellation))
            stack.callback(self._spool.abort)  # ends the waiting for rows before the threads are joined
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel and join the threads, and close the spool."""
        self._stack.close()

    def append(self, rows: UInt8Array) -> None:
        """Append the next rows of quantized probabilities (bands, rows, width), of which the first band is used.

        Raises:
            TerraSporeError: the rows cannot be stored, or vectorizing has already failed.
        """
        if self._summary.done():
            self._summary.result()
        self._spool.append(rows[0])

    def finish(self) -> RoadSummary:
        """Wait for the roads and report from now on.

        Raises:
            TerraSporeError: the roads could not be made.
        """
        self._reporter.release()
        return self._summary.result()

    def _vectorize(self, cancellation: Cancellation) -> RoadSummary:
        self._preloader.wait(cancellation)
        from ..raster.probability import QuantizedRaster
        from ..vector.io.formats import check_vector_output
        from ..vector.roads.extract import vectorize_probability

        check_vector_output(self._target.path)
        raster = QuantizedRaster(self._spool.read, self._spool.shape, *self._georeferencing, self._nodata_cause)
        return vectorize_probability(
            lambda: nullcontext(raster),
            self._target,
            self._options,
            name=self._name,
            context=replace(self._context, reporter=self._reporter, cancellation=cancellation),
        )


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
