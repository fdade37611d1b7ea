"""``terraspore install``: a model of one's own, checked, completed and put where it is found by name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..concurrency import report_if_slow
from ..context import RunContext
from ..errors import ModelError
from ..models.infer_card import ModelHints
from ..models.registry import Model, install_model
from ..protocol.messages import Message, Result
from ..protocol.options import RuntimeOptions
from ..runtimes.pool import SessionPool
from .cli_context import current_cli_context, reports_result
from .models import summarize_model
from .options import declared_options, given_options
from .paths import PATH

#: A shorter type may leave 0..1 by its rounding.
_SLACK = 0.02


@click.command()
@click.argument("source", type=PATH)
@click.option("--to", "target", type=PATH, required=True, help="The new folder; its name becomes the model's.")
@declared_options(ModelHints)
@click.option("--device", default="auto", show_default=True, help="Where the model is tried.")
@click.option("--runtime", default="auto", show_default=True, help="In which runtime the model is tried.")
@reports_result
def install(context: RunContext, source: Path, target: Path, device: str, runtime: str, **given: Any) -> Result:
    """Check the model SOURCE (.ckpt, .onnx, .mindir, or a folder with card.json), try it, and copy it to a folder.

    Facts that a weights file without a card does not say itself are given as options.
    """
    hints = given_options(ModelHints, given)
    sessions, options = current_cli_context().session_pool(), RuntimeOptions(device=device, runtime=runtime)
    model = install_model(source, target, hints, lambda made: _check_inference(made, sessions, options, context))
    text = f"The model {model.card.name} works and is in {target}."
    return Result({"model": str(target)}, summarize_model(model), text)


def _check_inference(model: Model, sessions: SessionPool, options: RuntimeOptions, context: RunContext) -> None:
    """Run one tile through ``model`` and look at what comes out."""
    card = model.card
    generator = np.random.default_rng(0)
    tile = generator.integers(0, 255, (1, card.bands, card.tile, card.tile)).astype(card.dtype)
    with ExitStack() as stack:
        with report_if_slow(context, f"The model {card.name} is being loaded; this takes a while."):
            session, why = stack.enter_context(sessions.open(model, options, card.tile))
        context.report(Message(why))
        found = session.predict(tile)
    if not bool(np.isfinite(found).all()) or float(found.min()) < -_SLACK or float(found.max()) > 1 + _SLACK:
        raise ModelError(
            f"The model's output is not a probability: it is from {float(found.min()):g} to {float(found.max()):g}.",
            "Check the activation and the normalisation of the card.",
        )
