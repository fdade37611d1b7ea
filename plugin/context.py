"""What the parts of the plugin share, made once by the plugin and passed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ..engine.protocol.messages import Result
from .engine.cache import trim_cache
from .engine.environment import get_cache_folder, get_models_folder, make_launch
from .engine.models import ModelInfo, find_default_model, find_model, list_models
from .engine.pool import EnginePool
from .engine.process import Listener
from .paths import BUNDLED_MODELS
from .settings import Settings, load_settings


@dataclass(frozen=True)
class PluginContext:
    """The engine's processes and the settings.

    Attributes:
        pool: provides runs with their process.
        load: reads the settings; asked for each run, so that a change counts at once.
    """

    pool: EnginePool
    load: Callable[[], Settings] = load_settings

    def run(self, words: Sequence[str], listener: Listener, cancelled: Callable[[], bool]) -> Result:
        """Have the engine carry out ``words`` as the settings say. Blocks; belongs in a worker thread.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        settings = self.load()
        result = self.pool.run(
            make_launch(settings), words, listener, cancelled, keep_seconds=60.0 * settings.keep_minutes
        )
        trim_cache(get_cache_folder(settings), settings.cache_megabytes * 1_000_000)
        return result

    def models(self) -> list[ModelInfo]:
        """All models that can be chosen."""
        return list_models(BUNDLED_MODELS, [get_models_folder(self.load())])

    def model_for(self, task: str, reference: str) -> ModelInfo | None:
        """The model that a run for ``task`` uses: ``reference``, else the settings' choice, else the default.

        Returns:
            None where ``reference`` means none that the plugin knows of, or there is no model for the task.
        """
        models = self.models()
        if reference:
            return find_model(models, reference)
        return find_model(models, self.chosen(task)) or find_default_model(models, task)

    def chosen(self, task: str) -> str:
        """The settings' choice for ``task``; empty where there is none."""
        settings = self.load()
        return {
            "roads": settings.road_model,
            "landcover": settings.landcover_model,
            "segmentation": settings.segmentation_model,
        }[task]

    def lost_choice(self, task: str) -> str:
        """The settings' choice for ``task`` where it is not there any more; else empty."""
        chosen = self.chosen(task)
        return chosen if chosen and find_model(self.models(), chosen) is None else ""
