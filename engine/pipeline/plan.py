"""What a run will need, said before it starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from ...__about__ import __version__
from ..context import RunContext
from ..errors import ModelError, ParameterError
from ..models.card import ModelCard, Task
from ..models.registry import Model, choose_model
from ..protocol.messages import Message, Plan, Result
from ..raster.bands import choose_bands
from ..raster.dataset import Source, open_source
from ..raster.grid import Grid, crop_to_extent, make_grid
from ..raster.reader import ImageView
from ..raster.stretch import Stretch, estimate_stretch
from ..raster.writer import BLOCK
from ..runtimes.base import PredictStream, Probabilities, Session, map_batches
from ..tiling.layout import TilePlan, make_plan
from .job import InferenceJob
from .request import ImageRequest, OpenSession
from .tta import Predict, dihedral

if TYPE_CHECKING:
    from ..raster.area import Area

#: A run of fewer tiles is over before an estimate would have been of use; trying costs one or two calls.
_TILES_WORTH_TRYING = 40
#: Where Linux keeps the memory limit of the process's control group: version 2 and version 1.
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
#: Strips that exist at a time: one being read, one that waits, one being computed, one being written.
_STRIPS = 4


def estimate_memory(work: InferenceJob) -> int:
    """Bytes that the process will take at most: what it has now, strips, blending, rows to be written, and tiles.

    The network's own working memory is known only where it has run already; about twelve full-size feature maps
    for each pixel of a batch are assumed.
    """
    plan, layers = work.plan, work.view.bands.layers
    width, tile = max(plan.columns.length, plan.tile), plan.tile
    strip = tile * width * (layers * np.dtype(work.view.dtype).itemsize + 1)
    blending = work.classes * 4 * (plan.rows.ramp * width + 4 * tile * tile * work.batch)
    writing = (work.classes + 2) * width * (tile + 2 * BLOCK)
    network = work.batch * tile * tile * 4 * (work.bands + 12 * 8)
    return int(psutil.Process().memory_info().rss) + _STRIPS * strip + blending + writing + network


def estimate_seconds(work: InferenceJob, predict_stream: PredictStream, tiles: int) -> float | None:
    """Seconds for ``tiles`` tiles by trying one batch; None where there are too few to be worth it."""
    if tiles < _TILES_WORTH_TRYING:
        return None
    batch = np.zeros((work.batch, work.bands, work.plan.tile, work.plan.tile), work.view.dtype)
    start = time.perf_counter()
    next(predict_stream([batch]))
    return (time.perf_counter() - start) * tiles / work.batch


def fit_memory(work: InferenceJob, limit: int | None) -> InferenceJob:
    """``work`` with so few tiles at once that a run keeps to a limit.

    Strips are as wide as the grid; so an image of very many columns, or one that only says that it has them, may need
    more with a single tile.

    Args:
        work: what is to be computed.
        limit: most bytes that the process may take; None for all memory of the machine.

    Raises:
        ParameterError: it needs more even with one tile at a time.
    """
    most = usable_memory() if limit is None else limit
    while work.batch > 1 and estimate_memory(work) > most:
        work = replace(work, batch=work.batch // 2)
    needed, columns = estimate_memory(work), work.plan.columns.length
    if needed > most:
        what = "this machine has" if limit is None else "the limit is"
        raise ParameterError(
            f"An image of {columns} columns needs about {_said(needed)} of memory; {what} {_said(most)}.",
            f"Use a smaller --tile{'' if limit is None else ' or a higher --memory'}, or work on parts of it with "
            "--extent.",
        )
    return work


def _said(number: int) -> str:
    return f"{number / 1e9:.0f} GB" if number >= 10e9 else f"{number / 1e6:.0f} MB"


def usable_memory() -> int:
    """Memory of the machine in bytes, or of the control group (container) that the process is limited to."""
    limits = [int(psutil.virtual_memory().total)]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no control group, or "max": no limit
            limits.append(int(path.read_text(encoding="ascii")))
    return min(limits)


#: An image this many times coarser than the model's resolution is said to be so.
_COARSE = 2.0


@dataclass(frozen=True)
class InferenceRun:
    """A run that can start.

    Attributes:
        model: the model.
        session: it, loaded.
        reason: why in this runtime and on this device.
        work: pixels, tiles and the network's shape.
        predict_stream: the network, with test-time augmentation where that is wanted.
        tags: metadata for every output.
    """

    model: Model
    session: Session
    reason: str
    work: InferenceJob
    predict_stream: PredictStream
    tags: dict[str, str]

    @property
    def grid(self) -> Grid:
        """Place and size of the outputs."""
        return self.work.view.grid


@contextmanager
def open_run(
    request: ImageRequest, task: Task, open_session: OpenSession, context: RunContext
) -> Iterator[InferenceRun]:
    """Open image and model, lay the tiles, and tell the plan.

    Args:
        request: what is wanted.
        task: what the model has to be for; ``segmentation`` takes any model.
        open_session: opens the model.
        context: receives the plan and messages.

    Yields:
        The run; image and model are closed at the end of the block.

    Raises:
        UserError: image, model or parameters cannot be used, or do not fit.
    """
    model = choose_model(request.model, task)
    card = model.card
    with ExitStack() as stack:
        source = stack.enter_context(open_source(request.image, request.pixel_size, request.subdataset))
        view, plan = _look(request, model, source)
        for remark in (*source.remarks, *_remarks(source, model, request)):
            context.report(Message(remark))
        session, reason = stack.enter_context(open_session(model, request.runtime, plan.tile))
        work = InferenceJob(view, plan, card.bands, len(card.classes), max(1, session.batch))
        work = fit_memory(work, None if request.memory is None else request.memory * 1_000_000)
        prepared = InferenceRun(
            model=model,
            session=session,
            reason=reason,
            work=work,
            predict_stream=_network(session, card, request.tta),
            tags=_tags(model, session, work, request),
        )
        context.report(_plan_event(prepared))
        yield prepared


def _look(request: ImageRequest, model: Model, source: Source) -> tuple[ImageView, TilePlan]:
    """How the image is seen, and the tiles over it."""
    card = model.card
    grid = make_grid(
        source.crs,
        source.transform,
        (source.width, source.height),
        source.pixel_size,
        request.resolution or card.resolution,
    )
    if request.extent is not None:
        grid = crop_to_extent(grid, request.extent)
    tile = request.tile if request.tile is not None else card.tile
    overlap = request.overlap if request.overlap is not None else min(card.overlap, tile // 2)
    area = None
    if request.area is not None:
        grid, area = _look_at_area(request, grid, overlap)
    plan = make_plan(grid.width, grid.height, tile, overlap, card.multiple)
    bands = choose_bands(source, request.bands, card.bands)
    stretch = _stretch(model, source) and estimate_stretch(source, bands)
    return ImageView(source, grid, bands, stretch or None, card.dtype, area), plan


def _look_at_area(request: ImageRequest, grid: Grid, margin: int) -> tuple[Grid, Area]:
    """The part of the grid around the polygons, with a margin for the network to see, and the polygons in it."""
    from ..raster.area import read_area  # brings libraries for vectors, which few runs need

    assert request.area is not None
    area = read_area(request.area, grid)
    smaller = area.crop_grid(grid, margin)
    return smaller, area.shift_to(grid, smaller)


def _stretch(model: Model, source: Source) -> bool:
    """Whether the pixels are to be stretched.

    Raises:
        ParameterError: the model wants values as they are, and its type cannot hold them.
    """
    card = model.card
    if card.stretch:
        if card.dtype != "uint8":
            raise ModelError(
                f"The card of {card.name} asks for stretched pixels of type {card.dtype}; stretched are uint8."
            )
        return True
    if card.dtype != "float32" and np.dtype(source.dtype).itemsize > np.dtype(card.dtype).itemsize:
        raise ParameterError(
            f"The model {card.name} takes {card.dtype} values as they are, but {source.path} holds {source.dtype}.",
            "Convert the image, or set `stretch` in the model's card.",
        )
    return False


def _remarks(source: Source, model: Model, request: ImageRequest) -> list[str]:
    wanted = request.resolution or model.card.resolution
    coarsest = max(source.pixel_size)
    if coarsest > _COARSE * wanted:
        return [
            f"The image has pixels of {coarsest:.3g} m, the model was made for {wanted:.3g} m: expect a poor result."
        ]
    return []


def _network(session: Session, card: ModelCard, tta: bool) -> PredictStream:
    """The session's network with what is done to its results before they are blended."""
    bounded = card.activation != "none"  # a graph that ends with something of its own may leave 0..1
    if tta:
        predict: Predict = session.predict if bounded else lambda tiles: _clip(session.predict(tiles))
        return map_batches(dihedral(predict))
    if bounded:
        return session.predict_stream
    return lambda batches: (result if result is None else _clip(result) for result in session.predict_stream(batches))


