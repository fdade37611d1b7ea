"""``terraspore compare``: a result against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..context import RunContext
from ..errors import SourceError
from ..protocol.messages import Result
from ..protocol.options import VALUE_KINDS, RasterOptions, ValueKind
from .cli_context import json_option, run_command
from .options import declared_options, given_options
from .paths import PATH

if TYPE_CHECKING:
    from ..vector.metrics.inputs import RasterPairs

Metrics = dict[str, float | int | str | None]


@click.command()
@click.argument("result", type=PATH)
@click.argument("truth", type=PATH)
@click.option("--layer", help="Layer of RESULT; else roads, landcover or the first.")
@click.option("--truth-layer", help="Layer of TRUTH; else as for RESULT.")
@click.option(
    "--buffer",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="M",
    help="Largest distance between matching lines.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="P", help="Compare masks: probability of a road pixel."
)
@declared_options(RasterOptions)
@click.option("--truth-values", type=click.Choice(VALUE_KINDS), help="The same as --values for TRUTH.")
@click.option("--field", default="class_id", show_default=True, help="Column with the class of polygons.")
@json_option
def compare(
    result: Path,
    truth: Path,
    layer: str | None,
    truth_layer: str | None,
    buffer: float,
    threshold: float | None,
    truth_values: ValueKind | None,
    field: str,
    as_json: bool,
    **values: Any,
) -> None:
    """Measure RESULT against TRUTH.

    Lines against lines: APLS, TOPO, completeness, correctness, quality, junctions. Rasters against rasters: accuracy,
    IoU, precision, recall, F1, kappa. Polygons against a class raster: gaps, overlaps, validity, agreement.
    """
    options = given_options(RasterOptions, values)
    truth_options = RasterOptions(values=truth_values, nodata=options.nodata)

    def command(context: RunContext) -> Result:
        """Compare by what the two files hold."""
        from ..raster.dataset import identify_image
        from ..vector.io.reader import is_vector

        start = context.clock()
        for path in (result, truth):
            identify_image(path)
        if is_vector(truth):
            metrics, text = _compare_lines(result, truth, (layer, truth_layer), buffer, context)
        elif is_vector(result):
            metrics, text = _compare_coverage(result, truth, layer, field, truth_options, context)
        else:
            from ..vector.metrics.inputs import read_raster_pairs

            pairs, classes = read_raster_pairs(result, truth, threshold, (options, truth_options), context)
            metrics, text = _score_rasters(pairs, classes, is_mask=threshold is not None)
        return Result(outputs={}, summary=metrics, seconds=context.clock() - start, text=text)

    run_command(as_json, command)


def _compare_lines(
    result: Path, truth: Path, layers: tuple[str | None, str | None], buffer: float, context: RunContext
) -> tuple[Metrics, str]:
    """Metrics of a road network, and a sentence with them."""
    from ..vector.crs import make_metric_crs
    from ..vector.io.reader import read_vector_layer
    from ..vector.metrics.network import build_network
    from ..vector.metrics.roads import score_roads

    first, second = (
        read_vector_layer(path, layer, context=context, dimensions=(1,), preferred=("roads",), option=option).select(
            (1,), context
        )
        for path, layer, option in ((result, layers[0], "--layer"), (truth, layers[1], "--truth-layer"))
    )
    first, second = first.resolve(second.reference, context), second.resolve(first.reference, context)
    crs = make_metric_crs(second.crs, second.bounds)
    networks = [build_network(lines.to_crs(crs)) for lines in (first, second)]
    scores = score_roads(networks[0], networks[1], buffer=buffer)
    text = (
        f"APLS {scores.apls:.3f}, TOPO F1 {scores.topo_f1:.3f}, completeness {scores.completeness:.3f}, "
        f"correctness {scores.correctness:.3f}, quality {scores.quality:.3f}, junction F1 {scores.junction_f1:.3f}"
    )
    return scores.metrics(), text


def _score_rasters(pairs: RasterPairs, classes: tuple[int, ...], *, is_mask: bool) -> tuple[Metrics, str]:
    """Metrics of a class raster or a mask, and a sentence with them."""
    from ..vector.metrics.raster import score_rasters

    metrics = score_rasters(pairs, classes).metrics()
    names = ("iou_1", "precision_1", "recall_1", "f1_1") if is_mask else ("accuracy", "mean_iou", "kappa")
    return metrics, ", ".join(f"{name.removesuffix('_1')} {metrics[name] or 0.0:.3f}" for name in names)


def _compare_coverage(
    result: Path, truth: Path, layer: str | None, field: str, options: RasterOptions, context: RunContext
) -> tuple[Metrics, str]:
    """Metrics of polygons against the class raster that they were made of, and a sentence with them."""
    import numpy as np

    from ..raster.band_facts import interpret_band
    from ..raster.dataset import open_raster
    from ..vector.io.reader import make_reference, read_vector_layer
    from ..vector.metrics.coverage import raster_agreement, score_coverage
    from ..vector.metrics.inputs import NO_CLASS, read_classes

    polygons = read_vector_layer(
        result, layer, context=context, dimensions=(2,), preferred=("landcover", "road_areas"), columns=(field,)
    )
    with open_raster(truth) as dataset:
        classes = read_classes(dataset, interpret_band(dataset, options, "classes", context))
        if (classes == NO_CLASS).all():
            raise SourceError(f"{truth} holds no class at all: every pixel is nodata.")
        reference = make_reference(truth.name, dataset.crs, dataset.transform, dataset.shape)
        geometry = polygons.resolve(reference, context).to_crs(reference.crs)
        class_ids = polygons.columns[field].astype(np.int64)
        agreement = raster_agreement(geometry, class_ids, classes, dataset.transform, nodata=NO_CLASS)
    scores = score_coverage(geometry, count_holes=bool((classes != NO_CLASS).all()))
    text = (
        f"{scores.polygons} polygons, {scores.invalid} invalid, {'a' if scores.is_coverage else 'no'} valid coverage, "
        f"overlaps {scores.overlap_area:.2f}, gaps {scores.gap_area:.2f}, agreement {agreement:.4f}"
    )
    return {**scores.metrics(), "agreement": agreement}, text
