"""The task "roads": from an image to a road network."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from ..context import RunContext
from ..fs.atomic import temp_output
from ..protocol.layer_names import name_road_layers
from ..protocol.messages import Result
from ..raster.writer import make_probability_layout
from ..runtimes.pool import SessionPool
from ..vector.io.formats import VectorTarget
from .computer import Computer, LocalComputer
from .request import RoadRequest
from .resume import make_fingerprint
from .run_outputs import check_disk_space, list_image_files, lock_run_outputs, open_output_raster, probability_sink
from .runner import count_noun
from .streaming_vectorizer import Preloader


def extract_roads(
    request: RoadRequest, sessions: SessionPool, context: RunContext, *, computer: Computer | None = None
) -> Result:
    """Extract the roads of an image as lines, nodes and areas.

    The vectors are made of the quantized probabilities while the network still computes the rows below, or by
    partitions where ``computer`` has them made so. A raster of the probabilities is written where it is asked for.

    Args:
        request: image, model, outputs and options.
        sessions: opens the model, where it runs in this process.
        computer: where the tiles are computed; None for this process.
        context: receives progress and messages; checked for cancellation.

    Returns:
        The result: outputs by role, and the summary.

    Raises:
        TerraSporeError: an output cannot be made; none is written.
    """
    start, preloader, image, computer = context.clock(), Preloader(), request.image, computer or LocalComputer(sessions)
    vectors = VectorTarget(request.output, name_road_layers(request.writing.layer, areas=request.options.areas))
    kept, sources = [request.probability], list_image_files(image)
    overwrite, resume = request.writing.overwrite, request.resume
    with (
        lock_run_outputs(
            vectors, kept, sources, context, overwrite=overwrite, journaled=request.output, resume=resume
        ) as outputs,
        temp_output(request.output, ".rows") as spool,
        computer.open_run(image, "roads", context, outputs=outputs, on_model_opening=preloader.start) as run,
    ):
        vectors.check_crs(run.grid.crs)
        threshold = run.model.card.threshold if request.threshold is None else request.threshold
        options, classes = replace(request.options, threshold=threshold), len(run.model.card.classes)
        bands = {} if request.probability is None else {request.probability: classes}
        check_disk_space(run.grid, bands, request.output, spooled_bands=int(run.spools_roads))
        fingerprint = make_fingerprint(run, image, {"rasters": "probability"})
        with (
            computer.start(run, fingerprint, request.output, resume=resume, context=context) as computation,
            computation.open_roads(
                options, replace(vectors, outputs=outputs), spool=spool, preloader=preloader
            ) as roads,
        ):
            layout = make_probability_layout([entry.name for entry in run.model.card.classes], run.tags)
            raster = request.probability and open_output_raster(request.probability, run.grid, layout, outputs)
            with raster or nullcontext() as write_probability:
                sinks = [probability_sink(classes, roads.append, write_probability)]
                statistics = computation.compute(sinks)
            network = roads.finish()
            outputs.publish(context.cancellation.commit, computation.note_outputs)
    seconds = context.clock() - start
    text = f"{network.length / 1000:.2f} km of road in {count_noun(network.edges, 'line')}"
    files = {"roads": request.output, "probability": request.probability}
    totals = {"length_m": network.length, "roads": network.edges, "threshold": threshold}
    return Result(
        outputs={role: str(path) for role, path in files.items() if path is not None},
        summary={**statistics.summarize(run), **network.metrics(), **totals},
        text=f"{text}, {statistics.describe(run, seconds)} -> {request.output}",
        seconds=seconds,
    )
