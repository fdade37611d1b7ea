"""Convert MINDIR networks into ONNX."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..errors import GraphError, first_line
from .builder import Call, Const, GraphBuilder, Ref
from .operators import OPERATORS
from .reader import Mindir, Node, Shape, Tensor, read_mindir

OPSET = 17
IR_VERSION = 8


def convert(
    source: Path | bytes | Mindir,
    *,
    variants: Sequence[Path | bytes | Mindir] = (),
    weights: bool = True,
    output_names: Sequence[str] = (),
) -> onnx.ModelProto:
    """Convert a MINDIR network into an ONNX model.

    Args:
        source: the network; its weights are taken.
        variants: the same network exported with other input sizes. With them, sizes inside the network follow the
            input's; without, a network that carries sizes keeps the one that it was exported with. The variants may
            differ in the numbers of classes and bands too, which are then open in the result.
        weights: False makes each weight an input of the graph, behind the network's own inputs, with its name, type
            and shape; a size that differs between the variants is open, under the name "classes" or "bands" where
            it is one of these.
        output_names: names of the outputs; "output" or "output_0", "output_1" ... unless given.

    Returns:
        A checked ONNX model of opset 17. Weights keep MindSpore's names. Batch, height and width of inputs are open
        ("batch", "height", "width") where the network allows.

    Raises:
        GraphError: an operation that is not supported, or variants that are not the same network.
    """
    networks = [entry if isinstance(entry, Mindir) else read_mindir(entry) for entry in (source, *variants)]
    _check_same(networks)
    builder = GraphBuilder(len(networks))
    outputs = _convert_nodes(networks, builder)
    names = list(output_names) or (
        ["output"] if len(outputs) == 1 else [f"output_{index}" for index in range(len(outputs))]
    )
    if len(names) != len(outputs):
        raise GraphError(f"The network has {len(outputs)} outputs, which do not fit the names {', '.join(names)}.")
    output_refs = [ref.name for ref in outputs]
    nodes = drop_unused_nodes(fuse_biases(builder.nodes, output_refs), output_refs)
    new_names = dict(zip(output_refs, names, strict=True))
    for node in nodes:
        for values in (node.input, node.output):
            values[:] = [new_names.get(name, name) for name in values]
    return _make_model(networks, builder, nodes, names, weights)


def _check_same(networks: Sequence[Mindir]) -> None:
    """Raise unless the variants have the same operations and parameters in the same order."""
    first = networks[0]
    for other in networks[1:]:
        if [node.op for node in _operations(other)] != [node.op for node in _operations(first)]:
            raise GraphError("The variants are not the same network: their operations differ.")
        if [tensor.name for tensor in other.parameters] != [tensor.name for tensor in first.parameters]:
            raise GraphError("The variants are not the same network: their weights' names differ.")
        if len(other.inputs) != len(first.inputs) or len(other.outputs) != len(first.outputs):
            raise GraphError("The variants are not the same network: their inputs or outputs differ.")


def _operations(network: Mindir) -> list[Node]:
    """The nodes other than constants; MindSpore merges equal constants, so that their number may vary."""
    return [node for node in network.nodes if node.op != "Constant"]


def _align(networks: Sequence[Mindir], kind: str) -> Iterator[tuple[Tensor, ...]]:
    """Each of the ``inputs``, ``outputs`` or ``parameters``, in all variants."""
    return zip(*(getattr(network, kind) for network in networks), strict=True)


def _convert_nodes(networks: Sequence[Mindir], builder: GraphBuilder) -> list[Ref]:
    """Convert all nodes, and return the tensors that are the network's outputs.

    Names are the first variant's; ``known`` maps, per variant, every name so far to its operand.
    """
    known: list[dict[str, Any]] = [
        {node.name: Const((node.attributes.get("value"),)) for node in network.nodes if node.op == "Constant"}
        for network in networks
    ]
    for kind in ("inputs", "parameters"):
        for tensors in _align(networks, kind):
            ref = Ref(tensors[0].name, tuple(tensor.shape for tensor in tensors))
            for operands, tensor in zip(known, tensors, strict=True):
                operands[tensor.name] = ref
            if kind == "inputs":
                builder.tensors.append(ref)
    for nodes in zip(*(_operations(network) for network in networks), strict=True):
        inputs = [_find_operand(known, names) for names in zip(*(node.inputs for node in nodes), strict=True)]
        result = _convert_node(Call(nodes[0], nodes[1:], tuple(inputs), builder))
        for operands, node in zip(known, nodes, strict=True):
            operands[node.name] = result
    outputs = [known[0].get(tensor.name) for tensor in networks[0].outputs]
    if not all(isinstance(output, Ref) for output in outputs):
        raise GraphError("An output of the network is not a tensor.")
    return [output for output in outputs if isinstance(output, Ref)]


def _convert_node(call: Call) -> Any:
    node = call.node
    if node.op not in OPERATORS:
        raise GraphError(f"The network uses the operation {node.op!r}, which is not supported.")
    try:
        return OPERATORS[node.op](call)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Settings of the wrong type: the functions expect those that MindSpore writes.
        raise GraphError(f"The node {node.name!r} ({node.op}) has settings that make no sense: {error}.") from error


def _find_operand(known: list[dict[str, Any]], names: Sequence[str]) -> Any:
    """The operand that has these names in the variants."""
    missing = [name for operands, name in zip(known, names, strict=True) if name not in operands]
    if missing:
        raise GraphError(f"The network uses {missing[0]!r} before it is computed.")
    found = [operands[name] for operands, name in zip(known, names, strict=True)]
    if all(isinstance(entry, Const) and len(entry.values) == 1 for entry in found):  # each is of one variant
        return Const(tuple(entry.values[0] for entry in found))
    if any(entry is not found[0] for entry in found):
        raise GraphError("The variants are not the same network: their nodes are connected differently.")
    return found[0]


def _make_model(
    networks: Sequence[Mindir], builder: GraphBuilder, nodes: list[onnx.NodeProto], names: list[str], weights: bool
) -> onnx.ModelProto:
    """Assemble the model and check it."""
    labels = _label_open_sizes(networks)
    used = {name for node in nodes for name in node.input}
    parameters = [tensors for tensors in _align(networks, "parameters") if tensors[0].name in used]
    inputs = [_make_value_info(tensors[0].name, tensors, labels) for tensors in _align(networks, "inputs")]
    outputs = [
        _make_value_info(name, tensors, labels)
        for name, tensors in zip(names, _align(networks, "outputs"), strict=True)
    ]
    if len(networks) == 1 and not builder.size_bound:
        for info in (*inputs, *outputs):
            _open_image_axes(info, networks[0].inputs[0].shape)
    initializers = [tensor for name, tensor in builder.initializers.items() if name in used]
    if weights:
        for tensor, *_ in parameters:
            assert tensor.data is not None, "the reader takes no parameter without data"
            initializers.append(numpy_helper.from_array(np.ascontiguousarray(tensor.data), tensor.name))
    else:
        inputs += [_make_value_info(tensors[0].name, tensors, labels) for tensors in parameters]
    graph = helper.make_graph(nodes, "network", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="TerraSpore")
    model.ir_version = IR_VERSION
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise GraphError(f"The network cannot be expressed in ONNX: {first_line(error)}.") from error
    return model


def _label_open_sizes(networks: Sequence[Mindir]) -> dict[Shape, str]:
    """Names of sizes that differ between the variants, by their values."""
    labels: dict[Shape, str] = {}
    places = [("outputs", {1: "classes"}), ("inputs", {0: "batch", 1: "bands", 2: "height", 3: "width"})]
    for kind, axes in places:
        for tensors in _align(networks, kind):
            for axis, sizes in enumerate(zip(*(tensor.shape for tensor in tensors), strict=True)):
                if len(set(sizes)) > 1 and axis in axes:
                    labels[sizes] = axes[axis]
    return labels


def _make_value_info(name: str, tensors: tuple[Tensor, ...], labels: dict[Shape, str]) -> onnx.ValueInfoProto:
    """Type and shape of an input or output; sizes that differ between the variants are open."""
    # An open size without a label is named after its values, so that equal sizes have equal names.
    shape = [
        values[0] if len(set(values)) == 1 else labels.get(values) or "size_" + "_".join(map(str, values))
        for values in zip(*(tensor.shape for tensor in tensors), strict=True)
    ]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(tensors[0].dtype), shape)


def _open_image_axes(info: onnx.ValueInfoProto, image: Shape) -> None:
    """Name batch, height and width of an input or output, in place, where they are those of the image."""
    sizes = info.type.tensor_type.shape.dim
    if len(sizes) != 4 or len(image) != 4:
        return
    sizes[0].dim_param = "batch"
    for axis, name in ((2, "height"), (3, "width")):
        if sizes[axis].dim_value == image[axis]:
            sizes[axis].dim_param = name
        else:
            sizes[axis].Clear()


def drop_unused_nodes(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in their order."""
    needed, used = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            used.append(node)
            needed.update(node.input)
    return used[::-1]


def fuse_biases(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Make the ``Add`` of a bias behind a convolution part of the convolution.

    The pattern is ``Conv`` -> ``Add`` with ``Reshape(bias)``, where only ``Add`` and ``Shape`` use the convolution's
    own result.
    """
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    makers = {name: node for node in nodes for name in node.output}
    for node in nodes:
        for name in node.input:
            users[name].append(node)
    fused: set[int] = set()
    for node in nodes:
        if node.op_type not in {"Conv", "ConvTranspose"} or len(node.input) != 2 or node.output[0] in outputs:
            continue
        others = [user for user in users[node.output[0]] if user.op_type != "Shape"]
        if len(others) != 1 or others[0].op_type != "Add" or others[0].input[0] != node.output[0]:
            continue
        bias = makers.get(others[0].input[1])
        if bias is None or bias.op_type != "Reshape":
            continue
        for user in users[node.output[0]]:
            if user.op_type == "Shape":
                user.input[0] = others[0].output[0]
        node.input.append(bias.input[0])
        node.output[0] = others[0].output[0]
        fused.add(id(others[0]))
    return [node for node in nodes if id(node) not in fused]
