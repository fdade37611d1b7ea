"""Read MINDIR, MindSpore's own format of networks, without MindSpore.

A MINDIR file is the protobuf ``mind_ir.ModelProto``. Nothing in it is executed; every length is checked against the
bytes that are there, and files that need more than one graph (control flow) or more than one file are refused.

Numbers of the fields that are read::

    ModelProto      2 producer_name, 7 graph, 8 functions, 12 primitives
    GraphProto      1 node, 2 name, 3 parameter, 5 input, 6 output
    ValueInfoProto  1 name, 2 tensor
    PrimitiveProto  1 name, 2 op_type, 3 attribute
    NodeProto       1 input, 2 output, 4 op_type, 5 attribute
    TensorProto     1 dims, 2 data_type, 7 name, 9 raw_data, 12 external_data, 16 compression_type
    AttributeProto  1 name, 2 f, 3 i, 4 d, 5 s, 6 t, 8 floats, 9 doubles, 10 ints, 11 strings, 12 tensors, 16 type,
                    17 values
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GraphError
from ..fs.regular_file import read_regular
from ..protobuf import ProtobufError, as_floats, as_integers, as_text, as_view, read_fields

MAX_BYTES = 4 << 30
MAX_NODES = 200_000
MAX_DEPTH = 16

#: ``TensorProto.DataType`` to NumPy; bfloat16 (16) has no NumPy type and is refused.
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

#: ``AttributeProto.AttributeType``.
_FLOAT, _STRING, _BOOL, _DOUBLE, _TENSOR, _TENSORS, _TUPLE, _LIST = 1, 8, 9, 11, 17, 19, 20, 21
_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}

#: The fields of a message by number.
Message = dict[int, list["int | bytes | memoryview"]]
#: A constant or attribute: int, float, bool, str, None, a ``Tensor``, or a tuple of these.
Value = Any
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A named tensor; ``data`` is None where the file holds only shape and type. A dimension of -1 is unknown."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: the primitive's name, "Constant" for a constant.
        name: unique within the graph; others refer to the result by it.
        inputs: names of nodes, parameters or graph inputs.
        attributes: of the primitive; a constant has "value".
        shapes: of the result, or of each entry where the result is a tuple; empty where the file does not say.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Value]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Mindir:
    """A network: one graph without control flow.

    Attributes:
        inputs: the tensors that a caller passes.
        outputs: the results, by names of nodes.
        parameters: weights with their data, under the names that checkpoints use.
        nodes: in an order in which they can be computed.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    nodes: tuple[Node, ...]


def read_mindir(source: Path | bytes) -> Mindir:
    """Read a MINDIR file.

    Args:
        source: a file, or the bytes of one.

    Returns:
        The network, its weights views of the file's bytes.

    Raises:
        GraphError: not a MINDIR, damaged, larger than 4 GiB, encrypted, split over files, or with control flow.
    """
    name = str(source) if isinstance(source, Path) else "The file"
    content = read_regular(source, MAX_BYTES, GraphError) if isinstance(source, Path) else source
    try:
        model = _read_message(memoryview(content))
        if 7 not in model:
            raise GraphError(f"{name} is not a MINDIR network: it has no graph.")
        if _read_texts(model, 2)[:1] not in ([], ["MindSpore"]):
            raise GraphError(f"{name} is not a MINDIR network: another program made it.")
        if 8 in model:
            raise GraphError(
                f"{name} holds control flow (several graphs), which is not supported.",
                "Export the network with a fixed input shape.",
            )
        primitives = dict(_read_primitive(as_view(value)) for value in model.get(12, []))
        return _read_graph(as_view(model[7][-1]), primitives)
    except ProtobufError as error:
        raise GraphError(f"{name} is damaged or cut off: {error}.") from None


def _read_message(data: memoryview) -> Message:
    found: Message = defaultdict(list)
    for number, value in read_fields(data):
        found[number].append(value)
    return found


def _read_texts(message: Message, number: int) -> list[str]:
    return [as_text(value) for value in message.get(number, [])]


def _read_last_text(message: Message, number: int) -> str:
    """The text of a field that is not repeated: the last one where it is; empty where there is none."""
    return "".join(_read_texts(message, number)[-1:])


def _read_integers(message: Message, number: int) -> list[int]:
    return [entry for value in message.get(number, []) for entry in as_integers(value)]


def _read_graph(data: memoryview, primitives: dict[str, tuple[str, dict[str, Value]]]) -> Mindir:
    message = _read_message(data)
    if len(message.get(1, [])) > MAX_NODES:
        raise GraphError(f"The network has more than {MAX_NODES} nodes.")
    prefix = f"{_read_last_text(message, 2)}:"  # of every name in the file
    parameters = tuple(_read_tensor(as_view(value), prefix) for value in message.get(3, []))
    for parameter in parameters:
        if parameter.data is None:
            raise GraphError(f"The weights {parameter.name!r} are not in the file; export without splitting it.")
    nodes = tuple(_read_node(as_view(value), prefix, primitives) for value in message.get(1, []))
    inputs = tuple(_read_value_info(as_view(value), prefix) for value in message.get(5, []))
    outputs = tuple(_read_value_info(as_view(value), prefix) for value in message.get(6, []))
    names = [tensor.name for tensor in (*inputs, *parameters)] + [node.name for node in nodes]
    if len(set(names)) != len(names):
        raise GraphError("The network uses one name for two things.")
    return Mindir(inputs, outputs, parameters, nodes)


