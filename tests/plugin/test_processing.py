"""Every algorithm through ``processing.run``, with the real engine and with one that fails."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from range_server import serve_ranges
from terraspore.plugin.engine.errors import EngineError
from toolbox import Feedback


@pytest.fixture
def image(qgis_app, inputs):
    return QgsRasterLayer(str(inputs / "image.tif"), "image; rm -rf --model=x")


def open_layer(source):
    layer = QgsVectorLayer(source, "result", "ogr")
    assert layer.isValid(), source
    return layer


def sample(path, x, y):
    layer = QgsRasterLayer(path, "raster")
    assert layer.isValid(), path
    value, good = layer.dataProvider().sample(QgsPointXY(x, y), 1)
    assert good
    return value


def test_provider_lists_everything_without_an_engine(plugin, settings):
    settings(interpreter="/nowhere/python")
    provider = QgsApplication.processingRegistry().providerById("terraspore")
    algorithms = {algorithm.name(): algorithm for algorithm in provider.algorithms()}
    names = {"extractroads", "extractlandcover", "segment", "manyimages", "vectorize", "trainingchips", "compare"}
    assert set(algorithms) == names
    for algorithm in algorithms.values():
        can, why = algorithm.canExecute()
        assert not can
        assert "Settings > Options > TerraSpore" in why
        assert len(algorithm.shortHelpString()) > 80
        assert Path(algorithm.svgIconPath()).is_file()
        assert len(algorithm.tags()) > 4


def test_on_windows_a_run_is_refused_before_it_starts_where_a_layer_shows_its_output(
    plugin, image, tmp_path, monkeypatch
):
    output = tmp_path / "roads.gpkg"
    gdal.GetDriverByName("GPKG").Create(str(output), 0, 0, 0).CreateLayer("roads")
    project = QgsProject()
    project.addMapLayer(open_layer(f"{output}|layername=roads"))
    context = QgsProcessingContext()
    context.setProject(project)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("terraspore:extractroads")
    monkeypatch.setattr("terraspore.plugin.layers.geopackage.sys", SimpleNamespace(platform="win32"))
    with pytest.raises(QgsProcessingException, match=r"Windows cannot replace .* while the layer result shows it"):
        algorithm.prepareAlgorithm({"INPUT": image, "OUTPUT": str(output)}, context, Feedback())


def test_extract_roads(run, image, tmp_path):
    feedback = Feedback()
    output = str(tmp_path / "Straße 道.gpkg")
    rasters = {"PROBABILITY": str(tmp_path / "p.tif"), "MASK": str(tmp_path / "m.tif")}
    results = run("extractroads", feedback, INPUT=image, OUTPUT=output, **rasters)
    roads = open_layer(results["OUTPUT"])
    assert roads.crs().authid() == "EPSG:32632"
    assert results["COUNT"] == roads.featureCount() > 3
    assert results["LENGTH"] == pytest.approx(1610, rel=0.05)
    assert open_layer(results["NODES"]).featureCount() > 3
    assert sample(results["MASK"], 500100, 5000100) == 0
    assert sample(results["MASK"], 500010, 5000254) == sample(results["MASK"], 500590, 5000254) == 1
    assert any("9 tiles of 256 pixels" in line for line in feedback.lines)
    assert feedback.shares == sorted(feedback.shares)
    assert feedback.shares[-1] > 95


def test_roads_without_their_areas(run, image, tmp_path):
    results = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"), ROAD_AREAS=False)
    assert open_layer(results["OUTPUT"]).featureCount() > 3
    assert "NODES" in results
    assert "AREAS" not in results


def test_area_of_selected_polygons_and_rectangle(run, image, tmp_path, qgis_app):
    polygons = QgsVectorLayer("Polygon?crs=EPSG:4326", "area", "memory")
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsProject

    box = QgsGeometry.fromRect(QgsRectangle(500020, 5000200, 500200, 5000300))
    to_degrees = QgsCoordinateTransform(image.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), QgsProject.instance())
    box.transform(to_degrees)
    feature = QgsFeature()
    feature.setGeometry(box)
    polygons.dataProvider().addFeature(feature)
    results = run("extractroads", INPUT=image, AREA=polygons, OUTPUT=str(tmp_path / "a.gpkg"))
    extent = open_layer(results["OUTPUT"]).extent()
    assert 500010 < extent.xMinimum() < 500040
    assert 500180 < extent.xMaximum() < 500210
    rectangle = QgsReferencedRectangle(QgsRectangle(500400, 5000200, 500600, 5000300), image.crs())
    results = run("extractroads", INPUT=image, EXTENT=rectangle, OUTPUT=str(tmp_path / "b.gpkg"))
    assert open_layer(results["OUTPUT"]).extent().xMinimum() == pytest.approx(500400, abs=12)


def test_extract_land_cover(run, image, tmp_path):
    results = run(
        "extractlandcover", INPUT=image, OUTPUT=str(tmp_path / "cover.gpkg"), CLASSES=str(tmp_path / "classes.tif"),
        MINIMUM_AREA=0,
    )  # fmt: skip
    cover = open_layer(results["OUTPUT"])
    area = sum(feature.geometry().area() for feature in cover.getFeatures())
    assert area == pytest.approx(600 * 500, rel=0.01)
    assert cover.featureCount() == results["COUNT"]
    assert QgsRasterLayer(results["CLASSES"], "classes").isValid()


def test_segment_with_an_own_model(run, image, inputs, tmp_path):
    results = run(
        "segment", INPUT=image, MODEL=str(inputs / "more" / "own"), OUTPUT=str(tmp_path / "c.tif"),
        VECTORS=str(tmp_path / "v.gpkg"),
    )  # fmt: skip
    assert sample(results["OUTPUT"], 500010, 5000254) == 0
    assert sample(results["OUTPUT"], 500100, 5000100) == 1
    assert open_layer(results["VECTORS"]).featureCount() > 2


def test_new_threshold_needs_no_new_inference(run, image, tmp_path):
    first = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"), PROBABILITY=str(tmp_path / "p.tif"))
    again = run("vectorize", INPUT=first["PROBABILITY"], OUTPUT=str(tmp_path / "b.gpkg"), THRESHOLD=0.5)
    lengths = [sum(f.geometry().length() for f in open_layer(r["OUTPUT"]).getFeatures()) for r in (first, again)]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-6)
    high = run("vectorize", INPUT=first["PROBABILITY"], OUTPUT=str(tmp_path / "c.gpkg"), THRESHOLD=0.97)
    assert sum(f.geometry().length() for f in open_layer(high["OUTPUT"]).getFeatures()) < 0.8 * lengths[0]
    none = run("vectorize", INPUT=first["PROBABILITY"], OUTPUT=str(tmp_path / "d.gpkg"), THRESHOLD=0.999)
    assert open_layer(none["OUTPUT"]).featureCount() == 0


def test_vectors_are_added_to_a_geopackage_as_a_named_layer(run, image, tmp_path):
    first = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"), PROBABILITY=str(tmp_path / "p.tif"))
    destination = f"ogr:dbname='{tmp_path / 'a.gpkg'}' table=\"town\" (geom)"
    second = run("vectorize", INPUT=first["PROBABILITY"], OUTPUT=destination)
    assert second["OUTPUT"] == f"{tmp_path / 'a.gpkg'}|layername=town"
    counts = [open_layer(result["OUTPUT"]).featureCount() for result in (first, second)]
    assert counts[0] == counts[1] > 3
    for layer in ("road_nodes", "town_nodes", "town_areas"):
        assert open_layer(f"{tmp_path / 'a.gpkg'}|layername={layer}").featureCount() > 0


def test_band_and_meaning_of_values_are_chosen(run, image, tmp_path):
    result = run("vectorize", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"), BAND=1, VALUES="byte", MERGE_PARALLEL=0)
    lengths = sum(feature.geometry().length() for feature in open_layer(result["OUTPUT"]).getFeatures())
    assert lengths == pytest.approx(600 + 500 + 510, abs=40)
    scaled = run("vectorize", INPUT=image, OUTPUT=str(tmp_path / "b.gpkg"), BAND=1, SCALE=0.002)
    assert open_layer(scaled["OUTPUT"]).featureCount() == 0  # 245 x 0.002 is below the threshold


def write_columns(path, values, scale=None):
    """Write a raster of 100 x 100 pixels whose columns have the values, 25 each."""
    raster = gdal.GetDriverByName("GTiff").Create(str(path), 100, 100, 1)
    raster.SetGeoTransform((500000, 1, 0, 5000600, 0, -1))
    raster.SetProjection("EPSG:32632")
    raster.WriteArray(np.repeat([values], 25, 1).repeat(100, 0).astype(np.uint8))
    if scale is not None:
        raster.GetRasterBand(1).SetScale(scale)
    return str(path)


def test_a_value_without_data_is_given(run, tmp_path):
    raster = write_columns(tmp_path / "classes.tif", (1, 2, 7, 7))
    result = run("vectorize", INPUT=raster, KIND="landcover", OUTPUT=str(tmp_path / "a.gpkg"), NODATA=7)
    assert {feature["class_id"] for feature in open_layer(result["OUTPUT"]).getFeatures()} == {1, 2}


def test_one_class_alone_with_its_probability(run, tmp_path):
    rasters = {
        "INPUT": write_columns(tmp_path / "classes.tif", (1, 2, 1, 3)),
        "CONFIDENCE": write_columns(tmp_path / "probability.tif", (50, 100, 150, 200), 0.004),
    }
    result = run("vectorize", KIND="landcover", OUTPUT=str(tmp_path / "a.gpkg"), CLASSES="3, 2", **rasters)
    found = [(feature["class_id"], feature["confidence"]) for feature in open_layer(result["OUTPUT"]).getFeatures()]
    assert sorted(found) == [(2, pytest.approx(100 / 250, abs=0.01)), (3, pytest.approx(200 / 250, abs=0.01))]


def make_lines(*lines):
    """Make a layer in memory, which the engine cannot read."""
    layer = QgsVectorLayer("LineString?crs=EPSG:32632", "lines", "memory")
    for line in lines:
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(f"LINESTRING({line})"))
        layer.dataProvider().addFeature(feature)
    return layer


def test_changes_of_existing_roads_are_found(run, image, tmp_path):
    """One of a file, whose feature ids the changes name, and one in memory."""
    first = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"), PROBABILITY=str(tmp_path / "p.tif"))
    existing = make_lines("500000 5000254, 500600 5000254", "500100 5000420, 500200 5000520")
    in_memory = run(
        "vectorize", INPUT=first["PROBABILITY"], OUTPUT=str(tmp_path / "b.gpkg"), UPDATE=existing, UPDATE_DISTANCE=4
    )
    changes = open_layer(in_memory["OUTPUT"].replace("=roads", "=road_changes"))
    assert {feature["change"] for feature in changes.getFeatures()} >= {"kept", "gone", "new"}
    of_file = run("vectorize", INPUT=first["PROBABILITY"], OUTPUT=str(tmp_path / "c.gpkg"), UPDATE=first["OUTPUT"])
    changes = list(open_layer(of_file["OUTPUT"].replace("=roads", "=road_changes")).getFeatures())
    assert {feature["change"] for feature in changes} == {"kept"}
    ids = {feature.id() for feature in open_layer(first["OUTPUT"]).getFeatures()}
    assert {feature["existing"] for feature in changes} == ids


def test_roads_are_compared_with_a_layer_in_memory(run, image, tmp_path):
    """Two of three kilometres were found; polygons leave one of the two away."""
    truth = make_lines("500000 5000000, 502000 5000000", "500000 5000500, 501000 5000500")
    found = make_lines("500000 5000001, 502000 5000001")
    feedback, table = Feedback(), tmp_path / "metrics.csv"
    result = run("compare", feedback, RESULT=found, TRUTH=truth, BUFFER=3, OUTPUT=str(table))
    assert result["COMPLETENESS"] == pytest.approx(2 / 3, abs=0.01)
    assert result["CORRECTNESS"] == pytest.approx(1, abs=0.01)
    assert "completeness 0.66" in result["TEXT"]
    assert any(line.startswith("completeness: 0.66") for line in feedback.lines)
    rows = dict(csv.reader(table.open(encoding="utf-8")))
    assert float(rows["completeness"]) == result["COMPLETENESS"]
    area = QgsVectorLayer("Polygon?crs=EPSG:32632", "area", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(499000, 5000400, 503000, 5000600)))
    area.dataProvider().addFeature(feature)
    assert run("compare", RESULT=found, TRUTH=truth, MASK=area)["COMPLETENESS"] == 0


def test_a_layer_of_a_geopackage_and_rasters_are_compared(run, tmp_path):
    path = tmp_path / "town.gpkg"
    for name, y in (("sewers", 5000100), ("streets", 5000000)):
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.layerName = name
        if path.exists():
            options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
        lines = make_lines(f"500000 {y}, 501000 {y}")
        QgsVectorFileWriter.writeAsVectorFormatV3(lines, str(path), QgsCoordinateTransformContext(), options)
    streets = f"{path}|layername=streets"
    found = make_lines("500000 5000000, 501000 5000000")
    assert run("compare", RESULT=found, TRUTH=streets)["QUALITY"] == pytest.approx(1, abs=0.01)
    rasters = {
        "RESULT": write_columns(tmp_path / "result.tif", (1, 2, 2, 1)),
        "TRUTH": write_columns(tmp_path / "truth.tif", (1, 2, 1, 1)),
    }
    result = run("compare", **rasters)
    assert result["ACCURACY"] == pytest.approx(0.75)
    assert result["MEAN_IOU"] == pytest.approx((50 / 75 + 25 / 50) / 2)
    with pytest.raises(QgsProcessingException, match="is a raster, but"):
        run("compare", RESULT=rasters["RESULT"], TRUTH=streets)


def test_training_chips(run, image, tmp_path):
    labels = QgsVectorLayer("LineString?crs=EPSG:32632", "labels", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromWkt("LINESTRING(500000 5000254, 500600 5000254)"))
    labels.dataProvider().addFeature(feature)
    results = run("trainingchips", INPUT=image, VECTORS=labels, SIZE=128, OUTPUT=str(tmp_path / "chips"))
    files = [path for path in Path(results["OUTPUT"]).rglob("*") if path.suffix in (".jpg", ".png", ".tif")]
    assert len(files) >= 8
    parameters = {"INPUT": image, "VECTORS": labels, "SIZE": 128, "OUTPUT": str(tmp_path / "two")}
    run("trainingchips", BANDS=[3, 1], NODATA=0, IGNORE_ALPHA=True, **parameters)
    chip = next(path for path in (tmp_path / "two").rglob("*") if "image" in str(path) and path.is_file())
    assert gdal.Open(str(chip)).RasterCount == 2


def test_chips_of_a_checked_part_with_measured_widths(run, image, tmp_path):
    labels = QgsVectorLayer("LineString?crs=EPSG:25832&field=wide:double", "Labels", "memory")
    feature = QgsFeature(labels.fields())
    feature.setGeometry(QgsGeometry.fromWkt("LINESTRING(500000 5000254, 500600 5000254)"))
    feature["wide"] = 20.0
    labels.dataProvider().addFeature(feature)
    area = QgsVectorLayer("Polygon?crs=EPSG:25832", "Checked", "memory")
    for west, east in ((0, 300), (500, 600)):
        polygon = QgsFeature()
        polygon.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000 + west, 5000204, 500000 + east, 5000304)))
        area.dataProvider().addFeature(polygon)
    parameters = {"INPUT": image, "VECTORS": labels, "SIZE": 64, "OUTPUT": str(tmp_path / "chips")}
    run("trainingchips", AREA=area, WIDTH_FIELD="wide", **parameters)
    values = [gdal.Open(str(path)).ReadAsArray() for path in (tmp_path / "chips").rglob("labels/*.png")]
    pixels = np.concatenate([value.ravel() for value in values])
    assert set(pixels.tolist()) == {0, 1, 255}
    assert max((value == 1).sum(axis=0).max() for value in values) == pytest.approx(20, abs=1)


def test_layer_with_another_crs_than_its_file(run, image, tmp_path):
    from qgis.core import QgsCoordinateReferenceSystem

    image.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    results = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"))
    assert open_layer(results["OUTPUT"]).crs().authid() == "EPSG:32633"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"MODEL": "no-such-model"}, "There is no model 'no-such-model'"),
        ({"OUTPUT": "/proc/roads.gpkg"}, "/proc/roads.gpkg cannot be written"),
        ({"OUTPUT": "roads.shp"}, "is not a GeoPackage"),
        ({"BANDS": [9]}, "band"),
    ],
)
def test_mistakes_are_one_sentence(run, image, tmp_path, parameters, sentence):
    with pytest.raises(QgsProcessingException, match=sentence) as caught:
        run("extractroads", INPUT=image, **{"OUTPUT": str(tmp_path / "a.gpkg"), **parameters})
    assert "Traceback" not in str(caught.value)


def test_memory_limit_of_the_settings_reaches_the_engine(run, image, tmp_path, settings):
    settings(memory=20)
    with pytest.raises(QgsProcessingException, match="the limit is 20 MB"):
        run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"))


def test_crash_of_the_engine_is_a_sentence(run, image, tmp_path, settings, fake_python, monkeypatch):
    settings(interpreter=fake_python)
    monkeypatch.setenv("FAKE_ENGINE", "segfault")
    with pytest.raises(QgsProcessingException, match="A library of the engine crashed"):
        run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "a.gpkg"))


def test_sentences_name_options_by_the_titles_of_parameters(plugin, settings, fake_python):
    settings(interpreter=fake_python)
    registry = QgsApplication.processingRegistry()
    algorithm, feedback = registry.createAlgorithmById("terraspore:segment"), Feedback()
    message = "--keep-contrast uses town--tile.tif as it is, or --cluster; `dask worker --memory-limit` (--tile)."
    result = algorithm.run_engine(["sentences", message, "Less with --resolution.", "Or --bands 1,2,3."], feedback)
    assert feedback.lines == [
        "“Keep the image's contrast” uses town--tile.tif as it is, or --cluster; `dask worker --memory-limit` "
        "(“Edge of a tile in pixels”).",
        "Less with “Ground resolution (m)”.",
    ]
    assert result.text == feedback.lines[1]
    assert result.warnings == ("Or “Bands, in the order of the model's” 1,2,3.",)
    failure = {"type": "error", "code": "ModelError", "text": "No --overlap=4.", "hint": "--device?", "exit_code": 2}
    with pytest.raises(EngineError, match=r"^No --overlap=4\. “Device”\?$"):
        algorithm.run_engine(["wrong", json.dumps(failure)], feedback)


def test_cancel_leaves_nothing(plugin, image, tmp_path, settings, fake_python, monkeypatch):
    settings(interpreter=fake_python)
    monkeypatch.setenv("FAKE_ENGINE", "slow")
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("terraspore:extractroads")
    feedback = Feedback()
    feedback.progressChanged.connect(lambda _share: feedback.cancel())
    parameters = {"INPUT": image, "OUTPUT": str(tmp_path / "a.gpkg")}
    results, _good = algorithm.run(parameters, QgsProcessingContext(), feedback)
    assert results == {}
    assert list(tmp_path.glob("*.gpkg")) == []


def test_toolbox_loads_every_layer_styled_and_grouped(plugin, settings, image, tmp_path):
    import processing

    project = QgsProject.instance()
    outputs = {"OUTPUT": str(tmp_path / "roads.gpkg"), "PROBABILITY": str(tmp_path / "p.tif")}
    processing.runAndLoadResults("terraspore:extractroads", {"INPUT": image, **outputs})
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    assert set(layers) == {"Roads", "Road nodes", "Road areas", "Road probability"}
    assert layers["Roads"].renderer().type() == "RuleRenderer"
    assert layers["Road probability"].renderer().type() == "singlebandpseudocolor"
    assert "bright-is-road" in layers["Roads"].metadata().abstract()
    (group,) = project.layerTreeRoot().children()
    assert group.name() == f"Extract Roads – {image.name()}"
    assert len(group.findLayers()) == 4
    project.removeAllMapLayers()


def test_the_mask_is_never_the_image(run, inputs, tmp_path):
    path = tmp_path / "image.tif"
    shutil.copy(inputs / "image.tif", path)
    before = path.read_bytes()
    with pytest.raises(QgsProcessingException, match="would replace the image"):
        run("extractroads", INPUT=QgsRasterLayer(str(path), "image"), OUTPUT=str(tmp_path / "a.gpkg"), MASK=str(path))
    assert path.read_bytes() == before


@pytest.fixture
def halves(inputs, tmp_path):
    """Two halves of the image, as files of a folder."""
    folder = tmp_path / "halves"
    folder.mkdir()
    paths = []
    for name, window in (("left", [0, 0, 350, 500]), ("right", [250, 0, 350, 500])):
        paths.append(folder / f"{name}.tif")
        gdal.Translate(str(paths[-1]), str(inputs / "image.tif"), srcWin=window)
    return paths


def test_several_layers_and_a_folder_form_a_mosaic(run, image, halves, tmp_path):
    whole = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "whole.gpkg"))
    left, right = (QgsRasterLayer(str(path), path.stem) for path in halves)
    joined = run("extractroads", INPUT=left, MORE=[left, right], OUTPUT=str(tmp_path / "a.gpkg"))
    assert (joined["COUNT"], joined["LENGTH"]) == (whole["COUNT"], whole["LENGTH"])
    feedback = Feedback()
    joined = run("extractroads", feedback, INPUT=left, FOLDER=str(tmp_path / "halves"), OUTPUT=str(tmp_path / "b.gpkg"))
    assert (joined["COUNT"], joined["LENGTH"]) == (whole["COUNT"], whole["LENGTH"])
    assert any("2 images form one mosaic" in line for line in feedback.lines)


def test_many_images_have_a_result_each(run, halves, tmp_path):
    (tmp_path / "halves" / "broken.tif").write_text("no image")
    feedback, output = Feedback(), tmp_path / "results"
    parameters = {"FOLDER": str(tmp_path / "halves"), "OUTPUT": str(output)}
    results = run("manyimages", feedback, **parameters)
    assert (results["DONE"], results["SKIPPED"], results["FAILED"]) == (2, 0, 1)
    assert sorted(path.name for path in output.glob("*.gpkg")) == ["left.gpkg", "right.gpkg"]
    assert any(warning.startswith("broken.tif: ") for warning in feedback.warnings)
    results = run("manyimages", RESUME=True, **parameters)
    assert (results["DONE"], results["SKIPPED"], results["FAILED"]) == (0, 2, 1)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("terraspore:manyimages")
    with pytest.raises(QgsProcessingException, match="There are no images"):
        algorithm.prepareAlgorithm({"OUTPUT": str(output)}, QgsProcessingContext(), Feedback())


def test_layer_on_the_network_is_read_by_the_engine_where_it_is_allowed(run, inputs, tmp_path):
    with serve_ranges(inputs) as server:
        layer = QgsRasterLayer(f"/vsicurl/{server.address}/image.tif", "remote")
        assert layer.isValid()
        server.requests.clear()
        results = run("extractroads", INPUT=layer, ALLOW_REMOTE=True, OUTPUT=str(tmp_path / "a.gpkg"))
        assert results["COUNT"] > 3
        assert server.requests
        with pytest.raises(QgsProcessingException, match="remote is on the network"):
            run("extractroads", INPUT=layer, MORE=[layer, QgsRasterLayer(str(inputs / "image.tif"), "local")],
                OUTPUT=str(tmp_path / "b.gpkg"))  # fmt: skip
