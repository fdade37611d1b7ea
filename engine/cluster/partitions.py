"""Have the partitions of a raster vectorized by the workers of a Dask cluster, and join them in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from ..context import RunContext
from ..fs.atomic import translate_os_errors
from ..pipeline.block_store import BlockStore
from ..pipeline.partitions import ROADS, RoadPartitions, partition_landcover, partition_road_areas
from ..pipeline.runner import count_noun
from ..protocol.messages import Message, Progress
from ..protocol.options import CoverageOptions, RoadOptions
from ..raster.grid import Grid
from ..raster.writer import read_back_georeferencing
from ..vector.coverage import extract
from ..vector.geodesy import PixelGeodesy, locate_pixels
from ..vector.io.formats import VectorTarget, check_vector_output
from ..vector.io.reader import make_reference
from ..vector.io.writer import open_vector_writer
from ..vector.jit import warn_without_numba
from ..vector.partitions.layout import PARTITION, split_raster
from ..vector.partitions.polygons.coverage import PartitionedCoverage
from ..vector.partitions.polygons.tables import TRACED
from ..vector.partitions.storage import PartitionFolder
from ..vector.roads.extract import RoadSummary
from ..vector.roads.options import pixel_options
from .computer import ClusterRun
from .connection import MEMORY_FOR_VECTORS
from .dispatch import Task, run_tasks
from .worker import BlockWorker, call_worker


def has_road_partitions(grid: Grid) -> bool:
    """Return whether the roads of a raster are made by partitions, because it is larger than one."""
    return len(split_raster((grid.height, grid.width), PARTITION)) > 1


def has_polygon_partitions(grid: Grid) -> bool:
    """Return whether the polygons of a raster are made by partitions, because it is larger than one."""
    return len(split_raster((grid.height, grid.width), extract.BREAKS.cols)) > 1


@dataclass(frozen=True)
class PartitionTasks:
    """Has partitions vectorized whose files are missing, once all blocks are there.

    Attributes:
        folder: the files of the partitions.
        suffix: of the file of a finished partition.
        title: what is made, for messages, such as ``polygons``.
        run: has the workers.
        store: the blocks.
        address: of the scheduler, for messages.
        context: receives progress and messages; checked for cancellation.
    """

    folder: PartitionFolder
    suffix: str
    title: str
    run: ClusterRun
    store: BlockStore
    address: str
    context: RunContext

    def prepare(self) -> None:
        """Create the folder, or free it of what was not completed; report what is made."""
        folder, context = self.folder, self.context
        with translate_os_errors(self.store.output):
            folder.path.mkdir(exist_ok=True)
        folder.remove_partial_files()
        finished, count = folder.count_files(self.suffix), count_noun(len(folder.windows), "partition")
        if finished:
            context.report(Message(f"{finished} of {count} of the {self.title} are finished already and are checked."))
        side = f"{folder.size:,} x {folder.size:,}"
        context.report(Message(f"The workers vectorize the {self.title} in {count} of about {side} pixels."))

    def run_step(
        self,
        name: str,
        method: Callable[..., None],
        arguments: Callable[[int], tuple[Any, ...]],
        steps: tuple[int, int] = (0, 1),
    ) -> None:
        """Have a step of all partitions made.

        Args:
            name: of the step.
            method: of ``BlockWorker``.
            arguments: of the method, by the number of the partition.
            steps: how many steps were made before, and how many there are.
        """
        run, total = self.run, len(self.folder.windows)
        tasks = (
            Task(
                f"{run.name}-{self.folder.path.name}-{name}-{number}",
                f"partition {number + 1} of {total} of the {self.title}",
                call_worker,
                (run.name, method, *arguments(number)),
                resources=run.gpus,
                memory_hint=MEMORY_FOR_VECTORS,
            )
            for number in range(total)
        )
        with closing(run_tasks(run.client, tasks, self.address, self.context)) as outcomes:
            for done, _ in enumerate(outcomes, 1):
                self.context.report(Progress("vectorize", steps[0] * total + done, steps[1] * total))

    def trace(self, coverage: PartitionedCoverage) -> None:
        """Have all partitions of a coverage measured and traced."""
        self.prepare()
        self.run_step(
            "measure", BlockWorker.run_step, lambda number: (self.store, partial(coverage.measure, number)), (0, 2)
        )
        coverage.merge(self.context.cancellation)
        self.run_step(
            "trace", BlockWorker.run_step, lambda number: (self.store, partial(coverage.trace, number)), (1, 2)
        )

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        finished = self.folder.count_files(self.suffix)
        count = count_noun(len(self.folder.windows), "partition")
        return f", and {finished} of {count} of the {self.title}" if finished else ""


@dataclass
class PartitionedVectors(ABC):
    """Makes vectors of a run by partitions; they do not need the rows of the rasters.

    Attributes:
        run: has the workers.
        address: of the scheduler, for messages.
        context: receives progress and messages; checked for cancellation.
        tasks: vectorize the partitions; None before ``vectorize``.
    """

    run: ClusterRun
    address: str
    context: RunContext
    tasks: PartitionTasks | None = field(default=None, init=False)

    @abstractmethod
    def vectorize(self, store: BlockStore) -> None:
        """Have all partitions vectorized whose files are missing, once all blocks are in ``store``."""

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        return "" if self.tasks is None else self.tasks.describe_kept()


@dataclass
class PartitionedRoads(PartitionedVectors):
    """Makes the roads of a run.

    Attributes:
        options: of the roads.
        target: the vector file.

    Raises:
        OutputError: the format of the vector file is not known.
        ParameterError: a length is too large for the pixels.
    """

    append: ClassVar[None] = None

    options: RoadOptions
    target: VectorTarget
    partitions: RoadPartitions | None = None
    areas: PartitionedCoverage | None = None

    def __post_init__(self) -> None:
        check_vector_output(self.target.path)
        (transform, crs), grid = read_back_georeferencing(self.run.grid), self.run.grid
        pixel_options(self.options, PixelGeodesy(crs, transform).resolution((grid.height, grid.width)))

    def vectorize(self, store: BlockStore) -> None:
        """See ``PartitionedVectors.vectorize``."""
        run, name, place = self.run, self.run.job.view.spec.name, read_back_georeferencing(self.run.grid)
        partitions = RoadPartitions(store, *place, run.nodata_cause, name, self.options, PARTITION)
        self.partitions = partitions
        self.tasks = PartitionTasks(partitions.folder, ROADS, "roads", run, store, self.address, self.context)
        self.tasks.prepare()
        self.tasks.run_step("vectorize", BlockWorker.vectorize, lambda number: (partitions, number))
        if self.options.areas:
            self.areas = partition_road_areas(store, place, name, self.options)
            replace(self.tasks, folder=self.areas.folder, suffix=TRACED, title="road areas").trace(self.areas)

    def finish(self) -> RoadSummary:
        """Join the partitions.

        Raises:
            TerraSporeError: the roads could not be made.
        """
        assert self.partitions is not None, "the tiles have not been computed"
        target = replace(self.target, metadata={**self.run.tags, "THRESHOLD": f"{self.options.threshold:g}"})
        areas: Iterable[extract.CoverageBatch] = ()
        if self.areas is not None:
            joiner = self.areas.open_joiner(target.path.absolute().parent)
            areas = extract.merge_batches(joiner.join(self.context.cancellation))
        return self.partitions.join(target, self.context, areas)


@dataclass
class PartitionedLandcover(PartitionedVectors):
    """Makes the polygons of a run.

    Attributes:
        options: of the polygons.
        regularized: ids of the classes that get right angles.
    """

    options: CoverageOptions
    regularized: tuple[int, ...]
    coverage: PartitionedCoverage | None = None

    def vectorize(self, store: BlockStore) -> None:
        """See ``PartitionedVectors.vectorize``."""
        run, place = self.run, read_back_georeferencing(self.run.grid)
        self.coverage = partition_landcover(store, place, run.job.view.spec.name, self.options, self.regularized)
        folder = self.coverage.folder
        self.tasks = PartitionTasks(folder, TRACED, "polygons", run, store, self.address, self.context)
        self.tasks.trace(self.coverage)

    def write(self, target: VectorTarget, classes: extract.ClassTable, nothing: str) -> extract.CoverageSummary:
        """Join the partitions and write the polygons.

        Args:
            target: the file to write, and the name of the layer.
            classes: names and colours by class id.
            nothing: why there are no polygons, where there are none.

        Raises:
            TerraSporeError: the polygons could not be written.
        """
        assert self.coverage is not None, "the tiles have not been computed"
        check_vector_output(target.path)
        coverage, context = self.coverage, self.context
        warn_without_numba(context)
        frame, transform = coverage.frame, coverage.transform
        geodesy = locate_pixels(coverage.crs, transform, frame.shape, frame.name, context)
        place = make_reference(frame.name, geodesy.crs, transform, frame.shape)
        joiner = coverage.open_joiner(target.path.absolute().parent)
        target, layer = extract.add_options(target, self.options), next(iter(target.names), extract.LAYER)
        with open_vector_writer(target, coverage.crs, warnings=context.warnings, place=place) as writer:
            batches = joiner.join(context.cancellation)
            summary = extract.write_coverage(
                writer, layer, batches, classes, has_confidence=True, on_empty=lambda: context.warn(nothing)
            )
            if joiner.kept_plain:
                context.warn(
                    f"{count_noun(joiner.kept_plain, 'polygon')} near the borders of partitions keep their simplified "
                    "outlines without right angles."
                )
        return summary