def _read_value_info(data: memoryview, prefix: str) -> Tensor:
    message = _read_message(data)
    tensors = [_read_tensor(as_view(value), prefix) for value in message.get(2, [])]
    if len(tensors) != 1:
        raise GraphError("An input or output of the network is not a single tensor.")
    name = _read_last_text(message, 1).removeprefix(prefix)
    return Tensor(name, tensors[0].shape, tensors[0].dtype)


def _read_primitive(data: memoryview) -> tuple[str, tuple[str, dict[str, Value]]]:
    message = _read_message(data)
    names, kinds = _read_texts(message, 1), _read_texts(message, 2)
    if not names or not kinds:
        raise GraphError("The file is damaged: a primitive has no name.")
    return names[-1], (kinds[-1], dict(_read_attribute(as_view(value), 0) for value in message.get(3, [])))


def _read_node(data: memoryview, prefix: str, primitives: dict[str, tuple[str, dict[str, Value]]]) -> Node:
    message = _read_message(data)
    inputs = tuple(entry.removeprefix(prefix) for entry in _read_texts(message, 1))
    outputs, kinds = _read_texts(message, 2), _read_texts(message, 4)
    if len(outputs) != 1 or len(kinds) != 1:
        raise GraphError("The file is damaged: a node has no output or no operation.")
    attributes = dict(_read_attribute(as_view(value), 0) for value in message.get(5, []))
    shapes = _read_shapes(attributes.pop("shape", None))
    op = kinds[0]
    if op.startswith("REF::"):
        if op[5:] not in primitives:
            raise GraphError(f"The network calls {op[5:]!r}, which is not one of its primitives.")
        op, attributes = primitives[op[5:]]
    return Node(op, outputs[0].removeprefix(prefix), inputs, attributes, shapes)


def _read_shapes(value: Value) -> tuple[tuple[int, ...], ...]:
    """The shapes in a node's ``shape`` attribute: one tensor, or a tuple of them."""
    if isinstance(value, Tensor):
        return (value.shape,)
    if isinstance(value, tuple):
        return tuple(shape for entry in value for shape in _read_shapes(entry))
    return ()


def _read_tensor(data: memoryview, prefix: str = "") -> Tensor:
    message = _read_message(data)
    name = _read_last_text(message, 7).removeprefix(prefix)
    if 12 in message:
        raise GraphError(f"The weights {name!r} lie in another file; export the network into one file.")
    if _read_integers(message, 16)[-1:] not in ([], [0]):
        raise GraphError(f"The weights {name!r} are compressed, which is not supported.")
    kind = (_read_integers(message, 2) or [0])[-1]
    if kind not in DTYPES:
        raise GraphError(f"The tensor {name!r} has the type number {kind}, which is not supported.")
    dtype = np.dtype(DTYPES[kind])
    shape = tuple(_read_integers(message, 1))
    if 9 not in message:
        return Tensor(name, shape, dtype)
    raw = as_view(message[9][-1])
    if any(size < 1 for size in shape) or np.prod(shape, dtype=object) * dtype.itemsize != len(raw):
        raise GraphError(f"The tensor {name!r} has {len(raw)} bytes, which does not fit its shape {shape}.")
    array = np.frombuffer(raw, dtype.newbyteorder("<")).reshape(shape)
    return Tensor(name, shape, dtype, array)


def _read_attribute(data: memoryview, depth: int) -> tuple[str, Value]:
    """Name and value of an ``AttributeProto``."""
    if depth > MAX_DEPTH:
        raise GraphError("The file is damaged: its values are nested too deeply.")
    message = _read_message(data)
    name = _read_last_text(message, 1)
    return name, _read_value(message, (_read_integers(message, 16) or [0])[-1], depth)


def _read_value(message: Message, kind: int, depth: int) -> Value:
    if kind in _INTEGERS or kind == _BOOL:
        entries = _read_integers(message, 3) or _read_integers(message, 10) or [0]
        return bool(entries[-1]) if kind == _BOOL else entries[-1]
    if kind in {_FLOAT, _DOUBLE}:
        values = message.get(2, []) + message.get(8, []) if kind == _FLOAT else message.get(4, []) + message.get(9, [])
        numbers = [number for value in values for number in as_floats(value, double=kind == _DOUBLE)]
        return numbers[-1] if numbers else 0.0
    if kind == _STRING:
        return "".join((_read_texts(message, 5) + _read_texts(message, 11))[-1:])
    if kind in {_TUPLE, _LIST}:
        return tuple(_read_attribute(as_view(value), depth + 1)[1] for value in message.get(17, []))
    if kind in {_TENSOR, _TENSORS}:
        tensors = tuple(_read_tensor(as_view(value)) for value in message.get(6, []) + message.get(12, []))
        return tensors[0] if len(tensors) == 1 else tensors
    # Everything else (states of side effects, types, None) has no value that a graph for inference could use.
    return None
