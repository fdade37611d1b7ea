"""Putting a model of the person's into the folder of models: the engine checks it, completes its card and tries it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .i18n import tr
from .settings import Settings

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
