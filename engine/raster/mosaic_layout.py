"""Several images as one mosaic: what each of them is, and where it lies on the lattice of their common pixels.

The lattice continues the pixels of the first image over all of them. An image whose pixels coincide with it is read as
it is; any other (another coordinate system, another resolution, pixels in between) is warped to it. Where the network's
pixels are at least twice as large and the images have overviews, the lattice is coarser by a power of two, so that
overviews are read in place of all pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.windows import Window

from ..context import RunContext
from ..errors import ParameterError, SourceError
from ..protocol.messages import Message
from ..protocol.options import ImageOptions
from .dataset import enter_source
from .gdal_environment import SAFE_SETTINGS
from .gdal_errors import translate_gdal_errors
from .georeferencing import border_points, has_same_pixels, measure_ground_resolution
from .grid import SNAP, Grid, make_grid
from .pixel_view import Placement, name_images
from .remote import retry_remote
from .sampling import has_overviews
from .value_tags import ValueTags

#: An image whose pixels are this many times smaller than those of the lattice is averaged, and not interpolated.
_FINER = 1.5
#: Images that cannot be used, after which no further ones are opened: each may take long on a network.
_MAX_FAILURES = 5


@dataclass(frozen=True)
class SurveyedImage:
    """What a mosaic has to know of one of its images.

    Attributes:
        path: the file.
        files: the file and those behind it.
        crs: coordinate system, or None.
        transform: pixel to world coordinates.
        size: columns and rows.
        pixel_size: metres on the ground per column and row.
        tags: corrections of what the file says about its values.
        overviews: factors of its overviews; empty where they cannot be used.
        remarks: assumptions about it.
    """

    path: Path
    files: tuple[Path, ...]
    crs: CRS | None
    transform: Affine
    size: tuple[int, int]
    pixel_size: tuple[float, float]
    tags: ValueTags
    overviews: tuple[int, ...]
    remarks: tuple[Message, ...]


@dataclass(frozen=True)
class MosaicLayout:
    """Where the images of a mosaic lie.

    Attributes:
        lattice: the pixels of the mosaic.
        pixel_size: metres on the ground per column and row of the lattice.
        placements: one of each image.
    """

    lattice: Grid
    pixel_size: tuple[float, float]
    placements: tuple[Placement, ...]

    def make_grid(self, resolution: float | None) -> Grid:
        """Return the grid over the whole mosaic at ``resolution`` metres per pixel; see ``grid.make_grid``."""
        size = (self.lattice.width, self.lattice.height)
        return make_grid(self.lattice.crs, self.lattice.transform, size, self.pixel_size, resolution)


def survey_images(paths: Sequence[Path], options: ImageOptions, context: RunContext) -> list[SurveyedImage]:
    """Open every image once and check that it can be a part of the mosaic.

    Args:
        paths: the images, the first of which decides the coordinate system and the pixels.
        options: of reading an image.
        context: receives progress; checked for cancellation.

    Raises:
        SourceError: images are missing or damaged, or have no place; several are named in one sentence.
    """
    found: list[SurveyedImage] = []
    failures: list[SourceError] = []
    for path in context.track("read", paths):
        try:
            found.append(retry_remote(path, partial(_survey, path, options)))
        except SourceError as error:
            failures.append(error)
            if len(failures) == _MAX_FAILURES:
                break
            continue
        if bool(found[0].crs) != bool(found[-1].crs):
            without, other = sorted((found[0], found[-1]), key=lambda image: bool(image.crs))
            raise SourceError(
                f"The image {without.path} has no coordinate system, but {other.path} has one.",
                "Assign the right one to it, or leave it out.",
            )
    if len(failures) == 1:
        raise failures[0]
    if failures:
        more = " or more" if len(failures) == _MAX_FAILURES else ""
        raise SourceError(
            f"{len(failures)}{more} images cannot be parts of the mosaic. {' '.join(error.text for error in failures)}",
            "Repair them or leave them out, or give each image its own result with --separate.",
        )
    return found


def _survey(path: Path, options: ImageOptions) -> SurveyedImage:
    """Open an image and return what a mosaic has to know of it."""
    with rasterio.Env(**SAFE_SETTINGS), ExitStack() as stack:
        source = enter_source(path, options, stack)
        if source.file.transform.is_identity and source.dataset is source.file and source.crs is None:
            raise SourceError(
                f"The image {path} has no georeference, so its place among the others is not known.",
                "Georeference it, or give each image its own result with --separate.",
            )
        # The end of a file is missing after a copy that was interrupted.
        last = Window(source.file.width - 1, source.file.height - 1, 1, 1)
        with translate_gdal_errors(f"The image {source.path} cannot be read", "It may be damaged or incomplete."):
            source.file.read(source.file.count, window=last)
        is_plain = source.dataset is source.file or not source.file.transform.is_identity
        overviews = source.file.overviews(1) if is_plain and has_overviews(source.file, 1) else []
        return SurveyedImage(
            path=source.path,
            files=tuple(map(Path, source.file.files)),
            crs=source.crs,
            transform=source.transform,
            size=(source.width, source.height),
            pixel_size=source.pixel_size,
            tags=source.tags,
            overviews=tuple(overviews),
            remarks=source.remarks,
        )


def lay_out(images: Sequence[SurveyedImage], resolution: float | None) -> MosaicLayout:
    """Lay images on the lattice of the first one.

    Args:
        images: the images, in their order.
        resolution: metres per pixel of the network; None for the lattice of full images.

    Raises:
        SourceError: an image lies outside the area of the mosaic's coordinate system.
        ParameterError: the images are so far apart that the mosaic is too large.
    """
    first = images[0]
    base = first.transform @ Affine.scale(_choose_factor(images, resolution))
    bounds = np.array([_find_bounds(image, first.crs, base) for image in images])
    left, top = np.floor(bounds[:, :2].min(axis=0)).astype(int)
    right, bottom = np.ceil(bounds[:, 2:].max(axis=0)).astype(int)
    width, height = int(right - left), int(bottom - top)
    name = name_images([image.path for image in images])
    if max(width, height) > 2**24:
        raise ParameterError(
            f"Of {name}, {width} x {height} pixels would be computed: the images are far apart.",
            "Give images of one region, or --separate for a result of each.",
        )
    transform = base @ Affine.translation(int(left), int(top))
    pixel_size = measure_ground_resolution(first.crs, transform, width, height, name)
    lattice = Grid(first.crs, transform, width, height, math.sqrt(math.prod(pixel_size)))
    shifted = bounds - np.array([left, top, left, top])
    placed = (_place(image, lattice, pixel_size, box) for image, box in zip(images, shifted, strict=True))
    return MosaicLayout(lattice, pixel_size, tuple(placed))


def describe_layout(images: Sequence[SurveyedImage], layout: MosaicLayout) -> list[Message]:
    """Describe what was decided: whose pixels the mosaic has, and which images are resampled."""
    first, count = images[0], len(images)
    if count == 1:
        return []
    crs = first.crs.to_string()[:80] if first.crs else "no coordinate system"
    size = math.sqrt(math.prod(first.pixel_size))
    texts = [
        f"{count} images form one mosaic. Coordinate system and pixels are those of the first, {first.path.name}: {crs}"
        f", {size:.3g} m; an image lies above those named after it."
    ]
    other = [image for image in images if image.crs != first.crs]
    if other:
        texts.append(f"{len(other)} of the images have another coordinate system and are warped, {_name(other)}.")
    warped = [
        image
        for image, placement in zip(images, layout.placements, strict=True)
        if placement.resampling is not None and image.crs == first.crs and layout.placements[0].resampling is None
    ]
    if warped:
        texts.append(f"{len(warped)} of the images have other pixels and are resampled, {_name(warped)}.")
    return list(map(Message, texts))


def group_remarks(images: Sequence[SurveyedImage], remarks: Sequence[Sequence[Message]] | None = None) -> list[Message]:
    """Join the remarks on many images: each once, with the number of further images that it holds for.

    Args:
        images: the images.
        remarks: those on each of the images; None for what was remarked when they were surveyed.
    """
    groups: dict[tuple[str, str], list[Message]] = {}
    for image, found in zip(images, remarks or [image.remarks for image in images], strict=True):
        for remark in found:
            groups.setdefault((remark.text.replace(image.path.name, ""), remark.level), []).append(remark)
    return [
        alike[0] if len(alike) == 1 else replace(alike[0], text=f"{alike[0].text} ({len(alike)} images are like that.)")
        for alike in groups.values()
    ]


def _name(images: Sequence[SurveyedImage]) -> str:
    return images[0].path.name if len(images) == 1 else f"{images[0].path.name} the first"


def _choose_factor(images: Sequence[SurveyedImage], resolution: float | None) -> int:
    """Return how many pixels of the first image one of the lattice is wide."""
    if resolution is None or not all(image.overviews for image in images):
        return 1
    ratio = resolution / max(images[0].pixel_size) * (1 + SNAP)
    return 2 ** int(math.log2(ratio)) if ratio >= 2 else 1


def _find_bounds(image: SurveyedImage, crs: CRS | None, base: Affine) -> tuple[float, float, float, float]:
    """Return the first and last column and row that an image covers, in pixels of ``base``, with fractions."""
    x, y = image.transform @ border_points(*image.size)
    if crs is not None and image.crs is not None and image.crs != crs:
        try:
            transformer = pyproj.Transformer.from_crs(image.crs.to_wkt(), crs.to_wkt(), always_xy=True)
            x, y = transformer.transform(x, y, errcheck=True)
        except ProjError as error:
            raise SourceError(
                f"The image {image.path} is outside the area of the mosaic's coordinate system, that of the first "
                "image.",
                "Name an image with a fitting coordinate system first.",
            ) from error
    columns, rows = ~base @ (np.asarray(x), np.asarray(y))
    # The tolerance keeps rounding errors from adding a row or column.
    box = (columns.min() + 1e-3, rows.min() + 1e-3, columns.max() - 1e-3, rows.max() - 1e-3)
    if not np.isfinite(box).all():
        raise SourceError(f"The image {image.path} is outside the area of the mosaic's coordinate system.")
    return box


def _place(image: SurveyedImage, lattice: Grid, pixel_size: tuple[float, float], bounds: Sequence[float]) -> Placement:
    """Place an image that covers ``bounds`` of the lattice."""
    width, height = image.size
    if image.crs == lattice.crs:
        column, row = ~lattice.transform @ (image.transform @ (0, 0))
        x, y = round(column), round(row)
        shifted = lattice.transform @ Affine.translation(x, y)
        if has_same_pixels(image.transform, shifted, (height, width)):
            return Placement((x, y, x + width, y + height))
    left, top, right, bottom = bounds
    window = (
        max(0, math.floor(left)),
        max(0, math.floor(top)),
        min(lattice.width, math.ceil(right)),
        min(lattice.height, math.ceil(bottom)),
    )
    ratio = math.sqrt(math.prod(pixel_size) / math.prod(image.pixel_size))
    usable = [level for level, factor in enumerate(image.overviews) if factor <= ratio * (1 + SNAP)]
    return Placement(window, "average" if ratio >= _FINER else "bilinear", usable[-1] if usable else None)
