"""Putting a model of the person's into the folder of models: the engine checks it, completes its card and tries it."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..i18n import tr
from ..settings import Settings
from .errors import EngineError
from .models import CARD

#: Larger models are not unpacked.
MAX_MODEL_BYTES = 8 << 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def objection_to_name(name: str, folder: Path) -> str:
    """Why ``name`` cannot be a model's; empty where it can."""
    if not _NAME.fullmatch(name):
        return tr("A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.")
    if (folder / name).exists():
        return tr("There is a model {name} already; choose another name.").format(name=name)
    return ""


def install_words(path: Path, target: Path, facts: Mapping[str, str], settings: Settings) -> list[str]:
    """The engine's command that installs the model at ``path``.

    Args:
        path: a weights file, a card, or a model's folder.
        target: the new folder in the folder of models.
        facts: what the person said of a bare weights file, by the engine's options; empty ones are left out.
        settings: device and runtime on which it is tried.
    """
    said = [f"--{name}={value}" for name, value in facts.items() if value]
    where = [f"--device={settings.device}", f"--runtime={settings.runtime}"]
    return ["install", str(path.absolute()), f"--to={target}", *said, *where]


def unpack(path: Path, folder: Path) -> Path:
    """Unpack the model in the zip ``path`` into ``folder``: the card and the weights beside it, nothing else.

    Raises:
        EngineError: it is no zip with one model in it, or it is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            cards = [PurePosixPath(name) for name in archive.namelist() if PurePosixPath(name).name == CARD]
            if len(cards) != 1:
                raise EngineError(f"{path} holds {len(cards)} models; a packed model has one {CARD}.")
            members = [e for e in archive.infolist() if PurePosixPath(e.filename).parent == cards[0].parent]
            if sum(entry.file_size for entry in members) > MAX_MODEL_BYTES:
                raise EngineError(f"{path} is larger than any model that can be used.")
            for entry in members:
                if not entry.is_dir():
                    with archive.open(entry) as source, (folder / PurePosixPath(entry.filename).name).open("wb") as to:
                        shutil.copyfileobj(source, to)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise EngineError(f"{path} cannot be unpacked: {error}.") from error
    return folder
