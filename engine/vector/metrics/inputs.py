"""Read the rasters to compare on one grid, and the part of the ground that is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.features import shapes
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ...context import RunContext
from ...errors import ParameterError, SourceError
from ...protocol.messages import Message
from ...protocol.options import RasterOptions
from ...raster.area import Area, make_area
from ...raster.band_facts import interpret_band
from ...raster.dataset import open_raster
from ...raster.georeferencing import has_same_pixels, measure_ground_resolution
from ...raster.grid import Grid
from ...raster.probability import PROBABILITY_SCALE, BandProbabilityRaster
from ...raster.values import Encoding, Expected
from ..arrays import Flags, Ints
from ..crs import Bounds, Reference, explain_distance, make_outline, measure_overlap, parse_crs, resolve_crs, transform
from ..io.reader import VectorLayer, is_vector, make_reference, read_vector_layer

#: Rows of rasters that are compared at a time.
_ROWS = 512
#: Class id of pixels without a valid value.
NO_CLASS = -1
#: A warning says so where less than this share of the truth is covered.
_FULL_COVER = 0.99


@dataclass(frozen=True)
class RasterPair:
    """Two rasters on the grid of the truth. Created by ``open_raster_pair``.

    Attributes:
        paths: of result and truth.
        result: rasterio's dataset, or a view of it on the grid of the truth.
        truth: rasterio's dataset.
        references: where result and truth lie.
        encodings: meaning of the values of result and truth.
        area: the part that is compared; None for all of the truth.
    """

    paths: tuple[Path, Path]
    result: Any
    truth: Any
    references: tuple[Reference, Reference]
    encodings: tuple[Encoding, Encoding]
    area: Area | None = None

    def limit(self, part: object | None) -> RasterPair:
        """Return the pair with a polygon in the CRS of the truth as the part that is compared; None for all."""
        return self if part is None else replace(self, area=make_truth_area(part, self.truth))

    def list_classes(self, context: RunContext) -> tuple[int, ...]:
        """List the class ids of the truth; a warning names those that only one of the rasters has.

        Raises:
            SourceError: the truth has no class, or no class is in both.
        """
        found: tuple[set[int], set[int]] = (set(), set())
        for pair in self.read_classes():
            for ids, values in zip(found, pair, strict=True):
                ids.update(np.unique(values[pair[1] != NO_CLASS]).tolist())
        result, truth = (path.name for path in self.paths)
        return check_classes((result, found[0]), (truth, found[1]), context)

    def read_classes(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield windows of class ids of result and truth, int64; ``NO_CLASS`` where there is none."""
        for window, is_compared in self._windows():
            result, truth = (
                read_classes(dataset, encoding, window)
                for dataset, encoding in zip((self.result, self.truth), self.encodings, strict=True)
            )
            yield result, np.where(is_compared, truth, NO_CLASS)

    def read_masks(self, threshold: float, margin: int = 0) -> Iterator[tuple[Flags, Flags, Flags]]:
        """Yield windows of whole rows: which pixels of result and truth are road, and which of them are compared.

        Args:
            threshold: probability from which a pixel of the result is road; 0.5 in the truth.
            margin: further rows above and below, none of which is compared.
        """
        rasters = [
            BandProbabilityRaster(dataset, encoding)
            for dataset, encoding in zip((self.result, self.truth), self.encodings, strict=True)
        ]
        for core, is_compared in self._windows():
            top, stop = max(core.row_off - margin, 0), min(core.row_off + core.height + margin, self.truth.height)
            place = (top, 0, stop - top, core.width)
            result, truth = (raster.read(*place) for raster in rasters)
            is_known = rasters[1].read_valid(*place)
            is_core = np.zeros_like(is_known)
            is_core[core.row_off - top :][: core.height] = is_compared
            is_road = result >= threshold * PROBABILITY_SCALE
            yield is_road, (truth >= 0.5 * PROBABILITY_SCALE) & is_known, is_core & is_known

    def read_mask_classes(self, threshold: float) -> Iterator[tuple[Ints, Ints]]:
        """Yield windows of 1 for road and 0; ``NO_CLASS`` where the truth has no valid value."""
        for result, truth, is_compared in self.read_masks(threshold):
            yield result.astype(np.int64), np.where(is_compared, truth, NO_CLASS)

    def measure_pixel(self, context: RunContext) -> tuple[float, float]:
        """Measure the height and width of a pixel in the middle of the truth, metres; 1 without a georeference."""
        truth, name = self.truth, self.paths[1].name
        crs = truth.crs
        if crs is None:
            context.warn(f"{name} has no CRS: its units are taken as metres.")
        wkt = crs.to_wkt() if crs else None
        return measure_ground_resolution(wkt, truth.transform, truth.width, truth.height, name)[::-1]

    def _windows(self) -> Iterator[tuple[Window, Flags]]:
        """Yield windows of whole rows, and which of their pixels are compared."""
        rows, cols = self.truth.shape
        for row in range(0, rows, _ROWS):
            height = min(_ROWS, rows - row)
            area = self.area
            is_compared = np.ones((height, cols), np.bool_) if area is None else area.rasterize_rows(row, row + height)
            yield Window(0, row, cols, height), is_compared


