"""A training step against the same step in PyTorch, in pairs that alternate."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rows import Row, show
from step_server import CLASSES, READY
from terraspore.engine.concurrency import available_cores
from terraspore.engine.errors import TerraSporeError
from terraspore.training.config import TrainConfig
from terraspore.training.onednn import select_convolutions

HERE = Path(__file__).resolve().parent
#: Names an interpreter that has PyTorch and NumPy; without it, the benchmark makes an environment of its own.
PYTHON_VARIABLE = "TERRASPORE_TORCH_PYTHON"
ENVIRONMENT = HERE.parents[1] / ".venv-torch"
#: Highest ratio of the times, by precision and the convolution that is compared.
AIMS = {"float32": ("onednn", 1.15), "bfloat16": ("onednn_bfloat16", 1.3)}


def compare_with_torch(rounds: int) -> list[Row]:
    """Measure a step of each network and precision in both, ``rounds`` times; skip what this machine cannot do."""
    try:
        python = find_torch()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  Steps are not compared with PyTorch, which cannot be installed: {error}")
        return []
    rows = []
    for precision, (convolution, aim) in AIMS.items():
        try:
            select_convolutions(TrainConfig(convolution=convolution))
        except TerraSporeError as error:
            print(f"  Steps in {precision} are not compared with PyTorch: {error}")
            continue
        for network in CLASSES:
            ours = [sys.executable, "train_step.py", network, convolution]
            theirs = [python, "torch_step.py", network, precision, str(available_cores())]
            with _stepper(ours) as one, _stepper(theirs) as other:
                times = np.array([(next(one), next(other)) for _ in range(rounds)])
            rows.append(show(_row(network, precision, times, aim)))
    return rows


def _row(network: str, precision: str, times: NDArray[np.float64], aim: float) -> Row:
    """Row of ``times`` (rounds, ours and PyTorch's, wall and processor seconds); medians."""
    wall, processor = np.median(times, axis=0).T
    ratio = float(np.median(times[:, 0, 0] / times[:, 1, 0]))
    note = f"{wall[0]:.2f} s against {wall[1]:.2f} s; processor time {processor[0]:.2f} s against {processor[1]:.2f} s"
    return Row(f"{network}: a step in {precision} / PyTorch's", "times", ratio, aim, note=note)


@contextmanager
def _stepper(command: list[str]) -> Iterator[Iterator[tuple[float, float]]]:
    """Start a step server; the iterator runs a step and gives wall and processor seconds."""
    # PyTorch's threads otherwise spin after each operator and slow everything else down.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def step() -> Iterator[tuple[float, float]]:
            while True:
                stdin.write("\n")
                stdin.flush()
                wall, processor = map(float, stdout.readline().split())
                yield wall, processor

        if not any(line.strip() == READY for line in iter(stdout.readline, "")):
            sys.exit(f"{' '.join(command)} failed.")
        yield step()
        stdin.close()


def find_torch() -> str:
    """Return an interpreter with PyTorch; installs it with pip, as pip is configured, if there is none.

    Raises:
        OSError, CalledProcessError: it cannot be installed.
    """
    if named := os.environ.get(PYTHON_VARIABLE):
        return named
    python = ENVIRONMENT / "bin" / "python"
    check = [str(python), "-c", "import torch, numpy"]
    if not python.exists() or subprocess.run(check, capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return str(python)
