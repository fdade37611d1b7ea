"""Which model a task uses by default: one rule for the command line and for the plugin.

Only facts of the cards decide, so that no weights file is read before the model is chosen. Standard library only: the
plugin imports this module in QGIS's own Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, TypeVar

T = TypeVar("T")

#: The project's own models in the order in which they are their task's default: the best of the plugin's zip before the
#: large one, which does not fit the zip and may be installed beside it, and the small one.
PREFERRED_MODELS = ("roads-efficientnet-lite2", "roads-dlinknet34", "roads-lednet", "landcover-lednet")
#: This task accepts models of every task.
ANY_TASK = "segmentation"


def is_for_task(model_task: str, task: str) -> bool:
    """Whether a model whose card says ``model_task`` can be used for ``task``."""
    return task in (model_task, ANY_TASK)


def sort_by_preference(models: Iterable[T], task: str, facts: Callable[[T], tuple[str, str]]) -> list[T]:
    """The models that can be used for ``task``, the default one first.

    Models made for the task come before others, then the project's own in the order of ``PREFERRED_MODELS``, then the
    order of ``models``.

    Args:
        models: in the order in which they were found: bundled ones first, each folder's by name.
        task: ``roads``, ``landcover`` or ``segmentation``.
        facts: gives the name and the task of a model's card.
    """

    def rank(model: T) -> tuple[bool, int]:
        name, model_task = facts(model)
        place = PREFERRED_MODELS.index(name) if name in PREFERRED_MODELS else len(PREFERRED_MODELS)
        return model_task != task, place

    return sorted((model for model in models if is_for_task(facts(model)[1], task)), key=rank)
