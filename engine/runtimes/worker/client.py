"""The engine's side of a worker: a process with another interpreter, a pipe for commands, mapped files for tiles."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...concurrency import available_cores, start_thread
from ...errors import InferenceError, OutOfMemoryError, RuntimeUnavailableError
from ...models.card import ModelCard
from ..base import Probabilities, Session, SessionConfig, Tiles, check_tiles
from ..measure import choose_batch_size

HOST_PROGRAM = Path(__file__).with_name("host.py")
#: A file system in memory (Linux). In containers it often has no more than 64 MB.
MEMORY_FOLDER = Path("/dev/shm")
#: Seconds after which a worker which gives no answer is killed. Large tiles take minutes on a slow processor.
ANSWER_TIMEOUT = 600.0
#: Seconds that a worker has to end by itself once its stdin is closed.
EXIT_TIMEOUT = 2.0
_LOG_TAIL_BYTES = 2000
#: Tiles that fit into the shared files.
_CAPACITY = 4
_BATCHES = (1, 2, 4)
#: Errors of file systems which cannot allocate without writing.
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class WorkerProcess(contextlib.AbstractContextManager["WorkerProcess"]):
    """A process which answers commands; a context manager which ends it.

    Args:
        python: the interpreter.
        kind: the runtime in it: ``mindspore-lite`` or ``onnxruntime``.
        program: what it runs; ``host.py`` unless a test says otherwise.
        timeout: seconds to wait for an answer.

    Attributes:
        folder: a temporary folder for files which both sides use.
        greeting: the first answer: ``version``, ``python`` and what else the runtime says of itself.

    Raises:
        InferenceError: it does not start, with the reason.
    """

    def __init__(self, python: Path, kind: str, program: Path = HOST_PROGRAM, timeout: float = ANSWER_TIMEOUT) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="terraspore-"))
        self._folders = [self.folder]
        with contextlib.suppress(OSError):  # there is none, or it is full
            self._folders.append(Path(tempfile.mkdtemp(prefix="terraspore-", dir=MEMORY_FOLDER)))
        self._timeout = timeout
        self._log = (self.folder / "log").open("w+b")
        self._answers: queue.Queue[bytes] = queue.Queue()
        command = [str(python), "-I", str(program), kind, *map(str, self._folders)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=self.folder
            )
        except OSError as error:
            self._remove_files()
            raise InferenceError(f"The interpreter {python} cannot be started: {error.strerror or error}.") from error
        try:
            start_thread(threading.Thread(target=self._read_answers, name="worker-answers", daemon=True))
            self.greeting = self._wait_for_answer("start")
        except BaseException:
            self.close()
            raise

    def call(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Args:
            command: see ``host.py``.
            arguments: of the command, as JSON holds them.

        Raises:
            InferenceError: the answer is an error, or the process died or hangs.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except (ValueError, OSError):
            raise InferenceError(f"The other interpreter has ended{self._describe_exit()}.") from None
        return self._wait_for_answer(command)

    def write_file(self, name: str, content: bytes | memoryview) -> Path:
        """Write a file into ``folder`` for the worker to read.

        Raises:
            InferenceError: it cannot be written.
        """
        path = self.folder / name
        try:
            path.write_bytes(content)
        except OSError as error:
            raise InferenceError(f"{path} cannot be written: {error.strerror or error}.") from error
        return path

    def remove_file(self, path: Path) -> None:
        """Remove a file that is not needed any more; where the worker has it open on Windows, ``close`` does."""
        with contextlib.suppress(OSError):
            path.unlink()

    def create_shared_array(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> np.memmap[Any, Any]:
        """Create an array in a file which both sides map, in memory where there is room for it.

        Args:
            name: of the file; its path is the array's ``filename``.
            shape: of the array.
            dtype: of the array.

        Raises:
            OutOfMemoryError: there is no room for it in the temporary folder either.
        """
        reason = ""
        for folder in reversed(self._folders):
            path = folder / name
            try:
                _allocate_file(path, math.prod(shape) * dtype.itemsize)
                return np.memmap(path, dtype, "r+", shape=tuple(shape))
            except OSError as error:
                path.unlink(missing_ok=True)
                reason = f"{path} cannot be made: {error.strerror or error}"
        raise OutOfMemoryError(f"There is no room for tiles: {reason}.", "Choose a smaller tile.")

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and remove the shared files."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended and left something unread
                self._process.stdin.close()
        try:
            self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._remove_files()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_answers(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put(b"")

    def _wait_for_answer(self, command: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            self._process.kill()
            raise InferenceError(
                f"The other interpreter gave no answer within {self._timeout:g} s ({command}) and was ended."
            ) from None
        if not line:
            self._answers.put(b"")  # for the next call
            raise InferenceError(f"The other interpreter ended while it was asked to {command}{self._describe_exit()}.")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise InferenceError(f"The other interpreter failed ({command}): {str(answer['error']).splitlines()[0]}")
        return answer

    def _describe_exit(self) -> str:
        """Return how the process ended, and the last line that it wrote on stderr."""
        try:
            code = self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(size - _LOG_TAIL_BYTES, 0))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        how = f" by signal {-code}" if code < 0 else f" with code {code}"
        return how + (f" ({lines[-1][:200]})" if lines else "")

    def _remove_files(self) -> None:
        self._log.close()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _allocate_file(path: Path, size: int) -> None:
    """Create a file of ``size`` bytes which has its space: access to a mapped file without space is a SIGBUS.

    Raises:
        OSError: there is no room for it.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
            else:
                return
        block = bytes(1 << 20)
        for start in range(0, size, len(block)):
            file.write(block[: size - start])


