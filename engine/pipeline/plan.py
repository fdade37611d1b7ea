"""Prepare a run: open the image and the model, lay out the tiles, and estimate time and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from ...__about__ import __version__
from ..concurrency import limit_threads, report_if_slow
from ..context import RunContext
from ..errors import ParameterError
from ..fs.outputs import Outputs
from ..models.card import CARD_NAME, ModelCard, Task
from ..models.domain import DomainFit, compare_with_training
from ..models.registry import Model, choose_model
from ..protocol.messages import Message, Plan, Result
from ..protocol.model_policy import ANY_TASK
from ..protocol.options import ImageOptions
from ..raster.georeferencing import check_positions
from ..raster.grid import crop_to_extent
from ..raster.mosaic import open_view
from ..raster.pixel_view import PixelView
from ..raster.writer import BLOCK
from ..runtimes.base import PredictStream, SessionFacts
from ..runtimes.pool import SessionPool
from ..tiling import TilePlan, make_plan
from .imagery import Imagery, open_imagery
from .job import InferenceJob, InferenceRun, PreparedImage, make_predict_stream
from .request import ImageRequest

if TYPE_CHECKING:
    from ..raster.area import Area

#: Images this many times coarser than the model's resolution are warned of, or computed only if asked for.
_COARSE, _TOO_COARSE = 2.0, 4.0
#: Runs with fewer tiles are not timed: they are over soon, and timing costs a call of the network.
_TILES_WORTH_TIMING = 40
#: Where Linux keeps the memory limit of the process's control group: version 2 and version 1.
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
#: Strips in memory at a time: one is read, one waits, one is computed, and one is written.
_STRIPS = 4


@contextmanager
def open_run(
    request: ImageRequest,
    task: Task,
    sessions: SessionPool,
    context: RunContext,
    *,
    outputs: Outputs | None = None,
    on_model_opening: Callable[[], None] | None = None,
) -> Iterator[InferenceRun]:
    """Open image and model, lay out the tiles, and report the plan.

    Args:
        request: image, model and their options.
        task: task that the model must be for; ``segmentation`` accepts any model.
        sessions: opens the model.
        context: receives the plan and messages.
        outputs: none of them may be the image, a side file of it or the model's files; None where nothing is written.
        on_model_opening: called just before the model is opened, after the image was checked.

    Yields:
        The run; image and model are closed at the end of the block.

    Raises:
        UserError: image, model or options cannot be used, or do not fit together.
    """
    options = request.options
    runtime = replace(request.runtime, threads=limit_threads(request.runtime.threads, context))
    with ExitStack() as resources:
        image = prepare_image(request, task, resources, context, outputs=outputs, on_model_opening=on_model_opening)
        card, plan = image.model.card, image.plan
        with report_if_slow(context, f"The model {card.name} is being loaded; this takes a while."):
            session, reason = resources.enter_context(sessions.open(image.model, runtime, plan.tile))
        job = InferenceJob(image.view, plan, card.bands, len(card.classes), max(1, session.batch))
        job = limit_batch(job, None if options.memory is None else options.memory * 1_000_000)
        run = InferenceRun(
            model=image.model,
            session=session,
            reason=reason,
            job=job,
            predict_stream=make_predict_stream(session, card, options.tta),
            tags=make_tags(image, session, request),
            resources=resources,
            fit=image.fit,
        )
        seconds = estimate_seconds(job, run.predict_stream, _count_tiles(image), context.clock)
        report_plan(image, session, reason, context, memory=estimate_memory(job), seconds=seconds)
        yield run


def prepare_image(
    request: ImageRequest,
    task: Task,
    resources: ExitStack,
    context: RunContext,
    *,
    outputs: Outputs | None = None,
    on_model_opening: Callable[[], None] | None = None,
) -> PreparedImage:
    """Open and check the images, choose the model and lay out the tiles; the model is not loaded.

    Args:
        request: image, model and their options.
        task: task that the model must be for; ``segmentation`` accepts any model.
        resources: closes the images.
        context: receives messages.
        outputs: see ``open_run``.
        on_model_opening: see ``open_run``.

    Raises:
        UserError: image, model or options cannot be used, or do not fit together.
    """
    options = request.options
    imagery = resources.enter_context(open_imagery(request.images, options, context))
    for remark in imagery.remarks:
        context.report(remark)
    model = _choose_model(imagery, options, task, context)
    if outputs is not None:
        weights = model.weights
        outputs.check_sources([*imagery.files, weights, weights.with_name(CARD_NAME)])
    _check_scale(imagery, model.card, options.resolution, context)
    view, plan = _plan_tiles(request, model, imagery, resources, context)
    if on_model_opening is not None:
        on_model_opening()
    fit = _compare(view, model.card)
    if fit is not None and not fit.is_alike:
        context.warn(fit.describe(model.card.name))
    return PreparedImage(model, view, plan, fit)


def _compare(view: PixelView, card: ModelCard) -> DomainFit | None:
    """Compare the image with the training images, before its contrast is matched to theirs."""
    has_optional = [image.stretch is not None and image.stretch.is_optional for image in view.spec.images]
    if not any(has_optional) or card.domain is None:
        return compare_with_training(view, card)
    pairs = zip(view.spec.images, has_optional, strict=True)
    images = tuple(replace(image, stretch=None) if is_optional else image for image, is_optional in pairs)
    with open_view(replace(view.spec, images=images)) as stored:
        return compare_with_training(stored, card)


def _choose_model(imagery: Imagery, options: ImageOptions, task: Task, context: RunContext) -> Model:
    """Choose the model that was asked for, or the default one for the resolution asked for or the image's."""
    pixel = options.resolution or math.sqrt(math.prod(imagery.pixel_size))
    model = choose_model(
        options.model, task, warn=context.warn, pixel=pixel, inform=lambda text: context.report(Message(text))
    )
    if options.model is None and task == ANY_TASK:
        context.report(Message(f"No --model is given: {model.card.name} is used, a model for {model.card.task}."))
    return model


