"""The pixels of several images on one grid.

Where images overlap, the first lies on top, and where it has no data, the next shows through. The bands and the stretch
of each image are its own. Files are opened when they are needed, and only some stay open, so that thousands of them
can form a mosaic.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ..errors import SourceChangedError, SourceError
from .bands import Bands, Mask, choose_bands, read_bands
from .dataset import Source, enter_source, identify_image, open_source
from .gdal_environment import SAFE_SETTINGS
from .gdal_errors import translate_gdal_errors
from .grid import Grid
from .pixel_view import ImageSpec, PixelView, SourceSpec
from .reader import ImageView, convert, split_rows
from .remote import is_remote, retry_remote

#: Images that are open at a time.
MAX_OPEN = 64
#: Bytes of pixels that are read or joined at a time.
_WINDOW_BYTES = 32 << 20
#: GDAL's cache of decoded blocks while a mosaic is read.
_CACHE_BYTES = 400 << 20

#: Of pixels in memory whose place does not matter; rasterio warns of an identity.
_ANY_TRANSFORM = Affine(1, 0, 1, 0, -1, 1)

_Window = tuple[int, int, int, int]


@contextmanager
def open_view(spec: SourceSpec) -> Iterator[PixelView]:
    """Open the view that ``spec`` describes.

    Yields:
        The view; its files are closed at the end of the block.

    Raises:
        SourceChangedError: an image is not in the state in which it was described.
        SourceError: an image cannot be read.
    """
    if spec.lattice is not None:
        with open_mosaic(spec) as mosaic:
            yield mosaic
        return
    (image,) = spec.images
    _check_identity(image)
    with open_source(image.path, image.options, image.tags) as source:
        bands = choose_bands(source, image.bands, spec.channels)
        yield ImageView(source, spec.grid, bands, image.stretch, spec.dtype, area=spec.area)


@contextmanager
def open_mosaic(spec: SourceSpec) -> Iterator[MosaicView]:
    """Open the view of a mosaic; its files are closed at the end of the block."""
    with rasterio.Env(**SAFE_SETTINGS, GDAL_CACHEMAX=_CACHE_BYTES), _OpenImages(spec) as images:
        yield MosaicView(spec, images)


class MosaicView(PixelView):
    """The pixels of several images on one grid.

    Args:
        spec: the images and the grid.
        images: opens them.
    """

    def __init__(self, spec: SourceSpec, images: _OpenImages) -> None:
        super().__init__(spec)
        self._images = images

    @cached_property
    def _tree(self) -> shapely.STRtree:
        windows = [image.placement.window for image in self.spec.images if image.placement is not None]
        return shapely.STRtree(shapely.box(*np.array(windows, float).T))

    @property
    def _lattice(self) -> Grid:
        assert self.spec.lattice is not None, "a mosaic has a lattice"
        return self.spec.lattice

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` if an image that was read since the last check was changed."""
        self._images.check_unchanged()

    def read(self, x0: int, y0: int, x1: int, y1: int, out: NDArray[Any]) -> Mask | None:
        """Read a window of the grid; see ``PixelView.read``."""
        with rasterio.Env(**SAFE_SETTINGS):
            if self.spec.grid.is_native:
                dx, dy = self.spec.grid.offset
                valid = self._compose((x0 + dx, y0 + dy, x1 + dx, y1 + dy), out)
            else:
                valid = np.ones((y1 - y0, x1 - x0), np.bool_)
                for a, b in self._split_rows(x1 - x0, y0, y1):
                    valid[a - y0 : b - y0] = self._resample((x0, a, x1, b), out[:, a - y0 : b - y0])
        if self.spec.area is not None:
            # Pixels outside the area keep their values: they are the context that the network sees.
            valid &= self.spec.area.rasterize_rows(y0, y1)[:, x0:x1]
        return None if valid.all() else valid

    def _split_rows(self, columns: int, y0: int, y1: int) -> Iterator[tuple[int, int]]:
        """Split rows ``y0:y1`` into windows whose pixels of the lattice are of limited size, at fixed rows."""
        size = columns * math.prod(self.spec.grid.scale) * self.spec.layers * np.dtype(self.spec.dtype).itemsize
        rows = max(1, int(_WINDOW_BYTES / size))
        return split_rows(y0, y1, rows)

    def _resample(self, window: _Window, out: NDArray[Any]) -> Mask:
        """Read a window of the grid whose pixels are not those of the lattice; return which are valid."""
        exact = self.spec.grid.source_window(*window)
        pad_x, pad_y = (2 * math.ceil(scale) + 2 for scale in self.spec.grid.scale)
        x0, y0 = max(0, math.floor(exact.col_off) - pad_x), max(0, math.floor(exact.row_off) - pad_y)
        x1 = min(self._lattice.width, math.ceil(exact.col_off + exact.width) + pad_x)
        y1 = min(self._lattice.height, math.ceil(exact.row_off + exact.height) + pad_y)
        pixels = np.empty((self.spec.layers, y1 - y0, x1 - x0), self.spec.dtype)
        known = self._compose((x0, y0, x1, y1), pixels)
        if not known.any():
            out[...] = 0
            return np.zeros(out.shape[1:], np.bool_)
        shrinks = exact.width > out.shape[2] or exact.height > out.shape[1]
        resampling = Resampling.average if shrinks else Resampling.bilinear
        inner = Window(exact.col_off - x0, exact.row_off - y0, exact.width, exact.height)
        profile = {"count": self.spec.layers, "height": y1 - y0, "width": x1 - x0, "dtype": self.spec.dtype}
        with rasterio.open("mosaic", "w+", driver="MEM", transform=_ANY_TRANSFORM, **profile) as memory:
            memory.write(pixels)
            if not known.all():
                memory.write_mask(known)
            memory.read(window=inner, out=out, resampling=resampling)
            if known.all():
                return np.ones(out.shape[1:], np.bool_)
            shares = memory.read_masks(1, window=inner, out_shape=out.shape[1:], resampling=resampling)
        valid: Mask = shares > 127
        out[:, ~valid] = 0
        return valid

    def _compose(self, window: _Window, out: NDArray[Any]) -> Mask:
        """Join the images in a window of the lattice, 0 where there is none; return which pixels are valid."""
        x0, y0, x1, y1 = window
        missing = np.ones((y1 - y0, x1 - x0), np.bool_)
        out[...] = 0
        for index in sorted(self._tree.query(shapely.box(*window))):
            placement = self.spec.images[index].placement
            assert placement is not None
            left, top, right, bottom = placement.window
            a, b, c, d = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
            if a >= c or b >= d:  # they only touch
                continue
            inside = np.s_[b - y0 : d - y0, a - x0 : c - x0]
            if missing[inside].any():
                self._add(index, (a - left, b - top, c - left, d - top), out[(slice(None), *inside)], missing[inside])
        return ~missing

    def _add(self, index: int, window: _Window, out: NDArray[Any], missing: Mask) -> None:
        """Fill ``missing`` pixels of ``out`` with those of a window of an image, and mark them as no longer missing."""
        image = self.spec.images[index]
        x0, y0, x1, y1 = window
        row_bytes = (x1 - x0) * len(image.bands) * 8
        rows = max(1, _WINDOW_BYTES // row_bytes)
        for a, b in split_rows(y0, y1, rows):
            wanted = missing[a - y0 : b - y0]
            if not wanted.any():
                continue
            part = Window(x0, a, x1 - x0, b - a)
            pixels, valid = retry_remote(image.path, partial(self._read_image, index, part))
            converted = np.empty(pixels.shape, self.spec.dtype)
            if image.stretch is not None:
                image.stretch.apply(pixels, converted)
            else:
                convert(pixels, converted)
            new = wanted if valid is None else wanted & valid
            np.copyto(out[:, a - y0 : b - y0], converted, where=new)  # a single layer is broadcast to all channels
            wanted &= ~new

    def _read_image(self, index: int, window: Window) -> tuple[NDArray[Any], Mask | None]:
        """Read a window of an image on the lattice; after an error it is closed."""
        opened = self._images.open(index)
        try:
            return read_bands(opened.source, opened.bands, window, (int(window.height), int(window.width)))
        except SourceError:
            self._images.close(index)
            raise


@dataclass(frozen=True)
class _OpenImage:
    """An image of a mosaic that is open, warped where that is needed.

    Attributes:
        source: the image; its pixels are those of the lattice.
        bands: the bands to read.
        resources: closes it.
    """

    source: Source
    bands: Bands
    resources: ExitStack


class _OpenImages(AbstractContextManager["_OpenImages"]):
    """Opens the images of a mosaic when they are needed, and closes those that were not used for longest.

    Args:
        spec: the images.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._open: OrderedDict[int, _OpenImage] = OrderedDict()
        self._read: set[int] = set()

    def __exit__(self, *_: object) -> None:
        """Close all images."""
        while self._open:
            self._open.popitem()[1].resources.close()

    def open(self, index: int) -> _OpenImage:
        """Return the image ``index``, opened.

        Raises:
            SourceError: it cannot be opened.
            SourceChangedError: it was changed since it was described.
        """
        self._read.add(index)
        if index not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._open.popitem(last=False)[1].resources.close()
            self._open[index] = _open_image(self._spec, self._spec.images[index])
        self._open.move_to_end(index)
        return self._open[index]

    def close(self, index: int) -> None:
        """Close the image ``index``."""
        self._open.pop(index).resources.close()

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` if an image that was opened since the last check was changed."""
        for index in sorted(self._read):
            image = self._spec.images[index]
            if not is_remote(image.path):  # those are checked when they are opened again: each check is a request
                _check_identity(image)
        self._read = set(self._open)


def _check_identity(image: ImageSpec) -> None:
    if identify_image(image.path, allow_remote=image.options.allow_remote) != image.identity:
        raise SourceChangedError(f"The image {image.path} was changed while it was being read.", "Run again.")


def _open_image(spec: SourceSpec, image: ImageSpec) -> _OpenImage:
    """Open an image of a mosaic and warp it to the lattice where its pixels are others."""
    _check_identity(image)
    placement = image.placement
    assert placement is not None
    assert spec.lattice is not None
    with rasterio.Env(**SAFE_SETTINGS), ExitStack() as stack:
        source = enter_source(image.path, image.options, stack, image.tags, placement.overview)
        bands = choose_bands(source, image.bands, spec.channels)
        if placement.resampling is not None:
            resampling = Resampling.nearest if bands.palette is not None else Resampling[placement.resampling]
            source = warp_to_lattice(source, spec.lattice, placement.window, resampling, stack)
        return _OpenImage(source, bands, stack.pop_all())


def warp_to_lattice(source: Source, lattice: Grid, window: _Window, resampling: Resampling, stack: ExitStack) -> Source:
    """Return ``source`` warped to a window of ``lattice``; ``stack`` closes the warped view.

    Raises:
        SourceError: it cannot be warped.
    """
    dataset, (x0, y0, x1, y1) = source.dataset, window
    flags = {flag for band in dataset.mask_flag_enums for flag in band}
    options: dict[str, Any] = {"resampling": resampling}
    if MaskFlags.nodata not in flags and ColorInterp.alpha not in source.kinds:
        if np.dtype(source.dtype).kind == "f":
            options |= {"src_nodata": math.nan, "nodata": math.nan}
        else:
            options |= {"add_alpha": True}
    options |= {"crs": lattice.crs, "transform": lattice.transform @ Affine.translation(x0, y0)}
    with translate_gdal_errors(f"The image {source.path} cannot be warped"):
        view = stack.enter_context(WarpedVRT(dataset, width=x1 - x0, height=y1 - y0, **options))
    return replace(
        source,
        dataset=view,
        kinds=tuple(view.colorinterp),
        crs=view.crs,
        transform=view.transform,
        width=view.width,
        height=view.height,
    )
