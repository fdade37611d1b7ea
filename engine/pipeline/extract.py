"""Roads and classes of an image, from the file to the layers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..errors import Cancelled, ParameterError
from ..events import Cancellation, Reporter, Result
from ..models.card import ModelCard
from ..output.atomic import atomic_output, check_target, removed_when_abandoned, temporary_file
from ..raster.grid import Grid
from ..raster.writer import Layout, RowWriter, class_layout, probability_layout
from .prepare import Prepared, prepare
from .products import Product, Write, class_product, probability_product
from .request import ClassRequest, OpenSession, RoadRequest
from .stream import Counts, run_stream

Summary = dict[str, float | int | str | None]


def extract_roads(
    request: RoadRequest, open_session: OpenSession, reporter: Reporter, cancellation: Cancellation
) -> Result:
    """Roads of an image as lines, nodes and areas.

    The probability raster is always made, because the vectors come from it; it is kept where the request says so.

    Args:
        request: image, model and outputs.
        open_session: opens the model.
        reporter: hears plan, progress and remarks.
        cancellation: ends the run.

    Returns:
        The result: outputs by role and figures.

    Raises:
        TerraSporeError: anything that keeps an output from being made. Rasters that were complete stay, but for a
            cancelled run.
    """
    from ..vector.roads.network import vectorize_roads
    from ..vector.roads.options import RoadOptions

    start = time.perf_counter()
    _check_outputs(request.image.image, [request.output, request.probability])
    with ExitStack() as stack:
        raster = request.probability or _temporary(request.output, "probability", stack)
        with prepare(request.image, ("roads",), open_session, reporter) as run:
            threshold = run.model.card.threshold if request.threshold is None else request.threshold
            options = RoadOptions(**{**request.options, "threshold": threshold})
            counts = _write_probability(run, raster, reporter, cancellation, overviews=request.probability is not None)
        stack.enter_context(_removed_on_cancel([request.probability]))
        roads = vectorize_roads(
            raster,
            request.output,
            options,
            metadata={**run.tags, "THRESHOLD": f"{threshold:g}"},
            reporter=reporter,
            cancellation=cancellation,
        )
    seconds = time.perf_counter() - start
    text = f"{roads.length / 1000:.2f} km of road in {_counted(roads.edges, 'line')}"
    figures: Summary = {"length_m": roads.length, "roads": roads.edges, "threshold": threshold}
    return Result(
        outputs=_outputs({"roads": request.output, "probability": request.probability}),
        summary={**_figures(run, counts), **roads.figures(), **figures},
        seconds=seconds,
        text=f"{text}, {_how(run, counts, seconds)} -> {request.output}",
    )


def extract_classes(
    request: ClassRequest,
    tasks: tuple[str, ...],
    open_session: OpenSession,
    reporter: Reporter,
    cancellation: Cancellation,
) -> Result:
    """Classes of an image, as rasters and as polygons.

    Args:
        request: image, model and outputs; at least one output.
        tasks: tasks of models that will do.
        open_session: opens the model.
        reporter: hears plan, progress and remarks.
        cancellation: ends the run.

    Returns:
        The result: outputs by role and figures.

    Raises:
        TerraSporeError: anything that keeps an output from being made. Rasters that were complete stay, but for a
            cancelled run.
    """
    start = time.perf_counter()
    wanted = [request.output, request.classes, request.confidence, request.probability]
    if not any(wanted):
        raise ParameterError("No output is named.")
    _check_outputs(request.image.image, wanted)
    with ExitStack() as stack:
        classes, confidence = request.classes, request.confidence
        if request.output is not None:
            classes = classes or _temporary(request.output, "classes", stack)
            confidence = confidence or _temporary(request.output, "confidence", stack)
        with prepare(request.image, tasks, open_session, reporter) as run:
            counts = _write_classes(run, request, (classes, confidence), reporter, cancellation)
        stack.enter_context(_removed_on_cancel([request.classes, request.confidence, request.probability]))
        figures = _vectorize(request, run, (classes, confidence), reporter, cancellation)
    seconds = time.perf_counter() - start
    outputs = {"vectors": request.output, "classes": request.classes}
    outputs |= {"confidence": request.confidence, "probability": request.probability}
    what = (
        _counted(figures["polygons"], "polygon")
        if "polygons" in figures
        else f"{run.grid.width} x {run.grid.height} pixels"
    )
    return Result(
        outputs=_outputs(outputs),
        summary={**_figures(run, counts), **figures},
        seconds=seconds,
        text=f"{what}, {_how(run, counts, seconds)}",
    )


def _write_probability(
    run: Prepared, path: Path, reporter: Reporter, cancellation: Cancellation, *, overviews: bool
) -> Counts:
    names = [entry.name for entry in run.model.card.classes]
    with _raster(path, run.grid, probability_layout(names, run.tags), overviews) as write:
        products = [probability_product(len(names), write)]
        return run_stream(run.work, run.predict, products, reporter, cancellation)


def _write_classes(
    run: Prepared,
    request: ClassRequest,
    paths: tuple[Path | None, Path | None],
    reporter: Reporter,
    cancellation: Cancellation,
) -> Counts:
    card = run.model.card
    threshold = card.threshold if request.threshold is None else request.threshold
    names, colours = class_table(card)
    with ExitStack() as stack:

        def writer(path: Path | None, layout: Layout, kept: Path | None) -> Write | None:
            return stack.enter_context(_raster(path, run.grid, layout, kept is not None)) if path else None

        write_classes = writer(paths[0], class_layout(names, colours, run.tags), request.classes)
        write_confidence = writer(paths[1], probability_layout(["confidence"], run.tags), request.confidence)
        layers = [entry.name for entry in card.classes]
        write_all = writer(request.probability, probability_layout(layers, run.tags), request.probability)
        products: list[Product] = []
        if write_classes or write_confidence:
            ids = [entry.id for entry in card.classes]
            products.append(class_product(ids, threshold, write_classes, write_confidence))
        if write_all:
            products.append(probability_product(len(layers), write_all))
        return run_stream(run.work, run.predict, products, reporter, cancellation)


def class_table(card: ModelCard) -> tuple[dict[int, str], dict[int, tuple[int, int, int]]]:
    """Names and colours of the values of a class raster; of a model of one class these are 0 and 1."""
    if len(card.classes) == 1:
        only = card.classes[0]
        return {0: "background", 1: only.name}, {0: (0, 0, 0), 1: only.colour}
    return {c.id: c.name for c in card.classes}, {c.id: c.colour for c in card.classes}


def _vectorize(
    request: ClassRequest,
    run: Prepared,
    paths: tuple[Path | None, Path | None],
    reporter: Reporter,
    cancellation: Cancellation,
) -> Summary:
    """Polygons of the class raster, where they are wanted; their figures."""
    classes, confidence = paths
    if request.output is None or classes is None:
        return {}
    from ..vector.coverage.landcover import vectorize_landcover
    from ..vector.coverage.options import CoverageOptions

    names = class_table(run.model.card)[0]
    only: dict[str, Any] = {"classes": frozenset({1})} if len(run.model.card.classes) == 1 else {}
    summary = vectorize_landcover(
        classes,
        request.output,
        CoverageOptions(**only, **request.options),
        confidence=confidence,
        class_names=names,
        metadata=run.tags,
        reporter=reporter,
        cancellation=cancellation,
        layer=request.layer,
    )
    return summary.figures()


@contextmanager
def _raster(path: Path, grid: Grid, layout: Layout, overviews: bool) -> Iterator[Write]:
    """A raster that gets its name when it is complete and reads back as it was written."""
    # A compressed raster takes hardly less than this; with less space the run would fail hours later.
    check_target(path, needed_bytes=grid.width * grid.height * len(layout.bands) // 50)
    with atomic_output(path) as partial:
        with RowWriter(partial, grid, layout, overviews=overviews) as writer:
            yield writer.write
        writer.verify(partial)


@contextmanager
def _removed_on_cancel(rasters: Sequence[Path | None]) -> Iterator[None]:
    """Remove rasters that are complete already where the rest of the run is cancelled.

    After an error they stay: they took the longest, and vectors can be made of them.
    """

    def remove() -> None:
        for path in filter(None, rasters):
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)

    with removed_when_abandoned(remove):
        try:
            yield
        except Cancelled:
            remove()
            raise


def _temporary(output: Path, role: str, stack: ExitStack) -> Path:
    """A name for a raster beside ``output`` that is removed at the end."""
    return stack.enter_context(temporary_file(output.with_name(f"{role}.tif")))


def _check_outputs(image: Path, outputs: Sequence[Path | None]) -> None:
    """Raise before any work where an output cannot be written, is the image itself, or is named twice."""
    named = [path.resolve() for path in outputs if path is not None]
    for path in named:
        if path == image.resolve():
            raise ParameterError(f"The output {path} is the image itself.")
        if named.count(path) > 1:
            raise ParameterError(f"The output {path} is named twice.")
        check_target(path)


def _outputs(paths: Mapping[str, Path | None]) -> dict[str, str]:
    return {role: str(path) for role, path in paths.items() if path is not None}


def _figures(run: Prepared, counts: Counts) -> Summary:
    return {
        "model": run.model.card.name,
        "runtime": run.session.runtime,
        "device": run.session.device,
        "precision": run.session.precision,
        "tiles": counts.tiles,
        "empty_tiles": counts.empty,
        "inference_seconds": round(counts.inference, 3),
        "stream_seconds": round(counts.seconds, 3),
        "width": run.grid.width,
        "height": run.grid.height,
        "resolution": run.grid.resolution,
    }


def _counted(count: float | int | str | None, what: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _how(run: Prepared, counts: Counts, seconds: float) -> str:
    done = counts.tiles - counts.empty
    return (
        f"{_counted(done, 'tile')} in {seconds:.1f} s on {run.session.device} with {run.session.runtime}. {run.reason}"
    )
