"""A folder of compiled models and measurements, so that neither is made twice.

Entries are named by a hash of everything they depend on, end with the SHA-256 of their content, and are written under
a temporary name first: an entry which is damaged or not complete is treated as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OutputError
from ..fs.outputs import atomic_output
from ..fs.regular_file import open_regular

FOLDER_VARIABLE = "TERRASPORE_CACHE"
#: Megabytes of compiled models in the folder, the least recently used are removed first; 0 for no limit.
LIMIT_VARIABLE = "TERRASPORE_CACHE_MEGABYTES"
MAX_MEGABYTES = 2000
#: Measurements in the folder, which are much smaller.
MAX_MEASUREMENTS = 240
_DIGEST = 32
_MAX_BYTES = 4 << 30


def default_cache_folder(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the user's cache folder for TerraSpore; ``None`` without a home folder or where the variable is empty.

    Args:
        environment: variables; those of the process unless given.
    """
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
    """Return a file name for an entry which depends on ``parts``."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def load_entry(folder: Path | None, name: str) -> NDArray[np.uint8] | None:
    """Return the bytes of the entry ``name``, or ``None`` where it is absent or damaged.

    The array is mapped from the file, so that pages are read when they are used; it may be changed, the file is not.
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
        with suppress(OSError):  # the folder may be read-only
            os.utime(path)  # marks it as recently used
    except (ModelError, OSError, ValueError):
        return None
    return content


def store_entry(folder: Path | None, name: str, content: bytes | memoryview) -> None:
    """Write ``content`` as the entry ``name``; does nothing where the folder cannot be written."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_output(folder / name) as temporary, temporary.open("wb") as file:
            file.write(content)  # first, because its alignment in the file is that in memory
            file.write(hashlib.sha256(content).digest())
        _remove_oldest(folder, name)
    except (OSError, OutputError):
        return


def cache_limit(environment: Mapping[str, str] | None = None) -> int:
    """Return the most bytes that compiled models may take; 0 for no limit.

    Args:
        environment: variables; those of the process unless given.
    """
    named = (os.environ if environment is None else environment).get(LIMIT_VARIABLE, "")
    return (int(named) if named.isdecimal() else MAX_MEGABYTES) * 1_000_000


def _remove_oldest(folder: Path, kept: str) -> None:
    """Remove the least recently used entries of the kind of ``kept`` above the limit of the kind, but not ``kept``."""
    entries = [(path, path.stat()) for path in folder.glob(f"*{Path(kept).suffix}") if path.name != kept]
    entries.sort(key=lambda entry: entry[1].st_mtime, reverse=True)
    total, limit = (folder / kept).stat().st_size, cache_limit()
    for number, (path, status) in enumerate(entries, 2):
        total += status.st_size
        if number > MAX_MEASUREMENTS if kept.endswith(".json") else total > limit > 0:
            with suppress(OSError):  # another engine has it open
                path.unlink(missing_ok=True)


def load_measurements(folder: Path | None, name: str) -> dict[str, float]:
    """Return the measurements stored as ``name``; empty where there are none."""
    content = load_entry(folder, name)
    if content is None:
        return {}
    return {str(key): float(value) for key, value in json.loads(content.tobytes()).items()}


def store_measurements(folder: Path | None, name: str, measurements: Mapping[str, float]) -> None:
    """Store measurements as ``name``."""
    store_entry(folder, name, json.dumps(dict(measurements)).encode())
