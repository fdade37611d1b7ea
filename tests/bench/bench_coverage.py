"""Measure speed, validity and memory of coverages: class rasters to polygons, whole commands on large rasters."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Measured, terraspore
from rasters import METRE, QUIET, classes, gdal_polygonize, timed, write, write_repeated
from rows import Row, show
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.messages import Event, Progress
from terraspore.engine.protocol.options import CoverageOptions, RoadOptions
from terraspore.engine.raster.dataset import open_raster
from terraspore.engine.raster.values import Encoding
from terraspore.engine.vector.coverage.codes import ClassRaster
from terraspore.engine.vector.coverage.extract import CoverageBatch, stream_coverage, vectorize_landcover
from terraspore.engine.vector.geodesy import PixelGeodesy
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.reader import read_vector_layer
from terraspore.engine.vector.metrics.coverage import score_coverage
from terraspore.engine.vector.roads.extract import vectorize_roads

#: With more polygons than this, gaps and overlaps are not measured, because the union takes minutes.
MOST_UNITED = 50_000
#: Upper limit for the memory of each command in MB, and for the growth of the time per pixel.
MOST_MEMORY, MOST_GROWTH = 1500.0, 1.25
EXACT = CoverageOptions(minimum_area=0.0, smooth=False, simplify=0.0)


def faults(polygons: NDArray[np.object_]) -> int:
    """Count polygons that are invalid or do not share their borders exactly with their neighbours."""
    bad = ~shapely.is_valid(polygons)
    if not bad.any():
        bad = ~shapely.is_empty(shapely.coverage_invalid_edges(polygons))
    return int(bad.sum())


def coverage_speed(folder: Path, size: int) -> list[Row]:
    """Measure class rasters to polygons: exact (compared with rasterio.shapes), simplified, and in strips."""
    rows = []
    for name, sigma, goal in (("smooth", 12.0, 1 / 2), ("noisy", 3.0, 1 / 5)):
        values = classes(size, sigma)
        raster = write(folder / f"{name}.tif", values)
        title = f"{name} classes, {size} x {size}:"
        polygons_of(raster, EXACT, folder)  # compiles kernels
        ours, polygons = timed(lambda raster=raster: polygons_of(raster, EXACT, folder), 3)
        theirs, others = timed(lambda values=values: rasterio_polygons(values))
        polygonize = gdal_polygonize(raster, folder / "gdal.gpkg")
        note = f"{ours.cpu:.2f} against {theirs.cpu:.2f} s of processor time for {len(polygons)} polygons"
        if polygonize is not None:
            note += f"; gdal_polygonize to a GeoPackage takes {polygonize.cpu:.2f} s"
        speed = ours.cpu / theirs.cpu
        rows.append(show(Row(f"{title} time of rasterio.shapes and Shapely", "times", speed, goal, speed, note)))
        note = f"rasterio.shapes: {faults(others)}"
        rows.append(show(Row(f"{title} invalid polygons, alone or as a coverage", "", faults(polygons), 0, note=note)))
        rows += [_written(raster, folder, title), *_simplified(raster, folder, title), _strips(raster, folder, title)]
    return rows


def polygons_of(raster: Path, options: CoverageOptions, folder: Path) -> NDArray[np.object_]:
    """Return the polygons of a class raster."""
    return np.concatenate([part.geometry for part in batches_of(raster, options, folder)])


def batches_of(raster: Path, options: CoverageOptions, folder: Path) -> list[CoverageBatch]:
    """Return the coverage of a class raster."""
    with open_raster(raster) as dataset:
        source = ClassRaster(dataset, Encoding("classes", ""), None)
        geodesy = PixelGeodesy(dataset.crs, dataset.transform)
        return list(stream_coverage(source, geodesy, options, QUIET, folder))


def rasterio_polygons(values: NDArray[np.uint8]) -> NDArray[np.object_]:
    """Return the polygons of rasterio.shapes as Shapely polygons."""
    return np.array([shape(geometry) for geometry, _ in rasterio.features.shapes(values, transform=METRE)], object)


def _written(raster: Path, folder: Path, title: str) -> Row:
    def work() -> object:
        return vectorize_landcover(raster, VectorTarget(folder / "coverage.gpkg"), EXACT, context=QUIET)

    took, _ = timed(work)
    return show(Row(f"{title} with a GeoPackage", "s", took.seconds, note=f"{took.cpu:.2f} s of processor time"))


def _simplified(raster: Path, folder: Path, title: str) -> list[Row]:
    """Smooth and simplify by half a pixel; count invalid polygons and, if there are few, measure gaps and overlaps."""
    polygons = polygons_of(raster, CoverageOptions(minimum_area=0.0), folder)
    note = f"{len(polygons)} polygons, smoothed and simplified by half a pixel"
    rows = [Row(f"{title} simplified polygons: invalid, alone or as a coverage", "", faults(polygons), 0, note=note)]
    with rasterio.open(raster) as source:
        rows.append(_area_row(title, polygons, source.width * source.height))
    if len(polygons) <= MOST_UNITED:
        scores = score_coverage(polygons)
        rows.append(Row(f"{title} gaps and overlaps", "m²", round(scores.gap_area + scores.overlap_area, 3), 0))
    return [show(row) for row in rows]


def _area_row(title: str, polygons: NDArray[np.object_], pixels: int) -> Row:
    """Compare the sum of the areas with that of the pixels, of one square metre each."""
    difference = abs(float(shapely.area(polygons).sum()) - pixels)
    return Row(f"{title} sum of simplified areas minus that of the pixels", "m²", round(difference, 3), 0)


def _strips(raster: Path, folder: Path, title: str) -> Row:
    """Count features that change if the raster is processed in strips."""
    with rasterio.open(raster) as source:
        whole = _features(batches_of(raster, CoverageOptions(strip=source.height), folder))
    differ = 0
    for strip in (64, 1000):
        found = _features(batches_of(raster, CoverageOptions(strip=strip), folder))
        differ += sum(one != other for one, other in zip(whole, found, strict=True))
    return show(Row(f"{title} features that differ between strips of 64 and of 1000 rows", "", differ, 0))


def _features(parts: list[CoverageBatch]) -> list[tuple[object, ...]]:
    columns = ("region", "code", "area", "perimeter", "confidence")
    values = [np.concatenate([getattr(part, name) for part in parts]).tolist() for name in columns]
    shapes = shapely.to_wkb(np.concatenate([part.geometry for part in parts])).tolist()
    return list(zip(shapes, *values, strict=True))


# Whole commands on large rasters ---------------------------------------------------------------------------------


def landcover(folder: Path, size: int) -> list[Row]:
    """Measure a large class raster to a valid, simplified coverage in a GeoPackage."""
    raster = write_repeated(folder / "landcover.tif", classes(2048, 8.0), size)
    took = terraspore("vectorize", "landcover", raster, "-o", folder / "landcover.gpkg", "--overwrite")
    title = f"Land cover of {size} x {size}:"
    note = f"{took.cpu:.0f} s of processor time"
    rows = [
        show(Row(f"{title} to a GeoPackage", "s", took.seconds, 180.0 if size == 20000 else None, note=note)),
        show(Row(f"{title} peak memory", "MB", took.peak_bytes / 1e6, MOST_MEMORY)),
    ]
    polygons = read_vector_layer(folder / "landcover.gpkg", context=RunContext()).geometry
    bad, note = faults(polygons), f"{len(polygons)} polygons"
    rows.append(show(Row(f"{title} invalid polygons, alone or as a coverage", "", bad, 0, note=note)))
    return [*rows, show(_area_row(title, polygons, size * size))]


def memory(folder: Path, blocks: Mapping[str, NDArray[np.uint8] | None], sizes: list[int]) -> list[Row]:
    """Measure the peak memory of whole commands, and whether their time is linear in the number of pixels."""
    rows = []
    for kind, block in blocks.items():
        repeated = classes(2048, 8.0) if block is None else block
        start = _whole(folder, kind, repeated, 256).cpu  # almost only the start-up
        took = {size: _whole(folder, kind, repeated, size) for size in sizes}
        for size, one in took.items():
            note = f"{one.seconds:.0f} s, {one.cpu:.0f} s of processor time"
            series = f"memory: {kind}"
            title = f"vectorize {kind}, {size} x {size}: peak memory"
            rows.append(show(Row(title, "MB", one.peak_bytes / 1e6, MOST_MEMORY, note=note, series=series, x=size)))
        first, last = sizes[0], sizes[-1]
        growth = ((took[last].cpu - start) / last**2) / ((took[first].cpu - start) / first**2)
        note = f"processor time without the {start:.1f} s of start-up"
        title = f"vectorize {kind}: time per pixel at {last} x {last}, relative to {first} x {first}"
        rows.append(show(Row(title, "times", growth, MOST_GROWTH, growth, note)))
    return rows


def _whole(folder: Path, kind: str, block: NDArray[np.uint8], size: int) -> Measured:
    raster = write_repeated(folder / f"{kind}.tif", block, size)
    took = terraspore("vectorize", kind, raster, "-o", folder / "out.gpkg", "--overwrite")
    raster.unlink()
    return took


class Clock:
    """A reporter that records the processor time at each progress event."""

    def __init__(self) -> None:
        self.marks = [(0.0, time.process_time())]

    def emit(self, event: Event) -> None:
        """Record one event."""
        if isinstance(event, Progress) and event.stage == "vectorize":
            self.marks.append((event.done / event.total, time.process_time()))

    def between(self, begin: float, end: float) -> float:
        """Return the seconds of processor time between two shares of the progress."""
        shares, times = zip(*self.marks, strict=True)
        first, last = np.interp([begin, end], shares, times)
        return float(last - first)


def strips(folder: Path, block: NDArray[np.uint8], width: int) -> list[Row]:
    """Measure whether the last rows cost more than earlier ones, for a raster eight times as high as wide."""
    height = 8 * width
    cover = write_repeated(folder / "classes.tif", classes(2048, 8.0), width, height)
    roads = write_repeated(folder / "roads.tif", block, width, height)

    def quarters(title: str, clock: Clock, begin: float, end: float) -> Row:
        # The first quarter is not used: kernels are loaded, and no polygons are complete.
        quarter = (end - begin) / 4
        second, last = clock.between(begin + quarter, begin + 2 * quarter), clock.between(end - quarter, end)
        name = f"{title}, {width} x {height}: the last quarter of the rows, relative to the second"
        note = f"{last:.2f} against {second:.2f} s of processor time"
        return show(Row(name, "times", last / second, MOST_GROWTH, last / second, note))

    lines, cover_clock = Clock(), Clock()
    target = VectorTarget(folder / "strips.gpkg")
    vectorize_roads(roads, target, RoadOptions(areas=False), context=RunContext(lines))
    vectorize_landcover(cover, target, CoverageOptions(), context=RunContext(cover_clock))
    # Regions are found in the first pass over the raster, borders in the second.
    passes = [quarters(f"land cover, pass {n + 1}", cover_clock, n / 2, (n + 1) / 2) for n in (0, 1)]
    return [quarters("roads to centre lines", lines, 0.0, 1.0), *passes]
