"""Compute the tiles of a run on the workers of a Dask cluster."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import Client

from ..concurrency import report_if_slow
from ..context import RunContext
from ..errors import Cancelled, ClusterError, TerraSporeError
from ..fs.journal import Fingerprint, Journal, note_outputs, remove_journal
from ..fs.outputs import NoteOutputs, Outputs
from ..models.card import Task as ModelTask
from ..pipeline.block_layout import BlockLayout, choose_layout
from ..pipeline.block_reader import BlockReader, write_sinks
from ..pipeline.block_store import BlockStore
from ..pipeline.computer import Computation, Computer, PolygonVectorizer, RoadVectorizer
from ..pipeline.job import InferenceJob, PlannedRun, PreparedImage
from ..pipeline.plan import make_tags, prepare_image, report_plan
from ..pipeline.request import ImageRequest
from ..pipeline.run_outputs import OutputSink
from ..pipeline.runner import ProgressTracker, RunStatistics, count_noun
from ..pipeline.streaming_vectorizer import Preloader
from ..protocol.messages import Message
from ..protocol.options import CoverageOptions, RoadOptions
from ..runtimes.base import NetworkFactory
from ..vector.io.formats import VectorTarget
from .connection import is_local, open_client
from .dispatch import Task, connection_lost, run_tasks
from .run_folder import make_store, open_run_folder
from .worker import BlockOutcome, BlockWorker, WorkerJob, WorkerReport, call_worker, describe_for_others

if TYPE_CHECKING:
    from .partitions import PartitionedVectors

#: Dask's resource by which workers tell that they have a device, by its kind.
_RESOURCES = {"gpu": "GPU", "cuda": "GPU", "tensorrt": "GPU", "directml": "GPU", "ascend": "NPU"}


@dataclass(frozen=True, kw_only=True)
class ClusterRun(PlannedRun):
    """A run whose workers have opened image and model.

    Attributes:
        client: connected to the scheduler.
        name: of the run on the scheduler.
        gpus: Dask's resources that a block takes.
        workers: how many workers there were at the start.
    """

    client: Client
    name: str
    gpus: dict[str, float]
    workers: int


@dataclass(frozen=True)
class ClusterComputer(Computer):
    """Computes on the workers of a scheduler.

    Attributes:
        address: of the scheduler, or ``local:N``; see ``connection.open_client``.
        network_factory: makes MindSpore networks on the workers; None where there is no training package.
    """

    address: str
    network_factory: NetworkFactory | None = None

    @contextmanager
    def open_run(
        self,
        request: ImageRequest,
        task: ModelTask,
        context: RunContext,
        *,
        outputs: Outputs,
        on_model_opening: Callable[[], None] | None = None,
    ) -> Iterator[ClusterRun]:
        """Open the image here, and image and model on all workers; see ``Computer.open_run``.

        Raises:
            ClusterError: the scheduler or a worker cannot be used for the run.
        """
        from .partitions import has_polygon_partitions, has_road_partitions

        with ExitStack() as resources:
            image = prepare_image(request, task, resources, context, outputs=outputs, on_model_opening=on_model_opening)
            client = resources.enter_context(open_client(self.address, request.options, request.runtime, context))
            name = f"terraspore-{secrets.token_hex(6)}"
            if not is_local(self.address):  # the workers of this run alone end with it
                resources.callback(_forget_run, client, name)
            with suppress(OSError):  # a worker has just ended; the others have it, and new ones will
                client.register_plugin(BlockWorker(self._make_job(name, image, request)))
            workers = self._list_workers(client)
            gpus = _choose_resources(workers, request.runtime.device)
            title = f"The model {image.model.card.name} is being loaded by the workers; this takes a while."
            with report_if_slow(context, title):
                reports = self._inspect_workers(client, name, workers, gpus, context)
            facts, reason = _merge_reports(reports, self.address)
            if len({(report.runtime, report.precision, report.device) for report in reports}) > 1:
                context.warn(f"The workers differ, and with them the last digits of probabilities: {reason}")
            memory = max(report.memory for report in reports)
            report_plan(image, facts, reason, context, memory=memory, seconds=facts.seconds)
            card = image.model.card
            yield ClusterRun(
                model=image.model,
                session=facts,
                reason=reason,
                job=InferenceJob(image.view, image.plan, card.bands, len(card.classes), facts.batch),
                tags=make_tags(image, facts, request),
                resources=resources,
                fit=image.fit,
                spools_roads=not has_road_partitions(image.view.spec.grid),
                stores_classes=not has_polygon_partitions(image.view.spec.grid),
                client=client,
                name=name,
                gpus=gpus,
                workers=len(reports),
            )

    def _make_job(self, name: str, image: PreparedImage, request: ImageRequest) -> WorkerJob:
        model = image.model
        return WorkerJob(
            name=name,
            view=describe_for_others(image.view),
            plan=image.plan,
            card=model.card,
            weights=model.weights.absolute(),
            sha256=model.sha256,
            runtime=request.runtime,
            tta=request.options.tta,
            network_factory=self.network_factory,
        )

    def _list_workers(self, client: Client) -> dict[str, frozenset[str]]:
        """Return the names of Dask's resources of each worker, by address."""
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"]
        except OSError as error:
            raise connection_lost(self.address) from error
        return {address: frozenset(facts["resources"]) for address, facts in workers.items()}

    def _inspect_workers(
        self,
        client: Client,
        name: str,
        workers: Mapping[str, frozenset[str]],
        gpus: dict[str, float],
        context: RunContext,
    ) -> list[WorkerReport]:
        """Have every worker open image and model, and return their reports."""
        usable = [[address] for address, resources in workers.items() if set(gpus) <= resources]
        places = usable if workers else [None]  # all have just ended; Dask may be starting others
        tasks = (
            Task(f"{name}-{number}", "the start on a worker", call_worker, (name, BlockWorker.inspect), place, gpus)
            for number, place in enumerate(places)
        )
        with closing(run_tasks(client, tasks, self.address, context)) as reports:
            return list(reports)

    @contextmanager
    def start(
        self, run: PlannedRun, fingerprint: Fingerprint, output: Path, *, resume: bool, context: RunContext
    ) -> Iterator[Computation]:
        """Create or continue the folder of the run's blocks, which is removed when the block ends well.

        Raises:
            ResumeError: an unfinished run is of another image, model, options or version.
            OutputError: the folder cannot be written.
        """
        assert isinstance(run, ClusterRun), "the run was opened by another computer"
        # Cores and memory of the machine that begins or resumes the run decide nothing.
        theirs = dict.fromkeys(("number of threads", "limit of memory"), "that of each worker")
        fingerprint = replace(fingerprint, settings={**fingerprint.settings, **theirs})
        layout = choose_layout(run.job.plan, run.workers)
        journal, layout = open_run_folder(output, fingerprint, layout, run.job.batch, resume=resume, context=context)
        computation = _ClusterComputation(run, context, self.address, journal, layout, output)
        try:
            yield computation
        except BaseException as error:
            computation.report_kept(error)
            raise
        with suppress(OSError):  # the outputs are complete; a later run of this output removes it
            remove_journal(output)


