"""Samples (image and label files) of a split, and how they are read into arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError

Image = NDArray[np.uint8]
Label = NDArray[np.uint8]


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
        decode: values of a label file -> uint8 class ids, 255 for ignored pixels.
    """

    name: str
    samples: tuple[Sample, ...]
    decode: Callable[[NDArray[np.generic]], Label]

    def read(self, index: int) -> tuple[Image, Label]:
        """Image (H, W, bands) uint8 in RGB order and label (H, W) uint8 of sample ``index``.

        Raises:
            SourceError: a file cannot be read, or image and label differ in size.
        """
        sample = self.samples[index]
        image = read_image(sample.image)
        if sample.label is None:
            raise SourceError(f"{sample.image} has no label file.")
        label = self.decode(read_label(sample.label))
        if label.shape != image.shape[:2]:
            raise SourceError(
                f"{sample.label} is {label.shape[1]} x {label.shape[0]}, but its image {sample.image.name} is "
                f"{image.shape[1]} x {image.shape[0]}."
            )
        return image, label


def read_image(path: Path) -> Image:
    """Read an image as (H, W, bands) uint8; GeoTIFFs keep their bands, other files have three in RGB order.

    Raises:
        SourceError: the file is missing or no image, or a GeoTIFF is not uint8.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        return _read_tiff(path)
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        raise SourceError(f"{path} is not an image that can be read.")
    return np.ascontiguousarray(image[:, :, ::-1]).astype(np.uint8, copy=False)


def read_label(path: Path) -> NDArray[np.generic]:
    """Read the stored values of a label file: (H, W), indices for palette images, or (H, W, 3) RGB for colour labels.

    Raises:
        SourceError: the file is missing or no image.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        return _read_tiff(path)[:, :, 0]
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

    try:
        with PillowImage.open(path) as picture:
            values = np.asarray(picture)
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.") from error
    except (OSError, UnidentifiedImageError) as error:
        raise SourceError(f"{path} is not an image that can be read.") from error
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    return values[:, :, :3] if values.ndim == 3 else values


def _read_tiff(path: Path) -> Image:
    from rasterio.errors import RasterioError

    from ...engine.raster.dataset import open_raster

    try:
        with open_raster(path) as source:
            values = source.read()
    except RasterioError as error:
        raise SourceError(f"{path} is not an image that can be read.") from error
    if values.dtype != np.uint8:
        raise SourceError(
            f"{path} has values of type {values.dtype}; training needs uint8.", "Make chips with `terraspore chips`."
        )
    return np.ascontiguousarray(values.transpose(1, 2, 0))


@dataclass
class ImageCache:
    """Decoded images and labels of a split, kept in memory up to a budget; others are read from their files each time.

    Attributes:
        split: what is read.
        budget: memory in bytes.
    """

    split: Split
    budget: int
    _cached: dict[int, tuple[Image, Label]] = field(default_factory=dict)
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, index: int) -> tuple[Image, Label]:
        """Image and label of sample ``index``, not to be written to. Thread-safe."""
        found = self._cached.get(index)
        if found is not None:
            return found
        image, label = self.split.read(index)
        size = image.nbytes + label.nbytes
        with self._lock:
            if index not in self._cached and self._used + size <= self.budget:
                self._cached[index] = (image, label)
                self._used += size
        return image, label
