"""The outputs of a run: locked and checked before any work, and the sinks that blended rows are written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..context import RunContext
from ..fs.atomic import check_free_space, translate_os_errors
from ..fs.journal import check_journal_folder, read_noted_outputs
from ..fs.outputs import Outputs, lock_outputs
from ..fs.paths import resolve_links
from ..fs.spool import UInt8Array
from ..protocol.messages import Message
from ..raster.bands import Mask
from ..raster.dataset import identify_image
from ..raster.grid import Grid
from ..raster.probability import ProbabilityStatistics, binarize, classify, quantize
from ..raster.remote import is_remote
from ..raster.vrt_security import check_references
from ..raster.writer import RasterLayout, RowWriter
from ..tiling import Floats, RowBlender, TilePlan
from ..vector.io.formats import VectorTarget, check_vector_file, choose_format
from .request import ImageRequest


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
        files += vectors.written
    extended, folders = ([], []) if vectors is None else (vectors.extended, vectors.folders)
    for folder in folders:
        context.report(Message(f"{folder} has no suffix: it becomes a folder of FlatGeobuf files with an index."))
    with lock_outputs(
        files, sources, overwrite=overwrite, extended=extended, resumed=noted, folders=folders
    ) as outputs:
        if vectors is not None:
            if limits := choose_format(vectors.path).limits:
                context.warn(limits)
            is_own = any(file.path == str(resolve_links(vectors.path)) and file.is_current() for file in noted)
            vectors.check(overwrite=overwrite or is_own)
            if left := vectors.list_leftovers():
                context.warn(
                    f"{' and '.join(left)} of an earlier run of {vectors.path.name} stay: this run makes none."
                )
        if journaled is not None:
            with translate_os_errors(journaled):
                check_journal_folder(journaled)
        for path in outputs.unlocked:
            context.warn(f"The file system of {path} has no locks: make sure that no other run writes this output.")
        yield outputs


def list_read_files(*rasters: Path | None, vectors: Path | None = None, allow_remote: bool = False) -> list[Path]:
    """Return the files ``rasters`` and ``vectors`` and those that they refer to, as virtual ones do.

    Args:
        rasters: rasters; those on the network are left out.
        vectors: a vector file.
        allow_remote: whether rasters may be on the network.

    Raises:
        SourceError: a raster is missing, or one refers to what must not be read.
        VectorError: ``vectors`` are missing.
    """
    files = []
    for raster in filter(None, rasters):
        identify_image(raster, allow_remote=allow_remote)
        if is_remote(raster):
            continue
        files += [raster, *check_references(raster)]
    if vectors is not None:
        check_vector_file(vectors)
        files += [vectors, *(check_references(vectors) if vectors.is_file() else [])]
    return files


def list_image_files(request: ImageRequest) -> list[Path]:
    """Return the files of this machine that a request for images reads; errors as for ``list_read_files``."""
    options = request.options
    return list_read_files(*request.images, vectors=options.area, allow_remote=options.allow_remote)


Write = Callable[[UInt8Array], None]
#: Receives each finished row of tiles: its number, the complete rows of each sink, and how many tiles were empty.
RowFinished = Callable[[int, Sequence[UInt8Array], int], None]

#: A compressed raster takes at least a fiftieth of its pixels.
_COMPRESSION = 50


class Encoder(Protocol):
    """Encodes each pixel by itself."""

    @property
    def bands(self) -> int:
        """Bands of the raster."""

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array, /) -> None:
        """Encode blended probabilities, which are not changed.

        Args:
            probability: (classes, rows, columns), 0 to 1.
            valid: (rows, columns), or None if all pixels are.
            out: (bands, rows, columns), ``NODATA`` where a pixel is not valid.
        """


@dataclass(frozen=True)
class ProbabilityEncoder:
    """Quantized probabilities, one band for each class.

    Attributes:
        bands: number of classes.
    """

    bands: int

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array) -> None:
        """Quantize; see ``Encoder.encode``."""
        quantize(probability, valid, out)


@dataclass(frozen=True)
class ClassEncoder:
    """The most probable class, and its quantized probability where it is wanted or decides the class.

    Attributes:
        ids: the class id of each layer.
        threshold: for a single layer, the probability from which a pixel is 1 and not 0.
        has_confidence: whether the probability is wanted.
    """

    ids: tuple[int, ...]
    threshold: float
    has_confidence: bool

    @property
    def bands(self) -> int:
        """Class, and perhaps probability."""
        return 2 if self.has_confidence or len(self.ids) == 1 else 1

    def encode(self, probability: Floats, valid: Mask | None, out: UInt8Array) -> None:
        """Choose the class; see ``Encoder.encode``."""
        if len(self.ids) == 1:
            binarize(probability, valid, self.threshold, out)
        else:
            classify(probability, valid, np.array(self.ids, np.uint8), out)


@dataclass(frozen=True)
class OutputSink:
    """Encodes blended probabilities as bytes and writes them.

    Attributes:
        encoder: encodes them.
        write: receives complete rows (bands, rows, width), from top to bottom.
        is_used: whether the rows go anywhere.
    """

    encoder: Encoder
    write: Write
    is_used: bool = True

    @property
    def bands(self) -> int:
        """Bands of its rows."""
        return self.encoder.bands


def probability_sink(classes: int, *writes: Write | None) -> OutputSink:
    """Write all probabilities, one band for each class, to each of ``writes`` that is not None."""

    def write_all(rows: UInt8Array) -> None:
        for write in filter(None, writes):
            write(rows)

    return OutputSink(ProbabilityEncoder(classes), write_all, any(write is not None for write in writes))


def class_sink(
    encoder: ClassEncoder,
    write_classes: Write | None,
    write_confidence: Write | None,
    statistics: ProbabilityStatistics,
) -> OutputSink:
    """Write the most probable class and its probability, as two rasters.

    Args:
        encoder: with confidence, if that is written.
        write_classes: receives rows of class ids; None where they are not written.
        write_confidence: receives rows of quantized probabilities; None where they are not written.
        statistics: counts the valid pixels, and for a single layer the lowest and highest probability.
    """

    def write(rows: UInt8Array) -> None:
        statistics.add(rows[-1])
        if write_classes is not None:
            write_classes(rows[:1])
        if write_confidence is not None:
            write_confidence(rows[1:])

    return OutputSink(encoder, write)


class RowAssembler:
    """Blends tiles and gives complete rows to the sinks.

    Args:
        plan: the tiles.
        classes: layers of a tile.
        sinks: receive the rows.
        first: the row of tiles whose pixels are the first to be written. Tiles may begin with the row before, because
            it overlaps this one.
        on_row: called for each row of tiles after its rows were written.
    """

    def __init__(
        self,
        plan: TilePlan,
        classes: int,
        sinks: Sequence[OutputSink],
        first: int = 0,
        on_row: RowFinished | None = None,
    ) -> None:
        self._plan, self._sinks, self._first, self._on_row = plan, sinks, first, on_row
        self._blender = RowBlender(plan, classes)
        self._rows: list[UInt8Array] = []
        self._empty = 0

    def add(self, row: int, column: int, probability: Floats | None, valid: Mask | None) -> None:
        """Add the next tile.

        Args:
            row: its row; tiles come in rows from the top, in each from the left.
            column: its column.
            probability: (classes, tile, tile); None for an empty tile.
            valid: validity of the strip of its row, (tile, width); None where all pixels are valid.
        """
        (x0, y0, x1, y1), blended = self._blender.add(row, column, probability)
        if row < self._first:
            return
        if column == 0:
            width = self._plan.columns.length
            self._rows = [np.empty((sink.bands, y1 - y0, width), np.uint8) for sink in self._sinks]
            self._empty = 0
        self._empty += probability is None
        top = self._plan.rows.starts[row]
        visible = None if valid is None else valid[y0 - top : y1 - top, x0:x1]
        for sink, rows in zip(self._sinks, self._rows, strict=True):
            sink.encoder.encode(blended, visible, rows[:, :, x0:x1])
        if column == self._plan.columns.count - 1:
            for sink, rows in zip(self._sinks, self._rows, strict=True):
                sink.write(rows)
            if self._on_row is not None:
                self._on_row(row, self._rows, self._empty)


@contextmanager
def open_output_raster(path: Path, grid: Grid, layout: RasterLayout, outputs: Outputs) -> Iterator[Write]:
    """Write a GeoTIFF with overviews and read it back; ``outputs`` publishes it.

    Raises:
        OutputError: the file cannot be written, or does not read back as it was written.
    """
    with outputs.write(path) as partial:
        with RowWriter(partial, grid, layout, final=path) as writer:
            yield writer.write
        writer.verify(partial)


@contextmanager
def open_temporary_raster(path: Path, grid: Grid, layout: RasterLayout, output: Path) -> Iterator[Write]:
    """Write a GeoTIFF without overviews, which is read again to make ``output``.

    Raises:
        OutputError: as for ``open_output_raster``.
    """
    with RowWriter(path, grid, layout, overviews=False, final=output) as writer:
        yield writer.write
    writer.verify(path)


def check_disk_space(grid: Grid, bands: Mapping[Path, int], main: Path, spooled_bands: int = 0) -> None:
    """Raise where the free space is too small even for well compressed rasters, before hours of inference.

    Args:
        grid: size of the rasters.
        bands: number of bands of each raster.
        main: the output that the journal or the blocks are stored beside, which are as large as all rasters.
        spooled_bands: bands that are stored beside ``main`` without compression during the run.

    Raises:
        DiskFullError: the space is too small.
    """
    pixels = grid.width * grid.height
    needed = Counter({main: (sum(bands.values()) or 1) * pixels // _COMPRESSION + spooled_bands * pixels})
    for path, count in bands.items():
        same_folder = (other for other in needed if other.parent == path.parent)
        needed[next(same_folder, path)] += count * pixels // _COMPRESSION
    for path, size in needed.items():
        check_free_space(path, size)
