"""Temporary files and folders next to an output, and the checks of an output before the work.

Temporary names are random, so that nobody can guess them, and contain the process id, so that those of dead processes
are removed by the next run. ``outputs`` renames complete files.

Standard library only, Python 3.9: the QGIS plugin imports it with the journal.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFullError, OutputError
from .paths import explain_refused_name, hidden_stem, resolve_links
from .rename import check_not_in_use, is_in_use, rename

if sys.platform == "win32":
    from .windows import is_process_running
else:

    def is_process_running(pid: int) -> bool:
        """Whether a process ``pid`` exists, of whatever user."""
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:  # a process of another user
            return True
        return True


#: What a temporary name contains: of a file that is being written, and of the earlier file while it is replaced.
PARTIAL, PREVIOUS = "partial", "previous"
#: Side files that belong to one version of a file and are wrong for another, by what follows its name ...
_SIDECARS = (".aux.xml", ".ovr", ".msk", "-journal", "-wal", "-shm")
#: ... and by what takes the place of its suffix: indices, positions and coordinate systems.
_STEM_SIDECARS = {
    ".shp": (".shx", ".dbf", ".prj", ".qpj", ".cpg", ".qix", ".sbn", ".sbx", ".idm", ".ind", ".fbn", ".fbx"),
    ".tif": (".tfw",),
    ".tiff": (".tfw",),
}
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Windows takes paths of 259 characters, and a temporary name may be this much shorter than an output.
_LONG_PATH = 259 - 80
#: Libraries write in chunks of up to this many bytes and do not always report why one failed.
_MIN_FREE_BYTES = 1 << 20

#: Functions that clean up what the process is writing, and its temporary files. Both belong to the process.
_cleanups: list[Callable[[], None]] = []
_active: set[Path] = set()


@contextmanager
def temp_output(target: Path, suffix: str | None = None) -> Iterator[Path]:
    """Yield a path next to ``target`` for intermediate data; the file and its sidecar files are removed afterwards.

    Temporary files of ``target`` whose processes have died are removed, too.

    Args:
        target: the output.
        suffix: suffix of the path; None for that of ``target``.
    """
    remove_stale_temp_files(target)
    # GDAL writes a shapefile's suffix in lower case, whatever the name.
    path = temp_path(target, target.suffix.lower() if suffix is None else suffix)

    def remove() -> None:
        if path.parent.is_dir():
            for file in list_with_sidecars(path):
                with suppress(OSError):  # a later run removes it
                    file.unlink(missing_ok=True)

    with _keep_until_end(path, remove):
        yield path


@contextmanager
def temp_folder(target: Path) -> Iterator[Path]:
    """Create a hidden folder next to the folder ``target``, whose parents are created, too; it is removed afterwards.

    Raises:
        OutputError: it cannot be created.
    """
    check_output_name(target)
    with translate_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_temp_files(target)
        path = temp_path(target, "")
        path.mkdir()
    with _keep_until_end(path, lambda: shutil.rmtree(path, ignore_errors=True)):
        yield path


@contextmanager
def _keep_until_end(path: Path, remove: Callable[[], None]) -> Iterator[None]:
    """Protect the temporary ``path`` of this process during the block, and ``remove`` it then."""
    _active.add(path)
    with cleanup_on_abort(remove):
        try:
            yield
        finally:
            remove()
            _active.discard(path)


def temp_path(target: Path, suffix: str | None = None, mark: str = PARTIAL) -> Path:
    """Return a new temporary path next to the file that ``target`` stands for: hidden and at most 140 bytes long.

    Args:
        target: the output.
        suffix: suffix of the path; None for that of ``target``.
        mark: ``PARTIAL`` or ``PREVIOUS``.
    """
    real = resolve_links(target)
    ending = (real.suffix if suffix is None else suffix) or ".tmp"  # files that share the stem are its side files
    return real.with_name(f"{hidden_stem(real)}.{mark}-{os.getpid()}-{secrets.token_hex(4)}{ending[:16]}")


def remove_stale_temp_files(target: Path) -> None:
    """Remove the temporary files and folders of ``target`` whose writers have died.

    An earlier file that was moved away, and not replaced before the writer died, gets its name back.
    """
    real = resolve_links(target)
    with suppress(OSError):  # the folder cannot be listed
        for entry, mark, writer, ending in _list_temp_files(real):
            with suppress(OSError):  # what cannot be removed does no harm
                if not _is_in_use(entry, writer):
                    _remove_temp_file(entry, mark, ending, real)


def _remove_temp_file(entry: Path, mark: str, ending: str, real: Path) -> None:
    suffix = ending.partition(".")[2]
    final = real if suffix == "tmp" else real.with_name(f"{real.stem}.{suffix}")
    if mark == PREVIOUS and not final.exists():
        rename(entry, final)
    elif entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _list_temp_files(real: Path) -> list[tuple[Path, str, int, str]]:
    """List the temporary files of the output ``real``: path, mark, process id of the writer, and the rest."""
    prefix = f"{hidden_stem(real)}."
    found = []
    for entry in real.parent.iterdir():
        mark, _, rest = entry.name[len(prefix) :].partition("-")
        writer, _, ending = rest.partition("-")
        if entry.name.startswith(prefix) and mark in (PARTIAL, PREVIOUS) and writer.isdigit():
            found.append((entry, mark, int(writer), ending))
    return found


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
        path: the output file; a link stands for the file that it leads to.
        overwrite: whether an existing file may be replaced; an empty one always may.
        needed_bytes: size of the output in bytes; 0 if it is not known.

    Raises:
        OutputError: the folder is missing or read-only, or the path is not that of a regular file.
        DiskFullError: the free space is less than ``needed_bytes``.
    """
    check_output_name(path)
    with translate_os_errors(path):
        real = resolve_links(path)
        if not real.parent.is_dir():
            raise OutputError(
                f"The output {path} cannot be written: its folder does not exist.", "Create the folder first."
            )
        check_replaceable(path, overwrite=overwrite)
        # Permissions do not tell everything (network shares, read-only mounts), so a file is written.
        probe_file_mode(path)
    check_free_space(path, needed_bytes)


