"""Have the partitions of a road network vectorized by the workers of a Dask cluster, and join them in this process."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

from ..context import RunContext
from ..pipeline.block_store import BlockStore
from ..pipeline.coverage_partitions import partition_road_areas
from ..pipeline.road_partitions import RoadPartitions
from ..pipeline.runner import count_noun
from ..protocol.messages import Message, Progress
from ..protocol.options import RoadOptions
from ..raster.grid import Grid
from ..raster.writer import read_back_georeferencing
from ..vector.coverage.extract import CoverageBatch, merge_batches
from ..vector.io.formats import VectorTarget, check_vector_output
from ..vector.partitions.layout import PARTITION, split_raster
from ..vector.partitions.polygons.coverage import PartitionedCoverage
from ..vector.roads.extract import RoadSummary
from .computer import ClusterRun
from .connection import MEMORY_FOR_VECTORS
from .dispatch import Task, run_tasks
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

    def vectorize(self, store: BlockStore) -> None:
        """Have all partitions vectorized whose files are missing, once all blocks are in ``store``."""
        run, context = self._run, self._context
        transform, crs = read_back_georeferencing(run.grid)
        name = run.job.view.spec.name
        partitions = RoadPartitions(store, transform, crs, run.nodata_cause, name, self._options, PARTITION)
        self._partitions, total = partitions, len(partitions.windows)
        self._report_start(partitions)
        tasks = (
            Task(
                f"{run.name}-roads-{number}",
                f"partition {number + 1} of {total} of the roads",
                vectorize_partition,
                (run.name, partitions, number),
                resources=run.gpus,
                memory_hint=MEMORY_FOR_VECTORS,
            )
            for number in range(total)
        )
        with closing(run_tasks(run.client, tasks, self._address, context)) as outcomes:
            for done, _ in enumerate(outcomes, 1):
                context.report(Progress("vectorize", done, total))
        if self._options.areas:
            self._areas = partition_road_areas(store, (transform, crs), name, self._options)
            trace_partitions(self._areas, run, store, title="road areas", address=self._address, context=context)

    def _report_start(self, partitions: RoadPartitions) -> None:
        partitions.remove_partial_files()
        finished, count = partitions.count_files(), count_noun(len(partitions.windows), "partition")
        if finished:
            self._context.report(Message(f"{finished} of {count} of the roads are finished already and are checked."))
        side = f"{partitions.size:,} x {partitions.size:,}"
        self._context.report(Message(f"The workers vectorize the roads in {count} of about {side} pixels."))

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        finished = 0 if self._partitions is None else self._partitions.count_files()
        if self._partitions is None or not finished:
            return ""
        return f", and {finished} of {count_noun(len(self._partitions.windows), 'partition')} of the roads"

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
