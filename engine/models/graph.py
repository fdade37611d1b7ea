"""Build the ONNX graph that a runtime runs: pixels in, probabilities out.

A checkpoint has weights and no graph; ``resources/graphs/<architecture>.onnx`` has the graph and no weights, or a file
of such a name beside the checkpoint, which training writes for networks that have none in ``resources``. Its
inputs are the image (first) and then every parameter by its MindSpore name and shape; its first output is the
logits. Here the parameters become initializers, the normalisation is put in front and the activation behind::

    image (N, bands, H, W) card.dtype -> Cast, Mul, Add -> network -> Sigmoid | Softmax -> probability float32
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...__about__ import __version__
from ..errors import GraphError, shorten
from .card import ModelCard, Normalisation, OptionValue, card_text
from .checkpoint import Array, read_checkpoint
from .onnx_file import OUTPUT_OPTION, find_activation, keep_output, list_inputs, load_onnx, read_metadata
from .parameters import Shape, is_in_modules, is_training_state, match_parameters
from .registry import Model

if TYPE_CHECKING:
    import onnx

#: Types of outputs as ONNX numbers them: none given, float32, float16, float64, bfloat16.
_SCORES = frozenset({0, 1, 10, 11, 16})
GRAPHS = Path(__file__).resolve().parents[2] / "resources" / "graphs"


def build_graph(model: Model, *, tile: int | None = None, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """Build the whole ONNX graph of ``model``: pixels in, probabilities out.

    Args:
        model: a checked model of the registry.
        tile: side of the tiles that it will be run on, in pixels; the card's unless given.
        graphs: folder of the weightless graphs.

    Returns:
        A model with the input ``image`` (N, bands, H, W) of the card's dtype and the output ``probability``
        (N, classes, H, W) float32. N, H and W are dynamic where the network's graph leaves them so.

    Raises:
        GraphError: the graph is missing, damaged or does not fit the card.
        CheckpointError: the checkpoint is damaged or not of this architecture.
    """
    network = load_network(model, graphs)
    wanted, present = model.card.activation, find_activation(network.graph)
    if wanted != "none" and present is not None:
        raise GraphError(
            f"The network in {model.weights} ends with {present}, and its card asks for {wanted} behind it.",
            "Set its activation to none, in its card or by `terraspore install --activation none`.",
        )
    _check_interface(network, model.card, tile or model.card.tile, str(model.weights))
    add_normalisation_and_activation(network, model.card, str(model.weights))
    return network


def load_network(model: Model, graphs: Path = GRAPHS) -> onnx.ModelProto:
    """Load the network of ``model`` with its weights: normalised image in, logits out; errors as ``build_graph``."""
    card, suffix = model.card, model.weights.suffix.lower()
    if suffix in {".onnx", ".mindir"}:
        if suffix == ".onnx":
            graph = load_onnx(model.weights)
        else:
            from ..mindir import convert

            graph = convert(model.weights)
        output = card.options.get(OUTPUT_OPTION)
        keep_output(graph, None if output is None else str(output), str(model.weights))
        return graph
    if card.architecture is None:
        raise GraphError(f"The card of {model.weights} names no architecture, which a checkpoint needs.")
    graph = load_onnx(graph_path(card.architecture, card.options, (graphs, model.weights.parent)))
    tensors = read_checkpoint(model.weights, wanted=lambda name: not is_training_state(name))
    fill_graph(graph, tensors, str(model.weights), {"classes": len(card.classes), "bands": card.bands})
    return graph


def known_architectures(graphs: Path = GRAPHS) -> list[str]:
    """The names of the architectures whose checkpoints can be run."""
    return sorted({path.stem.partition("-")[0] for path in graphs.glob("*.onnx")})


def graph_path(architecture: str, options: Mapping[str, OptionValue], folders: Sequence[Path] = (GRAPHS,)) -> Path:
    """Find the weightless graph of ``architecture`` with ``options`` in the first of ``folders`` that has it.

    Files are named after the architecture and, behind hyphens, the options that are not its defaults; their metadata
    hold all options that the graph was made with, as JSON. An option that is not given has its default.

    Raises:
        GraphError: there is none.
    """
    import onnx

    is_known = False
    for folder in folders:
        paths = [path for path in folder.glob("*.onnx") if path.stem.partition("-")[0] == architecture]
        for path in sorted(paths, key=lambda path: (len(path.stem), path.stem)):  # the defaults first
            is_known = True
            metadata = read_metadata(onnx.load(path, load_external_data=False))
            made_with = json.loads(metadata.get("options", "{}"))
            if all(option in made_with and made_with[option] == value for option, value in options.items()):
                return path
    if is_known:
        text = ", ".join(f"{option}: {value}" for option, value in options.items())
        raise GraphError(f"The architecture {shorten(architecture)} is not known with the options {text}.")
    known = ", ".join(known_architectures(folders[0])) or "none"
    raise GraphError(
        f"The architecture {shorten(architecture)} is not known; known are: {known}.",
        "`terraspore export` writes models of any network, with all that is needed to run them.",
    )


def parameter_shapes(graph: onnx.ModelProto) -> dict[str, Shape]:
    """Shapes of a weightless graph's parameters by name; a size that the checkpoint decides is a name."""
    return {value.name: _shape(value) for value in graph.graph.input[1:]}


