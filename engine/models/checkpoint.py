"""Read and write MindSpore checkpoints without MindSpore.

A ``.ckpt`` is a protobuf message (``checkpoint.proto`` of MindSpore)::

    Checkpoint { repeated Value value = 1; }
    Value      { string tag = 1; oneof { TensorProto tensor = 2; MapTensorProto maptensor = 3; } }
    TensorProto { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3; }

A scalar has the dims ``[0]``. A tensor above 512 MiB is written as several consecutive values of the same tag
and dims, whose contents are joined. A file may end with ``crc_num`` and the CRC-32 of all before it, as ten
big-endian bytes.

MindSpore's own reader overruns the heap where a content is longer than its dims say, fills up with zeros where it is
shorter, and accepts NaN, so everything is checked here before a framework reads the file.
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

from ..errors import CheckpointError, shorten
from ..fs.outputs import atomic_output
from ..fs.regular_file import open_regular
from ..protobuf import FileView, ProtobufError, as_integers, as_text, as_view, encode_varint, read_fields

Array = NDArray[Any]

MAX_CHECKPOINT_BYTES = 4 << 30
MAX_ENTRIES = 200_000
MAX_RANK = 8
MAX_NAME_BYTES = 1000
#: MindSpore splits tensors above this size.
CHUNK_BYTES = 512 << 20

_NUMBERS = ("Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float16", "Float32", "Float64")
_NAMES = {np.dtype(name.lower()).newbyteorder("<"): name for name in _NUMBERS}
_TYPES = {name: dtype for dtype, name in _NAMES.items()} | {"Bool": np.dtype("u1"), "BFloat16": np.dtype("<u2")}
_TRAILER = b"crc_num"
_TRAILER_BYTES = len(_TRAILER) + 10
_BLOCK = 1 << 20


def read_checkpoint(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Array]:
    """Read and check a MindSpore checkpoint.

    Args:
        path: the ``.ckpt`` file.
        wanted: names for which it returns False are checked in form but not loaded.

    Returns:
        The tensors by name, in the file's order: float16, float32, float64, bool and integers as they are,
        bfloat16 widened to float32 (exactly). Entries that are text are left out.

    Raises:
        CheckpointError: the file is no regular file, too large, not of this format, damaged, or holds
            values that are not finite; the sentence names the tensor.
    """
    path = Path(path)
    with open_regular(path, MAX_CHECKPOINT_BYTES, CheckpointError) as (file, size):
        end = _check_crc(file, size, path)
        try:
            entries = _read_entries(FileView(file, 0, end), path)
        except ProtobufError as error:
            raise CheckpointError(f"{path} is no MindSpore checkpoint, or a damaged one: {error}.") from None
        tensors = [entry for entry in entries if entry.kind != "str"]
        if not tensors:
            raise CheckpointError(f"The checkpoint {path} holds no tensors.")
        for entry in tensors:
            _check_entry(entry, path)
        return {entry.name: _load(entry, path) for entry in tensors if wanted is None or wanted(entry.name)}


@dataclass(frozen=True)
class _Entry:
    """One tensor of the file, its content not yet read.

    Attributes:
        name: of the parameter.
        kind: name of the type of its values.
        dims: its shape, ``(0,)`` for a scalar.
        pieces: the content, in one piece or several.
    """

    name: str
    kind: str
    dims: tuple[int, ...]
    pieces: list[FileView]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape as of NumPy."""
        return () if self.dims == (0,) else self.dims


def _check_crc(file: BinaryIO, size: int, path: Path) -> int:
    """Check the CRC trailer, if there is one; the offset at which the messages end."""
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


def _read_entries(data: FileView, path: Path) -> list[_Entry]:
    """The entries of a ``Checkpoint`` message; consecutive ones of one name are the pieces of a large tensor."""
    entries: dict[str, _Entry] = {}
    last: str | None = None
    for count, (number, value) in enumerate(read_fields(data)):
        if number != 1:
            raise ProtobufError(f"it has the unknown field {number}")
        if count >= MAX_ENTRIES:
            raise ProtobufError(f"it has more than {MAX_ENTRIES} entries")
        entry = _read_entry(as_view(value))
        known = entries.setdefault(entry.name, entry)
        if known is not entry:
            if entry.name != last:
                raise CheckpointError(f"The checkpoint {path} holds {entry.name} twice.")
            if (entry.kind, entry.dims) != (known.kind, known.dims):
                raise CheckpointError(f"The checkpoint {path} holds {entry.name} in pieces that do not fit.")
            known.pieces.extend(entry.pieces)
        last = entry.name
    return list(entries.values())


def _read_entry(message: FileView) -> _Entry:
    """The entry in a ``Value`` message."""
    name: str | None = None
    tensor: FileView | None = None
    for number, value in read_fields(message):
        if number == 1 and name is None:
            name = _read_text(as_view(value), "name")
        elif number == 2 and tensor is None:
            tensor = as_view(value)
        elif number == 3:
            raise ProtobufError(f"{name or 'an entry'} is a map parameter, which is not supported")
        else:
            raise ProtobufError(f"an entry has the unexpected field {number}")
    if name is None or tensor is None:
        raise ProtobufError("an entry is without a name or a tensor")
    return _read_tensor(tensor, name)


