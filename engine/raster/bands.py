"""Pixels of chosen bands in a window, as they are stored, with what is valid among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window

from ..errors import OutOfMemoryError, ParameterError, SourceError
from .dataset import Source
from .gdal_errors import GDAL_ERRORS, format_gdal_error

Mask = NDArray[np.bool_]
#: Shares of red, green and blue in grey (ITU-R BT.601).
_LUMA = np.array((0.299, 0.587, 0.114))
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@dataclass(frozen=True)
class Bands:
    """Which bands are read and how they become the layers of a picture.

    Attributes:
        indices: 1-based bands of the dataset.
        palette: (entries, layers + 1) uint8, where the one band holds indices into it: the colour or the grey of each
            index, and its opacity.
    """

    indices: tuple[int, ...]
    palette: NDArray[np.uint8] | None = None

    @property
    def layers(self) -> int:
        """How many layers come out of ``read_bands``."""
        return self.palette.shape[1] - 1 if self.palette is not None else len(self.indices)


def choose_bands(source: Source, wanted: Sequence[int] | None, needed: int) -> Bands:
    """The bands to read for a model that takes ``needed`` bands.

    Without a wish: red, green and blue where the file names them, else the first bands; one band serves for all
    bands of the model; a palette becomes RGB, or grey for a model of one band. (GDAL itself turns inks into RGB.)

    Raises:
        ParameterError: a wanted band does not exist, or their number does not fit.
        SourceError: the image has fewer bands than the model needs.
    """
    if wanted:
        return _wanted_bands(source, tuple(wanted), needed)
    picture, kinds = source.data_bands, source.dataset.colorinterp
    if not picture:
        raise SourceError(f"The image {source.path} has only an alpha band.")
    if needed == 3 and all(kind in kinds for kind in _RGB):
        return Bands(tuple(kinds.index(kind) + 1 for kind in _RGB))
    if len(picture) >= needed:
        return _with_palette(source, picture[:needed], needed)
    if len(picture) == 1 or needed == 3:
        # Two bands (radar polarisations, say) are no picture in colour: the first is taken as grey.
        return _with_palette(source, picture[:1], needed)
    raise SourceError(f"The model takes {needed} bands, but {source.path} has {len(picture)}.")


def read_bands(
    source: Source, bands: Bands, window: Window, shape: tuple[int, int], out: NDArray[np.uint8] | None = None
) -> tuple[NDArray[Any], Mask | None]:
    """Read a window at a size.

    Args:
        source: the image.
        bands: which bands.
        window: source pixels; fractions are honoured where it is resampled.
        shape: rows and columns of the result. Fewer than in the window: averaged; more: bilinear.
        out: where uint8 pixels may be read to without a copy, (layers, rows, columns).

    Returns:
        Pixels (layers, rows, columns) in the file's type, and where they are valid (rows, columns), or None
        where all are. A pixel is valid if any band is (a black pixel in one band only is a colour), the alpha
        is above half, and it is a finite number.

    Raises:
        SourceError: the file is damaged there.
    """
    reading = _Reading(source.dataset, bands.indices, window, shape, _resampling(window, shape, bands))
    target = out if source.dtype == "uint8" and bands.palette is None and bands.layers == len(bands.indices) else None
    try:
        pixels = reading.values(list(bands.indices), target)
        valid = _valid(reading, pixels)
    except MemoryError as error:
        raise OutOfMemoryError(
            "There was not enough memory to read the image.", "Try a smaller tile (--tile)."
        ) from error
    except GDAL_ERRORS as error:
        first = int(window.row_off)
        raise SourceError(
            f"Rows {first} to {first + int(window.height)} of {source.path} cannot be read: "
            f"{format_gdal_error(error)}.",
            "The file may be damaged or incomplete.",
        ) from error
    if bands.palette is not None:
        return _expand_palette(pixels[0], bands.palette, valid)
    return pixels, valid


@dataclass(frozen=True)
class _Reading:
    """One window of a dataset at one size."""

    dataset: Any
    indices: tuple[int, ...]
    window: Window
    shape: tuple[int, int]
    resampling: Resampling

    def values(self, indices: list[int], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Pixels of bands ``indices``, (bands, rows, columns)."""
        shape = None if out is not None else (len(indices), *self.shape)
        result: NDArray[Any] = self.dataset.read(
            indices, window=self.window, out=out, out_shape=shape, resampling=self.resampling
        )
        return result

    def masks(self, indices: list[int]) -> Mask:
        """Where the masks of bands ``indices`` are at least half open, (bands, rows, columns)."""
        shape = (len(indices), *self.shape)
        masks = self.dataset.read_masks(indices, window=self.window, out_shape=shape, resampling=self.resampling)
        seen: Mask = masks > 127
        return seen


