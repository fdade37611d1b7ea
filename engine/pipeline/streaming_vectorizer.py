"""Vectors of rows that are still being computed: lines and areas are looked for while the network goes on.

Nothing of it has to be loaded before the first tile (see ``libraries``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..concurrency import run_in_background
from ..context import Cancellation, Reporter, RunContext
from ..fs.spool import RowSpool, UInt8Array
from ..protocol.messages import Event, Progress
from ..protocol.options import RoadOptions
from ..raster.probability import PROBABILITY_SCALE
from ..raster.writer import read_back_georeferencing
from .plan import InferenceRun
from .preload import Preloader
from .request import RoadRequest

if TYPE_CHECKING:
    from ..vector.roads.extract import RoadSummary


class DeferredReporter:
    """Passes events on once it may: until then progress is dropped and everything else is kept back.

    Args:
        reporter: hears of them; whoever releases does not call it any more.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._kept: list[Event] | None = []

    def emit(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            if self._kept is None:
                self._reporter.emit(event)
            elif not isinstance(event, Progress):
                self._kept.append(event)

    def release(self) -> None:
        """Pass on what was kept back, and everything that comes."""
        with self._lock:
            for event in self._kept or ():
                self._reporter.emit(event)
            self._kept = None


class StreamingRoads:
    """Roads that are being made of a store's rows.

    Args:
        store: where rows go.
        work: what makes the roads of them.
        held: what ``work`` reports to.
    """

    def __init__(self, store: RowSpool, work: Future[RoadSummary], held: DeferredReporter) -> None:
        self._store, self._work, self._held = store, work, held

    def write(self, rows: UInt8Array) -> None:
        """Take the next rows (bands, rows, width), of which the first band counts.

        Raises:
            TerraSporeError: the rows cannot be stored, or the roads have failed: nobody waits hours to hear of it.
        """
        if self._work.done():
            self._work.result()
        levels = rows[0]
        if levels.max(initial=0) > PROBABILITY_SCALE:  # no data is no road
            levels = np.where(levels > PROBABILITY_SCALE, np.uint8(0), levels)
        self._store.append(levels)

    def result(self) -> RoadSummary:
        """Wait for the roads; from now on they report. Raises what making them raised."""
        self._held.release()
        return self._work.result()


@contextmanager
def live_roads(
    run: InferenceRun,
    request: RoadRequest,
    options: RoadOptions,
    *,
    libraries: Preloader,
    store: RowSpool,
    context: RunContext,
) -> Iterator[StreamingRoads]:
    """Make roads of a store's rows, in threads beside the block; leaving it ends them, whether they are done or not.

    Args:
        run: what decides the rows.
        request: where the roads go.
        options: of the roads.
        libraries: being loaded.
        store: where the rows will be.
        context: receives progress and messages; checked for cancellation.
    """
    held = DeferredReporter(context.reporter)
    place = read_back_georeferencing(run.grid)
    metadata = {**run.tags, "THRESHOLD": f"{options.threshold:g}"}

    def make(stop: Cancellation) -> RoadSummary:
        libraries.wait(stop)
        from ..raster.probability import StreamingProbabilityRaster
        from ..vector.io.formats import check_vector_output
        from ..vector.roads.extract import vectorize_probability

        check_vector_output(request.output)
        return vectorize_probability(
            lambda: nullcontext(StreamingProbabilityRaster(store, *place)),
            request.output,
            options,
            name=run.work.view.source.path.name,
            metadata=metadata,
            context=replace(context, reporter=held, cancellation=stop),
        )

    with run_in_background(make, context.cancellation) as work:
        try:
            yield StreamingRoads(store, work, held)
        finally:
            store.abort()
