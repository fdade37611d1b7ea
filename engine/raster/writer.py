"""Write GeoTIFFs from top to bottom and verify that they read back as they were written.

Rows are buffered until a whole row of GeoTIFF blocks is complete, so that each block is compressed once. ``verify``
compares checksums after the file is closed, because GDAL can lose the last writes to a full disk without an error.
"""

from __future__ import annotations

import html
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError, CPLE_OutOfMemoryError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from ..errors import OutOfMemoryError, OutputError
from ..fs.atomic import is_disk_full, make_disk_full_error, measure_with_sidecars
from ..fs.spool import UInt8Array
from .grid import Grid
from .probability import NODATA, PROBABILITY_SCALE

BLOCK = 512
_VERIFY_THREADS = 2
#: rasterio does not wrap GDAL's errors of closing and of overviews.
_ERRORS = (RasterioError, CPLE_BaseError, OSError)
_MISMATCH = "it does not read back as it was written; its disk may be failing"


@dataclass(frozen=True)
class RasterLayout:
    """Bands and metadata of a raster.

    Attributes:
        bands: description of each band.
        scale: scale tag of each band.
        colors: class id to red, green, blue; None if the values are not classes.
        names: class id to name; empty if the values are not classes.
        tags: metadata of the file.
    """

    bands: Sequence[str]
    scale: float = 1.0
    colors: Mapping[int, tuple[int, int, int]] | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def make_probability_layout(names: Sequence[str], tags: Mapping[str, str]) -> RasterLayout:
    """Return the layout of quantized probabilities with one band for each class name."""
    return RasterLayout(bands=names, scale=1 / PROBABILITY_SCALE, tags=tags)


def make_class_layout(
    names: Mapping[int, str], colors: Mapping[int, tuple[int, int, int]], tags: Mapping[str, str]
) -> RasterLayout:
    """Return the layout of class ids with a color table and category names."""
    return RasterLayout(bands=("class",), colors=colors, names=names, tags=tags)


