"""The journal of a long run: finished rows of tiles on the disk, so that a run that was killed can be resumed.

A journal is a hidden folder next to the output with two files. ``rows`` holds the finished rows of all rasters of the
run, one chunk for each row of tiles (compressed, see ``spool``). ``journal`` is text: the first line identifies the run
(its fingerprint), each further line a finished row of tiles. A line begins with its own checksum and is written only
after its chunk was flushed to the disk, so a row with a line is complete:

    5f1e02aa {"format": 2, "version": "0.4", "files": [...], "settings": {...}, "output": "roads.gpkg", "rows": 23, ...}
    09d3c6b1 {"row": 0, "start": 0, "length": 48213, "checksum": 2853021, "empty": 4}

Flushing is expensive, so lines are held back until the time since the last flush is ``_FLUSH_PAUSE_FACTOR`` times its
duration. Journaling therefore takes about 1 % of a run on any disk, and a fast disk loses less in a crash.

Standard library only, Python 3.9: the QGIS plugin imports this module to find unfinished runs.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import OutputError, shorten
from .atomic import remove_stale_temp_files
from .lock import is_locked, lock_paths
from .paths import hidden_path, is_same_owner
from .regular_file import FileIdentity

FORMAT = 3
#: Files of a journal; the last one lists the outputs that are being renamed at the end of the run.
JOURNAL, ROWS, OUTPUTS = "journal", "rows", "outputs"
BLOCKS = "blocks"  # folder in that of a journal: finished blocks of a run on several machines
#: Minimum time between two flushes, as a multiple of the duration of one.
_FLUSH_PAUSE_FACTOR = 100
#: A longer file is not a journal: a row of tiles takes 100 bytes.
_MAX_JOURNAL_BYTES = 64 << 20


@dataclass(frozen=True)
class Fingerprint:
    """Everything that determines the pixels of a run's rasters.

    Attributes:
        version: version of TerraSpore.
        files: the image first, then the other files that it consists of or that the run reads.
        settings: values by the name that a person would use: hash of the model, runtime, tile, ...
    """

    version: str
    files: tuple[FileIdentity, ...]
    settings: Mapping[str, str]

    def describe_change(self, now: Fingerprint) -> str | None:
        """Describe the first difference of ``now`` ("the tile is 128, not 64"); None if there is none."""
        if now.version != self.version:
            return f"TerraSpore is {now.version}, not {self.version}"
        for before, after in zip(self.files, now.files):
            if before.path != after.path:
                return f"the file is {after.path}, not {before.path}"
            if before != after:
                return f"{after.path} was changed"
        if len(self.files) != len(now.files):
            return f"{self.files[0].path} consists of other files"
        for name in sorted({*self.settings, *now.settings}):
            values = [settings.get(name, "none") for settings in (now.settings, self.settings)]
            if values[0] != values[1]:
                return f"the {name} is {shorten(values[0])}, not {shorten(values[1])}"
        return None


@dataclass(frozen=True)
class JournalHeader:
    """Identification of the run that a journal belongs to.

    Attributes:
        output: name of the output.
        fingerprint: what determines the rows.
        rows: number of rows of tiles of the whole run.
        batch: tiles per call of the network; kept when resuming, because it can change the last bits of the results.
        started: start of the run, ISO 8601 in UTC.
    """

    output: str
    fingerprint: Fingerprint
    rows: int
    batch: int
    started: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))

    def to_line(self) -> bytes:
        """Return the first line of the journal."""
        values = asdict(self)
        return _format_line({"format": FORMAT, **values.pop("fingerprint"), **values})

    @classmethod
    def from_line(cls, line: bytes) -> JournalHeader:
        """Parse the first line of a journal; ``ValueError`` if it is damaged or of another format version."""
        values = _parse_line(line)
        try:
            if values["format"] != FORMAT:
                raise ValueError("a journal of another format version")
            files = tuple(
                FileIdentity(str(file["path"]), int(file["size"]), int(file["modified"]), int(file["inode"]))
                for file in values["files"]
            )
            settings = {str(name): str(value) for name, value in values["settings"].items()}
            fingerprint = Fingerprint(str(values["version"]), files, settings)
            rows, batch = int(values["rows"]), int(values["batch"])
            return cls(str(values["output"]), fingerprint, rows, batch, str(values["started"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("a header without some of its values") from error


@dataclass(frozen=True)
class RowRecord:
    """A finished row of tiles.

    Attributes:
        row: its index, from 0 without gaps.
        start: offset of its chunk in the file ``rows``, bytes.
        length: size of the chunk, bytes.
        checksum: CRC-32 of the chunk.
        empty: number of tiles of the row without a valid pixel.
    """

    row: int
    start: int
    length: int
    checksum: int
    empty: int

    def to_line(self) -> bytes:
        """Return the line of the journal."""
        return _format_line(asdict(self))


@dataclass(frozen=True)
class Journal:
    """A journal that was read: its header and the rows that are complete."""

    folder: Path
    header: JournalHeader
    records: tuple[RowRecord, ...]

    def fraction(self) -> float:
        """Return the share of the run that is finished, 0 to 1."""
        return len(self.records) / self.header.rows


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that ended before its output was complete and that can perhaps be resumed.

    Attributes:
        output: the output that it was writing.
        fraction: share of the inference that is finished, 0 to 1.
        date: when the journal was last written, in UTC.
        image: the image.
        changed: why it cannot be resumed ("/data/a.tif was changed"); None if no reason is known here. The engine
            compares more (the model, the runtime) and decides.
    """

    output: Path
    fraction: float
    date: datetime
    image: Path
    changed: str | None


