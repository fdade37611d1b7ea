"""The folder of a run on a cluster: its header, and the files of its finished blocks, beside the output.

It is the folder of the run's journal (``fs.journal``), without rows and with the blocks in a folder of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..context import RunContext
from ..errors import ResumeError
from ..fs.atomic import translate_os_errors
from ..fs.journal import BLOCKS, Fingerprint, Journal, JournalHeader, create_journal, read_journal, remove_journal
from ..pipeline.block_layout import BlockLayout
from ..pipeline.block_store import BlockStore
from ..pipeline.resume import check_same_run, format_start, report_nothing
from ..pipeline.run_outputs import Encoder
from ..protocol.messages import Message
from .worker import RUN_MARK

#: The setting of the fingerprint with the division into blocks, which a resumed run keeps.
_DIVISION = "tiles of a block"
_DIVISION_FORM = re.compile(r"([1-9]\d*) x ([1-9]\d*)")


def open_run_folder(
    output: Path, fingerprint: Fingerprint, layout: BlockLayout, batch: int, *, resume: bool, context: RunContext
) -> tuple[Journal, BlockLayout]:
    """Create the folder of a run, or continue with the one that is there.

    Args:
        output: the output that it is beside.
        fingerprint: of the run.
        layout: division into blocks of a new run.
        batch: tiles in one call of the network.
        resume: continue, where there is an unfinished run; otherwise it is removed.
        context: receives messages.

    Returns:
        The journal, whose header has the batch of the run, and the division of the run.

    Raises:
        ResumeError: the unfinished run is of another image, model, options or version.
        OutputError: the folder cannot be written.
    """
    found = _find_run(output, fingerprint, layout, resume, context)
    with translate_os_errors(output):
        if found is not None:
            journal, layout = found
        else:
            fingerprint = _add_division(fingerprint, layout)
            journal = create_journal(output, JournalHeader(output.name, fingerprint, layout.plan.rows.count, batch))
            (journal.folder / BLOCKS).mkdir()
        (journal.folder / BLOCKS / RUN_MARK).write_text(digest_header(journal.header), encoding="ascii")
    return journal, layout


def make_store(
    journal: Journal, layout: BlockLayout, classes: int, encoders: Sequence[Encoder], output: Path
) -> BlockStore:
    """Return the store of the blocks of a run."""
    folder = (journal.folder / BLOCKS).absolute()
    return BlockStore(folder, layout, classes, tuple(encoders), digest_header(journal.header), output)


def digest_header(header: JournalHeader) -> str:
    """Return the fingerprint that marks the files of a run's blocks."""
    return hashlib.sha256(header.to_line()).hexdigest()


def _add_division(fingerprint: Fingerprint, layout: BlockLayout) -> Fingerprint:
    return replace(fingerprint, settings={**fingerprint.settings, _DIVISION: f"{layout.rows} x {layout.columns}"})


def _find_run(
    output: Path, current: Fingerprint, layout: BlockLayout, resume: bool, context: RunContext
) -> tuple[Journal, BlockLayout] | None:
    """Return the run to continue and its division; None where a new one begins."""
    journal = read_journal(output)
    division = journal and _DIVISION_FORM.fullmatch(journal.header.fingerprint.settings.get(_DIVISION, ""))
    if journal is None or not (division or journal.records):
        if resume:
            report_nothing(output, context)
        return None
    date = format_start(journal.header)
    if not resume:
        text = f"An unfinished run of {output.name}, begun on {date} UTC, is removed;"
        context.report(Message(f"{text} with --resume it would have gone on."))
        with translate_os_errors(output):
            remove_journal(output)
        return None
    if not division:
        raise ResumeError(
            f"The run of {output} that was begun on {date} UTC did not run on a cluster.",
            "Leave out --cluster to go on with it, or --resume to start anew.",
        )
    layout = replace(layout, rows=int(division[1]), columns=int(division[2]))
    check_same_run(output, journal.header, _add_division(current, layout))
    return journal, layout
