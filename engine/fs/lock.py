"""One run at a time for each output and each run folder.

The system's own file locks are used: they end with the process, however it ends, so what a crash leaves is an empty
promise that the next run takes over. Where a file system has no locks (some network shares), there is no protection.
The standard library alone, also for the Python of an old QGIS.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import OutputBusyError, ParameterError
from .atomic import check_output_path, cleanup_on_abort, remove_stale_temp_files, translate_os_error
from .paths import hidden_path

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
#: The byte that is locked on Windows, where a locked one cannot be read: behind the owner's number.
_BYTE = 1 << 20
if sys.platform == "win32":
    import msvcrt

    def _take(handle: int, _shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        os.lseek(handle, _BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int, shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


@contextmanager
def lock_paths(targets: Sequence[Path]) -> Iterator[None]:
    """Keep other runs from writing ``targets`` during the block.

    Raises:
        OutputBusyError: another run is writing one of them.
        OutputError: the folder cannot be written to.
    """
    with ExitStack() as stack:
        for target in targets:
            stack.enter_context(
                _locked(lock_file_path(target), target, f"The output {target}", "choose another output")
            )
        yield


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other runs from writing into the run folder ``folder`` during the block.

    Raises:
        OutputBusyError: another run is writing into it.
        OutputError: it cannot be written to.
    """
    with _locked(folder / ".lock", folder, f"The run folder {folder}", "choose another --out"):
        yield


def lock_file_path(target: Path) -> Path:
    """The lock file of an output; it is there while a run writes the output, or after a crash."""
    return hidden_path(target, "lock")


def is_locked(target: Path) -> bool:
    """Whether a living run is writing ``target``."""
    try:
        handle = os.open(lock_file_path(target), os.O_RDWR)
    except OSError:
        return False
    try:
        _take(handle, True)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(handle)
    return False


@contextmanager
def _locked(path: Path, target: Path, what: str, advice: str) -> Iterator[None]:
    try:
        handle = _acquire(path)
    except OSError as error:
        raise translate_os_error(error, target) from error
    if handle is None:
        raise OutputBusyError(
            f"{what} is being written by another run{_owner(path)}.", f"Wait for its end, cancel it, or {advice}."
        )
    release = _releasing(path, handle)
    with cleanup_on_abort(release):
        try:
            yield
        finally:
            release()


def _acquire(path: Path) -> int | None:
    """A locked descriptor of ``path``; None where another run has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _take(handle, False)
            # Whoever held the lock before may have removed the file between our two calls: then it locks nothing.
            if os.name == "posix" and not _is_still(path, handle):
                os.close(handle)
                continue
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return handle
            os.close(handle)
            if error.errno in _HELD:
                return None
            raise
        with suppress(OSError):  # the number is for the sentence of others only; the disk may be full
            os.truncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        return handle


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _releasing(path: Path, handle: int) -> Callable[[], None]:
    """What removes the lock file and frees the lock, once."""
    left = [handle]

    def release() -> None:
        """Let the lock go, once."""
        for descriptor in left[:1]:
            left.clear()
            if os.name == "posix":  # first the name, so that nobody locks a file that is about to go
                path.unlink(missing_ok=True)
            os.close(descriptor)
            if os.name != "posix":  # Windows removes no open file; another run may have opened it by now
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    return release


def _owner(path: Path) -> str:
    try:
        words = path.read_bytes()[:20].decode("ascii").split()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {words[0]})" if words and words[0].isdigit() else ""


@contextmanager
def lock_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path]) -> Iterator[None]:
    """Acquire exclusive access to the output files and remove stale temporary files.

    Args:
        outputs: the files that will be written; None stands for an optional output that is not written.
        inputs: the files that the outputs are made from.

    Raises:
        ParameterError: an output is one of the inputs, or is given twice.
        OutputError: an output cannot be written, or is being written by another run.
    """
    paths = [path for path in outputs if path is not None]
    resolved = [path.resolve() for path in paths]
    sources = {path.resolve() for path in inputs}
    for path, real in zip(paths, resolved, strict=True):
        if real in sources:
            raise ParameterError(f"The output {path} is the input itself.")
        if resolved.count(real) > 1:
            raise ParameterError(f"The output {path} is named twice.")
        check_output_path(path)
    with lock_paths(paths):
        for path in paths:
            remove_stale_temp_files(path)
        yield
