"""Probabilities of whole images: padded, in windows, at several scales, mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import EvaluationConfig, NormalisationConfig
from ..data import normalise
from ..data.samples import Image

Floats = NDArray[np.float32]
#: normalised images (N, bands, H, W) -> logits (N, classes, H, W)
Infer = Callable[[Floats], Floats]


def activate(logits: Floats) -> Floats:
    """Probabilities (classes, H, W): a sigmoid for one class, a softmax over several."""
    if logits.shape[0] == 1:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
    shifted = np.exp(logits - logits.max(0, keepdims=True))
    return np.asarray(shifted / shifted.sum(0, keepdims=True), np.float32)


class Predictor:
    """Gives probabilities for whole images of any size.

    Args:
        infer: the network.
        config: how: as a whole or in windows, scales, flips.
        normalisation: what the network sees of a value.
    """

    def __init__(self, infer: Infer, config: EvaluationConfig, normalisation: NormalisationConfig) -> None:
        self._infer = infer
        self._config = config
        self._normalisation = normalisation

    def probabilities(self, image: Image) -> Floats:
        """(classes, H, W) float32 of an image (H, W, bands) uint8; the mean over all scales and flips."""
        height, width = image.shape[:2]
        total: Floats | None = None
        count = 0
        for scale in self._config.scales:
            scaled = image if scale == 1 else _resize(image, round(height * scale), round(width * scale))
            x = normalise(scaled, self._normalisation)
            for turned, undo in self._turned(x):
                p = undo(self._once(np.ascontiguousarray(turned)))
                back = p if scale == 1 else _resize_planes(p, height, width)
                total = back if total is None else total + back
                count += 1
        assert total is not None
        return np.asarray(total / np.float32(count), np.float32)

    def classes(self, image: Image) -> NDArray[np.uint8]:
        """Class ids (H, W): 1 where the only class reaches the threshold, else the most probable class."""
        return self.decide(self.probabilities(image))

    def decide(self, p: Floats) -> NDArray[np.uint8]:
        """Class ids of probabilities (classes, H, W)."""
        if p.shape[0] == 1:
            return np.asarray(p[0] >= self._config.threshold, np.uint8)
        return np.asarray(p.argmax(0), np.uint8)

    def _turned(self, x: Floats) -> Iterator[tuple[Floats, Callable[[Floats], Floats]]]:
        """The image as it is and, as configured, its flips and quarter turns, each with what undoes it."""
        turns = (0, 1) if self._config.tta8 else (0,)
        vertical = (False, True) if self._config.tta8 else (False,)
        horizontal = (False, True) if self._config.tta8 or self._config.flip else (False,)
        for k in turns:
            for v in vertical:
                for h in horizontal:
                    yield _turn(x, k, v, h), lambda p, k=k, v=v, h=h: _turn_back(p, k, v, h)  # type: ignore[misc]

    def _once(self, x: Floats) -> Floats:
        """Probabilities of one normalised image (bands, H, W)."""
        if self._config.method == "whole":
            return activate(self._padded(x))
        return self._sliding(x)

    def _padded(self, x: Floats) -> Floats:
        """Logits of an image whose sides are made multiples by reflection (or repetition, where it is too small)."""
        height, width = x.shape[1:]
        down, right = -height % self._config.multiple, -width % self._config.multiple
        top, left = down // 2, right // 2
        mode = "reflect" if min(height, width) > max(down, right) else "edge"
        pads = ((0, 0), (top, down - top), (left, right - left))
        padded = np.pad(x, pads, mode=mode) if down or right else x  # type: ignore[call-overload]
        logits = self._infer(np.ascontiguousarray(padded[None]))[0]
        return np.asarray(logits[:, top : top + height, left : left + width])

    def _sliding(self, x: Floats) -> Floats:
        """Overlapping windows, the last ones moved back inside; logits are averaged where they overlap (DGCNet)."""
        size = self._config.window
        height, width = x.shape[1:]
        total: Floats | None = None
        count = np.zeros((1, height, width), np.float32)
        for y in starts(height, size, self._config.overlap):
            for left in starts(width, size, self._config.overlap):
                logits = self._padded(x[:, y : y + size, left : left + size])
                if total is None:
                    total = np.zeros((logits.shape[0], height, width), np.float32)
                total[:, y : y + size, left : left + size] += logits
                count[:, y : y + size, left : left + size] += 1
        assert total is not None
        return activate(total / count)


def starts(length: int, size: int, overlap: float) -> list[int]:
    """Where windows of ``size`` begin so that they cover ``length`` with at least the share ``overlap`` in common."""
    if length <= size:
        return [0]
    stride = max(1, int(np.ceil(size * (1 - overlap))))
    first = list(range(0, length - size, stride))
    return [*first, length - size]


def _turn(x: Floats, k: int, vertical: bool, horizontal: bool) -> Floats:
    turned = np.rot90(x, k, axes=(1, 2))
    turned = turned[:, ::-1] if vertical else turned
    return turned[:, :, ::-1] if horizontal else turned


def _turn_back(p: Floats, k: int, vertical: bool, horizontal: bool) -> Floats:
    p = p[:, :, ::-1] if horizontal else p
    p = p[:, ::-1] if vertical else p
    return np.ascontiguousarray(np.rot90(p, -k, axes=(1, 2)))


def _resize(image: Image, height: int, width: int) -> Image:
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8).reshape(height, width, -1)


def _resize_planes(p: Floats, height: int, width: int) -> Floats:
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in p])
