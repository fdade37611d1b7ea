"""How good and how fast vectors are, beside a plain skeleton graph and beside polygonizers.

    python tests/bench/bench_vectors.py            # everything, about ten minutes on two idle cores
    python tests/bench/bench_vectors.py --quick    # smaller rasters, fewer networks
    python tests/bench/bench_vectors.py --large    # also 50,000 x 50,000

Times depend on the machine: compare the ratios. Rasters are made from seeded generators, nothing is downloaded.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from shapely.geometry import shape
from skimage.morphology import skeletonize

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import run as measured
from networks import KINDS, degrade, draw, make_roads
from terraspore.engine.events import Cancellation, SilentReporter
from terraspore.engine.vector.coverage import CoverageOptions, vectorize_landcover
from terraspore.engine.vector.metrics.coverage import check_coverage
from terraspore.engine.vector.metrics.files import read_layer
from terraspore.engine.vector.metrics.network import Network, build_network
from terraspore.engine.vector.metrics.roads import score_roads
from terraspore.engine.vector.roads import RoadOptions, vectorize_roads
from terraspore.engine.vector.roads.graph import trace
from terraspore.engine.vector.roads.pixels import Pixels

METRE = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_600_000.0)
CRS = "EPSG:32618"
#: With more polygons than this gaps and overlaps are not measured: their union takes minutes.
MOST_UNITED = 50_000
QUIET: dict[str, Any] = {"metadata": {}, "reporter": SilentReporter(), "cancellation": Cancellation()}


def main() -> None:
    """Run the benchmark and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller rasters, fewer networks")
    parser.add_argument("--large", action="store_true", help="also 50,000 x 50,000 pixels")
    parser.add_argument("--only", choices=("quality", "coverage", "roads", "memory"), help="one part alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], None]] = {
            "quality": lambda: road_quality(folder, 1 if arguments.quick else 3),
            "coverage": lambda: coverage_speed(folder, 2048 if arguments.quick else 4096),
            "roads": lambda: road_speed(folder, 4000 if arguments.quick else 8000),
            "memory": lambda: memory(folder, _sizes(arguments)),
        }
        for part, work in parts.items():
            if arguments.only in (None, part):
                work()


def _sizes(arguments: argparse.Namespace) -> list[int]:
    if arguments.quick:
        return [5000]
    return [5000, 20000, 50000] if arguments.large else [5000, 20000]


# Quality of road networks ---------------------------------------------------------------------------------------


def road_quality(folder: Path, seeds: int) -> None:
    """Clean and degraded drawings of networks of all kinds: ours and a plain skeleton graph."""
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
            _print_scores(state, name, "**all**", np.mean(rows, axis=0))


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
    vectorize_roads(raster, folder / "roads.gpkg", RoadOptions(areas=False), **QUIET)
    return build_network(read_layer(folder / "roads.gpkg", "roads").geometry)


def _plain(_folder: Path, probability: NDArray[np.float32]) -> Network:
    """Threshold, thin, trace, simplify: what a skeleton graph gives without any care."""
    row, col = np.nonzero(skeletonize(probability >= 0.5))
    ones, zeros = np.ones(len(row), np.float32), np.zeros(len(row), np.uint8)
    graph = trace(Pixels(row.astype(np.int32), col.astype(np.int32), ones, zeros, probability.shape))
    points = np.column_stack(METRE * (graph.col + 0.5, graph.row + 0.5))
    lines = shapely.linestrings(points, indices=np.repeat(np.arange(graph.edges), np.diff(graph.start)))
    return build_network(np.asarray(shapely.simplify(lines, 1.0), object))


# Speed and validity of coverages ---------------------------------------------------------------------------------