class JournalWriter:
    """Append rows to a journal; every method raises ``OSError`` if the disk cannot be written.

    Args:
        journal: the existing journal (see ``create_journal``).
        keep: number of its rows to keep.

    Attributes:
        count: rows that would survive a crash.
        size: bytes of all rows.
    """

    def __init__(self, journal: Journal, keep: int) -> None:
        kept = journal.records[:keep]
        self.count = len(kept)
        self._pending: list[RowRecord] = []
        self.size = kept[-1].start + kept[-1].length if kept else 0
        begin = time.perf_counter()
        self._rows: BinaryIO = (journal.folder / ROWS).open("ab")
        self._rows.truncate(self.size)
        self._journal: BinaryIO = (journal.folder / JOURNAL).open("ab")
        lines = [journal.header.to_line(), *(record.to_line() for record in kept)]
        self._journal.truncate(sum(map(len, lines)))
        self._flush(self._journal)
        self._last_flush = time.perf_counter()
        self._flush_duration = self._last_flush - begin

    def append(self, row: int, buffers: Iterable[bytes | memoryview], empty: int) -> None:
        """Append the finished row of tiles ``row`` as consecutive ``buffers``; rows come in order.

        Args:
            row: its index.
            buffers: its bytes.
            empty: number of its tiles without a valid pixel.
        """
        checksum = length = 0
        for data in buffers:
            self._rows.write(data)
            checksum, length = zlib.crc32(data, checksum), length + len(data)
        self._pending.append(RowRecord(row, self.size, length, checksum, empty))
        self.size += length
        if time.perf_counter() - self._last_flush >= _FLUSH_PAUSE_FACTOR * self._flush_duration:
            self.commit()

    def commit(self) -> None:
        """Flush all appended rows, so that they survive a crash."""
        if not self._pending:
            return
        begin = time.perf_counter()
        self._flush(self._rows)
        self._journal.write(b"".join(record.to_line() for record in self._pending))
        self._flush(self._journal)
        self.count += len(self._pending)
        self._pending = []
        self._last_flush = time.perf_counter()
        self._flush_duration = self._last_flush - begin

    def close(self) -> None:
        """Close the files without a commit."""
        for file in (self._rows, self._journal):
            with suppress(OSError):  # rows that were not committed are not used
                file.close()

    @staticmethod
    def _flush(file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())


def journal_folder(output: Path) -> Path:
    """Return the folder of the journal of ``output``."""
    return hidden_path(output, "unfinished")


def find_unfinished_run(output: Path, version: str | None = None) -> UnfinishedRun | None:
    """Return the unfinished run of ``output``; None if there is none, it is damaged, or it is still running.

    Args:
        output: the output of the command (``-o``).
        version: version of TerraSpore that would resume the run, to be compared.
    """
    journal = read_journal(output)
    if journal is None or not journal.records or is_locked(output):
        return None
    fingerprint = journal.header.fingerprint
    changed = next((f"{file.path} was changed" for file in fingerprint.files if not file.is_current()), None)
    if changed is None and version is not None and version != fingerprint.version:
        changed = f"TerraSpore is {version}, not {fingerprint.version}"
    try:
        date = datetime.fromtimestamp((journal.folder / JOURNAL).stat().st_mtime, timezone.utc)
    except (OSError, ValueError, OverflowError):
        return None
    return UnfinishedRun(output, journal.fraction(), date, Path(fingerprint.files[0].path), changed)


