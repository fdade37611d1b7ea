"""Batches for training, made ahead by worker threads; sample k of step s depends on (seed, s, k) only.

There is no hidden state: a run that is resumed at step s asks for step s and gets what an unbroken run would have got,
whatever the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import ParameterError, SourceError
from ..config import AugmentConfig, NormalisationConfig
from .augment import draw_sample
from .samples import Cache, Image


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        images: float32 (N, bands, H, W), normalised.
        labels: int32 (N, H, W) class ids.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]


def normalise(image: Image, config: NormalisationConfig) -> NDArray[np.float32]:
    """(H, W, bands) uint8 -> (bands, H, W) float32, ``(value * scale - mean) / std``; one mean may serve all bands."""
    mean, std = np.asarray(config.mean, np.float32), np.asarray(config.std, np.float32)
    if mean.size not in (1, image.shape[2]):
        raise ParameterError(f"The normalisation has {mean.size} values, but the image has {image.shape[2]} bands.")
    values = (image.astype(np.float32) * np.float32(config.scale) - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1))


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 7, epoch]).permutation(count)


@dataclass(frozen=True)
class Sampler:
    """Makes the training samples of one process.

    Attributes:
        cache: the images.
        augment: how they are changed.
        normalisation: what the network sees of a value.
        seed: of the run.
        batch: samples per batch and process.
        ignore: label value that counts nowhere.
        classes: labels lie below this number.
        rank: number of this process.
        ranks: number of processes.
    """

    cache: Cache
    augment: AugmentConfig
    normalisation: NormalisationConfig
    seed: int
    batch: int
    ignore: int = 255
    classes: int = 256
    rank: int = 0
    ranks: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which each image is seen once (the last one may reach into the next epoch)."""
        return max(1, -(-len(self.cache.split.items) // (self.batch * self.ranks)))

    def image_of(self, step: int, k: int) -> int:
        """Which image sample ``k`` of batch ``step`` is cut from: each epoch passes through all in a random order."""
        count = len(self.cache.split.items)
        position = (step * self.ranks + self.rank) * self.batch + k
        epoch, place = divmod(position, count)
        return int(_order(self.seed, epoch, count)[place])

    def make(self, step: int) -> Batch:
        """The batch number ``step`` (from 0)."""
        pairs = [self._sample(step, k) for k in range(self.batch)]
        images = np.stack([normalise(image, self.normalisation) for image, _ in pairs])
        labels = np.stack([label for _, label in pairs]).astype(np.int32)
        return Batch(images, labels)

    def _sample(self, step: int, k: int) -> tuple[Image, NDArray[np.uint8]]:
        rng = np.random.default_rng([self.seed, 11, step, self.rank * self.batch + k])
        index = self.image_of(step, k)
        image, label = self.cache.read(index)
        crop, target = draw_sample(image, label, self.augment, self.ignore, rng)
        counted = target[target != self.ignore]
        if counted.size and int(counted.max()) >= self.classes:
            raise SourceError(
                f"{self.cache.split.items[index].label} has the class {int(counted.max())}, but there are only "
                f"{self.classes}.",
                "Set network.num_classes, or data.label_map.",
            )
        return crop, target


def batches(sampler: Sampler, first: int, threads: int, prefetch: int) -> Iterator[Batch]:
    """Endless batches from number ``first`` on, made by ``threads`` workers up to ``prefetch`` batches ahead."""
    # Threads of ours already: OpenCV's own would only compete with them.
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="samples") as pool:
        waiting: deque[Future[Batch]] = deque()
        step = first
        try:
            while True:
                while len(waiting) <= prefetch:
                    waiting.append(pool.submit(sampler.make, step))
                    step += 1
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