def coverage_speed(folder: Path, size: int) -> None:
    """Class rasters to polygons: ours, rasterio.shapes and gdal_polygonize; exact and simplified."""
    print(f"\n### Class rasters of {size} x {size} pixels to polygons\n")
    print("| raster | how | seconds | polygons | invalid | coverage | gaps m² | overlaps m² |")
    print("|---|---|---|---|---|---|---|---|")
    for name, sigma in (("smooth", 12.0), ("noisy", 3.0)):
        values = classes(size, sigma)
        raster = write(folder / f"{name}.tif", values)
        exact = CoverageOptions(minimum_area=0.0, smooth=False, simplify=0.0)
        _ours_coverage(folder, raster, name, exact, "ours, exact")
        _ours_coverage(folder, raster, name, CoverageOptions(minimum_area=0.0), "ours, smooth, simplified by 1 px")
        begin = time.perf_counter()
        found = [shape(g) for g, _ in rasterio.features.shapes(values, transform=METRE)]
        polygons = np.array(found, object)
        _print_coverage(name, "rasterio.shapes (without writing)", time.perf_counter() - begin, polygons)
        simplified = shapely.simplify(polygons, 1.0, preserve_topology=True)
        _print_coverage(name, "rasterio.shapes, each simplified by 1 px", None, simplified)
        _polygonize(folder, raster, name)
        whole = _features(folder, raster, CoverageOptions(strip=size))
        same = all(_features(folder, raster, CoverageOptions(strip=rows)) == whole for rows in (64, 1000))
        print(f"\n{name}: strips of 64 and 1000 rows give {'the same features' if same else 'OTHER FEATURES'}.\n")


def classes(size: int, sigma: float) -> NDArray[np.uint8]:
    """Five classes: the largest of five fields of smoothed noise."""
    rng = np.random.default_rng(7)
    fields = [gaussian_filter(rng.standard_normal((size, size), np.float32), sigma) for _ in range(5)]
    return np.asarray(np.argmax(fields, axis=0) + 1, np.uint8)


def _ours_coverage(folder: Path, raster: Path, name: str, options: CoverageOptions, text: str) -> None:
    output = folder / "coverage.gpkg"
    vectorize_landcover(raster, output, options, confidence=None, class_names={}, **QUIET)  # compiles kernels
    begin = time.perf_counter()
    vectorize_landcover(raster, output, options, confidence=None, class_names={}, **QUIET)
    _print_coverage(name, text + " (written to a GeoPackage)", time.perf_counter() - begin, read_layer(output).geometry)


def _features(folder: Path, raster: Path, options: CoverageOptions) -> list[bytes]:
    output = folder / "strips.gpkg"
    vectorize_landcover(raster, output, options, confidence=None, class_names={}, **QUIET)
    layer = read_layer(output)
    columns = [repr(values.tolist()).encode() for values in layer.columns.values()]
    return [*shapely.to_wkb(layer.geometry).tolist(), *columns]


def _polygonize(folder: Path, raster: Path, name: str) -> None:
    seconds = gdal_polygonize(raster, folder / "gdal.gpkg")
    if seconds is not None:
        polygons = read_layer(folder / "gdal.gpkg").geometry
        _print_coverage(name, "gdal_polygonize (written to a GeoPackage)", seconds, polygons)


def _print_coverage(name: str, text: str, seconds: float | None, polygons: NDArray[np.object_]) -> None:
    took = "" if seconds is None else f"{seconds:.2f}"
    row = f"| {name} | {text} | {took} | {len(polygons)}"
    if len(polygons) > MOST_UNITED:
        correct = shapely.is_valid(polygons)
        valid = "valid" if correct.all() and shapely.coverage_is_valid(polygons) else "not valid"
        print(f"{row} | {int((~correct).sum())} | {valid} | | |")
    else:
        s = check_coverage(polygons)
        valid = "valid" if s.is_coverage else "not valid"
        print(f"{row} | {s.invalid} | {valid} | {s.gap_area:.1f} | {s.overlap_area:.1f} |")
    sys.stdout.flush()


def gdal_polygonize(raster: Path, output: Path) -> float | None:
    """Seconds that gdal_polygonize takes; None where it is not installed."""
    command = shutil.which("gdal_polygonize.py") or shutil.which("gdal_polygonize")
    if command is None:
        return None
    output.unlink(missing_ok=True)
    begin = time.perf_counter()
    subprocess.run([command, "-q", str(raster), str(output)], check=True, capture_output=True)
    return time.perf_counter() - begin


# Speed of road networks ------------------------------------------------------------------------------------------


