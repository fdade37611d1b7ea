"""Two hundred images of which two are broken: as layers and as a folder, one by one and as a mosaic."""

import pytest
from osgeo import gdal
from qgis.core import QgsProcessingException, QgsRasterLayer
from terraspore.plugin.engine.errors import EngineError
from toolbox import Feedback

#: Cuts of the image of 600 x 500 pixels.
COLUMNS, ROWS = 20, 10
#: Number and remaining bytes of those that are cut off.
BROKEN = {37: 150, 142: 0}


def write_cut(folder, inputs, number):
    width, height = 600 // COLUMNS, 500 // ROWS
    window = [number % COLUMNS * width, number // COLUMNS * height, width, height]
    path = folder / f"cut{number:03}.tif"
    gdal.Translate(str(path), str(inputs / "image.tif"), srcWin=window)
    return path


@pytest.fixture
def cuts(inputs, tmp_path):
    """The image in 200 files of a folder, two of them cut off or without a byte."""
    folder = tmp_path / "cuts"
    folder.mkdir()
    paths = [write_cut(folder, inputs, number) for number in range(COLUMNS * ROWS)]
    for number, size in BROKEN.items():
        paths[number].write_bytes(paths[number].read_bytes()[:size])
    return paths


def test_two_hundred_images_two_of_them_broken(run, cuts, inputs, settings, tmp_path):
    settings(device="cpu", runtime="onnxruntime", threads=1, tile=64)
    folder, results, feedback = str(tmp_path / "cuts"), tmp_path / "results", Feedback()
    names = [cuts[number].name for number in BROKEN]
    batch = {"FOLDER": folder, "TASK": 2, "MODEL": str(inputs / "models" / "bright-is-road"), "OUTPUT": str(results)}

    found = run("manyimages", feedback, **batch)
    assert (found["DONE"], found["SKIPPED"], found["FAILED"]) == (198, 0, 2)
    failures = [warning for warning in feedback.warnings if "cannot be read" in warning]
    assert [failure.split(":")[0] for failure in failures] == names
    assert len(list(results.glob("*.tif"))) == 198
    first = QgsRasterLayer(str(cuts[0]), "first")
    with pytest.raises(QgsProcessingException, match="2 images cannot be parts of the mosaic") as caught:
        run("extractroads", INPUT=first, FOLDER=folder, OUTPUT=str(tmp_path / "a.gpkg"))
    assert all(name in str(caught.value) for name in names)
    assert not (tmp_path / "a.gpkg").exists()

    for number in BROKEN:
        write_cut(tmp_path / "cuts", inputs, number)
    found = run("manyimages", RESUME=True, **batch)
    assert (found["DONE"], found["SKIPPED"], found["FAILED"]) == (2, 198, 0)
    image = QgsRasterLayer(str(inputs / "image.tif"), "image")
    whole = run("extractroads", INPUT=image, OUTPUT=str(tmp_path / "whole.gpkg"))
    layers = [QgsRasterLayer(str(path), path.stem) for path in cuts]
    for name, more in (("folder", {"FOLDER": folder}), ("layers", {"MORE": layers[::-1]})):
        feedback = Feedback()
        joined = run("extractroads", feedback, INPUT=first, **more, OUTPUT=str(tmp_path / f"{name}.gpkg"))
        assert (joined["COUNT"], joined["LENGTH"]) == (whole["COUNT"], whole["LENGTH"])
        assert any("200 images form one mosaic" in line for line in feedback.lines)


@pytest.mark.parametrize(
    ("reference", "setting", "expected"),
    [("two-classes", "bright-is-road", "two-classes"), ("", "bright-is-road", "bright-is-road"), ("", "lost", None)],
)
def test_model_of_a_batch(run, inputs, settings, tmp_path, monkeypatch, reference, setting, expected):
    """Without one the engine chooses for each image."""
    from terraspore.plugin.processing import batch

    seen = []

    def stop(_task, _images, _output, options):
        seen.append(options.image.model)
        raise EngineError("stopped")

    settings(models_folder=inputs / "models", road_model=setting)
    monkeypatch.setattr(batch, "make_batch_arguments", stop)
    with pytest.raises(QgsProcessingException, match="stopped"):
        run("manyimages", FOLDER=str(tmp_path), MODEL=reference, OUTPUT=str(tmp_path / "results"))
    assert seen == [expected and str(inputs / "models" / expected)]
