"""``terraspore compare``: a result against the truth."""

from __future__ import annotations

from pathlib import Path

import click

from ..context import RunContext
from ..protocol.messages import Result
from .cli_context import json_option, run_command
from .options import PATH

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
@click.option("--field", default="class_id", show_default=True, help="Column with the class of polygons.")
@json_option
def compare(
    result: Path,
    truth: Path,
    layer: str | None,
    truth_layer: str | None,
    buffer: float,
    threshold: float | None,
    field: str,
    as_json: bool,
) -> None:
    """Measure RESULT against TRUTH.

    Lines against lines: APLS, TOPO, completeness, correctness, quality, junctions. Rasters against rasters: accuracy,
    IoU, precision, recall, F1, kappa. Polygons against a class raster: gaps, overlaps, validity, agreement.
    """

    def command(context: RunContext) -> Result:
        """Compare by what the two files hold."""
        from ..raster.dataset import identify_image
        from ..vector.metrics.inputs import is_vector

        start = context.clock()
        for path in (result, truth):
            identify_image(path)
        if is_vector(truth):
            metrics, text = _compare_lines(result, truth, (layer, truth_layer), buffer)
        elif is_vector(result):
            metrics, text = _compare_coverage(result, truth, layer, field)
        else:
            metrics, text = _compare_rasters(result, truth, threshold)
        return Result(outputs={}, summary=metrics, seconds=context.clock() - start, text=text)

    run_command(as_json, command)


def _compare_lines(
    result: Path, truth: Path, layers: tuple[str | None, str | None], buffer: float
) -> tuple[Metrics, str]:
    """Metrics of a road network, and a sentence with them."""
    import numpy as np
    import shapely

    from ..errors import VectorError
    from ..vector.metrics.inputs import choose_metric_crs, read_layer, to_crs
    from ..vector.metrics.network import build_network
    from ..vector.metrics.roads import score_roads

    result_layer = read_layer(result, layers[0], ("roads",))
    truth_layer = read_layer(truth, layers[1], ("roads",))
    crs = choose_metric_crs(truth_layer)
    networks = []
    for path, lines in ((result, result_layer), (truth, truth_layer)):
        if len(lines.geometry) and not np.isin(shapely.get_dimensions(lines.geometry), (1, -1)).all():
            raise VectorError(f"{path} holds other geometries than lines.", "Choose a layer of lines with --layer.")
        networks.append(build_network(to_crs(lines, crs)))
    scores = score_roads(networks[0], networks[1], buffer=buffer)
    text = (
        f"APLS {scores.apls:.3f}, TOPO F1 {scores.topo_f1:.3f}, completeness {scores.completeness:.3f}, "
        f"correctness {scores.correctness:.3f}, quality {scores.quality:.3f}, junction F1 {scores.junction_f1:.3f}"
    )
    return scores.metrics(), text


def _compare_rasters(result: Path, truth: Path, threshold: float | None) -> tuple[Metrics, str]:
    """Metrics of a class raster or a mask, and a sentence with them."""
    from ..vector.metrics.inputs import read_raster_pairs
    from ..vector.metrics.raster import score_rasters

    pairs, classes = read_raster_pairs(result, truth, threshold)
    metrics = score_rasters(pairs, classes).metrics()
    names = ("accuracy", "mean_iou", "kappa") if threshold is None else ("iou_1", "precision_1", "recall_1", "f1_1")
    return metrics, ", ".join(f"{name.removesuffix('_1')} {metrics[name] or 0.0:.3f}" for name in names)


def _compare_coverage(result: Path, truth: Path, layer: str | None, field: str) -> tuple[Metrics, str]:
    """Metrics of polygons against the class raster that they were made of, and a sentence with them."""
    import numpy as np

    from ..errors import VectorError
    from ..raster.dataset import open_raster
    from ..vector.metrics.coverage import raster_agreement, score_coverage
    from ..vector.metrics.inputs import NO_CLASS, read_classes, read_layer, to_crs

    polygons = read_layer(result, layer, ("landcover", "road_areas"))
    if field not in polygons.columns:
        raise VectorError(f"{result} has no column {field}.", "Name the column with the class with --field.")
    with open_raster(truth) as dataset:
        classes = read_classes(dataset)
        geometry = to_crs(polygons, dataset.crs)
        class_ids = polygons.columns[field].astype(np.int64)
        agreement = raster_agreement(geometry, class_ids, classes, dataset.transform, nodata=NO_CLASS)
    scores = score_coverage(geometry, count_holes=bool((classes != NO_CLASS).all()))
    text = (
        f"{scores.polygons} polygons, {scores.invalid} invalid, {'a' if scores.is_coverage else 'no'} valid coverage, "
        f"overlaps {scores.overlap_area:.2f}, gaps {scores.gap_area:.2f}, agreement {agreement:.4f}"
    )
    return {**scores.metrics(), "agreement": agreement}, text
