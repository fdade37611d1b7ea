"""The outputs of a run: whole files or none, and all of them together or none.

A raster whose writer was killed opens without an error and reads as 0 where nothing was written, and a GeoPackage
killed between two transactions is valid but incomplete. Neither can be told from a correct result later. So every
output is written under a temporary name in the target's folder, closed, verified and flushed. At the end of the run all
of them are renamed; what was there before is kept until then and comes back where that fails.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from ..errors import OutputError, ParameterError
from .atomic import (
    PREVIOUS,
    check_output_path,
    check_replaceable,
    cleanup_on_abort,
    list_side_files,
    list_with_sidecars,
    measure_with_sidecars,
    probe_file_mode,
    remove_stale_temp_files,
    temp_folder,
    temp_output,
    temp_path,
    translate_os_error,
    translate_os_errors,
)
from .lock import lock_paths
from .output_folder import check_not_within, check_output_folder
from .paths import resolve_links
from .regular_file import FileIdentity
from .rename import find_unused_name, is_in_use, rename

T = TypeVar("T")
#: Called with the identities that the outputs will have, before the first of them is renamed.
NoteOutputs = Callable[[Sequence[FileIdentity]], None]


@dataclass(frozen=True)
class _FinishedOutput:
    """A complete output under its temporary name.

    Attributes:
        path: the output as the person knows it.
        temporary: where it is.
        guard: held while the output gets its name.
    """

    path: Path
    temporary: Path
    guard: AbstractContextManager[object] = field(default_factory=nullcontext)

    def list_moves(self, final: Path) -> list[tuple[Path | None, Path]]:
        """List what replaces what where the output becomes ``final``, in order.

        These are its side files, the file itself, and earlier side files without a replacement.
        """
        if self.temporary.is_dir():
            return [(self.temporary, final)]
        stem = self.temporary.stem
        moves: list[tuple[Path | None, Path]] = [
            (file, final.with_name(final.stem + file.name[len(stem) :]))
            for file in list_with_sidecars(self.temporary)
            if file != self.temporary
        ]
        moves.append((self.temporary, final))
        replaced = {target for _, target in moves}
        return [*moves, *((None, file) for file in list_side_files(final) if file not in replaced)]


class Outputs(AbstractContextManager["Outputs"]):
    """Writes the outputs of a run; a context manager, at whose end unfinished outputs are removed.

    Args:
        paths: the outputs, for ``check_sources``.

    Attributes:
        unlocked: outputs whose file system has no locks.
    """

    def __init__(self, paths: Sequence[Path] = (), unlocked: Sequence[Path] = ()) -> None:
        self.unlocked = unlocked
        self._paths = paths
        self._stack = ExitStack()
        self._finished: list[_FinishedOutput] = []

    def __exit__(self, *_: object) -> None:
        """Remove what was not published."""
        self._stack.close()

    def check_sources(self, sources: Iterable[Path]) -> None:
        """Raise ``ParameterError`` if an output is one of the files ``sources``, which the run reads."""
        _check_not_read(self._paths, sources)

    def enter(self, resource: AbstractContextManager[T]) -> T:
        """Enter ``resource``, which is left at the end of the run."""
        return self._stack.enter_context(resource)

    def locate(self, path: Path) -> Path:
        """Return the file that has the content of the output ``path`` until it is published; ``path`` for others."""
        return next((entry.temporary for entry in self._finished if entry.path == path), path)

    @contextmanager
    def write(
        self,
        path: Path,
        verify: Callable[[Path], None] | None = None,
        guard: AbstractContextManager[object] | None = None,
    ) -> Iterator[Path]:
        """Yield a temporary path to write an output to; ``publish`` renames it if the block ends without an exception.

        The temporary file is in the folder of the output, so that the rename is atomic, and has the same suffix, so
        that drivers recognize the format. Side files of it (``.dbf`` of a shapefile, ``.aux.xml``) are renamed with it.

        Args:
            path: the output; a link stays, and the file that it leads to is replaced.
            verify: called with the temporary path after the block; raises if the file is not what was written.
            guard: entered while the output gets its name.

        Yields:
            The path to write to. It does not exist yet.

        Raises:
            OutputError: the output cannot be written.
            DiskFullError: there is not enough space for it.
        """
        temporary = self._stack.enter_context(temp_output(path))
        try:
            yield temporary
            if verify is not None:
                verify(temporary)
            if not temporary.is_file():
                raise OutputError(f"The output {path} was not written.")
            final = resolve_links(path)
            mode = final.stat().st_mode & 0o777 if final.exists() else probe_file_mode(path)
            for file in list_with_sidecars(temporary):
                _flush(file)
                with suppress(OSError):  # file systems without permissions
                    file.chmod(mode)
        except OSError as error:
            raise translate_os_error(error, path, measure_with_sidecars(temporary)) from error
        self._finished.append(_FinishedOutput(path, temporary, guard or nullcontext()))

    @contextmanager
    def write_folder(self, path: Path, guard: AbstractContextManager[object]) -> Iterator[Path]:
        """Yield a temporary folder to fill; ``publish`` renames it, in place of a folder of that name.

        Args:
            path: the output, which ``lock_outputs`` was told to be a folder.
            guard: entered while the output gets its name; raises if the earlier folder may not be replaced.

        Raises:
            OutputError: the output cannot be written.
            DiskFullError: there is not enough space for it.
        """
        temporary = self._stack.enter_context(temp_folder(path))
        with translate_os_errors(path):
            yield temporary
            for file in filter(Path.is_file, temporary.rglob("*")):
                _flush(file)
            if (final := resolve_links(path)).exists():
                with suppress(OSError):  # file systems without permissions
                    temporary.chmod(final.stat().st_mode & 0o777)
        self._finished.append(_FinishedOutput(path, temporary, guard))

    def publish(
        self, commit: Callable[[], None] = lambda: None, note: NoteOutputs | None = None, *, keep_refused: bool = True
    ) -> None:
        """Give all finished outputs their names; if that fails, the earlier files come back.

        Args:
            commit: called just before the first rename; raises if the run was cancelled (``Cancellation.commit``).
            note: notes the outputs for a run that is resumed after a crash in between.
            keep_refused: whether the outputs get unused names next to theirs, which the error names, where another
                program has one of the earlier files open and Windows refuses to replace it.

        Raises:
            OutputError: an output cannot be renamed.
        """
        if note is not None:
            identities = [FileIdentity.from_path(entry.temporary) for entry in self._finished]
            finals = [os.fspath(resolve_links(entry.path)) for entry in self._finished]
            note([replace(identity, path=final) for identity, final in zip(identities, finals, strict=True)])
        with ExitStack() as guards:
            for entry in self._finished:
                guards.enter_context(entry.guard)
            commit()
            swap = _Swap()
            with cleanup_on_abort(swap.restore):
                try:
                    for entry in self._finished:
                        with translate_os_errors(entry.path):
                            final = resolve_links(entry.path)
                            for source, target in entry.list_moves(final):
                                swap.move(source, target, final)
                except BaseException as error:
                    swap.restore()
                    if keep_refused and isinstance(error, OutputError) and is_in_use(error.__cause__):
                        raise self._keep_beside(error) from error.__cause__
                    raise
            swap.finish()
        self._finished = []

    def _keep_beside(self, error: OutputError) -> OutputError:
        """Give the outputs unused names; return the error that names them, or ``error`` if none can be kept."""
        kept = []
        for entry in self._finished:
            unused = find_unused_name(resolve_links(entry.path))
            with suppress(OSError):
                for source, target in entry.list_moves(unused):
                    if source is not None:
                        rename(source, target)
                kept.append(unused)
        if not kept:
            return error
        files = ", ".join(map(str, kept))
        text = f"{error.text} The run was completed, and its result is kept as {files}."
        return OutputError(text, "Close the file in the other program, then rename the result.")


class _Swap:
    """Replaces files and can undo it."""

    def __init__(self) -> None:
        #: The new file's temporary name, the replaced file, and where its earlier content is; None where there is none.
        self._done: list[tuple[Path | None, Path, Path | None]] = []

    def move(self, source: Path | None, target: Path, final: Path) -> None:
        """Rename ``source`` to ``target``, or remove ``target`` where ``source`` is None; keep the earlier file.

        Args:
            source: the new file.
            target: the output ``final`` or a side file of it.
            final: the output.
        """
        previous = None
        if target.is_dir() and not (source is not None and source.is_dir()):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() or target.is_symlink():
            previous = temp_path(final, target.name[len(final.stem) :], PREVIOUS)
            try:
                os.link(target, previous, follow_symlinks=False)  # so that the name is there all the time
            except (OSError, NotImplementedError):
                rename(target, previous)
        self._done.append((source, target, previous))
        if source is not None:
            rename(source, target)
        else:
            target.unlink(missing_ok=True)

    def restore(self) -> None:
        """Bring all earlier files, and the temporary names of the new ones, back."""
        while self._done:
            source, target, previous = self._done.pop()
            with suppress(OSError):
                if source is not None and not source.exists():
                    rename(target, source)
                if previous is not None:
                    if not target.exists() or not target.samefile(previous):
                        rename(previous, target)
                    previous.unlink(missing_ok=True)

    def finish(self) -> None:
        """Remove the earlier files and flush the folders."""
        for _, _, previous in self._done:
            if previous is not None and previous.is_dir():
                shutil.rmtree(previous, ignore_errors=True)
            elif previous is not None:
                with suppress(OSError):
                    previous.unlink(missing_ok=True)
        if sys.platform != "win32":  # Windows cannot open a folder, and does not need it flushed
            for folder in {target.parent for _, target, _ in self._done}:
                handle = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)


@contextmanager
def atomic_output(path: Path, verify: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Write one output and publish it if the block ends without an exception; see ``Outputs.write``."""
    check_output_path(path)
    with Outputs() as outputs:
        with outputs.write(path, verify) as temporary:
            yield temporary
        outputs.publish(keep_refused=False)


