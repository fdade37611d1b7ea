"""Samples (image and label files) of a split, and how they are read into arrays of the wanted resolution."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError
from ...engine.fs.outputs import atomic_output
from ...engine.raster.contrast import Contrast, Stretch, match_contrast
from .image_files import Image, Mask, decode_image, measure_picture, read_label

Label = NDArray[np.uint8]
Decoder = Callable[[NDArray[np.generic]], Label]


@dataclass(frozen=True)
class Sample:
    """Files of one image and its label.

    Attributes:
        id: name of the image without suffix.
        image: file of the image.
        label: file of the label; None for a test image.
        instances: file of Cityscapes' instance ids (uint16 PNG), if there is one.
    """

    id: str
    image: Path
    label: Path | None
    instances: Path | None = None


@dataclass(frozen=True)
class Split:
    """Samples of one split, and how the values of a label file become class ids.

    Attributes:
        name: of the split.
        samples: sorted by id.
        decode: values of a label file -> uint8 class ids, ``ignore`` for ignored pixels.
        ignore: class id of pixels that are not counted.
        scales: magnification of each sample when it is read; empty for none.
        find_blank: whether areas without image are looked for, and ignored in the label.
        ignore_band: distances from the foreground between which the background is ignored, pixels after magnification.
        needs_labels: whether a sample without label is an error; else all of it is ignored.
        contrast: to which each image is stretched, or the stretch of all; None to use the values as they are.
    """

    name: str
    samples: tuple[Sample, ...]
    decode: Decoder
    ignore: int = 255
    scales: tuple[float, ...] = ()
    find_blank: bool = False
    ignore_band: tuple[float, float] = (0.0, 0.0)
    needs_labels: bool = True
    contrast: Contrast | Stretch | None = None

    def read(self, index: int) -> tuple[Image, Label]:
        """Image (H, W, bands) uint8 in RGB order and label (H, W) uint8 of sample ``index``, magnified by its scale.

        Pixels that a file declares to be without image (no data, transparent) are ignored in the label.

        Raises:
            SourceError: a file cannot be read, or image and label differ in size.
        """
        image, valid = self.decode_image(index)
        if self.samples[index].label is None and not self.needs_labels:
            label = np.full(image.shape[:2], self.ignore, np.uint8)
        else:
            label = self.read_label(index)
        if label.shape != image.shape[:2]:
            raise size_error(self.samples[index], label.shape[::-1], image.shape[1::-1])
        if valid is not None:
            label[~valid] = self.ignore
        if self.find_blank:
            label[find_blank_areas(image)] = self.ignore
        scale = self.scale(index)
        image, label = resample_image(self._stretch(image), scale), resample_label(label, scale)
        return image, ignore_around(label, self.ignore_band, self.ignore) if any(self.ignore_band) else label

    def read_image(self, index: int) -> Image:
        """Image of sample ``index`` alone, magnified by its scale; it may have no label."""
        return resample_image(self._stretch(self.decode_image(index)[0]), self.scale(index))

    def _stretch(self, image: Image) -> Image:
        """Stretch an image (H, W, bands) to the contrast, as the engine does."""
        layers = image.transpose(2, 0, 1)
        if isinstance(self.contrast, Contrast):
            return match_contrast(layers, self.contrast).transpose(1, 2, 0)
        if self.contrast is None:
            return image
        stretched = np.empty_like(layers)
        self.contrast.apply(layers, stretched)
        return stretched.transpose(1, 2, 0)

    def scale(self, index: int) -> float:
        """Magnification of sample ``index``."""
        return self.scales[index] if self.scales else 1.0

    def decode_image(self, index: int) -> tuple[Image, Mask | None]:
        """Image of sample ``index`` as it is stored, and which of its pixels are valid; None if all are."""
        return decode_image(self.samples[index].image)

    def read_values(self, index: int) -> NDArray[np.generic]:
        """Stored values of the label of sample ``index``.

        Raises:
            SourceError: there is no label, or it cannot be read.
        """
        sample = self.samples[index]
        if sample.label is None:
            raise SourceError(f"{sample.image} has no label.")
        return read_label(sample.label)

    def read_label(self, index: int) -> Label:
        """Class ids (H, W) of sample ``index``.

        Raises:
            SourceError: there is no label, it cannot be read, or its values cannot be class ids.
        """
        try:
            return self.decode(self.read_values(index))
        except ValueError as error:
            raise SourceError(
                f"The label {self.samples[index].label} {error}.", "`terraspore labels` converts colours to class ids."
            ) from error

    def identify(self, index: int) -> str:
        """Text that changes when the file of the image or the label of sample ``index`` does."""
        sample = self.samples[index]
        status = [(path, path.stat()) for path in (sample.image, sample.label) if path is not None]
        return " ".join(f"{path} {entry.st_size} {entry.st_mtime_ns}" for path, entry in status)

    def measure(self, index: int) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Width and height of image and label of sample ``index``, by the headers of the files; None without label."""
        sample = self.samples[index]
        return measure_picture(sample.image), None if sample.label is None else measure_picture(sample.label)


