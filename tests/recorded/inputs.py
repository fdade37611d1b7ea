"""Small files for the recorded commands, with the same pixels on every machine.

Only integer arithmetic, ``sqrt`` and divisions make the pixels, because these give the same digits everywhere; the
random numbers are those of a linear congruential generator for the same reason.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from affine import Affine
from raster_files import NORTH_UP, UTM, write_raster

#: Rows and columns of the images.
HEIGHT, WIDTH = 300, 420
#: Streets as (row, column) pairs of the ends and half widths in pixels; crossings, a dead end, a slanted one, a gap.
STREETS = (
    ((90, -10), (90, 430), 4.0),
    ((200, -10), (200, 180), 3.5),
    ((200, 200), (200, 430), 3.5),
    ((-10, 110), (310, 110), 4.5),
    ((-10, 330), (310, 250), 4.0),
    ((90, 190), (150, 190), 3.0),
)
PROBABILITY_NODATA = 255
CLASSES = ("impervious", "building", "low vegetation", "tree")
COLORMAP = {0: (255, 255, 255, 255), 1: (0, 0, 255, 255), 2: (0, 255, 255, 255), 3: (0, 255, 0, 255)}
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


def make_inputs(folder: Path) -> None:
    """Write all inputs into ``folder``."""
    _write_images(folder)
    _write_probabilities(folder)
    _write_classes(folder)
    _write_vectors(folder)
    _write_model(folder / "plain-model")
    (folder / "graph").mkdir()
    shutil.copy(folder / "plain-model" / "net.onnx", folder / "graph")


def _noise(height: int, width: int, seed: int, amplitude: int) -> np.ndarray:
    """Return integers from 0 to ``amplitude`` - 1, hashes of the pixels' indices."""
    value = np.arange(height * width, dtype=np.uint32) + np.uint32(seed * 7_919 + 1)
    for _ in range(3):
        value = value * np.uint32(1_664_525) + np.uint32(1_013_904_223)
        value ^= value >> np.uint32(15)
    return (value >> np.uint32(8)).reshape(height, width).astype(np.int64) % amplitude


def _distance_to_streets(height: int, width: int) -> np.ndarray:
    """Return the distance of each pixel to the edge of the nearest street, in pixels; negative within it."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    nearest = np.full((height, width), 1e9)
    for (row, column), (end_row, end_column), half_width in STREETS:
        down, right = end_row - row, end_column - column
        along = ((rows - row) * down + (columns - column) * right) / (down * down + right * right)
        along = np.clip(along, 0, 1)
        off_row, off_column = rows - row - along * down, columns - column - along * right
        nearest = np.minimum(nearest, np.sqrt(off_row * off_row + off_column * off_column) - half_width)
    return nearest


def _town(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw streets, roofs, lawns and trees: (3, height, width), uint8."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.empty((3, height, width), np.int64)
    for band, value in enumerate((92, 118, 78)):  # lawn
        picture[band] = value + _noise(height, width, band, 25)
    roofs = (rows % 47 > 12) & (rows % 47 < 32) & (columns % 53 > 15) & (columns % 53 < 38)
    picture[:, roofs] = np.array((168, 96, 84))[:, None] + _noise(height, width, 5, 20)[roofs]
    trees = (rows % 61 - 30) ** 2 + (columns % 43 - 20) ** 2 < 90
    picture[:, trees & ~roofs] = np.array((38, 66, 40))[:, None] + _noise(height, width, 6, 30)[trees & ~roofs]
    streets = _distance_to_streets(height, width) < 0
    picture[:, streets] = np.array((172, 170, 168))[:, None] + _noise(height, width, 7, 14)[streets]
    return picture.astype(np.uint8)


def _write_images(folder: Path) -> None:
    town = _town()
    write_raster(folder / "town.tif", town, **TILED)
    write_raster(folder / "large.tif", np.tile(town, (1, 2, 2)), **TILED)
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[:120, :140] = False
    sixteen = np.where(valid, town.astype(np.uint16) * 40 + 700, 0).astype(np.uint16)
    infrared = np.where(valid, 9_000 - town[1].astype(np.uint16) * 20, 0).astype(np.uint16)
    coarse = NORTH_UP @ Affine.scale(1.25)
    write_raster(folder / "sixteen.tif", [*sixteen, infrared], transform=coarse, nodata=0, **TILED)
    degrees = Affine(1e-5, 0, 12.5, 0, -1e-5, 41.9)
    write_raster(folder / "degrees.tif", town, crs="EPSG:4326", transform=degrees, **TILED)
    write_raster(folder / "rotated.tif", town, transform=NORTH_UP @ Affine(0.96, -0.28, 0, 0.28, 0.96, 0), **TILED)
    south_up = Affine(1, 0, 500_000, 0, 1, 4_649_776 - HEIGHT)
    write_raster(folder / "southup.tif", town[:, ::-1], transform=south_up, **TILED)
    close = NORTH_UP @ Affine.scale(0.1)
    write_raster(folder / "close.tif", town[:, :220, :300], transform=close, **TILED)
    write_raster(folder / "unplaced.tif", town[:, :150, :200], crs=None, transform=Affine.identity())
    write_raster(folder / "two-bands.tif", town[:2, :100, :100])
    whole = (folder / "town.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "text.tif").write_text("This is no image.\n", encoding="utf-8")


def _probability() -> np.ndarray:
    """Draw quantized probabilities of the streets, 0..250, with speckles, a square and a lake without data."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = _distance_to_streets(HEIGHT, WIDTH)
    probability = np.clip(235 - np.floor(np.clip(distance, -2, 30) * 30), 4, 250) + _noise(HEIGHT, WIDTH, 11, 15) - 7
    square = (np.abs(rows - 245) < 26) & (np.abs(columns - 60) < 29)
    probability[square] = 225
    probability[(np.abs(rows - 90) < 9) & (np.abs(columns - 372) < 9)] = 30  # a gap, as under a tree
    probability[(np.abs(rows - 40) < 4) & (np.abs(columns - 220) < 9)] = 215  # a piece that is no road
    probability = np.clip(probability, 0, 250).astype(np.uint8)
    probability[(rows - 270) ** 2 + (columns - 390) ** 2 < 400] = PROBABILITY_NODATA
    return probability


