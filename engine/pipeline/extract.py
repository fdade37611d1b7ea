"""Roads and classes of an image, from the file to the layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ..context import RunContext
from ..errors import Cancelled, ParameterError
from ..fs.atomic import atomic_output, check_output_path, cleanup_on_abort, temp_output
from ..fs.lock import lock_outputs
from ..fs.spool import RowSpool
from ..models.card import ModelCard, Task
from ..protocol.messages import Result
from ..protocol.options import RoadOptions
from ..raster.grid import Grid
from ..raster.probability import UInt8Array
from ..raster.writer import RasterLayout, RowWriter, make_class_layout, make_probability_layout
from .plan import InferenceRun, open_run
from .preload import Preloader
from .request import ClassRequest, OpenSession, RoadRequest
from .resume import RowJournal, make_fingerprint, open_journal
from .runner import Counts, run_inference
from .sinks import OutputSink, Write, class_sink, probability_sink
from .streaming_vectorizer import live_roads

Summary = dict[str, float | int | str | None]

#: A raster never takes less than a fiftieth of its pixels.
_COMPRESSION = 50


def extract_roads(request: RoadRequest, open_session: OpenSession, context: RunContext) -> Result:
    """Roads of an image as lines, nodes and areas.

    The vectors are made of the probabilities as they would be written, while the network still computes the rows
    below; a raster of them is written where the request says so.

    Args:
        request: image, model and outputs.
        open_session: opens the model.
        context: receives progress and messages; checked for cancellation.

    Returns:
        The result: outputs by role and figures.

    Raises:
        TerraSporeError: anything that keeps an output from being made. Rasters that were complete stay, but for a
            cancelled run.
    """
    start = context.clock()
    with ExitStack() as stack:
        stack.enter_context(lock_outputs([request.output, request.probability], [request.image.image]))
        rows = stack.enter_context(temp_output(request.output, ".rows"))
        libraries = Preloader()
        with open_run(request.image, "roads", libraries.start_with(open_session), context) as run:
            threshold = run.model.card.threshold if request.threshold is None else request.threshold
            options = RoadOptions(**{**request.options, "threshold": threshold})
            kept = {} if request.probability is None else {request.probability: len(run.model.card.classes)}
            _check_space(run.grid, kept, request.output, plain=1)
            fingerprint = make_fingerprint(run, request.image, {"rasters": "probability"})
            log = stack.enter_context(
                open_journal(run, fingerprint, request.output, resume=request.resume, context=context)
            )
            store = stack.enter_context(RowSpool(rows, (run.grid.height, run.grid.width), request.output))
            live = stack.enter_context(
                live_roads(run, request, options, libraries=libraries, store=store, context=context)
            )
            counts = _write_probability(run, request.probability, live.write, context, log=log)
        stack.enter_context(_removed_on_cancel([request.probability]))
        roads = live.result()
    seconds = context.clock() - start
    text = f"{roads.length / 1000:.2f} km of road in {_counted(roads.edges, 'line')}"
    figures: Summary = {"length_m": roads.length, "roads": roads.edges, "threshold": threshold}
    return Result(
        outputs=_outputs({"roads": request.output, "probability": request.probability}),
        summary={**_figures(run, counts), **roads.metrics(), **figures},
        seconds=seconds,
        text=f"{text}, {_how(run, counts, seconds)} -> {request.output}",
    )


def extract_classes(
    request: ClassRequest,
    task: Task,
    open_session: OpenSession,
    context: RunContext,
) -> Result:
    """Classes of an image, as rasters and as polygons.

    Args:
        request: image, model and outputs; at least one output.
        task: what the model has to be for; ``segmentation`` takes any model.
        open_session: opens the model.
        context: receives progress and messages; checked for cancellation.

    Returns:
        The result: outputs by role and figures.

    Raises:
        TerraSporeError: anything that keeps an output from being made. Rasters that were complete stay, but for a
            cancelled run.
    """
    start = context.clock()
    wanted = [request.output, request.classes, request.confidence, request.probability]
    main = request.main or next(filter(None, wanted), None)
    if main is None:
        raise ParameterError("No output is named.")
    with ExitStack() as stack:
        stack.enter_context(lock_outputs(wanted, [request.image.image]))
        classes, confidence = request.classes, request.confidence
        if request.output is not None:
            classes = classes or _temporary(request.output, "classes", stack)
            confidence = confidence or _temporary(request.output, "confidence", stack)
        with open_run(request.image, task, open_session, context) as run:
            layers = {classes: 1, confidence: 1, request.probability: len(run.model.card.classes)}
            _check_space(run.grid, {path: bands for path, bands in layers.items() if path is not None}, main)
            fingerprint = make_fingerprint(run, request.image, _rules(request, run))
            log = stack.enter_context(open_journal(run, fingerprint, main, resume=request.resume, context=context))
            counts = _write_classes(run, request, (classes, confidence), context, log=log)
        stack.enter_context(_removed_on_cancel([request.classes, request.confidence, request.probability]))
        figures = _vectorize(request, run, (classes, confidence), context)
    seconds = context.clock() - start
    outputs = {"vectors": request.output, "classes": request.classes}
    outputs |= {"confidence": request.confidence, "probability": request.probability}
    what = _said_of_polygons(figures, run.model.card) or f"{run.grid.width} x {run.grid.height} pixels"
    return Result(
        outputs=_outputs(outputs),
        summary={**_figures(run, counts), **figures},
        seconds=seconds,
        text=f"{what}, {_how(run, counts, seconds)}",
    )


def _write_probability(
    run: InferenceRun, path: Path | None, also: Write, context: RunContext, *, log: RowJournal | None
) -> Counts:
    """Compute all probabilities and write them to ``path``, where that is given, and to ``also``."""
    names = [entry.name for entry in run.model.card.classes]
    with ExitStack() as stack:
        writes = [also]
        if path is not None:
            writes.append(stack.enter_context(_raster(path, path, run.grid, make_probability_layout(names, run.tags))))

        def write(rows: UInt8Array) -> None:
            for each in writes:
                each(rows)

        return run_inference(run.work, run.predict_stream, [probability_sink(len(names), write)], context, log=log)


def _write_classes(
    run: InferenceRun,
    request: ClassRequest,
    paths: tuple[Path | None, Path | None],
    context: RunContext,
    *,
    log: RowJournal | None,
) -> Counts:
    card = run.model.card
    threshold = card.threshold if request.threshold is None else request.threshold
    names, colours = class_table(card)
    with ExitStack() as stack:

        def writer(path: Path | None, layout: RasterLayout, kept: Path | None) -> Write | None:
            if path is None:
                return None
            return stack.enter_context(_raster(path, kept or request.output or path, run.grid, layout))

        write_classes = writer(paths[0], make_class_layout(names, colours, run.tags), request.classes)
        write_confidence = writer(paths[1], make_probability_layout(["confidence"], run.tags), request.confidence)
        layers = [entry.name for entry in card.classes]
        write_all = writer(request.probability, make_probability_layout(layers, run.tags), request.probability)
        products: list[OutputSink] = []
        if write_classes or write_confidence:
            ids = [entry.id for entry in card.classes]
            products.append(class_sink(ids, threshold, write_classes, write_confidence))
        if write_all:
            products.append(probability_sink(len(layers), write_all))
        return run_inference(run.work, run.predict_stream, products, context, log=log)


def _rules(request: ClassRequest, run: InferenceRun) -> dict[str, str]:
    """What of a request decides the rasters' values."""
    card = run.model.card
    rasters = ["classes"] if request.output or request.classes or request.confidence else []
    rules = {"rasters": " and ".join([*rasters, *(["probability"] if request.probability else [])])}
    if rasters and len(card.classes) == 1:
        rules["threshold"] = f"{card.threshold if request.threshold is None else request.threshold:g}"
    return rules