def check_free_space(path: Path, needed_bytes: int) -> None:
    """Raise ``DiskFullError`` where the disk of the output ``path`` has less free space than ``needed_bytes``."""
    with translate_os_errors(path):
        free = shutil.disk_usage(resolve_links(path).parent).free
    if free < needed_bytes:
        raise DiskFullError(
            f"The output {path} needs {_format_size(needed_bytes)} or more, but its disk has {free / 1e6:.1f} MB free.",
            "Free some space or choose another folder.",
        )


def check_output_name(path: Path) -> None:
    """Raise ``OutputError`` if Windows refuses the name of ``path``, which temporary names would not show."""
    if sys.platform == "win32" and (reason := explain_refused_name(path.name)):
        raise OutputError(f"The output {path} cannot be written: {reason}.", "Choose another name.")


def check_replaceable(path: Path, *, overwrite: bool) -> None:
    """Raise ``OutputError`` if the file ``path`` or a side file of it exists and cannot or must not be replaced."""
    real = resolve_links(path)
    has_file = real.exists() or real.is_symlink()
    # A name may be short enough for the file, but too long for its side files.
    side_files = list_side_files(real)
    # A run of this output that was killed may have given some of its side files their names.
    is_alone = bool(side_files) and not has_file and not _list_temp_files(real)
    for file in [*([real] if has_file else []), *side_files]:
        status, folder = file.lstat(), file.parent.stat()
        if is_alone and not file.name.startswith(real.name) and status.st_size:
            hint = "Choose another name, or remove it if nothing needs it."
            raise OutputError(f"The file {file} exists without {real.name}, so it may belong to another file.", hint)
        if not stat.S_ISREG(status.st_mode):
            raise OutputError(f"The output {path} cannot be written: {file.name} exists and is not a regular file.")
        if not overwrite and status.st_size:
            hint = "Choose another name, or add --overwrite to replace it."
            raise OutputError(f"The file {file} exists already.", hint)
        if not os.access(file, os.W_OK):
            raise OutputError(f"The output {path} cannot be written: the existing file is read-only.")
        is_sticky = folder.st_mode & stat.S_ISVTX
        if sys.platform != "win32" and is_sticky and os.geteuid() not in (0, status.st_uid, folder.st_uid):
            raise OutputError(f"The output {path} cannot be written: the existing file belongs to another user.")
        check_not_in_use(file)


