"""Files that hold several images (netCDF, HDF5, GeoTIFFs of several pages): which there are, and how to name one.

GDAL calls them sub-datasets and gives each a name for opening, such as ``NETCDF:"/data/a.nc":red``. A person names one
by its number, by the last part of that name, or by all of it.
"""

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
from rasterio.enums import ColorInterp, Interleaving
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from ..errors import ParameterError, SourceChangedError, SourceError
from ..fs.regular_file import FileIdentity
from .gdal_environment import SAFE_SETTINGS
from .gdal_errors import GDAL_ERRORS, format_gdal_error
from .georeferencing import read_georeferencing
from .grid import Grid, make_grid
from .ground_resolution import measure_ground_resolution
from .vrt_security import check_references

#: More are not listed in a sentence.
_SHOWN = 6


@dataclass(frozen=True)
class Subdataset:
    """One image within a file.

    Attributes:
        number: from 1, as GDAL counts.
        address: what GDAL opens.
        name: the last part of the address: a variable's name, a page's number.
        description: GDAL's words for it (its size and type).
    """

    number: int
    address: str
    name: str
    description: str


def list_subdatasets(dataset: DatasetReader, path: Path) -> list[Subdataset]:
    """The images within an opened file, in its order; none where it is a single image.

    A file could name others as its parts, so only those are listed whose address holds ``path`` itself.
    """
    tags: dict[str, str] = dataset.tags(ns="SUBDATASETS")
    numbers = sorted(int(key.split("_")[1]) for key in tags if key.endswith("_NAME") and key.split("_")[1].isdigit())
    found = []
    for number in numbers:
        address = tags[f"SUBDATASET_{number}_NAME"]
        before, there, behind = address.partition(str(path))
        if there and "/" not in before and "\\" not in before:
            name = behind.strip('":/') or before.strip('":').split(":")[-1]
            found.append(Subdataset(number, address, name, tags.get(f"SUBDATASET_{number}_DESC", "")))
    return found


def select_subdataset(parts: list[Subdataset], wanted: str, path: Path) -> Subdataset:
    """The part that ``wanted`` names.

    Raises:
        ParameterError: there is no such part; the sentence says which there are.
    """
    for part in parts:
        if wanted in (str(part.number), part.name, part.address):
            return part
    if not parts:
        raise ParameterError(f"{path} is a single image: it has no sub-dataset '{wanted[:100]}'.")
    raise ParameterError(f"{path} has no sub-dataset '{wanted[:100]}'; it has {format_subdatasets(parts)}.")


def format_subdatasets(parts: list[Subdataset]) -> str:
    """The first parts as they can be named, for a sentence."""
    listed = [f"{part.number} ({part.name})" if part.name != str(part.number) else part.name for part in parts]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


#: A block is decoded as a whole; one larger than this would take memory out of proportion.
_LARGEST_BLOCK = 1 << 30
_CACHE_LEAST, _CACHE_MOST = 64 << 20, 400 << 20


def identify_image(path: Path) -> FileIdentity:
    """Return the identity of an image file; ``SourceError`` if it is missing or not a regular file."""
    try:
        status = path.stat()
        identity = FileIdentity.from_path(path)
    except FileNotFoundError as error:
        raise SourceError(f"The image {path} does not exist.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"The image {path!s:.300} cannot be opened: {format_gdal_error(error)}.") from error
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path} is a folder, not an image.")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is not a regular file.", "Pipes and devices cannot be read as images.")
    return identity