@contextlib.contextmanager
def start_worker(python: Path, kind: str, title: str, weights: Path) -> Iterator[WorkerProcess]:
    """Start a worker to load a model, and end it if the block fails.

    Args:
        python: the interpreter.
        kind: see ``WorkerProcess``.
        title: of the runtime, for messages.
        weights: file of the model, for messages.

    Yields:
        The worker, which stays when the block ends well.

    Raises:
        RuntimeUnavailableError: it does not start, or the block raised an ``InferenceError``.
    """
    try:
        worker = WorkerProcess(python, kind)
    except InferenceError as error:
        raise RuntimeUnavailableError(f"{title} does not start: {error.text}") from error
    try:
        yield worker
    except BaseException as error:
        worker.close()
        if isinstance(error, InferenceError):
            raise RuntimeUnavailableError(f"{title} cannot load {weights}: {error.text}") from error
        raise


class WorkerSession(Session):
    """A model in a worker; see ``base.Session``.

    Args:
        worker: the process; ended with the session.
        runtime: name of the runtime.
        precision: the type it computes in.
        card: of the model.
        config: device, tile and threads.
        arguments: what the runtime needs beside these to open the model, see ``host.py``.

    Attributes:
        answer: the worker's answer to ``open``.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        runtime: str,
        precision: str,
        card: ModelCard,
        config: SessionConfig,
        *,
        arguments: Mapping[str, Any],
    ) -> None:
        super().__init__(runtime, precision, card, config, version=str(worker.greeting["version"]))
        self._worker = worker
        try:
            self._tiles = worker.create_shared_array("tiles", (_CAPACITY, *self.shape), self.dtype)
            results = (_CAPACITY, self.classes, config.tile, config.tile)
            self._results = worker.create_shared_array("results", results, np.dtype(np.float32))
            self.answer = worker.call(
                "open",
                threads=config.threads or available_cores(),
                tiles=str(self._tiles.filename),
                tiles_shape=self._tiles.shape,
                tiles_dtype=self.dtype.name,
                results=str(self._results.filename),
                results_shape=self._results.shape,
                **arguments,
            )
            self._batch = choose_batch_size(self.predict, self.shape, self.dtype, _BATCHES)
        except BaseException:
            self.close()
            raise

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Return the probabilities of ``tiles``; see ``Session.predict``."""
        tiles = check_tiles(tiles, self.shape, self.dtype)
        result = np.empty((len(tiles), *self._results.shape[1:]), np.float32)
        for start in range(0, len(tiles), _CAPACITY):
            part = tiles[start : start + _CAPACITY]
            self._tiles[: len(part)] = part
            self._worker.call("run", count=len(part))
            result[start : start + len(part)] = self._results[: len(part)]
        return result

    def is_alive(self) -> bool:
        """Return whether the worker runs."""
        return self._worker.is_alive()

    def close(self) -> None:
        """Close the mapped files, which Windows would not remove otherwise, and end the worker."""
        for name in ("_tiles", "_results"):
            vars(self).pop(name, None)
        self._worker.close()
