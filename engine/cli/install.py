"""``terraspore install``: a model of one's own, checked, completed and put where it is found by name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np

from ..concurrency import report_if_slow
from ..context import RunContext
from ..errors import ModelError
from ..models.card import Activation, PixelType, Task
from ..models.infer_card import ModelHints
from ..models.registry import Model, install_model
from ..protocol.messages import Message, Result
from ..protocol.options import MAX_LENGTH, RuntimeOptions
from ..runtimes.pool import SessionPool
from .cli_context import current_cli_context, reports_result
from .models import summarize_model
from .options import FiniteRange, add_options, parse_numbers
from .paths import PATH

#: A shorter type may leave 0..1 by its rounding.
_SLACK = 0.02
_parse_statistics = parse_numbers("tuple[float, ...]", "0.5,0.5,0.5")
_hint_options = add_options(
    click.option("--architecture", help="Of a .ckpt: the network whose weights it holds."),
    click.option("--task", type=click.Choice(get_args(Task)), help="What the classes mean."),
    click.option("--classes", metavar="A,B,...", help="Names of the classes, in the order of the channels."),
    click.option("--resolution", type=FiniteRange(0, MAX_LENGTH, min_open=True), metavar="M", help="Metres per pixel."),
    click.option("--bands", type=click.IntRange(1), metavar="N", help="Number of bands."),
    click.option("--scale", type=FiniteRange(), help="Factor on pixel values; 1/255 unless given."),
    click.option("--mean", metavar="A,B,...", callback=_parse_statistics, help="Mean of each band, of scaled values."),
    click.option(
        "--std",
        metavar="A,B,...",
        callback=_parse_statistics,
        help="Standard deviation of each band, of scaled values.",
    ),
    click.option("--dtype", type=click.Choice(get_args(PixelType)), help="Type of the pixels."),
    click.option("--output-name", "output", metavar="NAME", help="Output of the network, where it has several."),
    click.option("--activation", type=click.Choice(get_args(Activation)), help="What follows the network."),
    click.option("--tile", type=click.IntRange(1), metavar="N", help="Pixels along a tile's side."),
    click.option("--overlap", type=click.IntRange(0), metavar="N", help="Pixels that neighbouring tiles share."),
    click.option("--threshold", type=FiniteRange(0, 1), metavar="T", help="On probabilities."),
)


@click.command()
@click.argument("source", type=PATH)
@click.option("--to", "target", type=PATH, required=True, help="The new folder; its name becomes the model's.")
@_hint_options
@click.option("--device", default="auto", show_default=True, help="Where the model is tried.")
@click.option("--runtime", default="auto", show_default=True, help="In which runtime the model is tried.")
@reports_result
def install(context: RunContext, source: Path, target: Path, device: str, runtime: str, **given: Any) -> Result:
    """Check the model SOURCE (.ckpt, .onnx, .mindir, or a folder with card.json), try it, and copy it to a folder.

    Facts that a weights file without a card does not say itself are given as options.
    """
    names = given.pop("classes")
    classes = tuple(name.strip() for name in names.split(",") if name.strip()) if names else None
    hints = ModelHints(classes=classes, **given)
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
