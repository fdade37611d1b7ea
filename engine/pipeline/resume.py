"""Long runs that can go on where they were broken off: the journal as the pipeline sees it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

import numpy as np

from ...__about__ import __version__
from ..context import Cancellation, Reporter, RunContext
from ..errors import Cancelled, ResumeError, SourceChangedError, UserError
from ..fs.atomic import cleanup_on_abort, translate_os_error
from ..fs.journal import (
    Fingerprint,
    Journal,
    JournalHeader,
    JournalWriter,
    create_journal,
    read_journal,
    read_row,
    remove_journal,
)
from ..fs.regular_file import FileIdentity
from ..fs.spool import compress_buffers, decompress_buffers
from ..protocol.messages import Message
from ..raster.dataset import Source
from ..raster.probability import UInt8Array
from ..tiling.layout import TilePlan
from .plan import InferenceRun
from .request import ImageRequest
from .sinks import OutputSink

#: Side files that viewers write at will; what of them counts (place, nodata, bands) is among the settings.
_NOT_PIXELS = (".aux.xml",)


def make_fingerprint(run: InferenceRun, request: ImageRequest, rasters: Mapping[str, str]) -> Fingerprint:
    """The fingerprint of a run that is about to start.

    Args:
        run: image, model and parameters as they were understood.
        request: as they were asked for.
        rasters: further settings: which rasters are written, and how.
    """
    source, view = run.work.view.source, run.work.view
    others = [*_parts(source), *([request.area] if request.area is not None else [])]
    settings = {
        "model": run.model.sha256,
        "model's card": _digest(repr(run.model.card)),
        "runtime": _with_version(run.session.runtime),
        "device": run.session.device,
        "precision": run.session.precision,
        "number of threads": str(request.runtime.threads or f"all {os.cpu_count()}"),
        "limit of memory": "none" if request.memory is None else f"{request.memory} MB",  # decides the batch
        "image in the file": str(source.dataset.name),
        "bands": ",".join(map(str, view.bands.indices)),
        "stretch": "none" if view.stretch is None else repr((view.stretch.low, view.stretch.high)),
        "nodata": str(source.dataset.nodata),
        "size in pixels": f"{view.grid.width} x {view.grid.height}",
        "place": ", ".join(f"{number!r}" for number in tuple(view.grid.transform)[:6]),
        "coordinate system": _digest(view.grid.crs.to_wkt()) if view.grid.crs else "none",
        "tile": str(run.work.plan.tile),
        "overlap": str(run.work.plan.overlap),
        "augmentation": "eight symmetries" if request.tta else "none",
        **rasters,
    }
    return Fingerprint(__version__, (source.identity, *_identities(others)), settings)


def _parts(source: Source) -> list[Path]:
    """The files beside the image itself that its dataset consists of, as those of a virtual raster."""
    files = {Path(_absolute(Path(name))) for name in source.dataset.files}
    own = Path(_absolute(source.path))
    return sorted(file for file in files if file != own and not file.name.endswith(_NOT_PIXELS))


def _identities(files: Iterable[Path]) -> list[FileIdentity]:
    return [FileIdentity.from_path(file) for file in files if file.is_file()]


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (links stay as they were given)


def _with_version(runtime: str) -> str:
    """The runtime and its version, where it is a package: another version can compute other last bits."""
    try:
        return f"{runtime} {metadata.version(runtime)}"
    except metadata.PackageNotFoundError:
        return runtime


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


#: A run of fewer tiles, or of one row of them, is over before a journal would be of use.
TILES_WORTH_A_JOURNAL = 40


class RowJournal:
    """Finished rows of tiles of one run: what an earlier sitting left, and what this one adds.

    Args:
        output: the output that the journal stands beside.
        journal: what is there already.
    """

    def __init__(self, output: Path, journal: Journal) -> None:
        self._output, self._journal = output, journal
        self._writer: JournalWriter | None = None
        self.batch = journal.header.batch

    @property
    def fraction(self) -> float:
        """Share of the run that would survive a crash now, 0 to 1."""
        count = len(self._journal.records) if self._writer is None else self._writer.count
        return count / self._journal.header.rows

    def replay(self, plan: TilePlan, products: Sequence[OutputSink], cancellation: Cancellation) -> tuple[int, int]:
        """Write the rows that are there to ``products``, up to the first that is damaged.

        Returns:
            The row of tiles to go on with, and how many tiles before it were empty.
        """
        rows = empty = 0
        with _disk_errors(self._output):
            for record in self._journal.records:
                cancellation.check()
                pieces = self._pieces(rows, plan, products)
                if pieces is None:
                    break
                for product, piece in zip(products, pieces, strict=True):
                    product.write(piece)
                rows, empty = rows + 1, empty + record.empty
            self._writer = JournalWriter(self._journal, rows)
        return rows, empty

    def append(self, row: int, rows: Sequence[UInt8Array], empty: int) -> None:
        """Keep the rows of all products of row of tiles ``row``."""
        assert self._writer is not None, "rows that are there are replayed first"
        share = (row + 1) / self._journal.header.rows
        with _disk_errors(self._output, int(self._writer.size / share)):
            self._writer.append(row, compress_buffers([np.ascontiguousarray(part).data for part in rows]), empty)

    def commit(self) -> None:
        """Make everything that was appended survive a crash."""
        if self._writer is not None:
            with _disk_errors(self._output):
                self._writer.commit()

    def close(self) -> None:
        """Close the files; what is in them stays."""
        if self._writer is not None:
            self._writer.close()

    def _pieces(self, row: int, plan: TilePlan, products: Sequence[OutputSink]) -> list[UInt8Array] | None:
        """The rows of each product of a finished row of tiles; None where they are damaged."""
        first, end = plan.rows.finalized_range(row)
        shapes = [(product.bands, end - first, plan.columns.length) for product in products]
        sizes = [bands * rows * columns for bands, rows, columns in shapes]
        data = read_row(self._journal, self._journal.records[row])
        parts = None if data is None else decompress_buffers(data, sizes)
        if parts is None:
            return None
        return [np.frombuffer(part, np.uint8).reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@contextmanager
def open_journal(
    run: InferenceRun,
    fingerprint: Fingerprint,
    output: Path,
    *,
    resume: bool,
    context: RunContext,
) -> Iterator[RowJournal | None]:
    """Keep the finished rows of a long run until its outputs are there.

    The journal goes when the block ends well or is cancelled. It stays where the block fails, and where the run is
    stopped only because nobody waits for it any more.

    Args:
        run: what is to be computed.
        fingerprint: of the run.
        output: the output that the journal stands beside.
        resume: go on from a journal that is there; else it is removed.
        context: receives progress and messages; checked for cancellation.

    Yields:
        The log for ``run_inference``; None where the run is too short for one.

    Raises:
        ResumeError: the journal is of another image, model, parameters or version.
        OutputError: the journal cannot be written.
    """
    plan = run.work.plan
    journal = _found(output, fingerprint, resume, context.reporter)
    with _disk_errors(output):
        if journal is None:
            remove_journal(output)
            if plan.count >= TILES_WORTH_A_JOURNAL and plan.rows.count > 1:
                journal = create_journal(
                    output, JournalHeader(output.name, fingerprint, plan.rows.count, run.work.batch)
                )
    if journal is None:
        yield None
        return
    log = RowJournal(output, journal)
    run.session.batch = log.batch  # runtimes that cut calls into batches of their own keep to the journal's, too
    with _removed_at_the_end(log, output, context):
        yield log


@contextmanager
def _removed_at_the_end(log: RowJournal, output: Path, context: RunContext) -> Iterator[None]:
    def remove() -> None:
        """Remove the journal."""
        log.close()
        remove_journal(output)

    def end() -> None:  # the process is about to end; a row more or less does not matter
        """Remove the journal, unless the run is to be continued."""
        if not context.cancellation.abandoned:
            remove()

    with cleanup_on_abort(end):
        try:
            yield
        except BaseException as error:
            with suppress(OSError, UserError):
                log.commit()
            unwanted = isinstance(error, Cancelled | KeyboardInterrupt) and not context.cancellation.abandoned
            if unwanted or isinstance(error, SourceChangedError) or not log.fraction:
                with suppress(OSError):
                    remove()
            else:
                log.close()
                if not context.cancellation.abandoned:
                    part = f"{log.fraction:.0%} of the run is finished and kept"
                    context.report(Message(f"{part}; the same command with --resume goes on from there."))
            raise
        with _disk_errors(output):
            remove()


def _found(output: Path, now: Fingerprint, resume: bool, reporter: Reporter) -> Journal | None:
    """The journal to go on from, if there is one and it is wanted."""
    journal = read_journal(output)
    if journal is None or not journal.records:
        if resume:
            reporter.emit(Message(f"There is nothing to resume for {output.name}; the run starts at the beginning."))
        return None
    date = journal.header.started.replace("T", " ")[:16]
    part = f"{journal.fraction():.0%}"
    if not resume:
        text = f"An unfinished run of {output.name} ({part} of it, begun on {date} UTC) is removed;"
        reporter.emit(Message(f"{text} with --resume it would have gone on."))
        return None
    change = journal.header.fingerprint.describe_change(now)
    if change is not None:
        raise ResumeError(
            f"The run of {output} that was begun on {date} UTC cannot be resumed: {change}.",
            "Put that back, or leave out --resume to start anew.",
        )
    reporter.emit(Message(f"The run of {output.name} that was begun on {date} UTC goes on at {part}."))
    return journal


@contextmanager
def _disk_errors(output: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Errors of the system while the journal of ``output`` is read or written, as sentences."""
    try:
        yield
    except OSError as error:
        raise translate_os_error(error, output, needed_bytes) from error
