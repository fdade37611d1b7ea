"""Have the partitions of a road network vectorized by the workers of a Dask cluster, and join them in this process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..context import RunContext
from ..pipeline.block_store import BlockStore
from ..pipeline.coverage_partitions import partition_road_areas
from ..pipeline.road_partitions import ROADS, RoadPartitions
from ..protocol.options import RoadOptions
from ..raster.grid import Grid
from ..raster.writer import read_back_georeferencing
from ..vector.coverage.extract import CoverageBatch, merge_batches
from ..vector.io.formats import VectorTarget, check_vector_output
from ..vector.partitions.layout import PARTITION, split_raster
from ..vector.partitions.polygons.coverage import PartitionedCoverage
from ..vector.partitions.polygons.tables import TRACED
from ..vector.roads.extract import RoadSummary
from .computer import ClusterRun
from .partitions import PartitionTasks
from .polygons import trace_partitions
from .worker import vectorize_partition


def is_partitioned(grid: Grid) -> bool:
    """Return whether the roads of a raster are made by partitions, because it is larger than one."""
    return len(split_raster((grid.height, grid.width), PARTITION)) > 1


class PartitionedRoads:
    """Makes the roads of a run by partitions; they do not need the rows of the raster.

    Args:
        run: has the workers.
        options: of the roads.
        target: the vector file.
        address: of the scheduler, for messages.
        context: receives progress and messages; checked for cancellation.

    Raises:
        OutputError: the format of the vector file is not known.
    """

    append = None

    def __init__(
        self, run: ClusterRun, options: RoadOptions, target: VectorTarget, address: str, context: RunContext
    ) -> None:
        check_vector_output(target.path)
        self._run, self._options, self._target = run, options, target
        self._address, self._context = address, context
        self._partitions: RoadPartitions | None = None
        self._areas: PartitionedCoverage | None = None
        self._tasks: PartitionTasks | None = None

    def vectorize(self, store: BlockStore) -> None:
        """Have all partitions vectorized whose files are missing, once all blocks are in ``store``."""
        run, context = self._run, self._context
        transform, crs = read_back_georeferencing(run.grid)
        name = run.job.view.spec.name
        partitions = RoadPartitions(store, transform, crs, run.nodata_cause, name, self._options, PARTITION)
        self._partitions = partitions
        self._tasks = PartitionTasks(partitions.folder, ROADS, "roads", run, store, self._address, context)
        self._tasks.prepare()
        self._tasks.run_step("vectorize", vectorize_partition, lambda number: (partitions, number))
        if self._options.areas:
            self._areas = partition_road_areas(store, (transform, crs), name, self._options)
            tasks = replace(self._tasks, folder=self._areas.folder, suffix=TRACED, title="road areas")
            trace_partitions(self._areas, tasks)

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        return "" if self._tasks is None else self._tasks.describe_kept()

    def finish(self) -> RoadSummary:
        """Join the partitions.

        Raises:
            TerraSporeError: the roads could not be made.
        """
        assert self._partitions is not None, "the tiles have not been computed"
        metadata = {**self._run.tags, "THRESHOLD": f"{self._options.threshold:g}"}
        target = replace(self._target, metadata=metadata)
        areas: Iterable[CoverageBatch] = ()
        if self._areas is not None:
            joiner = self._areas.open_joiner(target.path.absolute().parent)
            areas = merge_batches(joiner.join(self._context.cancellation))
        return self._partitions.join(target, self._context, areas)
