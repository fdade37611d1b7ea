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

PARTIAL_MARK = ".partial-"

#: Files that belong to one state of a file of that name, and mislead beside another.
_STALE_ENDINGS = (".aux.xml", ".ovr", ".msk", "-journal", "-wal", "-shm")
#: What removes the files that are being written now. It belongs to the process, as the files do.
_removals: list[Callable[[], None]] = []
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


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
    check_target(final)
    with temporary_file(final) as partial:
        try:
            yield partial
            if verify is not None:
                verify(partial)
            _publish(partial, final)
        except OSError as error:
            raise as_output_error(error, final) from error


@contextmanager
def temporary_file(like: Path) -> Iterator[Path]:
    """A path in the folder of ``like`` with its suffix; it and its side files are gone at the end of the block."""
    path = partial_path(like)

    def remove() -> None:
        _remove_family(path)

    with removed_when_abandoned(remove):
        try:
            yield path
        finally:
            remove()


@contextmanager
def removed_when_abandoned(remove: Callable[[], None]) -> Iterator[None]:
    """Have ``remove`` called where the process has to end inside of the block, without leaving it."""
    _removals.append(remove)
    try:
        yield
    finally:
        _removals.remove(remove)


def remove_abandoned() -> None:
    """Remove everything that is unfinished. For a process that ends in the next moment, whatever its threads do."""
    for remove in tuple(_removals):
        with suppress(OSError):
            remove()


def check_target(path: Path, *, overwrite: bool = True, needed_bytes: int = 0) -> None:
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
        raise as_output_error(error, path) from error
    if free < needed_bytes:
        raise DiskFullError(
            f"The output {path} needs about {needed_bytes / 1e6:.0f} MB, but its disk has {free / 1e6:.0f} MB free.",
            "Free some space or choose another folder.",
        )


def partial_path(final: Path) -> Path:
    """A new temporary name in the folder of ``final``, hidden, with the same suffix and never longer than 130 bytes."""
    stem = final.stem[:20]
    return final.with_name(f".{stem}{PARTIAL_MARK}{secrets.token_hex(4)}{final.suffix[:16]}")


def as_output_error(error: OSError, path: Path) -> OutputError:
    """The sentence for ``error``, which happened while ``path`` was written."""
    if error.errno in _NO_SPACE:
        return DiskFullError(
            f"The disk is full: {path} could not be written completely.", "Free some space or choose another folder."
        )
    reason = error.strerror or str(error)
    return OutputError(f"The output {path} cannot be written: {reason}.")


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
    # Permissions alone do not tell (network shares, read-only mounts): only writing does.
    probe = partial_path(path)
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


def _remove_family(partial: Path) -> None:
    if partial.parent.is_dir():
        for member in _family(partial):
            member.unlink(missing_ok=True)


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
