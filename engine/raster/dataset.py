"""Open a raster for reading, with every check that a file of unknown origin needs.

Every command opens its rasters here: ``open_source`` an image for a network, ``open_raster`` any other raster.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from ..errors import ParameterError, SourceChangedError, SourceError
from ..fs.paths import find_address
from ..fs.regular_file import FileIdentity
from ..protocol.messages import Message
from ..protocol.options import ImageOptions
from .gdal_environment import SAFE_SETTINGS
from .gdal_errors import GDAL_ERRORS, advise_on_format, format_gdal_error, translate_gdal_errors
from .georeferencing import check_georeferencing, measure_ground_resolution, read_georeferencing
from .grid import Grid, make_grid
from .remote import allow_opening, choose_driver, identify_remote, is_remote
from .sampling import has_overviews
from .subdatasets import format_subdatasets, list_subdatasets, select_subdataset
from .value_tags import NO_TAGS, ValueTags, apply_value_tags, choose_value_tags
from .vrt_security import check_references

#: A block is decoded as a whole; a larger one would take memory out of proportion.
_MAX_BLOCK_BYTES = 1 << 30
_MIN_CACHE_BYTES, _MAX_CACHE_BYTES = 64 << 20, 400 << 20


@dataclass(frozen=True)
class Source:
    """An opened, checked image. Created by ``open_source``.

    Attributes:
        path: the file.
        identity: size, time and inode of the file when it was opened.
        file: rasterio's dataset of the file.
        dataset: the dataset to read from: ``file``, or a virtual copy of it with other tags or warped by its ground
            control points or RPCs.
        kinds: color interpretation of each band.
        crs: coordinate system, or None.
        transform: pixel to world coordinates.
        width: columns.
        height: rows.
        pixel_size: metres on the ground per column and per row at the image's center.
        remarks: assumptions about the image that the person should know; warnings where they decide the result.
        options: what it was opened with.
        tags: corrections of what the file says about its values.
    """

    path: Path
    identity: FileIdentity
    file: DatasetReader
    dataset: Any
    kinds: tuple[ColorInterp, ...]
    crs: CRS | None
    transform: Affine
    width: int
    height: int
    pixel_size: tuple[float, float]
    remarks: tuple[Message, ...] = ()
    options: ImageOptions = field(default_factory=ImageOptions)
    tags: ValueTags = NO_TAGS

    @property
    def data_bands(self) -> tuple[int, ...]:
        """1-based indices of all bands but alpha."""
        return tuple(i + 1 for i, kind in enumerate(self.kinds) if kind != ColorInterp.alpha)

    @property
    def count(self) -> int:
        """Number of bands without alpha."""
        return len(self.data_bands)

    @property
    def dtype(self) -> str:
        """NumPy's name of the dtype of the first band."""
        return str(self.dataset.dtypes[0])

    def describe_mask(self) -> str:
        """Name what marks the valid pixels."""
        flags = {flag for band in self.dataset.mask_flag_enums for flag in band}
        if ColorInterp.alpha in self.kinds:
            return "alpha band"
        if MaskFlags.nodata in flags:
            return f"nodata {self.dataset.nodata}"
        return "mask" if MaskFlags.per_dataset in flags else "none"

    def make_grid(self, resolution: float | None) -> Grid:
        """Return the grid over the whole image at ``resolution`` metres per pixel; see ``grid.make_grid``."""
        return make_grid(self.crs, self.transform, (self.width, self.height), self.pixel_size, resolution)

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` if the file was changed since it was opened."""
        if identify_image(self.path, allow_remote=self.options.allow_remote) != self.identity:
            raise SourceChangedError(f"The image {self.path} was changed while it was being read.", "Run again.")


@contextmanager
def open_source(path: Path, options: ImageOptions | None = None, tags: ValueTags | None = None) -> Iterator[Source]:
    """Open an image for reading.

    Args:
        path: a regular file that GDAL can read.
        options: the size of a pixel, the subdataset, the value without data, and whether alpha is ignored.
        tags: corrections that were decided when the image was opened before; None to decide now.

    Yields:
        The source, closed at the end of the block.

    Raises:
        SourceError: the file is missing, is not a raster, or cannot be used as an image.
        ParameterError: the file has no such subdataset.
    """
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**SAFE_SETTINGS))
        source = enter_source(path, options or ImageOptions(), stack, tags)
        stack.enter_context(_block_cache(source.file))
        yield source


def enter_source(
    path: Path,
    options: ImageOptions,
    stack: ExitStack,
    tags: ValueTags | None = None,
    overview: int | None = None,
) -> Source:
    """Open an image in an environment with ``SAFE_SETTINGS``; ``stack`` closes it.

    Unlike ``open_source`` it leaves no environment behind, so that images may be closed in any order. ``overview`` is
    the overview level to open in place of the full image. Arguments and errors otherwise as there.
    """
    identity = identify_image(path, allow_remote=options.allow_remote)
    with _ignore_missing_georeference():
        file = _enter_raster(path, options.subdataset, stack, overview)
        if tags is None:
            tags = choose_value_tags(file, path, options.nodata, ignore_alpha=options.ignore_alpha)
        dataset = apply_value_tags(file, tags, stack)
        view, crs, transform, placed = read_georeferencing(dataset, path, options.pixel_size, stack)
    return Source(
        path=path,
        identity=identity,
        file=file,
        dataset=view,
        kinds=_read_kinds(view),
        crs=crs,
        transform=transform,
        width=view.width,
        height=view.height,
        pixel_size=measure_ground_resolution(crs, transform, view.width, view.height, str(path)),
        remarks=(*map(Message, (*_remark_on_subdatasets(file, path, options.subdataset), *placed)), *tags.remarks),
        options=options,
        tags=tags,
    )


@contextmanager
def open_raster(path: Path, subdataset: str | None = None) -> Iterator[DatasetReader]:
    """Open a raster of any kind for reading: imagery, probabilities, classes, labels.

    Args:
        path: a regular file that GDAL can read.
        subdataset: number or name of one image of a file that holds several (see ``Subdataset``).

    Yields:
        rasterio's dataset, closed at the end of the block.

    Raises:
        SourceError: the file is missing, is not a raster, or cannot be used.
        ParameterError: the file has no such subdataset.
    """
    identify_image(path)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**SAFE_SETTINGS))
        stack.enter_context(_ignore_missing_georeference())
        dataset = _enter_raster(path, subdataset, stack)
        stack.enter_context(_block_cache(dataset))
        yield dataset


def _enter_raster(path: Path, subdataset: str | None, stack: ExitStack, overview: int | None = None) -> DatasetReader:
    """Open and check a raster that was identified; ``stack`` closes it. Errors as for ``open_raster``."""
    if not is_remote(path):
        check_references(path)
    dataset = _open_image(path, subdataset, stack, overview)
    with translate_gdal_errors(f"The metadata of {path} cannot be read", "It may be damaged."):
        _check_dataset(dataset, path)
    return dataset


@contextmanager
def _ignore_missing_georeference() -> Iterator[None]:
    """Leave out rasterio's warning, because every image without georeference gets a sentence of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _block_cache(dataset: DatasetReader) -> rasterio.Env:
    """Return an environment in which GDAL caches two rows of blocks of all bands, so that none is decoded twice."""
    blocks_across = -(-int(dataset.width) // int(dataset.block_shapes[0][1]))
    cache = min(_MAX_CACHE_BYTES, max(_MIN_CACHE_BYTES, 2 * blocks_across * sum(_measure_blocks(dataset))))
    return rasterio.Env(GDAL_CACHEMAX=cache)


def identify_image(path: Path, *, allow_remote: bool = False) -> FileIdentity:
    """Return the identity of an image.

    Args:
        path: a regular file, or an image on the network.
        allow_remote: whether it may be on the network.

    Raises:
        SourceError: it is missing, not a regular file, or on the network.
    """
    if is_remote(path) and not path.exists():
        if allow_remote:
            return identify_remote(path)
        raise SourceError(
            f"The image {find_address(path) or path} is an address on the network.",
            "Download it and give the file, or read it there with --allow-remote.",
        )
    try:
        os.fspath(path).encode("utf-8")
        mode = path.stat().st_mode
        identity = FileIdentity.from_path(path)
    except UnicodeEncodeError:
        raise SourceError(f"The name of the image {path} is not valid UTF-8.", "Rename the file first.") from None
    except FileNotFoundError as error:
        raise SourceError(f"The image {path} does not exist.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"The image {path!s:.300} cannot be opened: {format_gdal_error(error)}.") from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{path} is a folder, not an image.")
    if not stat.S_ISREG(mode):
        raise SourceError(f"{path} is not a regular file.", "Pipes and devices cannot be read as images.")
    return identity


def _open_image(path: Path, wanted: str | None, stack: ExitStack, overview: int | None) -> DatasetReader:
    """Open the file's image, or one of several in it."""
    if is_remote(path):
        if wanted is not None:
            raise ParameterError(f"{path.name} is an image on the network, of which no sub-dataset can be chosen.")
        return stack.enter_context(_open_dataset(path, path, overview))
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (keeps links)
    whole = stack.enter_context(_open_dataset(absolute, path, overview))
    found = list_subdatasets(whole, absolute)
    if wanted is not None:
        return stack.enter_context(_open_dataset(select_subdataset(found, wanted, path).address, path))
    if whole.count == 0 and len(found) == 1:
        return stack.enter_context(_open_dataset(found[0].address, path))
    if whole.count == 0 and found:
        raise SourceError(
            f"The image {path} holds several images: {format_subdatasets(found)}.",
            "Choose one with --subdataset=NUMBER.",
        )
    return whole


def _remark_on_subdatasets(dataset: DatasetReader, path: Path, wanted: str | None) -> tuple[str, ...]:
    """Say which of several images is read."""
    if is_remote(path):
        return ()
    if wanted is not None:
        return (f"Sub-dataset {wanted} of {path.name} is read.",)
    count = len(list_subdatasets(dataset, Path(os.path.abspath(path))))  # noqa: PTH100 (keeps links)
    if count < 2:
        return ()
    return (f"{path.name} holds {count} images; the first is read. Another is chosen with --subdataset=NUMBER.",)


def _open_dataset(address: Path | str, path: Path, overview: int | None = None) -> DatasetReader:
    """Open ``address``: the absolute ``path`` (rasterio parses "a:b" as a connection string) or a subdataset of it."""
    try:
        settings: dict[str, Any] = {} if overview is None else {"OVERVIEW_LEVEL": str(overview)}
        if not is_remote(path):
            return rasterio.open(address, sharing=False, **settings)
        with allow_opening(path) as name:
            return rasterio.open(name, sharing=False, driver=choose_driver(path), **settings)
    except GDAL_ERRORS as error:
        advice = "It may be damaged, or of a format that is not read from the network."
        raise SourceError(
            f"The image {path} cannot be read as a raster: {format_gdal_error(error)}.",
            advice if is_remote(path) else advise_on_format(path),
        ) from error


def _check_dataset(dataset: DatasetReader, path: Path) -> None:
    """Raise ``SourceError`` if bands, dtypes, transform or blocks cannot be used."""
    if dataset.count == 0:
        raise SourceError(f"The image {path} has no bands.")
    if any(kind.startswith("complex") for kind in dataset.dtypes):
        raise SourceError(f"The image {path} has complex numbers as pixels.", "Make an amplitude image first.")
    if len(set(dataset.dtypes)) > 1:
        raise SourceError(
            f"The bands of {path} have different types ({', '.join(sorted(set(dataset.dtypes)))}).",
            "Save the bands to be used with one type.",
        )
    check_georeferencing(dataset, path)
    # GDAL reads these late; what it cannot read of them is reported here and not in the middle of a run.
    _ = (dataset.files, has_overviews(dataset, 1), dataset.mask_flag_enums, dataset.colorinterp, dataset.gcps)
    sizes = _measure_blocks(dataset)
    # A pixel-interleaved block holds all bands and is decoded as a whole also for one of them.
    size = sum(sizes) if dataset.interleaving == Interleaving.pixel else max(sizes)
    if size > _MAX_BLOCK_BYTES:
        raise SourceError(
            f"The image {path} is stored in blocks of {size / 1e9:.1f} GB, which must be read as a whole.",
            "Convert it to a tiled GeoTIFF first.",
        )


def _read_kinds(dataset: DatasetReader) -> tuple[ColorInterp, ...]:
    """Read the color interpretation of the bands. rasterio raises what libtiff said of another directory before."""
    with suppress(CPLE_BaseError):
        return tuple(dataset.colorinterp)
    return tuple(dataset.colorinterp)


def _measure_blocks(dataset: DatasetReader) -> list[int]:
    """Return the bytes of one block of each band."""
    shapes = zip(dataset.block_shapes, dataset.dtypes, strict=True)
    return [rows * columns * np.dtype(kind).itemsize for (rows, columns), kind in shapes]
