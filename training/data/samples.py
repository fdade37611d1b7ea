"""Images with labels as files, and how they are read into arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import SourceError

Image = NDArray[np.uint8]
Label = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One image and its label file.

    Attributes:
        id: what the image is called, without suffix.
        image: the image's file.
        label: the label's file; None for a test image.
        instances: Cityscapes' instance ids (uint16 PNG), where they are there.
    """

    id: str
    image: Path
    label: Path | None
    instances: Path | None = None


@dataclass(frozen=True)
class Split:
    """The items of one split, and how a label file becomes class ids.

    Attributes:
        name: what the split is called.
        items: sorted by id.
        decode: label as read from its file -> uint8 class ids, 255 where nothing counts.
    """

    name: str
    items: tuple[Item, ...]
    decode: Callable[[NDArray[np.generic]], Label]

    def read(self, index: int) -> tuple[Image, Label]:
        """Image (H, W, bands) uint8 in RGB order and label (H, W) uint8 of item ``index``.

        Raises:
            SourceError: a file cannot be read, or image and label differ in size.
        """
        item = self.items[index]
        image = read_image(item.image)
        if item.label is None:
            raise SourceError(f"{item.image} has no label file.")
        label = self.decode(read_label(item.label))
        if label.shape != image.shape[:2]:
            raise SourceError(
                f"{item.label} is {label.shape[1]} x {label.shape[0]}, but its image {item.image.name} is "
                f"{image.shape[1]} x {image.shape[0]}."
            )
        return image, label


def read_image(path: Path) -> Image:
    """The image as (H, W, bands) uint8, RGB; GeoTIFFs keep their bands, other files have three.

    Raises:
        SourceError: the file is missing or no image, or a GeoTIFF is not uint8.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        return _read_tiff(path)
    encoded = _bytes(path)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        raise SourceError(f"{path} is not an image that can be read.")
    return np.ascontiguousarray(image[:, :, ::-1]).astype(np.uint8, copy=False)


def read_label(path: Path) -> NDArray[np.generic]:
    """The values of a label file as they are stored: (H, W) or, for colour labels, (H, W, 3) in RGB order.

    Palette images give their indices. Raises:
        SourceError: the file is missing or no image.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        return _read_tiff(path)[:, :, 0]
    from PIL import Image as Pictures
    from PIL import UnidentifiedImageError

    try:
        with Pictures.open(path) as picture:
            values = np.asarray(picture)
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.") from error
    except (OSError, UnidentifiedImageError) as error:
        raise SourceError(f"{path} is not an image that can be read.") from error
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    return values[:, :, :3] if values.ndim == 3 else values


def _bytes(path: Path) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


def _read_tiff(path: Path) -> Image:
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        with rasterio.open(path) as source:
            values = source.read()
    except RasterioIOError as error:
        raise SourceError(f"{path} is not an image that can be read.") from error
    if values.dtype != np.uint8:
        raise SourceError(
            f"{path} has values of type {values.dtype}; training needs uint8.", "Make chips with `terraspore chips`."
        )
    return np.ascontiguousarray(values.transpose(1, 2, 0))


@dataclass
class Cache:
    """Keeps decoded images and labels in memory up to a budget; beyond it, files are read each time.

    Attributes:
        split: what is read.
        budget: bytes.
    """

    split: Split
    budget: int
    _kept: dict[int, tuple[Image, Label]] = field(default_factory=dict)
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, index: int) -> tuple[Image, Label]:
        """Image and label of item ``index``, not to be written to. Safe to call from several threads."""
        found = self._kept.get(index)
        if found is not None:
            return found
        image, label = self.split.read(index)
        size = image.nbytes + label.nbytes
        with self._lock:
            if index not in self._kept and self._used + size <= self.budget:
                self._kept[index] = (image, label)
                self._used += size
        return image, label


def map_values(mapping: Mapping[int, int], ignore: int) -> NDArray[np.uint8]:
    """A table of 256 entries: label value -> class id, ``ignore`` for values that are not in ``mapping``."""
    table = np.full(256, ignore, np.uint8)
    for value, class_id in mapping.items():
        table[value] = class_id
    return table
