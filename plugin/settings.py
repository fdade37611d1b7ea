"""All settings of the plugin in one dataclass, stored in QGIS's settings under ``terraspore/``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qgis.core import QgsSettings

GROUP = "terraspore"
#: The setting with the default model, by task.
MODEL_SETTINGS = {"roads": "road_model", "landcover": "landcover_model", "segmentation": "segmentation_model"}
#: A variable of this prefix and a field's name in capitals overrides the field: for automation and tests.
VARIABLE_PREFIX = "TERRASPORE_"


@dataclass(frozen=True)
class Settings:
    """What a user can set; the defaults are those of a fresh profile.

    Attributes:
        interpreter: Python with the engine's packages, chosen by the user; empty for the plugin's own environment.
        env_profile: name of the environment profile that is used.
        environments: folder of the plugin's environments; empty for the default.
        package_index: address of the package index from which environments are made; empty for PyPI.
        base_python: Python from which environments are made; empty to look for one.
        device: ``auto`` or a device of the engine.
        runtime: ``auto`` or a runtime of the engine.
        threads: threads of the engine; 0 leaves it to the engine.
        memory: most memory that a run may take in MB; 0 for what the machine has.
        tile: edge of a tile in pixels; 0 leaves it to the model. Smaller tiles need less memory.
        road_model: name or path of the default model for roads; empty for the bundled one.
        landcover_model: the same for land cover.
        segmentation_model: the same for other models.
        models_folder: folder of the user's own models; empty for the default.
        cache_folder: folder for compiled models; empty for the default.
        cache_megabytes: most that compiled models may take; 0 for no limit.
        keep_minutes: how long an idle engine stays loaded; 0 ends it with each run.
        unresponsive_seconds: how long an engine may stay without any answer.
    """

    interpreter: str = ""
    env_profile: str = "cpu"
    environments: str = ""
    package_index: str = ""
    base_python: str = ""
    device: str = "auto"
    runtime: str = "auto"
    threads: int = 0
    memory: int = 0
    tile: int = 0
    road_model: str = ""
    landcover_model: str = ""
    segmentation_model: str = ""
    models_folder: str = ""
    cache_folder: str = ""
    cache_megabytes: int = 2000
    keep_minutes: int = 10
    unresponsive_seconds: int = 90


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Load the settings of the current profile; environment variables override them."""
    store = QgsSettings()
    variables = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        raw = store.value(f"{GROUP}/{field.name}", field.default)
        raw = variables.get(VARIABLE_PREFIX + field.name.upper(), raw)
        values[field.name] = _convert(raw, field.default)
    return Settings(**values)


def save_settings(settings: Settings) -> None:
    """Save ``settings`` in the current profile. Defaults are not stored, so that later versions can change them."""
    store = QgsSettings()
    for field in dataclasses.fields(Settings):
        key, value = f"{GROUP}/{field.name}", getattr(settings, field.name)
        if value == field.default:
            store.remove(key)
        else:
            store.setValue(key, value)


def _convert(raw: Any, default: Any) -> Any:
    """Convert ``raw`` to the type of ``default``; return the default for a damaged value."""
    if isinstance(default, int):
        try:
            return max(0, int(raw))
        except (TypeError, ValueError):
            return default
    return raw if isinstance(raw, str) else default