class RowWriter(AbstractContextManager["RowWriter"]):
    """Write a uint8 GeoTIFF row by row; a context manager.

    Args:
        path: the file to create, under a temporary name (see ``fs.atomic``).
        grid: georeference and size.
        layout: bands and metadata.
        overviews: whether to build overviews at the end: averages, or nearest neighbors for classes.
        final: the output as the person knows it, for messages; ``path`` if None.

    Raises:
        OutputError: the file cannot be created or written.
    """

    def __init__(
        self, path: Path, grid: Grid, layout: RasterLayout, *, overviews: bool = True, final: Path | None = None
    ) -> None:
        self._path, self._layout, self._final = path, layout, final or path
        self._width, self._height = grid.width, grid.height
        self._buffer: UInt8Array = np.empty((len(layout.bands), min(BLOCK, grid.height), grid.width), np.uint8)
        self._buffered = self._written = 0
        self._checksums: list[int] = []
        # Factor 4 takes less than half the time of factor 2, and no screen shows more pixels than that leaves.
        factors = [4**n for n in range(1, 8) if max(grid.width, grid.height) / 4**n >= BLOCK / 4]
        self._overview_factors = factors if overviews else []
        with self._translate_errors():
            self._dataset: Any = rasterio.open(path, "w", **_make_profile(grid, layout))
            self._write_metadata()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the file; without an exception, complete it with category names and overviews."""
        with self._translate_errors():
            if kind is None:
                self._finish()
            else:
                self._dataset.close()

    def write(self, rows: UInt8Array) -> None:
        """Append ``rows`` (bands, rows, width)."""
        taken = 0
        while taken < rows.shape[1]:
            n = min(rows.shape[1] - taken, self._buffer.shape[1] - self._buffered)
            self._buffer[:, self._buffered : self._buffered + n] = rows[:, taken : taken + n]
            self._buffered += n
            taken += n
            if self._buffered == self._buffer.shape[1]:
                self._flush()

    def verify(self, path: Path) -> None:
        """Raise ``OutputError`` unless the closed file ``path`` reads back as it was written."""
        shares = [range(first, len(self._checksums), _VERIFY_THREADS) for first in range(_VERIFY_THREADS)]
        with self._translate_errors():
            with ThreadPoolExecutor(_VERIFY_THREADS) as pool:
                list(pool.map(partial(self._verify_rows, path), shares))
            if self._overview_factors:
                self._verify_overviews(path)

    def _verify_rows(self, path: Path, indices: range) -> None:
        """Raise ``OSError`` if the block rows ``indices`` differ from what was written."""
        with rasterio.open(path, sharing=False) as dataset:
            for index in indices:
                rows = dataset.read(window=self._window(index * BLOCK, min(BLOCK, self._height - index * BLOCK)))
                if _checksum(rows) != self._checksums[index]:
                    raise OSError(_MISMATCH)

    def _verify_overviews(self, path: Path) -> None:
        """Raise ``OSError`` if an overview, or a block of one, is missing or damaged."""
        with rasterio.open(path) as dataset:
            if len(dataset.overviews(1)) != len(self._overview_factors):
                raise OSError(_MISMATCH)
            for level in range(len(self._overview_factors)):
                with rasterio.open(path, overview_level=level) as overview:
                    for (row, column), window in overview.block_windows(1):
                        overview.read(window=window)  # fails if a block's own checksum does not match
                        offset = f"BLOCK_OFFSET_{column}_{row}"
                        if not all(dataset.get_tag_item(offset, "TIFF", band, level) for band in dataset.indexes):
                            raise OSError(_MISMATCH)

    def _write_metadata(self) -> None:
        dataset, layout, count = self._dataset, self._layout, len(self._layout.bands)
        dataset.nodata = NODATA
        dataset.update_tags(**layout.tags)
        for band, name in enumerate(layout.bands, 1):
            dataset.set_band_description(band, name)
        if layout.scale != 1.0:
            dataset.scales = (layout.scale,) * count
        if layout.colors is not None:
            dataset.write_colormap(1, {i: (*color, 255) for i, color in layout.colors.items()})
            dataset.colorinterp = (ColorInterp.palette,)
        elif count > 1:
            dataset.colorinterp = (ColorInterp.gray,) + (ColorInterp.undefined,) * (count - 1)

    def _flush(self) -> None:
        """Write the buffered rows."""
        rows = self._buffer[:, : self._buffered]
        self._checksums.append(_checksum(rows))
        with self._translate_errors():
            self._dataset.write(rows, window=self._window(self._written, self._buffered))
        self._written += self._buffered
        self._buffered = 0

    def _finish(self) -> None:
        if self._buffered:
            self._flush()
        self._dataset.close()
        if self._written != self._height:
            raise OutputError(f"Only {self._written} of {self._height} rows of {self._final} were written.")
        if self._layout.names:
            write_category_names(self._path, self._layout.names)
        if self._overview_factors:
            method = Resampling.average if self._layout.colors is None else Resampling.nearest
            # A second thread takes a quarter more processor time and does not finish sooner.
            with (
                rasterio.Env(GDAL_NUM_THREADS="1", GDAL_TIFF_OVR_BLOCKSIZE=str(BLOCK), BIGTIFF_OVERVIEW="IF_SAFER"),
                rasterio.open(self._path, "r+") as dataset,
            ):
                dataset.build_overviews(self._overview_factors, method)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Convert errors of GDAL; for a full disk, estimate the needed space from what was written so far."""
        try:
            yield
        except _ERRORS as error:
            text = str(error).strip()
            if isinstance(error, CPLE_OutOfMemoryError) or "cannot allocate" in text.lower():
                raise OutOfMemoryError(
                    f"There was not enough memory to write {self._final}.", "Choose a smaller tile."
                ) from error
            if "No space left" in text or "Disk quota" in text or is_disk_full(self._path.parent):
                share = self._written / self._height if self._written else 1.0
                raise make_disk_full_error(self._final, int(measure_with_sidecars(self._path) / share)) from error
            detail = (text.splitlines()[0] if text else type(error).__name__).rstrip(".")
            raise OutputError(f"The raster {self._final} cannot be written: {detail}.") from error

    def _window(self, top: int, rows: int) -> Window:
        return Window(0, top, self._width, rows)


def read_back_georeferencing(grid: Grid) -> tuple[Affine, CRS | None]:
    """Return the transform and CRS of ``grid`` as they are read back from a GeoTIFF that was written with them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile() as memory:
            profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
            with memory.open(**profile, crs=grid.crs, transform=grid.transform):
                pass
            with memory.open() as dataset:
                return dataset.transform, dataset.crs


def write_category_names(raster: Path, names: Mapping[int, str]) -> None:
    """Write class names as GDAL's category names to the sidecar file ``.aux.xml``.

    rasterio has no function for it, and GeoTIFF has no tag.
    """
    entries = "".join(
        f"      <Category>{html.escape(names.get(i, ''), quote=False)}</Category>\n" for i in range(max(names) + 1)
    )
    text = (
        f'<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n{entries}'
        "    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )
    raster.with_name(raster.name + ".aux.xml").write_text(text, encoding="utf-8")


def _make_profile(grid: Grid, layout: RasterLayout) -> dict[str, Any]:
    # GeoTIFF blocks are multiples of 16; with blocks of 512 a small raster would be mostly padding.
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
        # Probabilities change gradually from pixel to pixel, class ids do not.
        "predictor": 2 if layout.colors is None else 1,
        "bigtiff": "IF_SAFER",
    }


def _checksum(rows: UInt8Array) -> int:
    return zlib.crc32(np.ascontiguousarray(rows).data)