@contextmanager
def lock_outputs(
    outputs: Iterable[Path | None],
    sources: Iterable[Path],
    *,
    overwrite: bool = False,
    extended: Collection[Path] = (),
    resumed: Collection[FileIdentity] = (),
    folders: Collection[Path] = (),
) -> Iterator[Outputs]:
    """Check the outputs of a run before any work, lock them during the block and remove stale temporary files.

    Args:
        outputs: the files that will be written, the derived ones, too; None stands for one that is not written.
        sources: the files that the run reads.
        overwrite: whether existing files may be replaced.
        extended: outputs that keep the content they have, and are only added to.
        resumed: files that the resumed run has written itself.
        folders: outputs that are folders, which are replaced as a whole; the caller checks what an existing one has.

    Yields:
        Writes the outputs.

    Raises:
        ParameterError: an output is one of the sources, or is given twice.
        OutputError: an output exists, cannot be written, or is being written by another run.
    """
    paths = [path for path in outputs if path is not None]
    check_written_files(paths, sources, overwrite=True, folders=folders)
    for path in paths:
        if path in folders:
            check_output_folder(path)
        else:
            check_output_path(path)
    with lock_paths(paths) as unlocked, Outputs(paths, unlocked) as run_outputs:
        for path in paths:
            remove_stale_temp_files(path)  # may bring an earlier file back
            if not overwrite and path not in extended and path not in folders and not _is_one_of(path, resumed):
                check_output_path(path, overwrite=False)
        yield run_outputs


