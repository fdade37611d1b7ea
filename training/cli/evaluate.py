"""``terraspore evaluate`` and ``terraspore visualise``: metrics and pictures of a checkpoint on a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...engine.cli.cli_context import reports_result
from ...engine.cli.options import PATH, declared_options
from ...engine.context import RunContext
from ...engine.protocol.messages import Result
from ...engine.protocol.options import OutputOptions


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--checkpoint", type=PATH, help="Weights to evaluate; init.checkpoint of CONFIG unless given.")
@click.option("--split", help="Split to evaluate on; data.test of CONFIG unless given.")
@click.option("--out", type=PATH, help="Folder for metrics, confusion matrix and predictions.")
@click.option("--save-predictions", is_flag=True, help="Write the predictions as pictures in the classes' colours.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def evaluate(
    context: RunContext, config: str, overrides: Sequence[str], out: Path | None, overwrite: bool | None, **values: Any
) -> Result:
    """Measure a checkpoint on a split of the data set that CONFIG names.

    CONFIG may be a run's own config.yaml. KEY=VALUE overrides single values: evaluation.tta8=true,
    evaluation.method=sliding.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)  # before MindSpore is loaded
    from ..evaluation import evaluate_checkpoint

    report = evaluate_checkpoint(loaded, **values, out=out, overwrite=bool(overwrite), context=context)
    outputs = {} if out is None else {"folder": str(out)}
    return Result(outputs, {**report.json_metrics(), "images": report.images}, report.text(), report.seconds)


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--checkpoint", type=PATH, help="Weights; init.checkpoint of CONFIG unless given.")
@click.option("--split", help="Split to show; data.test of CONFIG unless given.")
@click.option("--images", type=PATH, help="A picture or a folder of them, instead of a split.")
@click.option("--augmented", type=click.IntRange(1, 10_000), help="Show so many samples of a training, with labels.")
@click.option("--out", type=PATH, required=True, help="Folder for the pictures.")
@click.option("--mix/--no-mix", default=True, show_default=True, help="Blend the colours over the image.")
@click.option("--alpha", type=float, default=0.5, show_default=True, help="Opacity of the colours, 0 to 1.")
@declared_options(OutputOptions, "overwrite")
@reports_result
def visualise(
    context: RunContext,
    *,
    config: str,
    overrides: tuple[str, ...],
    out: Path,
    augmented: int | None,
    mix: bool,
    alpha: float,
    overwrite: bool | None,
    **values: Any,
) -> Result:
    """Write the classes that a network predicts for images, in their colours, over the image or by themselves.

    With --augmented nothing is predicted: the pictures are the first samples of a training, as it will see them.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)  # before MindSpore is loaded
    from ..evaluation.plots import plot_predictions, plot_samples

    drawing: dict[str, Any] = {"alpha": alpha if mix else None, "overwrite": bool(overwrite), "context": context}
    if augmented is not None:
        count = plot_samples(loaded, out, augmented, **drawing)
    else:
        count = plot_predictions(loaded, out=out, **values, **drawing)
    return Result({"folder": str(out)}, {"images": count}, f"{count} pictures in {out}.")
