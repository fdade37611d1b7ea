"""Finding models: bundled ones, those in folders of the user, and bare weights files.

A model is a folder with ``card.json`` and the weights file that the card names. The weights' SHA-256 is compared
with the card's before a model is handed out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CardError, ModelError
from ..fs.regular_file import sha256_of
from .card import CARD_NAME, ModelCard, read_card
from .checkpoint import MAX_CHECKPOINT_BYTES
from .infer_card import BareModel, bare_card

BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "models"
#: Folders of models, separated as in PATH.
FOLDERS_VARIABLE = "TERRASPORE_MODELS"
WEIGHTS_SUFFIXES = (".ckpt", ".onnx", ".mindir")


@dataclass(frozen=True)
class Model:
    """A model on the disk whose weights were found to be those of its card.

    Args:
        card: what it is.
        weights: its weights file.
        sha256: of the weights file, as found.
    """

    card: ModelCard
    weights: Path
    sha256: str


@dataclass(frozen=True)
class Catalogue:
    """The models of some folders, and why others there cannot be used.

    Args:
        models: by name, the first folder before the second.
        faults: one sentence for each folder that has a card and is no model.
    """

    models: tuple[Model, ...] = ()
    faults: Mapping[Path, str] = field(default_factory=dict)


def model_folders(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The folders to look in: the bundled models, then those that the variable ``TERRASPORE_MODELS`` names."""
    named = (os.environ if environment is None else environment).get(FOLDERS_VARIABLE, "")
    return [BUNDLED, *(Path(part) for part in named.split(os.pathsep) if part)]


def read_model(folder: Path) -> Model:
    """The model in ``folder``.

    Raises:
        ModelError: the card is not valid, or the weights are missing or not those of the card.
    """
    card = read_card(folder / CARD_NAME)
    weights = folder / card.weights
    found = sha256_of(weights, MAX_CHECKPOINT_BYTES, ModelError)
    if found != card.sha256:
        raise CardError(
            f"The weights {weights} are not those of their card: their SHA-256 is {found}, the card says {card.sha256}."
        )
    return Model(card, weights, found)


def scan_models(folders: Sequence[Path]) -> Catalogue:
    """All models in ``folders``; a name that was there already is passed over."""
    models: dict[str, Model] = {}
    faults: dict[Path, str] = {}
    for card in (card for folder in folders for card in sorted(folder.glob(f"*/{CARD_NAME}"))):
        try:
            model = read_model(card.parent)
        except ModelError as error:
            faults[card.parent] = str(error)
        else:
            models.setdefault(model.card.name, model)
    return Catalogue(tuple(models.values()), faults)


def list_models(folders: Sequence[Path] | None = None) -> list[Model]:
    """The usable models of ``folders`` (unless given: of ``model_folders()``)."""
    return list(scan_models(model_folders() if folders is None else folders).models)


def find_model(name_or_path: str, folders: Sequence[Path] | None = None, bare: BareModel | None = None) -> Model:
    """The model of a name, of a folder or of a bare weights file.

    Args:
        name_or_path: the name of a model in ``folders``; or the path of a model's folder, of its card, or of
            a weights file. A weights file beside the card that names it is that model.
        folders: where names are looked up; ``model_folders()`` unless given.
        bare: what is known of a bare weights file, which has no card.

    Raises:
        ModelError: there is no such model, or it is not valid.
    """
    folders = model_folders() if folders is None else folders
    path = Path(name_or_path)
    if path.name == name_or_path:
        for folder in folders:
            if (folder / name_or_path / CARD_NAME).is_file():
                return read_model(folder / name_or_path)
        if not path.suffix and not path.exists():
            known = ", ".join(sorted(card.parent.name for folder in folders for card in folder.glob(f"*/{CARD_NAME}")))
            raise ModelError(f"There is no model '{name_or_path}'; known are: {known or 'none'}.")
    if path.is_dir():
        return read_model(path)
    if path.name == CARD_NAME:
        return read_model(path.parent)
    if path.suffix.lower() not in WEIGHTS_SUFFIXES:
        raise ModelError(
            f"{path} is neither a model's folder nor a weights file ({', '.join(WEIGHTS_SUFFIXES)}).",
            "A .pth file is turned into a checkpoint by `terraspore convert` first."
            if path.suffix in {".pth", ".pt", ".th"}
            else None,
        )
    if (path.parent / CARD_NAME).is_file() and read_card(path.parent / CARD_NAME).weights == path.name:
        return read_model(path.parent)
    sha256 = sha256_of(path, MAX_CHECKPOINT_BYTES, ModelError)
    return Model(bare_card(path, sha256, bare or BareModel()), path, sha256)
