"""Layers: probability rasters without NumPy, masks, and result layers in the project."""

import ast
import os
import shutil
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.layers import geopackage
from terraspore.plugin.layers.geopackage import explain_open_output
from terraspore.plugin.layers.probability import (
    NODATA,
    PROBABILITY_SCALE,
    check_mask_output,
    make_lookup_table,
    write_mask,
)
from terraspore.plugin.layers.results import LayerPresentation, load_on_completion, style_layer
from windows_files import refuse_access, windows_rules

ROOT = Path(__file__).parents[2]
#: Road probabilities.
SAMPLE = Path(__file__).parent / "data" / "sample.tif"


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
def opened(tmp_path, monkeypatch):
    """A mask that a layer shows, so that Windows refuses to rename or replace it."""
    mask = tmp_path / "mask.tif"
    mask.write_text("earlier")
    replace, rename = os.replace, os.rename

    def check(operation, source, target):
        if mask in (source, target):
            raise refuse_access(mask)
        return operation(source, target)

    monkeypatch.setattr("terraspore.engine.fs.rename._PAUSES", ())
    monkeypatch.setattr(os, "replace", partial(check, replace))
    monkeypatch.setattr(os, "rename", partial(check, rename))
    return mask


def test_a_mask_that_is_open_is_noticed_before_the_run(opened):
    with pytest.raises(EngineError, match="another program has it open") as caught:
        check_mask_output(opened)
    assert "Remove its layer" in caught.value.hint
    check_mask_output(opened.with_name("new.tif"))


def test_a_finished_mask_is_kept_beside_one_that_is_open(qgis_app, opened):
    with pytest.raises(EngineError, match="another program has it open") as caught:
        write_mask(SAMPLE, opened, 0.5, lambda: False)
    kept = opened.with_name("mask-1.tif")
    assert f"kept as {kept}" in caught.value.text
    assert opened.read_text() == "earlier"
    assert gdal.Open(str(kept)).ReadAsArray().max() == 1
    assert sorted(path.name for path in opened.parent.iterdir()) == ["mask-1.tif", "mask.tif"]


def test_masks_are_closed_before_they_are_renamed_or_removed(qgis_app, tmp_path):
    refused = []
    with windows_rules(refused.append):
        write_mask(SAMPLE, tmp_path / "mask.tif", 0.5, lambda: False)
        with pytest.raises(EngineCancelledError):
            write_mask(SAMPLE, tmp_path / "mask.tif", 0.5, lambda: True)
    assert refused == []
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]


def test_on_windows_outputs_that_a_layer_shows_are_named_before_the_run(qgis_app, tmp_path, monkeypatch):
    project, free = QgsProject(), tmp_path / "new.gpkg"
    raster, table = tmp_path / "classes.tif", tmp_path / "table.gpkg"
    shutil.copy(SAMPLE, raster)
    gdal.GetDriverByName("GPKG").Create(str(table), 0, 0, 0).CreateLayer("roads")
    project.addMapLayer(QgsRasterLayer(str(raster), "Classes"))
    project.addMapLayer(QgsVectorLayer(f"{table}|layername=roads", "In a GeoPackage"))
    outputs = [str(raster), QgsProcessingOutputLayerDefinition(str(raster))]
    assert explain_open_output(project, outputs) is None  # other systems replace what is open
    monkeypatch.setattr(geopackage, "sys", SimpleNamespace(platform="win32"))
    for output in outputs:
        assert "while the layer Classes shows it" in explain_open_output(project, [str(free), output])
    assert "In a GeoPackage" in explain_open_output(project, [f"ogr:dbname='{table}' table=\"roads\""])
    assert explain_open_output(project, [str(free), "TEMPORARY_OUTPUT", None]) is None
    assert explain_open_output(None, outputs) is None


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
