"""A folder of compiled models and of measurements that need not be made twice.

Entries are named by a hash of everything they depend on, carry a SHA-256 of their content, and are written under
a temporary name first: whatever is read back is whole, or is treated as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OutputError
from ..fs.atomic import atomic_output
from ..fs.regular_file import open_regular

FOLDER_VARIABLE = "TERRASPORE_CACHE"
#: Compiled models kept; the one not used for longest goes first.
KEPT = 12
_DIGEST = 32
_MAX_BYTES = 4 << 30


def default_cache_folder(environment: Mapping[str, str] | None = None) -> Path | None:
    """The user's cache folder for TerraSpore; ``None`` where there is no home, or the variable is set and empty."""
    variables = os.environ if environment is None else environment
    if (named := variables.get(FOLDER_VARIABLE)) is not None:
        return Path(named) if named else None
    if sys.platform == "win32":
        base = variables.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = f"{variables['HOME']}/Library/Caches" if "HOME" in variables else None
    else:
        base = variables.get("XDG_CACHE_HOME") or (f"{variables['HOME']}/.cache" if "HOME" in variables else None)
    return Path(base) / "terraspore" if base else None


def cache_key(*parts: str) -> str:
    """A file name for what depends on ``parts``."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def load_entry(folder: Path | None, name: str) -> NDArray[np.uint8] | None:
    """The bytes of the entry ``name``, or ``None`` where there is no whole one.

    They are pages of the file, read when they are looked at; a change of them would not reach the file.
    """
    if folder is None:
        return None
    path = folder / name
    try:
        with open_regular(path, _MAX_BYTES, ModelError) as (file, size):
            if size <= _DIGEST:
                return None
            entry = np.memmap(file, np.uint8, "c")
        content = entry[:-_DIGEST]
        if hashlib.sha256(content.data).digest() != entry[-_DIGEST:].tobytes():
            return None
        os.utime(path)  # marks it as used
    except (ModelError, OSError, ValueError):
        return None
    return content


def store_entry(folder: Path | None, name: str, content: bytes | memoryview) -> None:
    """Keep ``content`` as the entry ``name``. A cache that cannot be written is no error: it is merely slow."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(folder / name) as temporary, temporary.open("wb") as file:
            file.write(content)  # first, so that whatever is aligned in it is so in memory
            file.write(hashlib.sha256(content).digest())
        _sweep(folder, Path(name).suffix)
    except (OSError, OutputError):
        return


def _sweep(folder: Path, suffix: str) -> None:
    entries = sorted(folder.glob(f"*{suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[20 * KEPT if suffix == ".json" else KEPT :]:
        path.unlink(missing_ok=True)


def load_measurements(folder: Path | None, name: str) -> dict[str, float]:
    """The measurements kept under ``name``; empty where there are none."""
    content = load_entry(folder, name)
    if content is None:
        return {}
    return {str(key): float(value) for key, value in json.loads(content.tobytes()).items()}


def store_measurements(folder: Path | None, name: str, figures: Mapping[str, float]) -> None:
    """Keep measurements under ``name``."""
    store_entry(folder, name, json.dumps(dict(figures)).encode())
