"""The tasks "landcover" and "segmentation": from an image to rasters and polygons of classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..context import RunContext
from ..errors import ParameterError
from ..fs.atomic import temp_output
from ..fs.outputs import Outputs
from ..models.card import ModelCard, Task
from ..protocol.messages import Result
from ..protocol.options import CoverageOptions
from ..raster.probability import PROBABILITY_SCALE, ProbabilityStatistics, quantize_threshold
from ..raster.writer import RasterLayout, make_class_layout, make_probability_layout
from ..runtimes.pool import SessionPool
from ..vector.coverage.class_choice import check_class_ids, choose_regularized
from ..vector.io.formats import VectorTarget
from .computer import Computer, LocalComputer, PolygonVectorizer
from .job import PlannedRun
from .request import ClassRequest
from .resume import make_fingerprint
from .run_outputs import (
    ClassEncoder,
    OutputSink,
    Write,
    check_disk_space,
    class_sink,
    list_image_files,
    lock_run_outputs,
    open_output_raster,
    open_temporary_raster,
    probability_sink,
)
from .runner import count_noun

if TYPE_CHECKING:
    from ..vector.coverage.extract import CoverageSummary


class ClassRasters(NamedTuple):
    """The rasters of class ids and of confidences that a run writes; None where it writes none."""

    classes: Path | None
    confidence: Path | None


def extract_classes(
    request: ClassRequest, task: Task, sessions: SessionPool, context: RunContext, *, computer: Computer | None = None
) -> Result:
    """Extract the classes of an image as rasters and as polygons.

    Args:
        request: image, model, outputs (at least one) and options.
        task: task that the model must be for; ``segmentation`` accepts any model.
        sessions: opens the model, where it runs in this process.
        computer: where the tiles are computed; None for this process.
        context: receives progress and messages; checked for cancellation.

    Returns:
        The result: outputs by role, and the summary.

    Raises:
        TerraSporeError: an output cannot be made; none is written.
    """
    start, image = context.clock(), request.image
    files = {
        "vectors": request.output,
        "classes": request.classes,
        "confidence": request.confidence,
        "probability": request.probability,
    }
    main, vectors = _choose_main(request, files.values()), _choose_vectors(request)
    kept, sources = list(files.values())[1:], list_image_files(image)
    overwrite, resume, computer = request.writing.overwrite, request.resume, computer or LocalComputer(sessions)
    with (
        lock_run_outputs(
            vectors, kept, sources, context, overwrite=overwrite, journaled=main, resume=resume
        ) as outputs,
        computer.open_run(image, task, context, outputs=outputs) as run,
        ExitStack() as stack,
    ):
        if vectors is not None:
            vectors.check_crs(run.grid.crs)
        regularized = _choose_regularized(request.options, run.model.card)
        rasters = _choose_class_rasters(request, run, stack)
        bands = {rasters.classes: 1, rasters.confidence: 1, request.probability: len(run.model.card.classes)}
        check_disk_space(run.grid, {path: count for path, count in bands.items() if path is not None}, main)
        fingerprint = make_fingerprint(run, image, _describe_rasters(request, run.model.card))
        with computer.start(run, fingerprint, main, resume=resume, context=context) as computation:
            found = ProbabilityStatistics(cause=run.nodata_cause)
            options = _choose_polygons(request, run.model.card)
            polygons = None if vectors is None else computation.open_polygons(options, regularized)
            with _open_sinks(run, request, rasters, outputs, found) as sinks:
                statistics = computation.compute(sinks)
            nothing, coverage = _warn_of_nothing(found, request, run.model.card, context), None
            if vectors is not None:
                target, card = replace(vectors, metadata=run.tags, outputs=outputs), run.model.card
                coverage = _vectorize(request, target, card, rasters, context, polygons=polygons, nothing=nothing)
            outputs.publish(context.cancellation.commit, computation.note_outputs)
    seconds = context.clock() - start
    subject, summary = f"{run.grid.width} x {run.grid.height} pixels", statistics.summarize(run)
    if coverage is not None:
        subject, summary = _describe_polygons(coverage, class_table(run.model.card)[0]), summary | coverage.metrics()
    written_files = {role: str(path) for role, path in files.items() if path is not None}
    return Result(written_files, summary, f"{subject}, {statistics.describe(run, seconds)}", seconds)


def _choose_main(request: ClassRequest, files: Iterable[Path | None]) -> Path:
    """Return the output that the journal is stored beside."""
    main = request.main or next(filter(None, files), None)
    if main is None:
        raise ParameterError("No output is named.")
    return main


def _choose_vectors(request: ClassRequest) -> VectorTarget | None:
    """Return the file and the layer of the polygons, if they are wanted."""
    layer = request.writing.layer
    if request.output is not None:
        return VectorTarget(request.output, {request.layer: layer or request.layer})
    if layer is not None:
        raise ParameterError("The option --layer names a layer of vectors, but none are written.", "Add --vectors.")
    if request.options != CoverageOptions():
        raise ParameterError("There are options of vectors, but none are written.", "Add --vectors.")
    return None


def _choose_regularized(options: CoverageOptions, card: ModelCard) -> list[int]:
    """Choose the classes to regularize; options of classes that the model does not have are refused before any work."""
    names = class_table(card)[0]
    regularized = choose_regularized(options.regularise, names)
    check_class_ids(options, regularized, names)
    return regularized


def class_table(card: ModelCard) -> tuple[dict[int, str], dict[int, tuple[int, int, int]]]:
    """Return names and colours of the values of a class raster, which are 0 and 1 for a model of one class."""
    if len(card.classes) == 1:
        only = card.classes[0]
        return {0: "background", 1: only.name}, {0: (0, 0, 0), 1: only.colour}
    return {c.id: c.name for c in card.classes}, {c.id: c.colour for c in card.classes}


def _choose_class_rasters(request: ClassRequest, run: PlannedRun, stack: ExitStack) -> ClassRasters:
    """Choose the paths of the class rasters; ``stack`` removes those that only the polygons are made of."""
    classes, confidence = request.classes, request.confidence
    if request.output is not None and run.stores_classes:
        classes = classes or stack.enter_context(temp_output(request.output, ".classes.tif"))
        confidence = confidence or stack.enter_context(temp_output(request.output, ".confidence.tif"))
    return ClassRasters(classes, confidence)


def _threshold(request: ClassRequest, card: ModelCard) -> float:
    return card.threshold if request.threshold is None else request.threshold


def _describe_rasters(request: ClassRequest, card: ModelCard) -> dict[str, str]:
    """Return the settings that decide the values of the rasters, for the fingerprint of the run."""
    rasters = ["classes"] if request.output or request.classes or request.confidence else []
    settings = {"rasters": " and ".join([*rasters, *(["probability"] if request.probability else [])])}
    if rasters and len(card.classes) == 1:
        settings["threshold"] = f"{_threshold(request, card):g}"
    return settings


@contextmanager
def _open_sinks(
    run: PlannedRun, request: ClassRequest, rasters: ClassRasters, outputs: Outputs, statistics: ProbabilityStatistics
) -> Iterator[list[OutputSink]]:
    """Open the rasters that the run writes; ``statistics`` counts what is written to the raster of classes."""
    card = run.model.card
    names, colours = class_table(card)
    layers = [entry.name for entry in card.classes]
    with ExitStack() as stack:

        def open_raster(path: Path | None, layout: RasterLayout) -> Write | None:
            if path is None:
                return None
            if request.output is None or path in (request.classes, request.confidence, request.probability):
                return stack.enter_context(open_output_raster(path, run.grid, layout, outputs))
            return stack.enter_context(open_temporary_raster(path, run.grid, layout, request.output))

        write_classes = open_raster(rasters.classes, make_class_layout(names, colours, run.tags))
        write_confidence = open_raster(rasters.confidence, make_probability_layout(["confidence"], run.tags))
        write_all = open_raster(request.probability, make_probability_layout(layers, run.tags))
        sinks: list[OutputSink] = []
        if write_classes or write_confidence or request.output is not None:
            encoder = ClassEncoder(
                tuple(entry.id for entry in card.classes),
                _threshold(request, card),
                has_confidence=write_confidence is not None or request.output is not None,
            )
            sinks.append(class_sink(encoder, write_classes, write_confidence, statistics))
        if write_all:
            sinks.append(probability_sink(len(layers), write_all))
        yield sinks


def _warn_of_nothing(found: ProbabilityStatistics, request: ClassRequest, card: ModelCard, context: RunContext) -> str:
    """Warn if no pixel has a class, or all have the only one; return why there would be no polygons."""
    threshold = _threshold(request, card)
    reached = "the regions are smaller than the minimum mapping unit (--minimum-area)"
    if request.options.classes is not None:
        reached = f"no pixel has a class of --only, or {reached}"
    text = found.explain_nothing(request.image.name, threshold, reached)
    is_below = len(card.classes) == 1 and found.highest < quantize_threshold(threshold)
    is_above = len(card.classes) == 1 and found.lowest >= quantize_threshold(threshold)
    if found.pixels and (is_below or not found.valid):
        context.warn(text)
    elif found.pixels and is_above:
        context.warn(
            f"All pixels of {request.image.name} are {card.classes[0].name}: the lowest probability is "
            f"{found.lowest / PROBABILITY_SCALE:.2g}, and the threshold {threshold:g}. Does the activation of the card "
            "follow one in the network?"
        )
    return text


def _choose_polygons(request: ClassRequest, card: ModelCard) -> CoverageOptions:
    """Return the options of the polygons; there are none of the background."""
    if len(card.classes) > 1 or request.options.classes is not None:
        return request.options
    return replace(request.options, classes=frozenset({1}))


def _vectorize(
    request: ClassRequest,
    target: VectorTarget,
    card: ModelCard,
    rasters: ClassRasters,
    context: RunContext,
    *,
    polygons: PolygonVectorizer | None,
    nothing: str,
) -> CoverageSummary:
    """Make the polygons, of the class raster unless ``polygons`` does; ``nothing`` says why there would be none."""
    from ..vector.coverage.extract import ClassTable, vectorize_landcover

    if polygons is not None:
        return polygons.write(target, ClassTable(*class_table(card)), nothing)
    assert rasters.classes is not None, "polygons are made of a raster"
    assert target.outputs is not None, "the rasters are outputs of the run, or temporary"
    return vectorize_landcover(
        target.outputs.locate(rasters.classes),
        target,
        _choose_polygons(request, card),
        context=context,
        confidence=rasters.confidence and target.outputs.locate(rasters.confidence),
        class_names=class_table(card)[0],
        name=request.image.name,
        nothing=nothing,
    )


def _describe_polygons(coverage: CoverageSummary, names: Mapping[int, str]) -> str:
    """Return the number of polygons and the area of each class, largest first."""
    areas = {name: coverage.area_by_class.get(key, 0.0) for key, name in names.items()}
    largest = sorted(filter(areas.get, areas), key=areas.__getitem__, reverse=True)
    areas_text = ", ".join(f"{name} {areas[name]:,.0f} m²" for name in largest)
    return count_noun(coverage.polygons, "polygon") + (f" ({areas_text})" if areas_text else "")
