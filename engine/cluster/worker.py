"""What runs on a worker: one session, opened once for all blocks of a run, which it computes one after the other.

Partitions of vectors follow, when there are no more blocks.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from distributed import Worker, WorkerPlugin, get_worker

from ...__about__ import __version__
from ..context import Cancellation, RunContext
from ..errors import Cancelled, ClusterError, ModelError, UserError
from ..fs.regular_file import compute_sha256
from ..models.card import ModelCard
from ..models.checkpoint import MAX_CHECKPOINT_BYTES
from ..models.registry import Model, find_model
from ..pipeline.block_layout import BlockIndex
from ..pipeline.block_store import BlockStore
from ..pipeline.job import InferenceJob, make_predict_stream
from ..pipeline.plan import estimate_memory, estimate_seconds
from ..pipeline.runner import ProgressTracker, compute_block_rows
from ..protocol.options import RuntimeOptions
from ..raster.mosaic import open_view
from ..raster.pixel_view import PixelView, SourceSpec
from ..runtimes.base import NetworkFactory, PredictStream, Session
from ..runtimes.cache import default_cache_folder
from ..runtimes.pool import SessionPool
from ..tiling import TilePlan, make_plan

if TYPE_CHECKING:
    from ..pipeline.partitions import RoadPartitions

#: In the folder of the blocks; tells a worker that it sees the folder of the run, and not another of the same name.
RUN_MARK = "run"
#: Side in pixels of the block whose memory is reported.
_BLOCK_SIDE = 4096
#: Parameters of glibc's ``mallopt``: freed bytes that are kept, and bytes of an array that is always given back.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _GIVEN_BACK = (128 << 20, 32 << 20), (64 << 10, 128 << 10)

T = TypeVar("T")


def read_versions() -> dict[str, str]:
    """Return the versions of this process that have to be the same in all processes of a run, by name."""
    return {
        "TerraSpore": __version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "NumPy": np.__version__,
        "Dask distributed": version("distributed"),
    }


def describe_for_others(view: PixelView) -> SourceSpec:
    """Return the description of ``view`` with absolute paths, because other processes have other working folders."""
    spec = view.spec
    return replace(spec, images=tuple(replace(image, path=image.path.absolute()) for image in spec.images))


@dataclass(frozen=True)
class WorkerJob:
    """What all workers of a run need. Picklable.

    Attributes:
        name: of the run, unique on its scheduler.
        view: the pixels.
        plan: the tiles.
        card: of the model.
        weights: where the model's weights are on the machine that began the run.
        sha256: of the weights.
        runtime: device, runtime, precision and threads.
        tta: whether to average over the symmetries of the square.
        network_factory: makes MindSpore networks; None where there is no training package.
    """

    name: str
    view: SourceSpec
    plan: TilePlan
    card: ModelCard
    weights: Path
    sha256: str
    runtime: RuntimeOptions
    tta: bool
    network_factory: NetworkFactory | None

    def find_model(self) -> Model:
        """Return the model with the weights of this machine: under the same path, or an installed one of its name.

        Raises:
            ClusterError: there is none with the same weights.
        """
        if self._has_weights(self.weights):
            return Model(self.card, self.weights, self.sha256)
        try:
            installed = find_model(self.card.name)
        except ModelError:
            installed = None
        if installed is None or installed.sha256 != self.sha256:
            raise ClusterError(
                f"The model {self.card.name} is not there: neither {self.weights} nor an installed model of that name "
                f"has the weights with the SHA-256 {self.sha256[:12]}...",
                "Install it there, or give --model a path that all workers see.",
            )
        return replace(installed, card=self.card)

    def _has_weights(self, path: Path) -> bool:
        try:
            return compute_sha256(path, MAX_CHECKPOINT_BYTES, ModelError) == self.sha256
        except ModelError:
            return False


@dataclass(frozen=True)
class WorkerReport:
    """What a worker has opened.

    Attributes:
        runtime: name of the runtime.
        version: of the runtime.
        device: name of the device.
        precision: the type it computes in.
        reason: why these were chosen.
        batch: tiles with which a tile takes the least time.
        seconds: estimated for all tiles of the run, were they computed by this worker; None for few tiles.
        memory: estimated peak of its process, bytes.
    """

    runtime: str
    version: str
    device: str
    precision: str
    reason: str
    batch: int
    seconds: float | None
    memory: int


@dataclass(frozen=True)
class BlockOutcome:
    """A block whose file is complete.

    Attributes:
        index: the block.
        empty: its tiles without a valid pixel.
        seconds: in the network.
        is_computed: False where the file was there already.
    """

    index: BlockIndex
    empty: int
    seconds: float = 0.0
    is_computed: bool = True


@dataclass(frozen=True)
class _Opened:
    view: PixelView
    session: Session
    reason: str
    predict_stream: PredictStream

    def make_job(self, job: WorkerJob, batch: int) -> InferenceJob:
        return InferenceJob(self.view, job.plan, job.card.bands, len(job.card.classes), batch)


class BlockWorker(WorkerPlugin):
    """Computes blocks of one run on a worker; a plugin of Dask, which sets it up on new workers, too.

    Image and session are opened by the first task and used in one thread only, also where Dask runs several tasks on
    the worker at a time: the others wait.

    Args:
        job: the run.
    """

    def __init__(self, job: WorkerJob) -> None:
        self.name, self._job = job.name, job

    def setup(self, worker: Worker) -> None:
        """Prepare to open image and session; called by Dask."""
        self._worker = worker
        self._opened: _Opened | None = None
        self._resources = ExitStack()
        self._running: dict[str, Cancellation] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=self.name)

    def teardown(self, worker: Worker) -> None:
        """Cancel what is running and close image and session; called by Dask."""
        for cancellation in tuple(self._running.values()):
            cancellation.cancel()
        self._executor.submit(self._close)
        self._executor.shutdown(wait=False)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Cancel a running block that Dask wants no more, because a thread cannot be stopped; called by Dask."""
        cancellation = self._running.get(key)
        if cancellation is not None and finish in ("cancelled", "released", "forgotten"):
            cancellation.cancel()

    @property
    def threads(self) -> int:
        """As many threads as Dask gave this worker, because others may share the machine."""
        return self._worker.state.nthreads

    def call(self, method: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        """Call one of the following methods in the thread of the session; its last argument is what cancels it."""
        key, cancellation = str(self._worker.get_current_task()), Cancellation()
        self._running[key] = cancellation
        try:
            return self._executor.submit(method, self, *arguments, cancellation).result()
        finally:
            self._running.pop(key, None)

    def inspect(self, _cancellation: Cancellation) -> WorkerReport:
        """Open image and session, and report them."""
        opened, job = self._open(), self._job
        session, batch = opened.session, max(1, opened.session.batch)
        inference = opened.make_job(job, batch)
        side = make_plan(_BLOCK_SIDE, _BLOCK_SIDE, job.plan.tile, job.plan.overlap)
        seconds = estimate_seconds(inference, opened.predict_stream, job.plan.count, time.perf_counter)
        facts = (session.runtime, session.version, session.device, session.precision, opened.reason)
        return WorkerReport(*facts, batch, seconds, estimate_memory(replace(inference, plan=side)))

    def compute(self, store: BlockStore, batch: int, index: BlockIndex, cancellation: Cancellation) -> BlockOutcome:
        """Compute a block unless its file is complete already.

        Args:
            store: receives the file.
            batch: tiles in one call of the network, the same on all workers.
            index: the block.
            cancellation: of the task.
        """
        self._check_folder(store)
        empty = store.check(index)
        if empty is not None:
            return BlockOutcome(index, empty, is_computed=False)
        opened, block = self._open(), store.layout.block(index)
        tracker = ProgressTracker(len(block.rows) * len(block.columns), 0, 0, RunContext())
        job, predict_stream = opened.make_job(self._job, batch), tracker.timed(opened.predict_stream)
        try:
            with closing(compute_block_rows(job, block, predict_stream, cancellation)) as rows:
                empty = store.write(index, rows)
        except (Cancelled, UserError):
            raise
        except BaseException:
            self._close()  # it may be the session which failed
            raise
        return BlockOutcome(index, empty, tracker.statistics().inference)

    def vectorize(self, partitions: RoadPartitions, number: int, cancellation: Cancellation) -> None:
        """Vectorize a partition of roads; ``number`` is that of the partition."""
        self.run_step(partitions.store, partial(partitions.vectorize, number, self.threads), cancellation)

    def run_step(self, store: BlockStore, step: Callable[[Cancellation], None], cancellation: Cancellation) -> None:
        """Make a step of a partition.

        Args:
            store: the blocks of the run, which are complete.
            step: makes the partition's file, unless it is complete already.
            cancellation: of the task.
        """
        self._close()  # all blocks are there, and a partition needs the memory
        self._check_folder(store)
        step(cancellation)

    def _check_folder(self, store: BlockStore) -> None:
        """Raise ``ClusterError`` where this machine does not see the folder of the run."""
        try:
            is_shared = (store.folder / RUN_MARK).read_text(encoding="ascii") == store.fingerprint
        except OSError:
            is_shared = False
        if not is_shared:
            raise ClusterError(
                f"{store.folder.parent}, the folder of the output, is another one there.",
                "Write to a folder that all workers share under the same path.",
            )

    def _open(self) -> _Opened:
        if self._opened is None:
            job = self._job
            keep_freed_memory(True)
            with ExitStack() as stack:
                view = stack.enter_context(open_view(job.view))
                model = job.find_model()
                runtime = replace(job.runtime, threads=job.runtime.threads or self.threads)
                pool = SessionPool(cache=default_cache_folder(), network_factory=job.network_factory)
                session, reason = stack.enter_context(pool.open(model, runtime, job.plan.tile))
                predict_stream = make_predict_stream(session, model.card, job.tta)
                self._resources = stack.pop_all()
            self._opened = _Opened(view, session, reason, predict_stream)
        return self._opened

    def _close(self) -> None:
        self._opened = None
        self._resources.close()
        keep_freed_memory(False)


def call_worker(name: str, method: Callable[..., T], *arguments: Any) -> T | UserError:
    """Task: call a method of ``BlockWorker`` for the run ``name``.

    An error that trying again would not help is returned.
    """
    worker = get_worker()
    plugin = worker.plugins[name]
    assert isinstance(plugin, BlockWorker)
    try:
        return plugin.call(method, arguments)
    except UserError as error:
        text = error.text[0].lower() + error.text[1:] if error.text.startswith(("The ", "There ")) else error.text
        return type(error)(f"On the worker {worker.address}, {text}", error.hint)


def keep_freed_memory(is_kept: bool) -> None:
    """Have glibc use freed memory again, or give it back at once.

    Dask's nanny has it given back by all its workers; then the system clears the pages of each array anew, which takes
    as long as the computing of a small network. It is right for work whose arrays are large and of many sizes, for
    which glibc without a nanny would raise its own thresholds on the way.
    """
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if library is None or not hasattr(library, "mallopt"):
        return
    trim, mmap = _KEPT if is_kept else _GIVEN_BACK
    library.mallopt(_MMAP_THRESHOLD, mmap)
    library.mallopt(_TRIM_THRESHOLD, trim)
    if not is_kept:
        library.malloc_trim(0)
