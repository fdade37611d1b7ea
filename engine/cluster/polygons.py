"""Have the partitions of a coverage measured and traced by the workers of a Dask cluster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..context import RunContext
from ..pipeline.block_store import BlockStore
from ..pipeline.coverage_partitions import partition_landcover
from ..pipeline.runner import count_noun
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
from ..vector.partitions.polygons.tables import TRACED
from .computer import ClusterRun
from .partitions import PartitionTasks
from .worker import run_partition_step


def is_partitioned(grid: Grid) -> bool:
    """Return whether the polygons of a raster are made by partitions, because it is larger than one."""
    return len(split_raster((grid.height, grid.width), extract.BREAKS.cols)) > 1


def trace_partitions(coverage: PartitionedCoverage, tasks: PartitionTasks) -> None:
    """Have all partitions of a coverage traced."""
    tasks.prepare()
    tasks.run_step(
        "measure", run_partition_step, lambda number: (tasks.store, partial(coverage.measure, number)), steps=(0, 2)
    )
    coverage.merge(tasks.context.cancellation)
    tasks.run_step(
        "trace", run_partition_step, lambda number: (tasks.store, partial(coverage.trace, number)), steps=(1, 2)
    )


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
    tasks: PartitionTasks | None = None

    def vectorize(self, store: BlockStore) -> None:
        """Have all partitions vectorized whose files are missing, once all blocks are in ``store``."""
        run, place = self.run, read_back_georeferencing(self.run.grid)
        self.coverage = partition_landcover(store, place, run.job.view.spec.name, self.options, self.regularized)
        folder = self.coverage.folder
        self.tasks = PartitionTasks(folder, TRACED, "polygons", run, store, self.address, self.context)
        trace_partitions(self.coverage, self.tasks)

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        return "" if self.tasks is None else self.tasks.describe_kept()

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
