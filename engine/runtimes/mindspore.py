"""MindSpore: runs a checkpoint in the framework that it was trained in, where that is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from typing import Any

import numpy as np

from ..errors import GraphError, RuntimeUnavailableError, first_line
from ..models.card import ModelCard
from ..models.checkpoint import read_checkpoint
from ..models.graph import GRAPHS, graph_path, training_only_modules
from ..models.onnx_file import load_onnx
from ..models.parameters import is_in_modules, is_training_state, match_parameters
from ..models.registry import Model
from .base import (
    DeviceInfo,
    GraphProcess,
    NetworkFactory,
    Probabilities,
    Session,
    SessionConfig,
    Tiles,
    check_tiles,
    predict_in_batches,
    translate_error,
)
from .hardware import list_hardware
from .measure import choose_batch_size

_TARGETS = {"cpu": "CPU", "cuda": "GPU", "ascend": "Ascend"}
_BATCHES = (1, 2, 4)


class MindSpore:
    """The adapter of MindSpore."""

    name = "mindspore"
    title = "MindSpore"
    graph_process: GraphProcess = None

    def devices(self) -> list[DeviceInfo]:
        """Return the processor and the accelerators of this machine, with the reason where they cannot be tried."""
        reason = "" if importlib.util.find_spec("mindspore") else "MindSpore is not installed."
        return [DeviceInfo(self.name, device, title, reason) for device, title in list_hardware()]

    def open(self, model: Model, config: SessionConfig) -> MindSporeSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        if config.device not in _TARGETS:
            raise RuntimeUnavailableError(f"MindSpore knows no device '{config.device}'.")
        if config.precision not in {"auto", "float32"}:
            raise RuntimeUnavailableError(f"MindSpore does not compute in {config.precision} here, only in float32.")
        if model.weights.suffix.lower() != ".ckpt" or model.card.architecture is None:
            raise RuntimeUnavailableError(f"MindSpore runs checkpoints of known architectures, not {model.weights}.")
        if config.network_factory is None:
            raise RuntimeUnavailableError("MindSpore needs the training package, which has the networks; it is absent.")
        _configure(config)
        return MindSporeSession(self.name, _load_network(model, config.network_factory), model.card, config)


def _configure(config: SessionConfig) -> None:
    """Import MindSpore and set it up for the device."""
    # Without this, MindSpore on a CPU with AVX-512 takes oneDNN's reference convolution, which is 60 times slower.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    os.environ.setdefault("GLOG_v", "3")  # errors only, on stderr
    try:
        import mindspore

        mindspore.set_device(_TARGETS[config.device])
        mindspore.set_context(mode=mindspore.GRAPH_MODE)
        if config.threads is not None:
            mindspore.set_context(runtime_num_threads=config.threads)
    except (ImportError, RuntimeError, ValueError, TypeError) as error:
        raise RuntimeUnavailableError(f"MindSpore cannot use {config.device}: {first_line(error)[:300]}") from error


def _load_network(model: Model, network_factory: NetworkFactory) -> Any:
    """Return the network with the weights of the checkpoint, ready for inference."""
    import mindspore

    card = model.card
    network = network_factory(card.architecture, num_classes=len(card.classes), in_channels=card.bands, **card.options)
    # Heads which are used in training only need not be in the checkpoint.
    unused: list[str] = []
    with contextlib.suppress(GraphError):  # MindSpore needs no graph
        graph = graph_path(str(card.architecture), card.options, (GRAPHS, model.weights.parent))
        unused = training_only_modules(load_onnx(graph))
    parameters = {
        parameter.name: parameter for parameter in network.get_parameters() if not is_in_modules(parameter.name, unused)
    }
    tensors = read_checkpoint(
        model.weights, wanted=lambda name: not is_training_state(name) and not is_in_modules(name, unused)
    )
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    for name, values in match_parameters(tensors, shapes, str(model.weights)).items():
        parameters[name].set_data(mindspore.Tensor(values))
    network.set_train(False)
    return network


class MindSporeSession(Session):
    """A network in MindSpore, ready for inference; normalisation and activation are done in NumPy around it."""

    def __init__(self, runtime: str, network: Any, card: ModelCard, config: SessionConfig) -> None:
        import mindspore

        super().__init__(runtime, "float32", card, config, version=mindspore.__version__)
        self._network = network
        self._card = card
        self._mean = np.asarray(card.normalisation.mean, np.float32).reshape(1, -1, 1, 1)
        self._std = np.asarray(card.normalisation.std, np.float32).reshape(1, -1, 1, 1)
        self._batch = choose_batch_size(self._compute, self.shape, self.dtype, _BATCHES)

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Return the probabilities of ``tiles``; see ``Session.predict``."""
        tiles = check_tiles(tiles, self.shape, self.dtype)
        # Every batch size is compiled for itself: a call of another size is padded and cut into calls of this one.
        return predict_in_batches(self._compute, tiles, batch or self.batch)

    def _compute(self, tiles: Tiles) -> Probabilities:
        import mindspore

        scale = np.float32(self._card.normalisation.scale)
        images = (tiles.astype(np.float32) * scale - self._mean) / self._std
        try:
            scores = self._network(mindspore.Tensor(images)).asnumpy()
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise translate_error(error, "it computed a tile in MindSpore") from error
        return activate(scores, self._card.activation)

    def close(self) -> None:
        """Free the network."""
        self._network = None


def activate(scores: Probabilities, activation: str) -> Probabilities:
    """Return the probabilities of class scores (N, classes, H, W), float32."""
    if activation == "sigmoid":
        # Of the absolute value, so that exp never overflows.
        small = np.exp(-np.abs(scores))
        return np.asarray(np.where(scores >= 0, 1, small) / (1 + small), np.float32)
    if activation == "softmax":
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
    return np.asarray(scores, np.float32)
