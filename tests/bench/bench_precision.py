"""Precision and shape of road networks from degraded masks with difficult places, beside the aims."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import shapely
from degraded import degrade_coverage, draw_coverage, make_difficult_roads
from numpy.typing import NDArray
from rasters import METRE, QUIET, timed, write
from rows import Row, show
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.reader import read_vector_layer
from terraspore.engine.vector.metrics.definitions import DEFINITIONS
from terraspore.engine.vector.metrics.network import build_network, sample_points
from terraspore.engine.vector.metrics.roads import score_roads
from terraspore.engine.vector.metrics.topo import topo
from terraspore.engine.vector.roads.extract import vectorize_roads

#: A line further than this from any true road is false, metres.
FALSE_DISTANCE = 12.0
#: Distance of the vertices where published definitions are computed, as in Sat2Graph's graphs, metres.
VERTICES = 20.0
#: Seeds of the networks: not those on which limits were chosen (100 to 107, 300 to 323) or that were looked at (200 to
#: 211, 400 to 411).
SEEDS = range(500, 512)
#: Each aim: name, unit, limit, whether it is a lower limit.
AIMS: dict[str, tuple[str, str, float | None, bool]] = {
    "false_line": (f"line more than {FALSE_DISTANCE:g} m from any road", "%", 1.2, False),
    "topo_precision": ("TOPO precision", "", 0.90, True),
    "topo_recall": ("TOPO recall", "", 0.88, True),
    "apls": ("APLS", "", 0.875, True),
    "apls_cosmiq": ("APLS by CosmiQ's rules", "", None, True),
    "topo_sat2graph": ("TOPO F1 by Sat2Graph's rules", "", None, True),
    "opt_j": ("OPT-J F1", "", None, True),
    "components": ("components, difference from the truth", "", 2.0, False),
    "offset": ("95 % of the matched line is nearer than", "m", 3.6, False),
    "turning": ("turning of lines", "°/km", 250.0, False),
    "turning_truth": ("turning of the true roads", "°/km", None, False),
    "seconds": ("processor time of a network", "s", None, False),
}


@dataclass(frozen=True)
class Precision:
    """Measures of one network; the names and units are those of ``AIMS``."""

    false_line: float
    topo_precision: float
    topo_recall: float
    apls: float
    apls_cosmiq: float
    topo_sat2graph: float
    opt_j: float
    components: float
    offset: float
    turning: float
    turning_truth: float
    seconds: float


def road_precision(folder: Path, seeds: Iterable[int] = SEEDS) -> list[Row]:
    """Measure networks of seeded roads from degraded probabilities and from the masks at 0.5; print a row per aim."""
    rows = []
    for state in ("probabilities", "masks"):
        found = [_measure(folder, seed, state) for seed in seeds]
        print(f"\n### Difficult roads from degraded {state} ({len(found)} networks, 1,200 x 1,200 m)\n")
        for name, (title, unit, limit, at_least) in AIMS.items():
            values = [asdict(one)[name] for one in found]
            note = f"worst {min(values) if at_least else max(values):.3f}"
            text = f"Roads from degraded {state}: {title}"
            rows.append(show(Row(text, unit, float(np.mean(values)), limit, note=note, at_least=at_least)))
        sys.stdout.flush()
    return rows


def turning_per_km(lines: NDArray[np.object_]) -> float:
    """Sum of the angles between consecutive segments of each line, degrees for each kilometre."""
    total = 0.0
    for line in lines:
        steps = np.diff(shapely.get_coordinates(line), axis=0)
        angle = np.diff(np.arctan2(steps[:, 1], steps[:, 0]))
        total += float(np.abs((angle + np.pi) % (2.0 * np.pi) - np.pi).sum())
    return float(np.degrees(total)) / max(float(shapely.length(lines).sum()) / 1000.0, 1e-9)


def _measure(folder: Path, seed: int, state: str) -> Precision:
    roads = make_difficult_roads(seed)
    probability = degrade_coverage(draw_coverage(roads), roads, seed)
    if state == "masks":
        probability = (probability >= 0.5).astype(np.float32)
    raster = write(folder / "probability.tif", np.rint(probability * 250).astype(np.uint8), scale=0.004)
    output, options = folder / f"roads-{state}-{seed}.gpkg", RoadOptions(areas=False)
    extract: Callable[[], object] = lambda: vectorize_roads(raster, VectorTarget(output), options, context=QUIET)  # noqa: E731
    took, _ = timed(extract)
    lines = read_vector_layer(output, "roads", context=RunContext()).geometry
    true_lines = shapely.transform(roads.lines, lambda xy: np.column_stack(METRE * (xy[:, 0], xy[:, 1])))
    result, truth = build_network(lines), build_network(true_lines)
    scores = score_roads(result, truth)
    dense = [build_network(shapely.segmentize(network.lines, VERTICES)) for network in (result, truth)]
    points = sample_points(result, 2.0, with_nodes=False)
    distance = shapely.distance(shapely.points(points.xy), shapely.union_all(true_lines))
    weight = (result.length / np.bincount(points.edge, minlength=len(result.length)))[points.edge]
    is_false = distance > FALSE_DISTANCE
    return Precision(
        false_line=100.0 * float(weight[is_false].sum() / weight.sum()),
        topo_precision=scores.topo_precision,
        topo_recall=scores.topo_recall,
        apls=scores.apls,
        apls_cosmiq=score_roads(*dense, definition=DEFINITIONS["cosmiq"]).apls,
        topo_sat2graph=topo(*dense, DEFINITIONS["sat2graph"].topo).f1,
        opt_j=scores.opt_j_f1,
        components=abs(scores.pieces - scores.truth_pieces),
        offset=float(np.quantile(distance[~is_false], 0.95)),
        turning=turning_per_km(lines),
        turning_truth=turning_per_km(true_lines),
        seconds=took.cpu,
    )
