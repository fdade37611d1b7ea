"""Choose the bands for a model and read windows of them, with the mask of valid pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window

from ..errors import OutOfMemoryError, ParameterError, SourceError
from ..protocol.messages import Message
from .band_names import find_colors
from .dataset import Source
from .gdal_errors import translate_gdal_errors

Mask = NDArray[np.bool_]
#: Weights of red, green and blue in gray (ITU-R BT.601).
_LUMA = np.array((0.299, 0.587, 0.114))
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@dataclass(frozen=True)
class Bands:
    """The bands to read and how they become the channels of a model's input.

    Attributes:
        indices: 1-based bands of the dataset.
        palette: (entries, channels + 1) uint8 if the only band holds indices into it: color or gray, and opacity.
        remarks: how the bands were chosen, if the person did not choose them and could have meant others.
    """

    indices: tuple[int, ...]
    palette: NDArray[np.uint8] | None = None
    remarks: tuple[Message, ...] = ()

    @property
    def layers(self) -> int:
        """Number of channels that ``read_bands`` returns."""
        return self.palette.shape[1] - 1 if self.palette is not None else len(self.indices)


def choose_bands(source: Source, wanted: Sequence[int] | None, needed: int) -> Bands:
    """Choose the bands to read for a model of ``needed`` channels.

    If none are ``wanted``: red, green and blue by the descriptions of the bands, their wavelengths or their color
    interpretation, otherwise the first bands. A single band serves for all channels of the model. A palette becomes
    RGB, or gray for a model of one channel. (GDAL converts CMYK.)

    Raises:
        ParameterError: a wanted band does not exist, or their number does not fit the model.
        SourceError: the image has fewer bands than the model needs.
    """
    if wanted:
        total = source.dataset.count
        for index in wanted:
            if not 1 <= index <= total:
                raise ParameterError(f"There is no band {index} in {source.path}: it has bands 1 to {total}.")
        if len(wanted) not in (1, needed):
            raise ParameterError(f"The model takes {needed} bands, but --bands names {len(wanted)}.")
        return _with_palette(source, tuple(wanted), needed)
    available, kinds = source.data_bands, source.kinds
    if not available:
        raise SourceError(f"The image {source.path} has only an alpha band.")
    count, name = len(available), source.path.name
    if needed == 3 and count >= 3:
        tagged = tuple(kinds.index(kind) + 1 for kind in _RGB if kind in kinds)
        named = find_colors(source.dataset)
        if named is not None and named not in (tagged, (1, 2, 3)):
            text = f"Bands {named[0]}, {named[1]} and {named[2]} of {name} are red, green and blue by their names."
            return Bands(named, remarks=(Message(text),))
        if named is not None or len(tagged) == 3:
            return Bands(named or tagged)
    # Two bands (radar polarizations, for example) are not a color image: the first is used as gray.
    used = needed if count >= needed else 1
    if used != needed and count != 1 and needed != 3:
        raise SourceError(f"The model takes {needed} bands, but {source.path} has {count}.")
    remarks: tuple[Message, ...] = ()
    if used < count:
        first = "the first is" if used == 1 else f"the first {used} are"
        called = ", ".join(text for band in available[:used] if (text := source.dataset.descriptions[band - 1]))
        text = f"{name} has {count} bands, of which {first} used{called and f' ({called})'}; --bands chooses others."
        remarks = (Message(text, "info" if used == 1 == needed else "warning"),)
    return replace(_with_palette(source, available[:used], needed), remarks=remarks)


def read_bands(
    source: Source, bands: Bands, window: Window, shape: tuple[int, int], out: NDArray[np.uint8] | None = None
) -> tuple[NDArray[Any], Mask | None]:
    """Read a window, resampled to a shape.

    Args:
        source: the image.
        bands: the bands to read.
        window: source pixels; fractions are used if it is resampled.
        shape: rows and columns of the result. Smaller than the window: averaged; larger: bilinear.
        out: (channels, rows, columns), used for uint8 pixels that need no conversion.

    Returns:
        Pixels (channels, rows, columns) in the file's dtype, and the mask of valid pixels (rows, columns) or None if
        all are. A pixel is valid if any band is (black in one band is a color), alpha is above half of its range, and
        any value is finite.

    Raises:
        SourceError: the file is damaged there.
        OutOfMemoryError: there is not enough memory.
    """
    dataset, indices, resampling = source.dataset, list(bands.indices), _choose_resampling(window, shape, bands)
    target = out if source.dtype == "uint8" and bands.palette is None and bands.layers == len(bands.indices) else None
    first = int(window.row_off)
    text = f"Rows {first} to {first + int(window.height)} of {source.path} cannot be read"
    try:
        with translate_gdal_errors(text, "The file may be damaged or incomplete."):
            out_shape = (len(indices), *shape) if target is None else None
            pixels = dataset.read(indices, window=window, out=target, out_shape=out_shape, resampling=resampling)
            valid = _find_valid(source, indices, pixels, window, resampling)
    except MemoryError as error:
        raise OutOfMemoryError(
            "There was not enough memory to read the image.", "Try a smaller tile (--tile)."
        ) from error
    if bands.palette is not None:
        return _apply_palette(pixels[0], bands.palette, valid)
    return pixels, valid


def _with_palette(source: Source, indices: tuple[int, ...], needed: int) -> Bands:
    """Return bands ``indices``, with the palette if it is one band that has one.

    Raises:
        SourceError: the model takes neither gray nor RGB.
    """
    first = indices[0]
    if len(indices) > 1 or source.kinds[first - 1] != ColorInterp.palette:
        return Bands(indices)
    try:
        colors: dict[int, tuple[int, ...]] = source.dataset.colormap(first)
    except ValueError:  # rasterio: no color table despite the color interpretation
        return Bands(indices)
    if needed not in (1, 3):
        raise SourceError(f"The model takes {needed} bands, but {source.path} is an image with a color palette.")
    table = np.zeros((max(colors) + 1, 4), np.uint8)
    for index, color in colors.items():
        table[index] = color[:4]
    if needed == 1:
        table = np.column_stack([np.rint(table[:, :3] @ _LUMA).astype(np.uint8), table[:, 3]])
    return Bands(indices, palette=table)


def _choose_resampling(window: Window, shape: tuple[int, int], bands: Bands) -> Resampling:
    rows, columns = shape
    # Palette indices cannot be averaged.
    if bands.palette is not None or (window.width == columns and window.height == rows):
        return Resampling.nearest
    shrinks = window.width > columns or window.height > rows
    return Resampling.average if shrinks else Resampling.bilinear


def _find_valid(
    source: Source, indices: list[int], pixels: NDArray[Any], window: Window, resampling: Resampling
) -> Mask | None:
    """Return the mask of valid ``pixels``, which were read from ``window`` of bands ``indices``; None if all are."""
    dataset = source.dataset
    masks: list[Mask] = []
    one_band = (1, *pixels.shape[1:])
    flags = [dataset.mask_flag_enums[index - 1] for index in indices]
    has_alpha = ColorInterp.alpha in source.kinds
    if all(MaskFlags.nodata in flag for flag in flags):
        nodata = [dataset.nodatavals[index - 1] for index in indices]
        differs: Mask = np.logical_or.reduce([layer != value for layer, value in zip(pixels, nodata, strict=True)])
        if resampling != Resampling.nearest:
            # A resampled pixel that is mostly nodata may still get a value from the rest.
            known = dataset.read_masks(indices, window=window, out_shape=pixels.shape, resampling=resampling)
            differs &= (known > 127).any(axis=0)
        masks.append(differs)
    elif MaskFlags.per_dataset in flags[0] and not has_alpha:
        known = dataset.read_masks(indices[:1], window=window, out_shape=one_band, resampling=resampling)
        masks.append(known[0] > 127)
    if has_alpha:
        index = source.kinds.index(ColorInterp.alpha) + 1
        dtype = np.dtype(dataset.dtypes[index - 1])
        opaque = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
        alpha = dataset.read([index], window=window, out_shape=one_band, resampling=resampling)[0]
        masks.append(alpha > opaque / 2)
    if pixels.dtype.kind == "f":
        masks.append(np.isfinite(pixels).any(axis=0))
    valid = np.logical_and.reduce(masks) if masks else None
    return None if valid is None or valid.all() else valid


def _apply_palette(
    indices: NDArray[Any], palette: NDArray[np.uint8], valid: Mask | None
) -> tuple[NDArray[np.uint8], Mask | None]:
    """Look up palette indices; transparent entries and indices without an entry are not valid."""
    inside = np.clip(indices.astype(np.int64), 0, len(palette) - 1)
    colors = palette[inside]
    opaque = (colors[..., -1] > 127) & (indices == inside)
    if valid is not None:
        opaque &= valid
    return np.ascontiguousarray(np.moveaxis(colors[..., :-1], -1, 0)), None if opaque.all() else opaque
