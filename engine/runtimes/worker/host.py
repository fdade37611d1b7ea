"""Runs a model in another Python process: ``python -I host.py mindspore-lite|onnxruntime FOLDER...``.

This file stands alone. It needs NumPy and a runtime, and any CPython from 3.7 on, because MindSpore Lite's wheels on
PyPI exist for 3.7 only. The engine starts it, talks to it in JSON lines (a command on stdin, an answer on stdout), and
shares tiles and results with it through memory-mapped files in the FOLDERs, so that no pixel passes the pipe. The
process ends when stdin does; it then removes the FOLDERs, because the engine may have been killed and one of them may
be in memory.

The first answer comes without a command: ``version`` of the runtime, ``python``, and for ONNX Runtime ``providers``.

Commands, by the key ``do``:

- ``convert`` (MindSpore Lite): ``source`` (ONNX file), ``target`` (MINDIR file to write), ``device``.
- ``open``: ``model`` (MINDIR or ONNX file), ``threads``; ``tiles`` and ``results`` (files), ``tiles_shape``,
  ``tiles_dtype``, ``results_shape``; for MindSpore Lite ``device``, ``index``, ``half``; for ONNX Runtime
  ``provider``, ``options``, ``sizes`` (of the graph's open dimensions).
- ``run``: ``count``, the number of tiles in the file to compute.

Answers: ``{"ok": true, ...}``, or ``{"ok": false, "error": text}``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any, Dict, List  # noqa: UP035 (Python 3.7 has no dict[...] at run time)

import numpy as np

Command = Dict[str, Any]  # noqa: UP006


class Worker:
    """A model and the mapped files of its tiles and results; one class for each runtime."""

    def __init__(self) -> None:
        self.version = "unknown"
        self.details: Command = {}
        self.errors: Any = (RuntimeError, ValueError, TypeError, OSError, MemoryError)
        self.tiles: Any = None
        self.results: Any = None

    def convert(self, command: Command) -> Command:
        """Write the file that the runtime reads."""
        raise ValueError("there is nothing to convert")

    def load(self, command: Command) -> Command:
        """Load a model; return what the answer says of it."""
        raise ValueError("there is nothing to open")

    def infer(self, tiles: Any) -> Any:
        """Return the probabilities of one tile, (1, classes, height, width)."""
        raise ValueError("there is no model")

    def open(self, command: Command) -> Command:
        """Load a model and map the files of tiles and results."""
        answer = self.load(command)
        self.tiles = np.memmap(command["tiles"], command["tiles_dtype"], "r", shape=tuple(command["tiles_shape"]))
        self.results = np.memmap(command["results"], "float32", "r+", shape=tuple(command["results_shape"]))
        return answer

    def run(self, command: Command) -> Command:
        """Compute the first ``count`` tiles, one by one."""
        for index in range(command["count"]):
            self.results[index : index + 1] = self.infer(np.ascontiguousarray(self.tiles[index : index + 1]))
        return {}


class MindSporeLiteWorker(Worker):
    """One model in MindSpore Lite."""

    def __init__(self) -> None:
        super().__init__()
        import mindspore_lite

        self.lite = mindspore_lite
        self.version = getattr(mindspore_lite, "__version__", "unknown")
        self.model: Any = None
        self.inputs: List[Any] = []  # noqa: UP006

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

    def load(self, command: Command) -> Command:
        """Load a MINDIR which ``convert`` wrote."""
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
        return {}

    def infer(self, tiles: Any) -> Any:
        """Return the probabilities of one tile, (1, classes, height, width)."""
        self.inputs[0].set_data_from_numpy(tiles)
        return self.model.predict(self.inputs)[0].get_data_to_numpy()


class OnnxRuntimeWorker(Worker):
    """One model in ONNX Runtime."""

    def __init__(self) -> None:
        super().__init__()
        import onnxruntime

        self.library = onnxruntime
        onnxruntime.disable_telemetry_events()  # of the builds for Windows
        self.version = onnxruntime.__version__
        self.details = {"providers": onnxruntime.get_available_providers()}
        # Its own errors derive from Exception alone.
        state = vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        self.errors += tuple(entry for entry in state if isinstance(entry, type) and issubclass(entry, Exception))
        self.session: Any = None

    def load(self, command: Command) -> Command:
        """Load an ONNX file; the answer names the provider which is really used."""
        settings = self.library.SessionOptions()
        settings.intra_op_num_threads = command["threads"]
        settings.log_severity_level = 4
        for name, size in command["sizes"].items():
            settings.add_free_dimension_override_by_name(name, size)
        providers: List[Any] = [(command["provider"], command["options"])]  # noqa: UP006
        if command["provider"] != "CPUExecutionProvider":
            providers.append("CPUExecutionProvider")
        if command["provider"] in ("CUDAExecutionProvider", "TensorrtExecutionProvider"):
            # CUDA's libraries as packages of pip are on no search path; older versions have no such function.
            getattr(self.library, "preload_dlls", int)()
        self.session = self.library.InferenceSession(command["model"], settings, providers=providers)
        return {"provider": self.session.get_providers()[0]}

    def infer(self, tiles: Any) -> Any:
        """Return the probabilities of one tile, (1, classes, height, width)."""
        return self.session.run(None, {self.session.get_inputs()[0].name: tiles})[0]


def serve(worker: Worker, commands: Any, answers: Any) -> None:
    """Answer each line of ``commands`` with a line in ``answers``."""
    actions = {"convert": worker.convert, "open": worker.open, "run": worker.run}
    for line in commands:
        command = json.loads(line)
        try:
            answer = dict(actions[command["do"]](command), ok=True)
        except worker.errors as error:
            answer = {"ok": False, "error": "{}: {}".format(type(error).__name__, error)}  # noqa: UP032
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Load the runtime, describe it, and serve commands until stdin ends."""
    # Native libraries print on descriptor 1; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        worker = {"mindspore-lite": MindSporeLiteWorker, "onnxruntime": OnnxRuntimeWorker}[sys.argv[1]]()
        greeting = dict(worker.details, ok=True, version=worker.version, python=sys.version.split()[0])
    except (ImportError, OSError) as error:
        greeting = {"ok": False, "error": "{}: {}".format(type(error).__name__, error)}  # noqa: UP032
    print(json.dumps(greeting), file=answers, flush=True)
    if greeting["ok"]:
        serve(worker, sys.stdin, answers)
        del worker  # Windows removes neither mapped files nor the working folder
        os.chdir(os.path.dirname(sys.argv[2]))  # noqa: PTH120
        for folder in sys.argv[2:]:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