def fill_graph(
    graph: onnx.ModelProto, tensors: Mapping[str, Array], origin: str, sizes: Mapping[str, int] | None = None
) -> None:
    """Load a checkpoint's ``tensors`` into a weightless ``graph``: its parameter inputs become initializers, in place.

    Args:
        graph: the weightless graph.
        tensors: the tensors of the checkpoint by name.
        origin: names the checkpoint in errors.
        sizes: sizes of dimensions that the graph gives by a name.

    Raises:
        CheckpointError: the tensors are not those of the network.
    """
    from onnx import numpy_helper

    known = sizes or {}
    wanted = {
        name: tuple(known.get(dim, dim) if isinstance(dim, str) else dim for dim in shape)
        for name, shape in parameter_shapes(graph).items()
    }
    unused = training_only_modules(graph)
    used = {name: tensor for name, tensor in tensors.items() if not is_in_modules(name, unused)}
    parameters = match_parameters(used, wanted, origin)
    del graph.graph.input[1:]
    graph.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in parameters.items())


def training_only_modules(graph: onnx.ModelProto) -> list[str]:
    """Names of the modules of a network that only training uses (auxiliary heads), by its graph's metadata."""
    return read_metadata(graph).get("training_only", "").split()


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(_size(dim, dim.dim_param) for dim in value.type.tensor_type.shape.dim)


def _check_interface(model: onnx.ModelProto, card: ModelCard, tile: int, origin: str) -> None:
    """Raise where the inputs and outputs of the network do not fit the card or the tile."""
    inputs, multiple = list_inputs(model.graph), int(read_metadata(model).get("multiple", "1"))
    if len(inputs) != 1 or not model.graph.output:
        raise GraphError(f"The network in {origin} has {len(inputs)} inputs; it must have one, the image.")
    image, scores = _shape(inputs[0]), _shape(model.graph.output[0])
    if len(image) != 4 or len(scores) not in {0, 4}:
        raise GraphError(f"The network in {origin} does not turn (N, bands, H, W) into (N, classes, H, W).")
    if isinstance(image[1], int) and image[1] != card.bands:
        raise GraphError(f"The network in {origin} takes {image[1]} bands, and its card says {card.bands}.")
    if any(isinstance(size, int) and size != tile for size in image[2:]):
        raise GraphError(f"The network in {origin} takes tiles of {image[3]} x {image[2]} pixels only, not of {tile}.")
    if tile % multiple:
        raise GraphError(f"The network in {origin} takes tiles whose side is a multiple of {multiple}, not of {tile}.")
    if model.graph.output[0].type.tensor_type.elem_type not in _SCORES:
        raise GraphError(f"The network in {origin} gives whole numbers, such as class ids, and not scores of classes.")
    if scores and isinstance(scores[1], int) and scores[1] != len(card.classes):
        raise GraphError(f"The network in {origin} gives {scores[1]} classes, and its card has {len(card.classes)}.")


def graph_identity(model: Model, graphs: Path = GRAPHS) -> str:
    """A text that changes with everything that ``build_graph`` depends on; a key for caches of compiled models."""
    digest = hashlib.sha256()
    if model.card.architecture is not None and model.weights.suffix.lower() == ".ckpt":
        # All variants of the architecture, because choosing one needs the onnx package, which is slow to import.
        for folder in (graphs, model.weights.parent):
            for template in sorted(folder.glob(f"{model.card.architecture}*.onnx")):
                digest.update(template.read_bytes())
    return f"{__version__} {model.sha256} {digest.hexdigest()} {card_text(model.card)}"


IMAGE, PROBABILITY = "image", "probability"
#: From this opset on Softmax works along one axis; before, it flattens all axes behind the given one.
_SOFTMAX_OPSET = 13


