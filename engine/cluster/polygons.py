"""Have the partitions of a coverage measured and traced by the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from ..context import RunContext
from ..fs.atomic import translate_os_errors
from ..pipeline.block_store import BlockStore
from ..pipeline.coverage_partitions import partition_landcover
from ..pipeline.runner import count_noun
from ..protocol.messages import Message, Progress
from ..protocol.options import CoverageOptions
from ..raster.grid import Grid
from ..raster.writer import read_back_georeferencing
from ..vector.coverage import extract
from ..vector.coverage.extract import ClassTable, CoverageSummary, add_options, write_coverage
from ..vector.geodesy import locate_pixels
from ..vector.io.formats import VectorTarget, check_vector_output
from ..vector.io.reader import make_reference
from ..vector.io.writer import open_vector_writer
from ..vector.jit import warn_without_numba
from ..vector.partitions.layout import split_raster
from ..vector.partitions.polygons.coverage import PartitionedCoverage
from ..vector.partitions.polygons.join import PolygonJoiner
from .computer import ClusterRun
from .connection import MEMORY_FOR_VECTORS
from .dispatch import Task, run_tasks
from .worker import run_partition_step


def is_partitioned(grid: Grid) -> bool:
    """Return whether the polygons of a raster are made by partitions, because it is larger than one."""
    return len(split_raster((grid.height, grid.width), extract.BREAKS.cols)) > 1


def trace_partitions(
    coverage: PartitionedCoverage, run: ClusterRun, store: BlockStore, *, title: str, address: str, context: RunContext
) -> None:
    """Have all partitions of a coverage traced whose files are missing, once all blocks are there.

    Args:
        coverage: the partitions.
        run: has the workers.
        store: the blocks.
        title: what is made, for messages, such as ``polygons``.
        address: of the scheduler, for messages.
        context: receives progress and messages; checked for cancellation.
    """
    total = len(coverage.windows)
    with translate_os_errors(store.output):
        coverage.folder.mkdir(exist_ok=True)
    coverage.remove_partial_files()
    finished, count = coverage.count_traced(), count_noun(total, "partition")
    if finished:
        context.report(Message(f"{finished} of {count} of the {title} are finished already and are checked."))
    side = f"{coverage.size:,} x {coverage.size:,}"
    context.report(Message(f"The workers vectorize the {title} in {count} of about {side} pixels."))
    steps: Sequence[tuple[str, Callable[..., None]]] = (("measure", coverage.measure), ("trace", coverage.trace))
    for first, (step, method) in enumerate(steps):
        if first:
            coverage.merge(context.cancellation)
        tasks = (
            Task(
                f"{run.name}-{coverage.folder.name}-{step}-{number}",
                f"partition {number + 1} of {total} of the {title}",
                run_partition_step,
                (run.name, store, partial(method, number)),
                resources=run.gpus,
                memory_hint=MEMORY_FOR_VECTORS,
            )
            for number in range(total)
        )
        with closing(run_tasks(run.client, tasks, address, context)) as outcomes:
            for done, _ in enumerate(outcomes, 1):
                context.report(Progress("vectorize", first * total + done, 2 * total))


def warn_of_plain_buildings(joiner: PolygonJoiner, context: RunContext) -> None:
    """Warn of polygons that have no right angles because they are at the border of a partition."""
    if joiner.kept_plain:
        context.warn(
            f"{count_noun(joiner.kept_plain, 'polygon')} near the borders of partitions keep their simplified outlines"
            " without right angles."
        )


@dataclass
class PartitionedLandcover:
    """Makes the polygons of a run by partitions; they do not need the rows of the rasters.

    Attributes:
        run: has the workers.
        options: of the polygons.
        regularized: ids of the classes that get right angles.
        address: of the scheduler, for messages.
        context: receives progress and messages; checked for cancellation.
    """

    run: ClusterRun
    options: CoverageOptions
    regularized: tuple[int, ...]
    address: str
    context: RunContext
    coverage: PartitionedCoverage | None = None

    def vectorize(self, store: BlockStore) -> None:
        """Have all partitions vectorized whose files are missing, once all blocks are in ``store``."""
        run = self.run
        place = read_back_georeferencing(run.grid)
        self.coverage = partition_landcover(store, place, run.job.view.spec.name, self.options, self.regularized)
        trace_partitions(self.coverage, run, store, title="polygons", address=self.address, context=self.context)

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        finished = 0 if self.coverage is None else self.coverage.count_traced()
        if self.coverage is None or not finished:
            return ""
        return f", and {finished} of {count_noun(len(self.coverage.windows), 'partition')} of the polygons"

    def write(self, target: VectorTarget, classes: ClassTable, nothing: str) -> CoverageSummary:
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
        target, layer = add_options(target, self.options), next(iter(target.names), extract.LAYER)
        with open_vector_writer(target, coverage.crs, warnings=context.warnings, place=place) as writer:
            batches = joiner.join(context.cancellation)
            summary = write_coverage(
                writer, layer, batches, classes, has_confidence=True, on_empty=lambda: context.warn(nothing)
            )
            warn_of_plain_buildings(joiner, context)
        return summary
