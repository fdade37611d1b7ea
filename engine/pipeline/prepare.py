"""From a request to everything that a run needs, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...__about__ import __version__
from ..errors import ModelError, ParameterError
from ..events import Message, Plan, Reporter
from ..models.card import ModelCard
from ..models.catalogue import Model, find_model, list_models
from ..raster.grid import Grid, make_grid, restrict
from ..raster.pixels import choose_bands
from ..raster.reader import View
from ..raster.source import Source, open_source
from ..raster.stretch import Stretch, estimate_stretch
from ..runtimes.base import PredictEach, Probabilities, Session, one_by_one
from ..tiling.plan import TilePlan, make_plan
from .estimate import estimate_memory, estimate_seconds, fit_memory
from .request import ImageRequest, OpenSession
from .tta import Predict, dihedral
from .work import Work

if TYPE_CHECKING:
    from ..raster.area import Area

#: An image this many times coarser than the model's resolution is said to be so.
_COARSE = 2.0


@dataclass(frozen=True)
class Prepared:
    """A run that can start.

    Attributes:
        model: the model.
        session: it, loaded.
        reason: why in this runtime and on this device.
        work: pixels, tiles and the network's shape.
        predict_each: the network, with test-time augmentation where that is wanted.
        tags: metadata for every output.
    """

    model: Model
    session: Session
    reason: str
    work: Work
    predict_each: PredictEach
    tags: dict[str, str]

    @property
    def grid(self) -> Grid:
        """Place and size of the outputs."""
        return self.work.view.grid


@contextmanager
def prepare(
    request: ImageRequest, tasks: tuple[str, ...], open_session: OpenSession, reporter: Reporter
) -> Iterator[Prepared]:
    """Open image and model, lay the tiles, and tell the plan.

    Args:
        request: what is wanted.
        tasks: tasks of models that will do.
        open_session: opens the model.
        reporter: hears remarks and the plan.

    Yields:
        The run; image and model are closed at the end of the block.

    Raises:
        UserError: image, model or parameters cannot be used, or do not fit.
    """
    model = choose_model(request.model, tasks)
    card = model.card
    with ExitStack() as stack:
        source = stack.enter_context(open_source(request.image, request.pixel_size, request.subdataset))
        view, plan = _look(request, model, source)
        for remark in (*source.remarks, *_remarks(source, model, request)):
            reporter.emit(Message(remark))
        session, reason = stack.enter_context(open_session(model, request.runtime, plan.tile))
        work = Work(view, plan, card.bands, len(card.classes), max(1, session.batch))
        work = fit_memory(work, None if request.memory is None else request.memory * 1_000_000)
        prepared = Prepared(
            model=model,
            session=session,
            reason=reason,
            work=work,
            predict_each=_network(session, card, request.tta),
            tags=_tags(model, session, work, request),
        )
        reporter.emit(_plan_event(prepared))
        yield prepared


def choose_model(name: str | None, tasks: tuple[str, ...]) -> Model:
    """The model of a name or path, or the first one known that does one of ``tasks``.

    Raises:
        ModelError: there is none, or it does something else.
    """
    if name is None:
        known = next((model for model in list_models() if model.card.task in tasks), None)
        if known is None:
            raise ModelError(f"There is no model for {' or '.join(tasks)} installed.", "Give one with --model.")
        return known
    model = find_model(name)
    if model.card.task not in tasks:
        raise ModelError(
            f"The model {model.card.name} is for {model.card.task}, not for {' or '.join(tasks)}.",
            "Use `terraspore segment` for models of any kind.",
        )
    return model


def _look(request: ImageRequest, model: Model, source: Source) -> tuple[View, TilePlan]:
    """How the image is seen, and the tiles over it."""
    card = model.card
    grid = make_grid(
        source.crs, source.transform, (source.width, source.height), source.pixel, request.resolution or card.resolution
    )
    if request.extent is not None:
        grid = restrict(grid, request.extent)
    tile = request.tile if request.tile is not None else card.tile
    overlap = request.overlap if request.overlap is not None else min(card.overlap, tile // 2)
    area = None
    if request.area is not None:
        grid, area = _look_at_area(request, grid, overlap)
    plan = make_plan(grid.width, grid.height, tile, overlap, card.multiple)
    bands = choose_bands(source, request.bands, card.bands)
    stretch = _stretch(model, source) and estimate_stretch(source, bands)
    return View(source, grid, bands, stretch or None, card.dtype, area), plan


def _look_at_area(request: ImageRequest, grid: Grid, margin: int) -> tuple[Grid, Area]:
    """The part of the grid around the polygons, with a margin for the network to see, and the polygons in it."""
    from ..raster.area import read_area  # brings libraries for vectors, which few runs need

    assert request.area is not None
    area = read_area(request.area, grid)
    smaller = area.around(grid, margin)
    return smaller, area.moved(grid, smaller)


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
    coarsest = max(source.pixel)
    if coarsest > _COARSE * wanted:
        return [
            f"The image has pixels of {coarsest:.3g} m, the model was made for {wanted:.3g} m: expect a poor result."
        ]
    return []


def _network(session: Session, card: ModelCard, tta: bool) -> PredictEach:
    """The session's network with what is done to its results before they are blended."""
    bounded = card.activation != "none"  # a graph that ends with something of its own may leave 0..1
    if tta:
        predict: Predict = session.predict if bounded else lambda tiles: _clip(session.predict(tiles))
        return one_by_one(dihedral(predict))
    if bounded:
        return session.predict_each
    return lambda batches: (result if result is None else _clip(result) for result in session.predict_each(batches))


def _clip(probability: Probabilities) -> Probabilities:
    return np.clip(probability, 0.0, 1.0, out=probability)


def _tags(model: Model, session: Session, work: Work, request: ImageRequest) -> dict[str, str]:
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


def _plan_event(prepared: Prepared) -> Plan:
    work, session = prepared.work, prepared.session
    area = work.view.area
    tiles = work.plan.count if area is None else area.tiles(work.plan)
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
        seconds=estimate_seconds(work, prepared.predict_each, tiles),
    )
