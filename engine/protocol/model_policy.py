"""Which model a task uses by default: one rule for the command line and for the plugin.

Only facts of the cards decide, so that no weights file is read before the model is chosen. Standard library only: the
plugin imports this module in QGIS's own Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Callable, NamedTuple, TypeVar

T = TypeVar("T")

#: The project's own models in the order in which they are their task's default, where the image's resolution does not
#: decide: the best of the plugin's zip before the large one, which does not fit the zip and may be installed beside
#: it, and the small one.
PREFERRED_MODELS = (
    "roads-efficientnet-lite2",
    "roads-dlinknet34",
    "roads-lednet",
    "landcover-drone",
    "landcover-satellite",
    "landcover-lednet",
)
#: This task accepts models of every task.
ANY_TASK = "segmentation"


class ModelFacts(NamedTuple):
    """What the choice of a model depends on.

    Attributes:
        name: of the model.
        task: that its card says.
        resolution: that it was trained for, in metres per pixel; 0 where it is not known.
    """

    name: str
    task: str
    resolution: float


def is_for_task(model_task: str, task: str) -> bool:
    """Whether a model whose card says ``model_task`` can be used for ``task``."""
    return task in (model_task, ANY_TASK)


def sort_by_preference(
    models: Iterable[T], task: str, facts: Callable[[T], ModelFacts], pixel: float | None = None
) -> list[T]:
    """The models that can be used for ``task``, the default one first.

    Models made for the task come before others, then those whose resolution is nearest to the image's by their ratio,
    then the project's own in the order of ``PREFERRED_MODELS``, then the order of ``models``.

    Args:
        models: in the order in which they were found: bundled ones first, each folder's by name.
        task: ``roads``, ``landcover`` or ``segmentation``, whose models have nothing in common: there the resolution
            does not count.
        facts: gives the facts of a model's card.
        pixel: size of the image's pixels on the ground in metres; None or 0 where it is not known.
    """

    def rank(model: T) -> tuple[bool, float, int]:
        name, model_task, resolution = facts(model)
        distance = 0.0
        if pixel and task != ANY_TASK:
            distance = round(abs(math.log(resolution / pixel)), 3) if resolution else math.inf
        place = PREFERRED_MODELS.index(name) if name in PREFERRED_MODELS else len(PREFERRED_MODELS)
        return model_task != task, distance, place

    return sorted((model for model in models if is_for_task(facts(model).task, task)), key=rank)


def list_alternatives(chosen: ModelFacts, models: Iterable[ModelFacts], pixel: float | None) -> list[ModelFacts]:
    """List the other models of the default model's task; empty where the resolution of the image did not decide.

    Args:
        chosen: the default model for the image.
        models: those that were chosen from.
        pixel: as for ``sort_by_preference``.
    """
    others = [model for model in models if model.task == chosen.task and model.name != chosen.name]
    has_choice = any(model.resolution != chosen.resolution for model in others)
    return others if pixel and has_choice and chosen.task != ANY_TASK else []
