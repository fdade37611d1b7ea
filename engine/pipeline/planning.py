"""The plan of a run without the run."""

from __future__ import annotations

import time

from ..events import Reporter, Result
from .prepare import prepare
from .request import ImageRequest, OpenSession


def plan_run(request: ImageRequest, tasks: tuple[str, ...], open_session: OpenSession, reporter: Reporter) -> Result:
    """Tell the plan of a run over an image: the model is opened and tried, and nothing is written.

    Args:
        request: image and model.
        tasks: tasks of models that will do.
        open_session: opens the model.
        reporter: hears the plan.

    Raises:
        UserError: image, model or parameters cannot be used, or do not fit.
    """
    start = time.perf_counter()
    with prepare(request, tasks, open_session, reporter) as run:
        grid, model = run.grid, run.model.card.name
    return Result(
        outputs={},
        summary={"width": grid.width, "height": grid.height, "resolution": grid.resolution, "model": model},
        seconds=time.perf_counter() - start,
        text=f"{grid.width} x {grid.height} pixels at {grid.resolution:.3g} m with {model}",
    )
