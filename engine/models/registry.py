"""Find models, choose the default one, and install new ones.

A model is a folder with ``card.json`` and the weights file that the card names. The default model is chosen by its card
alone; the SHA-256 of the weights is compared with the card's before a model is returned, so that only the weights of
the model that is used are read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CardError, ModelError, OutputError, shorten
from ..fs.atomic import atomic_folder
from ..fs.paths import is_name_too_long
from ..fs.regular_file import compute_sha256
from ..protocol.model_policy import ANY_TASK, ModelFacts, is_for_task, list_alternatives, sort_by_preference
from .card import CARD_NAME, ModelCard, Task, read_card, write_card
from .checkpoint import MAX_CHECKPOINT_BYTES
from .infer_card import ModelHints, infer_card

BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "models"
#: Folders of models, separated as in PATH.
FOLDERS_VARIABLE = "TERRASPORE_MODELS"
WEIGHTS_SUFFIXES = (".ckpt", ".onnx", ".mindir")
#: The best weights in the folder of a training, which has a card only where the resolution of its images is known.
BEST_WEIGHTS = "best.ckpt"
#: Larger weights are not installed.
MAX_MODEL_BYTES = 8 << 30


@dataclass(frozen=True)
class Model:
    """A model on the disk whose weights were compared with its card.

    Attributes:
        card: its facts.
        weights: its weights file.
        sha256: of the weights file, as computed.
    """

    card: ModelCard
    weights: Path
    sha256: str


@dataclass(frozen=True)
class ModelScan:
    """The models of some folders, and why others there cannot be used.

    Attributes:
        models: the first folder's before the second's, each by name.
        faults: one sentence for each folder that has a card and is no usable model.
    """

    models: tuple[Model, ...] = ()
    faults: Mapping[Path, str] = field(default_factory=dict)


def model_folders(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The folders that are searched: the bundled models, then those that ``TERRASPORE_MODELS`` names."""
    named = (os.environ if environment is None else environment).get(FOLDERS_VARIABLE, "")
    return [BUNDLED, *(Path(part) for part in named.split(os.pathsep) if part)]


def read_model(folder: Path) -> Model:
    """Read the model in ``folder`` and compare its weights with its card.

    Raises:
        ModelError: the card is not valid, or the weights are missing or not those of the card.
    """
    card = read_card(folder / CARD_NAME)
    weights = folder / card.weights
    found = compute_sha256(weights, MAX_CHECKPOINT_BYTES, ModelError)
    if found != card.sha256:
        raise CardError(
            f"The weights {weights} are not those of their card: their SHA-256 is {found}, the card says {card.sha256}."
        )
    return Model(card, weights, found)


def scan_models(folders: Sequence[Path]) -> ModelScan:
    """Read and check all models in ``folders``; of several with one name the first is taken."""
    models: dict[str, Model] = {}
    faults: dict[Path, str] = {}
    for folder in _folders_with_cards(folders):
        try:
            model = read_model(folder)
        except ModelError as error:
            faults[folder] = str(error)
        else:
            models.setdefault(model.card.name, model)
    return ModelScan(tuple(models.values()), faults)


def find_model(name_or_path: str, folders: Sequence[Path] | None = None, hints: ModelHints | None = None) -> Model:
    """Find a model by its name, its folder or its weights file.

    Args:
        name_or_path: the name of a model in ``folders``; or the path of a model's folder, of its card, or of
            a weights file. A weights file beside the card that names it is that model.
        folders: where names are looked up; ``model_folders()`` unless given.
        hints: what is known of a weights file without a card.

    Raises:
        ModelError: there is no such model, it is not valid, or it has a card although there are hints.
    """

    def read(folder: Path) -> Model:
        if hints not in {None, ModelHints()}:
            text = f"The model {folder} has a card, so options such as --scale cannot be given."
            raise ModelError(text, "Leave them out, or change the card.")
        return read_model(folder)

    folders = model_folders() if folders is None else folders
    path = Path(name_or_path)
    if is_name_too_long(path):
        raise ModelError(f"There is no model '{shorten(name_or_path)}': the name is too long.")
    if path.name == name_or_path:
        for folder in folders:
            if (folder / name_or_path / CARD_NAME).is_file():
                return read(folder / name_or_path)
        if not name_or_path or not (path.suffix or path.exists()):
            known = ", ".join(sorted(folder.name for folder in _folders_with_cards(folders)))
            raise ModelError(f"There is no model '{shorten(name_or_path)}'; known are: {known or 'none'}.")
    if path.is_dir():
        return read(path)
    if path.name == CARD_NAME:
        return read(path.parent)
    if path.suffix.lower() not in WEIGHTS_SUFFIXES:
        raise ModelError(
            f"{path} is neither a model's folder nor a weights file ({', '.join(WEIGHTS_SUFFIXES)}).",
            "A .pth file is turned into a checkpoint by `terraspore convert` first."
            if path.suffix in {".pth", ".pt", ".th"}
            else None,
        )
    if (path.parent / CARD_NAME).is_file() and read_card(path.parent / CARD_NAME).weights == path.name:
        return read(path.parent)
    sha256 = compute_sha256(path, MAX_CHECKPOINT_BYTES, ModelError)
    return Model(infer_card(path, sha256, hints or ModelHints()), path, sha256)


