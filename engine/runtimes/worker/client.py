"""The engine's side of a model in another interpreter: a process, a pipe for commands, and mapped files for tiles."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...concurrency import start_thread
from ...errors import InferenceError, OutOfMemoryError
from ...models.card import ModelCard
from ..base import PredictionStream, Probabilities, SessionConfig, Tiles, check_tiles, map_batches
from ..hardware import available_cores
from ..measure import choose_batch_size

HOST_PROGRAM = Path(__file__).with_name("host.py")
#: Seconds after which a process that gives no answer is taken to hang, and is ended.
ANSWER_TIMEOUT = 120.0
#: Seconds that a process has to end by itself once its input is closed.
EXIT_TIMEOUT = 2.0
_LAST_WORDS = 2000
#: Tiles that fit into the shared files.
_CAPACITY = 4
_BATCHES = (1, 2, 4)


class WorkerProcess:
    """A process that answers commands; a context manager that ends it.

    Args:
        python: the interpreter.
        kind: the runtime in it: ``mindspore-lite`` or ``onnxruntime``.
        program: what it runs; ``host.py`` unless a test says otherwise.
        patience: seconds to wait for an answer.

    Raises:
        InferenceError: it does not start; the sentence says why.
    """

    def __init__(self, python: Path, kind: str, program: Path = HOST_PROGRAM, patience: float = ANSWER_TIMEOUT) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="terraspore-", dir=_memory_folder()))
        self._patience = patience
        self._log = (self.folder / "log").open("w+b")
        self._answers: queue.Queue[bytes] = queue.Queue()
        command = [str(python), "-I", str(program), kind, str(self.folder)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=self.folder
            )
        except OSError as error:
            self._remove()
            raise InferenceError(f"The interpreter {python} cannot be started: {error.strerror or error}.") from error
        try:
            start_thread(threading.Thread(target=self._listen, name="remote-host", daemon=True))
            self.hello = self._answer("starting")
        except (InferenceError, OutOfMemoryError):
            self.close()
            raise

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            InferenceError: the answer is an error, or the process died or hangs.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError, OSError):
            raise InferenceError(f"The other interpreter has ended{self._last_words()}.") from None
        return self._answer(str(command["do"]))

    def mapped(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A new file ``name`` in the folder that both sides share, mapped as an array."""
        return np.memmap(self.folder / name, dtype, "w+", shape=tuple(shape))

    def close(self) -> None:
        """End the process and remove the shared folder."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended and left something unread
                self._process.stdin.close()
        try:
            self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._remove()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put(b"")

    def _answer(self, doing: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self._patience)
        except queue.Empty:
            self._process.kill()
            raise InferenceError(
                f"The other interpreter gave no answer within {self._patience:g} s ({doing}) and was ended."
            ) from None
        if not line:
            self._answers.put(b"")
            raise InferenceError(f"The other interpreter ended while it was asked to {doing}{self._last_words()}.")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise InferenceError(f"The other interpreter failed ({doing}): {str(answer['error']).splitlines()[0]}")
        return answer

    def _last_words(self) -> str:
        """How the process ended, and the last line that it wrote."""
        try:
            code = self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(size - _LAST_WORDS, 0))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        how = f" by signal {-code}" if code < 0 else f" with code {code}"
        return how + (f" ({lines[-1][:200]})" if lines else "")

    def _remove(self) -> None:
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class WorkerSession:
    """A model in another process; see ``base.Session``.

    Args:
        host: the process; ended with the session.
        runtime: name of the runtime.
        precision: what it computes in.
        card: of the model.
        request: device, tile and threads.
        settings: what the runtime needs beside that to open the model.
    """

    def __init__(
        self,
        host: WorkerProcess,
        runtime: str,
        precision: str,
        card: ModelCard,
        request: SessionConfig,
        **settings: Any,
    ) -> None:
        self.runtime, self.device, self.precision = runtime, request.device, precision
        self._host = host
        self._shape = (card.bands, request.tile, request.tile)
        self._dtype = np.dtype(card.dtype)
        results = (_CAPACITY, len(card.classes), request.tile, request.tile)
        self._tiles = host.mapped("tiles", (_CAPACITY, *self._shape), self._dtype)
        self._results = host.mapped("results", results, np.dtype(np.float32))
        #: What the process answered to the opening.
        self.opened = host.ask(
            do="open",
            threads=request.threads or available_cores(),
            tiles=str(host.folder / "tiles"),
            tiles_shape=self._tiles.shape,
            tiles_dtype=self._dtype.name,
            results=str(host.folder / "results"),
            results_shape=self._results.shape,
            **settings,
        )
        self.batch = choose_batch_size(self.predict, self._shape, self._dtype, _BATCHES)

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Probabilities of ``tiles``; see ``Session.predict``."""
        tiles = check_tiles(tiles, self._shape, self._dtype)
        result = np.empty((len(tiles), *self._results.shape[1:]), np.float32)
        for begin in range(0, len(tiles), _CAPACITY):
            part = tiles[begin : begin + _CAPACITY]
            self._tiles[: len(part)] = part
            self._host.ask(do="run", count=len(part))
            result[begin : begin + len(part)] = self._results[: len(part)]
        return result

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Probabilities of ``batches``, one call for each; see ``Session.predict_stream``."""
        return map_batches(self.predict)(batches)

    def close(self) -> None:
        """End the process."""
        self._host.close()


def _memory_folder() -> Path | None:
    """A folder whose files are in memory, where the system has one."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None