def _wanted_bands(source: Source, wanted: tuple[int, ...], needed: int) -> Bands:
    total = source.dataset.count
    for index in wanted:
        if not 1 <= index <= total:
            raise ParameterError(f"There is no band {index} in {source.path}: it has bands 1 to {total}.")
    if len(wanted) not in (1, needed):
        raise ParameterError(f"The model takes {needed} bands, but --bands names {len(wanted)}.")
    return _with_palette(source, wanted, needed)


def _with_palette(source: Source, indices: tuple[int, ...], needed: int) -> Bands:
    """Bands ``indices``, with the palette where there is one band that has one.

    Raises:
        SourceError: the palette's three colours are not what the model takes.
    """
    first = indices[0]
    if len(indices) > 1 or source.dataset.colorinterp[first - 1] != ColorInterp.palette:
        return Bands(indices)
    try:
        colours: dict[int, tuple[int, ...]] = source.dataset.colormap(first)
    except ValueError:  # rasterio: no colour table in spite of the interpretation
        return Bands(indices)
    if needed not in (1, 3):
        raise SourceError(f"The model takes {needed} bands, but {source.path} is a picture with a palette of colours.")
    table = np.zeros((max(colours) + 1, 4), np.uint8)
    for index, colour in colours.items():
        table[index] = colour[:4]
    if needed == 1:
        table = np.column_stack([np.rint(table[:, :3] @ _LUMA).astype(np.uint8), table[:, 3]])
    return Bands(indices, palette=table)


def _resampling(window: Window, shape: tuple[int, int], bands: Bands) -> Resampling:
    rows, columns = shape
    # Indices into a palette cannot be averaged.
    if bands.palette is not None or (window.width == columns and window.height == rows):
        return Resampling.nearest
    shrinks = window.width > columns or window.height > rows
    return Resampling.average if shrinks else Resampling.bilinear


def _valid(reading: _Reading, pixels: NDArray[Any]) -> Mask | None:
    """Where ``pixels`` are valid, or None where all of them are."""
    dataset, indices = reading.dataset, reading.indices
    parts: list[Mask] = []
    flags = [dataset.mask_flag_enums[index - 1] for index in indices]
    alpha = ColorInterp.alpha in dataset.colorinterp
    if all(MaskFlags.nodata in flag for flag in flags):
        parts.append(_nodata_valid(reading, pixels))
    elif MaskFlags.per_dataset in flags[0] and not alpha:
        parts.append(reading.masks([indices[0]])[0])
    if alpha:
        index = dataset.colorinterp.index(ColorInterp.alpha) + 1
        parts.append(reading.values([index])[0] > _opaque(dataset.dtypes[index - 1]) / 2)
    if pixels.dtype.kind == "f":
        parts.append(np.isfinite(pixels).any(axis=0))
    valid = np.logical_and.reduce(parts) if parts else None
    return None if valid is None or valid.all() else valid


def _nodata_valid(reading: _Reading, pixels: NDArray[Any]) -> Mask:
    """Where any band differs from its nodata value."""
    values = [reading.dataset.nodatavals[index - 1] for index in reading.indices]
    differs: Mask = np.logical_or.reduce([layer != value for layer, value in zip(pixels, values, strict=True)])
    if reading.resampling != Resampling.nearest:
        # Where GDAL resamples, a pixel of which more than half is nodata may still get a value from the rest.
        differs &= reading.masks(list(reading.indices)).any(axis=0)
    return differs


def _opaque(dtype: str) -> float:
    """The value of an alpha band that hides nothing."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else 1.0


def _expand_palette(
    indices: NDArray[Any], palette: NDArray[np.uint8], valid: Mask | None
) -> tuple[NDArray[np.uint8], Mask | None]:
    """Colours of palette indices; an entry without opacity is not valid, nor is an index without entry."""
    inside = np.clip(indices.astype(np.int64), 0, len(palette) - 1)
    colours = palette[inside]
    seen = (colours[..., -1] > 127) & (indices == inside)
    if valid is not None:
        seen &= valid
    return np.ascontiguousarray(np.moveaxis(colours[..., :-1], -1, 0)), None if seen.all() else seen
