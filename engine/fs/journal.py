"""The journal of a long run: finished rows of tiles on the disk, so that a run that was killed can go on.

A journal is a hidden folder beside the output, with two files. ``rows`` holds the finished rows of all rasters of
the run, one piece a row of tiles, as they were given (see ``packing``). ``journal`` is text: the first line says of
what run the rows are (the fingerprint), every further one tells of a finished row of tiles. A line begins with its own
checksum and is written only after the piece that it tells of was flushed to the disk, so that what has a line is
complete:

    5f1e02aa {"format": 2, "output": "roads.gpkg", "files": [...], "settings": {...}, "rows": 23, ...}
    09d3c6b1 {"row": 0, "start": 0, "length": 48213, "checksum": 2853021, "empty": 4}

Flushing is what costs: lines are kept back until the time since the last flush is ``_PATIENCE`` times what that flush
took. So journalling takes about 1 % of a run on any disk, and a quick disk loses less at a crash.

The standard library alone: the QGIS plugin imports this module to ask about unfinished runs.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import OutputError
from .atomic import remove_stale_temp_files
from .lock import is_locked, lock_paths
from .paths import hidden_path
from .regular_file import FileIdentity

FORMAT = 2
JOURNAL, ROWS = "journal", "rows"
#: The time between two flushes is at least this many times the duration of one.
_PATIENCE = 100
#: A journal of more bytes is none of ours: 100 bytes a row of tiles.
_LARGEST_JOURNAL = 64 << 20


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides the pixels of a run's rasters.

    Attributes:
        version: of the program.
        files: the image first, then further files that it or the run consists of.
        settings: name of a setting, as a person calls it, to its value: hash of the model, runtime, tile, ...
    """

    version: str
    files: tuple[FileIdentity, ...]
    settings: Mapping[str, str]

    def describe_change(self, now: Fingerprint) -> str | None:
        """What is another in ``now``, in words ("the tile is 128, not 64"); None where all is the same."""
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
            before_text, after_text = self.settings.get(name, "none"), now.settings.get(name, "none")
            if before_text != after_text:
                return f"the {name} is {_short(after_text)}, not {_short(before_text)}"
        return None


@dataclass(frozen=True)
class JournalHeader:
    """Of what run a journal is.

    Attributes:
        output: name of the output that it stands beside.
        fingerprint: what decides the rows.
        rows: rows of tiles of the whole run.
        batch: tiles in one call of the network; a resumed run keeps it, because a batch can decide last bits.
        started: when the run began, ISO 8601 in UTC.
    """

    output: str
    fingerprint: Fingerprint
    rows: int
    batch: int
    started: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))


@dataclass(frozen=True)
class RowRecord:
    """A finished row of tiles.

    Attributes:
        row: its number, from 0 without gaps.
        start: where its piece begins in the file ``rows``, in bytes.
        length: bytes of the piece.
        checksum: CRC-32 of these bytes.
        empty: tiles of the row that had no valid pixel.
    """

    row: int
    start: int
    length: int
    checksum: int
    empty: int


def header_line(header: JournalHeader) -> bytes:
    """The first line of a journal."""
    return _line(_header_values(header))


def record_line(record: RowRecord) -> bytes:
    """The line of a finished row of tiles."""
    return _line(asdict(record))


