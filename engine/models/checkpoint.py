"""Reading and writing MindSpore checkpoints without MindSpore.

A ``.ckpt`` is a protobuf message (``checkpoint.proto`` of MindSpore)::

    Checkpoint { repeated Value value = 1; }
    Value      { string tag = 1; oneof { TensorProto tensor = 2; MapTensorProto maptensor = 3; } }
    TensorProto { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3; }

A scalar has the dims ``[0]``. A tensor above 512 MiB is written as several consecutive values of the same tag
and dims, whose contents are joined. A file may end with ``crc_num`` and the CRC-32 of all before it, as ten
big-endian bytes.

MindSpore's own reader overruns the heap where a content is longer than its dims say, fills up with zeros where
it is shorter, and takes NaN, so everything is checked here before a framework sees the file.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..fs.atomic import atomic_output
from ..fs.regular_file import open_regular

Array = NDArray[Any]

MAX_CHECKPOINT_BYTES = 4 << 30
MAX_ENTRIES = 200_000
MAX_RANK = 8
MAX_NAME_BYTES = 1000
#: MindSpore splits tensors above this size.
CHUNK_BYTES = 512 << 20

_TYPES: Mapping[str, str] = {
    "Bool": "|u1",
    "Int8": "|i1",
    "UInt8": "|u1",
    "Int16": "<i2",
    "UInt16": "<u2",
    "Int32": "<i4",
    "UInt32": "<u4",
    "Int64": "<i8",
    "UInt64": "<u8",
    "Float16": "<f2",
    "BFloat16": "<u2",
    "Float32": "<f4",
    "Float64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items() if name not in {"Bool", "BFloat16"}}
_TRAILER = b"crc_num"
_TRAILER_BYTES = len(_TRAILER) + 10
_BLOCK = 1 << 20
_VARINT, _LENGTH = 0, 2


def read_checkpoint(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Array]:
    """Read and check a MindSpore checkpoint.

    Args:
        path: the ``.ckpt`` file.
        wanted: names for which it returns false are checked in form but not loaded.

    Returns:
        The tensors by name, in the file's order: float16, float32, float64, bool and integers as they are,
        bfloat16 widened to float32 (exactly). Entries that are text are left out.

    Raises:
        CheckpointError: the file is no regular file, too large, not of this format, damaged, or holds
            values that are not finite; the sentence names the tensor.
    """
    path = Path(path)
    with open_regular(path, MAX_CHECKPOINT_BYTES, CheckpointError) as (file, size):
        end = _checked_end(file, size, path)
        entries: dict[str, _Entry] = {}
        for entry in _joined(_entries(_Wire(file, end, path)), path):
            if entry.name in entries:
                raise CheckpointError(f"The checkpoint {path} holds {entry.name} twice.")
            entries[entry.name] = entry
        tensors = [entry for entry in entries.values() if entry.kind != "str"]
        if not tensors:
            raise CheckpointError(f"The checkpoint {path} holds no tensors.")
        for entry in tensors:
            _check_entry(entry, path)
        return {entry.name: _load(file, entry, path) for entry in tensors if wanted is None or wanted(entry.name)}


@dataclass(frozen=True)
class _Entry:
    """One tensor as it lies in the file: where its content is, as (offset, length) pieces."""

    name: str
    kind: str
    dims: tuple[int, ...]
    pieces: tuple[tuple[int, int], ...]

    @property
    def content_bytes(self) -> int:
        """Length of the content."""
        return sum(length for _, length in self.pieces)


def _checked_end(file: BinaryIO, size: int, path: Path) -> int:
    """The offset at which the messages end: the file's size, less the CRC trailer, which is checked."""
    if size < _TRAILER_BYTES:
        return size
    file.seek(size - _TRAILER_BYTES)
    trailer = file.read(_TRAILER_BYTES)
    if not trailer.startswith(_TRAILER):
        return size
    end, crc = size - _TRAILER_BYTES, 0
    file.seek(0)
    for begin in range(0, end, _BLOCK):
        crc = zlib.crc32(file.read(min(_BLOCK, end - begin)), crc)
    if crc != int.from_bytes(trailer[len(_TRAILER) :], "big"):
        raise CheckpointError(f"The checkpoint {path} is damaged: its CRC-32 is not the one written in it.")
    return end


