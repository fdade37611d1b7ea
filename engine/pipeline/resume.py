"""Continue interrupted runs: the fingerprint of a run, and the journal of its finished rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ...__about__ import __version__
from ..context import Cancellation, RunContext
from ..errors import Cancelled, ResumeError, SourceChangedError, UserError
from ..fs.atomic import cleanup_on_abort, translate_os_errors
from ..fs.journal import (
    BLOCKS,
    Fingerprint,
    Journal,
    JournalHeader,
    JournalWriter,
    create_journal,
    note_outputs,
    read_journal,
    read_row,
    remove_journal,
)
from ..fs.regular_file import FileIdentity
from ..fs.spool import UInt8Array, compress_buffers, decompress_buffers
from ..protocol.messages import Message
from ..tiling import TilePlan
from .job import PlannedRun
from .request import ImageRequest
from .run_outputs import OutputSink

#: Runs with fewer tiles, or with a single row of them, are over before a journal would be useful.
TILES_WORTH_A_JOURNAL = 40


def make_fingerprint(run: PlannedRun, request: ImageRequest, rasters: Mapping[str, str]) -> Fingerprint:
    """Return everything that decides the pixels of a run.

    Args:
        run: the opened image and model.
        request: image, model and their options.
        rasters: further settings: which rasters are written, and how.
    """
    plan, session, spec = run.job.plan, run.session, run.job.view.spec
    grid, memory = spec.grid, request.options.memory
    first = spec.images[0]
    settings = {
        "model": run.model.sha256,
        "model's card": _digest(repr(run.model.card)),
        "runtime": f"{session.runtime} {session.version}",  # another version can compute other last bits
        "device": session.device,
        "precision": session.precision,
        "number of threads": str(request.runtime.threads or f"all {os.cpu_count()}"),
        "limit of memory": "none" if memory is None else f"{memory} MB",  # decides the batch
        "image in the file": first.address,
        "bands": first.bands_text,
        "stretch (--keep-contrast)": "none" if first.stretch is None else repr((first.stretch.low, first.stretch.high)),
        "nodata": first.nodata,
        "bands of data": ",".join(map(str, first.data_bands)),
        "size in pixels": f"{grid.width} x {grid.height}",
        "place": ", ".join(f"{number!r}" for number in tuple(grid.transform)[:6]),
        "coordinate system": _digest(grid.crs.to_wkt()) if grid.crs else "none",
        "layer of the area": request.options.area_layer or "the first",
        "tile": str(plan.tile),
        "overlap": str(plan.overlap),
        "augmentation": "eight symmetries" if request.options.tta else "none",
        **rasters,
    }
    if len(spec.images) > 1:
        images = [(image.bands, image.stretch, image.tags, image.nodata, image.placement) for image in spec.images]
        settings["reading of the images"] = _digest(repr(images))
    area = request.options.area
    files = spec.files if area is None or not area.is_file() else (*spec.files, FileIdentity.from_path(area))
    return Fingerprint(__version__, files, settings)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class RowJournal:
    """Finished rows of tiles of one run: those of the interrupted run, and those that are added.

    Args:
        output: the output that the journal is stored beside.
        journal: the rows that are there already.

    Attributes:
        batch: tiles in one call of the network, for the whole run.
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

    def replay(self, plan: TilePlan, sinks: Sequence[OutputSink], cancellation: Cancellation) -> tuple[int, int]:
        """Write the stored rows to ``sinks``, up to the first that is damaged.

        Returns:
            The row of tiles to continue with, and how many tiles before it were empty.
        """
        row = empty = 0
        with translate_os_errors(self._output):
            for record in self._journal.records:
                cancellation.check()
                first, end = plan.rows.finalized_range(row)
                shapes = [(sink.bands, end - first, plan.columns.length) for sink in sinks]
                data = read_row(self._journal, record)
                parts = None if data is None else decompress_buffers(data, [int(np.prod(shape)) for shape in shapes])
                if parts is None:
                    break
                for sink, part, shape in zip(sinks, parts, shapes, strict=True):
                    sink.write(np.frombuffer(part, np.uint8).reshape(shape))
                row, empty = row + 1, empty + record.empty
            self._writer = JournalWriter(self._journal, row)
        return row, empty

    def append(self, row: int, rows: Sequence[UInt8Array], empty: int) -> None:
        """Store the rows of all sinks of row of tiles ``row``, of which ``empty`` tiles were empty."""
        assert self._writer is not None, "stored rows are replayed first"
        share = (row + 1) / self._journal.header.rows
        with translate_os_errors(self._output, int(self._writer.size / share)):
            self._writer.append(row, compress_buffers([np.ascontiguousarray(part).data for part in rows]), empty)

    def commit(self) -> None:
        """Flush everything that was appended, so that it survives a crash."""
        if self._writer is not None:
            with translate_os_errors(self._output):
                self._writer.commit()

    def note_outputs(self, outputs: Sequence[FileIdentity]) -> None:
        """Note the outputs that are about to get their names, so that a resumed run may replace them."""
        with translate_os_errors(self._output):
            note_outputs(self._journal, outputs)

    def close(self) -> None:
        """Close the files; their content stays."""
        if self._writer is not None:
            self._writer.close()

    def remove(self) -> None:
        """Close and remove the files.

        Raises:
            OSError: they cannot be removed.
        """
        self.close()
        remove_journal(self._output)


