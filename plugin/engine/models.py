"""The user's and the bundled models: listed from their cards without an engine, unpacked and installed with it.

Only names and a few facts are read, for lists and for the resolution at which online layers are rendered; the engine
checks cards and weights when it uses them.
"""

from __future__ import annotations

import json
import lzma
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...engine.protocol.model_policy import ModelFacts, is_for_task, list_alternatives, sort_by_preference
from ..i18n import tr
from ..paths import GRAPHS
from .errors import EngineError

if TYPE_CHECKING:
    from ..settings import Settings

CARD = "card.json"
#: English titles of the tasks.
TASK_TITLES = {"roads": "Roads", "landcover": "Land cover", "segmentation": "Other segmentation"}
#: Larger models are not unpacked.
MAX_MODEL_BYTES = 8 << 30
_DETAILS = ("data", "licence", "split", "notes", "sha256")
_MAX_CARD_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ModelInfo:
    """The facts of a model that lists show.

    Attributes:
        folder: the model's folder.
        name: its stable name.
        title: its name for people, in English for bundled models.
        task: ``roads``, ``landcover`` or ``segmentation``.
        resolution: ground resolution in m per pixel; 0 where the card does not say.
        tile: edge of a tile in pixels; 0 where the card does not say.
        overlap: overlap of tiles in pixels; 0 where the card does not say.
        bands: number of bands; 0 where the card does not say.
        threshold: default threshold, 0..1.
        is_bundled: whether it came with the plugin.
        weights: its weights file, which need not exist.
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
    is_bundled: bool
    weights: Path
    details: str = ""

    @property
    def reference(self) -> str:
        """The value of the engine's ``--model``: the name of a bundled model, the folder of any other."""
        return self.name if self.is_bundled else str(self.folder)

    @property
    def facts(self) -> ModelFacts:
        """What the choice of the default depends on."""
        return ModelFacts(self.name, self.task, self.resolution)

    def get_title(self) -> str:
        """Return its title in the user's language, if it is bundled; models of users keep theirs."""
        return tr(self.title) if self.is_bundled else self.title


def list_models(bundled: Path, folders: Iterable[Path]) -> list[ModelInfo]:
    """List the models in ``bundled`` and in ``folders``, in this order, those of a folder by name."""
    models = []
    for parent, is_bundled in ((bundled, True), *((folder, False) for folder in folders)):
        for card in sorted(parent.glob(f"*/{CARD}")) if parent.is_dir() else ():
            is_complete = not card.parent.name.startswith(".")  # hidden folders are those of a running installation
            model = read_model_info(card.parent, is_bundled=is_bundled) if is_complete else None
            if model is not None and model.weights.is_file():
                models.append(model)
    return models


def list_models_for_task(models: Iterable[ModelInfo], task: str) -> list[ModelInfo]:
    """List the models that can be used for ``task``; ``segmentation`` takes any model."""
    return [model for model in models if is_for_task(model.task, task)]


def find_default_model(models: Iterable[ModelInfo], task: str, pixel: float = 0.0) -> ModelInfo | None:
    """Find the model for ``task`` where the user chose none; None where there is none.

    Args:
        models: those that can be chosen from.
        task: of the run.
        pixel: size of the image's pixels on the ground in m; 0 where it is not known.
    """
    return next(iter(sort_by_preference(models, task, lambda model: model.facts, pixel)), None)


def explain_default_model(chosen: ModelInfo, models: Iterable[ModelInfo], pixel: float) -> str:
    """Explain why ``chosen`` is the default for an image, and name the other ones; empty where there is no choice."""
    others = list_alternatives(chosen.facts, (model.facts for model in models), pixel)
    if not others:
        return ""
    listed = ", ".join(f"{other.name} ({other.resolution:g} m)" for other in others)
    return tr("{model} ({resolution} m) fits the image, which has {pixel} m per pixel. Others: {others}.").format(
        model=chosen.name, resolution=f"{chosen.resolution:g}", pixel=f"{pixel:.2g}", others=listed
    )


def find_model(models: Iterable[ModelInfo], reference: str) -> ModelInfo | None:
    """Find a model by its name, its title, its folder or a file in that; None where there is none."""
    for model in models:
        if reference in (model.name, model.title, str(model.folder)):
            return model
    if not reference:
        return None
    path = Path(reference)
    return read_model_info(path if path.is_dir() else path.parent, is_bundled=False)


def read_model_info(folder: Path, *, is_bundled: bool) -> ModelInfo | None:
    """Read the card in ``folder``; None where there is no readable card."""
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
        resolution=_read_number(value, "resolution"),
        tile=int(_read_number(value, "tile")),
        overlap=int(_read_number(value, "overlap")),
        bands=int(_read_number(value, "bands")),
        threshold=_read_number(value, "threshold") or 0.5,
        is_bundled=is_bundled,
        weights=folder / str(value.get("weights") or "weights"),
        details="\n".join(f"{key}: {str(value[key])[:500]}" for key in _DETAILS if value.get(key)),
    )


def list_architectures() -> list[str]:
    """List the networks whose bare checkpoints the engine can run."""
    # Behind a hyphen are options of the network.
    return sorted({graph.stem.partition("-")[0] for graph in GRAPHS.glob("*.onnx")})


def explain_invalid_name(name: str, folder: Path) -> str:
    """Explain why a new model in ``folder`` cannot have ``name``; empty where it can."""
    if not _NAME.fullmatch(name):
        return tr("A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.")
    if (folder / name).exists():
        return tr("There is a model {name} already; choose another name.").format(name=name)
    return ""


def make_install_arguments(path: Path, target: Path, facts: Mapping[str, str], settings: Settings) -> list[str]:
    """Make the engine's command that installs a model.

    Args:
        path: a weights file, a card, or a model's folder.
        target: the new folder in the folder of models.
        facts: what the user knows of a bare weights file, by the engine's options; empty ones are left out.
        settings: device and runtime on which the model is tried.
    """
    options = {**facts, "device": settings.device, "runtime": settings.runtime}
    flags = [f"--{name}={value}" for name, value in options.items() if value]
    return ["install", str(path.absolute()), f"--to={target}", *flags]


def unpack_model(path: Path, folder: Path) -> Path:
    """Unpack the model in the zip ``path`` into ``folder``: the card and the weights beside it, nothing else.

    Raises:
        EngineError: it is not a zip with one model in it, or the model is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            cards = [PurePosixPath(name) for name in archive.namelist() if PurePosixPath(name).name == CARD]
            if len(cards) != 1:
                text = tr("{path} holds {count} models; a packed model has one {card}.")
                raise EngineError(text.format(path=path, count=len(cards), card=CARD))
            members = [e for e in archive.infolist() if PurePosixPath(e.filename).parent == cards[0].parent]
            if sum(entry.file_size for entry in members) > MAX_MODEL_BYTES:
                raise EngineError(tr("{path} is larger than any model that can be used.").format(path=path))
            for entry in members:
                if not entry.is_dir():
                    with archive.open(entry) as source, (folder / PurePosixPath(entry.filename).name).open("wb") as to:
                        shutil.copyfileobj(source, to)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise EngineError(tr("{path} cannot be unpacked: {reason}.").format(path=path, reason=error)) from error
    return folder


def _read_number(value: dict[str, Any], name: str) -> float:
    number = value.get(name)
    is_usable = isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number < 1e6
    return float(number) if is_usable else 0.0