def probe_file_mode(target: Path) -> int:
    """Create a temporary file next to ``target`` and return the permissions that the system gives to new files there.

    Raises:
        OSError: no file can be created there.
    """
    probe = temp_path(target)
    try:
        probe.touch(exist_ok=False)
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        with suppress(OSError):  # a scanner has it open; a later run removes it
            probe.unlink(missing_ok=True)


def list_side_files(path: Path) -> list[Path]:
    """List the existing side files of ``path`` that would be wrong for another version of it."""
    endings = _STEM_SIDECARS.get(path.suffix.lower(), ())
    names = [path.name + ending for ending in _SIDECARS] + [path.stem + ending for ending in endings]
    found = [file for file in map(path.with_name, names) if file.exists() or file.is_symlink()]
    if path.suffix.isupper():  # ROADS.SHP has ROADS.DBF; on some systems that is ROADS.dbf as well
        capitals = [path.with_name(path.stem + ending.upper()) for ending in endings]
        found += [file for file in capitals if file.exists() and not _is_listed(file, found)]
    return found


def _is_listed(file: Path, listed: list[Path]) -> bool:
    return any(other.exists() and file.samefile(other) for other in listed)


def translate_os_error(error: OSError, path: Path, needed_bytes: int = 0) -> OutputError:
    """Return the ``OutputError`` for an ``OSError`` that occurred while ``path`` was written.

    Args:
        error: the system's error.
        path: the output as the person knows it.
        needed_bytes: lower bound of its size in bytes; 0 if it is not known.
    """
    if error.errno in _NO_SPACE:
        return make_disk_full_error(path, needed_bytes)
    if is_in_use(error):
        hint = "Close it there (in QGIS: remove the layer from the project), or choose another output."
        return OutputError(f"The output {path} cannot be replaced, because another program has it open.", hint)
    if sys.platform == "win32" and error.errno == errno.ENOENT and len(str(path.absolute())) > _LONG_PATH:
        hint = "Choose a folder with a shorter path, or enable long paths in Windows."
        return OutputError(f"The output {path} cannot be written: its path is too long for Windows.", hint)
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
        f"The disk is full: {path} could not be written completely{needs}.", "Free some space or choose another folder."
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
        return sum(file.stat().st_size for file in list_with_sidecars(temporary))
    except OSError:
        return 0


def _format_size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{max(count, 1e5) / 1e6:.1f} MB"


def list_with_sidecars(temporary: Path) -> list[Path]:
    """List the files that share the stem of ``temporary``, which is random and therefore unique."""
    return sorted(entry for entry in temporary.parent.iterdir() if entry.name.startswith(temporary.stem))


def _is_in_use(temporary: Path, writer: int) -> bool:
    """Whether the process ``writer`` may still be writing ``temporary``."""
    if writer == os.getpid():
        return any(temporary.name.startswith(path.stem) for path in _active)
    return is_process_running(writer)


@contextmanager
def atomic_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; its content is in ``folder`` if the block ends without an exception.

    Args:
        folder: the folder; its parents are created. Files of another name that it has stay.
        overwrite: whether an existing folder is replaced as a whole.

    Raises:
        OutputError: the folder cannot be written, or has a file of the same name already.
    """
    with temp_folder(folder) as temporary, translate_os_errors(folder):
        yield temporary
        final = resolve_links(folder)
        if not final.exists():
            rename(temporary, final)
        elif overwrite:
            _replace_folder(temporary, final)
        else:
            _move_content(temporary, final)


def _replace_folder(temporary: Path, folder: Path) -> None:
    previous = temp_path(folder, mark=PREVIOUS)
    rename(folder, previous)
    try:
        rename(temporary, folder)
    except OSError:
        rename(previous, folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _move_content(temporary: Path, folder: Path) -> None:
    entries = sorted(temporary.iterdir())
    for entry in entries:
        if (folder / entry.name).exists():
            raise OutputError(f"There is something at {folder / entry.name} already.", "Choose another folder.")
    moved: list[Path] = []
    try:
        for entry in entries:
            rename(entry, folder / entry.name)
            moved.append(folder / entry.name)
    except OSError:
        for path in moved:
            rename(path, temporary / path.name)
        raise
