"""Reads MINDIR, MindSpore's own format of networks, without MindSpore.

A MINDIR file is the protobuf ``mind_ir.ModelProto``. Nothing in it is executed; every length is checked against the
bytes that are there, and files that need more than one graph (control flow) or more than one file are refused.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..errors import GraphError
from .model import Mindir, Node, Tensor, Value
from .wire import chunk, fields, floats, integers, signed, text

MAX_BYTES = 4 << 30
MAX_NODES = 200_000
MAX_DEPTH = 16

#: mind_ir.TensorProto.DataType -> NumPy; bfloat16 (16) has no NumPy type and is refused
DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    17: "float64",
}

#: mind_ir.AttributeProto.AttributeType
_FLOAT, _STRING, _BOOL, _DOUBLE, _TENSOR, _TENSORS, _TUPLE, _LIST = 1, 8, 9, 11, 17, 19, 20, 21
_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}

Message = dict[int, list[tuple[int, "int | memoryview"]]]


def read_mindir(source: Path | bytes) -> Mindir:
    """Read a MINDIR file.

    Args:
        source: a file, or the bytes of one.

    Returns:
        The network, its weights views of the file's bytes.

    Raises:
        GraphError: not a MINDIR, damaged, larger than 4 GiB, encrypted, split over files, or with control flow.
    """
    data = memoryview(_load(source) if isinstance(source, Path) else source)
    model = _message(data)
    if 7 not in model:
        raise GraphError(f"{_called(source)} is not a MINDIR network: it has no graph.")
    if _strings(model, 2)[:1] not in ([], ["MindSpore"]):
        raise GraphError(f"{_called(source)} is not a MINDIR network: another program made it.")
    if 8 in model:
        raise GraphError(
            f"{_called(source)} holds control flow (several graphs), which is not supported.",
            "Export the network with a fixed input shape.",
        )
    primitives = dict(_primitive(chunk(value)) for _, value in model.get(12, []))
    return _graph(chunk(model[7][-1][1]), primitives)


def _load(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise GraphError(f"{path} is not a regular file.")
        if status.st_size > MAX_BYTES:
            raise GraphError(f"{path} is larger than {MAX_BYTES >> 30} GiB, too large for a MINDIR network.")
        return path.read_bytes()
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror}.") from error


def _called(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "The file"


def _message(data: memoryview) -> Message:
    """The fields of a message by number."""
    found: Message = defaultdict(list)
    for number, kind, value in fields(data):
        found[number].append((kind, value))
    return found


def _strings(message: Message, number: int) -> list[str]:
    return [text(value) for _, value in message.get(number, [])]


def _integers(message: Message, number: int) -> list[int]:
    return [entry for kind, value in message.get(number, []) for entry in integers(kind, value)]


def _graph(data: memoryview, primitives: dict[str, tuple[str, dict[str, Value]]]) -> Mindir:
    message = _message(data)
    if len(message.get(1, [])) > MAX_NODES:
        raise GraphError(f"The network has more than {MAX_NODES} nodes.")
    name = "".join(_strings(message, 2)[-1:])
    prefix = f"{name}:"
    parameters = tuple(_tensor(chunk(value), prefix) for _, value in message.get(3, []))
    for parameter in parameters:
        if parameter.data is None:
            raise GraphError(f"The weights {parameter.name!r} are not in the file; export without splitting it.")
    nodes = tuple(_node(chunk(value), prefix, primitives) for _, value in message.get(1, []))
    inputs = tuple(_value_info(chunk(value), prefix) for _, value in message.get(5, []))
    outputs = tuple(_value_info(chunk(value), prefix) for _, value in message.get(6, []))
    names = [tensor.name for tensor in (*inputs, *parameters)] + [node.output for node in nodes]
    if len(set(names)) != len(names):
        raise GraphError("The network uses one name for two things.")
    return Mindir(name, inputs, outputs, parameters, nodes)


def _value_info(data: memoryview, prefix: str) -> Tensor:
    message = _message(data)
    tensors = [_tensor(chunk(value), prefix) for _, value in message.get(2, [])]
    if len(tensors) != 1:
        raise GraphError("An input or output of the network is not a single tensor.")
    name = "".join(_strings(message, 1)[-1:]).removeprefix(prefix)
    return Tensor(name, tensors[0].shape, tensors[0].dtype)


def _primitive(data: memoryview) -> tuple[str, tuple[str, dict[str, Value]]]:
    message = _message(data)
    names, kinds = _strings(message, 1), _strings(message, 2)
    if not names or not kinds:
        raise GraphError("The file is damaged: a primitive has no name.")
    return names[-1], (kinds[-1], dict(_attribute(chunk(value), 0) for _, value in message.get(3, [])))


def _node(data: memoryview, prefix: str, primitives: dict[str, tuple[str, dict[str, Value]]]) -> Node:
    message = _message(data)
    inputs = tuple(entry.removeprefix(prefix) for entry in _strings(message, 1))
    outputs, kinds = _strings(message, 2), _strings(message, 4)
    if len(outputs) != 1 or len(kinds) != 1:
        raise GraphError("The file is damaged: a node has no output or no operation.")
    attributes = dict(_attribute(chunk(value), 0) for _, value in message.get(5, []))
    shapes = _shapes(attributes.pop("shape", None))
    op = kinds[0]
    if op.startswith("REF::"):
        if op[5:] not in primitives:
            raise GraphError(f"The network calls {op[5:]!r}, which is not one of its primitives.")
        op, attributes = primitives[op[5:]]
    output = outputs[0].removeprefix(prefix)
    return Node(op, output, inputs, output, attributes, shapes)


def _shapes(value: Value) -> tuple[tuple[int, ...], ...]:
    """The shapes in a node's ``shape`` attribute: one tensor, or a tuple of them."""
    if isinstance(value, Tensor):
        return (value.shape,)
    if isinstance(value, tuple):
        return tuple(shape for entry in value for shape in _shapes(entry))
    return ()


