"""GeoTIFFs written from top to bottom, and checked: what is read back must be what was written.

Rows are gathered until a whole row of GeoTIFF tiles is there, so that each tile is compressed once. A checksum of
each is kept; ``verify`` compares after closing, because GDAL can lose the last writes of a full disk without a word.
"""

from __future__ import annotations

import html
import warnings
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from ..errors import OutputError
from ..fs.atomic import is_disk_full, make_disk_full_error, measure_with_sidecars
from .grid import Grid
from .probability import NODATA, PROBABILITY_SCALE, UInt8Array

BLOCK = 512
#: Threads that read a raster back: nothing else is left to be done then.
_READERS = 2
#: GDAL's errors mostly come as rasterio's, but for those of closing and of overviews.
_ERRORS = (RasterioError, CPLE_BaseError, OSError)
_LOST = "it does not read back as it was written; its disk may be failing"


@dataclass(frozen=True)
class RasterLayout:
    """What a raster is beside its pixels.

    Attributes:
        bands: description of each band.
        scale: value of one level, written as GDAL's scale.
        colours: class id to red, green, blue; None where the values are no classes.
        names: class id to name; empty where the values are no classes.
        tags: metadata of the file.
    """

    bands: Sequence[str]
    scale: float = 1.0
    colours: Mapping[int, tuple[int, int, int]] | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def make_probability_layout(names: Sequence[str], tags: Mapping[str, str]) -> RasterLayout:
    """The layout of probabilities, one band per class name, value = round(probability x 250)."""
    return RasterLayout(bands=names, scale=1 / PROBABILITY_SCALE, tags=tags)


def make_class_layout(
    names: Mapping[int, str], colours: Mapping[int, tuple[int, int, int]], tags: Mapping[str, str]
) -> RasterLayout:
    """The layout of class ids with a colour table and category names."""
    return RasterLayout(bands=("class",), colours=colours, names=names, tags=tags)


