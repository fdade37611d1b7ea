"""Link this folder into QGIS's profiles as the plugin ``terraspore``, for development."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_profile_folders() -> list[Path]:
    """Return the folders of the profiles of QGIS 3 and of QGIS 4 that exist here; QGIS 3's if there are none."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ["APPDATA"])
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    folders = [data / "QGIS" / name / "profiles" for name in ("QGIS3", "QGIS4")]
    return [folder for folder in folders if folder.is_dir()] or folders[:1]


def link(profile: Path) -> Path:
    """Create the link in the folder of a profile and return its path; a link is replaced, an existing folder is not."""
    plugins = profile / "python" / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    target = plugins / "terraspore"
    with contextlib.suppress(OSError):  # it is no link
        target.readlink()
        target.unlink()
    if target.exists():
        sys.exit(f"{target} is a folder; remove the installed plugin first.")
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(ROOT), str(target))  # a symbolic link needs rights
    else:
        target.symlink_to(ROOT, target_is_directory=True)
    return target


def main() -> None:
    """Create the links and print their paths."""
    parser = argparse.ArgumentParser(description="Link the plugin into QGIS's profiles.")
    parser.add_argument("--profile", default="default")
    name = parser.parse_args().profile
    for folder in find_profile_folders():
        print(f"{link(folder / name)} -> {ROOT}")


if __name__ == "__main__":
    main()
