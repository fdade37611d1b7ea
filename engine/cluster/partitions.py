"""Have the partitions of a raster vectorized by the workers of a Dask cluster, step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..context import RunContext
from ..fs.atomic import translate_os_errors
from ..pipeline.block_store import BlockStore
from ..pipeline.runner import count_noun
from ..protocol.messages import Message, Progress
from ..vector.partitions.storage import PartitionFolder
from .computer import ClusterRun
from .connection import MEMORY_FOR_VECTORS
from .dispatch import Task, run_tasks


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
        function: Callable[..., Any],
        arguments: Callable[[int], tuple[Any, ...]],
        steps: tuple[int, int] = (0, 1),
    ) -> None:
        """Have a step of all partitions made.

        Args:
            name: of the step.
            function: the task, see ``worker``.
            arguments: of the task behind the name of the run, by the number of the partition.
            steps: how many steps were made before, and how many there are.
        """
        run, total = self.run, len(self.folder.windows)
        tasks = (
            Task(
                f"{run.name}-{self.folder.path.name}-{name}-{number}",
                f"partition {number + 1} of {total} of the {self.title}",
                function,
                (run.name, *arguments(number)),
                resources=run.gpus,
                memory_hint=MEMORY_FOR_VECTORS,
            )
            for number in range(total)
        )
        with closing(run_tasks(run.client, tasks, self.address, self.context)) as outcomes:
            for done, _ in enumerate(outcomes, 1):
                self.context.report(Progress("vectorize", steps[0] * total + done, steps[1] * total))

    def describe_kept(self) -> str:
        """Return how many partitions are finished, for a message; empty where none is."""
        finished = self.folder.count_files(self.suffix)
        count = count_noun(len(self.folder.windows), "partition")
        return f", and {finished} of {count} of the {self.title}" if finished else ""
