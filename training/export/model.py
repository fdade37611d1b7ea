"""Export a checkpoint to a model folder: weights, card, ONNX and MINDIR, each compared with MindSpore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import numpy as np
import onnx
from mindspore import nn
from numpy.typing import NDArray
from onnx import helper

from ...engine.errors import CheckpointError, GraphError, OutputError
from ...engine.fs.atomic import atomic_folder
from ...engine.fs.regular_file import compute_sha256
from ...engine.mindir import convert
from ...engine.models.card import CARD_NAME, ModelCard, card_text, write_card
from ...engine.models.checkpoint import MAX_CHECKPOINT_BYTES, read_checkpoint, write_checkpoint
from ...engine.models.domain import Domain
from ...engine.models.graph import fill_graph
from ...engine.models.infer_card import CARD_KEY
from ...engine.models.onnx_file import load_onnx
from ...engine.models.parameters import is_training_state, match_parameters
from ..config import Config
from ..evaluation.predictor import activate
from ..networks import create_configured_network
from .card import create_card, read_network_options
from .details import CardDetails
from .graphs import export_mindir, provide_graph

Precision = Literal["float16", "float32"]
Format = Literal["onnx", "mindir"]

WEIGHTS = "weights.ckpt"
#: Names of the other files, by format.
EXPORTED: Mapping[Format, str] = {"onnx": "model.onnx", "mindir": "model.mindir"}
#: largest accepted difference of a probability between MindSpore and an exported file
TOLERANCE = 1e-3


def export_model(
    checkpoint: Path,
    folder: Path,
    config: Config,
    details: CardDetails,
    *,
    domain: Domain | None = None,
    precision: Precision = "float32",
    formats: Sequence[Format] = ("onnx", "mindir"),
    overwrite: bool = False,
) -> dict[str, float]:
    """Export a checkpoint to a model folder.

    Args:
        checkpoint: the network's weights; the state of training in it is left out.
        folder: folder to write, as a whole or not at all; with the network's graph where ``resources`` has none.
        config: configuration of the training.
        details: further content of the card.
        domain: statistics of the training images, for the card.
        precision: of the stored weights; the other formats hold the same, rounded values.
        formats: what to write besides checkpoint and card.
        overwrite: whether to replace an existing folder.

    Returns:
        Largest difference of a probability from MindSpore's, by file.

    Raises:
        CheckpointError: the checkpoint is damaged or of another network.
        GraphError: an exported file does not compute what MindSpore does.
        OutputError: the folder cannot be written.
        ParameterError: the card lacks something.
    """
    _check_folder(folder, checkpoint, overwrite)
    read_network_options(config)  # raises where the bands do not fit the normalisation
    network = create_configured_network(config)
    network.set_train(False)
    weights = _read_weights(checkpoint, network, precision)
    for parameter in network.get_parameters():
        parameter.set_data(ms.Tensor(weights[parameter.name].astype(np.float32)))
    with atomic_folder(folder, overwrite=overwrite) as temporary:
        write_checkpoint(temporary / WEIGHTS, weights)
        digest = compute_sha256(temporary / WEIGHTS, MAX_CHECKPOINT_BYTES, CheckpointError)
        card = create_card(config, details, weights=WEIGHTS, sha256=digest, domain=domain)
        write_card(temporary / CARD_NAME, card)
        return _write_formats(temporary, network, card, formats)


def _check_folder(folder: Path, checkpoint: Path, overwrite: bool) -> None:
    """Raise ``OutputError`` if ``folder`` must not be replaced, because it is more than the folder of another model."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not overwrite or not folder.is_dir():
        raise OutputError(f"There is something at {folder} already.", "Add --overwrite, or choose another --out.")
    others = sorted({path.name for path in folder.iterdir()} - {WEIGHTS, CARD_NAME, *EXPORTED.values()})
    if others:
        raise OutputError(f"The folder {folder} holds {others[0]}, which is not of a model.", "Choose another --out.")
    if folder.resolve() == checkpoint.resolve().parent:
        raise OutputError(f"The checkpoint {checkpoint} is in the folder {folder} itself.", "Choose another --out.")


def _read_weights(checkpoint: Path, network: nn.Cell, precision: Precision) -> dict[str, NDArray[Any]]:
    """Read the network's weights, in the precision they are stored in."""
    shapes = {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
    tensors = read_checkpoint(checkpoint, wanted=lambda name: not is_training_state(name))
    weights: dict[str, NDArray[Any]] = dict(match_parameters(tensors, shapes, str(checkpoint)))
    if precision == "float32":
        return weights
    for name, values in weights.items():
        # Running statistics stay: they are few, and a variance may lie beyond float16 or be rounded to 0, a divisor.
        if not name.endswith(("moving_mean", "moving_variance")):
            with np.errstate(over="ignore"):
                weights[name] = values.astype(np.float16)
            if not np.isfinite(weights[name]).all():
                raise CheckpointError(f"{name} of {checkpoint} holds values beyond float16.", "Store float32 instead.")
    return weights


def _write_formats(folder: Path, network: nn.Cell, card: ModelCard, formats: Sequence[Format]) -> dict[str, float]:
    """Write the formats, compare them and the checkpoint with MindSpore, and return the largest difference by file."""
    multiple = card.multiple
    shapes = [(1, card.bands, 2 * multiple, 3 * multiple), (2, card.bands, 4 * multiple, 2 * multiple)]
    if multiple < 32:
        shapes = [(1, card.bands, 65, 97), (2, card.bands, 96, 64)]
    graph = load_onnx(provide_graph(card, folder))
    sizes = {"classes": len(card.classes), "bands": card.bands}
    fill_graph(graph, read_checkpoint(folder / WEIGHTS), WEIGHTS, sizes)
    differences = {WEIGHTS: compare_with_mindspore(network, graph, shapes)}
    if "onnx" in formats:
        helper.set_model_props(graph, {"producer": "TerraSpore", CARD_KEY: card_text(card)})
        path = folder / EXPORTED["onnx"]
        path.write_bytes(graph.SerializeToString())
        differences[path.name] = compare_with_mindspore(network, load_onnx(path), shapes)
    if "mindir" in formats:
        shape = (1, card.bands, card.tile, card.tile)
        path = folder / EXPORTED["mindir"]
        path.write_bytes(export_mindir(network, shape))
        # MINDIR holds the size it was exported with.
        differences[path.name] = compare_with_mindspore(network, convert(path), [shape])
    for name, value in differences.items():
        if not value <= TOLERANCE:
            raise GraphError(f"The exported {name} differs from MindSpore by {value:.2g}, more than {TOLERANCE}.")
    return differences


def compare_with_mindspore(
    network: nn.Cell, graph: onnx.ModelProto, shapes: Sequence[tuple[int, int, int, int]]
) -> float:
    """Run ``network`` and ``graph`` on noise, and return the largest difference of a probability.

    Args:
        network: in evaluation mode.
        graph: run by ONNX Runtime.
        shapes: of the inputs: (N, bands, H, W).

    Raises:
        GraphError: the outputs have different shapes.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    generator = np.random.default_rng(0)
    largest = 0.0
    for shape in shapes:
        image = generator.normal(size=shape).astype(np.float32)
        expected = activate(network(ms.Tensor(image)).asnumpy())
        exported = activate(np.asarray(session.run(None, {name: image})[0]))
        if exported.shape != expected.shape:
            raise GraphError(f"The exported network gives {exported.shape} instead of {expected.shape}.")
        largest = max(largest, float(np.abs(exported - expected).max()))
    return largest
