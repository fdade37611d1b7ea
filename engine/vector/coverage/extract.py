"""Land cover from a class raster to a file: the flow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...concurrency import ReadAhead
from ...context import RunContext
from ...errors import ParameterError, SourceError
from ...protocol.messages import Message, Progress
from ...protocol.options import CoverageOptions
from ...raster.probability import PROBABILITY_SCALE, MaskedBand, ProbabilityRaster, open_probability_raster, open_raster
from ..geodesy import PixelGeodesy
from ..io.formats import check_vector_output
from ..io.styles import Color, make_class_style
from ..io.writer import VectorWriter, open_vector_writer
from ..jit import warn_without_numba
from .build import CoveragePart, build_coverage, in_batches
from .options import CODES, minimum_pixels

LAYER = "landcover"
#: Pixels worked on at a time at most: strips of very wide rasters are lower than what is asked for.
MOST_PIXELS = 10_000_000


@dataclass(frozen=True)
class CoverageSummary:
    """Figures of a coverage.

    Attributes:
        polygons: number of polygons.
        area: square metres in all.
        area_by_class: square metres by class id.
        layers: the file of each layer.
    """

    polygons: int
    area: float
    area_by_class: Mapping[int, float]
    layers: Mapping[str, Path]

    def metrics(self) -> dict[str, float | int | str | None]:
        """The figures for the result event."""
        by_class = {f"area_of_class_{key}": value for key, value in sorted(self.area_by_class.items())}
        return {"polygons": self.polygons, "area": self.area, **by_class}


class ClassReader:
    """Rows of a class raster as codes (class id plus one; 0 for nodata) and of its confidence as levels."""

    def __init__(self, dataset: Any, band: int, nodata: int | None, confidence: ProbabilityRaster | None) -> None:
        if not 1 <= band <= dataset.count:
            raise ParameterError(f"{dataset.name} has {dataset.count} bands, so there is no band {band}.")
        kind = np.dtype(dataset.dtypes[band - 1])
        if kind.kind not in "ui" or kind.itemsize > 4:
            raise SourceError(
                f"{dataset.name} holds {kind.name} values, not classes.", "Give a raster of whole class numbers."
            )
        self.shape = (int(dataset.height), int(dataset.width))
        if confidence is not None and confidence.shape != self.shape:
            raise SourceError(
                f"The confidence raster has {confidence.shape[1]} x {confidence.shape[0]} pixels, but the classes "
                f"have {self.shape[1]} x {self.shape[0]}."
            )
        self._source, self._confidence = MaskedBand(dataset, band), confidence
        self._none = {value for value in (nodata, self._source.nodata) if value is not None}
        self._table = self._to_codes(np.arange(256, dtype=np.uint8))

    def codes(self, row: int, height: int) -> NDArray[np.uint16]:
        """Codes of some rows."""
        values, known = self._source.read(row, 0, height, self.shape[1])
        if values.dtype == np.uint8:
            codes = np.asarray(cv2.LUT(values, self._table), np.uint16)
        else:
            codes = self._to_codes(values)
            self._check_range(values[codes > 0] if known is None else values[known & (codes > 0)])
        if known is not None:
            codes[~known] = 0
        return codes

    def _to_codes(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        codes = values.astype(np.uint16) + np.uint16(1)
        for value in self._none:
            codes[values == value] = 0
        return np.asarray(codes, np.uint16)

    def confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Confidence of some rows as levels; of no rows where there is none."""
        if self._confidence is None:
            return np.zeros((0, 0), np.uint8)
        return self._confidence.read(row, 0, height, self.shape[1])

    def _check_range(self, values: NDArray[Any]) -> None:
        if values.size and (int(values.min()) < 0 or int(values.max()) > CODES - 2):
            raise SourceError(
                f"{self._source.name} has values from {values.min()} to {values.max()}, but classes are numbered "
                f"from 0 to {CODES - 2}."
            )


