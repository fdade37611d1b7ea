"""Read and check ONNX files from unknown sources.

An ONNX file is a program. What a segmentation network needs is accepted: one file without external data (which may name
any file of the machine), without control flow (which may run for ever) and without operators from outside the standard.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GraphError
from ..fs.regular_file import read_regular
from .checkpoint import is_finite

if TYPE_CHECKING:
    import onnx

#: The limit of protobuf itself.
MAX_ONNX_BYTES = (2 << 30) - 1
_CONTROL_FLOW = frozenset({"Loop", "If", "Scan", "SequenceMap"})
_DOMAINS = frozenset({"", "ai.onnx"})


def load_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file and check it (see ``check_graph``).

    Raises:
        GraphError: it is no regular file, too large, no ONNX, or uses what is not supported.
    """
    return parse_onnx(read_regular(path, MAX_ONNX_BYTES, GraphError), str(path))


def parse_onnx(content: bytes, origin: str) -> onnx.ModelProto:
    """The ONNX model in ``content``, checked; ``origin`` names it in errors.

    Raises:
        GraphError: it is no ONNX model, or uses what is not supported.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
        check_graph(model, origin)
    except (DecodeError, UnicodeDecodeError):  # protobuf decodes some texts only when they are read
        raise GraphError(f"{origin} is no ONNX model, or a damaged one.") from None
    return model


def check_graph(model: onnx.ModelProto, origin: str) -> None:
    """Check that ``model`` is self-contained and valid, without control flow, and that its weights are finite.

    Raises:
        GraphError: it is not; the sentence names the node or tensor.
    """
    import onnx

    if not model.graph.node:
        raise GraphError(f"{origin} is no ONNX model: its graph is empty.")
    if model.functions:
        raise GraphError(f"The model {origin} has functions of its own, which are not supported.")
    for entry in model.opset_import:
        if entry.domain not in _DOMAINS:
            raise GraphError(f"The model {origin} uses operators of the domain {entry.domain}, not only ONNX's own.")
    if model.graph.sparse_initializer:
        raise GraphError(f"The model {origin} has sparse weights, which are not supported.")
    for node in model.graph.node:
        _check_node(node, origin)
    for tensor in model.graph.initializer:
        _check_tensor(tensor, origin)
    for attribute in (attribute for node in model.graph.node for attribute in node.attribute):
        # Both fields may be filled, whatever type the attribute claims to have.
        for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
            _check_tensor(tensor, origin)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise GraphError(f"The model {origin} is not valid ONNX: {_first_line(error)}.") from None
    except ValueError:
        # Protobuf in pure Python, which MindSpore selects for its process, accepts some bytes that the checker refuses.
        raise GraphError(f"{origin} is no ONNX model, or a damaged one.") from None


def _check_node(node: onnx.NodeProto, origin: str) -> None:
    import onnx

    if node.op_type in _CONTROL_FLOW:
        raise GraphError(f"The model {origin} uses {node.op_type}, and control flow is not supported.")
    if node.domain not in _DOMAINS:
        raise GraphError(f"The model {origin} uses {node.op_type} of the domain {node.domain}.")
    for attribute in node.attribute:
        if attribute.type in {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}:
            raise GraphError(f"The model {origin} has a graph within {node.op_type}, which is not supported.")
        if attribute.type in {onnx.AttributeProto.SPARSE_TENSOR, onnx.AttributeProto.SPARSE_TENSORS}:
            raise GraphError(f"The model {origin} has a sparse tensor in {node.op_type}, which is not supported.")


def _check_tensor(tensor: onnx.TensorProto, origin: str) -> None:
    import onnx
    from onnx import numpy_helper

    if tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data:
        raise GraphError(f"The model {origin} keeps {tensor.name or 'a tensor'} in another file; save it as one file.")
    if tensor.data_type == onnx.TensorProto.STRING:
        return
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise GraphError(f"The model {origin} is damaged: {tensor.name or 'a tensor'}: {_first_line(error)}.") from None
    if values.dtype.kind == "f" and not is_finite(values):
        raise GraphError(f"The model {origin} cannot be used: {tensor.name} holds values that are not finite.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
