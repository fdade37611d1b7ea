"""Try a model in a process of its own before it is opened, because a graph from elsewhere can crash a runtime.

An index out of range in ``GatherND``, for example, is a segmentation fault in OpenVINO. A model that has worked once is
not tried again. What the process compiles is in the cache, from which the model is opened afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..concurrency import start_thread
from ..errors import OutOfMemoryError, RuntimeUnavailableError, TerraSporeError
from ..models.card import card_text, parse_card
from ..models.graph import graph_identity
from ..models.registry import Model
from .base import SessionConfig
from .cache import cache_key, load_measurements, store_measurements
from .measure import synthetic_tiles

_ENGINE = Path(__file__).resolve().parents[1]
#: Loads the package under whatever name its folder has, and calls ``main``.
_PROGRAM = f"""
import pathlib, runpy
runpy.run_path({str(_ENGINE / "launch.py")!r})["load_package"](pathlib.Path({str(_ENGINE.parent)!r}))
from terraspore.engine.runtimes.trial import main
main()
"""
_KILLED = 9


def try_in_child(runtime: str, model: Model, config: SessionConfig) -> None:
    """Open ``model`` and compute a tile in a child process, unless that has worked before.

    A checkpoint whose graph can only be one of the engine's own is not tried. Errors that the runtime reports are left
    to the caller, who meets them when it opens the model.

    Args:
        runtime: name of a runtime that computes in the engine's process.
        model: the model.
        config: device, tile, precision and cache.

    Raises:
        RuntimeUnavailableError: the process crashed, or does not start.
        OutOfMemoryError: the process was killed for lack of memory.
    """
    card = model.card
    own_graphs = model.weights.parent.glob(f"{card.architecture}*.onnx")
    if model.weights.suffix.lower() == ".ckpt" and not any(own_graphs):
        return
    unnamed = replace(model, card=replace(card, name="model"))
    settings = (runtime, config.device, config.precision, str(config.tile))
    name = cache_key("trial", graph_identity(unnamed), *settings) + ".json"
    if load_measurements(config.cache, name):
        return
    job = {
        "runtime": runtime,
        "card": card_text(card),
        "weights": str(model.weights.absolute()),
        "sha256": model.sha256,
        "cache": None if config.cache is None else str(config.cache.absolute()),
        **{field: getattr(config, field) for field in ("device", "tile", "precision", "threads")},
    }
    try:
        with subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
            code = process.wait()  # its stdin stays open until then, because it ends with it
    except OSError as error:
        raise RuntimeUnavailableError(f"No process can be started to try the model: {error.strerror}.") from error
    if code == -_KILLED:
        raise OutOfMemoryError("There was not enough memory to try the model.", "Choose a smaller tile.")
    if code not in {0, 1}:
        how = f"signal {-code}" if code < 0 else f"code {code}"
        raise RuntimeUnavailableError(f"The model ended the process in which it was tried by {how}.")
    if code == 0:
        store_measurements(config.cache, name, {"works": 1.0})


def main() -> None:
    """Run the trial that stdin describes, in the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it as well, and ends this process by its stdin
    job = json.loads(sys.stdin.buffer.readline())
    start_thread(threading.Thread(target=_end_with_parent, daemon=True))
    from .registry import create_runtimes, run_trial

    model = Model(parse_card(job["card"], "of the trial"), Path(job["weights"]), job["sha256"])
    cache = None if job["cache"] is None else Path(job["cache"])
    config = SessionConfig(job["device"], job["tile"], job["precision"], job["threads"], cache)
    try:
        with create_runtimes()[job["runtime"]].open(model, config) as session:
            run_trial(session, model, config.tile)
            session.predict(synthetic_tiles(model.card, config.tile)[:1])
    except TerraSporeError:
        os._exit(1)
    os._exit(0)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
