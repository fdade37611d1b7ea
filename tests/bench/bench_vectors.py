"""Measure quality and speed of vectors, compared with a plain skeleton graph and with polygonizers.

    python tests/bench/bench_vectors.py                  # everything, about ten minutes on two idle cores
    python tests/bench/bench_vectors.py --quick          # smaller rasters, fewer networks
    python tests/bench/bench_vectors.py --only coverage  # one part, up to three minutes
    python tests/bench/bench_vectors.py --large          # also 50,000 x 50,000, which takes longer
    python tests/bench/bench_vectors.py --only roads memory --mask MASK.tif    # repeats your own mask

Times depend on the machine: compare the ratios. Without ``--mask`` rasters are made from seeded generators; nothing
is downloaded. Every part writes its rows to out/bench; out/bench/vectors.json has the rows of all parts.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from skimage.morphology import skeletonize

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_coverage import coverage_speed, landcover, memory, strips
from bench_precision import SEEDS, road_precision
from bench_shapes import borders, right_angles
from networks import KINDS, degrade, draw, make_roads
from rasters import METRE, QUIET, gdal_polygonize, repeated, road_block, timed, write
from rows import Row, read_rows, show, write_rows
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import CoverageOptions, RoadOptions
from terraspore.engine.vector.coverage.extract import vectorize_landcover
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.reader import read_vector_layer
from terraspore.engine.vector.metrics.network import Network, build_network
from terraspore.engine.vector.metrics.roads import score_roads
from terraspore.engine.vector.roads.centerlines import CenterlinePixels
from terraspore.engine.vector.roads.extract import vectorize_roads
from terraspore.engine.vector.roads.graph import trace

#: Seconds of gdal_polygonize on the machine on which the aims for road masks were set.
POLYGONIZE = 1.08
PARTS = ("quality", "coverage", "shapes", "roads", "landcover", "memory")


def main() -> None:
    """Run the requested parts, print their rows and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller rasters, fewer networks")
    parser.add_argument("--large", action="store_true", help="also 50,000 x 50,000 pixels")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts alone")
    parser.add_argument("--mask", type=Path, help="a road mask to repeat, instead of a drawn one")
    parser.add_argument("--classes", type=Path, help="a class raster to repeat, instead of a synthetic one")
    options = parser.parse_args()
    quick = options.quick
    mask = road_block() if options.mask is None else _band(options.mask)
    blocks = {"roads": mask, "landcover": None if options.classes is None else _band(options.classes)}
    with tempfile.TemporaryDirectory(prefix="terraspore-bench-") as name:
        folder = Path(name)
        parts: dict[str, Callable[[], list[Row]]] = {
            "quality": lambda: [
                *road_quality(folder, 1 if quick else 3),
                *road_precision(folder, SEEDS[:4] if quick else SEEDS),
            ],
            "coverage": lambda: coverage_speed(folder, 2048 if quick else 4096),
            "shapes": lambda: [
                shapes for part in (borders, right_angles) for shapes in part(folder, 3 if quick else 12)
            ],
            "roads": lambda: road_speed(folder, mask, 4000 if quick else 8000),
            "landcover": lambda: landcover(folder, 5000 if quick else 20000),
            "memory": lambda: [
                *memory(folder, blocks, _sizes(quick=quick, large=options.large)),
                *strips(folder, mask, 2048 if quick else 4096),
            ],
        }
        for part in options.only:
            print(f"\n{part} (load {os.getloadavg()[0]:.1f}):", flush=True)
            write_rows(f"vectors-{part}", parts[part]())
            write_rows("vectors", [row for one in PARTS for row in read_rows(f"vectors-{one}")])


def _sizes(*, quick: bool, large: bool) -> list[int]:
    if quick:
        return [2500, 5000]
    return [10000, 20000, 50000] if large else [10000, 20000]


