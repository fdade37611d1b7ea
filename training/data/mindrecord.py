"""MindRecord files: a split as a few large files, in MindCV's schema (file_name, label bytes, data bytes)."""

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
from PIL import Image as PillowImage

from ...engine.errors import OutputError, SourceError
from .samples import Image, Label, Sample, Split

SCHEMA = {"file_name": {"type": "string"}, "label": {"type": "bytes"}, "data": {"type": "bytes"}}
_FLUSH = 1000


def write_records(split: Split, target: Path, shards: int = 8) -> list[Path]:
    """Write a split as MindRecord files ``<target>0``, ``<target>1``, ... with their ``.db`` companions.

    Images keep their encoded bytes; labels are stored as class ids (PNG).

    Args:
        split: the samples to write.
        target: path of the files without the number of the shard.
        shards: number of files.

    Raises:
        OutputError: there are files of this name already.
    """
    from mindspore.mindrecord import FileWriter

    target.parent.mkdir(parents=True, exist_ok=True)
    if list(target.parent.glob(f"{target.name}*")):
        raise OutputError(f"There are files {target}* already.", "Choose another name.")
    writer = FileWriter(str(target), shards)
    writer.add_schema(SCHEMA, "images with class ids per pixel")
    rows: list[dict[str, Any]] = []
    for index, sample in enumerate(split.samples):
        _, label = split.read(index)
        png = io.BytesIO()
        PillowImage.fromarray(label).save(png, "PNG")
        rows.append({"file_name": sample.image.name, "label": png.getvalue(), "data": sample.image.read_bytes()})
        if len(rows) == _FLUSH:
            writer.write_raw_data(rows)
            rows = []
    if rows:
        writer.write_raw_data(rows)
    writer.commit()
    return sorted(path for path in target.parent.glob(f"{target.name}*") if path.suffix != ".db")


@dataclass(frozen=True)
class RecordSplit(Split):
    """A split whose samples are rows of MindRecord files; their ids are the numbers of the rows."""

    reader: RecordReader = field(kw_only=True)

    def read(self, index: int) -> tuple[Image, Label]:
        """Image and label of record ``index``."""
        data, label = self.reader.row(int(self.samples[index].id))
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise SourceError(f"Record {self.samples[index].image.name} holds no image that can be read.")
        with PillowImage.open(io.BytesIO(label)) as picture:
            classes = self.decode(np.asarray(picture))
        return np.ascontiguousarray(image[:, :, ::-1]).astype(np.uint8, copy=False), classes


class RecordReader:
    """Random access to the rows of MindRecord files.

    MindSpore only streams them, therefore the rows are copied to a temporary file.

    Args:
        files: all shards.

    Raises:
        RuntimeError: MindSpore cannot read a file.
    """

    def __init__(self, files: list[Path]) -> None:
        from mindspore.mindrecord import FileReader

        self.names: list[str] = []
        self._rows: list[tuple[int, int, int]] = []
        self._store = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the reader
        self._lock = Lock()
        offset = 0
        reader = FileReader([str(path) for path in files])
        for row in reader.get_next():
            data, label = bytes(row["data"]), bytes(row["label"])
            self._store.write(data)
            self._store.write(label)
            self.names.append(str(row["file_name"]))
            self._rows.append((offset, len(data), len(label)))
            offset += len(data) + len(label)
        reader.close()

    def row(self, index: int) -> tuple[bytes, bytes]:
        """Image and label bytes of a row."""
        offset, first, second = self._rows[index]
        with self._lock:
            self._store.seek(offset)
            both = self._store.read(first + second)
        return both[:first], both[first:]


def open_records(root: Path, name: str, decode: Callable[[NDArray[np.generic]], Label]) -> Split:
    """Open the split ``<root>/<name><shard>`` of MindRecord files.

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
    # The order of the rows depends on the shards: sort by file name, as other layouts do.
    order = sorted(range(len(reader.names)), key=lambda row: reader.names[row])
    samples = tuple(Sample(str(row), Path(reader.names[row]), Path(reader.names[row])) for row in order)
    return RecordSplit(name, samples, decode, reader=reader)
