"""From a raster and a line in QGIS to a model of one's own: chips, a short training, export, roads in Processing."""

import subprocess
from pathlib import Path

import pytest
from conftest import ENGINE_PYTHON
from osgeo import gdal
from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsProcessingFeedback, QgsVectorLayer

IMAGE = Path(__file__).parents[2] / ".venv-qgis" / "demo" / "road_mask_input.tif"
CAN_TRAIN = not subprocess.run(
    [ENGINE_PYTHON, "-I", "-c", "import mindspore"], capture_output=True, check=False
).returncode
SMALL = ("train.steps=2", "train.batch=2", "augment.crop=64", "optimizer.lr=1e-6", "train.compile=false")


def terraspore(*arguments):
    command = [ENGINE_PYTHON, "-I", "-X", "utf8", "-m", "terraspore", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not CAN_TRAIN, reason="MindSpore is not installed in the engine's environment")
def test_model_of_ones_own(plugin, settings, tmp_path):
    import processing

    settings()
    raster = gdal.Open(str(IMAGE))
    left, width, _, top, _, height = raster.GetGeoTransform()
    row = top + height * raster.RasterYSize / 2
    street = QgsFeature()
    ends = [QgsPointXY(left, row), QgsPointXY(left + width * raster.RasterXSize, row)]
    street.setGeometry(QgsGeometry.fromPolylineXY(ends))
    streets = QgsVectorLayer("LineString?crs=EPSG:4326", "streets", "memory")
    streets.dataProvider().addFeature(street)
    chips = {"VECTORS": streets, "SIZE": 96, "RESOLUTION": 1, "BANDS": [1, 1, 1], "OUTPUT": str(tmp_path / "chips")}
    processing.run("terraspore:trainingchips", {"INPUT": str(IMAGE), **chips})

    terraspore("train", tmp_path / "chips" / "train.yaml", "--out", tmp_path / "run", *SMALL)
    terraspore("export", tmp_path / "run", "--out", tmp_path / "own", "--format", "onnx")
    feedback = QgsProcessingFeedback(False)
    roads = {"INPUT": str(IMAGE), "MODEL": str(tmp_path / "own"), "OUTPUT": str(tmp_path / "roads.gpkg")}
    results = processing.run("terraspore:extractroads", roads, feedback=feedback)
    layer = QgsVectorLayer(results["OUTPUT"], "roads", "ogr")
    assert layer.featureCount() == results["COUNT"] > 0
    # The training began with the bundled model, which finds the streets of this image.
    assert "roads-efficientnet-lite2" in (tmp_path / "run" / "train.log").read_text()
