"""``terraspore info``: size, bands and georeferencing of an image, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..context import RunContext
from ..protocol.messages import Result
from ..protocol.options import ImageOptions
from ..raster.dataset import open_source
from ..raster.describe import describe_source
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