def _clip(probability: Probabilities) -> Probabilities:
    return np.clip(probability, 0.0, 1.0, out=probability)


def _tags(model: Model, session: Session, work: InferenceJob, request: ImageRequest) -> dict[str, str]:
    """What is written into every output about how it was made."""
    view, plan = work.view, work.plan
    return {
        "SOFTWARE": f"TerraSpore {__version__}",
        "SOURCE": view.source.path.name,
        "MODEL": model.card.name,
        "MODEL_SHA256": model.sha256,
        "RUNTIME": session.runtime,
        "DEVICE": session.device,
        "PRECISION": session.precision,
        "RESOLUTION": f"{view.grid.resolution:.6g}",
        "TILE": str(plan.tile),
        "OVERLAP": str(plan.overlap),
        "TTA": "8" if request.tta else "1",
        "BANDS": ",".join(map(str, view.bands.indices)),
        "STRETCH": _say_stretch(view.stretch),
    }


def _say_stretch(stretch: Stretch | None) -> str:
    if stretch is None:
        return "none"
    return ",".join(f"{low:.6g}..{high:.6g}" for low, high in zip(stretch.low, stretch.high, strict=True))


def _plan_event(prepared: InferenceRun) -> Plan:
    work, session = prepared.work, prepared.session
    area = work.view.area
    tiles = work.plan.count if area is None else area.count_tiles(work.plan)
    return Plan(
        tiles=tiles,
        width=prepared.grid.width,
        height=prepared.grid.height,
        resolution=prepared.grid.resolution,
        tile=work.plan.tile,
        overlap=work.plan.overlap,
        model=prepared.model.card.name,
        runtime=session.runtime,
        device=session.device,
        reason=prepared.reason,
        memory_bytes=estimate_memory(work),
        seconds=estimate_seconds(work, prepared.predict_stream, tiles),
    )


def plan_run(request: ImageRequest, task: Task, open_session: OpenSession, context: RunContext) -> Result:
    """Tell the plan of a run over an image: the model is opened and tried, and nothing is written.

    Args:
        request: image and model.
        task: what the model has to be for; ``segmentation`` takes any model.
        open_session: opens the model.
        context: receives the plan and messages.

    Raises:
        UserError: image, model or parameters cannot be used, or do not fit.
    """
    start = time.perf_counter()
    with open_run(request, task, open_session, context) as run:
        grid, model = run.grid, run.model.card.name
    return Result(
        outputs={},
        summary={"width": grid.width, "height": grid.height, "resolution": grid.resolution, "model": model},
        seconds=time.perf_counter() - start,
        text=f"{grid.width} x {grid.height} pixels at {grid.resolution:.3g} m with {model}",
    )
