"""Vectorize a class raster: two passes over its rows give polygons, which are written to a layer in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ...concurrency import ReadAhead
from ...context import RunContext
from ...errors import SourceError
from ...protocol.messages import Progress
from ...protocol.options import CoverageOptions, RasterOptions
from ...raster.band_facts import interpret_band
from ...raster.class_table import read_class_names
from ...raster.dataset import open_raster
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster, open_probability_raster
from ...raster.values import Encoding
from ..arrays import Flags, Floats, Ints, concatenate_tables
from ..geodesy import PixelGeodesy, locate_pixels
from ..io.formats import VectorTarget, check_vector_output
from ..io.reader import make_reference
from ..io.styles import Color, make_class_style
from ..io.writer import VectorWriter, open_vector_writer
from ..jit import warn_without_numba
from .breaks import BREAKS, Breaks
from .class_choice import choose_regularized
from .codes import N_CODES, ClassRaster, CodeSource, minimum_pixels
from .polygons import LineOptions, Polygons, stream_polygons
from .regions import Regions, drop_codes, find_regions, merge_below_mmu
from .regularize import Regularization
from .simplify import UNITS

LAYER = "landcover"
#: Largest number of pixels in a strip: very wide rasters have lower strips than the options say.
MAX_STRIP_PIXELS = 10_000_000
#: Tolerance of the simplification where none is given, in pixels.
DEFAULT_TOLERANCE = 0.5
#: Largest distance of regularized borders where none is given, in pixels.
DEFAULT_REACH = 4.0
#: Polygons and vertices of a batch that is written at once.
_BATCH_POLYGONS, _BATCH_VERTICES = 20_000, 1_000_000


class CoverageBatch(NamedTuple):
    """Some polygons of a coverage.

    Attributes:
        geometry: Polygons in the CRS of the raster, (n,).
        region: int64 (n,), number of each region; regions are numbered in the row order of their first pixels.
        rank: int64 (n,), its number among the regions that get polygons.
        code: uint16 (n,), class code.
        area: float64 (n,), square metres on the ellipsoid.
        perimeter: float64 (n,), metres on the ellipsoid, holes included.
        confidence: float64 (n,), mean over the region's pixels, in the units of the source.
    """

    geometry: NDArray[np.object_]
    region: Ints
    rank: Ints
    code: NDArray[np.uint16]
    area: Floats
    perimeter: Floats
    confidence: Floats


EMPTY_BATCH = CoverageBatch(
    np.zeros(0, object),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0, np.uint16),
    np.zeros(0),
    np.zeros(0),
    np.zeros(0),
)


class ClassTable(NamedTuple):
    """Names and colours of classes, by class id."""

    names: Mapping[int, str]
    colors: Mapping[int, Color]

    def name(self, key: int) -> str:
        """Return the name of a class; its id where it has none."""
        return self.names.get(key, str(key))


@dataclass(frozen=True)
class CoverageSummary:
    """Summary of a written coverage.

    Attributes:
        polygons: number of polygons.
        area: square metres in all.
        area_by_class: square metres by class id.
        layers: the file of each layer.
    """

    polygons: int
    area: float
    area_by_class: Mapping[int, float]
    layers: Mapping[str, Path]

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return number and areas by name, for the result event."""
        by_class = {f"area_of_class_{key}": value for key, value in sorted(self.area_by_class.items())}
        return {"polygons": self.polygons, "area": self.area, **by_class}


