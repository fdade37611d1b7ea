"""Measure the first and the second click on Extract Roads after a set-up: engine started, layer file written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from measure import terraspore
from rows import Row, show
from terraspore.engine.pipeline.prepare import DEMO_IMAGE
from terraspore.engine.runtimes.cache import FOLDER_VARIABLE

#: Seconds that are aimed for: of the preparation, and from each click to the layer.
PREPARATION_AIM, FIRST_AIM, SECOND_AIM = 30.0, 5.0, 2.0


def clicks(folder: Path) -> list[Row]:
    """Prepare with empty caches, then run the demo's tile twice in one engine process, as QGIS does.

    Args:
        folder: for the caches and the layers.
    """
    os.environ.update({FOLDER_VARIABLE: str(folder / "models"), "NUMBA_CACHE_DIR": str(folder / "kernels")})
    prepared = terraspore("prepare")
    compiled = prepared.events()[-1][1]["summary"]["compiled"]
    note = f"processor time {prepared.cpu:.1f} s, {compiled} functions"
    rows = [show(Row("preparation in the set-up", "s", prepared.seconds, PREPARATION_AIM, note=note))]
    begin = time.perf_counter()
    command = [sys.executable, "-m", "terraspore", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as engine:
        used = 0.0
        for number, (name, aim) in enumerate({"first click": FIRST_AIM, "second click": SECOND_AIM}.items()):
            result = _run(engine, number, folder / f"roads{number}.gpkg")
            seconds, total = time.perf_counter() - begin, sum(psutil.Process(engine.pid).cpu_times()[:2])
            note = f"processor time {total - used:.1f} s; {result['summary']['roads']} lines"
            rows.append(show(Row(f"{name}: to the layer's file", "s", seconds, aim, note=note)))
            begin, used = time.perf_counter(), total
    return rows


def _run(engine: subprocess.Popen[str], number: int, output: Path) -> dict[str, Any]:
    """Extract the roads of the demo's tile and return the result.

    Raises:
        SystemExit: the run failed.
    """
    assert engine.stdin is not None
    assert engine.stdout is not None
    arguments = ["extract", "roads", str(DEMO_IMAGE), "-o", str(output)]
    engine.stdin.write(json.dumps({"type": "run", "id": number, "arguments": arguments}) + "\n")
    engine.stdin.flush()
    event: dict[str, Any] = next(
        found for found in map(json.loads, engine.stdout) if found["type"] in {"result", "error"}
    )
    if event["type"] == "error":
        sys.exit(f"{' '.join(arguments)} failed: {event['text']}")
    return event
