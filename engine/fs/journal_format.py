"""The lines of a journal: of what run it is, and which rows of tiles are finished.

Every line begins with its own checksum. The standard library alone, also for the Python of an old QGIS.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FORMAT = 2


@dataclass(frozen=True)
class FileIdentity:
    """What tells that a file is still the one that it was.

    Attributes:
        path: absolute path.
        size: bytes.
        modified: time of the last change, nanoseconds.
        inode: its number in the file system.
    """

    path: str
    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """The present identity of ``path``; ``OSError`` where it is not there."""
        status = path.stat()
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ino)  # noqa: PTH100 (no links)

    def is_current(self) -> bool:
        """Whether the file is there and unchanged."""
        try:
            return FileIdentity.of(Path(self.path)) == self
        except (OSError, ValueError):
            return False


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

    def change_to(self, now: Fingerprint) -> str | None:
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
class Header:
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
class Record:
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


def header_line(header: Header) -> bytes:
    """The first line of a journal."""
    return _line(_header_values(header))


def record_line(record: Record) -> bytes:
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


def _header_values(header: Header) -> dict[str, Any]:
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


def read_header(line: bytes) -> Header:
    """The header in the first line of a journal; ``ValueError`` where it is damaged or of another version."""
    values = _parse(line)
    try:
        return _header(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("a header without some of its values") from error


def _header(values: Mapping[str, Any]) -> Header:
    if values["format"] != FORMAT:
        raise ValueError("a journal of another version")
    files = tuple(
        FileIdentity(str(file["path"]), int(file["size"]), int(file["modified"]), int(file["inode"]))
        for file in values["files"]
    )
    settings = {str(name): str(value) for name, value in values["settings"].items()}
    fingerprint = Fingerprint(str(values["version"]), files, settings)
    return Header(str(values["output"]), fingerprint, int(values["rows"]), int(values["batch"]), str(values["started"]))


def read_records(lines: Sequence[bytes], rows: int, size: int) -> Iterable[Record]:
    """The records up to the first that is damaged, out of order, or tells of bytes that are not there."""
    end = 0
    for number, line in enumerate(lines[:rows]):
        try:
            record = Record(**_parse(line))
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
