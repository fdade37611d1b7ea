"""Opening an image: checked first, opened, checked again; one clear sentence for whatever is wrong with it."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from ..errors import SourceChangedError, SourceError
from .environment import SAFE_SETTINGS
from .ground import ground_resolution
from .vrt import check_vrt

#: A block is decoded as a whole; one larger than this would take memory out of proportion.
_LARGEST_BLOCK = 1 << 30
_CACHE_LEAST, _CACHE_MOST = 64 << 20, 400 << 20


@dataclass(frozen=True)
class FileState:
    """What tells that a file is still the one that was opened."""

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The present state of ``path``; SourceError where it is missing or no regular file."""
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise SourceError(f"The image {path} does not exist.") from error
        except (OSError, ValueError) as error:
            raise SourceError(f"The image {path!s:.300} cannot be opened: {reason(error)}.") from error
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path} is a folder, not an image.")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is not a regular file.", "Pipes and devices cannot be read as images.")
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class Source:
    """An opened, checked image. Made by ``open_source``.

    Attributes:
        path: the file.
        state: the file as it was when it was opened.
        dataset: rasterio's dataset; a warped view of it where the file has only ground control points.
        crs: coordinate system, or None where the file has none.
        transform: pixel to world.
        width: columns.
        height: rows.
        pixel: true metres per column and per row at the image's centre.
        remarks: what a person should know about how the image is understood.
    """

    path: Path
    state: FileState
    dataset: Any
    crs: CRS | None
    transform: Affine
    width: int
    height: int
    pixel: tuple[float, float]
    remarks: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Bands that carry a picture; an alpha band is not one."""
        return len(self.picture_bands)

    @property
    def picture_bands(self) -> tuple[int, ...]:
        """The 1-based indices of all bands but alpha."""
        kinds = self.dataset.colorinterp
        return tuple(i + 1 for i, kind in enumerate(kinds) if kind != ColorInterp.alpha)

    @property
    def dtype(self) -> str:
        """NumPy's name of the pixel type of the first band."""
        return str(self.dataset.dtypes[0])

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` where the file is no longer the one that was opened."""
        if FileState.of(self.path) != self.state:
            raise SourceChangedError(f"The image {self.path} was changed while it was being read.", "Run again.")


@contextmanager
def open_source(path: Path, pixel_size: float | None = None) -> Iterator[Source]:
    """Open an image for reading.

    Args:
        path: a regular file that GDAL can read.
        pixel_size: metres per pixel for an image without georeference (a photograph, a plain PNG).

    Yields:
        The source, closed at the end of the block.

    Raises:
        SourceError: the file is missing, no raster, or one that cannot be used as an image.
    """
    state = FileState.of(path)
    check_vrt(path)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**SAFE_SETTINGS))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = stack.enter_context(_open(path))
        _check_bands(dataset, path)
        view, crs, transform, remarks = _georeference(dataset, path, pixel_size, stack)
        _check_blocks(dataset, path)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_cache_size(dataset)))
        wkt = crs.to_wkt() if crs else None
        pixel = ground_resolution(wkt, transform, view.width, view.height, str(path))
        yield Source(path, state, view, crs, transform, view.width, view.height, pixel, remarks)


def _open(path: Path) -> DatasetReader:
    try:
        # rasterio reads "a:b" and "zip://x" as addresses; an absolute path is a path.
        return rasterio.open(Path(os.path.abspath(path)), sharing=False)  # noqa: PTH100 (links must stay)
    except (RasterioError, OSError, ValueError, TypeError, AttributeError, UnicodeError) as error:
        raise SourceError(
            f"The image {path} cannot be read as a raster: {reason(error)}.",
            "It may be damaged or of an unknown format.",
        ) from error


def _check_bands(dataset: DatasetReader, path: Path) -> None:
    if dataset.count == 0:
        inner = [name.split(":")[-1] for name in dataset.subdatasets[:4]]
        more = f" It holds the sub-datasets {', '.join(inner)}: save one as a GeoTIFF." if inner else ""
        raise SourceError(f"The image {path} has no bands.{more}")
    if any(kind.startswith("complex") for kind in dataset.dtypes):
        raise SourceError(f"The image {path} has complex numbers as pixels.", "Make an amplitude image first.")
    if len(set(dataset.dtypes)) > 1:
        raise SourceError(f"The bands of {path} have different types ({', '.join(sorted(set(dataset.dtypes)))}).")


def _check_blocks(dataset: DatasetReader, path: Path) -> None:
    size = max(_block_bytes(dataset))
    if size > _LARGEST_BLOCK:
        raise SourceError(
            f"The image {path} is stored in blocks of {size / 1e9:.1f} GB, which must be read as a whole.",
            "Convert it to a tiled GeoTIFF first.",
        )


def _block_bytes(dataset: DatasetReader) -> list[int]:
    """Bytes of one block of each band."""
    sizes = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4}
    shapes = zip(dataset.block_shapes, dataset.dtypes, strict=True)
    return [rows * columns * sizes.get(kind, 8) for (rows, columns), kind in shapes]


def _cache_size(dataset: DatasetReader) -> int:
    """Bytes for GDAL's cache: two rows of blocks of all bands, so that no block is decoded twice."""
    _, columns = dataset.block_shapes[0]
    across = -(-int(dataset.width) // int(columns))
    return min(_CACHE_MOST, max(_CACHE_LEAST, 2 * across * sum(_block_bytes(dataset))))


def _georeference(
    dataset: DatasetReader, path: Path, pixel_size: float | None, stack: ExitStack
) -> tuple[Any, CRS | None, Affine, tuple[str, ...]]:
    """The view to read from, its coordinate system and transform, and remarks."""
    if not dataset.transform.is_identity:
        if dataset.transform.is_degenerate:
            raise SourceError(f"The georeference of {path} is degenerate: its pixels have no area.")
        if dataset.crs is None:
            return (
                dataset,
                None,
                dataset.transform,
                (f"{path.name} has no coordinate system; its units are taken as metres.",),
            )
        return dataset, dataset.crs, dataset.transform, ()
    points, crs = dataset.gcps
    if points and crs:
        try:
            view = stack.enter_context(WarpedVRT(dataset, src_crs=crs, crs=crs, add_alpha=_has_no_mask(dataset)))
        except (RasterioError, OSError, ValueError) as error:
            raise SourceError(f"The ground control points of {path} cannot be used: {reason(error)}.") from error
        return view, view.crs, view.transform, (f"{path.name} was placed by its {len(points)} ground control points.",)
    if pixel_size is not None:
        scaled = Affine(pixel_size, 0, 0, 0, -pixel_size, 0)
        return dataset, None, scaled, (f"{path.name} has no georeference; {pixel_size:g} m per pixel is assumed.",)
    only = "has only RPCs" if dataset.rpcs else "has no georeference"
    advice = "Orthorectify it first." if dataset.rpcs else "Give the size of its pixels in metres with --pixel-size."
    raise SourceError(f"The image {path} {only}, so its place and scale are not known.", advice)


def _has_no_mask(dataset: DatasetReader) -> bool:
    return dataset.nodata is None and ColorInterp.alpha not in dataset.colorinterp


def reason(error: BaseException) -> str:
    """What went wrong at the bottom of it, in one line without a full stop.

    rasterio's own sentence often only says to look at the exception before, which is GDAL's.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__
