"""Run every task once on a small image, so that kernels and models are compiled before the first real run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..context import RunContext
from ..fs.atomic import cleanup_on_abort
from ..protocol.messages import Message, Progress, Result
from ..protocol.options import ImageOptions
from ..runtimes.pool import SessionPool
from .landcover import extract_classes
from .request import ClassRequest, ImageRequest, RoadRequest
from .roads import extract_roads

#: A part of Las Vegas of 0.3 km x 0.4 km (SpaceNet, CC BY-SA 4.0), and the tenth of it that serves for land cover.
DEMO_IMAGE = Path(__file__).resolve().parents[2] / "resources" / "demo.tif"
_LANDCOVER_EXTENT = (-115.2325, 36.1402, -115.2315, 36.1411)
#: Functions that numba compiles where nothing is in its cache, and how many of them take as long as a task itself.
_COMPILED, _TASK = 200, 20
_SECONDS = 30
_CANCELLED = "Cancelled; what was compiled so far is kept, and is not compiled again."


def prepare_tasks(sessions: SessionPool, context: RunContext) -> Result:
    """Compile kernels and default models into their caches by extracting roads and land cover of a small image.

    Args:
        sessions: opens the models.
        context: receives progress; checked for cancellation.

    Raises:
        Cancelled: the run was cancelled; what was compiled before stays in the caches.
        TerraSporeError: a task cannot be run on this machine.
    """
    context.cancellation.message = _CANCELLED
    start, total = context.clock(), _COMPILED + 2 * _TASK
    compiled = finished = 0

    def report() -> None:
        context.report(Progress("prepare", min(compiled, _COMPILED) + finished * _TASK, total))

    def count_compiled() -> None:
        nonlocal compiled
        compiled += 1
        report()

    from ..vector.jit import collect_garbage_rarely, observe_compilation

    context.report(Message(f"Compiling kernels and models for this computer, about {_SECONDS} s."))
    quiet = replace(context, reporter=RunContext().reporter, warnings=[])
    with (
        tempfile.TemporaryDirectory(prefix="terraspore-") as name,
        cleanup_on_abort(partial(shutil.rmtree, name, ignore_errors=True)),
        observe_compilation(count_compiled),
        collect_garbage_rarely(),
    ):
        image, folder = ImageRequest(DEMO_IMAGE), Path(name)
        part = replace(image, options=ImageOptions(extent=_LANDCOVER_EXTENT))
        tasks: tuple[Callable[[], Result], ...] = (
            lambda: extract_roads(RoadRequest(image, folder / "roads.gpkg"), sessions, quiet),
            lambda: extract_classes(ClassRequest(part, folder / "landcover.gpkg"), "landcover", sessions, quiet),
        )
        for run_task in tasks:
            run_task()
            finished += 1
            report()
    context.report(Progress("prepare", total, total))
    seconds = context.clock() - start
    return Result({}, {"compiled": compiled}, f"The engine is prepared: {compiled} functions were compiled.", seconds)
