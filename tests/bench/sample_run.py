"""Compute some blocks of a run, and no more, by the worker's tasks of ``extract roads --cluster``."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from terraspore.engine.cluster.computer import ClusterComputer, ClusterRun
from terraspore.engine.cluster.dispatch import Task, run_tasks
from terraspore.engine.cluster.run_folder import make_store, open_run_folder
from terraspore.engine.cluster.worker import BlockWorker, call_worker
from terraspore.engine.context import RunContext
from terraspore.engine.pipeline.block_layout import BlockIndex, BlockLayout, choose_layout
from terraspore.engine.pipeline.block_store import BlockStore
from terraspore.engine.pipeline.partitions import RoadPartitions
from terraspore.engine.pipeline.request import ImageRequest
from terraspore.engine.pipeline.resume import make_fingerprint
from terraspore.engine.pipeline.run_outputs import ProbabilityEncoder, list_image_files, lock_run_outputs
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.writer import read_back_georeferencing
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.partitions.layout import grow, reading_margin

_ADDRESS = "local:1"


@dataclass(frozen=True)
class Usage:
    """What a worker has used since its start.

    Attributes:
        seconds: of processors.
        peak_bytes: of resident memory.
    """

    seconds: float
    peak_bytes: int


@dataclass
class SampleRun:
    """A run of which a single worker computes what is asked for.

    Attributes:
        run: has the worker, which opened image and model.
        store: the files of the blocks.
        options: of the roads.
        size: side of a partition in pixels.
        context: of the run.
    """

    run: ClusterRun
    store: BlockStore
    options: RoadOptions
    size: int
    context: RunContext

    @property
    def layout(self) -> BlockLayout:
        """The blocks."""
        return self.store.layout

    @cached_property
    def partitions(self) -> RoadPartitions:
        """All partitions of the raster."""
        transform, crs = read_back_georeferencing(self.run.grid)
        name = self.run.job.view.spec.name
        return RoadPartitions(self.store, transform, crs, self.run.nodata_cause, name, self.options, self.size)

    def find_blocks(self, number: int) -> set[BlockIndex]:
        """Return the blocks that the network of a partition reads."""
        window = self.partitions.folder.windows[number]
        wide = grow(window, reading_margin(self.options, self.run.grid.resolution), self.store.shape)
        rows, columns = (
            {block for span in axis.spans(first, first + size) for block in span.blocks}
            for axis, first, size in (
                (self.layout.y, wide.row, wide.height),
                (self.layout.x, wide.col, wide.width),
            )
        )
        return {BlockIndex(row, column) for row in rows for column in columns}

    def count_tiles(self, blocks: list[BlockIndex]) -> int:
        """Return how many tiles blocks consist of."""
        return sum(len(block.rows) * len(block.columns) for block in map(self.layout.block, blocks))

    def mean_bytes(self, blocks: list[BlockIndex]) -> float:
        """Return the mean size of the files of blocks."""
        return float(np.mean([self.store.path(index).stat().st_size for index in blocks]))

    def compute(self, blocks: list[BlockIndex]) -> None:
        """Have blocks computed."""
        name, store, batch = self.run.name, self.store, self.run.session.batch
        self._run(
            Task(
                f"{name}-{index.row}-{index.column}",
                f"block {index}",
                call_worker,
                (name, BlockWorker.compute, store, batch, index),
            )
            for index in blocks
        )

    def vectorize(self, numbers: list[int]) -> None:
        """Have partitions vectorized."""
        self.partitions.folder.path.mkdir(exist_ok=True)
        name = self.run.name
        self._run(
            Task(
                f"{name}-{number}",
                f"partition {number}",
                call_worker,
                (name, BlockWorker.vectorize, self.partitions, number),
            )
            for number in numbers
        )

    def _run(self, tasks: Iterator[Task]) -> None:
        with closing(run_tasks(self.run.client, tasks, _ADDRESS, self.context)) as outcomes:
            for _ in outcomes:
                pass

    def measure(self) -> Usage:
        """Return what the worker has used."""
        (usage,) = self.run.client.run(resource.getrusage, resource.RUSAGE_SELF).values()
        return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


@contextmanager
def open_sample(request: ImageRequest, output: Path, options: RoadOptions, size: int) -> Iterator[SampleRun]:
    """Open image and model on a worker, and divide the image into blocks.

    Args:
        request: image and model.
        output: the files of the blocks are stored beside it.
        options: of the roads.
        size: side of a partition in pixels.
    """
    context, computer = RunContext(), ClusterComputer(_ADDRESS)
    with (
        lock_run_outputs(VectorTarget(output), [], list_image_files(request), context, overwrite=True) as outputs,
        computer.open_run(request, "roads", context, outputs=outputs) as run,
    ):
        layout, fingerprint = choose_layout(run.job.plan, run.workers), make_fingerprint(run, request, {})
        batch = run.session.batch
        journal, layout = open_run_folder(output, fingerprint, layout, batch, resume=False, context=context)
        store = make_store(journal, layout, len(run.model.card.classes), [ProbabilityEncoder(1)], output)
        yield SampleRun(run, store, options, size, context)