@dataclass
class _ClusterComputation(Computation):
    run: ClusterRun
    address: str
    journal: Journal
    layout: BlockLayout
    output: Path
    vectors: list[PartitionedVectors] = field(default_factory=list)

    @property
    def note_outputs(self) -> NoteOutputs | None:
        return lambda outputs: note_outputs(self.journal, outputs)

    def open_roads(
        self, options: RoadOptions, target: VectorTarget, *, spool: Path, preloader: Preloader
    ) -> AbstractContextManager[RoadVectorizer]:
        """Prepare to make roads by partitions on the workers, or of the rows where one partition is enough."""
        from .partitions import PartitionedRoads

        if self.run.spools_roads:
            return super().open_roads(options, target, spool=spool, preloader=preloader)
        roads = PartitionedRoads(self.run, self.address, self.context, options, target)
        self.vectors.append(roads)
        return nullcontext(roads)

    def open_polygons(self, options: CoverageOptions, regularized: Sequence[int]) -> PolygonVectorizer | None:
        """Prepare to make polygons by partitions on the workers; None where one partition is enough."""
        from .partitions import PartitionedLandcover

        if self.run.stores_classes:
            return None
        polygons = PartitionedLandcover(self.run, self.address, self.context, options, tuple(regularized))
        self.vectors.append(polygons)
        return polygons

    def compute(self, sinks: Sequence[OutputSink]) -> RunStatistics:
        """Have all blocks and partitions computed, free the workers, and write the rows; see ``Computation``."""
        start = self.context.clock()
        encoders = [sink.encoder for sink in sinks]
        store = make_store(self.journal, self.layout, self.run.job.classes, encoders, self.output.absolute())
        self._report_start(store)
        empty, inference = self._compute_blocks(store)
        for vectors in self.vectors:
            vectors.vectorize(store)
        self.run.release()  # what follows needs their memory
        write_sinks(BlockReader(store), sinks, self.context.cancellation)
        return RunStatistics(self.layout.plan.count, empty, self.context.clock() - start, inference)

    def _report_start(self, store: BlockStore) -> None:
        store.remove_partial_files()
        finished, blocks = store.count_files(), count_noun(self.layout.count, "block")
        if finished:
            self.context.report(Message(f"{finished} of {blocks} are finished already and are checked."))
        workers = count_noun(self.run.workers, "worker")
        self.context.report(Message(f"{blocks} of up to {self.layout.rows} x {self.layout.columns} tiles, {workers}."))

    def _compute_blocks(self, store: BlockStore) -> tuple[int, float]:
        """Compute all blocks; return the number of empty tiles and the seconds in the network."""
        progress, empty, inference = ProgressTracker(self.layout.plan.count, 0, 0, self.context), 0, 0.0
        batch = self.journal.header.batch
        tasks = (
            Task(
                f"{self.run.name}-{index.row}-{index.column}",
                f"block {index.row}, {index.column}",
                call_worker,
                (self.run.name, BlockWorker.compute, store, batch, index),
                resources=self.run.gpus,
            )
            for index in self.layout.indices()
        )
        with closing(run_tasks(self.run.client, tasks, self.address, self.context)) as outcomes:
            outcome: BlockOutcome
            for outcome in outcomes:
                block = self.layout.block(outcome.index)
                tiles = len(block.rows) * len(block.columns)
                progress.advance(tiles, outcome.empty, is_computed=outcome.is_computed)
                empty, inference = empty + outcome.empty, inference + outcome.seconds
        return empty, inference

    def report_kept(self, error: BaseException) -> None:
        """Report how many blocks are finished and kept although the run ended with ``error``."""
        store = make_store(self.journal, self.layout, 0, (), self.output)
        finished = store.count_files()
        if not finished and isinstance(error, Cancelled):
            with suppress(OSError):
                remove_journal(self.output)
        elif not self.context.cancellation.abandoned:
            share = f"{finished} of {count_noun(self.layout.count, 'block')} are finished and kept"
            share += "".join(made.describe_kept() for made in self.vectors)
            self.context.report(Message(f"{share}; the same command with --resume goes on from there."))


