"""Writes a model folder: weights, card, ONNX and MINDIR, each compared with MindSpore before it counts."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import numpy as np
import onnx
from mindspore import nn
from numpy.typing import NDArray
from onnx import helper

from ...engine.errors import CheckpointError, GraphError, OutputError
from ...engine.mindir import convert
from ...engine.models.card import CARD_NAME, ModelCard, card_text, write_card
from ...engine.models.checkpoint import read_checkpoint, write_checkpoint
from ...engine.models.graph import GRAPHS, fill_graph, graph_path
from ...engine.models.infer_card import CARD_KEY
from ...engine.models.onnx_file import load_onnx
from ...engine.models.parameters import is_training_state, match_parameters
from ..config import Config
from ..networks import create_network
from .card import CardDetails, create_card, read_network_options
from .mindir import export_mindir

Precision = Literal["float16", "float32"]
Format = Literal["onnx", "mindir"]
Floats = NDArray[np.float32]

WEIGHTS = "weights.ckpt"
#: largest difference of a probability between MindSpore and what was exported
TOLERANCE = 1e-3


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        folder: the model.
        card: as it stands there.
        differences: largest difference of a probability to MindSpore's, by file.
    """

    folder: Path
    card: ModelCard
    differences: Mapping[str, float]


def export_model(
    checkpoint: Path,
    folder: Path,
    config: Config,
    details: CardDetails,
    *,
    precision: Precision = "float32",
    formats: Sequence[Format] = ("onnx", "mindir"),
    overwrite: bool = False,
) -> ExportResult:
    """Make a model folder of a checkpoint.

    Args:
        checkpoint: the network's weights; state of training in it is left out.
        folder: is written as a whole or not at all.
        config: what the network was trained with.
        details: of the card.
        precision: in which the weights are stored. The other formats have the same, rounded, values.
        formats: what is written beside the checkpoint and the card.
        overwrite: whether a folder that is there is replaced.

    Raises:
        CheckpointError: the checkpoint is damaged or of another network.
        GraphError: an exported file does not compute what MindSpore does.
        OutputError: the folder cannot be written.
        ParameterError: the card lacks something.
    """
    if folder.exists() and not overwrite:
        raise OutputError(f"There is something at {folder} already.", "Add --overwrite, or choose another --out.")
    network = _create(config)
    weights = _weights(checkpoint, network, precision)
    _load(network, weights)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write_checkpoint(partial / WEIGHTS, weights)
        digest = hashlib.sha256((partial / WEIGHTS).read_bytes()).hexdigest()
        card = create_card(config, details, weights=WEIGHTS, sha256=digest)
        write_card(partial / CARD_NAME, card)
        differences = _write_formats(partial, network, card, formats)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise OutputError(f"The model {folder} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ExportResult(folder, card, differences)


def _create(config: Config) -> nn.Cell:
    options = read_network_options(config)
    network = create_network(
        config.network.name,
        num_classes=config.network.num_classes,
        in_channels=options.in_channels,
        stem_pool=options.stem_pool,
        output_stride=options.output_stride,
    )
    network.set_train(False)
    return network


def _weights(checkpoint: Path, network: nn.Cell, precision: Precision) -> dict[str, NDArray[Any]]:
    """The network's weights from the checkpoint, in the precision they are stored in."""
    shapes = {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
    tensors = read_checkpoint(checkpoint, wanted=lambda name: not is_training_state(name))
    weights = match_parameters(tensors, shapes, str(checkpoint))
    if precision == "float32":
        return dict(weights)
    return {name: _rounded(name, values, checkpoint) for name, values in weights.items()}


def _rounded(name: str, values: Floats, checkpoint: Path) -> NDArray[Any]:
    """The weights in float16; running statistics as they are.

    Statistics are few, and a variance may lie beyond float16 or be rounded to 0, by which is divided.
    """
    if name.endswith(("moving_mean", "moving_variance")):
        return values
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise CheckpointError(f"{name} of {checkpoint} holds values beyond float16.", "Store float32 instead.")
    return rounded


def _load(network: nn.Cell, weights: Mapping[str, NDArray[Any]]) -> None:
    for parameter in network.get_parameters():
        parameter.set_data(ms.Tensor(weights[parameter.name].astype(np.float32)))


def _write_formats(folder: Path, network: nn.Cell, card: ModelCard, formats: Sequence[Format]) -> dict[str, float]:
    """Write and compare the formats; the largest difference by file."""
    multiple = card.multiple
    shapes = [(1, card.bands, 2 * multiple, 3 * multiple), (2, card.bands, 4 * multiple, 2 * multiple)]
    if multiple < 32:
        shapes = [(1, card.bands, 65, 97), (2, card.bands, 96, 64)]
    weights = read_checkpoint(folder / WEIGHTS)
    graph = load_onnx(graph_path(str(card.architecture), card.options, GRAPHS))
    fill_graph(graph, weights, WEIGHTS, {"classes": len(card.classes), "bands": card.bands})
    differences = {WEIGHTS: compare_with_mindspore(network, graph, card, shapes)}
    if "onnx" in formats:
        helper.set_model_props(graph, {"producer": "TerraSpore", CARD_KEY: card_text(card)})
        (folder / "model.onnx").write_bytes(graph.SerializeToString())
        differences["model.onnx"] = compare_with_mindspore(network, load_onnx(folder / "model.onnx"), card, shapes)
    if "mindir" in formats:
        shape = (1, card.bands, card.tile, card.tile)
        (folder / "model.mindir").write_bytes(export_mindir(network, shape))
        # At the size that it was exported with: MINDIR may have sizes in it.
        differences["model.mindir"] = compare_with_mindspore(network, convert(folder / "model.mindir"), card, [shape])
    wrong = {name: value for name, value in differences.items() if not value <= TOLERANCE}
    if wrong:
        name, value = next(iter(wrong.items()))
        raise GraphError(f"The exported {name} differs from MindSpore by {value:.2g}, more than {TOLERANCE}.")
    return differences


def compare_with_mindspore(
    network: nn.Cell, graph: onnx.ModelProto, card: ModelCard, shapes: Sequence[tuple[int, int, int, int]]
) -> float:
    """The largest difference of a probability between MindSpore and ONNX Runtime, on noise."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    activate = _activation(card)
    generator = np.random.default_rng(0)
    largest = 0.0
    for shape in shapes:
        image = generator.normal(size=shape).astype(np.float32)
        wanted = activate(network(ms.Tensor(image)).asnumpy())
        found = activate(np.asarray(session.run(None, {name: image})[0]))
        if found.shape != wanted.shape:
            raise GraphError(f"The exported network gives {found.shape} instead of {wanted.shape}.")
        largest = max(largest, float(np.abs(found - wanted).max()))
    return largest


def _activation(card: ModelCard) -> Callable[[Floats], Floats]:
    def sigmoid(logits: Floats) -> Floats:
        """Probabilities of single classes."""
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    def softmax(logits: Floats) -> Floats:
        """Probabilities over axis 1."""
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    return sigmoid if card.activation == "sigmoid" else softmax