@contextmanager
def open_raster_pair(
    result: Path, truth: Path, options: tuple[RasterOptions, RasterOptions], expected: Expected, context: RunContext
) -> Iterator[RasterPair]:
    """Open two rasters to compare where they lie: on the grid of the truth, with the nearest pixels of the result.

    Args:
        result: raster of classes or probabilities.
        truth: raster of classes or a mask.
        options: band and meaning of the values of result and truth, as far as they are known.
        expected: "classes", or "roads" for probabilities and masks.
        context: receives messages about their values and places.

    Raises:
        SourceError: a raster cannot be read, they do not overlap, or have no georeference and different sizes.
    """
    with ExitStack() as stack:
        a, b = (stack.enter_context(open_raster(path)) for path in (result, truth))
        encodings = interpret_band(a, options[0], expected, context), interpret_band(b, options[1], expected, context)
        own, reference = (
            make_reference(path.name, dataset.crs, dataset.transform, dataset.shape)
            for path, dataset in ((result, a), (truth, b))
        )
        view = a
        is_placed = [dataset.crs is not None or not dataset.transform.is_identity for dataset in (a, b)]
        if all(is_placed):
            crs = resolve_crs(own, reference, context)
            own = replace(own, crs=crs)
            is_same_grid = a.shape == b.shape and has_same_pixels(a.transform, b.transform, a.shape)
            if own.crs != reference.crs or not is_same_grid:
                view = stack.enter_context(_view_on_grid(a, b, own, reference, context))
        elif a.shape != b.shape:
            raise SourceError(
                f"{own.name} has {a.width} x {a.height} pixels, but {reference.name} has {b.width} x {b.height}.",
                "Give rasters of the same size, or with a georeference.",
            )
        elif any(is_placed):
            lacking = reference.name if is_placed[0] else own.name
            context.warn(f"{lacking} has no georeference: both rasters are compared pixel by pixel.")
        yield RasterPair((result, truth), view, b, (own, reference), encodings)


def check_classes(result: tuple[str, set[int]], truth: tuple[str, set[int]], context: RunContext) -> tuple[int, ...]:
    """Compare the class ids of result and truth, given with their names; a warning names those without a match.

    Returns:
        The ids of the truth, ascending.

    Raises:
        SourceError: the truth has no class, or no class is in both.
    """
    result_ids, truth_ids = result[1] - {NO_CLASS}, truth[1] - {NO_CLASS}
    if not truth_ids:
        raise SourceError(f"{truth[0]} holds no class at all where it is compared.")
    advice = "Masks are compared with --threshold 0.5." if max(len(result_ids), len(truth_ids)) < 3 else ""
    if not result_ids & truth_ids:
        raise SourceError(
            f"No class id is in both: {result[0]} has {_list_ids(result_ids)}, {truth[0]} has {_list_ids(truth_ids)}.",
            advice or None,
        )
    parts = ((result[0], result_ids - truth_ids), (truth[0], truth_ids - result_ids))
    alone = " and ".join(f"only {name} has {_list_ids(ids)}" for name, ids in parts if ids)
    if alone:
        context.warn(f"Class ids without a match: {alone}. {advice}".rstrip())
    return tuple(sorted(truth_ids))


def make_truth_area(part: object, truth: Any) -> Area:
    """Make the area of a polygon in the CRS of an opened raster.

    Raises:
        ParameterError: it does not touch the raster.
    """
    area = make_area(np.array([part], object), Grid(truth.crs, truth.transform, truth.width, truth.height, 1.0))
    if not len(area.polygons):
        raise ParameterError(f"Nothing of {Path(truth.name).name} is within --extent and --mask.")
    return area


