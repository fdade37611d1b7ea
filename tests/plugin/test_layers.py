"""Layers: probability rasters without NumPy, masks, and result layers in the project."""

import ast
import os
import threading
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsPalettedRasterRenderer, QgsProcessingContext, QgsProject, QgsRasterLayer
from terraspore.plugin.layers.probability import NODATA, PROBABILITY_SCALE, make_lookup_table, write_mask
from terraspore.plugin.layers.results import LayerPresentation, load_on_completion, style_layer
from terraspore.plugin.paths import SAMPLE

ROOT = Path(__file__).parents[2]


def test_scale_is_the_engines():
    tree = ast.parse((ROOT / "engine" / "raster" / "probability.py").read_text())
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    assert (constants["PROBABILITY_SCALE"], constants["NODATA"]) == (PROBABILITY_SCALE, NODATA)


@pytest.mark.parametrize("threshold", [0.0, 0.004, 0.3, 0.5, 1.0])
def test_table_is_the_threshold(threshold):
    table = make_lookup_table(threshold)
    for value in range(1, PROBABILITY_SCALE + 1):
        assert table[value] == (value / PROBABILITY_SCALE >= threshold - 1e-9)
    assert (table[0], table[NODATA]) == (0, NODATA)


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_mask_is_written_through_a_link(qgis_app, tmp_path):
    (tmp_path / "real.tif.aux.xml").write_text("statistics of an earlier mask")
    (tmp_path / "mask.tif").symlink_to(tmp_path / "real.tif")
    write_mask(SAMPLE, tmp_path / "mask.tif", 0.5, lambda: False)
    assert (tmp_path / "mask.tif").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.tif", "real.tif"]


def test_masks_of_the_same_name_are_written_at_the_same_time(qgis_app, tmp_path):
    barrier, failures = threading.Barrier(2), []

    def write():
        waited = []

        def wait_once():
            if not waited:
                waited.append(barrier.wait(60))
            return False

        try:
            write_mask(SAMPLE, tmp_path / "mask.tif", 0.5, wait_once)
        except Exception as error:  # noqa: BLE001 (reported by the test)
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    mask = gdal.Open(str(tmp_path / "mask.tif")).ReadAsArray()
    assert sorted(set(mask.ravel().tolist())) == [0, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.tif"]


@pytest.fixture
def class_raster(tmp_path):
    """A raster of the classes 0, background, and 1 with a color table, as the engine writes it."""

    def write(names):
        path = tmp_path / "classes.tif"
        dataset = gdal.GetDriverByName("GTiff").Create(str(path), 4, 4, 1, gdal.GDT_Byte)
        table = gdal.ColorTable()
        for value in range(len(names)):
            table.SetColorEntry(value, (50 * value, 10, 20, 255))
        band = dataset.GetRasterBand(1)
        band.SetColorTable(table)
        band.SetCategoryNames(names)
        band.WriteRaster(0, 0, 4, 4, bytes([0, 1] * 8))
        dataset.FlushCache()
        return path

    return write


@pytest.mark.parametrize(("names", "alpha"), [(["background", "road"], [0, 255]), (["water", "road"], [255, 255])])
def test_background_of_a_class_raster_is_transparent(qgis_app, class_raster, names, alpha):
    layer = QgsRasterLayer(str(class_raster(names)), "classes")
    style_layer(layer, LayerPresentation("", "group", "Classes", is_raster=True))
    renderer = layer.renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    assert [entry.label for entry in renderer.classes()][:2] == names
    assert [entry.color.alpha() for entry in renderer.classes()][:2] == alpha


def test_result_rasters_are_loaded_without_errors_in_the_log(qgis_app, class_raster):
    from processing.gui.Postprocessing import handleAlgorithmResults
    from qgis.core import QgsProcessingFeedback

    path, project = str(class_raster(["background", "road"])), QgsProject.instance()
    context = QgsProcessingContext()
    context.setProject(project)
    context.addLayerToLoadOnCompletion(path, QgsProcessingContext.LayerDetails("x", project, "OUTPUT"))
    load_on_completion(context, path, path, "OUTPUT", LayerPresentation("", "", "Classes", is_raster=True))
    logged = []
    QgsApplication.messageLog().messageReceived.connect(lambda text, tag, _level: logged.append(f"{tag}: {text}"))
    algorithm = QgsApplication.processingRegistry().algorithmById("native:creategrid")
    assert handleAlgorithmResults(algorithm, context, QgsProcessingFeedback(False), False)
    assert [layer.name() for layer in project.mapLayers().values()] == ["Classes"]
    project.removeAllMapLayers()
    assert not any("Cannot open" in line or "not recognized" in line for line in logged), logged