class RowWriter:
    """Writes a uint8 GeoTIFF row by row; a context manager.

    Args:
        path: the file to make, without its final name yet (see ``output.atomic``).
        grid: place and size.
        layout: bands, colours, metadata.
        overviews: whether to build overviews at the end, by averaging, or by the nearest pixel for classes.
        final: the output as the person knows it, for errors; ``path`` unless given.

    Raises:
        OutputError: the file cannot be made or written.
    """

    def __init__(
        self, path: Path, grid: Grid, layout: RasterLayout, *, overviews: bool = True, final: Path | None = None
    ) -> None:
        self._path, self._layout, self._overviews, self._final = path, layout, overviews, final or path
        self._width, self._height, self._count = grid.width, grid.height, len(layout.bands)
        self._rows: UInt8Array = np.empty((self._count, min(BLOCK, grid.height), grid.width), np.uint8)
        self._filled = self._next = 0
        self._checksums: list[int] = []
        try:
            self._dataset: Any = rasterio.open(path, "w", **_profile(grid, layout))
            self._describe()
        except _ERRORS as error:
            raise self._failure(error) from error

    def __enter__(self) -> RowWriter:
        """Nothing more to do: the file is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; where all went well with overviews."""
        try:
            if kind is None:
                self._finish()
            else:
                self._dataset.close()
        except _ERRORS as failure:
            raise self._failure(failure) from failure

    def write(self, rows: UInt8Array) -> None:
        """Append ``rows`` (bands, rows, width)."""
        taken = 0
        while taken < rows.shape[1]:
            n = min(rows.shape[1] - taken, self._rows.shape[1] - self._filled)
            self._rows[:, self._filled : self._filled + n] = rows[:, taken : taken + n]
            self._filled += n
            taken += n
            if self._filled == self._rows.shape[1]:
                self._flush()

    def verify(self, path: Path) -> None:
        """Raise ``OutputError`` unless ``path`` reads back as it was written."""
        parts = [range(first, len(self._checksums), _READERS) for first in range(_READERS)]
        try:
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(partial(self._verify_rows, path), parts))
            if self._overviews:
                with rasterio.open(path) as dataset:
                    self._verify_overviews(dataset, path)
        except _ERRORS as error:
            raise self._failure(error) from error

    def _verify_rows(self, path: Path, indices: range) -> None:
        """Raise ``OSError`` where rows of blocks ``indices`` are not what was written."""
        with rasterio.open(path, sharing=False) as dataset:
            for index in indices:
                rows = dataset.read(window=self._window(index * BLOCK, min(BLOCK, self._height - index * BLOCK)))
                if _checksum(rows) != self._checksums[index]:
                    raise OSError(_LOST)

    def _verify_overviews(self, dataset: Any, path: Path) -> None:
        """Raise ``OSError`` where an overview or a block of one is missing; those that are there have checksums."""
        if len(dataset.overviews(1)) != len(self._factors()):
            raise OSError(_LOST)
        for level in range(len(self._factors())):
            with rasterio.open(path, overview_level=level) as smaller:
                for (row, column), window in smaller.block_windows(1):
                    smaller.read(window=window)
                    place = f"BLOCK_OFFSET_{column}_{row}"
                    if not all(dataset.get_tag_item(place, "TIFF", band, level) for band in dataset.indexes):
                        raise OSError(_LOST)

    def _describe(self) -> None:
        dataset, layout = self._dataset, self._layout
        dataset.nodata = NODATA
        dataset.update_tags(**layout.tags)
        for band, name in enumerate(layout.bands, 1):
            dataset.set_band_description(band, name)
        if layout.scale != 1.0:
            dataset.scales = (layout.scale,) * self._count
        if layout.colours is not None:
            dataset.write_colormap(1, {i: (*colour, 255) for i, colour in layout.colours.items()})
            dataset.colorinterp = (ColorInterp.palette,)
        elif self._count > 1:
            dataset.colorinterp = (ColorInterp.gray,) + (ColorInterp.undefined,) * (self._count - 1)

    def _flush(self) -> None:
        """Write the gathered rows."""
        rows = self._rows[:, : self._filled]
        self._checksums.append(_checksum(rows))
        try:
            self._dataset.write(rows, window=self._window(self._next, self._filled))
        except _ERRORS as error:
            raise self._failure(error) from error
        self._next += self._filled
        self._filled = 0

    def _failure(self, error: Exception) -> OutputError:
        """The sentence for ``error``; where the disk is full with how much a file takes that is as dense all over."""
        text = str(error).strip().splitlines()
        told = any("No space left" in line or "Disk quota" in line for line in text)
        if told or is_disk_full(self._path.parent):
            share = self._next / self._height if self._next else 1.0
            return make_disk_full_error(self._final, int(measure_with_sidecars(self._path) / share))
        return OutputError(
            f"The raster {self._final} cannot be written: {(text[0] if text else type(error).__name__).rstrip('.')}."
        )

    def _window(self, top: int, rows: int) -> Window:
        return Window(0, top, self._width, rows)

    def _finish(self) -> None:
        if self._filled:
            self._flush()
        self._dataset.close()
        if self._next != self._height:
            raise OutputError(f"Only {self._next} of {self._height} rows of {self._final} were written.")
        if self._layout.names:
            write_category_names(self._path, self._layout.names)
        if self._overviews:
            self._build_overviews()

    def _factors(self) -> list[int]:
        """By how much the overviews are smaller."""
        longest = max(self._width, self._height)
        # From 4 to 4: less than half the time that steps of 2 take, and no screen needs more pixels than it can show.
        return [4**n for n in range(1, 8) if longest / 4**n >= BLOCK / 4]

    def _build_overviews(self) -> None:
        factors = self._factors()
        if not factors:
            return
        method = Resampling.average if self._layout.colours is None else Resampling.nearest
        # A second thread takes a quarter more processor time and ends no sooner.
        with (
            rasterio.Env(GDAL_NUM_THREADS="1", GDAL_TIFF_OVR_BLOCKSIZE=str(BLOCK), BIGTIFF_OVERVIEW="IF_SAFER"),
            rasterio.open(self._path, "r+") as dataset,
        ):
            dataset.build_overviews(factors, method)


def read_back_georeferencing(grid: Grid) -> tuple[Affine, CRS | None]:
    """Transform and coordinate system of ``grid`` as a raster that is written with them gives them back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile() as memory:
            small = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
            with memory.open(**small, crs=grid.crs, transform=grid.transform):
                pass
            with memory.open() as dataset:
                return dataset.transform, dataset.crs


def write_category_names(raster: Path, names: Mapping[int, str]) -> None:
    """Write class names as GDAL's category names, in the side file where GDAL looks for them.

    rasterio has no call for it, and a GeoTIFF no place.
    """
    entries = "".join(
        f"      <Category>{html.escape(names.get(i, ''), quote=False)}</Category>\n" for i in range(max(names) + 1)
    )
    text = (
        f'<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n{entries}'
        "    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )
    raster.with_name(raster.name + ".aux.xml").write_text(text, encoding="utf-8")


def _profile(grid: Grid, layout: RasterLayout) -> dict[str, Any]:
    # With blocks of 512 a small raster would be mostly padding: GeoTIFF tiles are multiples of 16.
    side = min(BLOCK, -(-max(grid.width, grid.height) // 16) * 16)
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": len(layout.bands),
        "dtype": "uint8",
        "crs": grid.crs,
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": side,
        "blockysize": side,
        "interleave": "band",
        "compress": "deflate",
        "zlevel": 1,
        # Probabilities change slowly from pixel to pixel, class ids not at all or at random.
        "predictor": 2 if layout.colours is None else 1,
        "bigtiff": "IF_SAFER",
    }


def _checksum(rows: UInt8Array) -> int:
    return zlib.crc32(np.ascontiguousarray(rows).data)