class _Wire:
    """Reads protobuf's wire format from a file, without ever passing the end it is given."""

    def __init__(self, file: BinaryIO, end: int, path: Path) -> None:
        self._file, self._path = file, path
        self.at, self.end = 0, end
        file.seek(0)

    def damaged(self, text: str) -> CheckpointError:
        """The error that says ``text`` of this file."""
        return CheckpointError(f"{self._path} is no MindSpore checkpoint, or a damaged one: {text}.")

    def fields(self, end: int) -> Iterator[tuple[int, int, int]]:
        """The fields up to the offset ``end``: number, wire type, and the value or the content's length.

        A content must be taken or skipped before the next field is asked for.
        """
        while self.at < end:
            key = self.varint(end)
            wire_type = key & 7
            if wire_type not in {_VARINT, _LENGTH}:
                raise self.damaged(f"wire type {wire_type} at byte {self.at}")
            value = self.varint(end)
            if wire_type == _LENGTH and value > end - self.at:
                raise self.damaged(f"a content of {value} bytes at byte {self.at} passes its end")
            yield key >> 3, wire_type, value

    def varint(self, end: int) -> int:
        """One variable-length number of at most 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1, end)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value
        raise self.damaged(f"a number of more than 64 bits at byte {self.at}")

    def take(self, length: int, end: int) -> bytes:
        """The next ``length`` bytes."""
        content = self._file.read(length) if length <= end - self.at else b""
        if len(content) != length:
            raise self.damaged(f"it is cut off at byte {self.at}")
        self.at += length
        return content

    def skip(self, length: int) -> None:
        """Pass over ``length`` bytes."""
        self.at += length
        self._file.seek(self.at)

    def text(self, length: int, what: str) -> str:
        """The next ``length`` bytes as UTF-8."""
        if not 0 < length <= MAX_NAME_BYTES:
            raise self.damaged(f"a {what} of {length} bytes at byte {self.at}")
        try:
            text = self.take(length, self.end).decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged(f"a {what} that is not UTF-8 before byte {self.at}") from None
        if not text.isprintable():
            raise self.damaged(f"a {what} with unprintable characters before byte {self.at}")
        return text


def _entries(wire: _Wire) -> Iterator[_Entry]:
    for count, (number, wire_type, length) in enumerate(wire.fields(wire.end)):
        if (number, wire_type) != (1, _LENGTH):
            raise wire.damaged(f"an unknown field {number} at byte {wire.at}")
        if count >= MAX_ENTRIES:
            raise wire.damaged(f"more than {MAX_ENTRIES} entries")
        yield _value(wire, wire.at + length)


def _value(wire: _Wire, end: int) -> _Entry:
    """One ``Value`` message that ends at ``end``; leaves the wire at ``end``."""
    name: str | None = None
    tensor: tuple[str, tuple[int, ...], tuple[int, int]] | None = None
    for number, wire_type, length in wire.fields(end):
        if (number, wire_type) == (1, _LENGTH) and name is None:
            name = wire.text(length, "name")
        elif (number, wire_type) == (2, _LENGTH) and tensor is None:
            tensor = _tensor(wire, wire.at + length)
        elif number == 3:
            raise wire.damaged(f"{name or 'an entry'} is a map parameter, which is not supported")
        else:
            raise wire.damaged(f"an unexpected field {number} at byte {wire.at}")
    if name is None or tensor is None:
        raise wire.damaged(f"an entry without a name or a tensor before byte {wire.at}")
    kind, dims, piece = tensor
    return _Entry(name, kind, dims, (piece,))


def _tensor(wire: _Wire, end: int) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """One ``TensorProto`` message: its type's name, its dims, and offset and length of its content."""
    kind: str | None = None
    dims: list[int] = []
    piece: tuple[int, int] | None = None
    for number, wire_type, value in wire.fields(end):
        if (number, wire_type) == (1, _VARINT):
            dims.append(value)
        elif (number, wire_type) == (1, _LENGTH):  # dims in packed form
            packed = wire.at + value
            while wire.at < packed and len(dims) <= MAX_RANK:
                dims.append(wire.varint(packed))
        elif (number, wire_type) == (2, _LENGTH) and kind is None:
            kind = wire.text(value, "type")
        elif (number, wire_type) == (3, _LENGTH) and piece is None:
            piece = (wire.at, value)
            wire.skip(value)
        else:
            raise wire.damaged(f"an unexpected field {number} at byte {wire.at}")
        if len(dims) > MAX_RANK:
            raise wire.damaged(f"a tensor with more than {MAX_RANK} dimensions at byte {wire.at}")
    if kind is None or piece is None:
        raise wire.damaged(f"a tensor without a type or a content before byte {wire.at}")
    return kind, tuple(dims), piece


def _joined(entries: Iterator[_Entry], path: Path) -> Iterator[_Entry]:
    """Join consecutive entries of one name, which are the pieces of a large tensor."""
    current: _Entry | None = None
    for entry in entries:
        if current is None or entry.name != current.name:
            if current is not None:
                yield current
            current = entry
        elif (entry.kind, entry.dims) == (current.kind, current.dims):
            current = _Entry(entry.name, entry.kind, entry.dims, current.pieces + entry.pieces)
        else:
            raise CheckpointError(f"The checkpoint {path} holds {entry.name} in pieces that do not fit.")
    if current is not None:
        yield current


