"""Where the tiles of a run are computed: in this process, or wherever another ``Computer`` has them computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..context import RunContext
from ..fs.journal import Fingerprint
from ..fs.outputs import NoteOutputs, Outputs
from ..models.card import Task
from ..protocol.options import CoverageOptions, RoadOptions
from ..runtimes.pool import SessionPool
from ..vector.io.formats import VectorTarget
from .job import InferenceRun, PlannedRun
from .plan import open_run
from .request import ImageRequest
from .resume import RowJournal, open_journal
from .run_outputs import OutputSink, Write
from .runner import RunStatistics, run_inference
from .streaming_vectorizer import Preloader, stream_roads

if TYPE_CHECKING:
    from ..vector.coverage.extract import ClassTable, CoverageSummary
    from ..vector.roads.extract import RoadSummary


class RoadVectorizer(Protocol):
    """Makes the roads of a run."""

    @property
    def append(self) -> Write | None:
        """Receives rows of quantized probabilities, from top to bottom; None where they are not needed."""

    def finish(self) -> RoadSummary:
        """Wait for the roads, after all tiles were computed.

        Raises:
            TerraSporeError: the roads could not be made.
        """


class PolygonVectorizer(Protocol):
    """Makes the polygons of a run without rasters of its classes."""

    def write(self, target: VectorTarget, classes: ClassTable, nothing: str) -> CoverageSummary:
        """Write the polygons, after all tiles were computed.

        Args:
            target: the file to write, and the name of the layer.
            classes: names and colours.
            nothing: why there are no polygons, where there are none.

        Raises:
            TerraSporeError: the polygons could not be made.
        """


@dataclass
class Computation(ABC):
    """The tiles of one run; what of them is finished survives an error.

    Attributes:
        run: the opened image and model.
        context: receives progress and messages; checked for cancellation.
    """

    run: PlannedRun
    context: RunContext

    @property
    @abstractmethod
    def note_outputs(self) -> NoteOutputs | None:
        """Notes the outputs that are about to get their names, so that a resumed run may replace them."""

    def open_roads(
        self, options: RoadOptions, target: VectorTarget, *, spool: Path, preloader: Preloader
    ) -> AbstractContextManager[RoadVectorizer]:
        """Prepare to make the roads of the first class, of rows unless overridden; called before ``compute``."""
        return stream_roads(self.run, options, target, spool=spool, preloader=preloader, context=self.context)

    def open_polygons(self, _options: CoverageOptions, _regularized: Sequence[int]) -> PolygonVectorizer | None:
        """Prepare to make the polygons of the first raster, one of classes with confidence; called before ``compute``.

        Returns:
            None where they have to be made of rasters that are written, see ``PlannedRun.stores_classes``.
        """
        return None

    @abstractmethod
    def compute(self, sinks: Sequence[OutputSink]) -> RunStatistics:
        """Compute all tiles and write all rows to ``sinks``; called once.

        Raises:
            Cancelled: the run was cancelled.
            TerraSporeError: computing, reading or writing failed.
        """


class Computer(ABC):
    """Opens runs and computes their tiles."""

    @abstractmethod
    def open_run(
        self,
        request: ImageRequest,
        task: Task,
        context: RunContext,
        *,
        outputs: Outputs,
        on_model_opening: Callable[[], None] | None = None,
    ) -> AbstractContextManager[PlannedRun]:
        """Open an image and have a model opened; see ``plan.open_run``."""

    @abstractmethod
    def start(
        self, run: PlannedRun, fingerprint: Fingerprint, output: Path, *, resume: bool, context: RunContext
    ) -> AbstractContextManager[Computation]:
        """Prepare to compute a run that ``open_run`` has opened; see ``resume.open_journal``."""


@dataclass(frozen=True)
class LocalComputer(Computer):
    """Computes in this process.

    Attributes:
        sessions: opens the model.
    """

    sessions: SessionPool

    def open_run(
        self,
        request: ImageRequest,
        task: Task,
        context: RunContext,
        *,
        outputs: Outputs,
        on_model_opening: Callable[[], None] | None = None,
    ) -> AbstractContextManager[InferenceRun]:
        """Open image and model; see ``plan.open_run``."""
        return open_run(request, task, self.sessions, context, outputs=outputs, on_model_opening=on_model_opening)

    @contextmanager
    def start(
        self, run: PlannedRun, fingerprint: Fingerprint, output: Path, *, resume: bool, context: RunContext
    ) -> Iterator[Computation]:
        """Open the journal of the run; see ``resume.open_journal``."""
        assert isinstance(run, InferenceRun), "the run was opened by another computer"
        with open_journal(run, fingerprint, output, resume=resume, context=context) as journal:
            yield _LocalComputation(run, context, journal)


@dataclass
class _LocalComputation(Computation):
    run: InferenceRun
    journal: RowJournal | None

    @property
    def note_outputs(self) -> NoteOutputs | None:
        return None if self.journal is None else self.journal.note_outputs

    def compute(self, sinks: Sequence[OutputSink]) -> RunStatistics:
        statistics = run_inference(self.run.job, self.run.predict_stream, sinks, self.context, journal=self.journal)
        self.run.release()
        return statistics
