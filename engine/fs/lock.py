"""Locks: one run at a time for each output and each run folder.

They are the system's own file locks, which end with the process however it ends, so a lock file left by a crash is
taken over by the next run. File systems without locks (some network shares) give no protection.

Standard library only (so not ``filelock``), Python 3.9: the QGIS plugin imports it with the journal.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import OutputBusyError, ParameterError
from .atomic import check_output_path, cleanup_on_abort, remove_stale_temp_files, translate_os_errors
from .paths import hidden_path

_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
#: The byte that is locked on Windows, where a locked byte cannot be read: after the owner's process id.
_LOCKED_BYTE = 1 << 20
if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, _shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int, shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


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
    # Path.resolve() raises RuntimeError for a loop of links; whoever opens such an input reports it.
    resolved = [os.path.realpath(path) for path in paths]
    sources = {os.path.realpath(path) for path in inputs}
    for path, real in zip(paths, resolved, strict=True):
        if real in sources:
            raise ParameterError(f"The output {path} is the input itself.")
        if resolved.count(real) > 1:
            raise ParameterError(f"The output {path} is given twice.")
        check_output_path(path)
    with lock_paths(paths):
        for path in paths:
            remove_stale_temp_files(path)
        yield


@contextmanager
def lock_paths(targets: Sequence[Path]) -> Iterator[None]:
    """Hold the locks of ``targets`` during the block, without any check of the files.

    Raises:
        OutputBusyError: another run is writing one of them.
        OutputError: the folder cannot be written to.
    """
    with ExitStack() as stack:
        for target in targets:
            path = lock_file_path(target)
            stack.enter_context(_hold_lock(path, target, f"The output {target}", "choose another output"))
        yield


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of the run folder ``folder`` during the block.

    Raises:
        OutputBusyError: another run is writing into it.
        OutputError: it cannot be written to.
    """
    with _hold_lock(folder / ".lock", folder, f"The run folder {folder}", "choose another --out"):
        yield


def lock_file_path(target: Path) -> Path:
    """Return the path of the lock file of an output; it exists while a run writes the output, and after a crash."""
    return hidden_path(target, "lock")


def is_locked(target: Path) -> bool:
    """Whether a running process is writing ``target``."""
    try:
        handle = os.open(lock_file_path(target), os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(handle, True)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(handle)
    return False


@contextmanager
def _hold_lock(path: Path, target: Path, subject: str, advice: str) -> Iterator[None]:
    """Hold the lock file ``path`` of ``target``; ``subject`` and ``advice`` are for the message if it is held."""
    with translate_os_errors(target):
        handle = _acquire(path)
    if handle is None:
        raise OutputBusyError(
            f"{subject} is being written by another run{_describe_owner(path)}.",
            f"Wait until it has finished, cancel it, or {advice}.",
        )
    handles = [handle]

    def release() -> None:
        """Remove the lock file and release the lock; a second call does nothing."""
        while handles:
            descriptor = handles.pop()
            if os.name == "posix":  # the name first, so that no process locks a file that is about to be removed
                path.unlink(missing_ok=True)
            os.close(descriptor)
            if os.name != "posix":  # Windows removes no open file; another run may have opened it by now
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    with cleanup_on_abort(release):
        try:
            yield
        finally:
            release()


def _acquire(path: Path) -> int | None:
    """Open and lock ``path``; None if another run holds the lock."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle, False)
            # The previous holder may have removed the file between our two calls: then the lock protects nothing.
            if os.name == "posix" and not _is_same_file(path, handle):
                os.close(handle)
                continue
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return handle
            os.close(handle)
            if error.errno in _HELD:
                return None
            raise
        with suppress(OSError):  # the id is only for the message of other runs; the disk may be full
            os.truncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        return handle


def _is_same_file(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _describe_owner(path: Path) -> str:
    """Return the owner of a lock file for a message; empty if it is not known."""
    try:
        fields = path.read_bytes()[:20].decode("ascii").split()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {fields[0]})" if fields and fields[0].isdigit() else ""
