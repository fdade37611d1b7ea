"""``terraspore compare``: a result against the truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..context import RunContext
from ..errors import ParameterError, SourceError, VectorError, shorten
from ..protocol.compare_options import CompareOptions
from ..protocol.messages import Message, Result
from ..protocol.options import VALUE_KINDS, RasterOptions, ValueKind
from .cli_context import reports_result
from .options import PATH, declared_options, given_options, parse_list

if TYPE_CHECKING:
    from ..raster.values import Expected
    from ..vector.arrays import Lines
    from ..vector.io.reader import VectorLayer
    from ..vector.metrics.inputs import RasterPair
    from ..vector.metrics.raster import ConfusionMatrix

Metrics = dict[str, float | int | str | None]
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Comparison(CompareOptions):
    """Values of the command's options by name; ``rasters`` are those of the rasters RESULT and TRUTH."""

    extent: Bounds | Literal["common"] | None = None
    rasters: tuple[RasterOptions, RasterOptions] = (RasterOptions(), RasterOptions())


def _parse_extent(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    """Four numbers or "common"."""
    if value == "common":
        return value
    return parse_list("tuple[float, float, float, float]", "xmin,ymin,xmax,ymax or common")(context, parameter, value)


@click.command()
@click.argument("result", type=PATH)
@click.argument("truth", type=PATH)
@declared_options(CompareOptions)
@click.option(
    "--extent",
    callback=_parse_extent,
    metavar="xmin,ymin,xmax,ymax|common",
    help="Compare only there, in coordinates of TRUTH; common: only where the extents of both overlap.",
)
@declared_options(RasterOptions)
@click.option("--truth-values", type=click.Choice(VALUE_KINDS), help="The same as --values for TRUTH.")
@reports_result
def compare(context: RunContext, result: Path, truth: Path, truth_values: ValueKind | None, **values: Any) -> Result:
    """Measure RESULT against TRUTH.

    Lines against lines: APLS, TOPO, line F1, completeness, correctness, quality, junctions, OPT-J. Rasters against
    rasters: accuracy, IoU, precision, recall, F1, kappa, of masks also line F1. Polygons against a class raster: gaps,
    overlaps, validity, agreement.
    """
    from ..raster.dataset import identify_image
    from ..vector.io.reader import is_vector

    own = given_options(RasterOptions, values)
    rasters = own, RasterOptions(values=truth_values, nodata=own.nodata)
    options = given_options(Comparison, values, rasters=rasters)
    for path in (result, truth):
        identify_image(path)
    kinds = is_vector(result), is_vector(truth)
    if kinds == (False, True):
        raise ParameterError(
            f"{result} is a raster, but {truth} holds vectors.",
            "Name polygons first and their class raster second, or make vectors of the raster with vectorize.",
        )
    if options.threshold is not None and kinds[0]:
        raise ParameterError(f"--threshold compares two rasters, but {result} holds vectors.")
    measure = {(True, True): _compare_lines, (True, False): _compare_coverage}.get(kinds, _compare_rasters)
    return Result({}, *measure(result, truth, options, context))


def _compare_lines(result: Path, truth: Path, options: Comparison, context: RunContext) -> tuple[Metrics, str]:
    """Metrics of a road network, and a sentence with them."""
    from ..vector.io.reader import read_vector_layer
    from ..vector.metrics.definitions import DEFINITIONS
    from ..vector.metrics.network import build_network
    from ..vector.metrics.roads import score_roads

    first, second = (
        read_vector_layer(path, layer, context=context, dimensions=(1,), preferred=("roads",), option=option).select(
            (1,), context
        )
        for path, layer, option in ((result, options.layer, "--layer"), (truth, options.truth_layer, "--truth-layer"))
    )
    if first.crs is None:
        first = first.resolve(second.reference, context)
    second = second.resolve(first.reference, context)
    first = first.resolve(second.reference, context)
    definition = DEFINITIONS[options.definition]
    lines, extent = _limit_lines(first, second, options, context)
    if any(definition.apls.margins) and extent is None:
        context.report(Message("--extent was not given: the margins of the definition are those of TRUTH's bounds."))
    networks = [build_network(side, nodes_crossings=definition.nodes_crossings) for side in lines]
    scores = score_roads(networks[0], networks[1], buffer=options.buffer, definition=definition, extent=extent)
    topology = "" if scores.topo_f1 is None else f"TOPO F1 {scores.topo_f1:.3f}, "
    text = (
        f"Lines, {scores.length / 1000:.2f} km of {first.name} against {scores.truth_length / 1000:.2f} km of "
        f"{second.name}: APLS {scores.apls:.3f}, {topology}line F1 {scores.line_f1:.3f}, "
        f"completeness {scores.completeness:.3f}, correctness {scores.correctness:.3f}, quality {scores.quality:.3f}, "
        f"junction F1 {scores.junction_f1:.3f}"
    )
    return asdict(scores), text


def _limit_lines(
    result: VectorLayer, truth: VectorLayer, options: Comparison, context: RunContext
) -> tuple[list[Lines], Bounds | None]:
    """Lines of result and truth in a CRS in metres, as far as they are compared, and the bounds of a limit."""
    import numpy as np
    import shapely

    from ..vector.crs import Reference, explain_distance, measure_bounds, transform
    from ..vector.metrics.inputs import read_part

    crs = truth.choose_metric_crs()
    lines = [layer.to_crs(crs) for layer in (result, truth)]
    empty = [layer.name for layer in (result, truth) if not len(layer.ids)]
    if empty:
        context.warn(f"No lines in {' and '.join(empty)}.")
        if options.extent == "common":
            raise ParameterError("--extent common needs lines in both files.", "Give the extent in numbers.")
    # Matching lines are some metres apart; but APLS would miss ends that stick out by more than 4 m.
    margin = min(options.buffer, 3.0)
    sides = (
        Reference(result.name, crs, measure_bounds(lines[0], margin)),
        Reference(truth.name, crs, measure_bounds(lines[1], margin)),
    )
    part = read_part(options.extent, options.mask, sides, truth.reference, context)
    extent: Bounds | None = None
    if part is not None:
        limit = transform(np.array([part], object), truth.crs, crs, truth.name)[0]
        extent = tuple(shapely.bounds(limit).tolist())
        lines = [shapely.intersection(geometry, limit) for geometry in lines]
        if shapely.is_empty(lines[1]).all():
            raise ParameterError(f"Nothing of {truth.name} is within --extent and --mask.")
    elif not empty and not shapely.intersects(*(shapely.box(*side.bounds) for side in sides)):
        reason = explain_distance(result.reference, truth.reference)
        context.warn(f"{result.name} and {truth.name} do not overlap. {reason or ''}".rstrip())
    return lines, extent


def _compare_rasters(result: Path, truth: Path, options: Comparison, context: RunContext) -> tuple[Metrics, str]:
    """Metrics of a class raster or a mask, and a sentence with them."""
    from ..vector.metrics.inputs import open_raster_pair, read_part
    from ..vector.metrics.raster import count_pixels

    is_mask = options.threshold is not None
    expected: Expected = "roads" if is_mask else "classes"
    with open_raster_pair(result, truth, options.rasters, expected, context) as whole:
        pair = whole.limit(read_part(options.extent, options.mask, whole.references, whole.references[1], context))
        if options.threshold is None:
            scores, lines = count_pixels(pair.read_classes(), pair.list_classes(context)), Metrics()
        else:
            scores, lines = _score_masks(pair, options.threshold, options.buffer, context)
    metrics = scores.metrics() | lines
    names = ("iou_1", "precision_1", "recall_1", "f1_1", "line_f1") if is_mask else ("accuracy", "mean_iou", "kappa")
    measures = ", ".join(f"{name.removesuffix('_1').replace('_f', ' F')} {metrics[name] or 0.0:.3f}" for name in names)
    kind = "of masks" if is_mask else "of classes"
    return metrics, f"Pixels {kind}, {int(scores.matrix.sum())} of {truth.name}: {measures}"


def _score_masks(
    pair: RasterPair, threshold: float, buffer: float, context: RunContext
) -> tuple[ConfusionMatrix, Metrics]:
    """Confusion matrix of the pixels of masks, and the scores of their skeletons."""
    import math

    from ..vector.jit import warn_without_numba
    from ..vector.metrics.raster import count_pixels
    from ..vector.metrics.skeletons import SKELETON_MARGIN, compare_skeletons

    warn_without_numba(context)
    pixel = pair.measure_pixel(context)
    matrix = count_pixels(pair.read_mask_classes(threshold), (0, 1))
    margin = SKELETON_MARGIN + math.ceil(buffer / pixel[0])
    lines = compare_skeletons(pair.read_masks(threshold, margin), pixel, buffer)
    values = {
        "completeness": lines.completeness,
        "correctness": lines.correctness,
        "quality": lines.quality,
        "line_f1": lines.f1,
    }
    return matrix, {name: None if math.isnan(value) else value for name, value in values.items()}


def _compare_coverage(result: Path, truth: Path, options: Comparison, context: RunContext) -> tuple[Metrics, str]:
    """Metrics of polygons against the class raster that they were made of, and a sentence with them."""
    import numpy as np
    import shapely

    from ..raster.band_facts import interpret_band
    from ..raster.dataset import open_raster
    from ..vector.crs import explain_distance, measure_overlap
    from ..vector.io.reader import make_reference, read_vector_layer
    from ..vector.metrics.coverage import raster_agreement, score_coverage
    from ..vector.metrics.inputs import NO_CLASS, check_classes, make_truth_area, read_classes, read_part

    polygons = read_vector_layer(
        result,
        options.layer,
        context=context,
        dimensions=(2,),
        preferred=("landcover", "road_areas"),
        columns=(options.field,),
        option="--layer",
    ).keep_polygons(context)
    with open_raster(truth) as dataset:
        classes = read_classes(dataset, interpret_band(dataset, options.rasters[1], "classes", context))
        reference = make_reference(truth.name, dataset.crs, dataset.transform, dataset.shape)
        polygons = polygons.resolve(reference, context)
        part = read_part(options.extent, options.mask, (polygons.reference, reference), reference, context)
        if part is not None:
            classes[~make_truth_area(part, dataset).rasterize_rows(0, dataset.height)] = NO_CLASS
        if (classes == NO_CLASS).all():
            raise SourceError(f"{truth} holds no class at all: every pixel is nodata or outside of what is compared.")
        if not measure_overlap(reference, polygons.reference):
            reason = explain_distance(polygons.reference, reference)
            raise VectorError(f"{polygons.name} and {truth.name} do not overlap.", reason)
        try:
            values = polygons.columns[options.field].astype(np.float64)
        except (TypeError, ValueError) as error:
            raise VectorError(
                f"The attribute {shorten(options.field)} of {polygons.name} holds values that are no class ids.",
                "Name another one with --field.",
            ) from error
        class_ids = np.where(np.isfinite(values), values, NO_CLASS).astype(np.int64)
        geometry = polygons.to_crs(reference.crs)
        compared = class_ids
        if part is not None:
            shapely.prepare(part)
            compared = class_ids[shapely.intersects(geometry, part) & ~shapely.touches(geometry, part)]
        check_classes((polygons.name, set(compared.tolist())), (truth.name, set(np.unique(classes).tolist())), context)
        agreement = raster_agreement(geometry, class_ids, classes, dataset.transform, nodata=NO_CLASS)
    scores = score_coverage(geometry, count_holes=bool((classes != NO_CLASS).all()))
    text = (
        f"{scores.polygons} polygons of {polygons.name} against pixels of {truth.name}: {scores.invalid} invalid, "
        f"{'a' if scores.is_coverage else 'no'} valid coverage, overlaps {scores.overlap_area:.2f}, gaps "
        f"{scores.gap_area:.2f}, agreement {agreement:.4f}"
    )
    return {**asdict(scores), "agreement": agreement}, text
