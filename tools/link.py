"""Link this folder into a QGIS profile as the plugin ``terraspore``, for development."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def profiles_folder() -> Path:
    """Return the folder of the QGIS profiles on this system."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ["APPDATA"]) / "QGIS" / "QGIS3" / "profiles"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "QGIS" / "QGIS3" / "profiles"
    return Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")) / "QGIS" / "QGIS3" / "profiles"


def link(profile: str) -> Path:
    """Create the link in a profile and return its path; an existing link is replaced, an existing folder is not."""
    plugins = profiles_folder() / profile / "python" / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    target = plugins / "terraspore"
    if target.is_symlink():
        target.unlink()
    if target.exists():
        sys.exit(f"{target} is a folder; remove the installed plugin first.")
    target.symlink_to(ROOT, target_is_directory=True)
    return target


def main() -> None:
    """Create the link and print its path."""
    parser = argparse.ArgumentParser(description="Link the plugin into a QGIS profile.")
    parser.add_argument("--profile", default="default")
    print(f"{link(parser.parse_args().profile)} -> {ROOT}")


if __name__ == "__main__":
    main()