def _band(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as source:
        values: NDArray[np.uint8] = source.read(1)
    return values


# Quality of road networks ---------------------------------------------------------------------------------------


def road_quality(folder: Path, seeds: int) -> list[Row]:
    """Measure TerraSpore and a plain skeleton graph on clean and degraded masks of networks of all kinds."""
    means: dict[tuple[str, str], NDArray[np.float64]] = {}
    print(f"\n### Road networks from drawn masks ({seeds} networks of each kind, 1,200 x 1,200 m)\n")
    print("| mask | network | kind | APLS | TOPO F1 | quality | junction F1 | pieces (truth) | dead ends (truth) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for state in ("clean", "degraded"):
        for name, maker in (("ours", _ours), ("skeleton graph", _plain)):
            rows = []
            for kind in KINDS:
                found = [_score(folder, kind, seed, state, maker) for seed in range(seeds)]
                rows += found
                _print_scores(state, name, kind, np.mean(found, axis=0))
            means[state, name] = np.mean(rows, axis=0)
            _print_scores(state, name, "**all**", means[state, name])
    print()
    return [
        show(_score_row(means, "degraded", "APLS", 0, 0.86, "CRESI 0.776")),
        show(_score_row(means, "degraded", "TOPO F1", 1, 0.86, "CRESI 0.737")),
        show(_score_row(means, "clean", "APLS", 0, 0.92, "CRESI 0.912")),
    ]


def _score_row(
    means: dict[tuple[str, str], NDArray[np.float64]], state: str, name: str, column: int, goal: float, peer: str
) -> Row:
    ours, plain = float(means[state, "ours"][column]), float(means[state, "skeleton graph"][column])
    note = f"a plain skeleton graph {plain:.3f}; on other masks of this kind, {peer}"
    return Row(f"{name} of networks from {state} masks", "", ours, goal, note=note, at_least=True)


def _score(
    folder: Path, kind: str, seed: int, state: str, maker: Callable[[Path, NDArray[np.float32]], Network]
) -> NDArray[np.float64]:
    roads = make_roads(kind, seed)
    mask = draw(roads)
    probability = (mask > 0).astype(np.float32) if state == "clean" else degrade(mask, roads, seed)
    truth = build_network(shapely.transform(roads.lines, lambda xy: np.column_stack(METRE * (xy[:, 0], xy[:, 1]))))
    s = score_roads(maker(folder, probability), truth)
    return np.array(
        [s.apls, s.topo_f1, s.quality, s.junction_f1, s.pieces, s.truth_pieces, s.dead_ends, s.truth_dead_ends]
    )


def _print_scores(state: str, name: str, kind: str, mean: NDArray[np.float64]) -> None:
    shares = " | ".join(f"{value:.3f}" for value in mean[:4])
    print(f"| {state} | {name} | {kind} | {shares} | {mean[4]:.0f} ({mean[5]:.0f}) | {mean[6]:.0f} ({mean[7]:.0f}) |")
    sys.stdout.flush()


def _ours(folder: Path, probability: NDArray[np.float32]) -> Network:
    raster = write(folder / "probability.tif", np.rint(probability * 250).astype(np.uint8), scale=0.004)
    vectorize_roads(raster, VectorTarget(folder / "roads.gpkg"), RoadOptions(areas=False), context=QUIET)
    return build_network(read_vector_layer(folder / "roads.gpkg", "roads", context=RunContext()).geometry)


def _plain(_folder: Path, probability: NDArray[np.float32]) -> Network:
    """Threshold, thin, trace and simplify, without any cleaning."""
    row, col = np.nonzero(skeletonize(probability >= 0.5))
    ones, zeros = np.ones(len(row), np.float32), np.zeros(len(row), np.uint8)
    graph = trace(CenterlinePixels(row.astype(np.int32), col.astype(np.int32), ones, zeros), probability.shape)
    points = np.column_stack(METRE * (graph.col + 0.5, graph.row + 0.5))
    lines = shapely.linestrings(points, indices=np.repeat(np.arange(graph.edge_count), np.diff(graph.start)))
    return build_network(np.asarray(shapely.simplify(lines, 1.0), object))


# Speed of road networks ------------------------------------------------------------------------------------------


def road_speed(folder: Path, block: NDArray[np.uint8], size: int) -> list[Row]:
    """Measure a large road mask to a cleaned network and to areas, compared with thinning and polygonizing alone."""
    mask = repeated(block, size)
    raster = write(folder / "mask.tif", mask)
    references = [gdal_polygonize(raster, folder / "gdal.gpkg") for _ in range(2)]
    reference = min((one.cpu for one in references if one is not None), default=None)
    aims = {"lines": 2.3, "areas": 0.6} if size == 8000 else {}
    rows: list[Row] = []

    def add(text: str, work: Callable[[], object], aim: float | None = None) -> None:
        work()  # compiles kernels
        took, _ = timed(work, 3)
        title = f"Road mask of {size} x {size} {text}"
        rows.append(show(Row(title, "s", took.seconds, aim, note=f"{took.cpu:.2f} s of processor time")))
        if reference is not None:
            # Aims are from a machine on which gdal_polygonize took 1.08 s; the ratio holds on others and under load.
            ratio, note = took.cpu / reference, f"processor time; gdal_polygonize {reference:.2f} s"
            limit = None if aim is None else aim / POLYGONIZE
            rows.append(show(Row(f"{title}, against gdal_polygonize", "times", ratio, limit, ratio, note)))

    def vectorize(options: RoadOptions) -> Callable[[], object]:
        return lambda: vectorize_roads(raster, VectorTarget(folder / "roads.gpkg"), options, context=QUIET)

    value = int(mask.max())
    exact = CoverageOptions(minimum_area=0.0, smooth=False, simplify=0.0, classes=frozenset({value}))
    output = folder / "areas.gpkg"
    lines = "to centre lines: pruned, gaps closed, simplified, written"
    add(lines, vectorize(RoadOptions(areas=False)), aims.get("lines"))
    add(
        "to exact areas in a GeoPackage",
        lambda: vectorize_landcover(raster, VectorTarget(output), exact, context=QUIET),
        aims.get("areas"),
    )
    add("to lines, nodes and simplified areas", vectorize(RoadOptions()))
    add("to a skeleton alone, by skimage, in memory", lambda: skeletonize(mask > 0))
    difference = abs(
        float(shapely.area(read_vector_layer(output, context=RunContext()).geometry).sum())
        - float((mask == value).sum())
    )
    rows.append(show(Row("Area of the exact areas minus that of the pixels", "m²", difference, 0.0)))
    return rows


if __name__ == "__main__":
    main()