def road_speed(folder: Path, size: int) -> None:
    """A large road mask to a cleaned network and to areas, beside a bare thinning and polygonizing."""
    print(f"\n### A road mask of {size} x {size} pixels\n")
    mask = repeated(road_block(), size)
    raster = write(folder / "mask.tif", mask)
    reference = gdal_polygonize(raster, folder / "gdal.gpkg")
    rows: list[tuple[str, float]] = []
    for text, options in (
        ("centre lines: pruned, bridged, simplified, written", RoadOptions(areas=False)),
        ("lines, nodes and areas", RoadOptions()),
    ):
        vectorize_roads(raster, folder / "roads.gpkg", options, **QUIET)
        begin = time.perf_counter()
        vectorize_roads(raster, folder / "roads.gpkg", options, **QUIET)
        rows.append((text, time.perf_counter() - begin))
    exact = CoverageOptions(minimum_area=0.0, smooth=False, simplify=0.0, classes=frozenset({255}))
    begin = time.perf_counter()
    summary = vectorize_landcover(raster, folder / "areas.gpkg", exact, confidence=None, class_names={}, **QUIET)
    rows.append(("areas alone, exact, written", time.perf_counter() - begin))
    begin = time.perf_counter()
    skeletonize(mask > 0)
    rows.append(("skimage.skeletonize alone, in memory, no lines", time.perf_counter() - begin))
    print("| what | seconds | times gdal_polygonize |")
    print("|---|---|---|")
    for text, seconds in rows:
        print(f"| {text} | {seconds:.2f} | {'' if reference is None else f'{seconds / reference:.2f}'} |")
    if reference is not None:
        print(f"| gdal_polygonize, written | {reference:.2f} | 1.00 |")
    area = shapely.area(read_layer(folder / "areas.gpkg").geometry).sum()
    print(f"\nArea of the exact polygons {area:.0f} m², of the pixels {int((mask > 0).sum())} m²")
    print(f"(on the ellipsoid {summary.area:.0f} m²).")


def road_block() -> NDArray[np.uint8]:
    """A mask of 2,000 x 2,000 pixels of all kinds of networks, to be repeated."""
    kinds = [draw(make_roads(kind, 40 + number, 1000)) for number, kind in enumerate(KINDS)]
    return np.vstack((np.hstack(kinds[:2]), np.hstack(kinds[2:])))


def repeated(block: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A block repeated over a square."""
    times = -(-size // len(block))
    return np.tile(block, (times, times))[:size, :size]


# Memory ----------------------------------------------------------------------------------------------------------


def memory(folder: Path, sizes: list[int]) -> None:
    """Time and peak memory of whole commands."""
    print("\n### Whole commands: seconds and peak memory\n")
    print("| raster | command | seconds | seconds for a gigapixel | peak memory |")
    print("|---|---|---|---|---|")
    blocks = {"roads": road_block(), "landcover": classes(2048, 8.0)}
    for size in sizes:
        for kind, block in blocks.items():
            raster = write_repeated(folder / f"{kind}.tif", block, size)
            output = folder / "out.gpkg"
            took = measured(
                [sys.executable, "-m", "terraspore", "vectorize", kind, str(raster), "-o", str(output), "--json"]
            )
            print(
                f"| {size} x {size} | vectorize {kind} | {took.seconds:.0f} | {took.seconds * 1e9 / size**2:.0f} "
                f"| {took.peak_bytes / 1e9:.2f} GB |"
            )
            sys.stdout.flush()
            if kind == "landcover" and size <= 20000:
                print(f"\n{_validity(output)}\n")
            raster.unlink()
            output.unlink()


def _validity(path: Path) -> str:
    geometry = read_layer(path).geometry
    valid = bool(shapely.is_valid(geometry).all()) and bool(shapely.coverage_is_valid(geometry))
    return f"{len(geometry)} polygons, {'a' if valid else 'NO'} valid coverage."


def write(path: Path, values: NDArray[Any], scale: float | None = None) -> Path:
    """Write a band as a tiled GeoTIFF with pixels of one metre."""
    with rasterio.open(path, "w", **_profile(values.shape, values.dtype)) as dataset:
        dataset.write(values, 1)
        if scale is not None:
            dataset.scales = (scale,)
    return path


def write_repeated(path: Path, block: NDArray[np.uint8], size: int) -> Path:
    """Write a square of a block repeated, some rows at a time."""
    times = -(-size // block.shape[1])
    with rasterio.open(path, "w", **_profile((size, size), block.dtype)) as dataset:
        for row in range(0, size, 512):
            rows = np.arange(row, min(row + 512, size)) % len(block)
            window = rasterio.windows.Window(0, row, size, len(rows))
            dataset.write(np.tile(block[rows], (1, times))[:, :size], 1, window=window)
    return path


def _profile(shape_: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "height": shape_[0],
        "width": shape_[1],
        "count": 1,
        "dtype": dtype,
        "crs": CRS,
        "transform": METRE,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }


if __name__ == "__main__":
    main()