def vectorize_landcover(
    classes: Path,
    output: Path,
    options: CoverageOptions,
    *,
    confidence: Path | None,
    class_names: Mapping[int, str],
    metadata: Mapping[str, str],
    context: RunContext,
    band: int = 1,
    crs: object | None = None,
    layer: str = LAYER,
    class_colours: Mapping[int, Color] | None = None,
    name: str | None = None,
) -> CoverageSummary:
    """Make a coverage of a class raster: polygons without gaps and overlaps, in the layer ``landcover``.

    Args:
        classes: raster of class ids (whole numbers from 0).
        output: the file to write; its suffix says the format.
        options: minimum mapping units, simplification, smoothing.
        confidence: raster of the same size with the probability of each pixel's class, or None.
        class_names: names by class id; a class without one is called by its number.
        metadata: what made the classes, to be stored with the layer.
        context: receives progress and messages; checked for cancellation.
        band: the band with the classes, from 1.
        crs: CRS of the output; that of the raster where None.
        layer: name of the layer.
        class_colours: colours by class id for the layer's style; else those of the raster's palette.
        name: what the person knows the raster as; else the name of its file.

    Raises:
        SourceError: a raster cannot be used.
        OutputError: the output cannot be written.
        Cancelled: the person cancelled; nothing was written.
    """
    check_vector_output(output)
    warn_without_numba(context)
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(classes))
        sure = None if confidence is None else stack.enter_context(open_probability_raster(confidence))
        reader = ClassReader(dataset, band, options.nodata, sure)
        ground = PixelGeodesy(dataset.crs, dataset.transform)
        if not ground.is_metric:
            context.report(Message(f"{name or classes.name} has no CRS: its units are taken as metres.", "warning"))
        described = {**metadata, **{f"coverage.{name}": str(value) for name, value in asdict(options).items()}}
        styles: dict[str, str] = {}  # filled when it is known which classes occur, and stored when the file is closed
        writer = stack.enter_context(
            open_vector_writer(output, source_crs=dataset.crs, crs=crs, metadata=described, styles=styles)
        )
        parts = coverage_parts(reader, ground, options, context, scratch=output.absolute().parent)
        summary = _write(writer, layer, parts, class_names, with_confidence=sure is not None)
        names = {key: class_names.get(key, str(key)) for key in summary.area_by_class}
        styles[layer] = make_class_style(names, {**_palette(dataset, band), **(class_colours or {})})
        return summary


def _palette(dataset: Any, band: int) -> dict[int, Color]:
    """The colours of a raster's palette, by value; none where it has no palette."""
    try:
        return {int(key): colour[:3] for key, colour in dataset.colormap(band).items()}
    except ValueError:
        return {}


def coverage_parts(
    reader: ClassReader,
    ground: PixelGeodesy,
    options: CoverageOptions,
    context: RunContext,
    *,
    scratch: Path,
) -> Iterator[CoveragePart]:
    """The coverage of a class raster, part by part.

    Args:
        reader: gives the rows.
        ground: where pixels lie.
        options: minimum mapping units, simplification, smoothing.
        context: receives progress and messages; checked for cancellation.
        scratch: folder for what does not fit in memory.
    """
    resolution = ground.resolution(reader.shape)
    simplify = 1.0 if options.simplify is None else options.simplify / resolution
    wanted = np.ones(CODES, np.bool_)
    if options.classes is not None:
        wanted = np.isin(np.arange(CODES) - 1, sorted(options.classes))

    def check(done: int, total: int) -> None:
        context.check_cancelled()
        context.report(Progress("vectorize", done, total))

    return build_coverage(
        reader,
        ground,
        minimum=minimum_pixels(options, resolution**2),
        wanted=wanted,
        smooth=options.smooth,
        simplify=simplify,
        strip=min(options.strip, max(64, MOST_PIXELS // reader.shape[1])),
        scratch=scratch,
        check=check,
    )


def _write(
    writer: VectorWriter,
    layer: str,
    parts: Iterator[CoveragePart],
    class_names: Mapping[int, str],
    *,
    with_confidence: bool,
) -> CoverageSummary:
    """Write the polygons in batches, while others are being made, and sum up their areas."""
    by_class: dict[int, float] = {}
    count = 0
    with ReadAhead(in_batches(parts)) as batches:
        for part in batches:
            ids = part.code.astype(np.int32) - 1
            unique, inverse = np.unique(ids, return_inverse=True)
            names = np.array([class_names.get(int(key), str(key)) for key in unique], object)
            sure = part.confidence / PROBABILITY_SCALE if with_confidence else np.full(len(ids), math.nan)
            columns = {
                "area_id": part.region.astype(np.int64),
                "class_id": ids,
                "class_name": names[inverse] if len(ids) else np.zeros(0, object),
                "area": np.round(part.area, 2),
                "perimeter": np.round(part.perimeter, 2),
                "confidence": np.round(sure, 3),
            }
            writer.write(layer, "Polygon", part.geometry, columns)
            count += len(ids)
            sums = np.bincount(inverse, weights=part.area, minlength=len(unique))
            for key, value in zip(unique.tolist(), sums.tolist(), strict=True):
                by_class[key] = by_class.get(key, 0.0) + value
    return CoverageSummary(count, sum(by_class.values()), by_class, writer.paths)
