"""Whole files or none: an output gets its final name only when it is complete, checked and on the disk.

A raster whose writer was killed opens normally and reads 0 where nothing was written, and a GeoPackage killed
between two transactions is valid but partial. Neither can be told from a true result afterwards. So every
output is written under a temporary name in the folder of the target, closed, checked, flushed and then renamed.
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

#: Files that belong to one state of a file of that name, and mislead beside another.
_STALE_ENDINGS = (".aux.xml", ".ovr", ".msk", "-journal", "-wal", "-shm")
#: What removes the files that are being written now, and these files. They belong to the process.
_removals: list[Callable[[], None]] = []
_active: set[Path] = set()
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Libraries write in pieces of up to this many bytes, and do not always say why one failed.
_LITTLE = 1 << 20


@contextmanager
def atomic_output(final: Path, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it onto ``final`` once the block has ended well.

    The temporary file lies in the folder of ``final``, so that the rename is atomic, and has the same suffix,
    so that drivers recognise the format. Files that the writer makes beside it (``.dbf`` of a shapefile,
    ``.aux.xml``) are renamed with it.

    Args:
        final: the name under which the complete output shall stand.
        verify: called with the temporary path after the writer closed it; raises where the file is not what
            was written.

    Yields:
        The path to write to. It does not exist yet.

    Raises:
        OutputError: the output cannot be written.
        DiskFullError: there is no space left for it.
    """
    check_output_path(final)
    with temp_output(final) as partial:
        try:
            yield partial
            if verify is not None:
                verify(partial)
            _publish(partial, final)
        except OSError as error:
            raise translate_os_error(error, final, measure_with_sidecars(partial)) from error


@contextmanager
def temp_output(target: Path, suffix: str | None = None) -> Iterator[Path]:
    """A path beside ``target`` for something that is made on the way to it.

    It and its side files are gone at the end of the block. What processes that died have left of ``target`` goes, too.

    Args:
        target: the output.
        suffix: of the path; that of ``target`` unless given.
    """
    remove_stale_temp_files(target)
    path = temp_path(target, suffix)

    def remove() -> None:
        _remove_family(path)

    _active.add(path)
    with cleanup_on_abort(remove):
        try:
            yield path
        finally:
            remove()
            _active.discard(path)


def remove_stale_temp_files(target: Path) -> None:
    """Remove the temporary files of ``target`` whose writers are dead; those of the living stay."""
    begin = f"{hidden_stem(target)}.{_MARK}-"
    with suppress(OSError):  # what cannot be removed hinders nobody
        for entry in tuple(target.parent.iterdir()):
            writer = entry.name[len(begin) :].split("-")[0]
            if entry.name.startswith(begin) and writer.isdigit() and not _is_written(entry, int(writer)):
                entry.unlink(missing_ok=True)


@contextmanager
def cleanup_on_abort(remove: Callable[[], None]) -> Iterator[None]:
    """Have ``remove`` called where the process has to end inside of the block, without leaving it."""
    _removals.append(remove)
    try:
        yield
    finally:
        _removals.remove(remove)


def run_abort_cleanups() -> None:
    """Remove everything that is unfinished. For a process that ends in the next moment, whatever its threads do."""
    for remove in tuple(_removals):
        with suppress(OSError):
            remove()


def check_output_path(path: Path, *, overwrite: bool = True, needed_bytes: int = 0) -> None:
    """Raise, before any work, where ``path`` could not be written at the end.

    Args:
        path: the output file.
        overwrite: whether a file that is there may be replaced.
        needed_bytes: how much space the output will take, in bytes; 0 where that is not known.

    Raises:
        OutputError: the folder is missing or read-only, or the path is not that of a plain file.
        DiskFullError: the free space is less than ``needed_bytes``.
    """
    try:
        _check_place(path, overwrite)
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise translate_os_error(error, path) from error
    if free < needed_bytes:
        raise DiskFullError(
            f"The output {path} needs {_size(needed_bytes)} or more, but its disk has {free / 1e6:.1f} MB free.",
            "Free some space or choose another folder.",
        )