def _tensor(data: memoryview, prefix: str = "") -> Tensor:
    message = _message(data)
    name = "".join(_strings(message, 7)[-1:]).removeprefix(prefix)
    if 12 in message:
        raise GraphError(f"The weights {name!r} lie in another file; export the network into one file.")
    if _integers(message, 16)[-1:] not in ([], [0]):
        raise GraphError(f"The weights {name!r} are compressed, which is not supported.")
    kind = (_integers(message, 2) or [0])[-1]
    if kind not in DTYPES:
        raise GraphError(f"The tensor {name!r} has the type number {kind}, which is not supported.")
    dtype = np.dtype(DTYPES[kind])
    shape = tuple(_integers(message, 1))
    if 9 not in message:
        return Tensor(name, shape, dtype)
    raw = chunk(message[9][-1][1])
    if any(size < 1 for size in shape) or np.prod(shape, dtype=object) * dtype.itemsize != len(raw):
        raise GraphError(f"The tensor {name!r} has {len(raw)} bytes, which does not fit its shape {shape}.")
    array = np.frombuffer(raw, dtype.newbyteorder("<")).reshape(shape)
    return Tensor(name, shape, dtype, array)


def _attribute(data: memoryview, depth: int) -> tuple[str, Value]:
    """Name and value of an ``AttributeProto``."""
    if depth > MAX_DEPTH:
        raise GraphError("The file is damaged: its values are nested too deeply.")
    message = _message(data)
    name = "".join(_strings(message, 1)[-1:])
    return name, _value(message, (_integers(message, 16) or [0])[-1], depth)


def _value(message: Message, kind: int, depth: int) -> Value:
    if kind in _INTEGERS or kind == _BOOL:
        entries = [signed(value) for _, value in message.get(3, [])] or _integers(message, 10) or [0]
        return bool(entries[-1]) if kind == _BOOL else entries[-1]
    if kind == _FLOAT:
        return _last_float(message.get(2, []) + message.get(8, []), double=False)
    if kind == _DOUBLE:
        return _last_float(message.get(4, []) + message.get(9, []), double=True)
    if kind == _STRING:
        return "".join((_strings(message, 5) + _strings(message, 11))[-1:])
    if kind in {_TUPLE, _LIST}:
        return tuple(_attribute(chunk(value), depth + 1)[1] for _, value in message.get(17, []))
    if kind in {_TENSOR, _TENSORS}:
        tensors = tuple(_tensor(chunk(value)) for _, value in message.get(6, []) + message.get(12, []))
        return tensors[0] if len(tensors) == 1 else tensors
    # Everything else (states of side effects, types, None) has no value that a graph for inference could use.
    return None


def _last_float(entries: list[tuple[int, int | memoryview]], *, double: bool) -> float:
    found = [number for kind, value in entries for number in floats(kind, value, double=double)]
    return found[-1] if found else 0.0