def class_table(card: ModelCard) -> tuple[dict[int, str], dict[int, tuple[int, int, int]]]:
    """Names and colours of the values of a class raster; of a model of one class these are 0 and 1."""
    if len(card.classes) == 1:
        only = card.classes[0]
        return {0: "background", 1: only.name}, {0: (0, 0, 0), 1: only.colour}
    return {c.id: c.name for c in card.classes}, {c.id: c.colour for c in card.classes}


def _vectorize(
    request: ClassRequest,
    run: InferenceRun,
    paths: tuple[Path | None, Path | None],
    context: RunContext,
) -> Summary:
    """Polygons of the class raster, where they are wanted; their figures."""
    classes, confidence = paths
    if request.output is None or classes is None:
        return {}
    from ..protocol.options import CoverageOptions
    from ..vector.coverage.extract import vectorize_landcover

    names = class_table(run.model.card)[0]
    only: dict[str, Any] = {"classes": frozenset({1})} if len(run.model.card.classes) == 1 else {}
    summary = vectorize_landcover(
        classes,
        request.output,
        CoverageOptions(**only, **request.options),
        confidence=confidence,
        class_names=names,
        metadata=run.tags,
        context=context,
        layer=request.layer,
        name=request.image.image.name,
    )
    return summary.metrics()


