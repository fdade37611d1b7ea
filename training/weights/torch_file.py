"""PyTorch files (``.pth``, ``.th``, ``.pt``) as dictionaries of arrays, without PyTorch.

Two formats: a zip archive (PyTorch 1.6 and later) with ``data.pkl`` and one member per storage; and the older stream
of five pickles (magic number, version, system, content, keys) with the storages behind them, which the original
D-LinkNet's files have.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import CheckpointError
from ...engine.fs.regular_file import open_regular
from .pickles import PickleReader, Storage, TensorView

Array = NDArray[Any]

MAX_BYTES = 8 << 30
MAX_PICKLE_BYTES = 64 << 20
#: what Python's zip reader raises on damaged archives (encrypted: RuntimeError)
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, LookupError, OverflowError, RuntimeError, ValueError)
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
#: name of a storage's type -> NumPy; bfloat16 is widened
_KINDS = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|u1",
}
#: keys under which training programs keep the weights beside other things
CONTAINERS = ("state_dict", "model_state", "model_state_dict", "model", "net")


def read_torch(path: Path) -> dict[str, Array]:
    """The weights in a PyTorch file, by name.

    Args:
        path: a dictionary of tensors, or one that holds it under one of ``CONTAINERS``.

    Returns:
        Arrays in the file's order; bfloat16 as float32, everything else as it is.

    Raises:
        CheckpointError: not such a file, damaged, larger than 8 GiB, or with other objects in it; nothing in the file
            is executed.
    """
    with open_regular(path, MAX_BYTES, CheckpointError) as (stream, size):
        try:
            if zipfile.is_zipfile(stream):
                content, storages = _from_archive(stream)
            else:
                stream.seek(0)
                content, storages = _from_stream(stream, size)
        except _DAMAGE as error:
            raise CheckpointError(f"{path} is not a PyTorch file, or a damaged one: {error}.") from error
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be read. {error.text}", error.hint) from error
    weights = _weights(content, path)
    # Views may repeat elements of their storage, so the file's size says nothing of theirs.
    if sum(math.prod(view.shape) * _kind(view.storage).itemsize for view in weights.values()) > MAX_BYTES:
        raise CheckpointError(f"{path} says that it holds more than {MAX_BYTES >> 30} GiB of weights.")
    return {name: _array(view, storages, name) for name, view in weights.items()}


def _weights(content: Any, path: Path) -> dict[str, TensorView]:
    """The tensors of a state dictionary, wherever it lies."""
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    found = content if isinstance(content, dict) else {}
    tensors = {str(name): value for name, value in found.items() if isinstance(value, TensorView)}
    if not tensors:
        raise CheckpointError(f"{path} holds no dictionary of tensors.", "Save the state_dict() of the model.")
    return tensors


def _from_archive(stream: BinaryIO) -> tuple[Any, dict[str, Array]]:
    """Content and storages of the zip format."""
    with zipfile.ZipFile(stream) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        if "constants.pkl" in names:
            raise CheckpointError("It is a TorchScript program, not a file of weights.")
        if "data.pkl" not in names:
            raise CheckpointError("It is a zip archive, but not one of PyTorch.")
        if archive.getinfo(names["data.pkl"]).file_size > MAX_PICKLE_BYTES:
            raise CheckpointError("Its description of tensors is too large.")
        if "byteorder" in names and archive.read(names["byteorder"]).strip() != b"little":
            raise CheckpointError("Its numbers are big-endian, which is not supported.")
        content = PickleReader(io.BytesIO(archive.read(names["data.pkl"]))).read()
        storages: dict[str, Array] = {}
        for storage in _storages(content):
            member_name = names.get(f"data/{storage.key}")
            if member_name is None or archive.getinfo(member_name).file_size != _bytes_of(storage):
                raise CheckpointError(f"It is damaged: the storage {storage.key} is missing or of the wrong length.")
            storages[storage.key] = np.frombuffer(archive.read(member_name), _kind(storage))
        return content, storages


def _from_stream(stream: BinaryIO, size: int) -> tuple[Any, dict[str, Array]]:
    """Content and storages of the older format, in a file of ``size`` bytes."""
    if stream.read(1) != b"\x80":
        raise CheckpointError("It is not a PyTorch file.")
    stream.seek(0)
    # The pickles come first. A length in them may be anything, and a plain file would set so much memory aside.
    head = io.BytesIO(stream.read(min(size, MAX_PICKLE_BYTES)))
    if PickleReader(head).read() != _MAGIC or PickleReader(head).read() != _VERSION:
        raise CheckpointError("It is not a PyTorch file.")
    system = PickleReader(head).read()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("Its numbers are big-endian, which is not supported.")
    content, keys = PickleReader(head).read(), PickleReader(head).read()
    stream.seek(head.tell())
    wanted = {storage.key: storage for storage in _storages(content)}
    if not isinstance(keys, list):
        raise CheckpointError("It is damaged: it does not say which storages it has.")
    storages: dict[str, Array] = {}
    for key in map(str, keys):
        length = int.from_bytes(stream.read(8), "little")
        if key not in wanted or length != wanted[key].length:
            raise CheckpointError(f"It is damaged: the storage {key} is of the wrong length.")
        if _bytes_of(wanted[key]) > size - stream.tell():
            raise CheckpointError("It is damaged: it is cut off.")
        storages[key] = np.frombuffer(stream.read(_bytes_of(wanted[key])), _kind(wanted[key]))
    return content, storages


def _storages(content: Any) -> list[Storage]:
    """The storages that the tensors in ``content`` use, each once, checked for contradictions."""
    found: dict[str, Storage] = {}
    pending, seen = [content], set()
    while pending:
        value = pending.pop()
        if isinstance(value, TensorView):
            if found.setdefault(value.storage.key, value.storage) != value.storage:
                raise CheckpointError(f"It is damaged: the storage {value.storage.key} is described twice.")
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pending.extend(value.values() if isinstance(value, dict) else value)
    if sum(map(_bytes_of, found.values())) > MAX_BYTES:
        raise CheckpointError("It says that it holds more than 8 GiB.")
    return list(found.values())


def _kind(storage: Storage) -> np.dtype[Any]:
    if storage.kind not in _KINDS:
        raise CheckpointError(f"It holds numbers of the type {storage.kind}, which is not supported.")
    return np.dtype(_KINDS[storage.kind])


def _bytes_of(storage: Storage) -> int:
    return storage.length * _kind(storage).itemsize


def _array(view: TensorView, storages: Mapping[str, Array], name: str) -> Array:
    """The tensor as an array of its own."""
    flat = storages.get(view.storage.key)
    count = math.prod(view.shape)
    reach = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.strides, strict=True)) + 1
    if flat is None or (count and reach > len(flat)):
        raise CheckpointError(f"The file is damaged: the tensor {name} reaches beyond its storage.")
    if count == 0:
        return np.zeros(view.shape, flat.dtype)
    steps = [step * flat.itemsize for step in view.strides]
    array = np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, steps).copy()
    if view.storage.kind == "BFloat16Storage":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array.astype(np.bool_) if view.storage.kind == "BoolStorage" else array