def read_part(
    extent: Bounds | Literal["common"] | None,
    mask: Path | None,
    sides: tuple[Reference, Reference],
    truth: Reference,
    context: RunContext,
) -> object | None:
    """Return the part of the ground that is compared.

    Args:
        extent: bounds in the CRS of the truth, or "common" for where the bounds of both sides overlap; None for all.
        mask: vector file of polygons, or raster whose valid pixels count; None for all.
        sides: the bounds of result and truth, in any CRS.
        truth: where the truth lies.
        context: receives messages.

    Returns:
        A polygon in the CRS of the truth; None for everything.
    """
    parts = []
    if extent == "common":
        for side in sides:
            parts += transform(np.array([make_outline(side.bounds)], object), side.crs, truth.crs, side.name).tolist()
    elif extent is not None:
        parts = [shapely.box(*extent)]
    if mask is not None:
        layer = (
            read_vector_layer(mask, context=context, dimensions=(2,)).select((2,), context)
            if is_vector(mask)
            else polygonize_valid_pixels(mask, context)
        )
        polygons = layer.resolve(truth, context).to_crs(truth.crs)
        parts.append(shapely.union_all(shapely.make_valid(polygons)))
    return shapely.intersection_all(parts) if parts else None


def polygonize_valid_pixels(path: Path, context: RunContext) -> VectorLayer:
    """Return the valid pixels of a raster as polygons; all of them where the only band has 0 as its nodata value.

    Args:
        path: the raster.
        context: receives a warning if all pixels count.

    Raises:
        SourceError: the raster cannot be read.
    """
    found: list[object] = []
    are_all_valid = True
    with open_raster(path) as dataset:
        is_zero_open = dataset.count == 1 and dataset.nodata == 0  # 0 may be a value, as in masks of roads
        for row in range(0, dataset.height, _ROWS):
            window = Window(0, row, dataset.width, min(_ROWS, dataset.height - row))
            try:
                is_valid = dataset.dataset_mask(window=window)
            except RasterioError as error:
                raise SourceError(f"{path} cannot be read: the file is damaged or cut short.") from error
            if is_zero_open:
                is_valid[:] = 255
            are_all_valid &= bool(is_valid.all())
            pieces = shapes(is_valid, is_valid > 0, transform=dataset.window_transform(window))
            found += [shapely.geometry.shape(piece) for piece, _ in pieces]
        if are_all_valid:
            reason = "its nodata value 0 may be a value" if is_zero_open else "none of them is nodata"
            context.warn(f"All pixels of {path.name} are compared, because {reason}; polygons as --mask select a part.")
        polygons = np.array(found, object)
        return VectorLayer(path.name, np.arange(len(found)), polygons, {}, parse_crs(dataset.crs, path.name))


def read_classes(dataset: Any, encoding: Encoding, window: Window | None = None) -> Ints:
    """Read the class ids of a band of an opened raster, int64, ``NO_CLASS`` without a valid value.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        values = dataset.read(encoding.band, window=window)
        is_class = dataset.read_masks(encoding.band, window=window) > 0
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    is_class &= np.isfinite(values) & (values != encoding.nodata)
    classes = np.full(values.shape, NO_CLASS, np.int64)
    classes[is_class] = values[is_class]
    return classes


@contextmanager
def _view_on_grid(a: Any, b: Any, own: Reference, reference: Reference, context: RunContext) -> Iterator[WarpedVRT]:
    """Open a view of a raster on the grid of another one.

    Raises:
        SourceError: they do not overlap.
    """
    share = measure_overlap(reference, own)
    if share == 0.0:
        reason = explain_distance(own, reference)
        raise SourceError(f"{own.name} and {reference.name} do not overlap: they are maps of different places.", reason)
    context.report(
        Message(
            f"{own.name} has another grid than {reference.name}: its nearest pixels are compared on that of the latter."
        )
    )
    if share < _FULL_COVER:
        context.warn(
            f"{own.name} covers only {share:.0%} of {reference.name}; the rest counts as wrong. --extent common leaves "
            "it out."
        )
    # Any CRS does where neither raster has one: both are in the same plane.
    crs, own_crs = (item.crs.to_wkt() if item.crs else "EPSG:3857" for item in (reference, own))
    has_alpha = ColorInterp.alpha in a.colorinterp
    settings = {"transform": b.transform, "width": b.width, "height": b.height, "resampling": Resampling.nearest}
    add_alpha = a.nodata is None and not has_alpha
    with WarpedVRT(a, src_crs=own_crs, crs=crs, add_alpha=add_alpha, **settings) as view:
        yield view


def _list_ids(ids: set[int]) -> str:
    """Class ids for messages: the first ten."""
    shown = ", ".join(map(str, sorted(ids)[:10]))
    return f"{shown} and {len(ids) - 10} more" if len(ids) > 10 else shown or "none"
