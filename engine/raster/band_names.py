"""Recognize red, green, blue and infrared bands by their descriptions and wavelengths."""

from __future__ import annotations

import re
from typing import Any

#: Range of wavelengths of each color in micrometres, and the usual center.
_RANGES = {"red": (0.62, 0.69, 0.665), "green": (0.50, 0.60, 0.56), "blue": (0.45, 0.515, 0.49)}
#: Sentinel-2 and Harmonized Landsat Sentinel-2 number their bands with two digits.
_NUMBERED = {"b02": "blue", "b03": "green", "b04": "red", "b08": "infrared"}
_INFRARED = {"nir", "swir", "mir", "tir", "ir", "infrared", "infra", "near", "edge", "rededge"}
_LENGTH = re.compile(r"([\d.]+)\s*(nm|um|µm|μm|nano|micro)", re.IGNORECASE)
#: Tags with the wavelength of a band: GDAL's own in the domain IMAGERY, and those of the ENVI driver.
_TAGS = ("CENTRAL_WAVELENGTH_UM", "wavelength", "WAVELENGTH")


def find_colors(dataset: Any) -> tuple[int, int, int] | None:
    """Return the 1-based bands of red, green and blue by their descriptions and wavelengths; None if one is unknown.

    Of several bands of a color the one is taken that is closest to its usual wavelength, else the first.
    """
    bands = range(1, int(dataset.count) + 1)
    names = {band: name_band(dataset, band) for band in bands}
    lengths = {band: _read_wavelength(dataset, band) for band in bands}
    found = []
    for color, (_, _, center) in _RANGES.items():
        fitting = [band for band in bands if names[band] == color]
        if not fitting:
            return None
        found.append(min(fitting, key=lambda band: abs((lengths[band] or center) - center)))
    red, green, blue = found
    return red, green, blue


def name_band(dataset: Any, band: int) -> str | None:
    """Return what a band shows by its description or wavelength: red, green, blue or infrared; None if unknown."""
    description = (dataset.descriptions[band - 1] or "").lower()
    words = set(re.findall(r"[a-z]+", description))
    if words & _INFRARED:
        return "infrared"
    colors = [color for color in _RANGES if color in words]
    if len(colors) == 1 and not words & {"coastal", "deep"}:
        return colors[0]
    length = _read_wavelength(dataset, band)
    if length is not None:
        inside = (color for color, (low, high, _) in _RANGES.items() if low <= length <= high)
        return next(inside, "infrared" if length > _RANGES["red"][1] else None)
    numbers = (_NUMBERED.get(word) for word in re.findall(r"\bb\d\d\b", description))
    return next(numbers, None)


def _read_wavelength(dataset: Any, band: int) -> float | None:
    """Return the central wavelength of a band in micrometres; None if it is unknown."""
    tags = {**dataset.tags(band), **dataset.tags(band, ns="IMAGERY")}
    match = _LENGTH.search(dataset.descriptions[band - 1] or "")
    text = next((tags[name] for name in _TAGS if name in tags), match[1] if match else "")
    try:
        length = float(text.split()[0])
    except (ValueError, IndexError):
        return None
    return length / 1000 if length > 100 else length
