"""Files of images and labels, and how they are decoded: size limits, bands, values, pixels without image."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image as PillowImage
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from ...engine.errors import SourceError
from ...engine.raster.dataset import open_raster

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Most pixels of an image or a label, because a file of a few bytes can claim to have any number of them.
MAX_PIXELS = 1 << 27
MAX_BANDS = 64
_TIFF = (".tif", ".tiff")
#: Pillow's formats that are read; some others start programs.
_FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "BMP", "GIF", "PPM")
_ORIENTATION = 0x0112

# Large pictures are refused here, and training needs no georeferencing: the warnings tell a person nothing. They are
# switched off once, because filters that are set for the time of a call are not safe among threads.
warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
warnings.simplefilter("ignore", NotGeoreferencedWarning)


def as_uint8(values: Any) -> NDArray[np.uint8]:
    """OpenCV's result as the array of uint8 that it is known to be."""
    return np.asarray(values, np.uint8)


def read_image(path: Path) -> Image:
    """Read an image as (H, W, bands) uint8; GeoTIFFs keep their bands, other files have three in RGB order.

    Raises:
        SourceError: the file is missing or no image, too large, or not uint8.
    """
    return decode_image(path)[0]


def decode_image(path: Path, data: bytes | None = None) -> tuple[Image, Mask | None]:
    """Read an image as ``read_image`` does, and which of its pixels are valid; None if all are.

    Pixels are invalid where a GeoTIFF has no data, or a picture is transparent.

    Args:
        path: the file, whose suffix tells GeoTIFFs from pictures.
        data: its content, if it is not in a file.

    Raises:
        SourceError: it is missing, no image, too large, or not uint8.
    """
    if path.suffix.lower() in _TIFF:
        image, valid = _decode_tiff(path, data)
    else:
        data = _read_file(path) if data is None else data
        with _open_picture(path, data) as picture:
            valid = _opaque_pixels(picture)
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if decoded is None:
            raise SourceError(f"{path} is not an image that can be read.")
        image = np.ascontiguousarray(decoded[:, :, ::-1])
    if image.dtype != np.uint8:
        raise SourceError(
            f"{path} has values of type {image.dtype}; training needs uint8.", "Make chips with `terraspore chips`."
        )
    return image.astype(np.uint8, copy=False), valid


def read_label(path: Path, data: bytes | None = None) -> NDArray[np.generic]:
    """Read the stored values of a label: (H, W), indices for palette images, or (H, W, 3) RGB for colour labels.

    Args:
        path: the file.
        data: its content, if it is not in a file.

    Raises:
        SourceError: it is missing, no image or too large.
    """
    if path.suffix.lower() in _TIFF:
        return _decode_tiff(path, data)[0][:, :, 0]
    with _open_picture(path, data) as picture:
        values = np.array(picture)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    return values[:, :, :3] if values.ndim == 3 else values


def measure_picture(path: Path, data: bytes | None = None) -> tuple[int, int]:
    """Width and height of an image or label from its header, which is in ``data`` if that is given.

    Raises:
        SourceError: the file is missing, no image or too large.
    """
    if path.suffix.lower() in _TIFF:
        with _open_tiff(path, data) as dataset:
            return int(dataset.width), int(dataset.height)
    with _open_picture(path, data) as picture:
        # Cameras store pictures lying on their side; OpenCV turns them.
        width, height = picture.size
        return (height, width) if picture.getexif().get(_ORIENTATION, 1) > 4 else (width, height)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def _open_picture(path: Path, data: bytes | None) -> Iterator[PillowImage.Image]:
    """Open a picture, from ``data`` if given; only the header is read before its size is checked."""
    try:
        with PillowImage.open(path if data is None else io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise PillowImage.DecompressionBombError
            yield picture
    except PillowImage.DecompressionBombError as error:
        raise _too_large(path) from error
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceError(f"{path} is not an image that can be read.") from error


@contextmanager
def _open_tiff(path: Path, data: bytes | None) -> Iterator[Any]:
    """Open a GeoTIFF with the engine's checks, or its content ``data`` as nothing but a GeoTIFF."""
    with ExitStack() as stack:
        if data is None:
            dataset = stack.enter_context(open_raster(path))
        else:
            try:
                file = stack.enter_context(MemoryFile(data))
                dataset = stack.enter_context(rasterio.open(file.name, driver="GTiff"))
            except RasterioError as error:
                raise SourceError(f"{path} is not an image that can be read.") from error
        if dataset.width * dataset.height > MAX_PIXELS or dataset.count > MAX_BANDS:
            raise _too_large(path)
        yield dataset


def _decode_tiff(path: Path, data: bytes | None) -> tuple[NDArray[np.generic], Mask | None]:
    """Values (H, W, bands) of a GeoTIFF, and its valid pixels; None if all are."""
    with _open_tiff(path, data) as dataset:
        try:
            values, valid = dataset.read(), dataset.dataset_mask() > 0
        except RasterioError as error:
            raise SourceError(f"{path} is not an image that can be read.") from error
    return np.ascontiguousarray(values.transpose(1, 2, 0)), None if valid.all() else valid


def _opaque_pixels(picture: PillowImage.Image) -> Mask | None:
    """Pixels of a picture that are not transparent; None if it has no transparent ones."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return None
    opaque = np.asarray(picture.convert("RGBA").getchannel("A")) > 0
    return None if opaque.all() else opaque


def _too_large(path: Path) -> SourceError:
    return SourceError(
        f"{path} has more than {MAX_PIXELS:,} pixels or {MAX_BANDS} bands, too many for training.",
        "Cut it with `terraspore chips`.",
    )
