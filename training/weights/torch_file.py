"""Read PyTorch files (``.pth``, ``.th``, ``.pt``) as dictionaries of arrays, without PyTorch.

There are two formats: a zip archive (PyTorch 1.6 and later) with ``data.pkl`` and one member per storage; and the
legacy stream of five pickles (magic number, version, system, content, keys) followed by the storages, which the
original D-LinkNet's files have.
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
_DAMAGE_ERRORS = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
#: NumPy's type by the name of a storage's type; bfloat16 is widened after reading
_DTYPES = {
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
#: keys under which training programs store the weights next to other values
CONTAINERS = ("state_dict", "model_state", "model_state_dict", "model", "net")


def read_torch(path: Path) -> dict[str, Array]:
    """Read the weights in a PyTorch file by name.

    Args:
        path: a file with a dictionary of tensors, or with one that holds it under a key of ``CONTAINERS``.

    Returns:
        Arrays in the file's order; bfloat16 as float32, everything else as it is.

    Raises:
        CheckpointError: not such a file, damaged, larger than 8 GiB, or with other objects in it; nothing in the file
            is executed.
    """
    with open_regular(path, MAX_BYTES, CheckpointError) as (stream, size):
        try:
            if zipfile.is_zipfile(stream):
                content, storages = _read_archive(stream)
            else:
                stream.seek(0)
                content, storages = _read_legacy(stream, size)
        except _DAMAGE_ERRORS as error:
            raise CheckpointError(f"{path} is not a PyTorch file, or a damaged one: {error}.") from error
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be read. {error.text}", error.hint) from error
    weights = _find_tensors(content, path)
    # Views may repeat elements of their storage, so the file's size says nothing of theirs.
    if sum(math.prod(view.shape) * _dtype(view.storage).itemsize for view in weights.values()) > MAX_BYTES:
        raise CheckpointError(f"{path} says that it holds more than {MAX_BYTES >> 30} GiB of weights.")
    return {name: _to_array(view, storages, name) for name, view in weights.items()}


def _find_tensors(content: Any, path: Path) -> dict[str, TensorView]:
    """Find the state dictionary, and its tensors."""
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    items = content.items() if isinstance(content, dict) else ()
    tensors = {str(name): value for name, value in items if isinstance(value, TensorView)}
    if not tensors:
        raise CheckpointError(f"{path} holds no dictionary of tensors.", "Save the state_dict() of the model.")
    return tensors


def _read_archive(stream: BinaryIO) -> tuple[Any, dict[str, Array]]:
    """Read content and storages of the zip format."""
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
        for storage in _list_storages(content):
            member_name = names.get(f"data/{storage.key}")
            if member_name is None or archive.getinfo(member_name).file_size != _count_bytes(storage):
                raise CheckpointError(f"It is damaged: the storage {storage.key} is missing or of the wrong length.")
            storages[storage.key] = np.frombuffer(archive.read(member_name), _dtype(storage))
        return content, storages


def _read_legacy(stream: BinaryIO, size: int) -> tuple[Any, dict[str, Array]]:
    """Read content and storages of the legacy format, in a file of ``size`` bytes."""
    if stream.read(1) != b"\x80":
        raise CheckpointError("It is not a PyTorch file.")
    stream.seek(0)
    # Read the pickles from memory: a plain file would allocate whatever a damaged length in them says.
    head = io.BytesIO(stream.read(min(size, MAX_PICKLE_BYTES)))
    if PickleReader(head).read() != _MAGIC or PickleReader(head).read() != _VERSION:
        raise CheckpointError("It is not a PyTorch file.")
    system = PickleReader(head).read()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("Its numbers are big-endian, which is not supported.")
    content, keys = PickleReader(head).read(), PickleReader(head).read()
    stream.seek(head.tell())
    wanted = {storage.key: storage for storage in _list_storages(content)}
    if not isinstance(keys, list):
        raise CheckpointError("It is damaged: it does not say which storages it has.")
    storages: dict[str, Array] = {}
    for key in map(str, keys):
        length = int.from_bytes(stream.read(8), "little")
        if key not in wanted or length != wanted[key].length:
            raise CheckpointError(f"It is damaged: the storage {key} is of the wrong length.")
        if _count_bytes(wanted[key]) > size - stream.tell():
            raise CheckpointError("It is damaged: it is cut off.")
        storages[key] = np.frombuffer(stream.read(_count_bytes(wanted[key])), _dtype(wanted[key]))
    return content, storages


def _list_storages(content: Any) -> list[Storage]:
    """List the storages of the tensors in ``content``, each once, checked for contradictions."""
    storages: dict[str, Storage] = {}
    pending, seen = [content], set()
    while pending:
        value = pending.pop()
        if isinstance(value, TensorView):
            if storages.setdefault(value.storage.key, value.storage) != value.storage:
                raise CheckpointError(f"It is damaged: the storage {value.storage.key} is described twice.")
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pending.extend(value.values() if isinstance(value, dict) else value)
    if sum(map(_count_bytes, storages.values())) > MAX_BYTES:
        raise CheckpointError("It says that it holds more than 8 GiB.")
    return list(storages.values())


def _dtype(storage: Storage) -> np.dtype[Any]:
    if storage.type_name not in _DTYPES:
        raise CheckpointError(f"It holds numbers of the type {storage.type_name}, which is not supported.")
    return np.dtype(_DTYPES[storage.type_name])


def _count_bytes(storage: Storage) -> int:
    return storage.length * _dtype(storage).itemsize


def _to_array(view: TensorView, storages: Mapping[str, Array], name: str) -> Array:
    """Copy a tensor out of its storage."""
    flat = storages.get(view.storage.key)
    count = math.prod(view.shape)
    reach = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.strides, strict=True)) + 1
    if flat is None or (count and reach > len(flat)):
        raise CheckpointError(f"The file is damaged: the tensor {name} reaches beyond its storage.")
    if count == 0:
        return np.zeros(view.shape, flat.dtype)
    steps = [step * flat.itemsize for step in view.strides]
    array = np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, steps).copy()
    if view.storage.type_name == "BFloat16Storage":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array.astype(np.bool_) if view.storage.type_name == "BoolStorage" else array
