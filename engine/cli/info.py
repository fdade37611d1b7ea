"""``terraspore info``: size, bands and georeferencing of an image, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..context import RunContext
from ..protocol.messages import Result, SummaryValue
from ..protocol.options import ImageOptions
from ..raster.bands import choose_bands
from ..raster.dataset import Source, open_source
from ..raster.stretch import estimate_stretch
from .cli_context import reports_result
from .options import PATH, declared_options, given_options


@click.command()
@click.argument("image", type=PATH)
@declared_options(ImageOptions, "resolution", "pixel_size", "subdataset", "nodata", "ignore_alpha")
@reports_result
def info(_context: RunContext, image: Path, **values: Any) -> Result:
    """Say what IMAGE is: size, bands, true ground resolution, nodata, and how its values would be stretched."""
    options = given_options(ImageOptions, values)
    with open_source(image, options) as source:
        facts = describe_source(source, options.resolution)
    shown = {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in facts.items()}
    text = "\n".join(f"{name.replace('_', ' '):<20} {value}" for name, value in shown.items() if value is not None)
    return Result({}, facts, text)


def describe_source(source: Source, resolution: float | None) -> dict[str, SummaryValue]:
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
        "transparency": source.describe_mask(),
        "stretch": ", ".join(f"{low:.6g} to {high:.6g}" for low, high in limits) or "none",
        "grid_width": grid.width,
        "grid_height": grid.height,
        "grid_resolution_m": grid.resolution,
        "remarks": " ".join(remark.text for remark in (*source.remarks, *bands.remarks)) or None,
    }
