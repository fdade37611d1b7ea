"""Runs a model in another Python interpreter: ``python -I remote_host.py``.

This file stands alone. It needs NumPy and a runtime, and any CPython from 3.7 on, because MindSpore Lite's wheels on
PyPI exist for 3.7 only. The engine starts it, talks to it in JSON lines (a command on stdin, an answer on stdout),
and shares tiles and results with it through memory-mapped files, so that no pixel passes the pipe. The end of stdin
ends it.

Commands, by the key ``do``:

- ``convert``: ``source`` (ONNX file), ``target`` (MINDIR file to write), ``device``.
- ``open``: ``model`` (MINDIR file), ``device``, ``index``, ``threads``, ``half``; ``tiles`` and ``results`` (files),
  ``tiles_shape``, ``tiles_dtype``, ``results_shape``.
- ``run``: ``count``, the number of tiles in the file to compute.

Answers: ``{"ok": true, ...}``, or ``{"ok": false, "error": text}``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List  # noqa: UP035 (Python 3.7 has no dict[...] at run time)

import numpy as np

Command = Dict[str, Any]  # noqa: UP006


class LiteHost:
    """One model in MindSpore Lite."""

    def __init__(self) -> None:
        import mindspore_lite

        self.lite = mindspore_lite
        self.model: Any = None
        self.inputs: List[Any] = []  # noqa: UP006
        self.tiles: Any = None
        self.results: Any = None

    def convert(self, command: Command) -> Command:
        """Convert an ONNX file to the MINDIR that this version reads."""
        converter = self.lite.Converter()
        converter.save_type = self.lite.ModelType.MINDIR
        if command["device"] == "ascend":
            converter.optimize = "ascend_oriented"
        target = command["target"]
        stem = target[: -len(".mindir")] if target.endswith(".mindir") else target
        converter.convert(self.lite.FmkType.ONNX, command["source"], stem)
        return {}

    def open(self, command: Command) -> Command:
        """Load a model and map the files of tiles and results."""
        device = "gpu" if command["device"] == "cuda" else command["device"]
        context = self.lite.Context()
        context.target = [device]
        settings = {"cpu": context.cpu, "gpu": context.gpu, "ascend": context.ascend}[device]
        settings.precision_mode = "preferred_fp16" if command["half"] else "enforce_fp32"
        if device == "cpu":
            settings.thread_num = command["threads"]
        else:
            settings.device_id = command["index"]
        self.model = self.lite.Model()
        self.model.build_from_file(command["model"], self.lite.ModelType.MINDIR, context)
        self.inputs = self.model.get_inputs()
        self.tiles = np.memmap(command["tiles"], command["tiles_dtype"], "r", shape=tuple(command["tiles_shape"]))
        self.results = np.memmap(command["results"], "float32", "r+", shape=tuple(command["results_shape"]))
        return {}

    def run(self, command: Command) -> Command:
        """Compute the first ``count`` tiles, one by one."""
        for index in range(command["count"]):
            self.inputs[0].set_data_from_numpy(np.ascontiguousarray(self.tiles[index : index + 1]))
            outputs = self.model.predict(self.inputs)
            self.results[index : index + 1] = outputs[0].get_data_to_numpy()
        return {}


def serve(host: LiteHost, lines: Any, answers: Any) -> None:
    """Answer the commands in ``lines`` until they end."""
    actions = {"convert": host.convert, "open": host.open, "run": host.run}
    for line in lines:
        command = json.loads(line)
        try:
            answer = dict(actions[command["do"]](command), ok=True)
        except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
            answer = {"ok": False, "error": "{}: {}".format(type(error).__name__, error)}  # noqa: UP032
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Start, say what is there, and serve."""
    # Native libraries print on descriptor 1; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        host = LiteHost()
        hello = {"ok": True, "version": getattr(host.lite, "__version__", "unknown"), "python": sys.version.split()[0]}
    except (ImportError, OSError) as error:
        hello = {"ok": False, "error": "{}: {}".format(type(error).__name__, error)}  # noqa: UP032
    answers.write(json.dumps(hello) + "\n")
    answers.flush()
    if hello["ok"]:
        serve(host, sys.stdin, answers)


if __name__ == "__main__":
    main()