def remove_unfinished_run(output: Path) -> None:
    """Remove the journal and the temporary files of a run that was killed; nothing if it is still running."""
    with suppress(OSError, OutputError), lock_paths([output]):  # the lock file is removed with the lock
        remove_stale_temp_files(output)
        remove_journal(output)


def create_journal(output: Path, header: JournalHeader) -> Journal:
    """Create a journal without rows next to ``output``, replacing an existing one; ``OSError`` if it cannot be."""
    remove_journal(output)
    folder = journal_folder(output)
    folder.mkdir(0o700)
    (folder / ROWS).touch()
    (folder / JOURNAL).write_bytes(header.to_line())
    return Journal(folder, header, ())


def read_journal(output: Path) -> Journal | None:
    """Read the journal of ``output`` with its complete rows; None if there is none that can be used."""
    folder = journal_folder(output)
    try:
        _check_own_folder(folder)
        with (folder / JOURNAL).open("rb") as file:
            lines = file.read(_MAX_JOURNAL_BYTES).split(b"\n")[:-1]  # a last line without line end is not complete
        size = (folder / ROWS).stat().st_size
        header = JournalHeader.from_line(lines[0] if lines else b"")
    except (OSError, ValueError):
        return None
    if header.output != output.name or not header.fingerprint.files or header.rows < 1:
        return None
    return Journal(folder, header, tuple(_parse_records(lines[1:], header.rows, size)))


def read_row(journal: Journal, record: RowRecord) -> bytes | None:
    """Read the bytes of a finished row of tiles; None if they are not what was written.

    Raises:
        OSError: the disk cannot be read.
    """
    with (journal.folder / ROWS).open("rb") as file:
        file.seek(record.start)
        data = file.read(record.length)
    return data if len(data) == record.length and zlib.crc32(data) == record.checksum else None


def remove_journal(output: Path) -> None:
    """Remove the journal of ``output`` and finished blocks, if there are, and no other files.

    Raises:
        OSError: it cannot be removed, or is not this user's.
    """
    folder = journal_folder(output)
    with suppress(FileNotFoundError):
        _check_own_folder(folder)
        shutil.rmtree(folder / BLOCKS, ignore_errors=True)
        for name in (JOURNAL, ROWS, OUTPUTS):  # a journal without rows would be wrong; the others alone are ignored
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def note_outputs(journal: Journal, outputs: Iterable[FileIdentity]) -> None:
    """Note which outputs are about to get their names, so that a resumed run may replace them.

    Raises:
        OSError: the disk cannot be written.
    """
    with (journal.folder / OUTPUTS).open("wb") as file:
        file.write(b"".join(_format_line(asdict(identity)) for identity in outputs))
        JournalWriter._flush(file)


def read_noted_outputs(output: Path) -> list[FileIdentity]:
    """Return the files that the unfinished run of ``output`` has given their names; empty if there is none."""
    journal = read_journal(output)
    try:
        lines = b"" if journal is None else (journal.folder / OUTPUTS).read_bytes()
        return [FileIdentity(**_parse_line(line)) for line in lines.splitlines()]
    except (OSError, ValueError, TypeError):
        return []


def check_journal_folder(output: Path) -> None:
    """Raise ``OSError`` if there is something at the place of the journal of ``output`` that is no journal's folder."""
    with suppress(FileNotFoundError):
        _check_own_folder(journal_folder(output))


def _check_own_folder(folder: Path) -> None:
    """Raise ``OSError`` if ``folder`` is a link or was made by another user, who could have guessed its name."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or not is_same_owner(status, folder.parent):
        raise OSError(f"{folder} is a link, or was made by another user; remove it")


def _format_line(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse_line(line: bytes) -> dict[str, Any]:
    """Parse a line; ``ValueError`` if it is not as it was written."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError("a line of the journal is damaged")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("a line of the journal is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("a line of the journal is not an object")
    return values


def _parse_records(lines: Sequence[bytes], rows: int, size: int) -> Iterable[RowRecord]:
    """Yield the records up to the first that is damaged, out of order, or beyond the ``size`` of the file ``rows``."""
    end = 0
    for index, line in enumerate(lines[:rows]):
        try:
            record = RowRecord(**_parse_line(line))
        except (ValueError, TypeError):
            return
        if not all(type(value) is int for value in asdict(record).values()):
            return
        if record.row != index or record.start != end or record.length < 0 or end + record.length > size:
            return
        end += record.length
        yield record