def _forget_run(client: Client, name: str) -> None:
    """Have the workers close image and model."""
    with suppress(OSError, RuntimeError, ValueError, TerraSporeError):  # the scheduler may be gone
        client.unregister_worker_plugin(name)


def _choose_resources(workers: Mapping[str, frozenset[str]], device: str) -> dict[str, float]:
    """Return the resource that a block takes, where workers tell by it that they have the device asked for."""
    name = _RESOURCES.get(device.partition(":")[0])
    return {} if name is None or not any(name in resources for resources in workers.values()) else {name: 1}


def _merge_reports(reports: Sequence[WorkerReport], address: str) -> tuple[WorkerReport, str]:
    """Return one report for all workers, and a sentence on what they run on."""

    def join(name: str) -> str:
        return " and ".join(sorted({getattr(report, name) for report in reports}))

    if not reports:
        raise ClusterError(f"No worker of {address} has the device that is asked for.")
    kinds = Counter(f"{report.runtime} on {report.device} in {report.precision}" for report in reports)
    reason = ", ".join(f"{count_noun(count, 'worker')} with {kind}" for kind, count in sorted(kinds.items()))
    rates = [1 / report.seconds for report in reports if report.seconds]
    facts = replace(
        reports[0],
        runtime=join("runtime"),
        version=join("version"),
        device=join("device"),
        precision=join("precision"),
        batch=min(report.batch for report in reports),
        seconds=1 / sum(rates) if len(rates) == len(reports) else None,
    )
    return facts, f"{reason}, of {address}."