def _write_probabilities(folder: Path) -> None:
    probability = _probability()
    profile = {"nodata": PROBABILITY_NODATA, **TILED}
    write_raster(folder / "probability.tif", probability[None], **profile)
    rotated = NORTH_UP @ Affine(0.96, -0.28, 0, 0.28, 0.96, 0)
    share = np.where(probability == PROBABILITY_NODATA, np.nan, probability / np.float32(250)).astype(np.float32)
    write_raster(folder / "share.tif", share[None], transform=rotated, nodata=np.nan)
    mask = (probability >= 125) & (probability != PROBABILITY_NODATA)
    write_raster(folder / "mask.tif", mask[None].astype(np.uint8))
    moved = np.roll(mask, 2, axis=0)
    moved[:, 300:330] = False
    write_raster(folder / "moved-mask.tif", moved[None].astype(np.uint8))


def _write_classes(folder: Path) -> None:
    """Write patches of four classes with speckles, their confidence, and a raster that differs in a corner."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    classes = ((rows // 37) * 3 + (columns // 41) * 5 + (rows + columns) // 90) % 4
    classes[_distance_to_streets(HEIGHT, WIDTH) < 0] = 0
    speckled = _noise(HEIGHT, WIDTH, 13, 60) == 0
    classes[speckled] = (classes[speckled] + 1) % 4
    classes[(rows - 150) ** 2 + (columns - 300) ** 2 < 900] = 255
    profile = {"nodata": 255, "colormap": COLORMAP}
    write_raster(folder / "classes.tif", classes[None].astype(np.uint8), **profile)
    other = classes.copy()
    other[200:, 260:] = np.where(other[200:, 260:] == 2, 3, other[200:, 260:])
    write_raster(folder / "other-classes.tif", other[None].astype(np.uint8), **profile)
    confidence = np.where(classes == 255, 255, 120 + _noise(HEIGHT, WIDTH, 17, 130)).astype(np.uint8)
    write_raster(folder / "confidence.tif", confidence[None], nodata=PROBABILITY_NODATA)


def _write_vectors(folder: Path) -> None:
    """Write an area of two polygons, existing roads, and labels for chips."""
    left, top = NORTH_UP.c, NORTH_UP.f
    area = [
        shapely.Polygon(
            [(left + 40, top - 30), (left + 260, top - 50), (left + 210, top - 250), (left + 60, top - 200)]
        ),
        shapely.box(left + 300, top - 180, left + 390, top - 60),
    ]
    _write_layer(folder / "area.gpkg", "area", area, "Polygon", {})
    existing = [
        shapely.LineString([(left, top - 90), (left + 420, top - 90)]),
        shapely.LineString([(left + 112, top), (left + 112, top - 300)]),
        shapely.LineString([(left + 20, top - 30), (left + 90, top - 60)]),
    ]
    _write_layer(folder / "existing.gpkg", "roads", existing, "LineString", {"name": np.array(["a", "b", "c"], object)})
    pieces = [
        shapely.LineString([(left + column, top - row), (left + end_column, top - end_row)])
        for (row, column), (end_row, end_column), _ in STREETS
    ]
    widths = {"width_m": np.array([2 * half_width for _, _, half_width in STREETS])}
    _write_layer(folder / "streets.gpkg", "streets", pieces, "LineString", widths)


def _write_layer(path: Path, layer: str, geometry: list, kind: str, columns: dict[str, np.ndarray]) -> None:
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(geometry)),
        list(columns.values()),
        fields=list(columns),
        layer=layer,
        geometry_type=kind,
        crs=UTM,
    )


def _write_model(folder: Path) -> None:
    """Write a model of three classes with one convolution."""
    path = Path(__file__).parents[1] / "engine" / "conftest.py"
    spec = importlib.util.spec_from_file_location("engine_helpers", path)
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    weights = np.array(((0.9, 0.0, 0.0), (0.0, 0.8, 0.1), (0.1, 0.1, 0.6)), np.float32)[:, :, None, None]
    graph = helpers.make_graph(
        [helpers.helper.make_node("Conv", ["image", "weights"], ["scores"])],
        3,
        [helpers.numpy_helper.from_array(weights, "weights")],
    )
    folder.mkdir()
    helpers.write_model(folder, graph, 3, 3, task="segmentation", activation="softmax")
