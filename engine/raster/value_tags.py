"""Correct what an image's metadata says about its values: which band is alpha, and which value is nodata.

Both are often wrong: the near infrared of a four-band image is tagged as alpha, and the value of the frame around an
image is not declared. Everything that reads pixels relies on these tags, GDAL's resampling first, so they are
corrected in a virtual copy of the dataset.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as Xml

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader, MemoryFile

from ..protocol.messages import Message
from .band_names import name_band
from .gdal_errors import translate_gdal_errors
from .sampling import sample_windows

#: Share of an alpha band's pixels that are transparent or opaque, at least; the rest are the soft edges of a mosaic.
_EXTREME_SHARE = 0.8
#: Levels of 8 bits by which a lossy compression changes 0 and 255.
_LOSSY_LEVELS = 2
#: Share of hidden pixels from which it is a warning.
_MUCH = 0.5
#: Values that programs write where they have no data; floats beyond the limit, too.
_NODATA_VALUES = (-9999.0, -99999.0, -32767.0)
_HUGE = 1e30
#: The value is nodata if it is this far from all others, in shares of their range.
_GAP = 0.25
#: Beyond the range of nearly every type, so that no pixel has it.
_UNUSED_NODATA = 1e300
#: Bands that are searched for it.
_NODATA_BANDS = 4


class ValueTags(NamedTuple):
    """Corrections of an image's metadata.

    Attributes:
        nodata: value of pixels without data; None for what the file says.
        is_alpha: whether the band that is tagged as alpha is one.
        remarks: what was decided, for the person.
    """

    nodata: float | None
    is_alpha: bool
    remarks: tuple[Message, ...] = ()


#: Nothing to correct.
NO_TAGS = ValueTags(None, True)


def choose_value_tags(dataset: DatasetReader, path: Path, nodata: float | None, *, ignore_alpha: bool) -> ValueTags:
    """Decide from a sample of the values whether an image's alpha band is one, and whether a value means nodata.

    Args:
        dataset: the opened image.
        path: its file, for messages.
        nodata: value of pixels without data as the person gave it; None to decide.
        ignore_alpha: whether the person wants the alpha band to be ignored.

    Raises:
        SourceError: the file is damaged.
    """
    kinds = dataset.colorinterp
    has_alpha = is_alpha = ColorInterp.alpha in kinds
    remarks: tuple[Message, ...] = ()
    if has_alpha and ignore_alpha:
        is_alpha, remarks = False, (Message(f"The alpha band of {path.name} is not used as transparency."),)
    elif has_alpha and dataset.count > 1:
        is_alpha, remarks = _weigh_alpha(dataset, path, kinds.index(ColorInterp.alpha) + 1)
    bands = [band for band, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
    if nodata is None and bands and not is_alpha and not _has_mask(dataset):
        nodata, found = _notice_nodata(dataset, path, bands[:_NODATA_BANDS])
        remarks += found
    return ValueTags(nodata, is_alpha or not has_alpha, remarks)


def apply_value_tags(dataset: DatasetReader, tags: ValueTags, stack: ExitStack) -> DatasetReader:
    """Return a virtual copy of ``dataset`` with corrected tags; ``dataset`` itself if there is nothing to correct."""
    if tags.nodata is None and tags.is_alpha:
        return dataset
    file = stack.enter_context(MemoryFile(ext=".vrt"))
    rasterio.shutil.copy(dataset, file.name, driver="VRT")
    document = Xml.fromstring(file.read())
    if tags.nodata is not None:
        for mask in document.findall("MaskBand"):
            document.remove(mask)
    for band in document.iter("VRTRasterBand"):
        color = band.find("ColorInterp")
        if color is not None and color.text == "Alpha" and not tags.is_alpha:
            color.text = "Undefined"
        if tags.nodata is not None:
            for old in band.findall("NoDataValue"):
                band.remove(old)
        # A VRT leaves resampling to the file, which then blanks what its alpha band hides. With a nodata value that the
        # file lacks, and without overviews, GDAL resamples the pixels of the VRT instead.
        nodata = _UNUSED_NODATA if tags.nodata is None and band.find("NoDataValue") is None else tags.nodata
        if nodata is not None:
            value = Xml.Element("NoDataValue")
            value.text = repr(nodata)
            band.insert(0, value)
        if not tags.is_alpha:
            for file_band in band.findall("SimpleSource"):
                settings = Xml.SubElement(file_band, "OpenOptions")
                Xml.SubElement(settings, "OOI", key="OVERVIEW_LEVEL").text = "NONE"
    corrected = stack.enter_context(MemoryFile(Xml.tostring(document), ext=".vrt"))
    return stack.enter_context(rasterio.open(corrected.name, sharing=False))


def _has_mask(dataset: DatasetReader) -> bool:
    """Whether the file has a nodata value or a mask that is not an alpha band."""
    flags = dataset.mask_flag_enums
    return any(
        MaskFlags.nodata in band or (MaskFlags.per_dataset in band and MaskFlags.alpha not in band) for band in flags
    )


def _weigh_alpha(dataset: DatasetReader, path: Path, band: int) -> tuple[bool, tuple[Message, ...]]:
    """Decide whether a band tagged as alpha is one: nearly everywhere transparent or opaque, or of two values."""
    alpha = read_sample(dataset, path, [band])[0]
    dtype = np.dtype(dataset.dtypes[band - 1])
    opaque = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    tolerance = _LOSSY_LEVELS if dtype == np.uint8 else 0
    extreme = float(((alpha <= tolerance) | (alpha >= opaque - tolerance)).mean())
    hidden = float((alpha <= opaque / 2).mean())
    name = name_band(dataset, band)
    is_mask = extreme >= _EXTREME_SHARE or len(np.unique(alpha)) <= 2
    if name is not None or not is_mask:
        reason = f"is named {name}" if name is not None else "holds values like an image"
        text = f"Band {band} of {path.name} is tagged as alpha, but {reason}: it is not used as transparency."
        return False, (Message(text, "warning"),)
    if hidden == 1.0 and np.ptp(read_sample(dataset, path, [1])) > 0:
        text = f"The alpha band {band} of {path.name} would hide the whole image: it is not used as transparency."
        return False, (Message(text, "warning"),)
    if hidden == 0.0:
        return True, ()
    text = f"The alpha band {band} of {path.name} hides {hidden:.0%} of the image; --ignore-alpha shows it."
    return True, (Message(text, "warning" if hidden > _MUCH else "info"),)


def _notice_nodata(dataset: DatasetReader, path: Path, bands: list[int]) -> tuple[float | None, tuple[Message, ...]]:
    """Find a value that no tag declares but that means nodata: usual for it, and far from all others."""
    dtype = np.dtype(dataset.dtypes[bands[0] - 1])
    if dtype.itemsize < 2:
        return None, ()
    sample = read_sample(dataset, path, bands)
    sample = sample[:, np.isfinite(sample).all(axis=0)]
    candidates = [float(value) for value in (sample.min(), sample.max())] if sample.size else []
    for value in candidates:
        is_usual = value in _NODATA_VALUES or abs(value) > _HUGE
        is_nodata = (sample == value).all(axis=0)
        others = sample[:, ~is_nodata].astype(np.float64)
        is_limit = dtype.kind in "iu" and value in (np.iinfo(dtype).min, np.iinfo(dtype).max) and value != 0
        is_limit = is_limit and bool(others.size and np.ptp(others) > 0)  # of a mask it is the foreground
        if not (is_usual or is_limit) or not is_nodata.any() or not others.size:
            continue
        if np.abs(others - value).min() > _GAP * float(np.ptp(others)):
            text = (
                f"{is_nodata.mean():.1%} of {path.name} has the value {value:g}, which is far from all others: it is "
                "taken as nodata; --nodata decides otherwise."
            )
            return value, (Message(text, "warning"),)
    return None, ()


def read_sample(dataset: DatasetReader, path: Path, bands: list[int]) -> NDArray[Any]:
    """Read a sample of bands, (bands, pixels)."""
    with translate_gdal_errors(f"The image {path} cannot be read", "It may be damaged or incomplete."):
        parts = [
            dataset.read(bands, window=window, out_shape=(len(bands), *shape)).reshape(len(bands), -1)
            for window, shape in sample_windows(dataset, bands[0])
        ]
    return np.concatenate(parts, axis=1)