def add_normalisation_and_activation(model: onnx.ModelProto, card: ModelCard, origin: str) -> None:
    """Make ``model`` take pixels and return probabilities, in place.

    Args:
        model: a network from the normalised image (N, bands, H, W) of a float type to class scores
            (N, classes, H, W). Further outputs are dropped.
        card: defines the pixels' type, the normalisation and the activation.
        origin: names the model in errors.

    Raises:
        GraphError: the network takes whole numbers and the card asks for a normalisation.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    inner = list_inputs(graph)[0]
    kind = inner.type.tensor_type.elem_type
    pixel = helper.np_dtype_to_tensor_dtype(np.dtype(card.dtype))
    sizes = [_size(dim, name) for dim, name in zip(inner.type.tensor_type.shape.dim, ("N", "", "H", "W"), strict=True)]
    names = _reserved_names(graph, inner.name, graph.output[0].name)
    scores_type = graph.output[0].type.tensor_type.elem_type
    _rename_values(graph, names)
    nodes, constants = _normalising_nodes(card.normalisation, pixel, kind, names[inner.name], origin)
    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 1)
    nodes = [*nodes, *graph.node, *_activation_nodes(card.activation, scores_type, names[graph.output[0].name], opset)]
    sizes[1] = card.bands
    del graph.input[:], graph.output[:], graph.value_info[:], graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.input.append(helper.make_tensor_value_info(IMAGE, pixel, sizes))
    output = [sizes[0], len(card.classes), *sizes[2:]]
    graph.output.append(helper.make_tensor_value_info(PROBABILITY, TensorProto.FLOAT, output))


def _size(dim: onnx.TensorShapeProto.Dimension, name: str) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else name


def _reserved_names(graph: onnx.GraphProto, image: str, scores: str) -> dict[str, str]:
    """New names of the network's own input and output, and of values whose names the new graph uses."""
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {tensor.name for tensor in graph.initializer} | {image, scores}
    names = {name: f"network/{name}" for name in used if name in {IMAGE, PROBABILITY, image, scores}}
    for name, new in names.items():
        while new in used:
            new += "_"  # noqa: PLW2901
        names[name] = new
    return names


def _rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)


def _normalising_nodes(
    normalisation: Normalisation, pixel: int, kind: int, target: str, origin: str
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes from ``image`` to ``target`` and their constants; ``GraphError`` where an integer type cannot hold it.

    ``(x * scale - mean) / std`` is one multiplication and one addition, with factors computed in float64.
    """
    from onnx import TensorProto, helper, numpy_helper

    std = np.asarray(normalisation.std, np.float64).reshape(1, -1, 1, 1)
    factor = (normalisation.scale / std).astype(np.float32)
    shift = (-np.asarray(normalisation.mean, np.float64).reshape(std.shape) / std).astype(np.float32)
    constants = {}
    if np.any(factor != 1):
        constants["Mul"] = numpy_helper.from_array(factor, "normalisation/factor")
    if np.any(shift != 0):
        constants["Add"] = numpy_helper.from_array(shift, "normalisation/shift")
    steps: list[tuple[str, list[str], dict[str, Any]]]  # operator, inputs behind the value, attributes
    if kind in {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}:
        steps = [("Cast", [], {"to": TensorProto.FLOAT})] if pixel != TensorProto.FLOAT else []
        steps += [(operator, [constant.name], {}) for operator, constant in constants.items()]
        steps += [("Cast", [], {"to": kind})] if kind != TensorProto.FLOAT else []
    elif constants:
        raise GraphError(f"The network in {origin} takes whole numbers, and its card asks for a normalisation.")
    else:
        steps = [("Cast", [], {"to": kind})] if kind != pixel else []
    nodes, value = [], IMAGE
    for index, (operator, inputs, attributes) in enumerate(steps or [("Identity", [], {})], 1):
        result = target if index >= len(steps) else f"normalisation/{index - 1}"
        nodes.append(helper.make_node(operator, [value, *inputs], [result], **attributes))
        value = result
    return nodes, list(constants.values())


def _activation_nodes(activation: str, kind: int, scores: str, opset: int) -> Sequence[onnx.NodeProto]:
    """Nodes from ``scores`` to ``probability``, float32."""
    from onnx import TensorProto, helper

    nodes = []
    if kind not in {TensorProto.FLOAT, TensorProto.UNDEFINED}:
        nodes.append(helper.make_node("Cast", [scores], ["activation/scores"], to=TensorProto.FLOAT))
        scores = "activation/scores"
    if activation != "softmax":
        return [*nodes, helper.make_node("Sigmoid" if activation == "sigmoid" else "Identity", [scores], [PROBABILITY])]
    if opset >= _SOFTMAX_OPSET:
        return [*nodes, helper.make_node("Softmax", [scores], [PROBABILITY], axis=1)]
    return [
        *nodes,
        helper.make_node("Transpose", [scores], ["activation/last"], perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["activation/last"], ["activation/shares"], axis=3),
        helper.make_node("Transpose", ["activation/shares"], [PROBABILITY], perm=[0, 3, 1, 2]),
    ]
