"""Write whole files or none: an output gets its final name only when it is complete, verified and flushed to the disk.

A raster whose writer was killed opens without an error and reads as 0 where nothing was written, and a GeoPackage
killed between two transactions is valid but incomplete. Neither can be told from a correct result later. So every
output is written under a temporary name in the target's folder, closed, verified, flushed and then renamed.

Standard library only, Python 3.9: the QGIS plugin imports it with the journal.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFullError, OutputError
from .paths import hidden_stem

_MARK = "partial"
#: Sidecar files that belong to one version of a file and are wrong for another.
_SIDECARS = (".aux.xml", ".ovr", ".msk", "-journal", "-wal", "-shm")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Libraries write in chunks of up to this many bytes and do not always report why one failed.
_MIN_FREE_BYTES = 1 << 20

#: Functions that clean up what the process is writing, and its temporary files. Both belong to the process.
_cleanups: list[Callable[[], None]] = []
_active: set[Path] = set()


@contextmanager
def atomic_output(final: Path, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to ``final`` if the block ends without an exception.

    The temporary file is in the folder of ``final``, so that the rename is atomic, and has the same suffix, so that
    drivers recognize the format. Sidecar files of it (``.dbf`` of a shapefile, ``.aux.xml``) are renamed with it.

    Args:
        final: path of the complete output.
        verify: called with the temporary path after the block; raises if the file is not what was written.

    Yields:
        The path to write to. It does not exist yet.

    Raises:
        OutputError: the output cannot be written.
        DiskFullError: there is not enough space for it.
    """
    check_output_path(final)
    with temp_output(final) as temporary:
        try:
            yield temporary
            if verify is not None:
                verify(temporary)
            _publish(temporary, final)
        except OSError as error:
            raise translate_os_error(error, final, measure_with_sidecars(temporary)) from error


@contextmanager
def temp_output(target: Path, suffix: str | None = None) -> Iterator[Path]:
    """Yield a path next to ``target`` for intermediate data; the file and its sidecar files are removed afterwards.

    Temporary files of ``target`` whose processes have died are removed, too.

    Args:
        target: the output.
        suffix: suffix of the path; None for that of ``target``.
    """
    remove_stale_temp_files(target)
    path = temp_path(target, suffix)

    def remove() -> None:
        if path.parent.is_dir():
            for file in _list_with_sidecars(path):
                file.unlink(missing_ok=True)

    _active.add(path)
    with cleanup_on_abort(remove):
        try:
            yield path
        finally:
            remove()
            _active.discard(path)


def temp_path(target: Path, suffix: str | None = None) -> Path:
    """Return a new temporary path next to ``target``: hidden, with the same suffix and at most 140 bytes long.

    It contains the process id, so that other processes can tell whether its writer is alive.
    """
    ending = (target.suffix if suffix is None else suffix) or ".tmp"  # files that share the stem are its sidecar files
    return target.with_name(f"{hidden_stem(target)}.{_MARK}-{os.getpid()}-{secrets.token_hex(4)}{ending[:16]}")


def remove_stale_temp_files(target: Path) -> None:
    """Remove the temporary files of ``target`` whose writers have died."""
    prefix = f"{hidden_stem(target)}.{_MARK}-"
    with suppress(OSError):  # files that cannot be removed do no harm
        for entry in tuple(target.parent.iterdir()):
            writer = entry.name[len(prefix) :].split("-")[0]
            if entry.name.startswith(prefix) and writer.isdigit() and not _is_in_use(entry, int(writer)):
                entry.unlink(missing_ok=True)


@contextmanager
def cleanup_on_abort(cleanup: Callable[[], None]) -> Iterator[None]:
    """Call ``cleanup`` if the process has to exit within the block without leaving it (``run_abort_cleanups``)."""
    _cleanups.append(cleanup)
    try:
        yield
    finally:
        _cleanups.remove(cleanup)


def run_abort_cleanups() -> None:
    """Remove all unfinished files, for a process that exits now while its threads are still running."""
    for cleanup in tuple(_cleanups):
        with suppress(OSError):
            cleanup()