def _check_entry(entry: _Entry, path: Path) -> None:
    what = f"The checkpoint {path} is damaged or not supported: {entry.name}"
    if entry.kind not in _TYPES:
        raise CheckpointError(f"{what} is of the unknown type '{entry.kind}'.")
    if entry.dims != (0,) and any(not 1 <= dim < 1 << 40 for dim in entry.dims):
        raise CheckpointError(f"{what} has the dimensions {list(entry.dims)}.")
    expected = math.prod(_shape(entry)) * np.dtype(_TYPES[entry.kind]).itemsize
    if expected != entry.content_bytes:
        raise CheckpointError(
            f"{what} has {entry.content_bytes} bytes where {entry.kind} {list(entry.dims)} takes {expected}."
        )


def _shape(entry: _Entry) -> tuple[int, ...]:
    return () if entry.dims == (0,) else entry.dims


def _load(file: BinaryIO, entry: _Entry, path: Path) -> Array:
    array = np.empty(_shape(entry), _TYPES[entry.kind])
    target, done = _bytes_of(array), 0
    for offset, length in entry.pieces:
        file.seek(offset)
        if file.readinto(target[done : done + length]) != length:  # type: ignore[attr-defined]
            raise CheckpointError(f"The checkpoint {path} was changed while it was read.")
        done += length
    if entry.kind == "Bool":
        if array.size and int(array.max()) > 1:
            raise CheckpointError(f"The checkpoint {path} is damaged: {entry.name} is Bool and holds other values.")
        return array.astype(np.bool_)
    if entry.kind == "BFloat16":
        array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if array.dtype.kind == "f" and not _all_finite(array):
        raise CheckpointError(f"The checkpoint {path} cannot be used: {entry.name} holds values that are not finite.")
    return array


def _bytes_of(array: Array) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]  # NumPy 1 does not say so


def _all_finite(array: Array) -> bool:
    # In blocks, so that no temporary as large as the tensor is made.
    flat = array.reshape(-1)
    return all(bool(np.isfinite(flat[begin : begin + _BLOCK]).all()) for begin in range(0, flat.size, _BLOCK))


def write_checkpoint(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write ``tensors`` as a checkpoint that ``mindspore.load_checkpoint`` (2.2 or newer) loads.

    The file ends with the CRC-32, so that a damaged copy is noticed.

    Args:
        path: the file; it is replaced as a whole or not at all.
        tensors: arrays by parameter name, of the types that ``read_checkpoint`` returns, all values finite.

    Raises:
        CheckpointError: a name or an array cannot be stored.
        OutputError: the file cannot be written.
    """
    for name, array in tensors.items():
        _check_storable(name, array)
    with atomic_output(Path(path)) as temporary, temporary.open("wb") as file:
        crc = 0
        for name, array in tensors.items():
            for part in _messages(name, array):
                crc = zlib.crc32(part, crc)
                file.write(part)
        file.write(_TRAILER + crc.to_bytes(10, "big"))


def _check_storable(name: str, array: Array) -> None:
    if not 0 < len(name.encode("utf-8")) <= MAX_NAME_BYTES or not name.isprintable():
        raise CheckpointError(f"'{name[:80]}' cannot be the name of a tensor in a checkpoint.")
    if array.dtype != np.bool_ and array.dtype.newbyteorder("<") not in _NAMES:
        raise CheckpointError(f"{name} has the type {array.dtype}, which a checkpoint cannot hold.")
    if array.ndim > MAX_RANK or 0 in array.shape:
        raise CheckpointError(f"{name} has the shape {array.shape}, which a checkpoint cannot hold.")
    if array.dtype.kind == "f" and not _all_finite(array):
        raise CheckpointError(f"{name} holds values that are not finite.")


def _messages(name: str, array: Array) -> Iterator[bytes | memoryview]:
    """The bytes of ``array`` as one or more ``Value`` messages, in parts that follow each other."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    kind = "Bool" if array.dtype == np.bool_ else _NAMES[little.dtype]
    dims = b"".join(b"\x08" + _varint(dim) for dim in (array.shape or (0,)))
    label = name.encode("utf-8")
    content = _bytes_of(little)
    for begin in range(0, len(content), CHUNK_BYTES):
        piece = content[begin : begin + CHUNK_BYTES]
        head = dims + b"\x12" + _varint(len(kind)) + kind.encode() + b"\x1a" + _varint(len(piece))
        value = b"\x0a" + _varint(len(label)) + label + b"\x12" + _varint(len(head) + len(piece)) + head
        yield b"\x0a" + _varint(len(value) + len(piece)) + value
        yield piece


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
