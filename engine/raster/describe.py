"""Describe an image and how it would be read, for ``terraspore info`` and for bug reports."""

from __future__ import annotations

from rasterio.enums import ColorInterp, MaskFlags

from .bands import choose_bands
from .dataset import Source
from .stretch import estimate_stretch

Facts = dict[str, float | int | str | None]


def describe_source(source: Source, resolution: float | None) -> Facts:
    """Describe ``source`` and how it would be read.

    Args:
        source: the image.
        resolution: metres per pixel of the grid; None for the image's own pixels.

    Raises:
        SourceError: the file is damaged.
        ParameterError: the resolution cannot be used.
    """
    dataset = source.dataset
    grid = source.make_grid(resolution)
    bands = choose_bands(source, None, 3 if source.count >= 3 else 1)
    stretch = estimate_stretch(source, bands)
    limits = () if stretch is None else zip(stretch.low, stretch.high, strict=True)
    return {
        "file": str(source.path),
        "format": source.file.driver,
        "width": source.width,
        "height": source.height,
        "bands": dataset.count,
        "bands_read": ",".join(map(str, bands.indices)),
        "type": source.dtype,
        "crs": source.crs.to_string()[:200] if source.crs else None,
        "pixel_width_m": source.pixel_size[0],
        "pixel_height_m": source.pixel_size[1],
        "block": "x".join(map(str, reversed(dataset.block_shapes[0]))),
        "overviews": len(dataset.overviews(1)),
        "transparency": describe_mask(source),
        "stretch": ", ".join(f"{low:.6g} to {high:.6g}" for low, high in limits) or "none",
        "grid_width": grid.width,
        "grid_height": grid.height,
        "grid_resolution_m": grid.resolution,
        "remarks": " ".join(remark.text for remark in (*source.remarks, *bands.remarks)) or None,
    }


def describe_mask(source: Source) -> str:
    """Name what marks the valid pixels."""
    flags = {flag for band in source.dataset.mask_flag_enums for flag in band}
    if ColorInterp.alpha in source.kinds:
        return "alpha band"
    if MaskFlags.nodata in flags:
        return f"nodata {source.dataset.nodata}"
    return "mask" if MaskFlags.per_dataset in flags else "none"