def _check_scale(imagery: Imagery, card: ModelCard, resolution: float | None, context: RunContext) -> None:
    """Report that an image is much finer or coarser than what the model was made for.

    Raises:
        ParameterError: it is so much coarser that the person has to ask for it, or the resolution asked for is coarser
            than the image is large.
    """
    extents = [count * size for count, size in zip(imagery.size, imagery.pixel_size, strict=True)]
    if resolution is not None and resolution > max(extents):
        raise ParameterError(
            f"At {resolution:g} m per pixel, {imagery.name} would be a single pixel: it covers "
            f"{extents[0]:.3g} x {extents[1]:.3g} m.",
            f"Leave out --resolution, or choose one near the {card.resolution:g} m of the model.",
        )
    pixel = max(imagery.pixel_size)
    factor = pixel / card.resolution
    subject = f"The image has pixels of {pixel:.3g} m, the model {card.name} was made for {card.resolution:.3g} m"
    if resolution is None and factor > _TOO_COARSE:
        raise ParameterError(
            f"{subject}: each pixel would become {factor:.0f} x {factor:.0f}, without any more detail.",
            f"Use a finer image, or say with --resolution {card.resolution:g} that it is to be enlarged nevertheless.",
        )
    if factor > _COARSE:
        context.warn(f"{subject}: expect a poor result.")
    elif resolution is not None and not 1 / _TOO_COARSE <= resolution / card.resolution <= _TOO_COARSE:
        context.warn(
            f"--resolution {resolution:g} is far from the {card.resolution:.3g} m that the model {card.name} was made "
            "for: expect a poor result."
        )
    elif resolution is None and factor < 1 / _TOO_COARSE:
        context.report(Message(f"{subject}: its pixels are averaged."))


def _count_tiles(image: PreparedImage) -> int:
    return image.plan.count if image.view.spec.area is None else image.view.spec.area.count_tiles(image.plan)


def report_plan(
    image: PreparedImage,
    session: SessionFacts,
    reason: str,
    context: RunContext,
    *,
    memory: int,
    seconds: float | None,
) -> None:
    """Report what a run is going to do.

    Args:
        image: image, model and tiles.
        session: where the network runs.
        reason: why it runs there.
        context: receives the plan.
        memory: estimated peak memory of a process that computes tiles, bytes.
        seconds: estimated duration; None where it is not known.
    """
    grid, plan = image.view.spec.grid, image.plan
    context.report(
        Plan(
            tiles=_count_tiles(image),
            width=grid.width,
            height=grid.height,
            resolution=grid.resolution,
            tile=plan.tile,
            overlap=plan.overlap,
            model=image.model.card.name,
            runtime=session.runtime,
            device=session.device,
            reason=reason,
            memory_bytes=memory,
            seconds=seconds,
        )
    )


def plan_run(request: ImageRequest, task: Task, sessions: SessionPool, context: RunContext) -> Result:
    """Report the plan of a run: open and time the model, write nothing; arguments and errors as for ``open_run``."""
    with open_run(request, task, sessions, context) as run:
        grid, model = run.grid, run.model.card.name
    sizes = {"width": grid.width, "height": grid.height, "resolution": grid.resolution}
    text = f"{grid.width} x {grid.height} pixels at {grid.resolution:.3g} m with {model}"
    return Result({}, {**sizes, "model": model}, text)


