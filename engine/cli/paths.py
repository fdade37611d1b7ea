"""Types of file names on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ..errors import shorten
from ..fs.paths import is_name_too_long


class FilePath(click.Path):
    """A path, which is not empty and whose name the libraries that read and write files can encode."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails for a name that is empty or not UTF-8."""
        if not os.fspath(value):
            self.fail("the name of the file is empty.", param, ctx)
        path = super().convert(value, param, ctx)
        if is_name_too_long(Path(os.fsdecode(path))):
            self.fail(f"the name '{shorten(os.fsdecode(path))}' is too long for a file.", param, ctx)
        try:
            os.fsdecode(path).encode("utf-8")
        except UnicodeEncodeError:
            text = f"{os.fsdecode(path)!a} is not UTF-8; rename the file or folder, or use a UTF-8 locale."
            self.fail(text, param, ctx)
        return path


class GeoTiffPath(FilePath):
    """The name of a raster to write: what is written is a GeoTIFF, and others look at the suffix."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails for a name with another suffix."""
        path = super().convert(value, param, ctx)
        if Path(os.fsdecode(path)).suffix.lower() not in (".tif", ".tiff"):
            text = f"rasters are written as GeoTIFF, so the name '{shorten(value)}' must end in .tif or .tiff."
            self.fail(text, param, ctx)
        return path


PATH = FilePath(path_type=Path)
GEOTIFF = GeoTiffPath(path_type=Path)
