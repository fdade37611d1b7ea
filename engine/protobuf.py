"""Read the wire format of protocol buffers, fully checked and without generated classes.

A message is a run of fields; each is a key (field number and wire type) and a value, see
https://protobuf.dev/programming-guides/encoding/. It is given as a ``memoryview``, or as a ``FileView`` where only
small parts of a large file are to be read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, TypeVar, overload

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class ProtobufError(ValueError):
    """Bytes that are not what they should be; the text says why, without the file's name and without a full stop."""


class FileView:
    """A range of bytes of a file, read when needed; indexed and sliced like a ``memoryview``.

    Args:
        file: a file at least ``end`` bytes long, opened for reading with a buffer.
        begin: offset of the first byte.
        end: offset behind the last byte.
    """

    __slots__ = ("_begin", "_end", "_file")

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        self._file, self._begin, self._end = file, begin, end

    def __len__(self) -> int:
        return self._end - self._begin

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> FileView: ...

    def __getitem__(self, index: int | slice) -> int | FileView:
        """The byte at an index, or the view of a slice; both have to lie within the range."""
        if isinstance(index, slice):
            return FileView(self._file, self._begin + index.start, self._begin + index.stop)
        self._file.seek(self._begin + index)
        return self._file.read(1)[0]

    def __bytes__(self) -> bytes:
        self._file.seek(self._begin)
        return self._file.read(len(self))

    def read_into(self, target: memoryview) -> bool:
        """Fill ``target``, which is as long as the range; False where the file has become shorter."""
        self._file.seek(self._begin)
        return self._file.readinto(target) == len(self)  # type: ignore[attr-defined, no-any-return]


#: A length-delimited value: a message, a text, bytes, or packed numbers.
View = TypeVar("View", memoryview, FileView)


def read_fields(message: View) -> Iterator[tuple[int, int | bytes | View]]:
    """Read the fields of a message in their order.

    Yields:
        Field number and value: an unsigned int of 64 bits, the 4 or 8 bytes of a number of fixed size, or the view of
        a length-delimited value.

    Raises:
        ProtobufError: the bytes are not a message.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = _read_varint(message, position)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise ProtobufError("a field has the number 0")
        if wire_type == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if wire_type == _LENGTH:
            length, position = _read_varint(message, position)
        elif wire_type in _FIXED_BYTES:
            length = _FIXED_BYTES[wire_type]
        else:
            raise ProtobufError(f"a field has the wire type {wire_type}, which does not exist")
        if length > end - position:
            raise ProtobufError(f"a field of {length} bytes passes the end of its message")
        content = message[position : position + length]
        yield number, content if wire_type == _LENGTH else bytes(content)
        position += length


def _read_varint(data: memoryview | FileView, position: int) -> tuple[int, int]:
    """The variable-length number at ``position``, and the position behind it."""
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ProtobufError("it is cut off within a number")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            if result >> 64:
                break
            return result, position
    raise ProtobufError("a number has more than 64 bits")


def as_view(value: int | bytes | View) -> View:
    """The value of a length-delimited field.

    Raises:
        ProtobufError: it is a number.
    """
    if isinstance(value, int | bytes):
        raise ProtobufError("a number stands where bytes are expected")
    return value


def as_text(value: int | bytes | View) -> str:
    """The value of a text field; errors as of ``as_view``, and where it is not UTF-8."""
    try:
        return bytes(as_view(value)).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtobufError("a text is not UTF-8") from None


def as_integers(value: int | bytes | View) -> Iterator[int]:
    """The signed 64-bit integers of an integer field: one, or as many as are packed; errors as of ``as_view``."""
    if isinstance(value, int):
        yield value - (1 << 64) if value >> 63 else value
        return
    data, position = as_view(value), 0
    while position < len(data):
        number, position = _read_varint(data, position)
        yield number - (1 << 64) if number >> 63 else number


def as_floats(value: int | bytes | View, *, double: bool = False) -> tuple[float, ...]:
    """The numbers of a float (or double) field: one, or as many as are packed.

    Raises:
        ProtobufError: it is an integer, or its length is not a multiple of a number's.
    """
    size = 8 if double else 4
    if isinstance(value, int) or len(value) % size or (isinstance(value, bytes) and len(value) != size):
        raise ProtobufError("a floating-point number has the wrong length")
    return struct.unpack(f"<{len(value) // size}{'d' if double else 'f'}", bytes(value))


def encode_varint(value: int) -> bytes:
    """Encode a whole number from 0 as a variable-length number."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
