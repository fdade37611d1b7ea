"""MindRecord files: a split as a few large files, in MindCV's schema (file_name, label bytes, data bytes)."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...engine.errors import OutputError, SourceError
from ...engine.fs.atomic import atomic_folder
from ...engine.fs.spool import ArraySpool, SpooledArray
from .image_files import Image, Mask, decode_image, measure_picture, read_label
from .samples import Decoder, Sample, Split

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

    if first_shard(target) is not None:
        raise OutputError(f"There are MindRecord files {target} already.", "Choose another folder.")
    with atomic_folder(target.parent) as folder:
        writer = FileWriter(str(folder / target.name), shards)
        writer.add_schema(SCHEMA, "images with class ids per pixel")
        rows: list[dict[str, Any]] = []
        for index, sample in enumerate(split.samples):
            png = io.BytesIO()
            PillowImage.fromarray(split.read_label(index)).save(png, "PNG")
            rows.append({"file_name": sample.image.name, "label": png.getvalue(), "data": sample.image.read_bytes()})
            if len(rows) == _FLUSH:
                writer.write_raw_data(rows)
                rows = []
        if rows:
            writer.write_raw_data(rows)
        writer.commit()
    if shards == 1:
        return [target]
    digits = len(str(shards - 1))
    return [target.with_name(f"{target.name}{number:0{digits}d}") for number in range(shards)]


def first_shard(target: Path) -> Path | None:
    """First of the files that were written as ``target``; a single one has no number. None if there are none.

    The header of any shard names the others, so files of another split whose name begins in the same way (``trainval``)
    are not mixed in.
    """
    names = (target.name, *(f"{target.name}{'0' * digits}" for digits in range(1, 5)))
    return next((target.with_name(name) for name in names if target.with_name(name).is_file()), None)


@dataclass(frozen=True)
class RecordSplit(Split):
    """A split whose samples are rows of MindRecord files; their ids are the numbers of the rows."""

    reader: RecordReader = field(kw_only=True)

    def decode_image(self, index: int) -> tuple[Image, Mask | None]:
        """Image of record ``index`` as it is stored, and which of its pixels are valid; None if all are."""
        return decode_image(self.samples[index].image, self._row(index)[0])

    def read_values(self, index: int) -> NDArray[np.generic]:
        """Class ids of record ``index`` as they are stored."""
        return read_label(_label_name(self.samples[index]), self._row(index)[1])

    def measure(self, index: int) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Width and height of image and label of record ``index``."""
        sample, (image, label) = self.samples[index], self._row(index)
        return measure_picture(sample.image, image), measure_picture(_label_name(sample), label)

    def identify(self, index: int) -> str:
        """Text that changes when the files or the row of sample ``index`` do."""
        return f"{self.reader.identity} {self.samples[index].id}"

    def _row(self, index: int) -> tuple[bytes, bytes]:
        return self.reader.row(int(self.samples[index].id))


def _label_name(sample: Sample) -> Path:
    return Path(f"{sample.image}.png")


class RecordReader:
    """Random access to the rows of MindRecord files.

    MindSpore only streams them, therefore the rows are copied to a temporary file.

    Args:
        first: the first shard, whose header names the others.

    Attributes:
        identity: text that changes when the files do.
        names: file name of the image of each row.

    Raises:
        RuntimeError: MindSpore cannot read a file, or one is missing.
    """

    def __init__(self, first: Path) -> None:
        from mindspore.mindrecord import FileReader

        status = first.stat()
        self.identity = f"{first.resolve()} {status.st_size} {status.st_mtime_ns}"
        self.names: list[str] = []
        self._rows: list[list[SpooledArray]] = []
        self._spool, self._lock = ArraySpool(), Lock()
        reader = FileReader(str(first))
        for row in reader.get_next():
            parts = [np.frombuffer(bytes(row[part]), np.uint8) for part in ("data", "label")]
            self._rows.append(self._spool.append(parts))
            self.names.append(str(row["file_name"]))
        reader.close()

    def row(self, index: int) -> tuple[bytes, bytes]:
        """Image and label bytes of a row."""
        with self._lock:
            image, label = self._spool.read(self._rows[index])
        return image.tobytes(), label.tobytes()


def open_records(root: Path, name: str, decode: Decoder) -> Split:
    """Open the split ``name`` of the MindRecord files in ``root``.

    Raises:
        SourceError: there are none, or they cannot be read.
    """
    first = first_shard(root / name)
    if first is None:
        raise SourceError(f"There are no MindRecord files {root / name}.", "Make them with `terraspore records`.")
    try:
        reader = RecordReader(first)
    except (RuntimeError, ValueError) as error:
        raise SourceError(f"The MindRecord files {first} cannot be read: one is damaged or missing.") from error
    # The order of the rows depends on the shards: sort by file name, as other layouts do.
    order = sorted(range(len(reader.names)), key=lambda row: reader.names[row])
    samples = tuple(Sample(str(row), Path(reader.names[row]), Path(reader.names[row])) for row in order)
    return RecordSplit(name, samples, decode, reader=reader)
