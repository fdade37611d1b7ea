"""Exclusive access to the outputs of a run, checked before any work against what it reads and what exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..context import RunContext
from ..fs.atomic import translate_os_errors
from ..fs.journal import check_journal_folder, read_noted_outputs
from ..fs.outputs import Outputs, lock_outputs
from ..fs.paths import resolve_links
from ..raster.dataset import identify_image
from ..raster.vrt_security import check_references
from ..vector.io.formats import check_vector_file
from ..vector.io.target import VectorTarget


@contextmanager
def lock_run_outputs(
    vectors: VectorTarget | None,
    rasters: Iterable[Path | None],
    sources: Iterable[Path],
    context: RunContext,
    *,
    overwrite: bool,
    journaled: Path | None = None,
    resume: bool = False,
) -> Iterator[Outputs]:
    """Check and lock the outputs of a run; see ``fs.outputs.lock_outputs``.

    Args:
        vectors: the layers that will be written, if any.
        rasters: the rasters that will be written; None stands for one that is not written.
        sources: the files that the run reads; of virtual rasters those behind them, too.
        context: receives a warning where a file system has no locks.
        overwrite: whether files and layers that exist may be replaced.
        journaled: the output that the run's journal is stored beside, if any.
        resume: whether an unfinished run is resumed: what that run has written may be replaced.
    """
    noted = read_noted_outputs(journaled) if journaled is not None and resume else []
    files: list[Path | None] = [*rasters]
    if vectors is not None:
        files += dict.fromkeys(vectors.files.values())
    extended = [] if vectors is None else vectors.extended
    with lock_outputs(files, sources, overwrite=overwrite, extended=extended, resumed=noted) as outputs:
        if vectors is not None:
            is_own = any(file.path == str(resolve_links(vectors.path)) and file.is_current() for file in noted)
            vectors.check(overwrite=overwrite or is_own)
        if journaled is not None:
            with translate_os_errors(journaled):
                check_journal_folder(journaled)
        for path in outputs.unlocked:
            context.warn(f"The file system of {path} has no locks: make sure that no other run writes this output.")
        yield outputs


def list_read_files(*rasters: Path | None, vectors: Path | None = None) -> list[Path]:
    """Return the files ``rasters`` and ``vectors`` and those that they refer to, as virtual ones do.

    Raises:
        SourceError: a raster is missing, or one refers to what must not be read.
        VectorError: ``vectors`` are missing.
    """
    files = []
    for raster in filter(None, rasters):
        identify_image(raster)
        files += [raster, *check_references(raster)]
    if vectors is not None:
        check_vector_file(vectors)
        files += [vectors, *(check_references(vectors) if vectors.is_file() else [])]
    return files
