"""Folder of a run: paths of its files, configuration, environment, logs, and the plot of its curves."""

from __future__ import annotations

import csv
import json
import math
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ...engine.errors import OutputError
from ...engine.fs.atomic import translate_os_errors
from ...engine.models.registry import BEST_WEIGHTS
from ..config import Config, to_mapping
from ..evaluation.plots import draw_figure
from ..metrics import replace_nan

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
        with translate_os_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        self.state = path / "state.npz"
        self.best_state = path / "best_state.npz"
        self.last = path / "last.ckpt"
        self.best = path / BEST_WEIGHTS
        self.config = path / "config.yaml"
        self.steps = path / "steps.csv"
        self.validations = path / "checks.csv"
        self.log = path / "train.log"
        self.environment = path / "environment.json"
        self.archive = path / "archive"

    @contextmanager
    def explain_removal(self) -> Iterator[None]:
        """Raise ``OutputError`` with the cause if something fails within the block because the folder is gone."""
        try:
            yield
        except (OSError, OutputError) as error:
            if self.path.is_dir():
                raise
            raise OutputError(
                f"The run folder {self.path} was removed or renamed while the training ran.",
                "Train again; a renamed run is continued with --out FOLDER --resume.",
            ) from error

    def best_by(self, metric: str) -> Path:
        """Checkpoint with the best value of a metric other than the monitored one."""
        return self.path / f"best_{metric}.ckpt"

    def check_replaceable(self) -> None:
        """Raise ``OutputError`` if the folder has a file of a run's names that no run has written."""
        names = (self.config, self.last, self.best, self.steps, self.validations, self.log)
        others = [path for path in names if path.exists()]
        if others and not self.environment.exists():  # the first file that a run writes
            raise OutputError(f"The file {others[0]} exists already and is not of a run.", "Choose another --out.")

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
        self.write_json(self.environment.name, environment)

    def append_log(self, text: str) -> None:
        """Append a line with the time to ``train.log``."""
        with translate_os_errors(self.log), self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def write_json(self, name: str, values: Any) -> None:
        """Write plain values as a JSON file of the folder, with null for numbers that are not finite."""
        (self.path / name).write_text(json.dumps(replace_nan(values), indent=2) + "\n", "utf-8")


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Commit and whether tracked files differ from it; None where the folder is not in a git checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "changed": None}
    commit = done.stdout.strip().removesuffix("-dirty")
    return {"commit": commit, "changed": commit != done.stdout.strip()}


if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

Row = Mapping[str, float | int | str]

#: ``seconds`` is the time of the whole step, ``data_seconds`` the time it waited for its samples before.
STEP_COLUMNS = [
    "step",
    "loss",
    "lr",
    "grad_norm",
    "loss_scale",
    "overflows",
    "seconds",
    "images_per_second",
    "data_seconds",
]


class CsvTable:
    """A CSV file that grows by rows; it is opened for each row, so that every row is on disk.

    Args:
        path: the file.
        columns: its columns; the first holds the step.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self.columns = columns

    def truncate(self, step: int) -> None:
        """Drop the rows after ``step``, which a resumed run writes again."""
        rows = [row for row in self.read() if int(row[self.columns[0]]) <= step]
        with translate_os_errors(self.path), self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)

    def read(self) -> list[dict[str, str]]:
        """All complete rows; a last line that a crash cut short is left out."""
        if not self.path.is_file():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values() and None not in row]

    def append(self, row: Row) -> None:
        """Append one row."""
        with translate_os_errors(self.path), self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)


class RunLog:
    """Writes ``steps.csv``, ``checks.csv`` and TensorBoard's file; writes nothing unless ``active``.

    Args:
        folder: of the run.
        step: steps that are done already; rows of later steps, from before a resume, are dropped.
        active: whether this process writes.
    """

    def __init__(self, folder: RunFolder, step: int, active: bool) -> None:
        self._folder = folder
        self._steps = CsvTable(folder.steps, STEP_COLUMNS)
        self._validations: CsvTable | None = None
        self._active = active
        self._board: SummaryWriter | None = None
        self._smooth: float | None = None
        if active:
            self._steps.truncate(step)

    def __enter__(self) -> RunLog:
        """Open TensorBoard's file."""
        if self._active:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(str(self._folder.path / "tensorboard"))
        return self

    def __exit__(self, *_: object) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def add_step(self, row: Row, loss: float) -> float:
        """Log a step; return the running mean of the loss, without steps that overflowed."""
        if math.isfinite(loss):
            self._smooth = loss if self._smooth is None else 0.98 * self._smooth + 0.02 * loss
        if self._active:
            self._steps.append(row)
        if self._board is not None:
            for key in ("loss", "lr", "grad_norm", "images_per_second"):
                self._board.add_scalar(f"train/{key}", float(row[key]), int(row["step"]))
        return loss if self._smooth is None else self._smooth

    def add_validation(self, step: int, metrics: Mapping[str, float], seconds: float, best: bool) -> None:
        """Log the metrics of a validation."""
        if not self._active:
            return
        if self._validations is None:
            self._validations = CsvTable(self._folder.validations, ["step", *metrics, "seconds", "best"])
            self._validations.truncate(step - 1)
        self._validations.append({"step": step, **metrics, "seconds": f"{seconds:.2f}", "best": int(best)})
        if self._board is not None:
            for key, value in metrics.items():
                if math.isfinite(value):
                    self._board.add_scalar(f"val/{key}", value, step)


def plot_curves(folder: RunFolder) -> None:
    """Plot loss, learning rate and validation metrics of a run into ``curves.png``."""
    steps, validations = CsvTable(folder.steps, ["step"]).read(), CsvTable(folder.validations, ["step"]).read()
    if not steps:
        return
    with draw_figure(folder.path / "curves.png", dpi=100, rows=3, figsize=(8, 9), sharex=True) as axes:
        x = [int(row["step"]) for row in steps]
        axes[0].plot(x, [float(row["loss"]) for row in steps], lw=0.6, label="loss")
        axes[0].set_ylabel("training loss")
        axes[1].plot(x, [float(row["lr"]) for row in steps])
        axes[1].set_ylabel("learning rate")
        metrics = [name for name in (validations[0] if validations else {}) if name not in ("step", "seconds", "best")]
        for name in metrics[:4]:
            x = [int(row["step"]) for row in validations]
            axes[2].plot(x, [float(row[name]) for row in validations], marker=".", label=name)
        if validations:
            axes[2].legend()
        axes[2].set(xlabel="step", ylabel="validation")
