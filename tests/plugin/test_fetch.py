"""Fetching layers that are not files: services on loopback, their failures, raw values; grids and ground units."""

import math
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_services import MapServices
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QThread
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.layers import fetch
from terraspore.plugin.layers.fetch import FetchRequest, fetch_layer
from terraspore.plugin.layers.grid import make_tile_grid, measure_units_per_metre
from terraspore.plugin.layers.sources import get_local_file, resolve_layer
from tile_server import CENTRE, TileServer

#: About 300 m on the ground around the crossing.
AREA = QgsRectangle(CENTRE[0] - 240, CENTRE[1] - 230, CENTRE[0] + 240, CENTRE[1] + 230)


@pytest.fixture
def serve(qgis_app, monkeypatch):
    servers = []
    monkeypatch.setattr(fetch, "RETRY_PAUSES", (0.05, 0.05))

    def serve(**how):
        servers.append(TileServer(**how))
        layer = QgsRasterLayer(servers[-1].uri, "tiles", "wms")
        assert layer.isValid()
        return servers[-1], layer

    yield serve
    for server in servers:
        server.close()


def in_thread(function):
    """Call ``function`` in a worker thread, as Processing does, while the main thread serves its events."""

    class Worker(QThread):
        value = error = None

        def run(self):
            try:
                self.value = function()
            except EngineError as error:
                self.error = error

    worker = Worker()
    worker.start()
    while not worker.wait(5):
        QCoreApplication.processEvents()
    if worker.error is not None:
        raise worker.error
    return worker.value


def fetch_to(layer, folder, *, area=None, extent=AREA, resolution=1.0, cancelled=lambda: False):
    source = resolve_layer(layer)
    request = FetchRequest(resolution, extent, area, Path(folder))
    shares = []
    path, came = in_thread(lambda: fetch_layer(source, request, cancelled, shares.append))
    assert shares == sorted(shares)
    return gdal.Open(str(path)), came


