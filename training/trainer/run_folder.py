"""Folder of a run: paths of its files, configuration, environment and text log."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from ...engine.errors import OutputError
from ..config import Config, to_mapping

_PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "pillow", "rasterio", "terraspore")


class RunFolder:
    """Paths of a run's files, and those of them that are written as a whole.

    Args:
        path: the folder; created if it does not exist.

    Raises:
        OutputError: the folder cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The run folder {path} cannot be made: {error.strerror}.") from error
        self.state = path / "state.npz"
        self.best_state = path / "best_state.npz"
        self.last = path / "last.ckpt"
        self.best = path / "best.ckpt"
        self.config = path / "config.yaml"
        self.steps = path / "steps.csv"
        self.validations = path / "checks.csv"
        self.log = path / "train.log"
        self.archive = path / "archive"

    def best_by(self, metric: str) -> Path:
        """Checkpoint with the best value of a metric other than the monitored one."""
        return self.path / f"best_{metric}.ckpt"

    def write_config(self, config: Config) -> None:
        """Write the complete configuration, including the keys left at their defaults."""
        self.config.write_text(yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True), "utf-8")

    def write_environment(self, arguments: list[str]) -> None:
        """Write ``environment.json``: versions, machine, git state of the package and command line."""
        versions: dict[str, str | None] = {}
        for name in _PACKAGES:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = None
        environment = {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "packages": versions,
            "git": git_state(Path(__file__).parent),
            "arguments": arguments,
        }
        self.write_json("environment.json", environment)

    def append_log(self, text: str) -> None:
        """Append a line with the time to ``train.log``."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def write_json(self, name: str, values: Any) -> None:
        """Write plain values as a JSON file of the folder."""
        (self.path / name).write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Commit and whether tracked files differ from it; None where the folder is not in a git checkout."""

    def git(*arguments: str) -> str | None:
        """Output of a git command, or None if it fails."""
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}