@contextmanager
def open_journal(
    run: PlannedRun, fingerprint: Fingerprint, output: Path, *, resume: bool, context: RunContext
) -> Iterator[RowJournal | None]:
    """Store the finished rows of a long run until its outputs are written.

    The journal is removed when the block ends well or is cancelled. It stays after an error, and where the run is
    stopped because the parent process ended.

    Args:
        run: the run.
        fingerprint: of the run.
        output: the output that the journal is stored beside.
        resume: continue from a journal that is there; otherwise it is removed.
        context: receives messages.

    Yields:
        The journal for ``run_inference``; None where the run is too short for one.

    Raises:
        ResumeError: the journal belongs to another image, model, options or version.
        OutputError: the journal cannot be written.
    """
    plan = run.job.plan
    found = _find_journal(output, fingerprint, resume, context)
    with translate_os_errors(output):
        if found is None:
            remove_journal(output)
            if plan.count >= TILES_WORTH_A_JOURNAL and plan.rows.count > 1:
                header = JournalHeader(output.name, fingerprint, plan.rows.count, run.job.batch)
                found = create_journal(output, header)
    if found is None:
        yield None
        return
    journal = RowJournal(output, found)

    def remove_at_abort() -> None:  # the process is about to end: no commit, a row more or less does not matter
        if not context.cancellation.abandoned:
            journal.remove()

    with cleanup_on_abort(remove_at_abort):
        try:
            yield journal
        except BaseException as error:
            _keep_or_remove(journal, error, context)
            raise
        with translate_os_errors(output):
            journal.remove()


def _keep_or_remove(journal: RowJournal, error: BaseException, context: RunContext) -> None:
    """Keep the journal of a run that failed with ``error``, unless it was cancelled or the journal is of no use."""
    abandoned = context.cancellation.abandoned
    with suppress(OSError, UserError):
        journal.commit()
    is_cancelled = isinstance(error, Cancelled | KeyboardInterrupt) and not abandoned
    if is_cancelled or isinstance(error, SourceChangedError) or not journal.fraction:
        with suppress(OSError):
            journal.remove()
        return
    journal.close()
    if not abandoned:
        share = f"{journal.fraction:.0%} of the run is finished and kept"
        context.report(Message(f"{share}; the same command with --resume goes on from there."))


def _find_journal(output: Path, current: Fingerprint, resume: bool, context: RunContext) -> Journal | None:
    """Return the journal to continue from, if there is one and it is wanted."""
    journal = read_journal(output)
    if journal is not None and (journal.folder / BLOCKS).is_dir():
        text = f"The unfinished run of {output.name}, begun on {journal.header.started[:10]}, ran with --cluster"
        if resume:
            raise ResumeError(f"{text}.", "Add --cluster to go on with it, or leave out --resume to start anew.")
        context.report(Message(f"{text}; it is removed."))
        return None
    if journal is None or not journal.records:
        if resume:
            report_nothing(output, context)
        return None
    date, share = format_start(journal.header), f"{journal.fraction():.0%}"
    if not resume:
        text = f"An unfinished run of {output.name} ({share} of it, begun on {date} UTC) is removed;"
        context.report(Message(f"{text} with --resume it would have gone on."))
        return None
    check_same_run(output, journal.header, current)
    context.report(Message(f"The run of {output.name} that was begun on {date} UTC goes on at {share}."))
    return journal


def format_start(header: JournalHeader) -> str:
    """Return when a run began, for messages."""
    return header.started.replace("T", " ")[:16]


def report_nothing(output: Path, context: RunContext) -> None:
    """Report that there is no run to resume."""
    context.report(Message(f"There is nothing to resume for {output.name}; the run starts at the beginning."))


def check_same_run(output: Path, header: JournalHeader, current: Fingerprint) -> None:
    """Raise ``ResumeError`` where the run with ``header`` has not the fingerprint ``current``."""
    change = header.fingerprint.describe_change(current)
    if change is not None:
        raise ResumeError(
            f"The run of {output} that was begun on {format_start(header)} UTC cannot be resumed: {change}.",
            "Put that back, or leave out --resume to start anew.",
        )
