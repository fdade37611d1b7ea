"""Places of the part ``finetune``: configurations of a folder of data, and a sentence where nothing can be had."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import bench_finetune
from terraspore.engine.models.registry import find_model
from terraspore.training.config import load_config


@pytest.mark.parametrize("model", ["roads-efficientnet-lite2", "roads-dlinknet34", "roads-lednet"])
def test_the_recipe_trains_a_bundled_model_further(model: str, tmp_path: Path) -> None:
    config = load_config(bench_finetune.write_config(tmp_path / "town.yaml", tmp_path / "town", model))
    assert config.network.name == find_model(model).card.architecture
    assert config.normalisation.mean == find_model(model).card.normalisation.mean
    assert config.normalisation.contrast == find_model(model).card.contrast
    assert (config.init.checkpoint, config.init.freeze_norm) == (model, True)
    assert (config.data.layout, config.data.root) == ("deepglobe", str(tmp_path / "town"))


def test_without_data_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(bench_finetune.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(bench_finetune, "WHEEL", "no wheel of this name")
    assert bench_finetune.fine_tune(tmp_path / "bench", quick=True) == []
    assert "cannot be downloaded" in capsys.readouterr().out