def vectorize_landcover(
    classes: Path,
    target: VectorTarget,
    options: CoverageOptions,
    *,
    context: RunContext,
    confidence: Path | None = None,
    class_names: Mapping[int, str] | None = None,
    encoding: Encoding | None = None,
    name: str | None = None,
    nothing: str = "",
) -> CoverageSummary:
    """Write the coverage of a class raster to a vector file.

    Args:
        classes: raster of class ids (whole numbers from 0).
        target: the file to write; ``landcover`` is the layer's name where ``target`` has none.
        options: minimum mapping units, simplification, smoothing.
        context: receives progress and messages; checked for cancellation.
        confidence: raster of the same size with the probability of each pixel's class, or None.
        class_names: names by class id, before those of the raster's tables; a class without a name is called by its id.
        encoding: the band with the classes; the raster decides where None.
        name: name of the raster in messages; None for that of its file.
        nothing: why there are no polygons, where there are none; made from the raster where empty.

    Raises:
        SourceError: a raster cannot be used.
        OutputError: the output cannot be written.
        Cancelled: the run was cancelled; nothing was written.
    """
    check_vector_output(target.path)
    warn_without_numba(context)
    layer, class_names, name = next(iter(target.names), LAYER), class_names or {}, name or classes.name
    target = add_options(target, options)
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(classes))
        encoding = encoding or interpret_band(dataset, RasterOptions(), "classes", context)
        class_names = {**read_class_names(dataset, encoding.band), **class_names}
        probability = None if confidence is None else stack.enter_context(_open_confidence(confidence, context))
        source = ClassRaster(dataset, encoding, probability)
        geodesy = locate_pixels(dataset.crs, dataset.transform, dataset.shape, name, context)
        place = make_reference(classes.name, dataset.crs, dataset.transform, dataset.shape)
        writer = stack.enter_context(open_vector_writer(target, dataset.crs, warnings=context.warnings, place=place))
        regularized = choose_regularized(options.regularise, class_names)
        batches = stream_coverage(
            source, geodesy, options, context, target.path.absolute().parent, regularized=regularized
        )

        def warn_of_nothing() -> None:
            wanted = ", ".join(map(str, sorted(options.classes or ())))
            missing = f"no pixel has class {wanted}" if source.has_classes and wanted else "all pixels are nodata"
            context.warn(nothing or f"There are no polygons: {missing} in {name}.")

        classes_table = ClassTable(class_names, _read_palette(dataset, encoding.band))
        has_confidence = probability is not None
        return write_coverage(
            writer, layer, batches, classes_table, has_confidence=has_confidence, on_empty=warn_of_nothing
        )


def add_options(target: VectorTarget, options: CoverageOptions) -> VectorTarget:
    """Return the target with the options as metadata."""
    used = {f"coverage.{key}": str(value) for key, value in asdict(options).items()}
    return replace(target, metadata={**target.metadata, **used})


@contextmanager
def _open_confidence(path: Path, context: RunContext) -> Iterator[ProbabilityRaster]:
    """Open the probabilities of the classes; their file has to say what they are, the options are of the classes."""
    with open_raster(path) as dataset:
        try:
            encoding = interpret_band(dataset, RasterOptions(), "roads", context)
        except SourceError as error:
            if error.__cause__ is not None:  # it cannot be read
                raise
            raise SourceError(error.text, "Store the scale in it: gdal_edit.py -scale 0.01 FILE.") from error
    with open_probability_raster(path, encoding) as source:
        yield source


def stream_coverage(
    source: CodeSource,
    geodesy: PixelGeodesy,
    options: CoverageOptions,
    context: RunContext,
    scratch: Path | None = None,
    *,
    regularized: Sequence[int] = (),
    breaks: Breaks | None = None,
) -> Iterator[CoverageBatch]:
    """Build the coverage of a class raster, batch by batch.

    Args:
        source: the class codes.
        geodesy: measures on the ellipsoid.
        options: minimum mapping units, simplification, smoothing, and the classes that get polygons; small regions of
            the others are merged all the same.
        context: receives the progress of both passes together; checked for cancellation.
        scratch: folder for data that does not fit in memory; None for the system's folder for temporary files.
        regularized: ids of the classes that get right angles; where two of them touch, the first of them does.
        breaks: where arcs end; None for ``BREAKS``.
    """
    rows, resolution = source.shape[0], geodesy.resolution(source.shape)
    is_included = find_included(options)
    minimum = minimum_pixels(options, resolution**2)

    def report(done: int) -> None:
        context.check_cancelled()
        context.report(Progress("vectorize", done, 2 * rows))

    regions, region_map, borders = find_regions(
        source, strip_height(options, source.shape[1]), float(minimum.max()), report
    )
    regions, region_map = merge_below_mmu(regions, region_map, borders, minimum)
    del borders
    region_map = drop_codes(regions, region_map, is_included)
    rank = np.cumsum(is_included[regions.code]) - is_included[regions.code[0]]
    for polygons in stream_polygons(
        source,
        regions,
        region_map,
        geodesy.make_grid(source.shape),
        lines=line_options(options, resolution),
        breaks=breaks or BREAKS,
        regularization=plan_regularization(regularized, regions, geodesy, options, resolution),
        scratch=scratch,
        on_progress=lambda done: report(rows + done),
    ):
        region = polygons.region
        confidence = regions.confidence[region] / regions.area[region]
        numbers = region.astype(np.int64), rank[region]
        yield make_batch(polygons, geodesy, *numbers, code=regions.code[region], confidence=confidence)


def find_included(options: CoverageOptions) -> Flags:
    """Find the codes that get polygons, bool by code."""
    if options.classes is None:
        return np.ones(N_CODES, np.bool_)
    return np.isin(np.arange(N_CODES) - 1, sorted(options.classes))