def size_error(sample: Sample, label: tuple[int, ...], image: tuple[int, ...]) -> SourceError:
    """Error for a label whose size (width, height) is not that of its image."""
    return SourceError(
        f"{sample.label} is {label[0]} x {label[1]}, but its image {sample.image.name} is {image[0]} x {image[1]}."
    )


@dataclass
class ImageCache:
    """Decoded images and labels of a split, kept in memory up to a budget and, if a folder is given, in files.

    Attributes:
        split: what is read.
        budget: memory in bytes.
        folder: for files that outlive the run; None for none.
    """

    split: Split
    budget: int
    folder: Path | None = None
    _cached: dict[int, tuple[Image, Label]] = field(default_factory=dict)
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, index: int) -> tuple[Image, Label]:
        """Image and label of sample ``index``, not to be written to. Thread-safe."""
        found = self._cached.get(index)
        if found is not None:
            return found
        image, label = self.split.read(index) if self.folder is None else self._read_file(index, self.folder)
        size = image.nbytes + label.nbytes
        with self._lock:
            if index not in self._cached and self._used + size <= self.budget:
                self._cached[index] = (image, label)
                self._used += size
        return image, label

    def _read_file(self, index: int, folder: Path) -> tuple[Image, Label]:
        """Read a sample from its file in the folder, which is written if there is none that can be read."""
        split = self.split
        # What the decoder makes of every value stands for the decoder.
        decoded = split.decode(np.arange(256, dtype=np.uint8)[None]).tobytes()
        options = split.find_blank, split.ignore, split.ignore_band, split.contrast
        text = f"{split.identify(index)} {split.scale(index)!r} {options}"
        path = folder / f"{hashlib.sha256(text.encode() + decoded).hexdigest()[:32]}.npz"
        try:
            with np.load(path) as file:
                return file["image"], file["label"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            image, label = split.read(index)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(path) as temporary, temporary.open("wb") as target:
            np.savez(target, image=image, label=label)
        return image, label


#: From and up to these values in all bands an area may be without image; compression blurs white and black.
_WHITE, _BLACK = 248, 4
#: Least width of such an area and the margin around it, pixels, and its least share of the image.
_WIDTH, _MARGIN, _SHARE = 15, 9, 0.02
#: Highest standard deviation of its values; bright roofs, snow and dark water have more.
_DEVIATION = 2.5


def find_blank_areas(image: Image) -> Mask:
    """Find uniformly white or black areas that reach the border of an image (H, W, bands): there is no image there."""
    blank = np.zeros(image.shape[:2], np.uint8)
    border = np.zeros(image.shape[:2], bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    element = np.ones((_WIDTH, _WIDTH), np.uint8)
    for flat in (image.min(2) >= _WHITE, image.max(2) <= _BLACK):
        if not (flat & border).any():
            continue
        # Padded by copies of the border, so that a strip along it need not be wide.
        padded = cv2.copyMakeBorder(flat.astype(np.uint8), *(_WIDTH,) * 4, cv2.BORDER_REPLICATE)
        opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, element)[_WIDTH:-_WIDTH, _WIDTH:-_WIDTH]
        count, regions = cv2.connectedComponents(np.ascontiguousarray(opened))
        areas = np.bincount(regions.ravel().astype(np.int64), minlength=count)
        for number in np.unique(regions[border & (regions > 0)]):
            region = regions == number
            if areas[number] > _SHARE * flat.size and image[region].std() < _DEVIATION:
                blank |= region.astype(np.uint8)
    return np.asarray(cv2.dilate(blank, np.ones((_MARGIN, _MARGIN), np.uint8)), bool)


def ignore_around(label: NDArray[np.uint8], band: tuple[float, float], ignore: int) -> NDArray[np.uint8]:
    """Ignore background in a band of distances from labelled foreground, because drawn widths are not true ones.

    Args:
        label: class ids (H, W), 0 is background; not changed.
        band: distances between which pixels are ignored, pixels.
        ignore: class id of pixels that are not counted.
    """
    background = ((label == 0) | (label == ignore)).astype(np.uint8)
    if background.all():
        return label
    distance = cv2.distanceTransform(background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where((label == 0) & (distance > band[0]) & (distance <= band[1]), np.uint8(ignore), label)


def resample_image(image: Image, scale: float) -> Image:
    """Magnify an image (H, W, bands) by ``scale``; a smaller pixel is the mean of what it covers."""
    size = _scaled_size(image, scale)
    if size == image.shape[1::-1]:
        return image
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA)
    return np.asarray(resized, np.uint8).reshape(size[1], size[0], -1)


def resample_label(label: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Magnify class ids (H, W) by ``scale``; a smaller pixel has the class that covers most of it."""
    size = _scaled_size(label, scale)
    if size == label.shape[::-1]:
        return label
    if scale > 1:
        return np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    # From the highest value down, so that a road of half a pixel stays.
    values = np.unique(label)[::-1]
    masks = ((label == value).astype(np.float32) for value in values)
    shares = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks]
    return np.asarray(values[np.argmax(shares, axis=0)], np.uint8)


def _scaled_size(values: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    """Width and height of an array (H, W, ...) after magnification."""
    return max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale))
