"""The models of the plugin's zip: each is the default of its task, and finds something in the demo image."""

from pathlib import Path

import pytest
from qgis.core import QgsProcessingFeedback, QgsVectorLayer

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / ".venv-qgis" / "demo" / "road_mask_input.tif"
#: The models that are in the zip: task -> the default one's name.
SMALL = {"roads": "roads-efficientnet-lite2", "landcover": "landcover-lednet"}


@pytest.mark.parametrize("task", sorted(SMALL))
def test_small_model_does_its_task_in_a_fresh_profile(plugin, settings, tmp_path, monkeypatch, task):
    import processing
    from terraspore.plugin import context

    folder = tmp_path / "bundled"
    folder.mkdir()
    for name in SMALL.values():
        (folder / name).symlink_to(ROOT / "resources" / "models" / name)
    monkeypatch.setattr(context, "BUNDLED_MODELS", folder)
    settings(models_folder=tmp_path / "none", road_model="", landcover_model="", segmentation_model="")
    assert plugin.context.choose_model(task, "").model.name == SMALL[task]
    algorithm = {"roads": "extractroads", "landcover": "extractlandcover"}[task]
    parameters = {"INPUT": str(IMAGE), "OUTPUT": str(tmp_path / "result.gpkg")}
    feedback = QgsProcessingFeedback(False)
    results = processing.run(f"terraspore:{algorithm}", parameters, feedback=feedback)
    layer = QgsVectorLayer(results["OUTPUT"], task, "ogr")
    assert layer.isValid()
    assert layer.featureCount() == results["COUNT"] > 0
    assert SMALL[task] in feedback.textLog()
