"""Training batches, made ahead by worker threads.

Sample ``k`` of batch ``number`` depends on (seed, number, k) only. There is no hidden state: a run that is resumed at
any step gets the batches of an uninterrupted one, whatever the number of threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.concurrency import map_bounded
from ...engine.errors import ParameterError, SourceError
from ..config import AugmentConfig, Config, DataConfig, NormalisationConfig, class_names
from .augment import augment_sample, random_window
from .checks import class_error
from .image_files import Image
from .mixing import exchange_low_frequencies, match_histograms, paste_rectangle
from .samples import ImageCache, Label
from .sources import Source


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


#: Draws in which every source has its exact share.
_ROUND = 1000


@lru_cache(maxsize=64)
def _epoch_order(seed: int, epoch: int, count: int, source: int) -> NDArray[np.int64]:
    # The first source alone has the order that it had before there were several.
    entropy = [seed, 7, epoch, source] if source else [seed, 7, epoch]
    return np.random.default_rng(entropy).permutation(count)


@lru_cache(maxsize=4)
def _round_order(seed: int, number: int, weights: tuple[float, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source of each draw of a round, and how often it was drawn in the round before."""
    shares = np.cumsum(weights) / sum(weights)
    bounds = np.concatenate(([0], np.rint(shares * _ROUND))).astype(np.int64)
    counts = bounds[1:] - bounds[:-1]
    sources = np.random.default_rng([seed, 13, number]).permutation(np.repeat(np.arange(len(weights)), counts))
    before = np.zeros(len(sources), np.int64)
    for source in range(len(weights)):
        drawn = sources == source
        before[drawn] = np.arange(np.count_nonzero(drawn))
    return sources, before


@dataclass(frozen=True)
class DrawOrder:
    """Which image of which source is drawn at each position of a training.

    Sources alternate at random by their weights. The images of a source come in a random order, all of them before any
    comes again.

    Attributes:
        counts: images of each source.
        weights: of the sources, relative to each other.
        seed: of the run.
    """

    counts: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int

    def draw(self, position: int) -> tuple[int, int]:
        """Number of the source, and index of its image, at a position from 0."""
        source, place = 0, position
        if len(self.counts) > 1:
            number, inside = divmod(position, _ROUND)
            sources, before = _round_order(self.seed, number, self.weights)
            source = int(sources[inside])
            place = number * int(np.count_nonzero(sources == source)) + int(before[inside])
        epoch, index = divmod(place, self.counts[source])
        return source, int(_epoch_order(self.seed, epoch, self.counts[source], source)[index])