def temp_path(target: Path, suffix: str | None = None) -> Path:
    """A new temporary name beside ``target``, hidden, with the same suffix and never longer than 140 bytes.

    It names the process, so that others can tell whether its writer is alive.
    """
    ending = (target.suffix if suffix is None else suffix) or ".tmp"  # what shares the stem is taken for its own
    return target.with_name(f"{hidden_stem(target)}.{_MARK}-{os.getpid()}-{secrets.token_hex(4)}{ending[:16]}")


def translate_os_error(error: OSError, path: Path, needed_bytes: int = 0) -> OutputError:
    """The sentence for ``error``, which happened while ``path`` was written.

    Args:
        error: what the system said.
        path: the output as the person knows it.
        needed_bytes: how much space it takes, at least; 0 where that is not known.
    """
    if error.errno in _NO_SPACE:
        return make_disk_full_error(path, needed_bytes)
    reason = error.strerror or str(error)
    return OutputError(f"The output {path} cannot be written: {reason}.")


def make_disk_full_error(path: Path, needed_bytes: int) -> DiskFullError:
    """The error for an output that did not fit; ``needed_bytes`` as for ``translate_os_error``."""
    needs = f"; it needs {_size(needed_bytes)} or more" if needed_bytes else ""
    return DiskFullError(
        f"The disk is full: {path} could not be written completely{needs}.",
        "Free some space or choose another folder.",
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{max(count, 1e5) / 1e6:.1f} MB"


def is_disk_full(folder: Path) -> bool:
    """Whether the disk of ``folder`` has no room worth mentioning: what failed there, failed for that."""
    try:
        return shutil.disk_usage(folder).free < _LITTLE
    except OSError:
        return False


def _check_place(path: Path, overwrite: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(
            f"The output {path} cannot be written: its folder does not exist.", "Create the folder first."
        )
    if path.exists():
        if not stat.S_ISREG(path.stat().st_mode):
            raise OutputError(f"The output {path} cannot be written: there is something that is not a plain file.")
        if not overwrite:
            raise OutputError(f"The output {path} exists already.", "Choose another name or allow overwriting.")
        if not os.access(path, os.W_OK):
            raise OutputError(f"The output {path} cannot be written: the file that is there is read-only.")
    for ending in _STALE_ENDINGS:  # a name may be short enough for the file, and too long for what lies beside it
        path.with_name(path.name + ending).exists()
    # Permissions alone do not tell (network shares, read-only mounts): only writing does.
    probe = temp_path(path)
    try:
        probe.touch(exist_ok=False)
    finally:
        probe.unlink(missing_ok=True)


def _publish(partial: Path, final: Path) -> None:
    """Flush the files of ``partial`` to the disk and give them the names of ``final``, the main file last."""
    if not partial.is_file():
        raise OutputError(f"The output {final} was not written.")
    family = _family(partial)
    for member in family:
        _flush(member)
    for ending in _STALE_ENDINGS:
        final.with_name(final.name + ending).unlink(missing_ok=True)
    for member in family:
        if member != partial:
            member.replace(final.with_name(final.stem + member.name[len(partial.stem) :]))
    partial.replace(final)
    _flush_folder(final.parent)


def _family(partial: Path) -> list[Path]:
    """All files that share the stem of ``partial``; the stem is random, so no other file does."""
    return sorted(entry for entry in partial.parent.iterdir() if entry.name.startswith(partial.stem))


def measure_with_sidecars(partial: Path) -> int:
    """Bytes of ``partial`` and its side files, as far as they are there."""
    sizes = []
    with suppress(OSError):
        sizes = [member.stat().st_size for member in _family(partial)]
    return sum(sizes)


def _remove_family(partial: Path) -> None:
    if partial.parent.is_dir():
        for member in _family(partial):
            member.unlink(missing_ok=True)


def _is_written(partial: Path, writer: int) -> bool:
    """Whether process ``writer`` may still be writing ``partial``."""
    if writer == os.getpid():
        return any(partial.name.startswith(path.stem) for path in _active)
    if os.name != "posix":
        return False  # Windows refuses to remove a file that is open
    try:
        os.kill(writer, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # of another person
        return True
    return True


def _flush(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder, and needs no flush of it
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