@dataclass(frozen=True)
class Source:
    """An opened, checked image. Made by ``open_source``.

    Attributes:
        path: the file.
        identity: size, time and inode of the file when it was opened.
        dataset: rasterio's dataset; a warped view of it where the file has only ground control points or RPCs.
        crs: coordinate system, or None where the file has none.
        transform: pixel to world.
        width: columns.
        height: rows.
        pixel_size: true metres per column and per row at the image's centre.
        remarks: what a person should know about how the image is understood.
    """

    path: Path
    identity: FileIdentity
    dataset: Any
    crs: CRS | None
    transform: Affine
    width: int
    height: int
    pixel_size: tuple[float, float]
    remarks: tuple[str, ...] = ()

    def make_grid(self, resolution: float | None) -> Grid:
        """Return the grid over the whole image at ``resolution`` metres per pixel; see ``grid.make_grid``."""
        return make_grid(self.crs, self.transform, (self.width, self.height), self.pixel_size, resolution)

    @property
    def count(self) -> int:
        """Bands that carry a picture; an alpha band is not one."""
        return len(self.data_bands)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The 1-based indices of all bands but alpha."""
        kinds = self.dataset.colorinterp
        return tuple(i + 1 for i, kind in enumerate(kinds) if kind != ColorInterp.alpha)

    @property
    def dtype(self) -> str:
        """NumPy's name of the pixel type of the first band."""
        return str(self.dataset.dtypes[0])

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` where the file is no longer the one that was opened."""
        if identify_image(self.path) != self.identity:
            raise SourceChangedError(f"The image {self.path} was changed while it was being read.", "Run again.")


@contextmanager
def open_source(path: Path, pixel_size: float | None = None, subdataset: str | None = None) -> Iterator[Source]:
    """Open an image for reading.

    Args:
        path: a regular file that GDAL can read.
        pixel_size: metres per pixel for an image without georeference (a photograph, a plain PNG).
        subdataset: number or name of one image of a file that holds several (see ``Subdataset``).

    Yields:
        The source, closed at the end of the block.

    Raises:
        SourceError: the file is missing, no raster, or one that cannot be used as an image.
        ParameterError: the file has no such subdataset.
    """
    identity = identify_image(path)
    check_references(path)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**SAFE_SETTINGS))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset, said = _open_image(path, subdataset, stack)
        _check_bands(dataset, path)
        _check_blocks(dataset, path)
        view, crs, transform, remarks = read_georeferencing(dataset, path, pixel_size, stack)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_cache_size(dataset)))
        wkt = crs.to_wkt() if crs else None
        pixel = measure_ground_resolution(wkt, transform, view.width, view.height, str(path))
        yield Source(path, identity, view, crs, transform, view.width, view.height, pixel, (*said, *remarks))


def _open_image(path: Path, wanted: str | None, stack: ExitStack) -> tuple[DatasetReader, tuple[str, ...]]:
    """The file's image, or one of several in it, and what a person should know about the choice."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (links must stay)
    whole = stack.enter_context(_open(absolute, path))
    parts = list_subdatasets(whole, absolute)
    if wanted is not None:
        chosen = select_subdataset(parts, wanted, path)
        return stack.enter_context(_open(chosen.address, path)), (f"Sub-dataset {chosen.name} of {path.name} is read.",)
    if whole.count == 0 and len(parts) == 1:
        return stack.enter_context(_open(parts[0].address, path)), ()
    if whole.count == 0 and parts:
        raise SourceError(
            f"The image {path} holds several images: {format_subdatasets(parts)}.",
            "Choose one with --subdataset=NUMBER.",
        )
    if len(parts) > 1:
        more = f"{path.name} holds {len(parts)} images; the first is read. Another is chosen with --subdataset=NUMBER."
        return whole, (more,)
    return whole, ()


def _open(address: Path | str, path: Path) -> DatasetReader:
    """Open ``address``, which is ``path`` itself (absolute: rasterio reads "a:b" as an address) or a part of it."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(f"The name of the image {path} is not valid UTF-8.", "Rename the file first.") from None
    try:
        return rasterio.open(address, sharing=False)
    except GDAL_ERRORS as error:
        raise SourceError(
            f"The image {path} cannot be read as a raster: {format_gdal_error(error)}.",
            "It may be damaged or of an unknown format.",
        ) from error


def _check_bands(dataset: DatasetReader, path: Path) -> None:
    if dataset.count == 0:
        raise SourceError(f"The image {path} has no bands.")
    if any(kind.startswith("complex") for kind in dataset.dtypes):
        raise SourceError(f"The image {path} has complex numbers as pixels.", "Make an amplitude image first.")
    if len(set(dataset.dtypes)) > 1:
        raise SourceError(
            f"The bands of {path} have different types ({', '.join(sorted(set(dataset.dtypes)))}).",
            "Save those that are wanted with one type.",
        )


def _check_blocks(dataset: DatasetReader, path: Path) -> None:
    sizes = _block_bytes(dataset)
    # Where bands are interleaved by pixel a block holds them all, and is decoded for one as for all.
    size = sum(sizes) if dataset.interleaving == Interleaving.pixel else max(sizes)
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