def _line(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(line: bytes) -> dict[str, Any]:
    """The values of a line; ``ValueError`` where it is not as it was written."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError("a line of the journal is damaged")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("a line of the journal is nested") from error
    if not isinstance(values, dict):
        raise ValueError("a line of the journal holds no values")
    return values


def _header_values(header: JournalHeader) -> dict[str, Any]:
    fingerprint = header.fingerprint
    return {
        "format": FORMAT,
        "output": header.output,
        "version": fingerprint.version,
        "files": [asdict(file) for file in fingerprint.files],
        "settings": dict(fingerprint.settings),
        "rows": header.rows,
        "batch": header.batch,
        "started": header.started,
    }


def read_header(line: bytes) -> JournalHeader:
    """The header in the first line of a journal; ``ValueError`` where it is damaged or of another version."""
    values = _parse(line)
    try:
        return _header(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("a header without some of its values") from error


def _header(values: Mapping[str, Any]) -> JournalHeader:
    if values["format"] != FORMAT:
        raise ValueError("a journal of another version")
    files = tuple(
        FileIdentity(str(file["path"]), int(file["size"]), int(file["modified"]), int(file["inode"]))
        for file in values["files"]
    )
    settings = {str(name): str(value) for name, value in values["settings"].items()}
    fingerprint = Fingerprint(str(values["version"]), files, settings)
    return JournalHeader(
        str(values["output"]), fingerprint, int(values["rows"]), int(values["batch"]), str(values["started"])
    )


def read_records(lines: Sequence[bytes], rows: int, size: int) -> Iterable[RowRecord]:
    """The records up to the first that is damaged, out of order, or tells of bytes that are not there."""
    end = 0
    for number, line in enumerate(lines[:rows]):
        try:
            record = RowRecord(**_parse(line))
        except (ValueError, TypeError):
            return
        if not all(type(value) is int for value in asdict(record).values()):
            return
        if record.row != number or record.start != end or record.length < 0 or end + record.length > size:
            return
        end += record.length
        yield record


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class Journal:
    """What is in a journal: its header and the rows that count."""

    folder: Path
    header: JournalHeader
    records: tuple[RowRecord, ...]

    def fraction(self) -> float:
        """Share of the run that is finished, 0 to 1."""
        return len(self.records) / self.header.rows


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that ended before its output was there, and that can perhaps go on.

    Attributes:
        output: the output that it was to write.
        fraction: share of the inference that is finished, 0 to 1.
        date: when it was last heard of, in UTC.
        image: the image.
        changed: why it cannot go on, in words ("/data/a.tif was changed"); None as far as can be told here. The
            engine looks at more than can be seen without it (the model, the runtime) and has the last word.
    """

    output: Path
    fraction: float
    date: datetime
    image: Path
    changed: str | None


def journal_folder(output: Path) -> Path:
    """Where the journal of ``output`` is."""
    return hidden_path(output, "unfinished")


def find_unfinished_run(output: Path, version: str | None = None) -> UnfinishedRun | None:
    """The unfinished run of ``output``, or None where there is none or it is running.

    Quick, and never raises for what it finds: a damaged journal is none.

    Args:
        output: the output of the command (``-o``).
        version: the program's version that would go on, to be compared.
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


def read_journal(output: Path) -> Journal | None:
    """The journal of ``output`` with the rows that count; None where there is none that can be used."""
    folder = journal_folder(output)
    try:
        with (folder / JOURNAL).open("rb") as file:
            lines = file.read(_LARGEST_JOURNAL).split(b"\n")[:-1]  # a last line without its end is not complete
        size = (folder / ROWS).stat().st_size
        header = read_header(lines[0] if lines else b"")
    except (OSError, ValueError):
        return None
    if header.output != output.name or not header.fingerprint.files or header.rows < 1:
        return None
    return Journal(folder, header, tuple(read_records(lines[1:], header.rows, size)))


def read_row(journal: Journal, record: RowRecord) -> bytes | None:
    """The bytes of a finished row of tiles; None where they are not what was written.

    Raises:
        OSError: the disk cannot be read.
    """
    with (journal.folder / ROWS).open("rb") as file:
        file.seek(record.start)
        data = file.read(record.length)
    if len(data) != record.length or zlib.crc32(data) != record.checksum:
        return None
    return data


def remove_journal(output: Path) -> None:
    """Remove the journal of ``output``, if there is one; nothing that is not a journal's is touched.

    Raises:
        OSError: it cannot be removed.
    """
    folder = journal_folder(output)
    for name in (JOURNAL, ROWS):  # rows without a journal are nothing, a journal without rows would be a lie
        (folder / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        folder.rmdir()


def remove_unfinished_run(output: Path) -> None:
    """Remove everything that a run that was ended by force has left of ``output``; nothing where a run is alive.

    For who ended it because the person cancelled.
    """
    with suppress(OSError, OutputError), lock_paths([output]):  # the lock file goes with the lock
        remove_stale_temp_files(output)
        remove_journal(output)


def create_journal(output: Path, header: JournalHeader) -> Journal:
    """Make a journal without rows beside ``output``, instead of one that is there.

    Raises:
        OSError: it cannot be written.
    """
    remove_journal(output)
    folder = journal_folder(output)
    folder.mkdir()
    (folder / ROWS).touch()
    (folder / JOURNAL).write_bytes(header_line(header))
    return Journal(folder, header, ())


class JournalWriter:
    """Writes a journal; every method raises ``OSError`` where the disk does not take it.

    Args:
        journal: what is there already (see ``create_journal``).
        rows: how many of its rows are kept.
    """

    def __init__(self, journal: Journal, rows: int) -> None:
        kept = journal.records[:rows]
        self.count = len(kept)
        self._waiting: list[RowRecord] = []
        self._end = kept[-1].start + kept[-1].length if kept else 0
        begin = time.perf_counter()
        self._rows: BinaryIO = (journal.folder / ROWS).open("ab")
        self._rows.truncate(self._end)
        self._journal: BinaryIO = (journal.folder / JOURNAL).open("ab")
        lines = [header_line(journal.header), *map(record_line, kept)]
        self._journal.truncate(sum(map(len, lines)))
        self._flush(self._journal)
        self._last = time.perf_counter()
        self._cost = self._last - begin

    @property
    def size(self) -> int:
        """Bytes of all rows that were added."""
        return self._end

    def append(self, row: int, parts: Iterable[bytes | memoryview], empty: int) -> None:
        """Add a finished row of tiles: its bytes, in parts; rows come in their order."""
        checksum = length = 0
        for data in parts:
            self._rows.write(data)
            checksum, length = zlib.crc32(data, checksum), length + len(data)
        self._waiting.append(RowRecord(row, self._end, length, checksum, empty))
        self._end += length
        if time.perf_counter() - self._last >= _PATIENCE * self._cost:
            self.commit()

    def commit(self) -> None:
        """Make all rows count that were added."""
        if not self._waiting:
            return
        begin = time.perf_counter()
        self._flush(self._rows)
        self._journal.write(b"".join(map(record_line, self._waiting)))
        self._flush(self._journal)
        self.count += len(self._waiting)
        self._waiting = []
        self._last = time.perf_counter()
        self._cost = self._last - begin

    def close(self) -> None:
        """Close the files as they are."""
        for file in (self._rows, self._journal):
            with suppress(OSError):  # what was not flushed does not count
                file.close()

    @staticmethod
    def _flush(file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
