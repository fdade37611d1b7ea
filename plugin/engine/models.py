"""The models that can be chosen, read from their cards without an engine.

Only names and a few facts are taken, for lists and for the resolution at which online layers are rendered; the
engine checks cards and weights when it uses them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.protocol.model_policy import is_for_task, sort_by_preference
from ..paths import GRAPHS

CARD = "card.json"
_DETAILS = ("data", "licence", "split", "notes", "sha256")
_MAX_CARD_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelInfo:
    """What a list shows of a model.

    Attributes:
        folder: where it lies.
        name: its stable name.
        title: its name for people.
        task: ``roads``, ``landcover`` or ``segmentation``.
        resolution: ground resolution in m per pixel; 0 where the card does not say.
        tile: edge of a tile in pixels; 0 where the card does not say.
        overlap: overlap of tiles in pixels; 0 where the card does not say.
        bands: number of bands; 0 where the card does not say.
        threshold: default threshold, 0..1.
        bundled: whether it came with the plugin.
        weights: its weights file, which may not be there.
        details: data, licence and hash, for people.
    """

    folder: Path
    name: str
    title: str
    task: str
    resolution: float
    tile: int
    overlap: int
    bands: int
    threshold: float
    bundled: bool
    weights: Path
    details: str = ""

    @property
    def reference(self) -> str:
        """What the engine is told: the name of a bundled model, the folder of any other."""
        return self.name if self.bundled else str(self.folder)


def list_models(bundled: Path, folders: Iterable[Path]) -> list[ModelInfo]:
    """All models in the plugin and in ``folders``, the plugin's first, each by name."""
    found = _models_in(bundled, bundled=True)
    for folder in folders:
        found += _models_in(folder, bundled=False)
    return found


def for_task(models: Iterable[ModelInfo], task: str) -> list[ModelInfo]:
    """The models that can be used for ``task``; ``segmentation`` takes any model."""
    return [model for model in models if is_for_task(model.task, task)]


def default_model(models: Iterable[ModelInfo], task: str) -> ModelInfo | None:
    """The model for ``task`` where the person chose none; None where there is none."""
    return next(iter(sort_by_preference(models, task, lambda model: (model.name, model.task))), None)


def find_model(models: Iterable[ModelInfo], reference: str) -> ModelInfo | None:
    """The model that ``reference`` means: a name, a title, a folder or a file in one; None where there is none."""
    for model in models:
        if reference in (model.name, model.title, str(model.folder)):
            return model
    if not reference:
        return None
    path = Path(reference)
    return read_info(path if path.is_dir() else path.parent, bundled=False)


def read_info(folder: Path, *, bundled: bool) -> ModelInfo | None:
    """What the card in ``folder`` says, or None where there is no readable card."""
    card = folder / CARD
    try:
        if card.stat().st_size > _MAX_CARD_BYTES:
            return None
        value = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    name = str(value.get("name") or folder.name)
    return ModelInfo(
        folder=folder,
        name=name,
        title=str(value.get("title") or name),
        task=str(value.get("task") or "segmentation"),
        resolution=_number(value, "resolution"),
        tile=int(_number(value, "tile")),
        overlap=int(_number(value, "overlap")),
        bands=int(_number(value, "bands")),
        threshold=_number(value, "threshold") or 0.5,
        bundled=bundled,
        weights=folder / str(value.get("weights") or "weights"),
        details="\n".join(f"{key}: {str(value[key])[:500]}" for key in _DETAILS if value.get(key)),
    )


def known_architectures() -> list[str]:
    """The networks whose bare checkpoints the engine can run."""
    return sorted(graph.stem for graph in GRAPHS.glob("*.onnx")) if GRAPHS.is_dir() else []


def _models_in(folder: Path, *, bundled: bool) -> list[ModelInfo]:
    """The models in ``folder`` by name; a card without its weights is none."""
    if not folder.is_dir():
        return []
    cards = (read_info(card.parent, bundled=bundled) for card in sorted(folder.glob(f"*/{CARD}")))
    return [card for card in cards if card is not None and card.weights.is_file()]


def _number(value: dict[str, Any], name: str) -> float:
    number = value.get(name)
    usable = isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number < 1e6
    return float(number) if usable else 0.0