@pytest.mark.parametrize("kind", ["xyz", "wms"])
def test_picture_lies_where_the_service_says(serve, tmp_path, kind):
    server, layer = serve()
    if kind == "wms":
        layer = QgsRasterLayer(server.wms, "map", "wms")
        assert layer.isValid()
    image, came = fetch_to(layer, tmp_path)
    assert came.empty == 0
    left, pixel, _, top, _, down = image.GetGeoTransform()
    assert pixel == pytest.approx(1 / math.cos(math.radians(50.0)), rel=0.01)  # a true metre at 50 degrees
    column, row = int((CENTRE[0] - left) / pixel), int((CENTRE[1] - top) / down)
    band = image.GetRasterBand(1).ReadAsArray()
    assert abs(int(band[5].argmax()) + (band[5] > 150).sum() // 2 - column) <= 2
    assert (band[row - 2 : row + 2] > 150).all()
    assert image.GetRasterBand(2).ReadAsArray()[5, 5] == 120
    assert image.RasterCount == 4
    assert image.GetRasterBand(4).ReadAsArray().min() == 255


@pytest.fixture
def services(qgis_app):
    server = MapServices()
    yield server
    server.close()


@pytest.mark.parametrize(("kind", "bands"), [("wmts", 4), ("arcgis", 4), ("wcs", 3)])
def test_other_services_lie_where_they_say(services, tmp_path, kind, bands):
    provider, source = services.source(kind)
    layer = QgsRasterLayer(source, kind, provider)
    assert layer.isValid(), layer.error().summary()
    services.seen.clear()
    image, came = fetch_to(layer, tmp_path)
    assert came.empty == 0
    assert len(services.seen) > 0
    left, pixel, _, top, _, down = image.GetGeoTransform()
    column, row = int((CENTRE[0] - left) / pixel), int((CENTRE[1] - top) / down)
    red = image.GetRasterBand(1).ReadAsArray()
    assert abs(int(red[5].argmax()) + (red[5] > 150).sum() // 2 - column) <= 2
    assert (red[row - 2 : row + 2] > 150).all()
    assert image.GetRasterBand(2).ReadAsArray()[5, 5] == 120
    assert image.RasterCount == bands


def test_tiles_outside_of_the_area_are_not_requested(serve, tmp_path):
    server, layer = serve()
    fetch_to(layer, tmp_path, extent=AREA.buffered(2500), resolution=1.0, area=QgsGeometry.fromRect(AREA))
    some = len(server.seen)
    fetch_to(layer, tmp_path, extent=AREA.buffered(2500), resolution=1.0)
    assert some < 0.5 * len(server.seen)


def test_failing_requests_are_repeated(serve, tmp_path):
    server, layer = serve(failures=1)
    image, came = fetch_to(layer, tmp_path)
    assert came.empty == 0
    assert image.GetRasterBand(4).ReadAsArray().min() == 255
    assert max(server.seen.values()) >= 2


def test_nothing_but_empty_tiles_is_a_sentence(serve, tmp_path):
    _, layer = serve(empty=True)
    with pytest.raises(EngineError, match="The layer tiles gave no image for this area"):
        fetch_to(layer, tmp_path)


def test_cancel_during_a_slow_service(serve, tmp_path):
    server, layer = serve(hold=True)
    with pytest.raises(EngineCancelledError):
        fetch_to(layer, tmp_path, cancelled=lambda: bool(server.seen))
    assert not server.released.is_set()


@pytest.fixture
def zipped(qgis_app, inputs, tmp_path):
    """A layer of pixels that the engine does not read itself: a raster in an archive."""
    with zipfile.ZipFile(tmp_path / "image.zip", "w") as archive:
        archive.write(inputs / "image.tif", "image.tif")
    layer = QgsRasterLayer(f"/vsizip/{tmp_path / 'image.zip'}/image.tif", "part")
    assert layer.isValid()
    assert get_local_file(layer) is None
    return layer


def test_area_outside_of_the_layer_is_a_sentence(zipped, tmp_path):
    with pytest.raises(EngineError, match="lies outside of the layer part"):
        fetch_to(zipped, tmp_path, extent=QgsRectangle(0, 0, 10, 10))


def test_values_of_a_layer_in_an_archive(zipped, inputs, tmp_path):
    image, _ = fetch_to(zipped, tmp_path, extent=None)
    expected = gdal.Open(str(inputs / "image.tif"))
    scale = image.RasterXSize / expected.RasterXSize
    assert scale == pytest.approx(1, abs=0.002)  # a metre in UTM is 0.9996 m at its meridian
    assert image.RasterCount == 3
    assert image.GetRasterBand(1).ReadAsArray()[100:200, 100:200].mean() == 30


@pytest.mark.parametrize(
    ("crs", "extent", "expected"),
    [
        ("EPSG:32632", (500000, 5000000, 500600, 5000500), (0.9996, 0.9996)),
        ("EPSG:3857", (1e6, 8399737, 1.001e6, 8400737), (2.0, 2.0)),
        ("EPSG:4326", (10, 59.99, 10.02, 60.01), (1 / 55800, 1 / 111400)),
        ("EPSG:2263", (980000, 190000, 990000, 200000), (3.2808, 3.2808)),
    ],
)
def test_units_per_metre_on_the_ground(qgis_app, crs, extent, expected):
    units = measure_units_per_metre(QgsCoordinateReferenceSystem(crs).toWkt(), QgsRectangle(*extent))
    assert units == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("extent", "why"), [((500000, 5000000, 500000, 5000000), "a step of 0"), ((1e9, 1e9, 2e9, 2e9), "measures|domain")]
)
def test_area_without_scale_is_an_error(qgis_app, extent, why):
    with pytest.raises(ValueError, match=why):
        measure_units_per_metre(QgsCoordinateReferenceSystem("EPSG:32632").toWkt(), QgsRectangle(*extent))


coordinates = st.floats(-1e7, 1e7)


@settings(max_examples=60)
@given(coordinates, coordinates, st.floats(0.1, 5000), st.floats(0.1, 5000), st.floats(0.05, 30), st.integers(1, 700))
def test_grid_covers_its_box_once(left, bottom, width, height, pixel, edge):
    grid = make_tile_grid(QgsRectangle(left, bottom, left + width, bottom + height), pixel, pixel)
    slack = pixel * 1e-5 + 1e-6
    assert grid.left <= left + slack
    assert grid.top >= bottom + height - slack
    assert grid.left + grid.width * pixel >= left + width - slack
    assert grid.top - grid.height * pixel <= bottom + slack
    assert grid.width <= width / pixel + 2
    tiles = list(grid.tiles(max(edge, grid.width // 20, grid.height // 20, 1)))
    assert sum(tile.width * tile.height for tile in tiles) == grid.width * grid.height
    assert len({(tile.column, tile.row) for tile in tiles}) == len(tiles)


def test_extract_roads_from_a_service(serve, plugin, settings, tmp_path):
    import processing

    _, layer = serve()
    extent = f"{AREA.xMinimum()},{AREA.xMaximum()},{AREA.yMinimum()},{AREA.yMaximum()} [EPSG:3857]"
    parameters = {"INPUT": layer, "EXTENT": extent, "OUTPUT": str(tmp_path / "roads.gpkg")}
    results = processing.run("terraspore:extractroads", parameters, feedback=QgsProcessingFeedback(False))
    roads = QgsVectorLayer(results["OUTPUT"], "roads", "ogr")
    assert roads.crs().authid() == "EPSG:3857"
    crossing = QgsGeometry.fromWkt(f"POINT({CENTRE[0]} {CENTRE[1]})")
    assert min(feature.geometry().distance(crossing) for feature in roads.getFeatures()) < 4
    assert results["LENGTH"] == pytest.approx(480 * 0.643 + 460 * 0.643, rel=0.1)


def test_main_thread_is_free_during_a_slow_request(serve, tmp_path, monkeypatch):
    """The service answers only after the main thread has served events fifty times."""
    server, layer = serve(hold=True)
    beats = []
    process = QCoreApplication.processEvents

    def beat():
        process()
        beats.extend([None] if server.seen else [])
        if len(beats) >= 50:
            server.released.set()

    monkeypatch.setattr(QCoreApplication, "processEvents", beat)
    fetch_to(layer, tmp_path, extent=AREA.buffered(500))
    assert len(beats) >= 50
