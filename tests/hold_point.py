"""Run TerraSpore and hold it at a chosen step, so that a test can act on it exactly there.

    HOLD=hold.json python hold_point.py ARGUMENTS...

A step is an event of one kind in a run, counted from 1:

- ``tile``: a batch of tiles was computed;
- ``row``: a row of tiles was stored in the journal and flushed to the disk;
- ``file``: Python is about to open, rename, remove ... a file in a chosen folder;
- ``predict``: the network is about to be called.

The engine creates a marker file when it reaches the step, and waits until the marker is removed or its run is
cancelled. The point can be changed between the runs of ``serve``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

from waiting import wait_for

#: Takes the arguments of ``terraspore``; needs ``HoldPoint.environment``.
HELD_COMMAND = (sys.executable, str(Path(__file__).resolve()))
#: Batches of tiles that a run may finish after its cancel: those that were computed ahead.
MAX_LATE_BATCHES = 8
#: Seconds that a held run may take to end after a cancel; the engine's own limit of a second depends on the machine.
GRACE = 200.0


@dataclass(frozen=True)
class HoldPoint:
    """The step at which an engine is held, as the test sees it.

    Attributes:
        folder: for the files through which test and engine communicate.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the engine's process."""
        return {"HOLD": str(self.folder / "hold.json")}

    @property
    def marker(self) -> Path:
        """Exists while the engine is held."""
        return self.folder / "reached"

    def set(self, step: str | None, number: int = 1, *, watched: Path | None = None, waits: bool = True) -> HoldPoint:
        """Choose the step for the runs that start from now on.

        Args:
            step: ``tile``, ``row``, ``file`` or ``predict``; None only counts.
            number: which one.
            watched: the folder of ``file``.
            waits: whether the engine waits there, or only creates the marker.

        Returns:
            This object.
        """
        self.marker.unlink(missing_ok=True)
        watched_folder = None if watched is None else str(watched)
        settings = {"step": step, "number": number, "watched": watched_folder, "waits": waits}
        (self.folder / "hold.json").write_text(json.dumps(settings))
        return self

    def is_reached(self) -> bool:
        """Whether the engine has reached the step."""
        return self.marker.exists()

    def release(self) -> None:
        """Let the engine continue."""
        self.marker.unlink()

    def counts(self) -> dict[str, int]:
        """How many steps of each kind the last run had; ``late`` are batches of tiles after its cancel."""
        path = self.folder / "counts.json"
        wait_for(path.exists)
        return json.loads(path.read_text())


class StepCounter:
    """Counts the steps of a run in the engine's process, and holds it at one of them.

    Args:
        path: the file with the settings of ``HoldPoint.set``.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._counts_file = path, path.with_name("counts.json")
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self.start_run()

    def start_run(self) -> None:
        """Read the settings and count from 1 again."""
        self._counts_file.unlink(missing_ok=True)
        self._settings = json.loads(self._path.read_text())
        self._counts: Counter[str] = Counter()
        self._cancelled.clear()

    def end_run(self) -> None:
        """Write the counts."""
        partial = self._counts_file.with_suffix(".partial")
        partial.write_text(json.dumps(self._counts))
        partial.replace(self._counts_file)

    def cancel(self) -> None:
        """Continue a held run because it was cancelled."""
        self._cancelled.set()

    def count(self, step: str) -> None:
        """Count a step; wait where it is the chosen one."""
        with self._lock:
            self._counts[step] += 1
            self._counts["late"] += step == "tile" and self._cancelled.is_set()
            number = self._counts[step]
        if (step, number) != (self._settings["step"], self._settings["number"]):
            return
        marker = self._path.parent / "reached"
        marker.touch()
        while self._settings["waits"] and marker.exists() and not self._cancelled.wait(0.005):
            pass

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Count operations on files in the watched folder (an audit hook of Python)."""
        watched = self._settings["watched"]
        if watched is not None and arguments and (event == "open" or event.startswith("os.")):
            path = arguments[0]
            if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(watched + os.sep):
                self.count("file")

    def choose_grace(self, grace: float) -> float:
        """How long a cancelled run may take to end."""
        return GRACE if self._settings["waits"] else grace


def install(path: Path) -> None:
    """Make this process count its steps.

    Args:
        path: the file with the settings of ``HoldPoint.set``.
    """
    from terraspore.engine.raster.gdal_environment import configure_environment

    configure_environment()
    from terraspore.engine.cli import cli_context, main, serve
    from terraspore.engine.context import Cancellation
    from terraspore.engine.fs import journal
    from terraspore.engine.pipeline.resume import RowJournal
    from terraspore.engine.pipeline.runner import ProgressTracker
    from terraspore.engine.runtimes import onnxruntime, registry

    counter = StepCounter(path)
    # Batch sizes are measured otherwise, so that the number of batches would depend on the load of the machine.
    onnxruntime.choose_batch_size = lambda *_arguments: 1
    registry.try_in_child = lambda *_arguments: None  # another process, in which nothing is counted
    journal._FLUSH_PAUSE_FACTOR = 0  # each row is flushed, however long that takes on this disk
    serve.STOP_GRACE = GRACE
    _call_after(ProgressTracker, "advance", lambda _self: counter.count("tile"))
    _call_after(RowJournal, "append", lambda _self: counter.count("row"))
    for name in ("cancel", "abandon"):
        _call_after(Cancellation, name, lambda self: counter.cancel() if type(self) is Cancellation else None)
    predict, run_group = onnxruntime.OnnxRuntimeSession.predict, main.run_group
    end_after_grace = cli_context.end_after_grace

    def counted_predict(self, tiles, batch=None):
        counter.count("predict")
        return predict(self, tiles, batch)

    def counted_run(group, arguments, context):
        counter.start_run()
        try:
            return run_group(group, arguments, context)
        finally:
            counter.end_run()

    def end_after_long_grace(cancellation, reporter, context, grace=cli_context.STOP_GRACE):
        return end_after_grace(cancellation, reporter, context, counter.choose_grace(grace))

    onnxruntime.OnnxRuntimeSession.predict = counted_predict
    main.run_group = counted_run
    cli_context.end_after_grace = end_after_long_grace
    sys.addaudithook(counter.audit)


def _call_after(owner: type, name: str, function) -> None:
    """Replace a method by one that calls ``function(self)`` afterwards."""
    method = getattr(owner, name)

    @wraps(method)
    def call(self, *arguments):
        method(self, *arguments)
        function(self)

    setattr(owner, name, call)


if __name__ == "__main__":
    from terraspore.__main__ import main as run_main

    install(Path(os.environ["HOLD"]))
    run_main()