def _read_tensor(message: FileView, name: str) -> _Entry:
    """The entry of the ``TensorProto`` that belongs to ``name``."""
    kind: str | None = None
    dims: list[int] = []
    content: FileView | None = None
    for number, value in read_fields(message):
        if number == 1:
            for dim in as_integers(value):
                dims.append(dim)
                if len(dims) > MAX_RANK:
                    raise ProtobufError(f"{name} has more than {MAX_RANK} dimensions")
        elif number == 2 and kind is None:
            kind = _read_text(as_view(value), "type")
        elif number == 3 and content is None:
            content = as_view(value)
        else:
            raise ProtobufError(f"{name} has the unexpected field {number}")
    if kind is None or content is None:
        raise ProtobufError(f"{name} is without a type or a content")
    return _Entry(name, kind, tuple(dims), [content])


def _read_text(view: FileView, what: str) -> str:
    if not 0 < len(view) <= MAX_NAME_BYTES:
        raise ProtobufError(f"an entry has a {what} of {len(view)} bytes")
    text = as_text(view)
    if not text.isprintable():
        raise ProtobufError(f"an entry has a {what} with unprintable characters")
    return text


def _check_entry(entry: _Entry, path: Path) -> None:
    subject = f"The checkpoint {path} is damaged or not supported: {entry.name}"
    if entry.kind not in _TYPES:
        raise CheckpointError(f"{subject} is of the unknown type '{entry.kind}'.")
    if entry.dims != (0,) and any(not 1 <= dim < 1 << 40 for dim in entry.dims):
        raise CheckpointError(f"{subject} has the dimensions {list(entry.dims)}.")
    expected = math.prod(entry.shape) * _TYPES[entry.kind].itemsize
    found = sum(map(len, entry.pieces))
    if found != expected:
        raise CheckpointError(f"{subject} has {found} bytes where {entry.kind} {list(entry.dims)} takes {expected}.")


def _load(entry: _Entry, path: Path) -> Array:
    array = np.empty(entry.shape, _TYPES[entry.kind])
    target, done = _bytes_of(array), 0
    for piece in entry.pieces:
        if not piece.read_into(target[done : done + len(piece)]):
            raise CheckpointError(f"The checkpoint {path} was changed while it was read.")
        done += len(piece)
    if entry.kind == "Bool":
        if array.size and int(array.max()) > 1:
            raise CheckpointError(f"The checkpoint {path} is damaged: {entry.name} is Bool and holds other values.")
        return array.astype(np.bool_)
    if entry.kind == "BFloat16":
        array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if array.dtype.kind == "f" and not is_finite(array):
        raise CheckpointError(f"The checkpoint {path} cannot be used: {entry.name} holds values that are not finite.")
    return array


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def is_finite(array: Array) -> bool:
    """Whether all values of a float array are finite; looked at in blocks, which saves a temporary of its size."""
    flat = array.reshape(-1)
    return all(bool(np.isfinite(flat[begin : begin + _BLOCK]).all()) for begin in range(0, flat.size, _BLOCK))


def write_checkpoint(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write ``tensors`` as a checkpoint that ``mindspore.load_checkpoint`` (2.2 or newer) loads.

    The file ends with the CRC-32, so that a damaged copy is detected.

    Args:
        path: the file; it is replaced as a whole or not at all.
        tensors: arrays by parameter name, of the types that ``read_checkpoint`` returns, all values finite.

    Raises:
        CheckpointError: a name or an array cannot be stored.
        OutputError: the file cannot be written.
    """
    for name, array in tensors.items():
        if not 0 < len(name.encode("utf-8")) <= MAX_NAME_BYTES or not name.isprintable():
            raise CheckpointError(f"'{shorten(name)}' cannot be the name of a tensor in a checkpoint.")
        if array.dtype != np.bool_ and array.dtype.newbyteorder("<") not in _NAMES:
            raise CheckpointError(f"{name} has the type {array.dtype}, which a checkpoint cannot hold.")
        if array.ndim > MAX_RANK or 0 in array.shape:
            raise CheckpointError(f"{name} has the shape {array.shape}, which a checkpoint cannot hold.")
        if array.dtype.kind == "f" and not is_finite(array):
            raise CheckpointError(f"{name} holds values that are not finite.")
    with atomic_output(Path(path)) as temporary, temporary.open("wb") as file:
        crc = 0
        for name, array in tensors.items():
            for content in _encode(name, array):
                crc = zlib.crc32(content, crc)
                file.write(content)
        file.write(_TRAILER + crc.to_bytes(10, "big"))


def _encode(name: str, array: Array) -> Iterator[bytes | memoryview]:
    """The bytes of ``array`` as one or more consecutive ``Value`` messages: a head and a content in turn."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    kind = "Bool" if array.dtype == np.bool_ else _NAMES[little.dtype]
    dims = b"".join(b"\x08" + encode_varint(dim) for dim in (array.shape or (0,)))
    label = name.encode("utf-8")
    content = _bytes_of(little)
    for begin in range(0, len(content), CHUNK_BYTES):
        piece = content[begin : begin + CHUNK_BYTES]
        head = dims + b"\x12" + encode_varint(len(kind)) + kind.encode() + b"\x1a" + encode_varint(len(piece))
        value = b"\x0a" + encode_varint(len(label)) + label + b"\x12" + encode_varint(len(head) + len(piece)) + head
        yield b"\x0a" + encode_varint(len(value) + len(piece)) + value
        yield piece
