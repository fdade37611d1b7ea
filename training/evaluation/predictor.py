"""Prediction of whole images: padded or in windows, at several scales, flipped and turned."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
from mindspore import Tensor, amp, nn
from numpy.typing import NDArray
from scipy.special import expit, softmax

from ...engine.errors import ParameterError
from ..backend import name_lack_of_memory
from ..checkpoint_io import load_checkpoint
from ..config import Config, EvaluationConfig, NormalisationConfig, TrainConfig
from ..data import normalise
from ..data.image_files import Image
from ..onednn import select_convolutions

Floats = NDArray[np.float32]
#: normalised images (N, bands, H, W) -> logits (N, classes, H, W)
NetworkFunction = Callable[[Floats], Floats]


class Predictor:
    """Predicts images of any size.

    Args:
        network: the network as a function of arrays.
        config: whole or in windows, scales, flips, threshold.
        normalisation: of the images.
    """

    def __init__(self, network: NetworkFunction, config: EvaluationConfig, normalisation: NormalisationConfig) -> None:
        self._network = network
        self._config = config
        self._normalisation = normalisation

    def predict(self, image: Image) -> Floats:
        """Probabilities (classes, H, W) float32 of an image (H, W, bands) uint8; the mean over all scales and flips."""
        config = self._config
        height, width = image.shape[:2]
        # Views are quarter turns of (bands, H, W), then flips along axes.
        flips: list[tuple[int, ...]] = [(), (2,), (1,), (1, 2)][: 4 if config.tta8 else 2 if config.flip else 1]
        views = list(product((0, 1) if config.tta8 else (0,), flips))
        total: Floats | np.float32 = np.float32(0)
        for scale in config.scales:
            scaled = image
            if scale != 1:
                size = (round(width * scale), round(height * scale))
                resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
                scaled = np.asarray(resized, np.uint8).reshape(size[1], size[0], -1)
            x = normalise(scaled, self._normalisation)
            for turns, axes in views:
                p = self._predict_view(np.ascontiguousarray(np.flip(np.rot90(x, turns, axes=(1, 2)), axes)))
                p = np.ascontiguousarray(np.rot90(np.flip(p, axes), -turns, axes=(1, 2)))
                if scale != 1:
                    p = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in p])
                total = total + p
        return np.asarray(total / np.float32(len(config.scales) * len(views)), np.float32)

    def classify(self, p: Floats) -> NDArray[np.uint8]:
        """Class ids (H, W) of probabilities: 1 where the only class reaches the threshold, else the most probable."""
        if p.shape[0] == 1:
            return np.asarray(p[0] >= self._config.threshold, np.uint8)
        return np.asarray(p.argmax(0), np.uint8)

    def _predict_view(self, x: Floats) -> Floats:
        """Probabilities of a normalised image (bands, H, W).

        Windows overlap, the last ones are moved back inside, and logits are averaged where they overlap (DGCNet).
        """
        if self._config.method == "whole":
            return activate(self._padded_logits(x))
        size, overlap = self._config.window, self._config.overlap
        height, width = x.shape[1:]
        total: Floats | None = None
        count = np.zeros((1, height, width), np.float32)
        for y, left in product(window_starts(height, size, overlap), window_starts(width, size, overlap)):
            logits = self._padded_logits(x[:, y : y + size, left : left + size])
            if total is None:
                total = np.zeros((logits.shape[0], height, width), np.float32)
            total[:, y : y + size, left : left + size] += logits
            count[:, y : y + size, left : left + size] += 1
        assert total is not None
        return activate(total / count)

    def _padded_logits(self, x: Floats) -> Floats:
        """Logits of an image padded to multiples by reflection, or by repetition if the image is too small."""
        height, width = x.shape[1:]
        down, right = -height % self._config.multiple, -width % self._config.multiple
        top, left = down // 2, right // 2
        if down or right:
            mode = "reflect" if min(height, width) > max(down, right) else "edge"
            pads = ((0, 0), (top, down - top), (left, right - left))
            x = np.pad(x, pads, mode=mode)  # type: ignore[call-overload]
        logits = self._network(np.ascontiguousarray(x[None]))[0]
        return np.asarray(logits[:, top : top + height, left : left + width])


def activate(logits: Floats) -> Floats:
    """Probabilities (..., classes, H, W): sigmoid for one class, softmax over several."""
    return np.asarray(expit(logits) if logits.shape[-3] == 1 else softmax(logits, -3), np.float32)


def window_starts(length: int, size: int, overlap: float) -> list[int]:
    """First pixels of the windows of ``size`` that cover ``length`` and share at least ``overlap`` (0 to 1)."""
    if length <= size:
        return [0]
    stride = max(1, int(np.ceil(size * (1 - overlap))))
    return [*range(0, length - size, stride), length - size]


def network_function(network: nn.Cell, *, compiled: bool) -> NetworkFunction:
    """The network's main logits in evaluation mode as a function of arrays.

    Args:
        network: put into evaluation mode.
        compiled: whether to compile it; its weights must not change afterwards.
    """
    network.set_train(False)

    def main_logits(images: Tensor) -> Tensor:
        """Main logits of a network that may have auxiliary ones."""
        output = network(images)
        return output[0] if isinstance(output, tuple) else output

    forward = ms.jit(main_logits) if compiled else main_logits

    def infer(x: Floats) -> Floats:
        """Logits (N, classes, H, W) of normalised images (N, bands, H, W)."""
        with name_lack_of_memory(
            f"an image of {x.shape[2]} x {x.shape[3]} pixels", "Set evaluation.method=windows, or a smaller window."
        ):
            return np.asarray(forward(Tensor(x)).asnumpy(), np.float32)

    return infer


def mix_precision(network: nn.Cell, config: TrainConfig) -> nn.Cell:
    """The network computing in the configured mixed precision; its parameters stay float32."""
    return network if config.amp == "O0" else amp.auto_mixed_precision(network, config.amp)


def checkpoint_path(config: Config, checkpoint: Path | None) -> Path:
    """The checkpoint to use: the given one, or the configuration's.

    Raises:
        ParameterError: there is none.
    """
    if checkpoint is None and not config.init.checkpoint:
        raise ParameterError("There are no weights to use.", "Give --checkpoint FILE.")
    return checkpoint or Path(config.init.checkpoint)


def load_predictor(config: Config, checkpoint: Path, make_network: Callable[[Config], nn.Cell]) -> Predictor:
    """Create the configured network, load a checkpoint into it and wrap it as a predictor, computing as in training.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another network.
        RuntimeUnavailableError: ``train.convolution`` names an operator that cannot be had.
    """
    replace_convolutions, _ = select_convolutions(config.train)
    network = replace_convolutions(make_network(config))
    load_checkpoint(network, checkpoint)
    function = network_function(mix_precision(network, config.train), compiled=config.train.compile)
    return Predictor(function, config.evaluation, config.normalisation)