def check_written_files(
    paths: Sequence[Path], sources: Iterable[Path], *, overwrite: bool, folders: Collection[Path] = ()
) -> None:
    """Check, before any work, which existing files would be replaced; arguments and errors as ``lock_outputs``.

    Args:
        paths: the files that will be written, in folders that may not exist yet.
        sources: the files that the command reads.
        overwrite: whether existing files may be replaced.
        folders: those of ``paths`` that are folders.
    """
    sources = list(sources)
    for folder in folders:
        check_not_within(folder, [*(path for path in paths if path != folder), *sources])
    counts = Counter(map(resolve_links, paths))
    for path in paths:
        if counts[resolve_links(path)] > 1:
            raise ParameterError(f"The output {path} is given twice.")
    _check_not_read(paths, sources)
    for path in paths:
        if path not in folders:
            with translate_os_errors(path):
                check_replaceable(path, overwrite=overwrite)


def _check_not_read(paths: Sequence[Path], sources: Iterable[Path]) -> None:
    read = {key: source for source in sources if (key := _identify(source)) is not None}
    for path in paths:
        real = resolve_links(path)
        with translate_os_errors(path):
            side_files = list_side_files(real)
        for file in (real, *side_files):
            key = _identify(file)
            if key is not None and (source := read.get(key)) is not None:
                raise ParameterError(
                    f"The output {path} would replace {source}, which this run reads.", "Choose another output."
                )


def _identify(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file that ``path`` leads to; None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None


def _is_one_of(path: Path, files: Collection[FileIdentity]) -> bool:
    try:
        return FileIdentity.from_path(resolve_links(path)) in files
    except OSError:
        return False


def _flush(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
