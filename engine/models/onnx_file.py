"""Read and check ONNX files from unknown sources.

An ONNX file is a program. What a segmentation network needs is accepted: one file without external data (which may name
any file of the machine), without control flow (which may run for ever) and without operators from outside the standard.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GraphError, first_line, shorten
from ..fs.regular_file import read_regular
from .checkpoint import is_finite

if TYPE_CHECKING:
    import onnx

#: Option of a card: the output of an ONNX or MINDIR graph that has several.
OUTPUT_OPTION = "output"
#: The limit of protobuf itself.
MAX_ONNX_BYTES = (2 << 30) - 1
#: Networks for segmentation have some hundreds to some thousands; runtimes compile a hundred thousand for minutes.
MAX_NODES = 20_000
_CONTROL_FLOW = frozenset({"Loop", "If", "Scan", "SequenceMap"})
_DOMAINS = frozenset({"", "ai.onnx"})
_ACTIVATIONS = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
#: Operators whose output has the range of their first input.
_RANGE_KEEPING = frozenset(
    "Cast Clip Concat Identity Reshape Resize Slice Squeeze Transpose Unsqueeze Upsample".split()  # noqa: SIM905
)


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
    if len(model.graph.node) > MAX_NODES:
        raise GraphError(f"The model {origin} has {len(model.graph.node)} nodes; at most {MAX_NODES} are supported.")
    if model.functions:
        raise GraphError(f"The model {origin} has functions of its own, which are not supported.")
    _check_opsets(model, origin)
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
        raise GraphError(f"The model {origin} is not valid ONNX: {first_line(error)}.") from None
    except ValueError:
        # Protobuf in pure Python, which MindSpore selects for its process, accepts some bytes that the checker refuses.
        raise GraphError(f"{origin} is no ONNX model, or a damaged one.") from None


def _check_opsets(model: onnx.ModelProto, origin: str) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain not in _DOMAINS:
            raise GraphError(f"The model {origin} uses operators of the domain {entry.domain}, not only ONNX's own.")
        if entry.version > newest:
            text = f"The model {origin} is of opset {entry.version}; up to {newest} is supported."
            raise GraphError(text, "Export it with a lower opset_version.")


def keep_output(model: onnx.ModelProto, name: str | None, origin: str) -> None:
    """Remove all outputs of ``model`` but ``name``, in place; it may be None where there is only one.

    Raises:
        GraphError: there is no such output, or there are several and none is named (one may be an auxiliary head).
    """
    outputs = model.graph.output
    known = ", ".join(output.name for output in outputs)
    if name is None and len(outputs) > 1:
        raise GraphError(
            f"The model {origin} has {len(outputs)} outputs: {known}.",
            "Choose one with `terraspore install --output-name`, or by `output` in the options of its card.",
        )
    kept = [output for output in outputs if name in {None, output.name}]
    if not kept:
        raise GraphError(f"The model {origin} has no output '{shorten(name)}'; it has: {known}.")
    del outputs[:]
    outputs.extend(kept)


def read_metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Read the metadata of a model by their keys."""
    return {entry.key: entry.value for entry in model.metadata_props}


def list_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """List the inputs of a graph that are no weights."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def find_activation(graph: onnx.GraphProto) -> str | None:
    """Return the operator of the activation that a network of one output ends with; None where it gives logits."""
    producers = {name: node for node in graph.node for name in node.output}
    node = producers.get(graph.output[0].name)
    while node is not None and node.op_type in _RANGE_KEEPING:
        node = producers.get(node.input[0])
    return node.op_type if node is not None and node.op_type in _ACTIVATIONS else None


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
        raise GraphError(f"The model {origin} is damaged: {tensor.name or 'a tensor'}: {first_line(error)}.") from None
    if values.dtype.kind == "f" and not is_finite(values):
        raise GraphError(f"The model {origin} cannot be used: {tensor.name} holds values that are not finite.")
