"""Locks: one run at a time for each output and each run folder.

They are the system's own file locks, which end with the process however it ends, so a lock file left by a crash is
taken over by the next run. File systems without locks (some network shares) give no protection; runs report that.

Standard library only (so not ``filelock``), Python 3.9: the QGIS plugin imports it with the journal.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import OutputBusyError, OutputError
from .atomic import cleanup_on_abort, translate_os_errors
from .paths import hidden_path, is_same_owner

_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
#: A lock file has a name that can be guessed, so a link of that name may lead to any file.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
#: The byte that is locked on Windows, where a locked byte cannot be read: after the owner's process id.
_LOCKED_BYTE = 1 << 20
if sys.platform == "win32":
    from .windows import lock_byte

    def _lock(handle: int, shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        lock_byte(handle, _LOCKED_BYTE, shared=shared)

else:
    import fcntl

    def _lock(handle: int, shared: bool) -> None:
        """Lock ``handle`` or raise ``OSError`` at once."""
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


@contextmanager
def lock_paths(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Hold the locks of ``targets`` during the block, without any check of the files.

    Yields:
        The targets whose file system has no locks.

    Raises:
        OutputBusyError: another run is writing one of them.
        OutputError: the folder cannot be written to.
    """
    with ExitStack() as stack:
        unlocked = []
        for target in targets:
            lock = _hold_lock(lock_file_path(target), target, f"The output {target}", "choose another output")
            if not stack.enter_context(lock):
                unlocked.append(target)
        yield unlocked


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
        handle = os.open(lock_file_path(target), os.O_RDWR | _NO_FOLLOW)
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
def _hold_lock(path: Path, target: Path, subject: str, advice: str) -> Iterator[bool]:
    """Hold the lock file ``path`` of ``target``; ``subject`` and ``advice`` are for the message if it is held.

    Yields:
        Whether the file system has locks.
    """
    with translate_os_errors(target):
        handle, is_supported = _acquire(path)
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
            if sys.platform != "win32":  # the name first, so that no process locks a file that is about to be removed
                path.unlink(missing_ok=True)
            os.close(descriptor)
            if sys.platform == "win32":  # Windows removes no open file; another run may have opened it by now
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    with cleanup_on_abort(release):
        try:
            yield is_supported
        finally:
            release()


def _acquire(path: Path) -> tuple[int | None, bool]:
    """Open and lock ``path``; None if another run holds the lock. The second value is whether there are locks."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise _planted_error(path) from error
            raise
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or not is_same_owner(status, path.parent):
                raise _planted_error(path)
            _lock(handle, False)
            # The previous holder may have removed the file between our two calls: then the lock protects nothing.
            if sys.platform != "win32" and not _is_same_file(path, handle):
                os.close(handle)
                continue
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return handle, False
            os.close(handle)
            if error.errno in _HELD:
                return None, True
            raise
        except OutputError:
            os.close(handle)
            raise
        with suppress(OSError):  # the id is only for the message of other runs; the disk may be full
            os.truncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        return handle, True


def _planted_error(path: Path) -> OutputError:
    return OutputError(
        f"The lock file {path} is a link, or was made by another user, and is not used.",
        "Remove it, or choose another folder.",
    )


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