@dataclass(frozen=True)
class BatchLoader:
    """Makes the training batches of one process, by number.

    Attributes:
        images: of the training split of each source.
        augment: random crops and changes.
        normalisation: of the augmented images.
        seed: of the run.
        batch: samples per batch and process.
        ignore: label value that is not counted.
        names: of the classes; labels must be below their number.
        weights: of the sources; equal unless given.
        rank: number of this process.
        ranks: number of processes.
    """

    images: tuple[ImageCache, ...]
    augment: AugmentConfig
    normalisation: NormalisationConfig
    seed: int
    batch: int
    ignore: int = 255
    names: tuple[str, ...] = ("background", "foreground")
    weights: tuple[float, ...] = ()
    rank: int = 0
    ranks: int = 1

    @property
    def batches_per_epoch(self) -> int:
        """Batches that draw as many images as there are (the last one may reach into the next epoch)."""
        return max(1, -(-sum(len(cache.split.samples) for cache in self.images) // (self.batch * self.ranks)))

    def draw(self, number: int, k: int) -> tuple[int, int]:
        """Number of the source, and index of its image, of sample ``k`` of batch ``number``."""
        counts = tuple(len(cache.split.samples) for cache in self.images)
        order = DrawOrder(counts, self.weights or (1.0,) * len(counts), self.seed)
        return order.draw((number * self.ranks + self.rank) * self.batch + k)

    def load(self, number: int) -> Batch:
        """Make batch ``number`` (from 0).

        Raises:
            SourceError: a file cannot be read, or a label is not below the number of classes.
        """
        samples = [self.load_sample(number, k) for k in range(self.batch)]
        images = [normalise(crop, self.normalisation) for crop, _ in samples]
        return Batch(np.stack(images), np.stack([target for _, target in samples]).astype(np.int32))

    def load_sample(self, number: int, k: int) -> tuple[Image, Label]:
        """Augmented image (crop, crop, bands) and label (crop, crop) of sample ``k`` of batch ``number``; uint8."""
        position = self.rank * self.batch + k
        rng = np.random.default_rng([self.seed, 11, number, position])
        # What other images change has a generator of its own, so that the rest of a sample does not depend on it.
        mixing = np.random.default_rng([self.seed, 17, number, position])
        source, index = self.draw(number, k)
        crop, target = self._augment(source, index, rng, mixing)
        if self.augment.mix_chance > 0 and mixing.random() < self.augment.mix_chance:
            drawn = self._draw_other(source, index, mixing)
            other = self._augment(*drawn, mixing, mixing)
            self._check_bands(crop, (source, index), other[0], drawn)
            crop, target = paste_rectangle((crop, target), other, self.augment.mix, mixing)
        return crop, target

    def _augment(
        self, source: int, index: int, rng: np.random.Generator, mixing: np.random.Generator
    ) -> tuple[Image, Label]:
        """Augment an image and its label; ``mixing`` draws what another image changes, ``rng`` all else."""

        def restyle(crop: Image) -> Image:
            return self._restyle(crop, source, index, mixing)

        image, label = self.images[source].read(index)
        crop, target = augment_sample(image, label, self.augment, self.ignore, rng, restyle=restyle)
        counted = target[target != self.ignore]
        if counted.size and int(counted.max()) >= len(self.names):
            raise class_error(self.images[source].split.samples[index].label, int(counted.max()), self.names)
        return crop, target

    def _restyle(self, crop: Image, source: int, index: int, rng: np.random.Generator) -> Image:
        """Change the colours of a crop of an image, at random, by those of another image."""
        config = self.augment
        for chance, limits, change in (
            (config.exchange_chance, config.exchange, exchange_low_frequencies),
            (config.histogram_chance, config.histogram, match_histograms),
        ):
            if chance > 0 and rng.random() < chance:
                drawn = self._draw_other(source, index, rng)
                reference = random_window(self.images[drawn[0]].read(drawn[1])[0], config, rng)
                self._check_bands(crop, (source, index), reference, drawn)
                crop = change(crop, reference, float(rng.uniform(*limits)))
        return crop

    def _check_bands(self, crop: Image, own: tuple[int, int], reference: Image, other: tuple[int, int]) -> None:
        """Raise ``SourceError`` where two images, given by source and index, differ in their number of bands."""
        if crop.shape[2] != reference.shape[2]:
            files = [self.images[source].split.samples[index].image for source, index in (own, other)]
            raise SourceError(f"{files[0]} has {crop.shape[2]} bands, but {files[1]} has {reference.shape[2]}.")

    def _draw_other(self, source: int, index: int, rng: np.random.Generator) -> tuple[int, int]:
        """Draw another source by the weights of the others, or the only one; and an image of it, another one there."""
        counts = [len(cache.split.samples) for cache in self.images]
        if len(counts) == 1:
            return 0, (index + int(rng.integers(1, max(2, counts[0])))) % counts[0]
        weights = np.array(self.weights or (1.0,) * len(counts))
        weights[source] = 0
        other = int(rng.choice(len(counts), p=weights / weights.sum()))
        return other, int(rng.integers(counts[other]))


def make_loader(config: Config, sources: Sequence[Source], rank: int = 0, ranks: int = 1) -> BatchLoader:
    """Make the loader of a run.

    Args:
        config: augmentation, normalisation, seed, batch, caches.
        sources: training samples.
        rank: number of this process.
        ranks: number of processes.
    """
    return BatchLoader(
        images=make_caches(config.data, sources),
        augment=config.augment,
        normalisation=config.normalisation,
        seed=config.seed,
        batch=config.train.batch,
        ignore=config.data.ignore,
        names=class_names(config),
        weights=tuple(source.weight for source in sources),
        rank=rank,
        ranks=ranks,
    )


def make_caches(config: DataConfig, sources: Sequence[Source]) -> tuple[ImageCache, ...]:
    """Make a cache for each source; its share of the memory is that of its images."""
    total = sum(len(source.split.samples) for source in sources)
    folder = Path(config.cache_path) if config.cache_path else None
    return tuple(
        ImageCache(source.split, config.cache_mb * 1_000_000 * len(source.split.samples) // total, folder)
        for source in sources
    )


def prefetch_batches(loader: BatchLoader, first: int, threads: int, prefetch: int) -> Iterator[Batch]:
    """Yield endless batches from number ``first`` on, made by ``threads`` workers up to ``prefetch`` batches ahead."""
    # The workers are threads already: OpenCV's own would only compete with them.
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="samples")
    try:
        yield from map_bounded(pool, loader.load, itertools.count(first), prefetch)
    finally:
        pool.shutdown(cancel_futures=True)