@contextmanager
def _raster(path: Path, final: Path, grid: Grid, layout: RasterLayout) -> Iterator[Write]:
    """A raster that reads back as it was written.

    Args:
        path: the file.
        final: the output that it is made for. Where that is the file itself, it is kept: it gets its name only when
            it is complete, and has overviews.
        grid: place and size.
        layout: bands and metadata.
    """
    kept = path == final
    with atomic_output(path) if kept else nullcontext(path) as partial:
        with RowWriter(partial, grid, layout, overviews=kept, final=final) as writer:
            yield writer.write
        writer.verify(partial)


def _check_space(grid: Grid, bands: Mapping[Path, int], main: Path, plain: int = 0) -> None:
    """Raise where there is not even the space for well compressed rasters: the run would fail hours later.

    Args:
        grid: size of the rasters.
        bands: of each raster.
        main: the output that the journal stands beside, which is as large as all rasters.
        plain: bytes of each pixel that are kept as they are beside ``main`` while the run lasts.
    """
    pixels = grid.width * grid.height
    needed = Counter({main: (sum(bands.values()) or plain) * pixels // _COMPRESSION + plain * pixels})
    for path, count in bands.items():
        needed[next((one for one in needed if one.parent == path.parent), path)] += count * pixels // _COMPRESSION
    for path, size in needed.items():
        check_output_path(path, needed_bytes=size)


@contextmanager
def _removed_on_cancel(rasters: Sequence[Path | None]) -> Iterator[None]:
    """Remove rasters that are complete already where the rest of the run is cancelled.

    After an error they stay: they took the longest, and vectors can be made of them.
    """

    def remove() -> None:
        for path in filter(None, rasters):
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)

    with cleanup_on_abort(remove):
        try:
            yield
        except Cancelled:
            remove()
            raise


def _temporary(output: Path, role: str, stack: ExitStack) -> Path:
    """A name for a raster beside ``output`` that is removed at the end."""
    return stack.enter_context(temp_output(output, f".{role}.tif"))


def _outputs(paths: Mapping[str, Path | None]) -> dict[str, str]:
    return {role: str(path) for role, path in paths.items() if path is not None}


def _figures(run: InferenceRun, counts: Counts) -> Summary:
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


def _said_of_polygons(figures: Summary, card: ModelCard) -> str:
    """How many polygons, and the area of each class, largest first; empty where there are none."""
    if "polygons" not in figures:
        return ""
    names = class_table(card)[0]
    areas = {name: float(figures.get(f"area_of_class_{key}") or 0.0) for key, name in names.items()}
    largest = sorted(filter(areas.get, areas), key=areas.__getitem__, reverse=True)
    each = ", ".join(f"{name} {areas[name]:,.0f} m²" for name in largest)
    return _counted(figures["polygons"], "polygon") + (f" ({each})" if each else "")


def _counted(count: float | int | str | None, what: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _how(run: InferenceRun, counts: Counts, seconds: float) -> str:
    done = counts.tiles - counts.empty
    return (
        f"{_counted(done, 'tile')} in {seconds:.1f} s on {run.session.device} with {run.session.runtime}. {run.reason}"
    )