def strip_height(options: CoverageOptions, cols: int) -> int:
    """Return the rows of a strip of a raster with ``cols`` columns."""
    return min(options.strip, max(64, MAX_STRIP_PIXELS // cols))


def line_options(options: CoverageOptions, resolution: float) -> LineOptions:
    """Return the options of lines, given the metres of a pixel."""
    tolerance = DEFAULT_TOLERANCE if options.simplify is None else options.simplify / resolution
    return LineOptions(options.smooth, tolerance)


def make_batch(
    polygons: Polygons,
    geodesy: PixelGeodesy,
    region: Ints,
    rank: Ints,
    *,
    code: NDArray[np.uint16],
    confidence: Floats,
) -> CoverageBatch:
    """Make geometries in the CRS of the raster of polygons on the lattice; the others are columns of the batch."""
    xy = geodesy.to_crs(polygons.points / UNITS)
    geometry = shapely.from_ragged_array(shapely.GeometryType.POLYGON, xy, (polygons.ring_start, polygons.first_ring))
    return CoverageBatch(
        np.asarray(geometry, np.object_), region, rank, code, polygons.area, polygons.perimeter, confidence
    )


def plan_regularization(
    classes: Sequence[int], regions: Regions, geodesy: PixelGeodesy, options: CoverageOptions, resolution: float
) -> Regularization | None:
    """Find the regions of the classes to regularize; None if there are none."""
    rank = np.zeros(N_CODES, np.int64)
    for number, key in enumerate(classes):
        rank[key + 1] = number + 1
    rank_of_region = rank[regions.code]
    rank_of_region[0] = 0
    if not rank_of_region.any():
        return None
    reach = DEFAULT_REACH if options.regularise_error is None else options.regularise_error / resolution

    def scale(pixel: Floats) -> Floats:
        return geodesy.pixel_sizes(pixel) / resolution

    return Regularization(rank_of_region, regions.last, reach, scale)


def merge_batches(batches: Iterable[CoverageBatch]) -> Iterator[CoverageBatch]:
    """Merge batches into larger ones that are worth a write; at least one, so that an empty layer is written, too."""
    waiting, polygons, vertices = [EMPTY_BATCH], 0, 0
    for batch in batches:
        waiting.append(batch)
        polygons += len(batch.geometry)
        vertices += int(shapely.get_num_coordinates(batch.geometry).sum())
        if polygons >= _BATCH_POLYGONS or vertices >= _BATCH_VERTICES:
            yield concatenate_tables(waiting)
            waiting, polygons, vertices = [], 0, 0
    if waiting:
        yield concatenate_tables(waiting)


def _read_palette(dataset: Any, band: int) -> dict[int, Color]:
    """Read the RGB colours of a raster's palette by value; empty where it has no palette."""
    try:
        return {int(key): color[:3] for key, color in dataset.colormap(band).items()}
    except ValueError:
        return {}


def write_coverage(
    writer: VectorWriter,
    layer: str,
    batches: Iterable[CoverageBatch],
    classes: ClassTable,
    *,
    has_confidence: bool,
    on_empty: Callable[[], None],
) -> CoverageSummary:
    """Write batches, while the next ones are built in the background, and sum up their areas by class.

    Args:
        writer: the file.
        layer: name of the layer.
        batches: the polygons.
        classes: names and colours.
        has_confidence: whether the polygons have one.
        on_empty: called before a layer without polygons is written.
    """
    area_by_class: dict[int, float] = {}
    count = 0
    with ReadAhead(merge_batches(batches)) as ahead:
        for batch in ahead:
            ids = batch.code.astype(np.int32) - 1
            if not len(ids):
                on_empty()
            unique, inverse = np.unique(ids, return_inverse=True)
            names = np.array([classes.name(int(key)) for key in unique], object)
            confidence = batch.confidence / PROBABILITY_SCALE if has_confidence else np.full(len(ids), math.nan)
            columns: dict[str, NDArray[Any]] = {
                "area_id": batch.region,
                "class_id": ids,
                "class_name": names[inverse],
                "area": np.round(batch.area, 2),
                "perimeter": np.round(batch.perimeter, 2),
                "confidence": np.round(confidence, 3),
            }
            writer.write(layer, "Polygon", batch.geometry, columns)
            count += len(ids)
            sums = np.bincount(inverse, weights=batch.area, minlength=len(unique))
            for key, value in zip(unique.tolist(), sums.tolist(), strict=True):
                area_by_class[key] = area_by_class.get(key, 0.0) + value
    writer.styles[layer] = make_class_style({key: classes.name(key) for key in area_by_class}, classes.colors)
    layers = dict(zip(writer.counts, writer.paths.values(), strict=True))
    return CoverageSummary(count, sum(area_by_class.values()), area_by_class, layers)