def check_output_path(path: Path, *, overwrite: bool = True, needed_bytes: int = 0) -> None:
    """Check, before any work, that ``path`` can be written at the end.

    Args:
        path: the output file.
        overwrite: whether an existing file may be replaced.
        needed_bytes: size of the output in bytes; 0 if it is not known.

    Raises:
        OutputError: the folder is missing or read-only, or the path is not that of a regular file.
        DiskFullError: the free space is less than ``needed_bytes``.
    """
    with translate_os_errors(path):
        if not path.parent.is_dir():
            raise OutputError(
                f"The output {path} cannot be written: its folder does not exist.", "Create the folder first."
            )
        if path.exists():
            if not stat.S_ISREG(path.stat().st_mode):
                raise OutputError(f"The output {path} cannot be written: it exists and is not a regular file.")
            if not overwrite:
                raise OutputError(f"The output {path} exists already.", "Choose another name or allow overwriting.")
            if not os.access(path, os.W_OK):
                raise OutputError(f"The output {path} cannot be written: the existing file is read-only.")
        for ending in _SIDECARS:  # a name may be short enough for the file, but too long for its sidecar files
            path.with_name(path.name + ending).exists()
        # Permissions do not tell everything (network shares, read-only mounts), so a file is written.
        probe = temp_path(path)
        try:
            probe.touch(exist_ok=False)
        finally:
            probe.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
    if free < needed_bytes:
        raise DiskFullError(
            f"The output {path} needs {_format_size(needed_bytes)} or more, but its disk has {free / 1e6:.1f} MB free.",
            "Free some space or choose another folder.",
        )


def translate_os_error(error: OSError, path: Path, needed_bytes: int = 0) -> OutputError:
    """Return the ``OutputError`` for an ``OSError`` that occurred while ``path`` was written.

    Args:
        error: the system's error.
        path: the output as the person knows it.
        needed_bytes: lower bound of its size in bytes; 0 if it is not known.
    """
    if error.errno in _NO_SPACE:
        return make_disk_full_error(path, needed_bytes)
    return OutputError(f"The output {path} cannot be written: {error.strerror or error}.")


@contextmanager
def translate_os_errors(path: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Raise ``OutputError`` for an ``OSError`` within the block; arguments as ``translate_os_error``."""
    try:
        yield
    except OSError as error:
        raise translate_os_error(error, path, needed_bytes) from error


def make_disk_full_error(path: Path, needed_bytes: int) -> DiskFullError:
    """Return the error for an output that did not fit on the disk; arguments as ``translate_os_error``."""
    needs = f"; it needs {_format_size(needed_bytes)} or more" if needed_bytes else ""
    return DiskFullError(
        f"The disk is full: {path} could not be written completely{needs}.",
        "Free some space or choose another folder.",
    )


def is_disk_full(folder: Path) -> bool:
    """Whether the disk of ``folder`` has so little space left that this explains a failed write."""
    try:
        return shutil.disk_usage(folder).free < _MIN_FREE_BYTES
    except OSError:
        return False


def measure_with_sidecars(temporary: Path) -> int:
    """Return the size in bytes of a temporary file and its sidecar files; 0 if they do not exist."""
    try:
        return sum(file.stat().st_size for file in _list_with_sidecars(temporary))
    except OSError:
        return 0


def _format_size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{max(count, 1e5) / 1e6:.1f} MB"


def _list_with_sidecars(temporary: Path) -> list[Path]:
    """List the files that share the stem of ``temporary``, which is random and therefore unique."""
    return sorted(entry for entry in temporary.parent.iterdir() if entry.name.startswith(temporary.stem))


def _publish(temporary: Path, final: Path) -> None:
    """Flush the files of ``temporary`` to the disk and rename them to the names of ``final``, the main file last."""
    if not temporary.is_file():
        raise OutputError(f"The output {final} was not written.")
    files = _list_with_sidecars(temporary)
    for file in files:
        _flush(file)
    for ending in _SIDECARS:
        final.with_name(final.name + ending).unlink(missing_ok=True)
    for file in files:
        if file != temporary:
            file.replace(final.with_name(final.stem + file.name[len(temporary.stem) :]))
    temporary.replace(final)
    if os.name == "posix":  # Windows cannot open a folder, and does not need it flushed
        handle = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _flush(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _is_in_use(temporary: Path, writer: int) -> bool:
    """Whether the process ``writer`` may still be writing ``temporary``."""
    if writer == os.getpid():
        return any(temporary.name.startswith(path.stem) for path in _active)
    if os.name != "posix":
        return False  # Windows refuses to remove an open file
    try:
        os.kill(writer, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return True
