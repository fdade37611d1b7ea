"""Gather what decides the meaning of a band: what the file declares, and the values of all its pixels."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from ..context import RunContext
from ..errors import ParameterError, SourceError, shorten
from ..protocol.messages import Message, Progress
from ..protocol.options import RasterOptions
from .band_names import find_colors
from .class_table import find_class_table
from .probability import MaskedBand
from .value_tags import choose_value_tags, read_sample
from .values import MAX_CLASSES, Declaration, Encoding, Expected, ValueStatistics, decide_by_values, decide_declared

#: Pixels that are read at a time.
_CHUNK_PIXELS = 4_000_000
_COLORS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
#: Bands whose sum is looked at, and how much the sum of shares varies by rounding.
_MAX_SHARES, _SHARE_ROUNDING = 16, 0.03
_BACKGROUND = re.compile(r"back.?ground|^bg$|\b(no|non|not).?(road|street)", re.IGNORECASE)


def interpret_band(dataset: Any, options: RasterOptions, expected: Expected | None, context: RunContext) -> Encoding:
    """Decide what a band of an opened raster means, and report the decision unless the file or the person made it.

    Args:
        dataset: rasterio's dataset.
        options: band and meaning, as far as the person says them.
        expected: what is made of the raster; None if the raster decides.
        context: receives messages and progress; checked for cancellation.

    Raises:
        ParameterError: there is no such band, or the options contradict the values.
        SourceError: the raster is an image, is not what is expected, or its meaning is not clear.
    """
    name = Path(dataset.name).name
    band = choose_band(dataset, options, expected, context)
    tags = choose_value_tags(dataset, Path(name), options.nodata, ignore_alpha=False)
    for remark in tags.remarks:
        context.report(remark)
    source = MaskedBand(dataset, band, tags.nodata, is_alpha=tags.is_alpha)
    declared = read_declaration(dataset, band)
    encoding = decide_declared(declared, options, expected)
    if encoding is None:
        encoding = decide_by_values(declared, measure_values(source, context), options, expected)
    if expected is None or not encoding.is_declared:
        context.report(Message(f"{name} is read as {encoding.describe()}."))
    if encoding.doubt:
        context.warn(f"{name}: {encoding.doubt}")
    return replace(encoding, band=band, nodata=tags.nodata, is_alpha=tags.is_alpha)


def choose_band(dataset: Any, options: RasterOptions, expected: Expected | None, context: RunContext) -> int:
    """Return the band to use, and report which of several the first one is.

    Raises:
        ParameterError: there is no such band.
        SourceError: the raster is an image, or its first band is the background.
    """
    name, count = Path(dataset.name).name, int(dataset.count)
    if options.band is not None:
        if options.band > count:
            raise ParameterError(f"{name} has {count} bands, so there is no band {options.band}.")
        return options.band
    kinds, texts = dataset.colorinterp, [text or "" for text in dataset.descriptions]
    bands = [index for index in dataset.indexes if kinds[index - 1] != ColorInterp.alpha] or [1]
    first, description = int(bands[0]), texts[bands[0] - 1]
    is_scaled = dataset.scales[first - 1] != 1.0
    is_color = set(_COLORS) <= set(kinds) or find_colors(dataset) is not None
    if is_color and not is_scaled and options.values is None and options.scale is None:
        raise SourceError(
            f"{name} is an image with red, green and blue, not a raster of probabilities or classes.",
            "Use `extract roads` or `extract landcover` for images. If a band of it is a mask or holds probabilities, "
            "choose it with --band.",
        )
    if len(bands) > 1:
        if expected != "classes" and _BACKGROUND.search(description):
            raise SourceError(
                f"Band {first} of {name} is called '{shorten(description)}', which is not the road.",
                f"Choose one with --band: {', '.join(f'{i} ({texts[i - 1]})' for i in bands[:8])}.",
            )
        if expected != "classes" and _is_background(dataset, bands):
            raise SourceError(
                f"The bands of {name} add up to the same value everywhere, and band {first} is the largest nearly "
                "everywhere, so it is probably the background.",
                "Choose a band with --band; band 1 is used with --band 1.",
            )
        called = f" ({description})" if description else ""
        text = f"Band {first} of {len(bands)}{called} of {name} is used; --band chooses another one."
        if called or is_scaled or len(bands) == 2:
            context.report(Message(text))
        else:  # an image of which nothing says that it is one, perhaps
            context.warn(text)
    return first


def _is_background(dataset: Any, bands: list[int]) -> bool:
    """Whether bands are shares of a whole, such as a softmax, most of which is the first one."""
    values = read_sample(dataset, Path(dataset.name), bands[:_MAX_SHARES]).astype(np.float64)
    is_valid = np.isfinite(values).all(axis=0) & (values[0] != dataset.nodatavals[bands[0] - 1])
    values = values[:, is_valid]
    total = values.sum(axis=0)
    if not total.size or not np.ptp(total) <= _SHARE_ROUNDING * total.max() or np.ptp(values[0]) == 0:
        return False
    return bool(values[0].mean() > 0.5 * total.max())


def read_declaration(dataset: Any, band: int) -> Declaration:
    """Read what a file declares about a band."""
    dtype = np.dtype(dataset.dtypes[band - 1])
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    return Declaration(
        name=Path(dataset.name).name,
        dtype=dtype.name,
        type_range=None if limits is None else (int(limits.min), int(limits.max)),
        scale=float(dataset.scales[band - 1]),
        offset=float(dataset.offsets[band - 1]),
        nodata=dataset.nodatavals[band - 1],
        unit=(dataset.units[band - 1] or "").strip(),
        class_table=find_class_table(dataset, band),
    )


def measure_values(source: MaskedBand, context: RunContext) -> ValueStatistics:
    """Read all pixels of a band, and measure which values it has.

    Args:
        source: the band.
        context: receives the progress; checked for cancellation.

    Raises:
        SourceError: the file is damaged.
    """
    measure, (height, width) = _ValueCounter(), source.shape
    rows = max(1, _CHUNK_PIXELS // width // source.block_rows) * source.block_rows
    for top in range(0, height, rows):
        context.check_cancelled()
        count = min(rows, height - top)
        measure.add(source.read_values(top, count))
        context.report(Progress("read", top + count, height))
    return measure.finish(width * height)


class _ValueCounter:
    """Counts values, part by part."""

    def __init__(self) -> None:
        self._valid = 0
        self._low, self._high = np.inf, -np.inf
        self._fraction: float | None = None
        self._counts: Counter[float] | None = Counter()

    def add(self, values: NDArray[Any]) -> None:
        """Add valid values, one-dimensional and finite."""
        if not len(values):
            return
        self._valid += len(values)
        low, high = float(values.min()), float(values.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        if values.dtype.kind == "f" and self._fraction is None:
            is_fraction = values != np.rint(values)
            if is_fraction.any():
                self._fraction, self._counts = float(values[is_fraction.argmax()]), None
        if self._counts is not None:
            for value, count in zip(*_count(values, low, high), strict=True):
                self._counts[float(value)] += int(count)
            if len(self._counts) > MAX_CLASSES:
                self._counts = None

    def finish(self, pixels: int) -> ValueStatistics:
        """Return the statistics of a band with so many ``pixels``."""
        low, high = (self._low, self._high) if self._valid else (np.nan, np.nan)
        counts = None if self._counts is None else dict(sorted(self._counts.items()))
        return ValueStatistics(pixels, self._valid, low, high, self._fraction, counts)


def _count(values: NDArray[Any], low: float, high: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the different values and how often each occurs."""
    if low < 0 or high > 65535:
        found, counts = np.unique(values, return_counts=True)
        return found, counts
    if values.dtype != np.uint8:
        values = values.astype(np.uint16)
    bins = 1 << (8 * values.dtype.itemsize)
    histogram = cv2.calcHist([values.reshape(1, -1)], [0], None, [bins], [0, bins]).ravel()
    present = np.flatnonzero(histogram)
    return present, histogram[present]