def _plan_tiles(
    request: ImageRequest, model: Model, imagery: Imagery, resources: ExitStack, context: RunContext
) -> tuple[PixelView, TilePlan]:
    """Choose the grid, lay the tiles over it, and open the pixels."""
    card, options = model.card, request.options
    resolution = card.resolution if options.resolution is None else options.resolution
    grid = imagery.make_grid(resolution)
    if options.extent is not None:
        grid = crop_to_extent(grid, options.extent)
    tile = options.tile if options.tile is not None else card.tile
    overlap = options.overlap if options.overlap is not None else min(card.overlap, tile // 2)
    area: Area | None = None
    if options.area_layer is not None and options.area is None:
        raise ParameterError("--area-layer names a layer, but --area names no file.")
    if options.area is not None:
        from ..vector.io.reader import read_area  # brings libraries for vectors, which few runs need

        whole = read_area(options.area, grid, options.area_layer, name=imagery.name, context=context)
        cropped = whole.crop_grid(grid, overlap)  # the network sees a margin around the polygons
        grid, area = cropped, whole.shift_to(grid, cropped)
    check_positions(grid.crs, grid.transform, grid.width, grid.height, imagery.name)
    plan = make_plan(grid.width, grid.height, tile, overlap, card.multiple)
    return imagery.make_view(grid, area, resolution, card, resources), plan


def make_tags(image: PreparedImage, session: SessionFacts, request: ImageRequest) -> dict[str, str]:
    """Return the metadata that is written to every output: how it was made."""
    spec, plan, model, fit = image.view.spec, image.plan, image.model, image.fit
    return {
        "SOFTWARE": f"TerraSpore {__version__}",
        "SOURCE": spec.title,
        "MODEL": model.card.name,
        "MODEL_SHA256": model.sha256,
        "RUNTIME": session.runtime,
        "DEVICE": session.device,
        "PRECISION": session.precision,
        "RESOLUTION": f"{spec.grid.resolution:.6g}",
        "TILE": str(plan.tile),
        "OVERLAP": str(plan.overlap),
        "TTA": "8" if request.options.tta else "1",
        "BANDS": spec.join([entry.bands_text for entry in spec.images]),
        "STRETCH": spec.join([entry.stretch_text for entry in spec.images]),
        **({} if fit is None or fit.is_alike else {"WARNING": fit.describe(model.card.name)}),
    }


def estimate_seconds(
    job: InferenceJob, predict_stream: PredictStream, tiles: int, clock: Callable[[], float]
) -> float | None:
    """Estimate the seconds for ``tiles`` tiles by computing one batch; None for few tiles."""
    if tiles < _TILES_WORTH_TIMING:
        return None
    tile = job.plan.tile
    batch = np.zeros((job.batch, job.bands, tile, tile), job.view.spec.dtype)
    start = clock()
    next(predict_stream([batch], job.batch))
    return (clock() - start) * tiles / job.batch


def estimate_memory(job: InferenceJob) -> int:
    """Estimate the peak memory of the process in bytes: its present size, strips, blending, rows to write, and tiles.

    The working memory of the network is known only where it ran already; about twelve full-size feature maps of eight
    channels for each pixel of a batch are assumed.
    """
    plan, layers = job.plan, job.view.spec.layers
    width, tile = max(plan.columns.length, plan.tile), plan.tile
    strip = tile * width * (layers * np.dtype(job.view.spec.dtype).itemsize + 1)
    blending = job.classes * 4 * (plan.rows.ramp * width + 4 * tile * tile * job.batch)
    writing = (job.classes + 2) * width * (tile + 2 * BLOCK)
    network = job.batch * tile * tile * 4 * (job.bands + 12 * 8)
    return int(psutil.Process().memory_info().rss) + _STRIPS * strip + blending + writing + network


def limit_batch(job: InferenceJob, limit: int | None) -> InferenceJob:
    """Reduce the batch of ``job`` until the estimated memory is within a limit.

    Strips are as wide as the grid, so an image with very many columns, or a file that claims them, can need more than
    the limit even for a single tile.

    Args:
        job: what is computed.
        limit: most bytes that the process may take; None for all memory of the machine.

    Raises:
        ParameterError: even one tile at a time needs more.
    """
    most = usable_memory() if limit is None else limit
    while job.batch > 1 and estimate_memory(job) > most:
        job = replace(job, batch=job.batch // 2)
    needed = estimate_memory(job)
    if needed > most:
        bound = "this machine has" if limit is None else "the limit is"
        raise ParameterError(
            f"An image of {job.plan.columns.length} columns needs about {_format_bytes(needed)} of memory; "
            f"{bound} {_format_bytes(most)}.",
            f"Use a smaller --tile{'' if limit is None else ' or a higher --memory'}, or work on parts of it with "
            "--extent.",
        )
    return job


def usable_memory() -> int:
    """Memory of the machine in bytes, or of the control group (container) that the process is limited to."""
    limits = [int(psutil.virtual_memory().total)]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no control group, or "max": no limit
            limits.append(int(path.read_text(encoding="ascii")))
    return min(limits)


def _format_bytes(count: int) -> str:
    return f"{count / 1e9:.0f} GB" if count >= 10e9 else f"{count / 1e6:.0f} MB"
