"""The folder of a run: configuration, environment, logs, plots, weights, state."""

from __future__ import annotations

import csv
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
    """Names and writes the files of a run.

    Args:
        path: the folder; made where it is not there.
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
        self.checks = path / "checks.csv"
        self.log = path / "train.log"
        self.archive = path / "archive"

    def write_config(self, config: Config) -> None:
        """Write the full configuration: every key, also those left at their defaults."""
        self.config.write_text(yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True), "utf-8")

    def write_environment(self, arguments: list[str]) -> None:
        """Write what the run was made with: versions, machine, git state of the package, command line."""
        versions: dict[str, str | None] = {}
        for name in _PACKAGES:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = None
        facts = {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "packages": versions,
            "git": git_state(Path(__file__).parent),
            "arguments": arguments,
        }
        (self.path / "environment.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")

    def note(self, text: str) -> None:
        """Add a line with the time to ``train.log``."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def best_of(self, figure: str) -> Path:
        """The weights with the best value of a figure other than the one that steers."""
        return self.path / f"best_{figure}.ckpt"

    def write_json(self, name: str, values: Any) -> None:
        """Write plain values as a JSON file of the folder."""
        (self.path / name).write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Commit and whether files differ from it; None where the package is not in a git checkout."""

    def git(*words: str) -> str | None:
        """What a git command says, or None where it fails."""
        try:
            done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


class Table:
    """A CSV file that grows by rows; opened for each row, so that every row is on disk.

    Args:
        path: the file.
        columns: its columns; the first holds the step.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self.columns = columns

    def keep_until(self, step: int) -> None:
        """Drop rows after ``step``: a resumed run writes them anew."""
        rows = [row for row in self.rows() if int(row[self.columns[0]]) <= step]
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)

    def rows(self) -> list[dict[str, str]]:
        """All complete rows; a last line that a crash cut short is left out."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values() and None not in row]

    def add(self, values: dict[str, float | int | str]) -> None:
        """Add one row."""
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(values)


def plot_run(folder: RunFolder) -> None:
    """Draw loss, learning rate and checks of a run into ``curves.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    steps, checks = Table(folder.steps, ["step"]).rows(), Table(folder.checks, ["step"]).rows()
    if not steps:
        return
    figure, axes = plt.subplots(3, 1, figsize=(8, 9), sharex=True)
    x = [int(row["step"]) for row in steps]
    axes[0].plot(x, [float(row["loss"]) for row in steps], lw=0.6, label="loss")
    axes[0].set_ylabel("training loss")
    axes[1].plot(x, [float(row["lr"]) for row in steps])
    axes[1].set_ylabel("learning rate")
    for key in [name for name in (checks[0] if checks else {}) if name not in ("step", "seconds", "best")][:4]:
        axes[2].plot([int(row["step"]) for row in checks], [float(row[key]) for row in checks], marker=".", label=key)
    if checks:
        axes[2].legend()
    axes[2].set_ylabel("monitor")
    axes[2].set_xlabel("step")
    figure.tight_layout()
    figure.savefig(folder.path / "curves.png", dpi=100)
    plt.close(figure)