def find_weights(path: Path) -> Path:
    """Path of a weights file: ``path`` itself, or the weights of what it names.

    Args:
        path: a file, the folder of a training, the folder of a model, or the name of an installed one.

    Raises:
        ModelError: there is no such model.
    """
    if (path / BEST_WEIGHTS).is_file():
        return path / BEST_WEIGHTS
    # Names of models and folders may have points, so only the suffix of a checkpoint says that a file was meant.
    is_weights = path.is_file() or (path.suffix.lower() == ".ckpt" and not path.is_dir())
    return path if is_weights else find_model(str(path)).weights


def choose_model(
    name: str | None,
    task: Task,
    folders: Sequence[Path] | None = None,
    warn: Callable[[str], object] = lambda _text: None,
    *,
    pixel: float | None = None,
    inform: Callable[[str], object] = lambda _text: None,
) -> Model:
    """The model that a run uses: the named one, or the default of its task (see ``protocol.model_policy``).

    Args:
        name: name or path of a model as in ``find_model``; None for the default.
        task: what the model has to be for; ``segmentation`` takes any model.
        folders: where models are looked up; ``model_folders()`` unless given.
        warn: called with a sentence for each model that would be the default and cannot be used.
        pixel: size of the image's pixels on the ground in metres, which decides among models of several resolutions.
        inform: called with a sentence where it did, which names the other models.

    Raises:
        ModelError: there is none, or it is for something else.
    """
    folders = model_folders() if folders is None else folders
    if name is not None:
        model = find_model(name, folders)
        if not is_for_task(model.card.task, task):
            raise ModelError(
                f"The model {model.card.name} is for {model.card.task}, not for {task}.",
                "Use `terraspore segment` for models of any kind.",
            )
        return model
    cards: list[tuple[Path, ModelCard]] = []
    for folder in _folders_with_cards(folders):
        with contextlib.suppress(ModelError):  # `terraspore models` lists what is wrong with it
            cards.append((folder, read_card(folder / CARD_NAME)))
    ranked = sort_by_preference(cards, task, lambda entry: _facts(entry[1]), pixel)
    for place, (folder, card) in enumerate(ranked):
        try:
            model = read_model(folder)
        except ModelError as error:
            warn(f"{error.text} Another model is used; install this one again.")
            continue
        others = list_alternatives(_facts(card), (_facts(other) for _, other in ranked[place + 1 :]), pixel)
        if others:
            listed = ", ".join(f"{other.name} ({other.resolution:g} m)" for other in others)
            inform(
                f"The model {card.name} ({card.resolution:g} m) is used because the image has {pixel:.2g} m per pixel; "
                f"--model chooses another: {listed}."
            )
        return model
    kind = "model" if task == ANY_TASK else f"model for {task}"
    raise ModelError(f"There is no {kind} installed.", "Give one with --model.")


def _facts(card: ModelCard) -> ModelFacts:
    return ModelFacts(card.name, card.task, card.resolution)


def install_model(source: Path, target: Path, hints: ModelHints, attempt: Callable[[Model], None]) -> Model:
    """Copy the model at ``source`` to the folder ``target`` after trying it.

    Args:
        source: a weights file, a card, or a model's folder.
        target: the new folder; its name becomes the model's.
        hints: what is known of a weights file without a card.
        attempt: uses the copied model, and raises where it does not work.

    Returns:
        The model in ``target``.

    Raises:
        ModelError: it is not a model that can be used; nothing is left.
        OutputError: ``target`` is there already or cannot be written.
    """
    if target.exists() or target.is_symlink():
        raise OutputError(f"There is something at {target} already.", "Choose another name.")
    model = find_model(str(source.absolute()), hints=hints)
    with atomic_folder(target) as folder:
        weights = folder / model.weights.name
        try:
            shutil.copyfile(model.weights, weights)
            if compute_sha256(weights, MAX_MODEL_BYTES, ModelError) != model.sha256:
                raise ModelError(f"The weights {model.weights} were changed while they were copied.", "Try again.")
            write_card(folder / CARD_NAME, dataclasses.replace(model.card, name=target.name, weights=weights.name))
            attempt(read_model(folder))
        except ModelError as error:  # name the file that the person gave, not its copy
            raise type(error)(error.text.replace(str(weights), str(model.weights)), error.hint) from error
    return read_model(target)


def _folders_with_cards(folders: Sequence[Path]) -> Iterator[Path]:
    """Folders below ``folders`` that hold a card, each by name; hidden ones are not complete."""
    for folder in folders:
        cards = sorted(folder.glob(f"*/{CARD_NAME}"))
        yield from (card.parent for card in cards if not card.parent.name.startswith("."))
