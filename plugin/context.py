"""What the parts of the plugin share: the engine's processes, the settings and the models. Made once, passed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, NamedTuple

from ..engine.protocol.messages import Result
from .engine.environment import get_models_folder, make_launch
from .engine.models import ModelInfo, explain_default_model, find_default_model, find_model, list_models
from .engine.pool import EnginePool
from .engine.process import Listener
from .paths import BUNDLED_MODELS
from .settings import MODEL_SETTINGS, Settings, load_settings


class ModelChoice(NamedTuple):
    """The model of a run.

    Attributes:
        model: None where the plugin knows of no model of the reference, or of none for the task.
        reason: why the model is the default for the image; empty where the image did not decide.
        missing: the settings' choice where its model does not exist any more; else empty.
    """

    model: ModelInfo | None
    reason: str = ""
    missing: str = ""


@dataclass(frozen=True)
class PluginContext:
    """The engine's processes and the settings.

    Attributes:
        pool: provides runs with their process.
        get_settings: reads the settings; called for each run, so that a change counts at once.
    """

    pool: EnginePool
    get_settings: Callable[[], Settings] = load_settings

    def run_engine(self, arguments: Sequence[str], listener: Listener, is_cancelled: Callable[[], bool]) -> Result:
        """Run the engine with ``arguments`` as the settings say. Blocks; call it in a worker thread.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        settings = self.get_settings()
        return self.pool.run(
            make_launch(settings), arguments, listener, is_cancelled, keep_seconds=60.0 * settings.keep_minutes
        )

    def list_models(self) -> list[ModelInfo]:
        """List the models that the plugin knows of."""
        return list_models(BUNDLED_MODELS, [get_models_folder(self.get_settings())])

    def choose_model(self, task: str, reference: str, pixel: float = 0.0) -> ModelChoice:
        """Choose the model of a run for ``task``: ``reference``, else the settings' choice, else the default.

        Args:
            task: of the run.
            reference: of a model; empty for none.
            pixel: size of the image's pixels on the ground in m, by which the default is chosen; 0 if not known.
        """
        models = self.list_models()
        if reference:
            return ModelChoice(find_model(models, reference))
        wanted = getattr(self.get_settings(), MODEL_SETTINGS[task])
        if (chosen := find_model(models, wanted)) is not None:
            return ModelChoice(chosen)
        default = find_default_model(models, task, pixel)
        reason = "" if default is None else explain_default_model(default, models, pixel)
        return ModelChoice(default, reason, missing=wanted)
