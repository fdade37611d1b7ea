"""Training batches, made ahead by worker threads.

Sample ``k`` of batch ``number`` depends on (seed, number, k) only. There is no hidden state: a run that is resumed at
any step gets the batches of an uninterrupted one, whatever the number of threads.
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
from .augment import augment_sample
from .samples import Image, ImageCache


@dataclass(frozen=True)
class Batch:
    """Images and labels of one forward pass.

    Attributes:
        images: float32 (N, bands, H, W), normalised.
        labels: int32 (N, H, W) class ids.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]


def normalise(image: Image, config: NormalisationConfig) -> NDArray[np.float32]:
    """Normalise an image (H, W, bands) uint8 to (bands, H, W) float32: ``(value * scale - mean) / std``.

    Raises:
        ParameterError: there is neither one mean for all bands nor one for each.
    """
    mean, std = np.asarray(config.mean, np.float32), np.asarray(config.std, np.float32)
    if mean.size not in (1, image.shape[2]):
        raise ParameterError(f"The normalisation has {mean.size} values, but the image has {image.shape[2]} bands.")
    values = (image.astype(np.float32) * np.float32(config.scale) - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1))


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 7, epoch]).permutation(count)


@dataclass(frozen=True)
class BatchLoader:
    """Makes the training batches of one process, by number.

    Attributes:
        images: of the training split.
        augment: random crops and changes.
        normalisation: of the augmented images.
        seed: of the run.
        batch: samples per batch and process.
        ignore: label value that is not counted.
        classes: number of classes; labels must be below.
        rank: number of this process.
        ranks: number of processes.
    """

    images: ImageCache
    augment: AugmentConfig
    normalisation: NormalisationConfig
    seed: int
    batch: int
    ignore: int = 255
    classes: int = 256
    rank: int = 0
    ranks: int = 1

    @property
    def batches_per_epoch(self) -> int:
        """Batches in which each image is seen once (the last one may reach into the next epoch)."""
        return max(1, -(-len(self.images.split.samples) // (self.batch * self.ranks)))

    def image_index(self, number: int, k: int) -> int:
        """Index of the image of sample ``k`` of batch ``number``; each epoch goes through all in a random order."""
        count = len(self.images.split.samples)
        position = (number * self.ranks + self.rank) * self.batch + k
        epoch, place = divmod(position, count)
        return int(_epoch_order(self.seed, epoch, count)[place])

    def load(self, number: int) -> Batch:
        """Make batch ``number`` (from 0).

        Raises:
            SourceError: a file cannot be read, or a label is not below the number of classes.
        """
        images, labels = [], []
        for k in range(self.batch):
            rng = np.random.default_rng([self.seed, 11, number, self.rank * self.batch + k])
            index = self.image_index(number, k)
            image, label = self.images.read(index)
            crop, target = augment_sample(image, label, self.augment, self.ignore, rng)
            counted = target[target != self.ignore]
            if counted.size and int(counted.max()) >= self.classes:
                raise SourceError(
                    f"{self.images.split.samples[index].label} has the class {int(counted.max())}, but there are only "
                    f"{self.classes}.",
                    "Set network.num_classes, or data.label_map.",
                )
            images.append(normalise(crop, self.normalisation))
            labels.append(target)
        return Batch(np.stack(images), np.stack(labels).astype(np.int32))


def prefetch_batches(loader: BatchLoader, first: int, threads: int, prefetch: int) -> Iterator[Batch]:
    """Yield endless batches from number ``first`` on, made by ``threads`` workers up to ``prefetch`` batches ahead."""
    # The workers are threads already: OpenCV's own would only compete with them.
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="samples") as pool:
        pending: deque[Future[Batch]] = deque()
        number = first
        try:
            while True:
                while len(pending) <= prefetch:
                    pending.append(pool.submit(loader.load, number))
                    number += 1
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
