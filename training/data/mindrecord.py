"""MindRecord: a split as a few large files, in MindCV's schema (file_name, label bytes, data bytes)."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from ...engine.errors import OutputError, SourceError
from .samples import Image, Item, Label, Split

SCHEMA = {"file_name": {"type": "string"}, "label": {"type": "bytes"}, "data": {"type": "bytes"}}
_FLUSH = 1000


def write_records(split: Split, target: Path, shards: int = 8) -> list[Path]:
    """Write a split as MindRecord files ``<target>0``, ``<target>1``, ... with their ``.db`` companions.

    Images keep their encoded bytes; labels are stored as class numbers (PNG).

    Args:
        split: what is written.
        target: path whose name is completed by the shard's number.
        shards: number of files.

    Raises:
        OutputError: files are there already, or cannot be written.
    """
    from mindspore.mindrecord import FileWriter

    target.parent.mkdir(parents=True, exist_ok=True)
    if list(target.parent.glob(f"{target.name}*")):
        raise OutputError(f"There are files {target}* already.", "Choose another name.")
    writer = FileWriter(str(target), shards)
    writer.add_schema(SCHEMA, "images with class numbers per pixel")
    rows: list[dict[str, Any]] = []
    for index, item in enumerate(split.items):
        _, label = split.read(index)
        rows.append({"file_name": item.image.name, "label": _png(label), "data": item.image.read_bytes()})
        if len(rows) == _FLUSH:
            writer.write_raw_data(rows)
            rows = []
    if rows:
        writer.write_raw_data(rows)
    writer.commit()
    return sorted(path for path in target.parent.glob(f"{target.name}*") if path.suffix != ".db")


def _png(label: Label) -> bytes:
    buffer = io.BytesIO()
    Pictures.fromarray(label).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class RecordSplit(Split):
    """A split that is read from MindRecord files."""

    reader: RecordReader = field(default=None)  # type: ignore[assignment]

    def read(self, index: int) -> tuple[Image, Label]:
        """Image and label of record ``index``."""
        data, label = self.reader.row(int(self.items[index].id))
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceError(f"Record {self.items[index].image.name} holds no image that can be read.")
        with Pictures.open(io.BytesIO(label)) as picture:
            classes = self.decode(np.asarray(picture))
        return np.ascontiguousarray(image[:, :, ::-1]).astype(np.uint8, copy=False), classes


class RecordReader:
    """Random access to the rows of MindRecord files, which MindSpore only streams: they are copied to a temporary file.

    Args:
        files: all shards.
    """

    def __init__(self, files: list[Path]) -> None:
        from mindspore.mindrecord import FileReader

        self.names: list[str] = []
        self._places: list[tuple[int, int, int]] = []
        self._store = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the reader
        self._lock = Lock()
        at = 0
        reader = FileReader([str(path) for path in files])
        for row in reader.get_next():
            data, label = bytes(row["data"]), bytes(row["label"])
            self._store.write(data)
            self._store.write(label)
            self.names.append(str(row["file_name"]))
            self._places.append((at, len(data), len(label)))
            at += len(data) + len(label)
        reader.close()

    def row(self, index: int) -> tuple[bytes, bytes]:
        """Image and label bytes of a row."""
        at, first, second = self._places[index]
        with self._lock:
            self._store.seek(at)
            both = self._store.read(first + second)
        return both[:first], both[first:]


def open_records(root: Path, name: str, decode: Callable[[NDArray[np.generic]], Label]) -> Split:
    """The split ``<root>/<name><shard>`` of MindRecord files.

    Raises:
        SourceError: there are none, or they cannot be read.
    """
    files = sorted(path for path in root.glob(f"{name}*") if path.suffix != ".db" and path.is_file())
    if not files:
        raise SourceError(f"There are no MindRecord files {root / name}*.", "Make them with `terraspore records`.")
    try:
        reader = RecordReader(files)
    except (RuntimeError, ValueError) as error:
        raise SourceError(f"The MindRecord files {root / name}* cannot be read.") from error
    # The id is the row's number; rows come in no order that matters, so items are sorted by file name.
    order = sorted(range(len(reader.names)), key=lambda row: reader.names[row])
    items = tuple(Item(str(row), Path(reader.names[row]), Path(reader.names[row])) for row in order)
    return RecordSplit(name, items, decode, reader)
